"""Graytrace from Python: segment a scan, measure the change between two, make two of a phantom.

The same engines with the same checks as in the workflow, one after the other in a temporary folder, so the numbers are
those of a study without lesion masks. Whole studies, with dates, exclusions, flags and the report, are the workflow's.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numba
import numpy as np
import SimpleITK
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from graytrace.algorithms.grids import Grid
from graytrace.algorithms.resampling import resample, resample_part
from graytrace.algorithms.slices import surround_slices
from graytrace.algorithms.volumes import tissue_volume_ml
from graytrace.arrays import Affine, Fractions, Image, Mask, ScalarField, Voxels
from graytrace.catalog import VISITS
from graytrace.engines.registry import EMBEDDED, TASKS, engine_of
from graytrace.engines.runner import TaskResult, run_task
from graytrace.errors import ImageError
from graytrace.images.grids import Volume
from graytrace.images.reading import read_scan, read_volume
from graytrace.images.writing import write_volume
from graytrace.phantoms.acquisition import ScanSettings
from graytrace.phantoms.atrophy import TissueLoss
from graytrace.phantoms.cohort import PhantomPatient, render_pair

ScanLike = str | os.PathLike[str] | tuple[ArrayLike, ArrayLike]
_FRACTIONS = ("gm_fraction", "wm_fraction", "csf_fraction", "subcortical_gm_fraction")
_SLICES = ((2, 0.35), (2, 0.5), (2, 0.65), (1, 0.5))  # axis, and where from below or behind
_MARGIN_MM = 8.0
_INSIDE = 0.5
_TOP = 1.25  # white matter is 1; scalp may be brighter


@dataclass(frozen=True)
class Segmentation:
    """A scan's tissues on its own grid.

    Parameters
    ----------
    image : (X, Y, Z) float32 ndarray
        The scan, corrected for intensity non-uniformity.
    voxel_to_ras : (4, 4) ndarray
        Voxel indices to RAS millimeters.
    gm, wm, csf, subcortical_gm : (X, Y, Z) float32 ndarray
        Fractions of each voxel, 0 to 1; `subcortical_gm` is part of `gm`.
    brain_mask, intracranial_mask : (X, Y, Z) bool ndarray
        The brain, and what lies in the skull.
    measures : mapping
        Other numbers of the engines by name.
    """

    image: Image
    voxel_to_ras: Affine
    gm: Fractions
    wm: Fractions
    csf: Fractions
    subcortical_gm: Fractions
    brain_mask: Mask
    intracranial_mask: Mask
    measures: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def gm_volume_ml(self) -> float:
        """Volume of gray matter, ml."""
        return tissue_volume_ml(self.gm, self.voxel_to_ras)

    @property
    def wm_volume_ml(self) -> float:
        """Volume of white matter, ml."""
        return tissue_volume_ml(self.wm, self.voxel_to_ras)

    @property
    def csf_volume_ml(self) -> float:
        """Volume of cerebrospinal fluid within the skull, ml."""
        return tissue_volume_ml(self.csf, self.voxel_to_ras)

    @property
    def icv_ml(self) -> float:
        """Intracranial volume, ml."""
        return tissue_volume_ml(self.intracranial_mask, self.voxel_to_ras)


@dataclass(frozen=True)
class PairChange:
    """The change between two scans of a person; percent of the first, loss is negative.

    Parameters
    ----------
    gm_change_percent : float
    gm_change_se_points : float
        Its standard error in percentage points.
    measures : mapping
        Every number of `desc-change.json` in the workflow, by name, without those of structures.
    baseline, followup : Segmentation
    midway : two (X, Y, Z) float32 ndarrays
        Both scans half-way between them, white matter 1.
    change_map : (X, Y, Z) float32 ndarray
        Local change of volume there, percent.
    midway_to_ras : (4, 4) ndarray
        Voxel indices there to RAS mm of midway space.
    """

    gm_change_percent: float
    gm_change_se_points: float
    measures: Mapping[str, Any] = field(repr=False)
    baseline: Segmentation = field(repr=False)
    followup: Segmentation = field(repr=False)
    midway: tuple[Image, Image] = field(repr=False)
    change_map: ScalarField = field(repr=False)
    midway_to_ras: Affine = field(repr=False)

    def save_figure(self, path: str | os.PathLike[str]) -> None:
        """Draw the local change on four slices: loss blue, gain orange, full color at 10 %.

        Parameters
        ----------
        path : path
            Of the JPEG file.
        """
        from graytrace.report.figures import PANEL_PIXELS, Slice, draw_change  # noqa: PLC0415 - Matplotlib is slow

        to_midway = np.array(self.measures["baseline_to_midway"]) @ self.baseline.voxel_to_ras
        to_voxel = np.linalg.inv(to_midway) @ self.midway_to_ras
        there = resample(self.baseline.intracranial_mask, to_voxel, self.change_map.shape) > _INSIDE
        grids = surround_slices(there, self.midway_to_ras, _SLICES, margin_mm=_MARGIN_MM, pixels=PANEL_PIXELS) or []
        images = ((self.midway[0] + self.midway[1]) / 2, np.where(there, self.change_map, 0))
        cuts = [
            [self._cut(image, grid).squeeze(axis) for image in images]
            for (axis, _), grid in zip(_SLICES, grids, strict=True)
        ]
        planes = [Slice(scan, axis) for (scan, _), (axis, _) in zip(cuts, _SLICES, strict=True)]
        draw_change(Path(path), planes, [change for _, change in cuts], top=_TOP)

    def _cut(self, image: ScalarField, grid: Grid) -> ScalarField:
        return resample_part(image, np.linalg.inv(self.midway_to_ras) @ grid.voxel_to_mm, grid.shape, order=1)


@dataclass(frozen=True)
class PhantomVisits:
    """Two scans of a phantom, as `segment` and `measure_pair` take them, and what is true of them.

    Parameters
    ----------
    baseline, followup : (array, affine)
        Intensities (X, Y, Z), int16, and the (4, 4) matrix from voxel indices to RAS millimeters.
    truth : mapping
        Volumes in ml and changes in percent, measured on what was rendered.
    """

    baseline: tuple[Voxels, Affine] = field(repr=False)
    followup: tuple[Voxels, Affine] = field(repr=False)
    truth: Mapping[str, str | float]

    @property
    def true_gm_change_percent(self) -> float:
        """The true change of gray matter, percent of the first scan's."""
        return float(self.truth["gm_change_percent"])


