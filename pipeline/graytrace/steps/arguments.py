"""Command-line arguments of steps: those of a step on a scan or pair follow from the catalog."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from graytrace.catalog import STEPS, VISITS
from graytrace.engines.registry import EMBEDDED
from graytrace.study.config import Config, load_config

_VISITS = {
    "visit": "label of the visit, without ses-",
    "baseline": "label of the first visit, without ses-",
    "followup": "label of the second visit, without ses-",
}
_FILES = {"t1w": "T1w scan"}


def add_step_arguments(parser: argparse.ArgumentParser, step: str) -> None:
    """Arguments of a step on a scan or pair: which one, the records and files that it reads, its engine, its record."""
    asked = STEPS[step]
    for name in ("visit",) if asked.scope == "scan" else VISITS:
        parser.add_argument(f"--{name}", required=True, help=_VISITS[name])
    if asked.scope == "pair":
        text = "the first visit is not the baseline of the follow-up's own pair: files are named by both visits"
        parser.add_argument("--between", action="store_true", help=text)
    parser.add_argument("--participant", required=True, help="label of the participant, without sub-")
    parser.add_argument("--record", required=True, type=Path, help="the record to write")
    parser.add_argument("--threads", type=int, default=1, help="cores that may be used")
    parser.add_argument("--code", default="", help="digest of code and options, to be kept in the record")
    for name in asked.upstream:
        parser.add_argument(f"--{name.replace('_', '-')}", required=True, type=Path, help=f"record of {name}")
    for name in asked.files:
        parser.add_argument(f"--{name.replace('_', '-')}", required=True, type=Path, help=_FILES[name])
    if asked.chooses:
        parser.add_argument("--engine", default=EMBEDDED, help="tool that does it")
        parser.add_argument(
            "--options",
            type=json.loads,
            default={},
            metavar="JSON",
            help="its options, from its section of config.yaml",
        )


def upstream_of(step: str, args: argparse.Namespace) -> dict[str, Path]:
    """Name of each record that a step reads to its path."""
    return {name: getattr(args, name) for name in STEPS[step].upstream}


def add_config_argument(parser: argparse.ArgumentParser) -> None:
    """The study's configuration, as one argument."""
    parser.add_argument("--config", required=True, help="the study's checked configuration, as JSON")


def add_blind_argument(parser: argparse.ArgumentParser) -> None:
    """Whether the study is blinded."""
    parser.add_argument("--blind", action="store_true", help="hide doses, IDs and the order of visits")


def config_of(args: argparse.Namespace) -> Config:
    """The configuration that a step was given."""
    return load_config(json.loads(args.config))
