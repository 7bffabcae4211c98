"""Tab-separated tables: reading those of a data set, writing our own with the meaning of each column beside."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jsonschema import Draft202012Validator

from pipeline.errors import PipelineError, ScanTableError
from pipeline.provenance import write_json, write_text
from pipeline.study.config import SCHEMAS

MISSING = "n/a"
Row = Mapping[str, Any]


def read_table(path: Path, *, required: Sequence[str]) -> pd.DataFrame:
    """Read a tab-separated table, every cell as stripped text.

    Raises
    ------
    ScanTableError
        The file cannot be read or lacks a required column.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise ScanTableError(f"{path} cannot be read as a tab-separated table: {error}") from error
    lacking = [name for name in required if name not in table.columns]
    if lacking:
        raise ScanTableError(
            f"{path} has no column {', '.join(lacking)} (it has: {', '.join(map(str, table.columns))}). "
            "Columns are separated by tabs."
        )
    for name in table.columns:
        table[name] = table[name].str.strip()
    return table


def load_schema(name: str) -> dict[str, Any]:
    """Schema of one of our own tables by its name, for example ``atrophy``."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


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


def write_table(folder: Path, name: str, rows: Sequence[Row]) -> None:
    """Write one of our own tables and, beside it, the meaning and unit of each column as BIDS wants it."""
    text = format_table(name, rows)
    write_json(folder / f"{name}.json", sidecar(name))
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


def _cell(value: Any, field: Mapping[str, Any]) -> str:
    """One cell: a number with the column's decimals, a text without tabs and line breaks."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, float):
        text = f"{value:.{field['decimals']}f}"
        return text.removeprefix("-") if float(text) == 0 else text
    return " ".join(str(value).split())
