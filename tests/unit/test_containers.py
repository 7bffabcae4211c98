"""Promises of the container recipes, which need no engine to be looked at."""

import re
from pathlib import Path

import pytest
import yaml

import graytrace
from graytrace.workflow.opening import job_environment

ROOT = Path(graytrace.__file__).parents[2]
CONTAINERS = ROOT / "containers"
NAMES = ("embedded", "fsl", "ants", "freesurfer", "deepbet")
DOCKERFILES = [CONTAINERS / name / "Dockerfile" for name in NAMES]
DEFINITIONS = [path for name in NAMES for path in (CONTAINERS / name).glob("*.def")]


def text(path):
    return path.read_text(encoding="utf-8")


def test_each_engine_has_both_recipes_and_images_yaml_names_them():
    assert len(DEFINITIONS) == len(NAMES)
    images = yaml.safe_load(text(CONTAINERS / "images.yaml"))
    assert {ROOT / image["recipe"] for image in images.values() if image["recipe"]} == set(DEFINITIONS)


@pytest.mark.parametrize("recipe", [*DOCKERFILES, *DEFINITIONS], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_recipe_names_this_version_and_a_license_and_pins_what_it_builds_on(recipe):
    content = text(recipe)
    assert re.search(rf"image\.version\W+{re.escape(graytrace.__version__)}\b", content)
    assert re.search(r"image\.licenses\W+\w", content)
    assert "icense" in content.splitlines()[0]
    bases = re.findall(r"^(?:FROM|From:) +(\S+)", content, flags=re.MULTILINE)
    assert bases
    for base in bases:
        assert re.search(r"@sha256:[0-9a-f]{64}$|:\d+\.\d+\.\d+[-\w]*$", base), base
    assert "install-graytrace.sh" in content
    assert "PYTHONSAFEPATH=1" in content


@pytest.mark.parametrize("recipe", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_runs_as_an_ordinary_user_and_copies_only_what_is_named(recipe):
    content = text(recipe)
    users = re.findall(r"^USER +(\S+)", content, flags=re.MULTILINE)
    assert users[-1] == "1000:1000"
    assert content.index("USER 1000") > content.rindex("RUN ")
    assert not re.search(r"^COPY \. |^ADD ", content, flags=re.MULTILINE)
    allowed = text(recipe.with_name("Dockerfile.dockerignore")).splitlines()
    assert allowed[0] == "*"
    for sources in re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", content, flags=re.MULTILINE):
        for source in sources.split():
            assert f"!{source}" in allowed, source


@pytest.mark.parametrize("name", NAMES)
def test_both_recipes_of_an_engine_do_the_same(name):
    docker = text(CONTAINERS / name / "Dockerfile")
    definition = text(next((CONTAINERS / name).glob("*.def")))
    scripts = set(re.findall(r"[\w-]+\.sh\b", docker))
    assert scripts == set(re.findall(r"[\w-]+\.sh\b", definition))
    bases = [set(re.findall(r"^(?:FROM|From:) +(\S+)", one, flags=re.MULTILINE)) for one in (docker, definition)]
    assert bases[0] == bases[1]


@pytest.mark.parametrize("script", sorted(CONTAINERS.rglob("*.sh")), ids=lambda path: path.name)
def test_a_script_can_be_run_and_stops_at_the_first_fault(script):
    assert script.stat().st_mode & 0o111
    assert re.search(r"^set -eu", text(script), flags=re.MULTILINE)


def test_a_job_carries_the_version_that_it_expects():
    assert f"GRAYTRACE_VERSION={graytrace.__version__}" in job_environment()
