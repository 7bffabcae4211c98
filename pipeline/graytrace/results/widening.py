"""Intervals of the patients' changes that are no narrower than what the study's own scanner shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graytrace.statistics.intervals import HALF_INTERVAL_SES
from graytrace.tables import columns, stem_of


def widen_intervals(row: Mapping[str, Any], smallest_changes: Mapping[str, float]) -> dict[str, Any]:
    """A row of atrophy.tsv whose intervals reach at least one smallest detectable change to either side.

    The larger of both, not the root of their squares: the budget measured on the pair and the spread of scan-rescan
    pairs hold the same noise, positioning and drift, which would count twice. Where the engine of change tells no
    error, that of the scanner takes its place.

    Parameters
    ----------
    row : mapping
        Column to cell.
    smallest_changes : mapping
        Measure to its smallest detectable change on the study's scanner, percentage points.

    Returns
    -------
    dict
        The row, and in `widened_intervals` the changes whose interval is another now.
    """
    there = set(columns("atrophy"))
    wide, widened = dict(row), []
    for measure, smallest in smallest_changes.items():
        stem = stem_of(measure)
        low, high, error = f"{stem}_low_percent", f"{stem}_high_percent", f"{stem}_se_points"
        change = row.get(measure)
        if change is None or not {low, high, error} <= there:
            continue
        before = tuple(row.get(name) for name in (error, low, high))
        wide[error] = max(row.get(error) or 0.0, smallest / HALF_INTERVAL_SES)
        wide[low] = min(_or(row.get(low), change), change - smallest)
        wide[high] = max(_or(row.get(high), change), change + smallest)
        if (wide[error], wide[low], wide[high]) != before:
            widened.append(stem)
    return {**wide, "widened_intervals": "; ".join(widened) or None}


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
