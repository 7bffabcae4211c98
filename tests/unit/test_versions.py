import subprocess
import sys
import tomllib
from pathlib import Path

from graytrace.versions import IMPORTED_AS, imported_versions, package_version

PROJECT = Path(__file__).resolve().parents[2]


def test_every_package_that_is_needed_can_be_told():
    wanted = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {text.split(">")[0].split("=")[0].split("~")[0].strip().lower() for text in wanted}
    assert {name.lower() for name in IMPORTED_AS} == names


def test_what_was_imported_is_told_and_nothing_else():
    code = (
        "import scipy, json; from graytrace.versions import imported_versions; print(json.dumps(imported_versions()))"
    )
    told = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own code
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert f'"scipy": "{package_version("scipy")}"' in told[0]
    assert "SimpleITK" not in told[0]


def test_a_package_keeps_the_name_that_its_authors_write():
    import yaml  # noqa: F401, PLC0415 - it is to be seen

    assert imported_versions()["PyYAML"] == package_version("PyYAML")
