"""What the trial's question is asked of: numbers of the patients (dose, a marker's change) and covariates.

Tables only: the workflow looks whether they are there at every start, and statistics take seconds to import.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graytrace.errors import ConfigError
from graytrace.files import LINK_WITHOUT_CONTENT, is_link_without_content
from graytrace.study.config import Config
from graytrace.tables import MISSING, read_rows, read_visit, show_plain

DEFAULT_DOSE_COLUMN = "dose"
_NAMED = 6
_DIGITS = 12  # of the fifteen that a float has
# a cell that means a number, whatever stands around it: 89+, 52,5, >60, 45 y
_NUMBER_LIKE = re.compile(r"[<>~≤≥]?\s*[-+]?[.,]?\d")
_MISSING = frozenset({"", MISSING, "NA", "nan", "NaN"})
# numbers by which tables of other programs say that there is none
_CODES_BELOW_ZERO = frozenset({-1, -7, -8, -9, -77, -88, -99, -777, -888, -999, -9999, -99999})
_CODES_ABOVE = frozenset({999, 9999, 99999})
_FAR = 3.0  # times the largest of the others


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
    left_out : tuple of str
        Patients that its table tells of, but with two numbers: a sentence each.
    doubts : tuple of str
        Patients whose number looks like a code for a missing one; it counts as it stands.
    """

    name: str
    values: Mapping[str, float]
    note: str | None = None
    left_out: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def read_predictors(config: Config) -> list[Predictor]:
    """The dose and the other columns that the configuration names, the dose first.

    The default's dose column is left out where participants.tsv does not have it: not every study has doses. One that
    the study names itself must be there.

    Raises
    ------
    ConfigError
        Another column or its table is not there.
    """
    found = []
    participants = _participants(config)
    if config.dose_column and participants is not None and config.dose_column in participants[0]:
        found.append(_from_column(participants, config.dose_column, config.dose_column))
    elif config.dose_column not in {None, DEFAULT_DOSE_COLUMN}:
        if participants is not None and not participants[0]["participant_id"]:
            raise ConfigError(f"statistics.dose_column: {_lacks(participants, str(config.dose_column))}.")
        there = ", ".join(participants[0]) if participants else "no such file"
        raise ConfigError(
            f"statistics.dose_column: participants.tsv has no column {config.dose_column!r} (there: {there}). "
            "null: no dose."
        )
    for column in config.columns:
        if not isinstance(column, str):
            found.append(_from_phenotype(config, column))
        elif participants is None or column not in participants[0]:
            raise ConfigError(f"statistics.columns: {_lacks(participants, column)}.")
        elif column != config.dose_column:
            found.append(_from_column(participants, column, column))
    return found


def asked_tables(config: Config) -> list[Path]:
    """The data set's tables that the trial's question is asked of, whether they are there or not."""
    folder = config.participants_table.parent if config.participants_table else None
    if folder is None:
        return []
    named = [
        folder / "phenotype" / f"{column['table']}.tsv" for column in config.columns if isinstance(column, Mapping)
    ]
    return list(dict.fromkeys([folder / "participants.tsv", *named]))


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
        read_strata(config, [])
    elif config.columns or config.covariates or config.strata:
        path = config.participants_table
        if path is not None and is_link_without_content(path):
            raise ConfigError(f"statistics: {path} is a {LINK_WITHOUT_CONTENT}.")
        raise ConfigError(f"statistics: there is no file {path}.")


def _participants(config: Config) -> list[Mapping[str, str]] | None:
    path = config.participants_table
    return _rows(path, ["participant_id"]) if path is not None and path.is_file() else None


def _rows(path: Path, required: Sequence[str]) -> list[Mapping[str, str]]:
    """Rows of a table, participants as everywhere; one without rows counts as one empty row."""
    found: list[Mapping[str, str]] = [
        {**row.cells, "participant_id": row.participant_id} for row in read_rows(path, required=required)
    ]
    return found or [dict.fromkeys(required, "")]


def _lacks(rows: Sequence[Mapping[str, str]] | None, column: str) -> str:
    """Why participants.tsv has nothing in a column, in words."""
    if rows is not None and not rows[0]["participant_id"]:
        return "participants.tsv has no row with a participant_id"
    return f"participants.tsv has no column {column!r}"


