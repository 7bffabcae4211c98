"""Register a patient's two visits to midway space."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graytrace.catalog import VISITS
from graytrace.engines.registry import EMBEDDED
from graytrace.findings import Flag
from graytrace.records import Record
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import Job, job_of
from graytrace.steps.record import Outcome, Upstream, perform, run_stage

_MASK = "intracranial_mask"
# beyond what a well kept scanner drifts between services
_SCALE_LIMIT_PERCENT = 0.5
_VOXEL_SIZE_TOLERANCE = 0.02
_NO_SKULL = (
    "No skull is seen around the brain at both visits, so a drift of the scanner's scale cannot be told from real "
    "change and is not corrected: 0.1 % of length is 0.3 points of volume change."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "align_visits")


def run(args: argparse.Namespace) -> None:
    """Align the visits of a patient."""
    job = job_of("align_visits", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        inputs = visit_inputs(upstream, job, image="correct_bias")
        _, measures, versions = run_stage("alignment", EMBEDDED, inputs, folder=folder, job=job)
        return Outcome(
            measures=measures,
            flags=_flags(measures, *(upstream[f"{visit}_inspect"] for visit in VISITS)),
            inputs=visit_digests(upstream, image="correct_bias"),
            tool_versions=versions,
        )

    perform(job, work, upstream=upstream_of("align_visits", args), outputs={})


def visit_inputs(upstream: Upstream, job: Job, *, image: str = "image") -> dict[str, Path]:
    """Both visits' scans (as a step left them) and intracranial masks, checked, by the names of the engine's inputs."""
    inputs = {}
    for visit in VISITS:
        inputs[f"{visit}_file"] = upstream[f"{visit}_{image}"].open_output("image", job.output_dir)
        inputs[f"{visit}_{_MASK}"] = upstream[f"{visit}_skull_strip"].open_output(_MASK, job.output_dir)
    return inputs


def visit_digests(upstream: Upstream, *, image: str = "image") -> dict[str, str]:
    """Digests of both visits' scans and intracranial masks."""
    digests = {}
    for visit in VISITS:
        digests[f"{visit}_file"] = upstream[f"{visit}_{image}"].outputs["image"].sha256
        digests[f"{visit}_{_MASK}"] = upstream[f"{visit}_skull_strip"].outputs[_MASK].sha256
    return digests


def _flags(measures: Mapping[str, Any], baseline: Record, followup: Record) -> list[Flag]:
    """Flags for a scanner that drifted, for heads without a skull and for visits with other voxels."""
    flags = []
    scale_percent = float(measures["scale_percent"])
    if not measures.get("has_skull", True):
        flags.append(Flag("no_skull", _NO_SKULL))
    if abs(scale_percent) > _SCALE_LIMIT_PERCENT:
        message = (
            f"The heads differ in length by {scale_percent:+.2f} %: the scanner's scale changed, or not the same head."
        )
        flags.append(Flag("scale_differs", message))
    sizes = [sorted(record.measures["voxel_sizes_mm"]) for record in (baseline, followup)]
    if not np.allclose(sizes[0], sizes[1], rtol=_VOXEL_SIZE_TOLERANCE):
        named = " and ".join(" x ".join(f"{size:.3g}" for size in one) + " mm" for one in sizes)
        flags.append(Flag("voxel_sizes_differ", f"The visits have voxels of {named}."))
    return flags
