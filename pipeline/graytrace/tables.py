"""Tab-separated tables: reading those of a data set, writing our own with the meaning of each column beside."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from graytrace.errors import PipelineError, ScanTableError
from graytrace.files import LINK_WITHOUT_CONTENT, POINTER_MARKS, is_link_without_content, write_json, write_text
from graytrace.schemas import load_schema

MISSING = "n/a"
_POINTER_BYTES = 200
_MAX_DECIMALS = 12
_LARGEST_COUNT = 1e15
MAX_TABLE_BYTES = 1 << 26  # a row for each of a million scans
Row = Mapping[str, Any]


def read_participant(text: str | None) -> str:
    """An ID as every table may write it, with or without ``sub-``; empty for what is missing.

    Examples
    --------
    >>> read_participant("01"), read_participant("sub-01"), read_participant("n/a")
    ('sub-01', 'sub-01', '')
    """
    name = (text or "").strip()
    if name in {"", MISSING}:
        return ""
    return f"sub-{name[4:] if name[:4].lower() == 'sub-' else name}"


def read_visit(text: str | None) -> str:
    """A visit's label as every table may write it, with or without ``ses-``; empty for what is missing."""
    label = (text or "").strip()
    if label in {"", MISSING}:
        return ""
    return label[4:] if label[:4].lower() == "ses-" else label


def stem_of(change: str) -> str:
    """A change's name without its unit: its interval and standard error are called after it.

    Examples
    --------
    >>> stem_of("wm_change_percent"), stem_of("gm_change_percent_per_year")
    ('wm_change', 'gm_change')
    """
    return change.removesuffix("_per_year").removesuffix("_percent")


@dataclass(frozen=True)
class TableRow:
    """One row of a table that somebody else wrote: its line in the file and its cells as stripped text."""

    line: int
    cells: Mapping[str, str]

    def get(self, column: str) -> str | None:
        """A cell's text, None where the column is not there or the value is missing."""
        text = self.cells.get(column, "")
        return None if text in {"", MISSING} else text

    @property
    def participant_id(self) -> str:
        """The row's participant with ``sub-``, empty where it names none."""
        return read_participant(self.cells.get("participant_id"))


def read_number(row: TableRow, column: str, path: Path) -> float | None:
    """A cell as a number, None where it is missing.

    Parameters
    ----------
    row : TableRow
    column : str
        Need not be there.
    path : Path
        The table, for the error.

    Raises
    ------
    ScanTableError
        The cell has something else, or a number that is not finite.
    """
    text = row.get(column)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ScanTableError(f"{path}, line {row.line}: column {column} has {text!r}, expected a number or n/a.")
    return value


