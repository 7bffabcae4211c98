"""``graytrace unblind``: lift the blinding of a study, and write down who did, when and why."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graytrace.commands.review import list_patients
from graytrace.errors import ConfigError
from graytrace.results.review import REVIEW_NAME, Review, read_review
from graytrace.study.blinding import KEY_NAME, read_key
from graytrace.workflow.audit_trail import UNBLINDED, append_entry, check_why, read_trail
from graytrace.workflow.inventory import take_results
from graytrace.workflow.oversight import describe_end

_NAMED = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder of a blinded run")
    parser.add_argument("--why", required=True, metavar="TEXT", help="why, for audit.jsonl")
    parser.add_argument("--force", action="store_true", help="although verdicts are missing; that is written down, too")


def run(args: argparse.Namespace) -> None:
    """Write the entry; the next run shows everything.

    Raises
    ------
    ConfigError
        The study is not blinded, or verdicts are missing.
    """
    folder: Path = args.results
    why = check_why(args.why)
    trail = read_trail(folder)
    if (done := trail.last(UNBLINDED)) is not None:
        told = done.content
        raise ConfigError(f"{folder} was unblinded already, {told.get('when')} by {told.get('user')}.")
    if read_key(folder) is None:
        raise ConfigError(f"{folder} has no {KEY_NAME}: nothing was blinded there.")
    patients = list_patients(folder)
    path = folder / REVIEW_NAME
    review = read_review(path, patients) if path.is_file() else Review()
    lacking = review.lacking(patients)  # of nobody where no patient could be read
    if lacking and not args.force:
        some = ", ".join(f"{reader} on {patient}" for reader, patient in lacking[:_NAMED])
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        raise ConfigError(
            f"{len(lacking)} verdicts of two readers are not in {path}: {some}{more}. Fill it (graytrace review "
            f"{folder}), or give --force: that is written down."
        )
    details = {"why": why, "verdicts_missing": len(lacking), "forced": bool(lacking)}
    entry = append_entry(folder, UNBLINDED, {"results": take_results(folder)}, details)
    lines = [
        f"Unblinded by {entry.content['user']} at {entry.content['when']}"
        + (f", although {len(lacking)} verdicts are missing." if lacking else "."),
        "Run the study again, by the same command: the report and the trial's question are then written.",
        describe_end(entry),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
