"""Open a scan and say whether it can be measured."""

from __future__ import annotations

import argparse
import base64
from pathlib import Path

import numpy as np

from graytrace.algorithms.same_scan import sample_voxels
from graytrace.images.reading import Scan, read_scan
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import job_of
from graytrace.steps.record import Outcome, Upstream, perform


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "inspect")


def run(args: argparse.Namespace) -> None:
    """Inspect a scan."""

    def work(_upstream: Upstream, _folder: Path) -> Outcome:
        scan = read_scan(args.t1w)
        return Outcome(
            measures={**scan.measures(), "is_repaired": scan.is_repaired, "voxel_samples": _samples(scan)},
            flags=scan.flags,
        )

    sources = {"t1w": args.t1w}
    perform(job_of("inspect", args), work, upstream=upstream_of("inspect", args), outputs={}, sources=sources)


def _samples(scan: Scan) -> str:
    """Voxels at fixed places, as one text: enough to know the same scan again in any study."""
    samples = sample_voxels(scan.volume.data, scan.volume.voxel_to_ras)
    return base64.b64encode(np.clip(samples, 0, 65535).astype("<u2").tobytes()).decode()
