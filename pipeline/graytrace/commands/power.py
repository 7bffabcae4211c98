"""How many patients a trial needs, from the spread of a finished study and the error of its measurement."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from graytrace.errors import ConfigError
from graytrace.report.phrases import tissue_words
from graytrace.results.collection import SHORTEST_INTERVAL_DAYS
from graytrace.statistics.power import (
    Spread,
    detectable_correlation,
    detectable_difference,
    detectable_slope,
    patients_per_arm,
    split_spread,
)
from graytrace.tables import MISSING, read_rows, stem_of

_CHANGE = "gm_change_percent_per_year"
_YEAR_DAYS = 365.25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("results", type=Path, help="the folder of a finished run, with atrophy.tsv")
    parser.add_argument(
        "--outcome",
        default=_CHANGE,
        help=f"change in atrophy.tsv that is planned for ({_CHANGE}), for example brain_change_percent; taken per year",
    )
    parser.add_argument("--slower-percent", type=float, default=50.0, help="wanted effect: loss slower by so much (50)")
    parser.add_argument("--effect-points", type=float, help="wanted effect in percentage points per year, instead")
    parser.add_argument("--years", type=float, help="length of the planned trial (default: as in the study)")
    parser.add_argument(
        "--error-points", type=float, help="standard error of one measured change, where the table has none"
    )
    parser.add_argument("--power", type=float, default=0.8, help="how often the effect is to be found (0.8)")
    parser.add_argument("--alpha", type=float, default=0.05, help="two-sided error rate (0.05)")
    parser.add_argument("--doses", type=float, nargs="+", help="doses of the planned patients, one for each")


def run(args: argparse.Namespace) -> None:
    """Print the sample size per arm and what small trials can detect."""
    _check(args)
    changes, years, errors = _read(args.results / "atrophy.tsv", args.outcome, args.error_points)
    length = args.years or float(np.median(years))
    try:
        spread = split_spread(changes, errors, years)
        sd = spread.observed(length)
        if sd <= 0:
            raise ConfigError(f"{args.results}: all patients have the same change; nothing can be planned from that.")
        effect = args.effect_points
        if effect is None:
            effect = abs(float(changes.mean())) * args.slower_percent / 100
        lines = [*_describe(args.outcome, changes, spread, sd, length), *_plan(args, effect, sd)]
    except ValueError as error:
        raise ConfigError(f"{args.results}: {error}.") from error
    sys.stdout.write("\n".join(lines) + "\n")


def _check(args: argparse.Namespace) -> None:
    for name, value, low, high in (
        ("--power", args.power, 0.0, 1.0),
        ("--alpha", args.alpha, 0.0, 1.0),
        ("--years", args.years, 0.0, 50.0),
        ("--slower-percent", args.slower_percent, 0.0, 1000.0),
        ("--error-points", args.error_points, 0.0, 100.0),
        ("--effect-points", args.effect_points, -100.0, 100.0),
    ):
        if value is not None and not low < value < high:
            raise ConfigError(f"{name}: expected a number between {low:g} and {high:g}, got {value:g}.")
    if args.effect_points == 0:
        raise ConfigError("--effect-points: expected another number than 0: no trial finds no effect.")
    if args.alpha >= args.power:
        raise ConfigError(f"--alpha: expected less than --power ({args.power:g}), got {args.alpha:g}.")
    if args.doses is not None and (len(args.doses) < 4 or len(set(args.doses)) < 2):
        raise ConfigError("--doses: expected one for each of at least four patients, not all the same.")


def _read(path: Path, outcome: str, error_points: float | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Changes per year, intervals and standard errors of measured patients; of several follow-ups the last."""
    if not path.is_file():
        raise ConfigError(f"There is no file {path}: name the folder of a finished run.")
    if not stem_of(outcome).endswith("_change"):
        raise ConfigError(f"--outcome: expected a change such as {_CHANGE} or brain_change_percent, got {outcome}.")
    rows = [row.cells for row in read_rows(path, required=["participant_id", outcome, "interval_years"])]
    known = {row["participant_id"]: row for row in rows if row[outcome] != MISSING and _is_long(path, outcome, row)}
    if not known:
        raise ConfigError(f"{path}: nobody has a {outcome} over {SHORTEST_INTERVAL_DAYS} days or more.")
    error = f"{stem_of(outcome)}_se_points"
    if error_points is None and any(row.get(error, MISSING) == MISSING for row in known.values()):
        raise ConfigError(
            f"{path} has no standard error of the change ({error}) for everyone: give --error-points, for "
            "example the error on phantoms like your scans in docs/validation.md."
        )
    table = [_of_patient(path, row, outcome, error if error_points is None else error_points) for row in known.values()]
    changes, years, errors = (np.array(column) for column in zip(*table, strict=True))
    return changes, years, errors


def _is_long(path: Path, outcome: str, row: Mapping[str, str]) -> bool:
    """Whether a change may be taken per year; one that is per year already was judged when the table was made."""
    if outcome.endswith("per_year"):
        return True
    if row["interval_years"] == MISSING:
        return False
    return _number(path, row, "interval_years") * _YEAR_DAYS >= SHORTEST_INTERVAL_DAYS


def _of_patient(path: Path, row: Mapping[str, str], outcome: str, error: str | float) -> tuple[float, float, float]:
    """Change per year, interval and standard error of a patient; the error is a column or a number."""
    change, years = _number(path, row, outcome), _number(path, row, "interval_years")
    per_year = change if outcome.endswith("per_year") else change / years
    return per_year, years, _number(path, row, error) if isinstance(error, str) else error


def _number(path: Path, row: Mapping[str, str], column: str) -> float:
    try:
        number = float(row[column])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"{path}: {row['participant_id']} has {row[column]!r} in {column}, expected a number.")
    return number


def _describe(outcome: str, changes: np.ndarray, spread: Spread, sd: float, length: float) -> list[str]:
    parts = (
        f"True change differs between patients by {spread.patients:.3f} points per year (SD), "
        f"one measurement is off by {spread.error_points:.3f} points (SE)."
    )
    return [
        f"Measured: {changes.size} patients, {tissue_words(outcome)} {changes.mean():+.3f} % per year on average.",
        parts,
        f"In a trial of {length:g} years that makes {sd:.3f} points per year (SD) in each arm.",
    ]


def _plan(args: argparse.Namespace, effect: float, sd: float) -> list[str]:
    chance = {"alpha": args.alpha, "power": args.power}
    needed = (
        f"To find a difference of {effect:.3f} points per year between two arms with power {args.power:g} at two-sided "
        f"alpha {args.alpha:g}: {patients_per_arm(effect, sd, **chance)} patients in each arm."
    )
    lines = [
        needed,
        f"Six against six find a difference of {detectable_difference(6, sd, **chance):.3f} points per year.",
        f"Twelve patients over several doses find a correlation of {detectable_correlation(12, **chance):.2f}.",
    ]
    if args.doses:
        slope = detectable_slope(np.array(args.doses), sd, **chance)
        width = max(args.doses) - min(args.doses)
        lines.append(
            f"These {len(args.doses)} doses find a slope of {slope:.3g} points per year for each unit of dose, "
            f"{slope * width:.3f} between the lowest and the highest."
        )
    lines.append(
        "Assumes normal spread, no dropouts and this study's patients, scanners and engine; a pilot's own SD is "
        "uncertain."
    )
    return lines