def read_rows(path: Path, *, required: Sequence[str]) -> list[TableRow]:
    """Read a tab-separated table, every cell as stripped text. Rows that end early are filled with empty cells.

    Raises
    ------
    ScanTableError
        The file cannot be read, lacks a required column, names one twice or has a row with more cells than columns.
    """
    text = _read_text(path)
    lines = re.split(r"\r\n|\n|\r", text)  # not splitlines: it breaks at characters that may stand in a cell
    header, *rest = ([_unquote(cell) for cell in line.split("\t")] for line in lines)
    lacking = [name for name in required if name not in header]
    if lacking:
        raise ScanTableError(
            f"{path} has no column {', '.join(lacking)} (it has: {', '.join(header)[:200]}). "
            "Columns are separated by tabs."
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise ScanTableError(f"{path} has more than one column {', '.join(twice)}.")
    rows = []
    for line, cells in enumerate(rest, start=2):
        if len(cells) > len(header) and any(cells[len(header) :]):
            raise ScanTableError(f"{path}, line {line}: {len(cells)} cells, expected {len(header)}.")
        if any(cells):
            filled = cells + [""] * (len(header) - len(cells))
            rows.append(TableRow(line, dict(zip(header, filled, strict=False))))
    return rows


def _read_text(path: Path) -> str:
    try:
        if is_link_without_content(path):
            raise ScanTableError(f"{path} is a {LINK_WITHOUT_CONTENT}.")
        size = path.stat().st_size
        if size > MAX_TABLE_BYTES:
            raise ScanTableError(f"{path} is {size} bytes large: expected a table of at most {MAX_TABLE_BYTES}.")
        content = path.read_bytes()
        if content[:_POINTER_BYTES].startswith((b"/annex/", b"../.git/annex/", *POINTER_MARKS)):
            raise ScanTableError(f"{path} is a {LINK_WITHOUT_CONTENT}.")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScanTableError(
            f"{path} cannot be read as a tab-separated table: it is not in UTF-8 (byte "
            f"{error.object[error.start]:#04x} at {error.start}). Save it again as tab-separated text in UTF-8."
        ) from error
    except (OSError, ValueError) as error:
        if isinstance(error, ScanTableError):
            raise
        raise ScanTableError(f"{path} cannot be read as a tab-separated table: {error}") from error


def _unquote(cell: str) -> str:
    """A cell without the spaces and quotes around it that spreadsheets write."""
    cell = cell.strip()
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        cell = cell[1:-1].replace('""', '"').strip()
    return cell


def columns(name: str) -> list[str]:
    """Columns of one of our own tables, in order."""
    return list(load_schema(name)["properties"])


def format_table(name: str, rows: Sequence[Row]) -> str:
    """Text of one of our own tables: the schema's columns in its order, its decimals, ``n/a`` for what is missing.

    Raises
    ------
    PipelineError
        A row departs from the schema.
    """
    schema = load_schema(name)
    validator = Draft202012Validator(schema)
    for number, row in enumerate(rows, start=1):
        for error in validator.iter_errors(dict(row)):
            raise PipelineError(
                f"Row {number} of {name}.tsv departs from its schema: {error.json_path}: {error.message}"
            )
        wrong = [column for column, value in row.items() if isinstance(value, float) and not math.isfinite(value)]
        if wrong:
            raise PipelineError(f"Row {number} of {name}.tsv has no finite number in {', '.join(wrong)}.")
    fields: dict[str, Mapping[str, Any]] = schema["properties"]
    lines = ["\t".join(fields)]
    lines += ["\t".join(_cell(row.get(column), field) for column, field in fields.items()) for row in rows]
    return "\n".join(lines) + "\n"


def write_table(folder: Path, name: str, rows: Sequence[Row], *, schema: str | None = None) -> None:
    """Write one of our own tables and, beside it, the meaning and unit of each column as BIDS wants it.

    A table with the columns of another one names its `schema`.
    """
    text = format_table(schema or name, rows)
    write_json(folder / f"{name}.json", sidecar(schema or name))
    write_text(folder / f"{name}.tsv", text)


def sidecar(name: str) -> dict[str, dict[str, Any]]:
    """What each column of a table of ours means, in the form of a BIDS sidecar."""
    described: dict[str, dict[str, Any]] = {}
    for column, field in load_schema(name)["properties"].items():
        described[column] = {"Description": field["description"]}
        if field["unit"] not in {"text", "name", "path"}:
            described[column]["Units"] = field["unit"]
        if "levels" in field:
            described[column]["Levels"] = field["levels"]
    return described


def format_number(value: float, decimals: int, *, significant: int = 2) -> str:
    """A number with so many decimals, or more where fewer than `significant` digits would be left of it.

    Examples
    --------
    >>> format_number(3.14159, 1), format_number(0.0042, 1), format_number(0.0, 1), format_number(-4.2e-7, 2)
    ('3.1', '0.0042', '0.0', '-0.00000042')
    """
    if value != 0 and abs(value) < 10.0 ** (significant - 1 - decimals):
        decimals = min(significant - 1 - math.floor(math.log10(abs(value))), _MAX_DECIMALS)
    return f"{value:.{decimals}f}"


def show_plain(value: float) -> str:
    """A number of the patients as its table has it: a count in full, anything else with six digits.

    Examples
    --------
    >>> show_plain(1234567.0), show_plain(0.7)
    ('1234567', '0.7')
    """
    return f"{value:.0f}" if value.is_integer() and abs(value) < _LARGEST_COUNT else f"{value:.6g}"


def _cell(value: Any, field: Mapping[str, Any]) -> str:
    """One cell: a number with the column's decimals, a text without tabs and line breaks."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, float):
        text = f"{value:.{field['significant']}g}" if "significant" in field else f"{value:.{field['decimals']}f}"
        return text.removeprefix("-") if float(text) == 0 else text
    return " ".join(str(value).split())
