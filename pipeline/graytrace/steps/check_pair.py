"""Compute quality metrics of two visits and draw them in midway space. Changes no result."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from graytrace.algorithms import pair_identity, quality
from graytrace.algorithms.lesions import measure_lesion_overlap_percent
from graytrace.algorithms.midway import Visit
from graytrace.algorithms.resampling import resample_part
from graytrace.algorithms.slices import surround_slices
from graytrace.algorithms.volumes import volume_change_percent
from graytrace.arrays import Affine, Image, Plane
from graytrace.catalog import VISITS
from graytrace.images.grids import Volume
from graytrace.images.reading import read_mask, read_volume
from graytrace.records import Record
from graytrace.report.figures import PANEL_PIXELS, Slice, draw_change, draw_planes
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.find_lesions import read_cells
from graytrace.steps.job import Job, job_of
from graytrace.steps.record import Outcome, Upstream, perform

_LEAST_RATIO = 0.01  # gray matter a hundredth as bright as white matter is no gray matter, and no change of it is known
_MARGIN_MM = 14.0  # skull and scalp: what does not shrink shows whether the visits are aligned
# slices across an axis (0 sagittal, 1 coronal, 2 axial), and where in the intracranial space, from left, behind, below:
# through both hemispheres, cerebellum and brainstem, the ventricles and the convexity
_SLICES = ((0, 0.25), (0, 0.46), (1, 0.3), (1, 0.52), (2, 0.25), (2, 0.45), (2, 0.56), (2, 0.76))
_PICTURES = {
    "baseline_picture": "space-midway_desc-baseline_T1w",
    "followup_picture": "space-midway_desc-followup_T1w",
    "change_picture": "space-midway_desc-change_T1w",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "check_pair")


def run(args: argparse.Namespace) -> None:
    """Check a pair."""
    job = job_of("check_pair", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        measures = _compare_scans(upstream)
        pictures: dict[str, Path] = {}
        checks = [upstream[f"{visit}_check_scan"].measures for visit in VISITS]
        whites = [float(check["white_matter_intensity"]) for check in checks if "white_matter_intensity" in check]
        if len(whites) == len(VISITS):
            images, to_midway, view = _view(upstream, job, whites)
            measures |= {name: measure(view) for name, measure in quality.PAIR_METRICS.items()}
            measures |= _identify(upstream, job, view)
            pictures = _draw(images, to_midway, view, _change_map(upstream["measure_change"], job), folder)
        return Outcome(
            files=pictures,
            measures={name: value for name, value in measures.items() if value is not None},
            inputs={f"{visit}_image": upstream[f"{visit}_image"].outputs["image"].sha256 for visit in VISITS},
        )

    outputs = {name: job.figure(suffix) for name, suffix in _PICTURES.items()}
    perform(job, work, upstream=upstream_of("check_pair", args), outputs=outputs)


def _compare_scans(upstream: Upstream) -> dict[str, Any]:
    """What the numbers of both scans say about the pair."""
    checks = [upstream[f"{visit}_check_scan"].measures for visit in VISITS]
    volumes = [upstream[f"{visit}_gray_matter_volume"].measures for visit in VISITS]
    images = [upstream[f"{visit}_image"].measures for visit in VISITS]
    measures: dict[str, Any] = {}
    if all(check.get("gray_white_ratio", 0.0) > _LEAST_RATIO for check in checks):
        ratio = checks[1]["gray_white_ratio"] / checks[0]["gray_white_ratio"]
        measures["gray_white_ratio_change_percent"] = 100 * (ratio - 1)
    if all("edge_width_mm" in check for check in checks):
        measures["edge_width_difference_mm"] = checks[1]["edge_width_mm"] - checks[0]["edge_width_mm"]
    if all("lesion_volume_ml" in image for image in images):
        measures["lesion_change_ml"] = images[1]["lesion_volume_ml"] - images[0]["lesion_volume_ml"]
    cells = [read_cells(image) for image in images]
    if cells[0] is not None and cells[1] is not None:
        to_midway = [np.array(upstream["align_visits"].measures[f"{visit}_to_midway"]) for visit in VISITS]
        measures["lesion_overlap_percent"] = measure_lesion_overlap_percent(cells[0], cells[1], *to_midway)
    icv = volume_change_percent(*(volume.get("icv_ml") or 0.0 for volume in volumes))
    if icv is not None:
        measures["icv_difference_percent"] = icv
    changes = upstream["measure_change"].measures
    if "siena_backward_percent" in changes:  # the other engines measure both directions at once
        measures["symmetry_points"] = abs(changes["siena_forward_percent"] + changes["siena_backward_percent"]) / 2
    change = changes.get("gm_change_percent")
    difference = volume_change_percent(volumes[0]["gm_volume_ml"], volumes[1]["gm_volume_ml"])
    if change is not None and difference is not None:
        measures["change_percent"] = change
        measures["volume_gap_points"] = difference - change
    return measures


def _identify(upstream: Upstream, job: Job, view: quality.MidwayView) -> dict[str, Any]:
    """Whether both scans show the same head, the same way round."""
    alignment = upstream["align_visits"].measures
    outside = [upstream[f"{visit}_check_scan"].measures.get("head_outside_percent") for visit in VISITS]
    measures: dict[str, Any] = {"detail_similarity": pair_identity.measure_detail_similarity(view)}
    if outside[0] is not None and outside[1] is not None:
        measures["head_outside_difference_percent"] = abs(outside[1] - outside[0])
    if alignment["alignment_similarity"] < pair_identity.DOUBTFUL_SIMILARITY:
        turn = pair_identity.find_turn(*_read_visits(upstream, job))
        measures["turned_similarity"] = turn.similarity
        measures["turn"] = {"is_mirror": turn.is_mirror, "words": turn.describe()}
    return measures


def _read_visits(upstream: Upstream, job: Job) -> tuple[Visit, Visit]:
    visits = []
    for visit in VISITS:
        image = read_volume(upstream[f"{visit}_image"].open_output("image", job.output_dir))
        mask = read_mask(upstream[f"{visit}_skull_strip"].open_output("intracranial_mask", job.output_dir))
        visits.append(Visit(image.data, image.voxel_to_ras, mask.data))
    return visits[0], visits[1]


def _view(upstream: Upstream, job: Job, whites: list[float]) -> tuple[list[Image], list[Affine], quality.MidwayView]:
    """Both scans with white matter = 1, their ways to midway space, and both there."""
    images: list[Image] = []
    masks, to_midway = [], []
    for visit, white in zip(VISITS, whites, strict=True):
        volume = read_volume(upstream[f"{visit}_image"].open_output("image", job.output_dir))
        path = upstream[f"{visit}_skull_strip"].open_output("intracranial_mask", job.output_dir)
        images.append(volume.data / white)
        masks.append(read_mask(path).data)
        to_midway.append(np.array(upstream["align_visits"].measures[f"{visit}_to_midway"]) @ volume.voxel_to_ras)
    view = quality.view_midway((images[0], images[1]), (masks[0], masks[1]), (to_midway[0], to_midway[1]))
    return images, to_midway, view


def _change_map(change: Record, job: Job) -> Volume | None:
    """The map of local change, where the engine makes one."""
    return read_volume(change.open_output("change_map", job.output_dir)) if "change_map" in change.outputs else None


def _draw(
    images: list[Image],
    to_midway: list[Affine],
    view: quality.MidwayView,
    change: Volume | None,
    folder: Path,
) -> dict[str, Path]:
    """Pictures of the same slices of both visits, and of what changed between them."""
    grids = surround_slices(view.intracranial, view.grid_to_ras, _SLICES, margin_mm=_MARGIN_MM, pixels=PANEL_PIXELS)
    if grids is None:
        return {}

    def cut(volume: Image, voxel_to_midway: Affine, order: int) -> list[Plane]:
        inverse = np.linalg.inv(voxel_to_midway)
        return [
            resample_part(volume, inverse @ grid.voxel_to_mm, grid.shape, order=order).squeeze(axis)
            for (axis, _), grid in zip(_SLICES, grids, strict=True)
        ]

    def as_slices(planes: list[Plane]) -> list[Slice]:
        return [Slice(plane, axis) for plane, (axis, _) in zip(planes, _SLICES, strict=True)]

    pictures = {name: folder / f"{name}.jpg" for name in ("baseline_picture", "followup_picture")}
    slices = [cut(image, matrix, 3) for image, matrix in zip(images, to_midway, strict=True)]
    top = 1.25  # white matter is 1; scalp may be brighter
    for path, planes in zip(pictures.values(), slices, strict=True):
        draw_planes(path, as_slices(planes), top=top)
    if change is not None:
        pictures["change_picture"] = folder / "change_picture.jpg"
        means = [(first + second) / 2 for first, second in zip(*slices, strict=True)]
        inside = cut(view.intracranial.astype(np.float32), view.grid_to_ras, 1)
        maps = [
            plane * (mask > 0.5) for plane, mask in zip(cut(change.data, change.voxel_to_ras, 1), inside, strict=True)
        ]
        draw_change(pictures["change_picture"], as_slices(means), maps, top=top)
    return pictures
