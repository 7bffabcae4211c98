"""`requirements/install.sh`: uv where it works, pip where it does not, the same packages and hashes by both."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from graytrace.files import file_sha256

PROJECT = Path(__file__).resolve().parents[2]
NAME = "tiny_thing-1.0"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An empty virtual environment with pip, and a wheel of one module."""
    folder = tmp_path_factory.mktemp("install")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)  # noqa: S603 - our own command
    with zipfile.ZipFile(folder / f"{NAME}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_thing.py", "")
        wheel.writestr(f"{NAME}.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n")
        wheel.writestr(
            f"{NAME}.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{NAME}.dist-info/RECORD", "")
    return folder


@pytest.fixture
def install(environment, tmp_path):
    """Install the wheel by a hash with a stand-in for uv first on PATH: exit code, what was said, what is there."""

    def call(stand_in, digest):
        fake = tmp_path / "bin" / "uv"
        fake.parent.mkdir()
        fake.write_text(stand_in)
        fake.chmod(0o755)
        wheel = environment / f"{NAME}-py3-none-any.whl"
        wanted = tmp_path / "wanted.txt"
        wanted.write_text(f"tiny-thing @ {wheel.as_uri()} --hash=sha256:{digest}\n")
        python = environment / "venv" / "bin" / "python"
        remove = [python, "-m", "pip", "uninstall", "--quiet", "--yes", "tiny-thing"]
        subprocess.run(remove, check=False, capture_output=True)  # noqa: S603 - our own command
        script = [PROJECT / "requirements" / "install.sh", environment / "venv"]
        done = subprocess.run(  # noqa: S603 - our own script
            [*script, "--no-index", "--no-deps", "--require-hashes", "-r", wanted],
            env={**os.environ, "PATH": f"{fake.parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        there = list((environment / "venv").glob("lib/python*/site-packages/tiny_thing.py"))
        return done.returncode, done.stderr, len(there)

    return call


def digest(environment):
    return file_sha256(environment / f"{NAME}-py3-none-any.whl")


REAL = f'#!/bin/sh\nexec "{Path(sys.executable).parent / "uv"}" "$@"\n'
BROKEN = "#!/bin/sh\necho no route to the index >&2\nexit 2\n"


@pytest.mark.skipif(not (Path(sys.executable).parent / "uv").exists(), reason="uv is not installed beside Python")
def test_uv_installs_without_a_word_of_pip(install, environment):
    code, said, there = install(REAL, digest(environment))
    assert (code, there) == (0, 1), said
    assert "pip" not in said


def test_where_uv_cannot_pip_does_and_it_is_told(install, environment):
    code, said, there = install(BROKEN, digest(environment))
    assert (code, there) == (0, 1), said
    assert "Installing with pip, because uv could not" in said


@pytest.mark.parametrize("stand_in", [REAL, BROKEN])
def test_another_file_than_the_pinned_one_is_installed_by_neither(install, stand_in):
    code, said, there = install(stand_in, 64 * "0")
    assert code != 0
    assert there == 0
    assert "hash" in said.lower()
