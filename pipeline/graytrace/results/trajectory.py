"""All visits of a patient in one model: rows of trajectory.tsv and slopes.tsv from the measured pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from graytrace.findings import Flag, Reason, join_messages
from graytrace.results.collection import SHORTEST_INTERVAL_DAYS, Row, join_codes
from graytrace.statistics.intervals import HALF_INTERVAL_SES
from graytrace.statistics.trajectory import (
    Contrasts,
    Misfit,
    Slope,
    find_connected,
    fit_slope,
    fit_trajectory,
    take_logarithm,
)
from graytrace.study.config import Config
from graytrace.study.dates import interval_days, interval_years
from graytrace.study.plan import Plan

# by the beginnings of their columns
TISSUES = {
    "gm": "gray matter",
    "cortical_gm": "cortical gray matter",
    "deep_gm": "deep gray matter",
    "wm": "white matter",
    "brain": "brain",
}
_MEASURED = frozenset({"ok", "flagged"})
# one patient in a hundred has such a p, or fewer, where the pairs' errors are right
DOUBTFUL_P = 0.01
# of a pair's change per year, which nothing here uses
_NOT_OF_SLOPES = frozenset({"outside_window", "interval_short", "interval_unknown"})


@dataclass(frozen=True)
class _Course:
    """Visits that pairs join, in the order of time, and these pairs.

    Parameters
    ----------
    reference : str
        The visit that the others are set to: the study's, or the first one.
    """

    visits: tuple[str, ...]
    pairs: tuple[Row, ...]
    reference: str

    def contrasts(self, tissue: str) -> tuple[Contrasts, bool] | None:
        """Changes of a tissue, and whether their errors are known; None where they do not join all of the visits."""
        rows = [row for row in self.pairs if _is_change(row.get(f"{tissue}_change_percent"))]
        errors = [row.get(f"{tissue}_change_se_points") for row in rows]
        known = [error for error in errors if error is not None and error > 0]
        has_errors = len(known) == len(rows)
        steps = [
            take_logarithm(row[f"{tissue}_change_percent"], error if has_errors and error else 1.0)
            for row, error in zip(rows, errors, strict=True)
        ]
        if not steps:
            return None
        numbers = np.array(
            [[self.visits.index(row[f"visit_{end}"]) for row in rows] for end in ("baseline", "followup")]
        )
        values, uncertain = np.array(steps).T
        found = Contrasts(numbers[0], numbers[1], values, uncertain if has_errors else np.ones(len(rows)))
        groups = find_connected(found)
        return (found, has_errors) if groups.size == len(self.visits) and not groups.any() else None


def fit_patients(
    config: Config, plan: Plan, pairs: Sequence[Row], volumes: Sequence[Row]
) -> tuple[list[Row], list[Row]]:
    """Rows of trajectory.tsv and of slopes.tsv.

    Nothing of a patient depends on anybody else.

    Parameters
    ----------
    config : Config
    plan : Plan
    pairs, volumes : sequence of mapping
        Rows of pairs.tsv and volumes.tsv.
    """
    trajectories, slopes = [], []
    of_pairs, of_scans = _by_patient(pairs), _by_patient(volumes)
    for participant_id in plan.participants:
        scans = {row["visit"]: row for row in of_scans.get(participant_id, [])}
        days = {scan.visit: scan.day for scan in plan.patient(participant_id).scans}
        patient = _Patient(config, participant_id, scans, days, of_pairs.get(participant_id, []))
        trajectories += patient.trajectory_rows()
        slopes.append(patient.slope_row())
    return trajectories, slopes


def _by_patient(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["participant_id"], []).append(row)
    return found


@dataclass(frozen=True)
class _Patient:
    """A participant's rows of other tables."""

    config: Config
    participant_id: str
    scans: Mapping[str, Row]
    days: Mapping[str, date | None]
    pairs: Sequence[Row]

    def trajectory_rows(self) -> list[Row]:
        """A row for each planned visit, in the order of time."""
        course = self._join(self.scans)
        cells: dict[str, Row] = {}
        if course is not None:
            cells = {visit: {"visit_reference": course.reference} for visit in course.visits}
            for tissue in TISSUES:
                for visit, more in _place_visits(course, tissue).items():
                    cells[visit] |= more
        return [self._trajectory_row(visit, course, cells.get(visit)) for visit in self._in_time(self.scans)]

    def _trajectory_row(self, visit: str, course: _Course | None, cells: Row | None) -> Row:
        scan = self.scans[visit]
        row: Row = {"participant_id": self.participant_id, "visit": visit}
        row |= {"engines": scan["engines"], "version": scan["version"]}
        if scan["status"] not in _MEASURED:
            return {**row, "status": scan["status"], "reason": scan.get("reason"), "flags": scan.get("flags")}
        if course is None or cells is None:
            reason = f"not_joined: {self._describe_apart(visit)}"
            return {**row, "status": "failed", "reason": reason, "flags": scan.get("flags")}
        flags = join_codes([*_codes(scan), *_codes_at(course, visit)])
        since, day = self.days[course.reference], self.days[visit]
        days = interval_days(since, day) if since and day else None
        return {**row, "status": "flagged" if flags else "ok", "flags": flags, "interval_days": days, **cells}

    def _describe_apart(self, visit: str) -> str:
        """Why no pair joins a visit with others."""
        reasons = {
            row["reason"].partition(": ")[2] for row in self.pairs if visit in _visits_of(row) and row.get("reason")
        }
        return " ".join([f"No measured pair joins ses-{visit} with the reference.", *sorted(reasons)])

    def slope_row(self) -> Row:
        """The patient's row of slopes.tsv."""
        labels = [visit for visit in self._in_time(self.scans) if not self._is_early(visit)]
        dated = [visit for visit in labels if self.days[visit]]
        course = self._join(dated)
        row: Row = {"participant_id": self.participant_id, "visits": 0, "pairs": 0}
        row |= {name: next(iter(self.scans.values()))[name] for name in ("engines", "version")}
        row["visits_left_out"] = self._list_left_out(labels, course)
        shortest = self.config.quality.get("shortest_interval_days", SHORTEST_INTERVAL_DAYS)
        if course is None:
            status, reason = self._explain(labels, dated)
        elif self._span(course) < shortest:
            days = f"The visits span {self._span(course)} days, fewer than {shortest:g}: no slope is given."
            status, reason = "failed", Reason("interval_short", days)
        else:
            return {**row, "interval_years": interval_years(self._span(course)), **self._fit(course)}
        return {
            **row,
            "status": status,
            "reason": f"{reason.code}: {reason.message}",
            "messages": join_messages([reason.message]),
        }

    def _fit(self, course: _Course) -> Row:
        """Cells of a course with its slopes."""
        row: Row = {"visit_reference": course.reference, "visits": len(course.visits), "pairs": len(course.pairs)}
        row["visits_used"] = join_codes(course.visits)
        row["loops"] = len(course.pairs) - len(course.visits) + 1
        years = [interval_years(self._days_since(course.visits[0], visit)) for visit in course.visits]
        fits = {tissue: found for tissue in TISSUES if (found := _fit_tissue(course, tissue, years)) is not None}
        for tissue, (slope, has_errors) in fits.items():
            row |= _slope_cells(tissue, slope, has_errors=has_errors)
        if not fits:
            reason = Reason("no_change_measured", "No pair of its visits has a change of a tissue.")
            return {**row, "status": "failed", "reason": f"{reason.code}: {reason.message}", "messages": reason.message}
        flags = [*self._doubt_course(course), *_doubt_fits(fits)]
        codes = join_codes([*(flag.code for flag in flags), *_pair_codes(course.pairs)])
        messages = join_messages(flag.message for flag in flags)
        return {**row, "status": "flagged" if codes else "ok", "flags": codes, "messages": messages}

    def _doubt_course(self, course: _Course) -> list[Flag]:
        flags = []
        if course.reference != self.config.baseline:
            message = f"ses-{self.config.baseline} cannot be used: the slope counts from ses-{course.reference}."
            flags.append(Flag("reference_missing", message))
        if len(course.visits) == 2:
            message = "The slope is that of two visits: no loop and no line can be checked."
            flags.append(Flag("two_visits", message))
        return flags

    def _join(self, visits: Iterable[str]) -> _Course | None:
        """The visits that measured pairs join with the reference, or else most of them."""
        order = self._in_time(visits)
        pairs = [row for row in self.pairs if row["status"] in _MEASURED and set(_visits_of(row)) <= set(order)]
        if not pairs:
            return None
        ends = [[order.index(visit) for visit in _visits_of(row)] for row in pairs]
        first, second = np.array(ends).T
        groups = find_connected(Contrasts(first, second, np.zeros(first.size), np.ones(first.size)))
        members = [[order[place] for place in np.flatnonzero(groups == group)] for group in np.unique(groups)]
        joined = [group for group in members if len(group) > 1]
        best = max(joined, key=lambda group: (self.config.baseline in group, len(group)))
        fallback = next((visit for visit in best if not self._is_early(visit)), best[0])
        reference = self.config.baseline if self.config.baseline in best else fallback
        return _Course(tuple(best), tuple(row for row in pairs if _visits_of(row)[0] in best), reference)

    def _in_time(self, visits: Iterable[str]) -> list[str]:
        """Visits by their dates; those without one where the configuration has them."""
        labels = [label for label in self.config.planned_labels if label in set(visits)]
        dated = iter(sorted((label for label in labels if self.days[label]), key=lambda label: str(self.days[label])))
        return [next(dated) if self.days[label] else label for label in labels]

    def _is_early(self, visit: str) -> bool:
        """Whether a visit was before the one that is the reference."""
        start, day = self.days[self.config.baseline], self.days[visit]
        return day < start if start and day else visit in self.config.earlier

    def _days_since(self, first: str, second: str) -> int:
        start, end = self.days[first], self.days[second]
        return interval_days(start, end) if start and end else 0

    def _span(self, course: _Course) -> int:
        return self._days_since(course.visits[0], course.visits[-1])

    def _list_left_out(self, labels: Iterable[str], course: _Course | None) -> str | None:
        """Visits that are not in a course, each with the reason in a word or two."""
        words = []
        for visit in labels:
            status = self.scans[visit]["status"]
            if course is not None and visit in course.visits:
                continue
            why = status if status not in _MEASURED else "not joined" if self.days[visit] else "no date"
            words.append(f"{visit} ({why})")
        return "; ".join(words) or None

    def _explain(self, labels: Sequence[str], dated: Sequence[str]) -> tuple[str, Reason]:
        """Status and reason of a patient without two visits that pairs join."""
        there = [visit for visit in labels if self.scans[visit]["status"] in _MEASURED]
        if len(there) < 2:
            found = {self.scans[visit]["status"] for visit in labels if visit not in there}
            status = next((word for word in ("failed", "excluded") if word in found), "missing")
            left_out = (
                self._list_left_out([visit for visit in labels if visit not in there], None) or "none was planned"
            )
            message = f"A slope needs two visits, {len(there)} can be used; left out: {left_out}."
            return status, Reason("too_few_visits", message)
        if len(set(there) & set(dated)) < 2:
            message = "A slope needs two visits with a date. Write acq_time in sessions.tsv."
            return "failed", Reason("interval_unknown", message)
        rows = [row for row in self.pairs if row["status"] not in _MEASURED and set(_visits_of(row)) <= set(there)]
        told = [row["reason"].partition(": ")[2] for row in rows if row.get("reason")]
        status = "excluded" if rows and all(row["status"] == "excluded" for row in rows) else "failed"
        message = f"No pair of its visits was measured. {' '.join(dict.fromkeys(told))}".strip()
        return status, Reason("no_pair", message)


