"""Write down who has which scan, before anything is measured."""

from __future__ import annotations

import argparse
import json

from graytrace.provenance import write_json, write_text
from graytrace.study.config import Config, load_config
from graytrace.study.plan import plan_study
from graytrace.study.tables import sidecar


def add_config_argument(parser: argparse.ArgumentParser) -> None:
    """The study's configuration, as one argument."""
    parser.add_argument("--config", required=True, help="the study's checked configuration, as JSON")


def config_of(args: argparse.Namespace) -> Config:
    """The configuration that a step was given."""
    return load_config(json.loads(args.config))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_config_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write scans.tsv."""
    plan = plan_study(config_of(args))
    plan.output_dir.mkdir(parents=True, exist_ok=True)
    write_json(plan.output_dir / "scans.json", sidecar("scans"))
    write_text(plan.output_dir / "scans.tsv", plan.table())
