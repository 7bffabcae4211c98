"""Compute image quality metrics of a scan and draw mask and tissue borders on it. Changes no result."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from graytrace.algorithms import head_quality, quality
from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.algorithms.raw_quality import RAW_METRICS
from graytrace.algorithms.volumes import LEAST_ML
from graytrace.arrays import Mask
from graytrace.images.reading import read_mask, read_scan, read_volume
from graytrace.report.figures import draw_borders
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import job_of
from graytrace.steps.record import Outcome, Upstream, perform

_MARGIN_VOXELS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "check_scan")


def run(args: argparse.Namespace) -> None:
    """Check a scan."""
    job = job_of("check_scan", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        masks, tissue = upstream["skull_strip"], upstream["segment_tissue"]
        image = read_volume(upstream["image"].open_output("image", job.output_dir))
        brain = read_mask(masks.open_output("brain_mask", job.output_dir)).data
        gm, wm = (read_volume(tissue.open_output(f"{name}_fraction", job.output_dir)).data for name in ("gm", "wm"))
        path = folder / "borders.jpg"
        draw_borders(path, image.data, image.voxel_to_ras, brain_mask=brain, gm_fraction=gm, wm_fraction=wm)
        white = quality.white_matter_intensity(image.data, wm)
        sizes_mm = voxel_sizes_mm(image.voxel_to_ras)
        volumes = upstream["gray_matter_volume"].measures
        raw = read_scan(args.t1w).volume.data
        measures: dict[str, Any] = {
            "white_matter_intensity": white,
            "edge_contact_mm2": head_quality.measure_edge_contact_mm2(brain, sizes_mm),
            "gm_of_icv_percent": _part_percent(volumes["gm_volume_ml"], volumes.get("icv_ml")),
            **{name: measure(raw, brain, sizes_mm) for name, measure in RAW_METRICS.items()},
        }
        if white is not None:
            box = _box(brain)
            tissues = quality.Tissues(image.data[box] / white, gm[box], wm[box], sizes_mm)
            measures |= {name: measure(tissues) for name, measure in quality.TISSUE_METRICS.items()}
            icv = read_mask(masks.open_output("intracranial_mask", job.output_dir)).data
            shown = image.data / white
            measures["head_outside_percent"] = head_quality.measure_head_outside_percent(shown, icv, sizes_mm)
            measures["rim_ratio"] = head_quality.measure_rim_ratio(shown, icv, sizes_mm)
            measures["entropy_focus"] = head_quality.measure_entropy_focus(raw)
            measures["ghosting_percent"] = head_quality.measure_ghosting_percent(raw / white, icv, image.voxel_to_ras)
        return Outcome(
            files={"borders": path},
            measures={name: value for name, value in measures.items() if value is not None},
            inputs={
                "t1w": upstream["inspect"].provenance["inputs"]["t1w"],
                "image": upstream["image"].outputs["image"].sha256,
                "gm_fraction": tissue.outputs["gm_fraction"].sha256,
                "wm_fraction": tissue.outputs["wm_fraction"].sha256,
            },
        )

    perform(job, work, upstream=upstream_of("check_scan", args), outputs={"borders": job.figure("desc-borders_T1w")})


def _part_percent(part_ml: float, whole_ml: float | None) -> float | None:
    """A part in percent of the whole, None where there is hardly a whole."""
    return 100 * part_ml / whole_ml if whole_ml is not None and whole_ml >= LEAST_ML else None


def _box(mask: Mask) -> tuple[slice, ...]:
    """The part of an image around a mask."""
    there = np.argwhere(mask)
    if not there.size:
        return (slice(None),) * 3
    low = np.maximum(there.min(0) - _MARGIN_VOXELS, 0)
    return tuple(slice(*edges) for edges in zip(low, there.max(0) + _MARGIN_VOXELS + 1, strict=True))
