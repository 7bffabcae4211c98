"""``graytrace run``: a whole study from any folder, called in the manner of BIDS Apps."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from graytrace.engines.registry import check_engines
from graytrace.workflow.choices import load_choices
from graytrace.workflow.project import PROFILES, SNAKEFILE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("bids_dir", type=Path, metavar="BIDS_DIR", help="the BIDS data set; it is only read")
    parser.add_argument("output_dir", type=Path, metavar="OUTPUT_DIR", help="folder of the results, made where needed")
    parser.add_argument(
        "level",
        choices=["participant"],
        metavar="participant",
        help="level of the analysis: the only one there is",
    )
    parser.add_argument("--cores", type=_positive, default=os.cpu_count() or 1, help="cores to use (default: all)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the study's choices, as config.yaml has them")
    parser.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="NAME",
        help=f"how to run: {', '.join(sorted(path.name for path in PROFILES.iterdir()))}, or a folder of your own",
    )
    parser.add_argument(
        "--blind", action="store_true", help="hide doses, IDs and the order of visits until graytrace unblind"
    )
    parser.epilog = "What stands after -- goes to Snakemake, for example: -- --dry-run"


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return number


def run(args: argparse.Namespace) -> None:
    """Check the choices, then become Snakemake, so that signals and the exit code are its own."""
    study: dict[str, object] = {
        "bids_dir": str(args.bids_dir.absolute()),
        "output_dir": str(args.output_dir.absolute()),
        **({"blind": True} if args.blind else {}),
    }
    config = load_choices(args.config, study)
    check_engines(config.engines, config.suites)
    config.require_data()
    config.output_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "snakemake", *_snakemake_arguments(args, study), *args.after_dashes]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 - our own command, no shell


def _snakemake_arguments(args: argparse.Namespace, study: Mapping[str, object]) -> Sequence[str]:
    """Snakemake works in the folder of results: what it keeps there is found again from any folder."""
    arguments = ["--snakefile", str(SNAKEFILE), "--directory", str(study["output_dir"]), "--cores", str(args.cores)]
    for name in args.profile:
        shipped = PROFILES / name
        arguments += ["--profile", str(shipped if shipped.is_dir() else Path(name).absolute())]
    if args.config:
        arguments += ["--configfile", str(args.config.absolute())]
    return [*arguments, "--config", f"study={json.dumps(study, ensure_ascii=False)}"]
