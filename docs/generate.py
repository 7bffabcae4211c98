"""Write the pages of the documentation that come from the schemas; with --check only say whether they are stale."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from graytrace.schemas import SCHEMAS, load_schema

PROJECT = Path(__file__).resolve().parents[1]
DOCS = PROJECT / "docs"
NOTE = "<!-- made by docs/generate.py from pipeline/graytrace/schemas: change it there -->\n\n"
TABLES = {
    "atrophy": "a row for every planned patient and follow-up: the result",
    "volumes": "a row for every planned scan",
    "quality": "a row for every planned scan and pair",
    "dose_response": "a row for each question",
    "scans": "a row for every planned scan, before anything is measured",
}


def write_parameters() -> str:
    """The page on the configuration."""
    schema = json.loads((SCHEMAS / "config.schema.json").read_text(encoding="utf-8"))
    defaults = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    parts = [NOTE + "# Parameters\n\nKeys of the configuration; `config.yaml` has the default of each.\n"]
    for name, section in schema["properties"].items():
        parts.append(f"## {name}\n\n{section['description']}\n\n| key | default | meaning |\n| --- | --- | --- |")
        for key, field in section["properties"].items():
            default = defaults.get(name, {}).get(key)
            parts.append(f"| `{name}.{key}` | {_default(default)} | {_cell(field['description'])}{_choices(field)} |")
        parts.append("")
    limits = defaults["quality"]["limits"]
    parts.append("## Default limits of quality\n\n| number | least | most |\n| --- | --- | --- |")
    parts += [f"| `{name}` | {limit.get('min', '')} | {limit.get('max', '')} |" for name, limit in limits.items()]
    return "\n".join(parts) + "\n"


def _default(value: Any) -> str:
    return "see below" if isinstance(value, dict) else f"`{json.dumps(value)}`"


def _choices(field: Mapping[str, Any]) -> str:
    return f" One of {', '.join(f'`{choice}`' for choice in field['enum'])}." if "enum" in field else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def write_columns() -> str:
    """The page on the columns of every table."""
    parts = [
        NOTE
        + "# Columns of the tables\n\nMissing values are `n/a`. The same stands in the `.json` file beside a table.\n"
    ]
    for name, text in TABLES.items():
        parts.append(
            f"## {name}.tsv\n\n{text[0].upper()}{text[1:]}.\n\n| column | unit | meaning |\n| --- | --- | --- |"
        )
        for column, field in load_schema(name)["properties"].items():
            levels = "".join(f" `{level}`: {meaning};" for level, meaning in field.get("levels", {}).items()).rstrip(
                ";"
            )
            parts.append(f"| `{column}` | {field['unit']} | {_cell(field['description'])}{levels} |")
        parts.append("")
    return "\n".join(parts)


PAGES = {"parameters.md": write_parameters, "columns.md": write_columns}


def main() -> int:
    """Write or check the pages; 1 when one is out of date."""
    stale = [name for name, write in PAGES.items() if _read(DOCS / name) != write()]
    if "--check" in sys.argv[1:]:
        for name in stale:
            sys.stderr.write(f"docs/{name} is out of date: run python docs/generate.py\n")
        return int(bool(stale))
    for name in stale:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
    return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
