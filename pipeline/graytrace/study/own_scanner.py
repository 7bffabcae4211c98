"""What scan-rescan pairs of the study's own scanner say of its error: a table of ``graytrace repeatability``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graytrace.errors import ConfigError, ScanTableError
from graytrace.tables import TableRow, columns, read_number, read_rows

_KEY = "quality.repeatability"
_NEEDED = "gm_change_percent"
_MAKE = "Make it with graytrace repeatability RESULTS (docs/repeatability.md), or set the key to null."


def own_scanner(quality: Mapping[str, Any]) -> Path | None:
    """The table that section ``quality`` of the configuration names, None where it names none."""
    named = quality.get("repeatability")
    return Path(named) if named is not None else None


def read_smallest_changes(path: Path | None, engines: Mapping[str, str]) -> dict[str, float]:
    """Smallest detectable change of each measure, percentage points.

    Parameters
    ----------
    path : Path or None
        repeatability.tsv; None gives nothing.
    engines : mapping
        Stage to engine of the study, which must be those of the table.

    Returns
    -------
    dict
        Column of atrophy.tsv to percentage points.

    Raises
    ------
    ConfigError
        The file is not there or another table, rests on too few pairs, or was made with other engines.
    """
    if path is None:
        return {}
    if not path.is_file():
        raise ConfigError(f"{_KEY}: there is no file {path}. {_MAKE}")
    try:
        rows = read_rows(path, required=columns("repeatability"))
        found = {row.cells["measure"]: _smallest(row, path) for row in rows if row.get("kind") == "pairs"}
    except ScanTableError as error:
        raise ConfigError(f"{_KEY}: {error} {_MAKE}") from error
    if found.get(_NEEDED) is None:
        raise ConfigError(f"{_KEY}: {path} has no sdc_points of {_NEEDED} from pairs: at least three pairs are needed.")
    told = {_engines(row.get("engines")) for row in rows}
    if told != {frozenset(engines.items())}:
        chosen = "; ".join(f"{stage}={engine}" for stage, engine in engines.items())
        other = " / ".join(sorted({row.cells["engines"] for row in rows}))
        raise ConfigError(
            f"{_KEY}: {path} was measured with {other}, the study is with {chosen}. Measure the scan-rescan pairs with "
            "the study's engines."
        )
    return {measure: value for measure, value in found.items() if value is not None}


def _smallest(row: TableRow, path: Path) -> float | None:
    value = read_number(row, "sdc_points", path)
    if value is not None and value <= 0:
        raise ScanTableError(f"{path}, line {row.line}: column sdc_points has {value:g}, expected more than 0.")
    return value


def _engines(text: str | None) -> frozenset[tuple[str, str]]:
    """Stages with their engines, as `collect_results` joins them."""
    words = (word.strip().partition("=") for word in (text or "").split(";"))
    return frozenset((stage, engine) for stage, _, engine in words if stage)
