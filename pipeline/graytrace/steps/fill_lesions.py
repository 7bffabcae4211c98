"""Fill white-matter lesions so that they are not taken for gray matter; without a mask, find them on FLAIR first."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path

from graytrace.algorithms.volumes import tissue_volume_ml
from graytrace.engines.registry import EMBEDDED
from graytrace.errors import ImageError, ToolError
from graytrace.findings import Flag
from graytrace.images.reading import check_whole, read_mask
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import Job, job_of
from graytrace.steps.record import Outcome, Upstream, perform, run_stage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "fill_lesions")
    lesions = parser.add_mutually_exclusive_group(required=True)
    lesions.add_argument("--lesion-mask", type=Path, help="lesion mask on the scan's grid")
    lesions.add_argument("--flair", type=Path, help="FLAIR scan of the same session, to find the lesions on")


def run(args: argparse.Namespace) -> None:
    """Fill the lesions of a scan and measure their volume; a mask without lesions changes nothing."""
    job = job_of("fill_lesions", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        scan = {
            "in_file": upstream["correct_bias"].open_output("image", job.output_dir),
            "brain_mask": upstream["skull_strip"].open_output("brain_mask", job.output_dir),
        }
        mask, flags, files = args.lesion_mask, [], {}
        if mask is not None:
            check_whole(mask)
        versions: Mapping[str, str] = {}
        if mask is None:
            mask, flag, versions = _find_lesions(scan, args.flair, folder=folder, job=job)
            flags.append(flag)
            files = {"lesion_mask": mask} if mask else {}
        measures = {}
        files["image"] = folder / "unfilled.nii.gz"
        if mask is None:
            shutil.copyfile(scan["in_file"], files["image"])
        else:
            lesions = read_mask(mask)
            measures = {"lesion_volume_ml": tissue_volume_ml(lesions.data, lesions.voxel_to_ras)}
            inputs = {**scan, "lesion_mask": mask.absolute()}
            images, _, filling = run_stage("lesion_filling", EMBEDDED, inputs, folder=folder, job=job)
            files["image"] = images["out_file"]
            versions = {**versions, **filling}
        return Outcome(
            files=files,
            measures=measures,
            flags=flags,
            inputs={
                "image": upstream["correct_bias"].outputs["image"].sha256,
                "brain_mask": upstream["skull_strip"].outputs["brain_mask"].sha256,
            },
            tool_versions=versions,
        )

    outputs = {
        "image": job.scan_image("desc-lesionfilled_T1w"),
        "lesion_mask": job.scan_image("label-lesion_desc-found_mask"),
    }
    sources = {"lesion_mask": args.lesion_mask} if args.lesion_mask else {"flair": args.flair}
    perform(job, work, upstream=upstream_of("fill_lesions", args), outputs=outputs, sources=sources)


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
