"""`graytrace truth`: what was measured on phantoms beside what is true."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graytrace.errors import PipelineError

NOT_AVAILABLE = "n/a"
_COLUMNS = (
    "patient", "status", "GM change, measured %", "true %", "error", "brain change, measured %", "true %", "error",
    "GM volume, measured ml", "true ml",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """A quantity of a patient: what was measured, if it was, and what is true."""

    measured: float | None
    true: float

    @property
    def error(self) -> float | None:
        """Measured minus true."""
        return None if self.measured is None else self.measured - self.true


@dataclass(frozen=True)
class PatientComparison:
    """A phantom patient's row: changes in percent of baseline, volume in ml."""

    participant_id: str
    status: str
    gm_change_percent: Comparison
    brain_change_percent: Comparison
    gm_baseline_ml: Comparison


def compare_with_truth(results_dir: Path, truth_dir: Path) -> list[PatientComparison]:
    """Set the rows of atrophy.tsv beside those of truth.tsv.

    Parameters
    ----------
    results_dir : Path
        What the workflow wrote.
    truth_dir : Path
        What `cohort.write_cohort` wrote beside the phantoms.

    Returns
    -------
    list of PatientComparison
        One for each row of the truth; a patient without a row among the results has the status "missing".

    Raises
    ------
    PipelineError
        One of the tables is not there.
    """
    measured, truth = _read_rows(results_dir / "atrophy.tsv"), read_truth(truth_dir)
    comparisons = []
    for name, true in truth.items():
        got = measured.get(name, {})
        comparisons.append(
            PatientComparison(
                name,
                got.get("status", "missing"),
                Comparison(_number(got, "gm_change_percent"), float(true["gm_change_percent"])),
                Comparison(_number(got, "brain_change_percent"), float(true["brain_change_percent"])),
                Comparison(_number(got, "gm_volume_baseline_ml"), float(true["gm_baseline_ml"])),
            )
        )
    return comparisons


def read_truth(truth_dir: Path) -> dict[str, dict[str, str]]:
    """Each patient's row of truth.tsv, in its order.

    Raises
    ------
    PipelineError
        The table is not there.
    """
    return _read_rows(truth_dir / "truth.tsv")


def format_comparison(comparisons: list[PatientComparison]) -> str:
    """A table for the terminal."""
    rows = [
        (
            each.participant_id,
            each.status,
            *_cells(each.gm_change_percent, "+.2f"),
            *_cells(each.brain_change_percent, "+.2f"),
            *_cells(each.gm_baseline_ml, ".0f")[:2],
        )
        for each in comparisons
    ]
    widths = [max(len(row[column]) for row in (_COLUMNS, *rows)) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (_COLUMNS, *rows)
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `graytrace truth`."""
    parser.add_argument("results", type=Path, help="what the workflow wrote")
    parser.add_argument("truth", type=Path, help="the folder beside the phantoms: OUT-truth")


def run(arguments: argparse.Namespace) -> int:
    """Print the table and where the results are."""
    table = format_comparison(compare_with_truth(arguments.results, arguments.truth))
    sys.stdout.write(
        f"\n{table}\n\nResults: {arguments.results / 'atrophy.tsv'}\nTruth:   {arguments.truth / 'truth.tsv'}\n"
    )
    return 0


def _read_rows(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        raise PipelineError(f"{path} is not there. Name the folder that holds {path.name}.")
    with path.open(encoding="utf-8", newline="") as file:
        return {row["participant_id"]: row for row in csv.DictReader(file, delimiter="\t")}


def _number(row: Mapping[str, str], column: str) -> float | None:
    cell = row.get(column, NOT_AVAILABLE)
    return None if cell == NOT_AVAILABLE else float(cell)


def _cells(comparison: Comparison, form: str) -> tuple[str, str, str]:
    values = (comparison.measured, comparison.true, comparison.error)
    measured, true, error = (NOT_AVAILABLE if value is None else format(value, form) for value in values)
    return measured, true, error
