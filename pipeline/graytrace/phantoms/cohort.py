"""A cohort of phantom patients as a BIDS data set, with the truth in a folder beside it."""

from __future__ import annotations

import copy
import csv
import io
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graytrace.files import write_text
from graytrace.images.grids import Volume
from graytrace.images.writing import write_mask, write_volume
from graytrace.phantoms.acquisition import PaintedHead, Scan, ScanSettings, draw_coil, paint_t1w, scan_head
from graytrace.phantoms.anatomy import draw_head
from graytrace.phantoms.atrophy import TissueLoss, draw_displacement
from graytrace.phantoms.lesions import draw_lesions

BASELINE, FOLLOWUP = "BL", "M24"
DOSES = (0.7, 1.4, 2.8, 5.7)  # cells, in ten thousands per kilogram, say: the phantoms only need an order
TRUTH_COLUMNS = (
    "participant_id", "gm_baseline_ml", "gm_followup_ml", "wm_baseline_ml", "icv_ml", "gm_change_percent",
    "cortex_change_percent", "deep_change_percent", "wm_change_percent", "brain_change_percent", "drift", "slice_mm",
    "lesions",
)  # fmt: skip


@dataclass(frozen=True)
class PhantomPatient:
    """A patient to be made: who, what is lost between the visits, and how the visits are scanned.

    `n_lesions` are white-matter lesions at both visits, `n_new_lesions` more of them at the second visit only.
    """

    participant_id: str
    loss: TissueLoss = field(default_factory=TissueLoss)
    n_lesions: int = 0
    n_new_lesions: int = 0
    age_years: int = 45
    sex: str = "F"
    dose: float = DOSES[0]
    baseline_date: date = date(2019, 3, 4)
    interval_days: int = 735
    baseline: ScanSettings = field(default_factory=ScanSettings)
    followup: ScanSettings = field(default_factory=ScanSettings)


@dataclass(frozen=True)
class PhantomPair:
    """Both visits of a phantom patient."""

    patient: PhantomPatient
    baseline: Scan
    followup: Scan

    def truth(self) -> dict[str, str | float]:
        """A row of truth.tsv: volumes in ml and changes in percent, measured on what was rendered."""
        ml = {
            tissue: (self.baseline.true_volume_ml(tissue), self.followup.true_volume_ml(tissue))
            for tissue in ("cortex", "deep_gray", "white_matter")
        }
        ml["gm"] = _add(ml["cortex"], ml["deep_gray"])
        ml["brain"] = _add(ml["gm"], ml["white_matter"])
        change = {tissue: 100 * (after / before - 1) for tissue, (before, after) in ml.items()}
        voxel_ml = abs(np.linalg.det(self.baseline.voxel_to_ras[:3, :3])) / 1000
        row: tuple[str | float, ...] = (
            self.patient.participant_id, *ml["gm"], ml["white_matter"][0],
            float(self.baseline.intracranial_mask.sum()) * voxel_ml / self.baseline.scale**3,
            change["gm"], change["cortex"], change["deep_gray"], change["white_matter"], change["brain"],
            self.patient.followup.scale_percent, float(np.linalg.norm(self.followup.voxel_to_ras[:3, 2])),
            self.patient.n_lesions,
        )  # fmt: skip
        return dict(zip(TRUTH_COLUMNS, row, strict=True))


def _add(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]


def draw_patients(
    count: int,
    *,
    seed: int = 1,
    slice_mm: float | None = None,
    orientation: str = "RAS",
    noise_percent: float = 3.0,
    bias_percent: float = 40.0,
    drift_percent: float = 0.0,
) -> list[PhantomPatient]:
    """Draw the patients of a trial in which a higher dose loses less.

    Every third patient has lesions. Loss of gray matter over two years is about 2.5 percent at the lowest dose and 0.5
    at the highest, with a spread of 0.4 between patients.

    Parameters
    ----------
    count : int
        How many patients.
    seed : int
        The same seed draws the same patients; the first ones do not depend on how many follow.
    slice_mm, orientation, noise_percent, bias_percent
        See `acquisition.ScanSettings`.
    drift_percent : float
        Error of the scanner's length scale at follow-up.

    Returns
    -------
    list of PhantomPatient
    """
    patients = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        dose = DOSES[number % len(DOSES)]
        loss = float(-2.5 + 2.0 * (number % len(DOSES)) / (len(DOSES) - 1) + rng.normal(0, 0.4))

        def settings(scale_percent: float, rng: np.random.Generator = rng) -> ScanSettings:
            return ScanSettings(
                slice_mm, orientation, noise_percent, bias_percent, scale_percent,
                _three(rng.normal(0, 4, 3)), _three(rng.normal(0, 3, 3)),
            )  # fmt: skip

        patients.append(
            PhantomPatient(
                participant_id=f"sub-P{number + 1:02d}",
                loss=TissueLoss(loss, 1.2 * loss, 0.25 * loss),
                n_lesions=int(rng.integers(6, 20)) if number % 3 == 1 else 0,
                age_years=int(rng.integers(28, 61)),
                sex=str(rng.choice(["F", "M"])),
                dose=dose,
                baseline_date=date(2019, 1, 7) + timedelta(days=int(rng.integers(0, 300))),
                interval_days=731 + int(rng.integers(-20, 40)),
                baseline=settings(0.0),
                followup=settings(drift_percent),
            )
        )
    return patients


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def render_pair(patient: PhantomPatient, *, voxel_mm: float = 1.0, seed: int = 1) -> PhantomPair:
    """Render both visits of a patient.

    Parameters
    ----------
    patient : PhantomPatient
        Whom to render.
    voxel_mm : float
        Side of the voxels in the plane of the slices.
    seed : int
        With the patient's name it decides on the head.

    Returns
    -------
    PhantomPair
    """
    head_rng, scan_rng = np.random.default_rng([seed, zlib.crc32(patient.participant_id.encode())]).spawn(2)
    anatomy = draw_head(head_rng, voxel_mm=voxel_mm)
    lesions = draw_lesions(anatomy, patient.n_lesions, head_rng)
    paint_rng = copy.deepcopy(head_rng)  # the same texture at both visits
    head: PaintedHead = paint_t1w(anatomy, lesions, head_rng)
    later = head
    if patient.n_new_lesions:
        new = draw_lesions(anatomy, patient.n_new_lesions, np.random.default_rng([seed, patient.n_new_lesions]))
        later = paint_t1w(anatomy, np.maximum(lesions, new), paint_rng)
    displacement = draw_displacement(anatomy, patient.loss)
    coil = draw_coil(head, scan_rng)
    return PhantomPair(
        patient,
        scan_head(head, None, coil, patient.baseline, scan_rng),
        scan_head(later, displacement, coil, patient.followup, scan_rng),
    )