def _from_column(rows: Sequence[Mapping[str, str]], column: str, name: str) -> Predictor:
    values: dict[str, float] = {}
    twice: dict[str, str] = {}
    for row in rows:
        who = row["participant_id"]
        if row[column] in _MISSING or not who:
            continue
        number = _number(row[column])
        if number is None:
            return Predictor(name, {}, f"{who} has {row[column]!r}, which is no number.")
        if values.setdefault(who, number) != number:
            twice[who] = f"{who} has two numbers ({show_plain(values[who])} and {show_plain(number)})"
    kept = {who: values[who] for who in values if who not in twice}
    return Predictor(name, kept, None, tuple(twice.values()), tuple(find_codes(kept)))


def find_codes(values: Mapping[str, float]) -> list[str]:
    """Patients with a number by which other programs mean a missing one, where the other patients' say that it is none.

    Examples
    --------
    >>> find_codes({"sub-01": 0.7, "sub-02": 1.4, "sub-03": -999})
    ['sub-03 (-999)']
    >>> find_codes({"sub-01": -1.2, "sub-02": 0.4, "sub-03": -1})
    []
    """
    found = []
    for codes in (_CODES_BELOW_ZERO, _CODES_ABOVE):
        others = [value for value in values.values() if value not in codes]
        if not others or min(others) < 0:
            continue
        bound = _FAR * max(others) if codes is _CODES_ABOVE else -math.inf
        found += [
            f"{who} ({show_plain(float(value))})" for who, value in values.items() if value in codes and value > bound
        ]
    return found


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
    first = read_visit(asked.get("from", config.baseline))
    last = read_visit(asked.get("to", config.followups[-1]))
    parts = []
    for visit in (first, last):
        at_visit = [row for row in rows if read_visit(row["session_id"]) == visit]
        if not at_visit:
            raise ConfigError(f"statistics.columns: {path} has no row with session_id {visit!r}.")
        parts.append(_from_column(at_visit, asked["column"], name))
    before, after = parts
    changes = {who: _subtract(after.values[who], value) for who, value in before.values.items() if who in after.values}
    both = [(*getattr(before, kind), *getattr(after, kind)) for kind in ("left_out", "doubts")]
    return Predictor(f"{name} change {first} to {last}", changes, before.note or after.note, *both)


def _subtract(after: float, before: float) -> float:
    """A difference without the rounding of arithmetic: 0.3 - 0.1 and 0.5 - 0.3 are the same change, and one rank."""
    largest = max(abs(after), abs(before))
    return round(after - before, _DIGITS - math.ceil(math.log10(largest))) if largest > 0 else 0.0


def read_covariates(config: Config, participants: Sequence[str]) -> dict[str, list[float | None]]:
    """Covariates by name for these participants, None where unknown.

    A column of words becomes a column of zeros and ones for each of its levels but the first. A column of numbers with
    some cells that are none stays one: those patients have no value, and `describe_joins` names them.

    Raises
    ------
    ConfigError
        participants.tsv has no such column, or it is neither of numbers nor of groups.
    """
    rows = _participants(config)
    found: dict[str, list[float | None]] = {}
    for column in config.covariates:
        if rows is None or column not in rows[0]:
            raise ConfigError(f"statistics.covariates: {_lacks(rows, column)}.")
        cells = {row["participant_id"]: row[column] for row in reversed(rows)}
        texts = [cells.get(who, "") for who in participants]
        if _is_numeric(column, cells):
            found[column] = [_number(text) if text not in _MISSING else None for text in texts]
            continue
        known = [text for text in texts if text not in _MISSING]
        for level in sorted(set(known))[1:]:
            indicator = [None if text in _MISSING else float(text == level) for text in texts]
            found[f"{column}={level}"] = indicator
    return found


def read_strata(config: Config, participants: Sequence[str]) -> list[str]:
    """The stratum of each of these participants in words; unknown counts as a level of its own, ``n/a``.

    Raises
    ------
    ConfigError
        participants.tsv has no such column, or groups that only differ in how they are written.
    """
    rows = _participants(config) if config.strata else None
    columns = []
    for column in config.strata:
        if rows is None or column not in rows[0]:
            raise ConfigError(f"statistics.strata: {_lacks(rows, column)}.")
        cells = {row["participant_id"]: row[column] for row in reversed(rows) if row[column] not in _MISSING}
        _refuse_spellings("strata", column, cells.values())
        columns.append([cells.get(who, MISSING) for who in participants])
    return [", ".join(cells) for cells in zip(*columns, strict=True)] if columns else [""] * len(participants)


