"""Command-line arguments that steps share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from graytrace.engines.registry import EMBEDDED
from graytrace.study.config import Config, load_config


def add_scan_arguments(parser: argparse.ArgumentParser, *upstream: str) -> None:
    """Arguments of a step on one scan; each of `upstream` is an earlier step whose record it reads."""
    parser.add_argument("--visit", required=True, help="label of the visit, without ses-")
    _add_arguments(parser, upstream)


def add_pair_arguments(parser: argparse.ArgumentParser, *upstream: str) -> None:
    """Arguments of a step on a pair."""
    parser.add_argument("--baseline", required=True, help="label of the first visit, without ses-")
    parser.add_argument("--followup", required=True, help="label of the second visit, without ses-")
    _add_arguments(parser, upstream)


def _add_arguments(parser: argparse.ArgumentParser, upstream: Sequence[str]) -> None:
    parser.add_argument("--participant", required=True, help="label of the participant, without sub-")
    parser.add_argument("--record", required=True, type=Path, help="the record to write")
    parser.add_argument("--threads", type=int, default=1, help="cores that may be used")
    parser.add_argument("--code", default="", help="digest of code and options, to be kept in the record")
    for name in upstream:
        parser.add_argument(f"--{name.replace('_', '-')}", required=True, type=Path, help=f"record of {name}")


def add_engine_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Arguments of a step whose engine the study chooses."""
    parser.add_argument("--engine", default=EMBEDDED, help=f"tool that {what}")
    parser.add_argument(
        "--options", type=json.loads, default={}, metavar="JSON", help="its options, from its section of config.yaml"
    )


def add_config_argument(parser: argparse.ArgumentParser) -> None:
    """The study's configuration, as one argument."""
    parser.add_argument("--config", required=True, help="the study's checked configuration, as JSON")


def config_of(args: argparse.Namespace) -> Config:
    """The configuration that a step was given."""
    return load_config(json.loads(args.config))
