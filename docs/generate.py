"""Write what follows from schemas, catalog and registry: pages, parts of pages, the clusters' profiles.

With --check it only says whether they are stale.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from graytrace.algorithms.precision import SHARES, Shares
from graytrace.catalog import STEPS, names_of
from graytrace.engines.registry import TASKS
from graytrace.files import file_sha256
from graytrace.report.published import WORDS, load_published
from graytrace.results.sdtm import load_mapping
from graytrace.schemas import load_metrics, load_schema

PROJECT = Path(__file__).resolve().parents[1]
NOTE = "<!-- made by docs/generate.py from pipeline/graytrace/schemas: change it there -->\n\n"
TABLES = {
    "atrophy": "a row for every planned patient and follow-up: the result",
    "slopes": "a row for every planned patient, with `study.visits: all` (`pairs.tsv` has the columns of atrophy.tsv)",
    "trajectory": "a row for every planned visit of every patient, with `study.visits: all`",
    "volumes": "a row for every planned scan",
    "structures": "a row for each structure of every planned scan and pair",
    "quality": "a row for every planned scan and pair",
    "lesions": "a row for each white-matter lesion of a measured pair",
    "dose_response": "a row for each question",
    "trend": "rows for each question: how the change follows the dose, and what the answer hangs on",
    "scans": "a row for every planned scan, before anything is measured",
    "review": "a row for each reader and patient, of `graytrace review`; readers fill it",
    "repeatability": "a row for each measure, of `graytrace repeatability`",
}


def write_parameters() -> str:
    """The page on the configuration."""
    schema = load_schema("config")
    defaults = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    parts = [NOTE + "# Parameters\n\nKeys of the configuration; `config.yaml` has the default of each.\n"]
    for name, section in schema["properties"].items():
        parts.append(f"## {name}\n\n{section['description']}\n\n| key | default | meaning |\n| --- | --- | --- |")
        for key, field in section["properties"].items():
            default = defaults.get(name, {}).get(key)
            choices = TASKS[key].engines if name == "engines" else field.get("enum", ())
            parts.append(f"| `{name}.{key}` | {_default(default)} | {_cell(field['description'])}{_choices(choices)} |")
        parts.append("")
    limits = defaults["quality"]["limits"]
    parts.append("## Default limits of image quality metrics\n\n| number | least | most |\n| --- | --- | --- |")
    parts += [f"| `{name}` | {limit.get('min', '')} | {limit.get('max', '')} |" for name, limit in limits.items()]
    return "\n".join(parts) + "\n"


def _default(value: Any) -> str:
    return "see below" if isinstance(value, dict) else f"`{json.dumps(value)}`"


def _choices(choices: Iterable[str]) -> str:
    named = ", ".join(f"`{choice}`" for choice in choices)
    return f" One of {named}." if named else ""


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


def _atrophy_columns() -> str:
    """The table of columns of atrophy.tsv."""
    rows = [f"| {name} | {field['unit']} | {_cell(field['description'])} |" for name, field in _fields("atrophy")]
    return "\n".join(["| column | unit | meaning |", "| --- | --- | --- |", *rows])


def _metrics() -> str:
    """The table of image quality metrics."""
    rows = [
        f"| {name} | {_cell(field['formula'])} | {field['good']} | {field.get('source', '')} |"
        for name, field in load_metrics().items()
    ]
    return "\n".join(["| metric | formula | better | source |", "| --- | --- | --- | --- |", *rows])


def _steps() -> str:
    """The table of steps."""
    rows = [f"| {name} | {step.scope} | {step.help} |" for name, step in STEPS.items()]
    return "\n".join(["| step | of a | what it does |", "| --- | --- | --- |", *rows])


def _shares() -> str:
    """The table of how much of each piece of evidence turns into error."""
    names = [field.name for field in fields(Shares)]
    rows = [
        f"| {tissue} | {' | '.join(f'{getattr(shares, name):g}' for name in names)} |"
        for tissue, shares in SHARES.items()
    ]
    return "\n".join([f"| tissue | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}", *rows])


def _fields(table: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    fields: Mapping[str, Mapping[str, Any]] = load_schema(table)["properties"]
    return fields.items()


def _jobs() -> list[str]:
    """Steps that a cluster runs: those on scans, then those on pairs."""
    return [*_of("scan"), *_of("pair")]


def _of(scope: Any) -> list[str]:
    return [*names_of(scope), *names_of(scope, checks=True)]


def _group(name: str) -> str:
    return next((group for group, names in GROUPS.items() if name in names), STEPS[name].scope)


def _slurm() -> str:
    """Groups and times of the profile for Slurm."""
    lines = ["groups:", *(f"  {name}: {_group(name)}" for name in _jobs()), "", *TIMES, "set-resources:"]
    for name in _jobs():
        lines += [f"  {name}:", f'    runtime: "{STEPS[name].minutes} * attempt"']
    return "\n".join(lines)


def _slurm_arrays() -> str:
    """Arrays and groups of the profile with arrays: a group cannot be a task of an array."""
    scans = _of("scan")
    light = scans[scans.index("skull_strip") + 1 :]
    arrays = [name for name in _jobs() if name not in light]
    groups = [f"  {name}: {_group(name)}" for name in light]
    return "\n".join([f'slurm-array-jobs: "{",".join(arrays)}"', "groups:", *groups])


def write_requirements() -> str:
    """The page from requirement to test."""
    listed = yaml.safe_load(_read(PROJECT / REQUIREMENTS))
    count = sum(len(wanted) for wanted in listed.values())
    head = (
        f"<!-- made by docs/generate.py from {REQUIREMENTS}: change it there -->\n\n# Requirements and their tests\n\n"
        f"{count} requirements: what the program promises, and the tests that would fail if it did not keep it. "
        "`pytest` runs them all. A test checks that each requirement has one, that each test named here exists, and "
        "that this page is that list. Where [`graytrace qualify`](qualify.md) checks the same on a site's own machine, "
        "its numbers stand in the last column.\n"
    )
    parts = [head]
    for group, wanted in listed.items():
        parts.append(f"## {group}\n\n| no. | requirement | tests | qualification |\n| --- | --- | --- | --- |")
        for number, one in wanted.items():
            tests = "<br>".join(f"`{test}`" for test in one["tests"])
            parts.append(f"| {number} | {_cell(one['text'])} | {tests} | {', '.join(one.get('checks', ()))} |")
        parts.append("")
    return "\n".join(parts)


def _sdtm() -> str:
    """Tables of the mapping to SDTM."""
    mapping = load_mapping()
    parts = ["| NVTESTCD | NVTEST | unit | from |", "| --- | --- | --- | --- |"]
    for code, test in mapping["tests"].items():
        unit = "mL" if test["table"] == "volumes" else "%"
        parts.append(f"| {code} | {test['name']} | {unit} | `{test['table']}.tsv`, `{test['column']}` |")
    for name, described in mapping["datasets"].items():
        keys = ", ".join(described["keys"])
        parts += ["", f"**{name}**, {described['label']}. {described['structure']}. Keys: {keys}.", ""]
        parts += ["| variable | label | type | from |", "| --- | --- | --- | --- |"]
        parts += [
            f"| {variable} | {told['label']} | {told['type']} | {_cell(told['source'])} |"
            for variable, told in described["variables"].items()
        ]
    parts += ["", "**Qualifiers** in SUPPNV:", "", "| QNAM | QLABEL | QORIG | from |", "| --- | --- | --- | --- |"]
    parts += [
        f"| {name} | {told['label']} | {told['origin']} | {_cell(told['source'])} |"
        for name, told in mapping["qualifiers"].items()
    ]
    parts += ["", "**Left out**:", ""]
    parts += [f"- {name}: {why}." for name, why in mapping["left_out"].items()]
    return "\n".join(parts)


def _rates() -> str:
    """The table of published rates."""
    rows = [
        f"| {WORDS[column]} | {one.group} | {one.spread} | {one.method} | {one.source}, "
        f"[doi:{one.doi}](https://doi.org/{one.doi}) |"
        for column, rates in load_published().items()
        for one in rates
    ]
    return "\n".join(["| of | whose | percent per year | how | source |", "| --- | --- | --- | --- | --- |", *rows])


def _weights() -> str:
    """Digest of the network's weights, as `graytrace qualify` expects it; a copy without them keeps what it has."""
    if not WEIGHTS.is_file():
        return _read(PROJECT / DIGESTS)
    return f"{file_sha256(WEIGHTS)}  {WEIGHTS.name}\n"