def segment(scan: ScanLike, *, threads: int = 1) -> Segmentation:
    """Segment gray matter, white matter and CSF of a T1-weighted scan of a head.

    Parameters
    ----------
    scan : path, or (array, affine)
        NIfTI file, or (X, Y, Z) intensities and the (4, 4) matrix from voxel indices to RAS millimeters.
    threads : int
        Cores that may be used.

    Returns
    -------
    Segmentation
        On the scan's own grid.

    Raises
    ------
    ImageError
        The scan cannot be measured.
    ToolError
        The machinery broke.
    """
    with tempfile.TemporaryDirectory(prefix="graytrace-") as folder:
        return _load(_segment(_bring(scan, Path(folder)), Path(folder), threads))


def measure_pair(baseline: ScanLike, followup: ScanLike, *, threads: int = 1) -> PairChange:
    """Measure the change of gray matter between two T1-weighted scans of a person.

    Parameters
    ----------
    baseline, followup : path, or (array, affine)
        As `segment` takes them.
    threads : int
        Cores that may be used.

    Returns
    -------
    PairChange
        Percent of the first scan; loss is negative.

    Raises
    ------
    ImageError
        A scan cannot be measured, or the two do not show the same head.
    ToolError
        The machinery broke.

    Examples
    --------
    >>> from graytrace import measure_pair
    >>> change = measure_pair("sub-01_ses-BL_T1w.nii.gz", "sub-01_ses-M24_T1w.nii.gz")  # doctest: +SKIP
    >>> print(f"{change.gm_change_percent:+.2f} % +- {change.gm_change_se_points:.2f}")  # doctest: +SKIP
    -1.36 % +- 0.15
    """
    with tempfile.TemporaryDirectory(prefix="graytrace-") as name:
        folders = {visit: Path(name) / visit for visit in VISITS}
        visits = {}
        for (visit, folder), scan in zip(folders.items(), (baseline, followup), strict=True):
            folder.mkdir()
            visits[visit] = _segment(_bring(scan, folder), folder, threads)
        inputs = {
            f"{visit}_{trait}": path
            for visit, stages in visits.items()
            for trait, path in {**stages.images, "file": stages.images["image"]}.items()
        }
        alignment = _do("alignment", inputs, Path(name), threads)
        change = _do("change", {**inputs, **alignment.measures}, Path(name), threads)
        midway = [read_volume(change.images[f"{visit}_midway"]) for visit in VISITS]
        return PairChange(
            gm_change_percent=change.measures["gm_change_percent"],
            gm_change_se_points=change.measures["gm_change_se_points"],
            measures={**alignment.measures, **change.measures},
            baseline=_load(visits["baseline"]),
            followup=_load(visits["followup"]),
            midway=(midway[0].data, midway[1].data),
            change_map=read_volume(change.images["change_map"]).data,
            midway_to_ras=midway[0].voxel_to_ras,
        )


