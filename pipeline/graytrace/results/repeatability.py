"""Scan-rescan pairs and loops of visits among finished results, and what they say of the measurement's error."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graytrace.errors import ConfigError
from graytrace.statistics.agreement import Interval
from graytrace.statistics.intervals import HALF_INTERVAL_SES
from graytrace.statistics.repeatability import (
    LEAST_DEGREES,
    Repeatability,
    close_loops,
    measure_bias,
    measure_coverage,
    measure_error_ratio,
    measure_loops,
    measure_repeatability,
)
from graytrace.tables import TableRow, read_number, read_rows, read_visit, stem_of

MEASURES = (
    "gm_change_percent",
    "cortical_gm_change_percent",
    "deep_gm_change_percent",
    "wm_change_percent",
    "brain_change_percent",
    "gm_difference_percent",
)
_KEYS = ("participant_id", "visit_baseline", "visit_followup")
_MEASURED = frozenset({"ok", "flagged"})
Row = dict[str, Any]


class PairKey(NamedTuple):
    """A patient and two visits."""

    participant_id: str
    baseline: str
    followup: str


@dataclass(frozen=True)
class MeasuredPair:
    """A measured row of atrophy.tsv or pairs.tsv.

    Parameters
    ----------
    key : PairKey
        Whose, and between which visits.
    days : float or None
        Between the visits.
    changes : mapping
        Measure to percent of baseline.
    intervals : mapping
        Measure to the ends of its 95 % interval, where the table has one.
    errors : mapping
        Measure to its standard error, percentage points, where the table has one.
    volumes_ml : mapping
        Tissue to the mean of both visits.
    engines, version : str
        What made it.
    is_widened : bool
        Whether an interval was widened to the repeatability of the study's own scanner.
    """

    key: PairKey
    days: float | None
    changes: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    errors: Mapping[str, float]
    volumes_ml: Mapping[str, float]
    engines: str
    version: str
    is_widened: bool


class Loop(NamedTuple):
    """Three changes between three visits of a patient: first to second, second to third, first to third."""

    first: MeasuredPair
    second: MeasuredPair
    whole: MeasuredPair


def read_pairs(folders: Sequence[Path]) -> list[MeasuredPair]:
    """Measured rows of the tables of finished runs, by patient and visits.

    Of a run that joins all visits every pair is read, else those of atrophy.tsv.

    Raises
    ------
    ConfigError
        A folder holds no results, a pair stands in two of them, or they were made with different engines.
    """
    found: dict[PairKey, MeasuredPair] = {}
    where: dict[PairKey, Path] = {}
    for folder in folders:
        path = folder / "atrophy.tsv"
        if not path.is_file():
            raise ConfigError(f"{folder} has no atrophy.tsv: name the output folder of a finished run.")
        path = folder / "pairs.tsv" if (folder / "pairs.tsv").is_file() else path
        for row in read_rows(path, required=[*_KEYS, "status", "interval_days", "engines", "version"]):
            if row.get("status") not in _MEASURED:
                continue
            pair = _read_pair(row, path)
            if pair.key in found:
                told = " ".join(pair.key)
                raise ConfigError(f"{told} is in {where[pair.key]} and in {path}: name folders of one data set.")
            found[pair.key], where[pair.key] = pair, path
    engines = sorted({pair.engines for pair in found.values()})
    if len(engines) > 1:
        raise ConfigError(
            f"The results were made with different engines ({' / '.join(engines)}): each has a repeatability of its "
            "own. Name folders of one."
        )
    return [found[key] for key in sorted(found)]


def _read_pair(row: TableRow, path: Path) -> MeasuredPair:
    changes, intervals, errors = {}, {}, {}
    for measure in MEASURES:
        value = read_number(row, measure, path)
        if value is None:
            continue
        changes[measure] = value
        stem = stem_of(measure)
        low, high = (read_number(row, f"{stem}_{end}_percent", path) for end in ("low", "high"))
        error = read_number(row, f"{stem}_se_points", path)
        if error is not None and error > 0:
            errors[measure] = error
        if low is not None and high is not None:
            intervals[measure] = (low, high)
        elif measure in errors:
            half = HALF_INTERVAL_SES * errors[measure]
            intervals[measure] = (value - half, value + half)
    return MeasuredPair(
        key=PairKey(row.participant_id, read_visit(row.get("visit_baseline")), read_visit(row.get("visit_followup"))),
        days=read_number(row, "interval_days", path),
        changes=changes,
        intervals=intervals,
        errors=errors,
        volumes_ml=_mean_volumes(row, path),
        engines=row.get("engines") or "",
        version=row.get("version") or "",
        is_widened=row.get("widened_intervals") is not None,
    )


def _mean_volumes(row: TableRow, path: Path) -> dict[str, float]:
    """Mean volume of both visits by tissue, where the table tells it."""
    means = {}
    for tissue in ("gm", "brain"):
        both = [read_number(row, f"{tissue}_volume_{visit}_ml", path) for visit in ("baseline", "followup")]
        known = [volume for volume in both if volume is not None]
        if known:
            means[tissue] = sum(known) / len(known)
    if len(means) == 2:
        means["wm"] = means["brain"] - means["gm"]
    return means


def select_near(pairs: Sequence[MeasuredPair], within_days: float) -> list[MeasuredPair]:
    """Pairs whose visits are at most so many days apart; those without dates are not among them."""
    return [pair for pair in pairs if pair.days is not None and abs(pair.days) <= within_days]


def select_named(pairs: Sequence[MeasuredPair], path: Path) -> tuple[list[MeasuredPair], list[PairKey]]:
    """Pairs that a table names, whatever the time between their visits, and those of the table that nobody measured.

    Parameters
    ----------
    pairs : sequence of MeasuredPair
    path : Path
        Table with columns participant_id, visit_baseline, visit_followup.

    Raises
    ------
    ScanTableError
        The table cannot be read or lacks a column.
    """
    wanted = {
        PairKey(row.participant_id, *(read_visit(row.get(column)) for column in _KEYS[1:]))
        for row in read_rows(path, required=_KEYS)
    }
    known = {pair.key for pair in pairs}
    return [pair for pair in pairs if pair.key in wanted], sorted(wanted - known)


def find_loops(pairs: Sequence[MeasuredPair]) -> list[Loop]:
    """Every three visits of a patient between which all three changes were measured."""
    by_visits = {pair.key: pair for pair in pairs}
    loops = []
    for whole in pairs:
        name, a, c = whole.key
        for b in sorted({key.followup for key in by_visits if key[:2] == (name, a)}):
            first, second = by_visits.get(PairKey(name, a, b)), by_visits.get(PairKey(name, b, c))
            if first is not None and second is not None:
                loops.append(Loop(first, second, whole))
    return loops


def list_open_loops(pairs: Sequence[MeasuredPair]) -> list[PairKey]:
    """Changes that nobody measured and that would close a loop: two follow-ups of one baseline."""
    known = {pair.key for pair in pairs}
    followups = defaultdict(list)
    for pair in pairs:
        followups[pair.key[:2]].append(pair)
    missing = []
    for (name, _), several in followups.items():
        ordered = sorted(several, key=lambda pair: (pair.days if pair.days is not None else 0, pair.key.followup))
        for place, earlier in enumerate(ordered):
            for later in ordered[place + 1 :]:
                between = PairKey(name, earlier.key.followup, later.key.followup)
                if between not in known and PairKey(name, between.followup, between.baseline) not in known:
                    missing.append(between)
    return missing


def repeatability_rows(pairs: Sequence[MeasuredPair], loops: Sequence[Loop], selection: str) -> list[Row]:
    """Rows of repeatability.tsv: a row for each measure from pairs, and one from loops where there are some.

    Parameters
    ----------
    pairs : sequence of MeasuredPair
        Without true change between the visits.
    loops : sequence of Loop
        With whatever change.
    selection : str
        How the pairs were chosen, in words.
    """
    rows = []
    for measure in MEASURES:
        having = [pair for pair in pairs if measure in pair.changes]
        closed = [loop for loop in loops if all(measure in pair.changes for pair in loop)]
        if having:
            rows.append({"measure": measure, "kind": "pairs", **_of_pairs(having, measure), "selection": selection})
        if closed:
            told = "all loops of three visits"
            rows.append({"measure": measure, "kind": "loops", **_of_loops(closed, measure), "selection": told})
    return rows


def _of_pairs(pairs: Sequence[MeasuredPair], measure: str) -> Row:
    changes = np.array([pair.changes[measure] for pair in pairs])
    by_patient: dict[str, list[float]] = defaultdict(list)
    for pair, change in zip(pairs, changes, strict=True):
        by_patient[pair.key.participant_id].append(float(change))
    row: Row = {"patients": len(by_patient), "pairs": len(pairs), **_origin(pairs)}
    positions = list(_place_visits(pairs, measure))
    if sum(len(visits) - 1 for visits in positions) >= LEAST_DEGREES:
        row |= _repeatability_cells(measure_repeatability(positions))
    if len(by_patient) > 1:
        bias = measure_bias([float(np.mean(several)) for several in by_patient.values()])
        row |= _interval_cells("bias", bias)
    ends = [pair.intervals[measure] for pair in pairs if measure in pair.intervals]
    errors = [(pair.changes[measure], pair.errors[measure]) for pair in pairs if measure in pair.errors]
    return {**row, **_coverage_cells(ends, errors)}


def _of_loops(loops: Sequence[Loop], measure: str) -> Row:
    closures = close_loops(*np.array([[pair.changes[measure] for pair in loop] for loop in loops]).T)
    patients = len({loop.whole.key.participant_id for loop in loops})
    edges = sorted({pair.key: pair for loop in loops for pair in loop}.items())
    pairs = [pair for _, pair in edges]
    # a change that closes a loop adds nothing to the visits' places: as many loops do not follow from others
    degrees = len(pairs) - sum(len(visits) - 1 for visits in _place_visits(pairs, measure))
    row: Row = {"patients": patients, "pairs": len(loops), **_origin(pairs)}
    if degrees >= LEAST_DEGREES:
        row |= _repeatability_cells(measure_loops(closures, patients=patients, degrees=degrees))
    errors, ends = [], []
    for loop, closure in zip(loops, closures, strict=True):
        if all(measure in pair.errors for pair in loop):
            error = float(np.sqrt(sum(pair.errors[measure] ** 2 for pair in loop)))
            errors.append((float(closure), error))
            ends.append((float(closure) - HALF_INTERVAL_SES * error, float(closure) + HALF_INTERVAL_SES * error))
    return {**row, **_coverage_cells(ends, errors)}


def _place_visits(pairs: Sequence[MeasuredPair], measure: str) -> Iterator[list[float]]:
    """Each patient's visits as repeated measurements: percent beside the first of those that changes join.

    A change between visits that others join already closes a loop and is left out: it is no further measurement of a
    visit. Percents are added, which is off by a ten-thousandth of them where they are hundredths.
    """
    groups: dict[str, list[dict[str, float]]] = defaultdict(list)
    for pair in pairs:
        name, a, b = pair.key
        joined = groups[name]
        before = next((group for group in joined if a in group), None) or {a: 0.0}
        after = next((group for group in joined if b in group), None) or {b: 0.0}
        if before is after:
            continue
        step = before[a] + pair.changes[measure] - after[b]
        groups[name] = [group for group in joined if group is not before and group is not after]
        groups[name].append({**before, **{visit: place + step for visit, place in after.items()}})
    for several in groups.values():
        yield from (list(group.values()) for group in several)


def _repeatability_cells(found: Repeatability) -> Row:
    row: Row = {"degrees_of_freedom": found.degrees_of_freedom}
    for name in ("wsd", "rc", "sdc"):
        row |= _interval_cells(name, getattr(found, name))
    return row


def _interval_cells(name: str, interval: Interval) -> Row:
    return {
        f"{name}_points": interval.value,
        f"{name}_low_points": interval.low,
        f"{name}_high_points": interval.high,
    }


def _coverage_cells(ends: Sequence[tuple[float, float]], errors: Sequence[tuple[float, float]]) -> Row:
    row: Row = {"intervals": len(ends)}
    if ends:
        found = measure_coverage(*np.array(ends).T)
        percents = {"": found.share.value, "_low": found.share.low, "_high": found.share.high}
        row["containing_zero"] = found.containing
        row |= {f"coverage{end}_percent": 100 * share for end, share in percents.items()}
    if errors:
        row["error_ratio"] = measure_error_ratio(*np.array(errors).T)
    return row


def _origin(pairs: Sequence[MeasuredPair]) -> Row:
    return {"engines": pairs[0].engines, "version": " / ".join(sorted({pair.version for pair in pairs}))}
