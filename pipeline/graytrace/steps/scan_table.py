"""Write down who has which scan, before anything is measured."""

from __future__ import annotations

import argparse

from graytrace.files import write_json, write_text
from graytrace.steps.arguments import add_config_argument, config_of
from graytrace.study.plan import plan_study
from graytrace.tables import sidecar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_config_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write scans.tsv."""
    plan = plan_study(config_of(args))
    plan.output_dir.mkdir(parents=True, exist_ok=True)
    write_json(plan.output_dir / "scans.json", sidecar("scans"))
    write_text(plan.output_dir / "scans.tsv", plan.table())
