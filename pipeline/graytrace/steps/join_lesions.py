"""Lesions of a patient's two visits together: one region for both, and what became of each lesion."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import numpy as np

from graytrace.algorithms.lesion_change import Kind, Lesion, compare_lesions, join_lesions
from graytrace.arrays import Affine
from graytrace.catalog import VISITS
from graytrace.images.grids import Volume
from graytrace.images.reading import read_mask, read_volume
from graytrace.images.writing import write_mask
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import Job, job_of
from graytrace.steps.record import Outcome, Upstream, perform

_OUTPUTS = {
    "baseline_lesions": "desc-baseline_label-lesion_mask.nii.gz",
    "followup_lesions": "desc-followup_label-lesion_mask.nii.gz",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "join_lesions")


def run(args: argparse.Namespace) -> None:
    """Bring the lesions of both visits together; without a mask of one visit those of the other count for both."""
    job = job_of("join_lesions", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        known = [visit for visit in VISITS if "lesion_mask" in upstream[f"{visit}_find_lesions"].outputs]
        if not known:
            return Outcome()
        masks = {visit: _read(upstream, visit, job) for visit in VISITS}
        to_midway = {visit: np.array(upstream["align_visits"].measures[f"{visit}_to_midway"]) for visit in VISITS}
        measures: dict[str, Any] = {}
        if len(known) == len(VISITS):
            before, after = (masks[visit] for visit in VISITS)
            lesions = compare_lesions(
                before.data,
                after.data,
                before.voxel_to_ras,
                after.voxel_to_ras,
                to_midway["baseline"],
                to_midway["followup"],
            )
            measures = _describe(lesions)
        return Outcome(
            files=_write(masks, to_midway, folder),
            measures=measures,
            inputs={
                f"{visit}_lesion_mask": upstream[f"{visit}_find_lesions"].outputs["lesion_mask"].sha256
                for visit in known
            },
        )

    outputs = {name: job.change_file(suffix) for name, suffix in _OUTPUTS.items()}
    perform(job, work, upstream=upstream_of("join_lesions", args), outputs=outputs)


def _read(upstream: Upstream, visit: str, job: Job) -> Volume:
    """Lesions of a visit, none where its FLAIR scan was of no use."""
    image = read_volume(upstream[f"{visit}_correct_bias"].open_output("image", job.output_dir))
    found = upstream[f"{visit}_find_lesions"]
    if "lesion_mask" not in found.outputs:
        return Volume(np.zeros(image.data.shape, bool), image.voxel_to_ras)
    mask = read_mask(found.open_output("lesion_mask", job.output_dir), like=image)
    return Volume(mask.data > 0, mask.voxel_to_ras)


def _write(masks: dict[str, Volume], to_midway: dict[str, Affine], folder: Path) -> dict[str, Path]:
    """What is lesion at either visit, on the grid of each."""
    files = {}
    for visit, other in (VISITS, VISITS[::-1]):
        own, brought = masks[visit], masks[other]
        own_to_other = np.linalg.inv(to_midway[other]) @ to_midway[visit]
        joined = join_lesions(own.data, brought.data, own.voxel_to_ras, brought.voxel_to_ras, own_to_other)
        files[f"{visit}_lesions"] = folder / f"{visit}.nii.gz"
        write_mask(files[f"{visit}_lesions"], Volume(joined, own.voxel_to_ras))
    return files


def _describe(lesions: list[Lesion]) -> dict[str, Any]:
    """How many lesions are of each kind, and each of them."""
    counts = Counter(one.kind for one in lesions)
    return {
        **{f"lesions_{kind}": counts[kind] for kind in get_args(Kind)},
        "lesions": [
            {
                "kind": one.kind,
                "baseline_ml": one.baseline_ml,
                "followup_ml": one.followup_ml,
                "center_mm": list(one.center_mm),
            }
            for one in lesions
        ],
    }
