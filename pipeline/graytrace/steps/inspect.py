"""Open a scan and say whether it can be measured."""

from __future__ import annotations

import argparse
from pathlib import Path

from graytrace.files import file_sha256
from graytrace.images.reading import read_scan
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import job_of
from graytrace.steps.record import Outcome, Upstream, perform
from graytrace.versions import package_versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "inspect")


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

    perform(job_of("inspect", args), work, upstream=upstream_of("inspect", args), outputs={})
