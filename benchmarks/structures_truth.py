"""Cohorts of the benchmark with the truth of every structure: its volume at both visits, and a label map on each scan.

`realistic.py` renders the visits and tells the truth of tissues.  Here the same patients are made by the same code,
and what it deforms and where it samples is listened to, so that each structure is carried along.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

FINER = 1.2  # instead of 1.5: a finer grid of rendering costs more and changes no structure
NECK_MM = 35  # of what lies below the brain is rendered: the rest of the neck costs as much as the head
PARTIAL_VOLUME = 0.5  # sigma in voxels by which realistic.py makes fractions of labels
VENTRICLES = {4: (4, 5), 43: (43, 44)}  # the temporal horns belong to the lateral ventricles


def _replace(module: Any, **functions: Any) -> SimpleNamespace:
    """A module with some functions of our own."""
    return SimpleNamespace(**{name: getattr(module, name) for name in dir(module) if name[0] != "_"} | functions)


def _load_head(path: Any) -> Any:
    """A label map in RAS order without the lower neck."""
    image = nib.as_closest_canonical(nib.load(path))
    data = np.asanyarray(image.dataobj).astype(np.int16)
    lowest = int(np.argwhere(((data > 0) & (data < 100)).any((0, 1)))[0, 0])
    data[:, :, : max(lowest - NECK_MM, 0)] = 0
    return nib.Nifti1Image(data, image.affine)


class Listener:
    """What a patient's rendering says on its way: its flow, and where its last true map was sampled."""

    def __init__(self, realistic: Any) -> None:
        realistic.FINER = FINER
        self.flow: Any = None
        self.places: Any = None
        self.label_maps: list[Path] = []
        numpy_image = realistic.ndimage
        realistic.ndimage = _replace(numpy_image, map_coordinates=self._sample)
        realistic.nib = _replace(nib, save=self._save, load=_load_head)
        self._exponential = realistic.exponential
        realistic.exponential = self._flow

    def start(self, labels: Path) -> None:
        """Listen to a patient of this label map."""
        canonical = _load_head(labels)
        data = np.asanyarray(canonical.dataobj).astype(np.int16)
        box = tuple(slice(max(0, int(a.min()) - 8), int(a.max()) + 9) for a in np.nonzero(data))
        self.labels, self.flow, self.places, self.label_maps = data[box], None, None, []

    def _flow(self, velocity: Any) -> Any:
        self.flow = self._exponential(velocity)
        return self.flow

    def _sample(self, volume: Any, at: Any, **how: Any) -> Any:
        if how.get("mode") == "constant":
            self.places = at
        return ndimage.map_coordinates(volume, at, **how)

    def _save(self, image: Any, path: Any) -> None:
        nib.save(image, path)
        if not str(path).endswith("_icv.nii.gz"):
            return
        found = ndimage.map_coordinates(self.labels, self.places, order=0, mode="constant")
        shape = image.shape
        if found.size != np.prod(shape):  # thick slices: the layer in the middle
            found = found.reshape(*shape, -1)[..., found.size // int(np.prod(shape)) // 2]
        place = Path(str(path).replace("_icv.nii.gz", "_structures.nii.gz"))
        nib.save(nib.Nifti1Image(found.reshape(shape).astype(np.int16), image.affine), place)
        self.label_maps.append(place)

    def volumes(self) -> dict[int, tuple[float, float]]:
        """Volume in ml of each label before and after the flow."""
        found = {}
        where = None if self.flow is None else np.indices(self.labels.shape, dtype=np.float32) + self.flow
        for label in np.unique(self.labels[(self.labels > 0) & (self.labels < 100)]):
            if label in (5, 44):
                continue
            members = VENTRICLES.get(int(label), (int(label),))
            share = ndimage.gaussian_filter(np.isin(self.labels, members).astype(np.float32), PARTIAL_VOLUME)
            before = float(share.sum(dtype=np.float64)) / 1000
            after = before
            if where is not None:
                moved = ndimage.map_coordinates(share, where, order=1, mode="nearest")
                after = float(moved.sum(dtype=np.float64)) / 1000
            found[int(label)] = (before, after)
        return found


def make_cohort(benchmark: Path, labels: Path, spec: Path, seed: int, cohort: Path) -> None:
    """Render the patients of a spec that are not there yet; their truth goes to COHORT-truth/structures.tsv."""
    sys.path.insert(0, str(benchmark))
    import realistic  # noqa: PLC0415 - lies in the benchmark's folder

    truth = cohort.with_name(cohort.name + "-truth")
    for folder in (cohort, truth):
        folder.mkdir(parents=True, exist_ok=True)
    (cohort / "dataset_description.json").write_text('{"Name": "Structures", "BIDSVersion": "1.9.0"}')
    with spec.open() as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    (cohort / "participants.tsv").write_text("participant_id\n" + "".join(f"{row['participant_id']}\n" for row in rows))
    listener = Listener(realistic)
    for row in rows:
        kept = truth / row["participant_id"] / "volumes.tsv"
        if kept.exists():
            continue
        listener.start(labels / f"training_seg_{row['labels']}.nii.gz")
        told = realistic.make_patient(row, labels, cohort, truth, seed)
        swap = bool(float(row.get("swap") or 0))
        lines = ["label\tbaseline_ml\tfollowup_ml"]
        for label, visits in listener.volumes().items():
            before, after = reversed(visits) if swap else visits
            lines.append(f"{label}\t{before:.5f}\t{after:.5f}")
        lines.append(f"cortex_change\t{told['cortex_change_percent']:.5f}\tn/a")
        kept.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    make_cohort(*(Path(argument) for argument in sys.argv[1:4]), int(sys.argv[4]), Path(sys.argv[5]))
