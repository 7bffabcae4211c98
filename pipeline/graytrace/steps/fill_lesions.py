"""Fill white-matter lesions, of this visit and those that it is compared with: they must not pass for gray matter."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from graytrace.algorithms.volumes import tissue_volume_ml
from graytrace.catalog import VISITS
from graytrace.engines.registry import EMBEDDED
from graytrace.errors import PipelineError
from graytrace.images.grids import Volume
from graytrace.images.reading import read_mask, read_volume
from graytrace.images.writing import write_mask
from graytrace.records import Output, Record, read_record
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import Job, job_of
from graytrace.steps.record import Outcome, Upstream, perform, run_stage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "fill_lesions")
    parser.add_argument(
        "--joined", type=Path, nargs="*", default=[], help="records of join_lesions of the pairs that the scan is of"
    )


def run(args: argparse.Namespace) -> None:
    """Fill the lesions of a scan; where there are none nothing is changed."""
    job = job_of("fill_lesions", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        scan = {
            "in_file": upstream["correct_bias"].open_output("image", job.output_dir),
            "brain_mask": upstream["skull_strip"].open_output("brain_mask", job.output_dir),
        }
        masks = list(_list_masks(upstream["find_lesions"], args.joined, job))
        files = {"image": folder / "unfilled.nii.gz"}
        measures = dict(upstream["find_lesions"].measures)
        versions: dict[str, str] = {}
        if masks:
            lesions = _join([record.open_output(name, job.output_dir) for record, name in masks], scan["in_file"])
            measures["lesion_filled_ml"] = tissue_volume_ml(lesions.data, lesions.voxel_to_ras)
            joined = folder / "lesions.nii.gz"
            write_mask(joined, lesions)
            images, _, found = run_stage(
                "lesion_filling", EMBEDDED, {**scan, "lesion_mask": joined}, folder=folder, job=job
            )
            files = {"image": images["out_file"], "filled_mask": joined}
            versions = dict(found)
        else:
            shutil.copyfile(scan["in_file"], files["image"])
        return Outcome(files=files, measures=measures, inputs=_digests(upstream, masks), tool_versions=versions)

    outputs = {
        "image": job.scan_image("desc-lesionfilled_T1w"),
        "filled_mask": job.scan_image("label-lesion_desc-filled_mask"),
    }
    perform(job, work, upstream=upstream_of("fill_lesions", args), outputs=outputs)


def _list_masks(found: Record, joined: Sequence[Path], job: Job) -> Iterator[tuple[Record, str]]:
    """Masks on this scan's grid: its own, and that of each pair; a pair that came to nothing is left out.

    Another visit that cannot be measured costs this one nothing: its lesions alone are filled then.
    """
    if "lesion_mask" in found.outputs:
        yield found, "lesion_mask"
    for path in joined:
        try:
            record = read_record(path)
        except FileNotFoundError as error:
            raise PipelineError(f"There is no {path}: run again.") from error
        name = next((f"{visit}_lesions" for visit in VISITS if record.visits[visit] == job.visits["visit"]), "")
        if record.status == "ok" and name in record.outputs:
            yield record, name


def _join(masks: Sequence[Path], image: Path) -> Volume:
    """What is lesion in any of the masks."""
    volumes = [read_mask(mask, like=read_volume(image)) for mask in masks]
    lesions = volumes[0].data > 0
    for volume in volumes[1:]:
        lesions |= volume.data > 0
    return Volume(lesions, volumes[0].voxel_to_ras)


def _digests(upstream: Upstream, masks: Sequence[tuple[Record, str]]) -> dict[str, Any]:
    used: list[tuple[str, Output]] = [
        ("image", upstream["correct_bias"].outputs["image"]),
        ("brain_mask", upstream["skull_strip"].outputs["brain_mask"]),
    ]
    for record, name in masks:
        label = (
            f"{record.visits['baseline']}_{record.visits['followup']}_{name}" if "baseline" in record.visits else name
        )
        used.append((label, record.outputs[name]))
    return {name: output.sha256 for name, output in used}
