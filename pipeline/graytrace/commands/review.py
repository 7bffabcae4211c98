"""``graytrace review``: the review file of two readers: made, checked, compared."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graytrace.counting import counted
from graytrace.errors import ConfigError
from graytrace.report.blinded import code_patients
from graytrace.results.review import (
    LEAST_READERS,
    REVIEW_NAME,
    VERDICTS,
    Comparison,
    Review,
    add_rows,
    compare_readers,
    describe_agreement,
    list_readable,
    merge_reviews,
    read_review,
    write_review,
)
from graytrace.study.blinding import read_key
from graytrace.tables import read_rows
from graytrace.workflow.audit_trail import REVIEWED, TRAIL_NAME, append_entry, read_trail
from graytrace.workflow.inventory import take_results

_SHOWN = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder of a finished run, with quality.tsv")
    parser.add_argument(
        "--readers", nargs="+", default=[], metavar="NAME", help=f"add empty rows for them to RESULTS/{REVIEW_NAME}"
    )
    parser.add_argument(
        "--take",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="take in what readers have filled apart from each other, in files of the same columns",
    )


def run(args: argparse.Namespace) -> None:
    """Write the file where it is asked for, then say who has judged what, and how far readers agree.

    Raises
    ------
    ConfigError
        There is nothing to read, or no review file.
    ScanTableError
        A review file has faults.
    """
    folder: Path = args.results
    patients = list_patients(folder)
    if not patients:
        raise ConfigError(f"{folder}: nobody has two measured scans, so there is nothing to read.")
    path = folder / REVIEW_NAME
    if not path.is_file() and not args.readers and not args.take:
        raise ConfigError(
            f"{path} is not there. Make it for two readers, by initials or numbers: graytrace review {folder} "
            "--readers R1 R2"
        )
    review = read_review(path, patients) if path.is_file() else Review()
    if args.readers or args.take:
        review = merge_reviews(review, {str(file): read_review(file, patients) for file in args.take})
        review = add_rows(review, args.readers, patients)
        write_review(folder, review)
        review = read_review(path, patients)
    _remember(folder)
    sys.stdout.write("\n".join(_describe(review, patients, path)) + "\n")


def list_patients(folder: Path) -> list[str]:
    """Whom readers are to judge: codes where the study is or was blinded, else participants.

    Raises
    ------
    ConfigError
        There is no finished run.
    """
    table = folder / "quality.tsv"
    if not table.is_file():
        raise ConfigError(f"{folder} has no quality.tsv: expected the folder of a finished run.")
    quality = [row.cells for row in read_rows(table, required=["participant_id", "visit", "kind", "status"])]
    key = read_key(folder)
    return sorted(code_patients(quality, folder, key).values()) if key else sorted(list_readable(quality))


def _remember(folder: Path) -> None:
    """Write down that the review file has changed, where it has."""
    results = take_results(folder)
    if read_trail(folder).inventory.get("results", {}).get(REVIEW_NAME) != results.get(REVIEW_NAME):
        entry = append_entry(folder, REVIEWED, {"results": results})
        sys.stdout.write(f"{TRAIL_NAME}: entry {entry.number}\n")


def _describe(review: Review, patients: list[str], path: Path) -> list[str]:
    lines = [f"{counted(len(patients), 'patient')} to read: {path}"]
    for reader in review.readers:
        said = review.of(reader)
        counts = ", ".join(
            f"{count} {verdict}"
            for verdict in VERDICTS
            if (count := sum(row.verdict == verdict for row in said.values()))
        )
        lines.append(f"{reader}: {len(said)} of {len(patients)} judged{f' ({counts})' if counts else ''}")
    if len(review.readers) < LEAST_READERS:
        lines.append(f"Two readers are needed, there is {len(review.readers)}: add one with --readers.")
    lacking = review.lacking(patients)
    if not lacking:
        lines.append("Every verdict is there.")
    for found in compare_readers(review):
        lines += [describe_agreement(found), *_describe_apart(found)]
    return lines


def _describe_apart(found: Comparison) -> list[str]:
    lines = []
    for one, other in found.disagreements[:_SHOWN]:
        sides = [f"{row.reader} {row.verdict}{f' ({row.reason})' if row.reason else ''}" for row in (one, other)]
        lines.append(f"  {one.patient}: {', '.join(sides)}")
    more = len(found.disagreements) - _SHOWN
    return [*lines, f"  and {more} more"] if more > 0 else lines
