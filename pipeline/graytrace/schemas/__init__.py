"""JSON schemas of the configuration and of every table: unit and description of each field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).resolve().parent


def load_schema(name: str) -> dict[str, Any]:
    """Schema of one of our own tables by its name, for example ``atrophy``."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema
