"""Extract the brain and the intracranial space."""

from __future__ import annotations

import argparse
from pathlib import Path

from graytrace.arrays import Mask
from graytrace.findings import Flag
from graytrace.images.reading import read_mask
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import job_of
from graytrace.steps.record import Outcome, Upstream, open_inspected, perform, run_stage

_SUFFIXES = {"brain_mask": "desc-brain_mask", "intracranial_mask": "desc-intracranial_mask"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "skull_strip")


def run(args: argparse.Namespace) -> None:
    """Extract the brain of a scan."""
    job = job_of("skull_strip", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        scan = open_inspected(args.t1w, upstream["inspect"], folder)
        inputs = {"in_file": scan, **args.options}
        images, measures, versions = run_stage("skull_strip", args.engine, inputs, folder=folder, job=job)
        return Outcome(
            files=images,
            measures=measures,
            flags=_flags(read_mask(images["brain_mask"]).data),
            inputs={"t1w": upstream["inspect"].provenance["inputs"]["t1w"]},
            engine=args.engine,
            tool_versions=versions,
        )

    outputs = {name: job.scan_image(suffix) for name, suffix in _SUFFIXES.items()}
    perform(job, work, upstream=upstream_of("skull_strip", args), outputs=outputs)


def _flags(mask: Mask) -> list[Flag]:
    """A flag where the brain reaches the border of the field of view: part of it may be outside."""
    faces = [face for axis in range(3) for face in (mask.take(0, axis), mask.take(-1, axis))]
    if not any(face.any() for face in faces):
        return []
    return [Flag("brain_at_edge", "The brain reaches the edge of the field of view: part of it may be missing.")]
