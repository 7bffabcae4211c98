import os
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from graytrace import __version__
from graytrace.files import file_sha256, whole_file, write_json


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with whole_file(path) as part:
            part.write_text("ne")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert [child.name for child in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are Unix's")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_write_that_fails_says_which_file(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught, whole_file(tmp_path / "a.txt"):
        Path("/dev/full").write_text("a")
    assert caught.value.filename == str(tmp_path / "a.txt")


def test_a_file_is_as_readable_as_any_other(tmp_path):
    plain, whole = tmp_path / "plain", tmp_path / "whole"
    plain.touch()
    with whole_file(whole) as part:
        part.write_text("x")
    assert stat.S_IMODE(whole.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_json_is_written_in_one_way(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": "ä"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "b": 1,\n  "a": "ä"\n}\n'


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - hidden files count


def test_a_digest_is_that_of_sha256sum(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a").startswith("ba7816bf")


def test_the_version_is_the_packages():
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
    assert project.get("version", __version__) == __version__
