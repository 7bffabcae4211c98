"""Separate gray matter, white matter and CSF."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graytrace.findings import Flag
from graytrace.images.grids import Volume
from graytrace.images.reading import read_volume
from graytrace.images.writing import write_mask
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import job_of
from graytrace.steps.record import Outcome, Upstream, perform, run_stage

_SUSPECTED_ML = 0.2  # by hand: a third of lesions is found, so 0.6 ml of them
# in the order of BIDS' standard labels: 1 gray matter, 2 white matter, 3 CSF
FRACTIONS = ("gm_fraction", "wm_fraction", "csf_fraction")
_SUFFIXES = {
    "gm_fraction": "label-GM_probseg",
    "wm_fraction": "label-WM_probseg",
    "csf_fraction": "label-CSF_probseg",
    "subcortical_gm_fraction": "label-SCGM_probseg",
    "labels": "dseg",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "segment_tissue")


def run(args: argparse.Namespace) -> None:
    """Segment a scan."""
    job = job_of("segment_tissue", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        masks = upstream["skull_strip"]
        inputs = {
            "in_file": upstream["image"].open_output("image", job.output_dir),
            "brain_mask": masks.open_output("brain_mask", job.output_dir),
            "intracranial_mask": masks.open_output("intracranial_mask", job.output_dir),
            **args.options,
        }
        images, measures, versions = run_stage("segmentation", args.engine, inputs, folder=folder, job=job)
        return Outcome(
            files={**images, "labels": _write_labels(images, folder)},
            measures=measures,
            flags=_flags(measures),
            inputs={
                "image": upstream["image"].outputs["image"].sha256,
                **{name: masks.outputs[name].sha256 for name in ("brain_mask", "intracranial_mask")},
            },
            engine=args.engine,
            tool_versions=versions,
        )

    outputs = {name: job.scan_image(suffix) for name, suffix in _SUFFIXES.items()}
    perform(job, work, upstream=upstream_of("segment_tissue", args), outputs=outputs)


def _flags(measures: Mapping[str, Any]) -> list[Flag]:
    """A flag where gray islands in white matter look like lesions that nothing told of."""
    islands_ml = measures.get("gray_islands_ml", 0.0)
    if islands_ml < _SUSPECTED_ML:
        return []
    message = (
        f"{islands_ml:.1f} ml of gray islands deep in white matter count as white: lesions that no mask and no FLAIR "
        "scan told of? Look at the pictures; with a lesion mask they are filled and measured."
    )
    return [Flag("lesions_suspected", message)]


def _write_labels(images: Mapping[str, Path], folder: Path) -> Path:
    """The largest fraction of each voxel as a label, 0 where no tissue has a half."""
    volumes = [read_volume(images[name]) for name in FRACTIONS]
    fractions = np.stack([volume.data for volume in volumes])
    labels = np.where(fractions.sum(0) > 0.5, fractions.argmax(0) + 1, 0)
    path = folder / "labels.nii.gz"
    write_mask(path, Volume(labels, volumes[0].voxel_to_ras))
    return path
