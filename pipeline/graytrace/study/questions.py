"""What the trial's question is asked of: numbers of the patients (dose, a marker's change) and covariates.

Tables only: the workflow looks whether they are there at every start, and statistics take seconds to import.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graytrace.errors import ConfigError
from graytrace.study.config import Config
from graytrace.tables import MISSING, read_rows

_MISSING = frozenset({"", MISSING, "NA", "nan", "NaN"})


@dataclass(frozen=True)
class Predictor:
    """A number of each patient.

    Parameters
    ----------
    name : str
        As it is called in dose_response.tsv.
    values : mapping
        Participant to number; who has none is not in it.
    note : str or None
        Why it cannot be used.
    """

    name: str
    values: Mapping[str, float]
    note: str | None = None


def read_predictors(config: Config) -> list[Predictor]:
    """The dose and the other columns that the configuration names, the dose first.

    A dose column that participants.tsv does not have is left out: not every study has doses.

    Raises
    ------
    ConfigError
        Another column or its table is not there.
    """
    found = []
    participants = _participants(config)
    if config.dose_column and participants is not None and config.dose_column in participants[0]:
        found.append(_from_column(participants, config.dose_column, config.dose_column))
    for column in config.columns:
        if not isinstance(column, str):
            found.append(_from_phenotype(config, column))
        elif participants is None or column not in participants[0]:
            raise ConfigError(f"statistics.columns: participants.tsv has no column {column!r}.")
        elif column != config.dose_column:
            found.append(_from_column(participants, column, column))
    return found


def check_questions(config: Config) -> None:
    """Make sure that what is asked can be found, before anything runs.

    Raises
    ------
    ConfigError
        A column or table is not there.
    """
    if config.participants_table is not None and config.participants_table.is_file():
        read_predictors(config)
        read_covariates(config, [])
    elif config.columns or config.covariates:
        raise ConfigError(f"statistics: there is no file {config.participants_table}.")


def _participants(config: Config) -> list[Mapping[str, str]] | None:
    path = config.participants_table
    return _rows(path, ["participant_id"]) if path is not None and path.is_file() else None


def _rows(path: Path, required: Sequence[str]) -> list[Mapping[str, str]]:
    """Rows of a table; one without rows counts as one empty row."""
    found = [row.cells for row in read_rows(path, required=required)]
    return found or [dict.fromkeys(required, "")]


def _from_column(rows: Sequence[Mapping[str, str]], column: str, name: str) -> Predictor:
    values: dict[str, float] = {}
    for row in rows:
        if row[column] in _MISSING or row["participant_id"] in values:
            continue
        number = _number(row[column])
        if number is None:
            return Predictor(name, {}, f"{row['participant_id']} has {row[column]!r}, which is no number.")
        values[row["participant_id"]] = number
    return Predictor(name, values)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _from_phenotype(config: Config, asked: Mapping[str, str]) -> Predictor:
    """A column of phenotype/TABLE.tsv or, where the table has a row per visit, its change between two visits."""
    root = config.participants_table
    path = (root.parent if root else Path()) / "phenotype" / f"{asked['table']}.tsv"
    if not path.is_file():
        raise ConfigError(f"statistics.columns: there is no file {path}.")
    rows = _rows(path, ["participant_id"])
    if asked["column"] not in rows[0]:
        raise ConfigError(f"statistics.columns: {path} has no column {asked['column']!r}.")
    name = f"{asked['table']}.{asked['column']}"
    if "session_id" not in rows[0]:
        return _from_column(rows, asked["column"], name)
    first = asked.get("from", config.baseline).removeprefix("ses-")
    last = asked.get("to", config.followups[-1]).removeprefix("ses-")
    parts = []
    for visit in (first, last):
        at_visit = [row for row in rows if row["session_id"].removeprefix("ses-") == visit]
        if not at_visit:
            raise ConfigError(f"statistics.columns: {path} has no row with session_id {visit!r}.")
        parts.append(_from_column(at_visit, asked["column"], name))
    before, after = parts
    changes = {who: after.values[who] - before.values[who] for who in before.values if who in after.values}
    return Predictor(f"{name} change {first} to {last}", changes, before.note or after.note)


def read_covariates(config: Config, participants: Sequence[str]) -> dict[str, list[float | None]]:
    """Covariates by name for these participants, None where unknown.

    A column of words becomes a column of zeros and ones for each of its levels but the first.

    Raises
    ------
    ConfigError
        participants.tsv has no such column.
    """
    rows = _participants(config)
    found: dict[str, list[float | None]] = {}
    for column in config.covariates:
        if rows is None or column not in rows[0]:
            raise ConfigError(f"statistics.covariates: participants.tsv has no column {column!r}.")
        cells = {row["participant_id"]: row[column] for row in reversed(rows)}
        texts = [cells.get(who, "") for who in participants]
        known = [text for text in texts if text not in _MISSING]
        if all(_number(text) is not None for text in known):
            found[column] = [_number(text) if text not in _MISSING else None for text in texts]
            continue
        for level in sorted(set(known))[1:]:
            indicator = [None if text in _MISSING else float(text == level) for text in texts]
            found[f"{column}={level}"] = indicator
    return found
