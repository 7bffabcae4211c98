"""Numbers that cannot be: what a row of one scan or pair may hold, before it stands in a table with the others."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from graytrace.schemas import load_schema

_TABLES = ("quality", "volumes", "atrophy")
_SHOWN = 40  # characters of a value


def find_impossible(measures: Mapping[str, Any]) -> dict[str, str]:
    """Measures that no table can hold: name to what was got and expected, in words.

    A table is refused as a whole where one cell departs from its schema, so what one scan has got wrong is taken out
    before it gets there.

    Parameters
    ----------
    measures : mapping
        Of all steps of a scan or pair.

    Examples
    --------
    >>> find_impossible({"edge_width_mm": -1.5, "noise_percent": 3.0})
    {'edge_width_mm': 'edge_width_mm is -1.5, expected at least 0'}
    """
    rules = _rules()
    found = {}
    for name in sorted(rules.keys() & measures.keys()):
        value = measures[name]
        wrong = rules[name].find_fault(value)
        if wrong:
            found[name] = f"{name} is {repr(value)[:_SHOWN]}, expected {wrong}"
    return found


class _Rule(NamedTuple):
    """What a field of a table may hold."""

    is_text: bool
    low: float

    def find_fault(self, value: Any) -> str | None:
        """What was expected, in words; None where the value is that."""
        if value is None:
            return None
        if self.is_text:
            return None if isinstance(value, str) else "a text"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "a number"
        if not math.isfinite(value):
            return "a finite number"
        return None if value >= self.low else f"at least {self.low:g}"


def is_result(names: Iterable[str]) -> bool:
    """Whether one of these measures stands in a table of results, not only among the numbers of quality."""
    return any(name in _measures_of(table) for name in names for table in ("volumes", "atrophy"))


def _measures_of(table: str) -> dict[str, Mapping[str, Any]]:
    """Fields of a table that are measures as they are, by the measure's name."""
    found = {}
    for column, field in load_schema(table)["properties"].items():
        whose, _, name = field.get("from", "").partition(" ")
        if whose:
            found[name or column] = field
        elif table == "quality" and "step" in field:
            found[column] = field
    return found


@functools.cache
def _rules() -> dict[str, _Rule]:
    """By hand and not by a validator of schemas: it is asked for each scan, and the tables are validated anyway."""
    fields = {name: field for table in _TABLES for name, field in _measures_of(table).items()}
    return {name: _Rule("string" in field["type"], field.get("minimum", -math.inf)) for name, field in fields.items()}
