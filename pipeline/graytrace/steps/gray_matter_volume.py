"""Turn a scan's tissue fractions into volumes."""

from __future__ import annotations

import argparse
from pathlib import Path

from graytrace.algorithms.volumes import tissue_volume_ml
from graytrace.findings import Flag
from graytrace.images.reading import read_mask, read_volume
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import job_of
from graytrace.steps.record import Outcome, Upstream, perform
from graytrace.steps.segment_tissue import FRACTIONS

# adult heads, healthy to severely atrophied; outside, the mask is more likely wrong than the head unusual
_PLAUSIBLE_ML = {"gm_volume_ml": (300.0, 1100.0), "brain_volume_ml": (600.0, 1900.0), "icv_ml": (900.0, 2200.0)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "gray_matter_volume")


def run(args: argparse.Namespace) -> None:
    """Measure the volumes of a scan."""
    job = job_of("gray_matter_volume", args)

    def work(upstream: Upstream, _folder: Path) -> Outcome:
        tissue, masks = upstream["segment_tissue"], upstream["skull_strip"]
        paths = {name: tissue.open_output(name, job.output_dir) for name in FRACTIONS}
        volumes = {name: read_volume(path) for name, path in paths.items()}
        gm, wm, csf = (tissue_volume_ml(volume.data, volume.voxel_to_ras) for volume in volumes.values())
        intracranial = read_mask(masks.open_output("intracranial_mask", job.output_dir))
        measures = {
            "gm_volume_ml": gm,
            "wm_volume_ml": wm,
            "csf_volume_ml": csf,
            "brain_volume_ml": gm + wm,
        }
        if masks.measures.get("has_intracranial_volume", True):  # some tools find only the brain
            measures["icv_ml"] = tissue_volume_ml(intracranial.data, intracranial.voxel_to_ras)
        return Outcome(
            measures=measures,
            flags=_flags(measures),
            inputs={name: tissue.outputs[name].sha256 for name in FRACTIONS},
        )

    perform(job, work, upstream=upstream_of("gray_matter_volume", args), outputs={})


def _flags(measures: dict[str, float]) -> list[Flag]:
    """A flag for each volume that no adult head has."""
    return [
        Flag(
            "volume_implausible",
            f"{name} is {measures[name]:.0f} ml, outside {low:.0f} to {high:.0f}: look at the masks.",
        )
        for name, (low, high) in _PLAUSIBLE_ML.items()
        if name in measures and not low <= measures[name] <= high
    ]