def _is_numeric(column: str, cells: Mapping[str, str]) -> bool:
    """Whether a covariate is of numbers (some cells may be none) or of groups.

    Raises
    ------
    ConfigError
        Neither: numbers and words in turn, or numbers that cannot be read.
    """
    known = {who: text for who, text in cells.items() if text not in _MISSING}
    wrong = {who: text for who, text in known.items() if _number(text) is None}
    if not wrong:
        return True
    _refuse_spellings("covariates", column, known.values())
    if 2 * len(wrong) <= len(known):
        return True
    looks = sum(_NUMBER_LIKE.match(text) is not None for text in known.values())
    is_grouped = 2 * len(set(known.values())) <= len(known)
    if len(wrong) == len(known) and (looks < len(known) or is_grouped):
        return False
    named = ", ".join(f"{who} {text!r}" for who, text in list(wrong.items())[:_NAMED])
    raise ConfigError(
        f"statistics.covariates: {column} is neither a column of numbers nor of groups: {len(wrong)} of {len(known)} "
        f"cells are no number ({named}). Write numbers with a point (52.5), one word for each group, n/a for what is "
        "unknown."
    )


def _refuse_spellings(key: str, column: str, texts: Iterable[str]) -> None:
    """Refuse groups that only differ in how they are written: F and f would be two sexes.

    Raises
    ------
    ConfigError
        With the spellings.
    """
    spellings: dict[str, set[str]] = {}
    for text in texts:
        spellings.setdefault("".join(text.casefold().split()), set()).add(text)
    several = [" and ".join(map(repr, sorted(found))) for found in spellings.values() if len(found) > 1]
    if several:
        raise ConfigError(
            f"statistics.{key}: {column} has {'; '.join(several)}, which would count as different groups. Write "
            "each group in one way."
        )


def describe_joins(config: Config, participants: Collection[str]) -> list[str]:
    """For how many patients each table that is asked has a number, who has none, and whom nobody knows.

    Parameters
    ----------
    participants : collection of str
        ``sub-…`` of everyone in the study.
    """
    table = config.participants_table
    if table is None or not table.is_file():
        return []
    sentences = []
    predictors = read_predictors(config)
    if config.dose_column and config.dose_column not in {predictor.name for predictor in predictors}:
        sentences.append(f"{table.name} has no column {config.dose_column}: no question is asked of a dose.")
    for predictor in predictors:
        if predictor.note:
            sentences.append(f"{predictor.name}: not asked. {predictor.note}")
            continue
        sentences.append(_describe_join(predictor.name, set(predictor.values), participants, predictor.left_out))
        sentences += describe_doubts(predictor.name, predictor.doubts)
    for name, values in read_covariates(config, sorted(participants)).items():
        known = {who for who, value in zip(sorted(participants), values, strict=True) if value is not None}
        cells = _cells_without_number(config, name.partition("=")[0])
        sentences.append(_describe_join(name, known, participants, cells))
        numbers = {who: value for who, value in zip(sorted(participants), values, strict=True) if value is not None}
        sentences += describe_doubts(name, find_codes(numbers))
    return [sentence for sentence in sentences if sentence]


def describe_doubts(name: str, doubts: Sequence[str]) -> list[str]:
    """A sentence on numbers that look like codes for missing ones; none without."""
    if not doubts:
        return []
    return [f"{name}: {name_some(doubts)} counts as a number. If it means that there is none, write n/a."]


def _describe_join(name: str, known: Collection[str], participants: Collection[str], left_out: Sequence[str]) -> str:
    lacking = sorted(set(participants) - set(known))
    unknown = sorted(set(known) - set(participants))
    sentence = f"{name}: a number for {len(set(known) & set(participants))} of {len(participants)} patients"
    if lacking:
        sentence += f", none for {name_some(lacking)}"
    if left_out:
        sentence += f"; left out: {name_some(left_out)}"
    if unknown:
        sentence += f"; nobody in the study is {name_some(unknown)}{_nearest(unknown, lacking)}"
    return f"{sentence}."


def _cells_without_number(config: Config, column: str) -> list[str]:
    """Patients whose cell of a numeric covariate is no number, with the cell."""
    cells = {row["participant_id"]: row[column] for row in _participants(config) or []}
    if not _is_numeric(column, cells):
        return []
    return [f"{who} ({text!r})" for who, text in cells.items() if text not in _MISSING and _number(text) is None]


def name_some(names: Sequence[str]) -> str:
    """The first names, and how many there are besides."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _nearest(unknown: Sequence[str], lacking: Sequence[str]) -> str:
    """A question where an ID differs from one that lacks a number only in case, zeros in front or signs."""
    plain = {_plain(name): name for name in lacking}
    found = [(name, plain[_plain(name)]) for name in unknown if _plain(name) in plain]
    return f" (is {found[0][0]} perhaps {found[0][1]}?)" if found else ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.removeprefix("sub-").lower()).lstrip("0")
