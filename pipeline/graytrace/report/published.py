"""Published rates of atrophy, and a patient's own rate beside them: one list, `published_rates.yaml`."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from graytrace.report.content import Row, half_interval, number

RATES = Path(__file__).parent / "published_rates.yaml"
WORDS = {
    "brain_change_percent": "Whole brain",
    "cortical_gm_change_percent": "Cortical gray matter",
}


@dataclass(frozen=True)
class PublishedRate:
    """A rate of a group in percent per year; loss is negative.

    Parameters
    ----------
    group, spread, method, source, doi : str
        Whose, what the bar spans, how measured, where published.
    mean, low, high : float or None
        Dot and bar; a mean alone has no bar.
    """

    group: str
    spread: str
    method: str
    source: str
    doi: str
    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class OwnRate:
    """A patient's own rate in percent per year, and half of its 95 % interval where that is known."""

    value: float
    half: float | None


@functools.cache
def load_published() -> Mapping[str, Sequence[PublishedRate]]:
    """Published rates by the column of atrophy.tsv that they may stand beside, in the order of the list."""
    listed: Mapping[str, Sequence[Mapping[str, Any]]] = yaml.safe_load(RATES.read_text(encoding="utf-8"))
    return {column: [PublishedRate(**one) for one in rates] for column, rates in listed.items()}


def find_own_rate(row: Row, column: str) -> OwnRate | None:
    """A patient's rate per year of a change; None where the row gives none, as for visits that are too near."""
    value, years = number(row, column), number(row, "interval_years")
    if value is None or not years or number(row, "gm_change_percent_per_year") is None:
        return None
    return OwnRate(value / years, half_interval(row, f"{column}_per_year"))
