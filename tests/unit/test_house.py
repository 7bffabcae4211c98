"""Promises of the repository itself: documents that agree with the code, requirements that install anywhere."""

import json
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

import graytrace
from graytrace.catalog import STEPS

ROOT = Path(graytrace.__file__).parents[2]


def _text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def _schema(name):
    return json.loads(_text(f"pipeline/graytrace/schemas/{name}.schema.json"))


def test_the_citation_names_this_version():
    assert f"\nversion: {graytrace.__version__}\n" in _text("CITATION.cff")


def test_citation_and_codemeta_say_the_same_as_the_package():
    citation, project = yaml.safe_load(_text("CITATION.cff")), tomllib.loads(_text("pyproject.toml"))["project"]
    codemeta = json.loads(_text("codemeta.json"))
    assert codemeta["version"] == str(citation["version"]) == graytrace.__version__
    assert codemeta["name"] == project["name"]
    assert codemeta["description"] == project["description"]
    assert codemeta["license"].endswith(f"/{project['license']}")
    assert citation["license"] == project["license"]
    assert codemeta["runtimePlatform"] == f"Python {project['requires-python']}"
    assert codemeta["keywords"] == citation["keywords"]
    assert [author["name"] for author in codemeta["author"]] == [author["name"] for author in citation["authors"]]


def test_the_changelog_begins_with_this_version_and_speaks_to_every_reader():
    newest = re.split(r"^## ", _text("CHANGELOG.md"), flags=re.MULTILINE)[1]
    assert newest.startswith((f"[{graytrace.__version__}] - ", "[Unreleased]"))
    assert re.findall(r"^### For (\w+)", newest, flags=re.MULTILINE) == ["users", "operators", "developers"]


def test_a_file_of_more_than_a_megabyte_has_a_reason():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()  # noqa: S607
    large = {name for name in listed if (ROOT / name).stat().st_size > 1 << 20}
    # the network's weights: the embedded engine needs no network connection
    assert large <= {"pipeline/graytrace/engines/embedded/weights/structures.onnx"}


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


def test_no_source_is_hidden_from_the_linter():
    """A folder's bare name among the exclusions hides every folder of that name."""
    command = [sys.executable, "-m", "ruff", "check", "--show-files", "."]
    seen = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603
    sources = {str(path) for folder in ("pipeline", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")}
    assert sorted(sources - set(seen)) == []


@pytest.mark.parametrize("name", ["runtime", "dev", "cluster"])
def test_requirements_are_hashed_and_name_no_place(name):
    text = _text(f"requirements/{name}.txt")
    pinned = re.findall(r"^[A-Za-z0-9_.-]+==.*\\$", text, flags=re.MULTILINE)
    starts = re.findall(r"^[A-Za-z0-9_.-]+.*$", text, flags=re.MULTILINE)
    assert pinned == starts
    assert not re.search(r"^--|https?:|file:|find-links|index-url", text, flags=re.MULTILINE)


@pytest.mark.parametrize("other", ["dev", "cluster"])
def test_every_list_pins_the_versions_of_a_run(other):
    runtime, pinned = (
        dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", _text(f"requirements/{name}.txt"), flags=re.MULTILINE))
        for name in ("runtime", other)
    )
    assert {name: pinned.get(name) for name in runtime} == runtime


def test_the_slurm_profile_speaks_of_all_rules_that_it_submits():
    profile = yaml.safe_load(_text("profiles/slurm/profile.yaml"))
    rules = {
        rule: path.name
        for path in (ROOT / "pipeline" / "rules").glob("*.smk")
        for rule in re.findall(r"^rule (\w+):", path.read_text(), flags=re.MULTILINE)
    }
    of_patients = {rule for rule in rules if rule in profile["groups"]}
    assert set(profile["groups"]) == set(profile["set-resources"]) == of_patients
    assert {
        rule for rule, name in rules.items() if name in {"scan.smk", "tissue.smk", "lesions.smk", "change.smk"}
    } <= (of_patients)


def test_the_profile_with_arrays_has_every_job_in_a_group_or_in_an_array():
    jobs = set(yaml.safe_load(_text("profiles/slurm/profile.yaml"))["groups"])
    profile = yaml.safe_load(_text("profiles/slurm-arrays/profile.yaml"))
    arrays = set(profile["slurm-array-jobs"].split(","))
    assert arrays | set(profile["groups"]) == jobs
    assert not arrays & set(profile["groups"])


@pytest.mark.parametrize("name", ["slurm", "slurm-arrays"])
def test_no_two_groups_of_a_cluster_wait_for_each_other(name):
    """Joined lesions lie between the jobs of a pair's scans; a job that is in no group is one of its own."""
    groups = yaml.safe_load(_text(f"profiles/{name}/profile.yaml"))["groups"]
    read_by = {
        step: {*known.reads, *(["fill_lesions"] if "image" in known.reads else [])} for step, known in STEPS.items()
    }
    read_by["fill_lesions"].add("join_lesions")
    waits: dict[str, set[str]] = {}
    for step, reads in read_by.items():
        own = groups.get(step, step)
        waits.setdefault(own, set()).update(groups.get(one, one) for one in reads - {"image"})
        waits[own].discard(own)
    order = list(TopologicalSorter(waits).static_order())
    assert order.index(groups.get("join_lesions", "join_lesions")) < order.index(
        groups.get("measure_change", "measure_change")
    )


def test_a_cluster_has_containers_and_one_profile_that_goes_without():
    wanted, without = (
        yaml.safe_load(_text(f"profiles/{name}/profile.yaml"))["software-deployment-method"]
        for name in ("slurm", "installed")
    )
    assert wanted == "apptainer"
    assert without == "env-modules"
    rules = "".join(path.read_text() for path in (ROOT / "pipeline" / "rules").glob("*.smk"))
    assert "envmodules" not in rules  # or the second profile would do something


@pytest.mark.parametrize("name", ["runtime", "dev", "cluster"])
def test_every_direct_dependency_has_its_reason(name):
    page = _text("docs/dependencies.md").lower()
    wanted = re.findall(r"^([A-Za-z][A-Za-z0-9_.-]*)", _text(f"requirements/{name}.in"), flags=re.MULTILINE)
    assert [package for package in wanted if package.lower() not in page] == []
