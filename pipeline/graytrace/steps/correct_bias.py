"""Correct intensity non-uniformity of a scan (N4)."""

from __future__ import annotations

import argparse
from pathlib import Path

from graytrace.engines.registry import EMBEDDED
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import job_of
from graytrace.steps.record import Outcome, Upstream, open_inspected, perform, run_stage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "correct_bias")


def run(args: argparse.Namespace) -> None:
    """Correct the bias field of a scan."""
    job = job_of("correct_bias", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        inputs = {
            "in_file": open_inspected(args.t1w, upstream["inspect"], folder),
            "brain_mask": upstream["skull_strip"].open_output("brain_mask", job.output_dir),
        }
        images, measures, versions = run_stage("bias_correction", EMBEDDED, inputs, folder=folder, job=job)
        return Outcome(
            files={"image": images["out_file"]},
            measures=measures,
            inputs={
                "t1w": upstream["inspect"].provenance["inputs"]["t1w"],
                "brain_mask": upstream["skull_strip"].outputs["brain_mask"].sha256,
            },
            tool_versions=versions,
        )

    perform(
        job, work, upstream=upstream_of("correct_bias", args), outputs={"image": job.scan_image("desc-preproc_T1w")}
    )
