"""Where a scan's white-matter lesions are: its lesion mask or, without one, what is found on FLAIR."""

from __future__ import annotations

import argparse
import base64
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graytrace.algorithms.lesions import Cells, list_lesion_cells, measure_lesion_outside_percent
from graytrace.algorithms.volumes import tissue_volume_ml
from graytrace.engines.registry import EMBEDDED
from graytrace.errors import ImageError, ToolError
from graytrace.findings import Flag
from graytrace.images.grids import Volume
from graytrace.images.reading import check_whole, read_mask, read_volume
from graytrace.images.writing import write_mask
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import Job, job_of
from graytrace.steps.record import Outcome, Upstream, perform, run_stage

MAX_PLACED_ML = 500.0  # more is no lesion mask, and its place of no use
_LEAST_OF_LESION = 0.5  # as `graytrace.images.reading.read_mask` has it
_SUFFIXES = {"lesion_mask": "label-lesion_desc-given_mask", "flair": "label-lesion_desc-found_mask"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "find_lesions")
    lesions = parser.add_mutually_exclusive_group(required=True)
    lesions.add_argument("--lesion-mask", type=Path, help="lesion mask on the scan's grid")
    lesions.add_argument("--flair", type=Path, help="FLAIR scan of the same session, to find the lesions on")


def run(args: argparse.Namespace) -> None:
    """Find the lesions of a scan and measure their volume; a FLAIR scan that is of no use leaves no mask."""
    job = job_of("find_lesions", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        scan = {
            "in_file": upstream["correct_bias"].open_output("image", job.output_dir),
            "brain_mask": upstream["skull_strip"].open_output("brain_mask", job.output_dir),
        }
        mask: Path | None
        flags: list[Flag] = []
        versions: Mapping[str, str] = {}
        if args.lesion_mask is not None:
            mask = _take_mask(scan, args.lesion_mask, folder)
        else:
            mask, flag, versions = _find_lesions(scan, args.flair, folder=folder, job=job)
            flags.append(flag)
        return Outcome(
            files={"lesion_mask": mask} if mask else {},
            measures=_measure(read_mask(mask), read_mask(scan["brain_mask"])) if mask else {},
            flags=flags,
            inputs={
                "image": upstream["correct_bias"].outputs["image"].sha256,
                "brain_mask": upstream["skull_strip"].outputs["brain_mask"].sha256,
            },
            tool_versions=versions,
        )

    kind = "lesion_mask" if args.lesion_mask else "flair"
    sources = {kind: args.lesion_mask or args.flair}
    outputs = {"lesion_mask": job.scan_image(_SUFFIXES[kind])}
    perform(job, work, upstream=upstream_of("find_lesions", args), outputs=outputs, sources=sources)


def _take_mask(scan: Mapping[str, Path], mask: Path, folder: Path) -> Path:
    """A given mask as 0 and 1 on the scan's grid."""
    check_whole(mask)
    lesions = read_mask(mask, like=read_volume(scan["in_file"]))
    _check_values(mask)
    path = folder / "given.nii.gz"
    write_mask(path, lesions)
    return path


def _check_values(mask: Path) -> None:
    """Refuse a mask whose values are not 0 and 1 (or more): nothing of it would count.

    Raises
    ------
    ImageError
        ``mask_values``.
    """
    largest = float(read_volume(mask).data.max())
    if largest != 0 and largest <= _LEAST_OF_LESION:
        message = f"{mask.name} has no value above {_LEAST_OF_LESION:g} (largest {largest:.3g}): expected 0, and 1 in "
        raise ImageError("mask_values", f"{message}lesions. Write it again with a threshold of your own.")


def _measure(lesions: Volume, brain: Volume) -> dict[str, Any]:
    """What a mask says of itself: how much, where, and how much of it cannot be lesion."""
    volume_ml = tissue_volume_ml(lesions.data, lesions.voxel_to_ras)
    measures: dict[str, Any] = {
        "lesion_volume_ml": volume_ml,
        "lesion_outside_percent": measure_lesion_outside_percent(lesions.data, brain.data),
    }
    if volume_ml <= MAX_PLACED_ML:
        cells = list_lesion_cells(lesions.data, lesions.voxel_to_ras).astype("<i2")
        measures["lesion_cells"] = base64.b64encode(zlib.compress(cells.tobytes())).decode("ascii")
    return {name: value for name, value in measures.items() if value is not None}


def read_cells(measures: Mapping[str, Any]) -> Cells | None:
    """Where the lesions of a scan are, from its record; None where it has no mask, or one that is none."""
    if "lesion_cells" not in measures:
        return None
    content = zlib.decompress(base64.b64decode(measures["lesion_cells"]))
    return np.frombuffer(content, dtype="<i2").reshape(-1, 3)


def _find_lesions(
    scan: Mapping[str, Path], flair: Path, *, folder: Path, job: Job
) -> tuple[Path | None, Flag, Mapping[str, str]]:
    """Mask of the lesions on FLAIR, a flag that says so, and versions; a FLAIR that is of no use costs no patient.

    Broken machinery raises: what a whole installation lacks must not pass for a fault of one FLAIR scan.
    """
    inputs = {**scan, "flair_file": flair.absolute()}
    try:
        images, _, versions = run_stage("lesion_detection", EMBEDDED, inputs, folder=folder, job=job)
    except (ImageError, ToolError) as error:
        if isinstance(error, ToolError) and not error.about_data:
            raise
        return None, Flag("flair_unusable", f"Lesions are not filled, {flair.name} is of no use: {error}"), {}
    lesions = read_mask(images["lesion_mask"])
    volume = tissue_volume_ml(lesions.data, lesions.voxel_to_ras)
    message = f"{volume:.1f} ml of lesions were found on {flair.name} and filled; no lesion mask was given."
    return images["lesion_mask"], Flag("lesions_from_flair", message), versions
