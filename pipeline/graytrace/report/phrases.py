"""Numbers and columns in words, as answer, tables and plots have them."""

from __future__ import annotations

from collections.abc import Mapping

from graytrace.results.trial import ALL_VISITS
from graytrace.tables import MISSING


def tissue_words(column: str) -> str:
    """The tissue of a column of change."""
    words = {"gm": "gray matter", "cortical": "cortical gray matter", "deep": "deep gray matter", "wm": "white matter"}
    return words.get(column.split("_", maxsplit=1)[0], "the brain")


def outcome_words(column: str) -> str:
    """A column of change in words."""
    return f"change of {tissue_words(column)}" + (" per year" if column.endswith("per_year") else "")


def describe_span(baseline: str, followup: str) -> str:
    """Between which visits a change is."""
    return f"through all visits from {baseline} on" if followup == ALL_VISITS else f"from {baseline} to {followup}"


def show_p(p: float) -> str:
    """A p-value in words: never zero."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def show_slope(row: Mapping[str, str]) -> str:
    """Slope and its interval."""
    if row["slope"] == MISSING:
        return "n/a"
    low, high = float(row["slope_low"]), float(row["slope_high"])
    return f"{float(row['slope']):+.2g} (95 % interval {low:+.2g} to {high:+.2g})"
