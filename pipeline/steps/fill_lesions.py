"""Fill white-matter lesions so that they are not taken for gray matter."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.algorithms.volumes import tissue_volume_ml
from pipeline.engines.registry import EMBEDDED
from pipeline.images.reading import read_mask
from pipeline.provenance import file_sha256
from pipeline.steps.recording import Outcome, Upstream, add_scan_arguments, job_of, perform, run_stage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_scan_arguments(parser, "skull_strip", "correct_bias")
    parser.add_argument("--lesion-mask", required=True, type=Path, help="lesion mask on the scan's grid")


def run(args: argparse.Namespace) -> None:
    """Fill the lesions of a scan and measure their volume; a mask without lesions changes nothing."""
    job = job_of("fill_lesions", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        image = upstream["correct_bias"].open_output("image", job.output_dir)
        lesions = read_mask(args.lesion_mask)
        measures = {"lesion_volume_ml": tissue_volume_ml(lesions.data, lesions.voxel_to_ras)}
        inputs = {
            "in_file": image,
            "lesion_mask": args.lesion_mask.absolute(),
            "brain_mask": upstream["skull_strip"].open_output("brain_mask", job.output_dir),
        }
        images, _, versions = run_stage("lesion_filling", EMBEDDED, inputs, folder=folder, job=job)
        return Outcome(
            files={"image": images["out_file"]},
            measures=measures,
            inputs={
                "image": upstream["correct_bias"].outputs["image"].sha256,
                "brain_mask": upstream["skull_strip"].outputs["brain_mask"].sha256,
                "lesion_mask": file_sha256(args.lesion_mask),
            },
            tool_versions=versions,
        )

    records = {"skull_strip": args.skull_strip, "correct_bias": args.correct_bias}
    outputs = {"image": job.scan_image("desc-lesionfilled_T1w")}
    perform(job, work, upstream=records, outputs=outputs)
