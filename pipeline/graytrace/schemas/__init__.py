"""JSON schemas of the configuration and of every table: unit and description of each field.

Fields of tables carry more than JSON Schema asks for: ``unit`` and ``decimals``; ``from``, whose measure a cell is
(``pair``, or ``baseline gm_volume_ml`` where it is called otherwise); of an image quality metric also ``step``, which
alone makes it, ``reason``, for which it may withhold a row, ``label``,
``better``, ``relevant`` (see `graytrace.results.limits.Metric`), ``formula``, ``good`` and ``source``.
"""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).resolve().parent


@functools.cache
def load_schema(name: str) -> dict[str, Any]:
    """Schema of one of our own tables by its name, for example ``atrophy``; not to be changed."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


def load_metrics() -> dict[str, dict[str, Any]]:
    """Fields of quality.tsv that are image quality metrics, which can have a limit, in the table's order."""
    return {name: field for name, field in load_schema("quality")["properties"].items() if "better" in field}


def load_config_schema() -> dict[str, Any]:
    """Schema of the configuration: each image quality metric may have a limit."""
    schema = copy.deepcopy(load_schema("config"))
    limits = schema["properties"]["quality"]["properties"]["limits"]
    limits["properties"] = {name: {"$ref": "#/$defs/limit"} for name in load_metrics()}
    return schema