def phantom_pair(
    *, gm_change_percent: float = -1.5, voxel_mm: float = 1.0, noise_percent: float = 3.0, seed: int = 1
) -> PhantomVisits:
    """Render two scans of a phantom head that lost gray matter between them.

    Parameters
    ----------
    gm_change_percent : float
        Percent; what is asked for, of cortex; the truth of what was rendered is told beside the scans.
    voxel_mm : float
        Side of the voxels, mm.
    noise_percent : float
        Standard deviation of the noise, percent of white matter.
    seed : int
        The same seed renders the same head.

    Returns
    -------
    PhantomVisits
    """
    settings = ScanSettings(noise_percent=noise_percent)
    loss = TissueLoss(gm_change_percent, gm_change_percent, 0.0)
    pair = render_pair(
        PhantomPatient("sub-P01", loss, baseline=settings, followup=settings), voxel_mm=voxel_mm, seed=seed
    )
    visits = [(np.asarray(scan.t1w), scan.voxel_to_ras) for scan in (pair.baseline, pair.followup)]
    return PhantomVisits(visits[0], visits[1], pair.truth())


def _bring(scan: ScanLike, folder: Path) -> Path:
    """A scan as a file that was looked at, as the step inspect does."""
    if isinstance(scan, tuple):
        data, affine = np.asarray(scan[0]), np.asarray(scan[1], float)
        if data.ndim != 3 or affine.shape != (4, 4):
            message = f"expected an (X, Y, Z) array and a (4, 4) affine, got shapes {data.shape} and {affine.shape}"
            raise ImageError("not_3d", message)
        path = folder / "scan.nii.gz"
        write_volume(path, Volume(data, affine))
    else:
        path = Path(scan).absolute()
    found = read_scan(path)
    if found.is_repaired:
        path = folder / "repaired.nii.gz"
        write_volume(path, found.volume)
    return path


@contextmanager
def _limit_threads(threads: int) -> Iterator[None]:
    """Threads of numerical libraries as in a job of the workflow; ITK's sums depend on their number, so it has one."""
    limits = SimpleITK.ProcessObject
    before, compiled = limits.GetGlobalDefaultNumberOfThreads(), numba.get_num_threads()
    try:
        limits.SetGlobalDefaultNumberOfThreads(1)
        numba.set_num_threads(min(threads, compiled))
        with threadpool_limits(threads):
            yield
    finally:
        limits.SetGlobalDefaultNumberOfThreads(before)
        numba.set_num_threads(compiled)


def _do(task: str, inputs: Mapping[str, Any], folder: Path, threads: int) -> TaskResult:
    """One task by the embedded engine, in a folder of its own."""
    work = folder / task
    work.mkdir()
    with _limit_threads(threads):
        return run_task(TASKS[task], engine_of(task, EMBEDDED), inputs, cwd=work, threads=threads)


def _segment(scan: Path, folder: Path, threads: int) -> TaskResult:
    """The stages of a scan: its images by name, and their numbers together."""
    masks = _do("skull_strip", {"in_file": scan}, folder, threads)
    corrected = _do("bias_correction", {"in_file": scan, "brain_mask": masks.images["brain_mask"]}, folder, threads)
    image = corrected.images["out_file"]
    tissue = _do("segmentation", {"in_file": image, **masks.images}, folder, threads)
    images = {"image": image, **masks.images, **tissue.images}
    return TaskResult(images, {**masks.measures, **corrected.measures, **tissue.measures})


def _load(stages: TaskResult) -> Segmentation:
    volumes = {name: read_volume(path) for name, path in stages.images.items()}
    return Segmentation(
        image=volumes["image"].data,
        voxel_to_ras=volumes["gm_fraction"].voxel_to_ras,  # each file rounds: this one gives the tables their volumes
        **{name.removesuffix("_fraction"): volumes[name].data for name in _FRACTIONS},
        brain_mask=volumes["brain_mask"].data > 0,
        intracranial_mask=volumes["intracranial_mask"].data > 0,
        measures=stages.measures,
    )
