"""Promises of the repository itself: documents that agree with the code, requirements that install anywhere."""

import json
import re
from pathlib import Path

import pytest

import pipeline

ROOT = Path(pipeline.__file__).parents[1]


def _text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def _schema(name):
    return json.loads(_text(f"pipeline/schemas/{name}.schema.json"))


def test_the_citation_names_this_version():
    assert f"\nversion: {pipeline.__version__}\n" in _text("CITATION.cff")


def test_the_outputs_page_explains_every_column_of_the_result():
    page = _text("docs/outputs.md")
    assert [name for name in _schema("atrophy")["properties"] if name not in page] == []


def test_the_readme_speaks_of_columns_that_exist():
    table = _text("README.md").split("## What the columns mean")[1].split("##")[0]
    first_cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name for cell in first_cells for name in re.findall(r"`([a-z_]+)`", cell)}
    assert named
    assert named <= set(_schema("atrophy")["properties"])


def test_every_flag_is_explained():
    used = {
        code
        for path in (ROOT / "pipeline").rglob("*.py")
        for code in re.findall(r"\bFlag\(\s*\"([a-z_]+)\"", path.read_text(encoding="utf-8"))
    }
    page = _text("docs/outputs.md")
    assert used
    assert sorted(code for code in used if code not in page) == []


def test_every_reason_is_explained():
    used = {
        code
        for path in (ROOT / "pipeline").rglob("*.py")
        for code in re.findall(r"\b(?:ImageError|Reason)\(\s*\"([a-z_0-9]+)\"", path.read_text(encoding="utf-8"))
    }
    page = _text("docs/outputs.md")
    assert used
    assert sorted(code for code in used if code not in page) == []


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_requirements_are_hashed_and_name_no_place(name):
    text = _text(f"requirements/{name}.txt")
    pinned = re.findall(r"^[A-Za-z0-9_.-]+==.*\\$", text, flags=re.MULTILINE)
    starts = re.findall(r"^[A-Za-z0-9_.-]+.*$", text, flags=re.MULTILINE)
    assert pinned == starts
    assert not re.search(r"^--|https?:|file:|find-links|index-url", text, flags=re.MULTILINE)


def test_dev_and_runtime_pin_the_same_versions():
    runtime, dev = (
        dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", _text(f"requirements/{name}.txt"), flags=re.MULTILINE))
        for name in ("runtime", "dev")
    )
    assert {name: dev.get(name) for name in runtime} == runtime


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_every_direct_dependency_has_its_reason(name):
    page = _text("docs/dependencies.md").lower()
    wanted = re.findall(r"^([A-Za-z][A-Za-z0-9_.-]*)", _text(f"requirements/{name}.in"), flags=re.MULTILINE)
    assert [package for package in wanted if package.lower() not in page] == []