# what joins the lesions of both visits lies between the steps of their scans: in one group with either, two groups
# would wait for each other, and in one with both, a job would need the cores of two scans
GROUPS = {
    "midway": ("align_visits", "join_lesions"),
    "tissue": ("fill_lesions", "segment_tissue", "label_structures", "gray_matter_volume", "check_scan"),
}
TIMES = [
    "# Minutes: five times the longest that was measured on 1 mm scans with the embedded engine, at least 5.",
    "# Other engines take hours: --set-resources segment_tissue:runtime=600",
]
REQUIREMENTS = "docs/requirements.yaml"
DIGESTS = "pipeline/graytrace/engines/embedded/weights/SHA256SUMS"
WEIGHTS = PROJECT / "pipeline/graytrace/engines/embedded/weights/structures.onnx"
PAGES = {
    "docs/parameters.md": write_parameters,
    "docs/columns.md": write_columns,
    "docs/requirements.md": write_requirements,
    DIGESTS: _weights,
}
# parts of files, between lines with "begin NAME" and "end NAME"
PARTS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "docs/outputs.md": ("columns", _atrophy_columns),
    "docs/quality.md": ("metrics", _metrics),
    "docs/design.md": ("steps", _steps),
    "docs/sdtm.md": ("mapping", _sdtm),
    "docs/clinic.md": ("rates", _rates),
    "docs/how-numbers-are-computed.md": ("shares", _shares),
    "profiles/slurm/profile.yaml": ("jobs", _slurm),
    "profiles/slurm-arrays/profile.yaml": ("jobs", _slurm_arrays),
}


def _with_part(path: Path, name: str, text: str) -> str:
    """A file's text with a part of it written again."""
    pattern = re.compile(rf"(?<=\n)([^\n]*\bbegin {name}\b[^\n]*\n)(.*?)(\n[^\n]*\bend {name}\b)", re.DOTALL)
    if path.suffix == ".md":
        text = f"\n{text}\n"
    found, count = pattern.subn(lambda match: f"{match[1]}{text}{match[3]}", _read(path))
    if count != 1:
        raise SystemExit(f"{path}: expected one part between 'begin {name}' and 'end {name}', found {count}")
    return found


def expected_files() -> dict[str, str]:
    """Text of every file that this script writes, by its path in the project."""
    pages = {name: write() for name, write in PAGES.items()}
    parts = {name: _with_part(PROJECT / name, part, write()) for name, (part, write) in PARTS.items()}
    return {**pages, **parts}


def main() -> int:
    """Write or check the files; 1 when one is out of date."""
    stale = {name: text for name, text in expected_files().items() if _read(PROJECT / name) != text}
    if "--check" in sys.argv[1:]:
        for name in stale:
            sys.stderr.write(f"{name} is out of date: run python docs/generate.py\n")
        return int(bool(stale))
    for name, text in stale.items():
        (PROJECT / name).write_text(text, encoding="utf-8")
    return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