def _is_change(percent: float | None) -> bool:
    """Whether a change is known and leaves something of the volume."""
    return percent is not None and percent > -100


def _visits_of(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["visit_baseline"], row["visit_followup"]


def _codes(row: Mapping[str, Any]) -> list[str]:
    return [code for code in (row.get("flags") or "").split("; ") if code]


def _codes_at(course: _Course, visit: str) -> list[str]:
    """Flags of the pair of a visit with the reference or, without it, of its other pairs; those of scans are not."""
    own = [row for row in course.pairs if visit in _visits_of(row) and visit != course.reference]
    direct = [row for row in own if course.reference in _visits_of(row)]
    return [code for row in direct or own for code in _own_codes(row)]


def _pair_codes(pairs: Sequence[Row]) -> list[str]:
    """Flags of pairs with their visits in front; what all pairs have stands once, without."""
    own = [[code for code in _codes(row) if ":" not in code and code not in _NOT_OF_SLOPES] for row in pairs]
    common = set.intersection(*map(set, own)) if len(pairs) > 1 else set()
    found = [code for codes in own for code in codes if code in common]
    for row in pairs:
        found += [code for code in _own_codes(row) if code.partition(":")[2] not in common]
        found += [code for code in _codes(row) if ":" in code]
    return list(dict.fromkeys(found))


def _own_codes(pair: Row) -> list[str]:
    """Flags of a pair with its visits in front, without those of its scans."""
    visits = "_".join(_visits_of(pair))
    return [f"{visits}:{code}" for code in _codes(pair) if ":" not in code and code not in _NOT_OF_SLOPES]


def _place_visits(course: _Course, tissue: str) -> dict[str, Row]:
    """Change of a tissue at each visit with its interval, percent of the reference."""
    known = course.contrasts(tissue)
    if known is None:
        return {}
    contrasts, has_errors = known
    found = fit_trajectory(contrasts, reference=course.visits.index(course.reference))
    cells = {}
    for visit, value, error in zip(course.visits, found.log_ratios, found.errors, strict=True):
        cells[visit] = {f"{tissue}_change_percent": _percent(value)}
        if has_errors and visit != course.reference:
            cells[visit] |= _interval(f"{tissue}_change", value, error, "")
    return cells


def _fit_tissue(course: _Course, tissue: str, years: Sequence[float]) -> tuple[Slope, bool] | None:
    known = course.contrasts(tissue)
    return None if known is None else (fit_slope(known[0], years), known[1])


def _slope_cells(tissue: str, slope: Slope, *, has_errors: bool) -> Row:
    cells: Row = {f"{tissue}_slope_percent_per_year": _percent(slope.per_year)}
    if has_errors:
        cells |= _interval(f"{tissue}_slope", slope.per_year, slope.error, "_per_year")
        cells |= {f"{tissue}_loop_p": slope.loops.p, f"{tissue}_line_p": slope.line.p}
    return cells


def _interval(stem: str, value: float, error: float, unit: str) -> Row:
    half = HALF_INTERVAL_SES * error
    return {
        f"{stem}_se_points{unit}": float(100 * math.exp(value) * error),
        f"{stem}_low_percent{unit}": _percent(value - half),
        f"{stem}_high_percent{unit}": _percent(value + half),
    }


def _percent(logarithm: float) -> float:
    return float(100 * math.expm1(logarithm))


def _is_doubtful(misfit: Misfit) -> bool:
    return misfit.p is not None and misfit.p < DOUBTFUL_P


def _doubt_fits(fits: Mapping[str, tuple[Slope, bool]]) -> list[Flag]:
    """Flags of slopes whose pairs disagree, or whose visits are off a line, more than their errors explain."""
    flags = []
    known = {TISSUES[tissue]: slope for tissue, (slope, has_errors) in fits.items() if has_errors}
    is_open = {name for name, slope in known.items() if _is_doubtful(slope.loops)}
    # a pair that is wrong takes its visits off the line, too
    is_bent = {name for name, slope in known.items() if _is_doubtful(slope.line)} - is_open
    for code, what, names in (
        ("loop_open", "pairs that close loops disagree", is_open),
        ("not_linear", "the visits are off a line", is_bent),
    ):
        misfits = {name: slope.loops if code == "loop_open" else slope.line for name, slope in known.items()}
        doubtful = [f"{name} (p {misfit.p:.2g})" for name, misfit in misfits.items() if name in names]
        if doubtful:
            message = (
                f"More than the errors explain, {what}: {', '.join(doubtful)}. The interval is widened by as much."
            )
            flags.append(Flag(code, message))
    if not known:
        flags.append(Flag("errors_unknown", "The engine tells no error of a change: all pairs weigh the same."))
    return flags
