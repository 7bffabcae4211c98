"""Open a scan and say whether it can be measured."""

from __future__ import annotations

import argparse
from pathlib import Path

from graytrace.images.reading import read_scan
from graytrace.provenance import file_sha256, package_versions
from graytrace.steps.recording import Outcome, Upstream, add_scan_arguments, job_of, perform


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_scan_arguments(parser)
    parser.add_argument("--t1w", required=True, type=Path, help="T1w scan")


def run(args: argparse.Namespace) -> None:
    """Inspect a scan."""

    def work(_upstream: Upstream, _folder: Path) -> Outcome:
        scan = read_scan(args.t1w)
        return Outcome(
            measures={**scan.measures(), "is_repaired": scan.is_repaired},
            flags=scan.flags,
            inputs={"t1w": file_sha256(args.t1w)},
            tool_versions=package_versions("numpy", "nibabel"),
        )

    perform(job_of("inspect", args), work, upstream={}, outputs={})