def write_cohort(
    out: Path, patients: Sequence[PhantomPatient], *, voxel_mm: float = 1.0, seed: int = 1, jobs: int = 1
) -> Path:
    """Write patients as a BIDS data set, and their truth beside it.

    Parameters
    ----------
    out : Path
        Folder of the data set; the truth goes to a folder of the same name with "-truth" behind it.
    patients : sequence of PhantomPatient
        From `draw_patients`, or made by hand.
    voxel_mm, seed
        See `render_pair`.
    jobs : int
        Processes; a 1 mm patient needs about 2 GB of memory.

    Returns
    -------
    Path
        The truth's folder: truth.tsv, and for each scan the true gray-matter fraction (0 to 255), brain mask and
        intracranial mask on the scan's grid.
    """
    truth_dir = out.with_name(out.name + "-truth")
    for folder in (out, truth_dir):
        folder.mkdir(parents=True, exist_ok=True)
    _write_description(out)
    arguments = [(out, truth_dir, patient, voxel_mm, seed) for patient in patients]
    rows: list[dict[str, str | float]] = []
    with ExitStack() as stack:
        pool_map = map if jobs == 1 else stack.enter_context(ProcessPoolExecutor(jobs)).map
        for row in pool_map(_write_patient, *zip(*arguments, strict=True)):
            rows.append(row)  # whom the tables name is there whole: they can be measured while others are made
            _write_table(
                out / "participants.tsv",
                (
                    {"participant_id": p.participant_id, "age": p.age_years, "sex": p.sex, "dose": p.dose}
                    for p in patients[: len(rows)]
                ),
            )
            _write_table(truth_dir / "truth.tsv", rows)
    return truth_dir


def _write_patient(
    out: Path, truth_dir: Path, patient: PhantomPatient, voxel_mm: float, seed: int
) -> dict[str, str | float]:
    pair = render_pair(patient, voxel_mm=voxel_mm, seed=seed)
    name = patient.participant_id
    for visit, scan in ((BASELINE, pair.baseline), (FOLLOWUP, pair.followup)):
        _write_scan(out, truth_dir, name, visit, scan)
        if patient.n_lesions or patient.n_new_lesions:
            mask = out / "derivatives" / "lesions" / name / f"ses-{visit}" / "anat"
            write_mask(
                mask / f"{name}_ses-{visit}_space-T1w_label-lesion_mask.nii.gz",
                Volume(scan.lesion_mask, scan.voxel_to_ras),
            )
    followup_date = patient.baseline_date + timedelta(days=patient.interval_days)
    _write_table(
        out / name / f"{name}_sessions.tsv",
        (
            {"session_id": f"ses-{visit}", "acq_time": f"{day.isoformat()}T10:00:00"}
            for visit, day in ((BASELINE, patient.baseline_date), (FOLLOWUP, followup_date))
        ),
    )
    return pair.truth()


def _write_scan(out: Path, truth_dir: Path, name: str, visit: str, scan: Scan) -> None:
    stem, affine = f"{name}_ses-{visit}", scan.voxel_to_ras
    write_volume(out / name / f"ses-{visit}" / "anat" / f"{stem}_T1w.nii.gz", Volume(scan.t1w, affine), np.int16)
    gray = np.rint(255 * np.clip(scan.fractions["cortex"] + scan.fractions["deep_gray"], 0, 1))
    write_volume(truth_dir / name / f"{stem}_gm255.nii.gz", Volume(gray, affine), np.uint8)
    write_mask(truth_dir / name / f"{stem}_brain.nii.gz", Volume(scan.brain_mask, affine))
    write_mask(truth_dir / name / f"{stem}_icv.nii.gz", Volume(scan.intracranial_mask, affine))


def _write_table(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    kept = list(rows)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(kept[0]), delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _format_cell(value) for name, value in row.items()} for row in kept)
    write_text(path, file.getvalue())


def _format_cell(value: object) -> object:
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def _write_description(out: Path) -> None:
    description = {
        "Name": "Phantom patients at two visits",
        "BIDSVersion": "1.9.0",
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "graytrace phantom"}],
    }
    (out / "dataset_description.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
