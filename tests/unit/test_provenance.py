import os
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from graytrace import __version__, provenance
from graytrace.provenance import code_fingerprint, file_sha256, whole_file, write_json


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three modules, of which `step` imports `maths` within a function."""
    root = tmp_path / "graytrace"
    (root / "algorithms").mkdir(parents=True)
    (root / "__init__.py").write_text('"""Package."""\n')
    (root / "algorithms" / "__init__.py").write_text("")
    (root / "algorithms" / "maths.py").write_text("def double(x):\n    return 2 * x\n")
    (root / "step.py").write_text(
        "def run():\n    from graytrace.algorithms.maths import double\n    return double(2)\n"
    )
    (root / "other.py").write_text("A = 1\n")
    monkeypatch.setattr(provenance, "_PACKAGE", root)

    def fingerprint(*names):
        provenance.code_fingerprint.cache_clear()
        provenance._facts.cache_clear()
        provenance._source_path.cache_clear()
        return code_fingerprint(*names)

    yield root, fingerprint
    provenance.code_fingerprint.cache_clear()
    provenance._facts.cache_clear()
    provenance._source_path.cache_clear()


def test_a_change_in_an_imported_module_changes_the_fingerprint(package):
    root, fingerprint = package
    before = fingerprint("graytrace.step")
    (root / "algorithms" / "maths.py").write_text("def double(x):\n    return 3 * x\n")
    assert fingerprint("graytrace.step") != before


def test_comments_layout_and_modules_that_are_not_used_do_not_count(package):
    root, fingerprint = package
    before = fingerprint("graytrace.step")
    (root / "algorithms" / "maths.py").write_text("# twice\ndef double(x): return 2*x\n")
    (root / "other.py").write_text("A = 2\n")
    assert fingerprint("graytrace.step") == before


def test_data_files_count_by_their_bytes(package):
    root, fingerprint = package
    absent = fingerprint("graytrace.step", "graytrace/weights.onnx")
    (root / "weights.onnx").write_bytes(b"1")
    first = fingerprint("graytrace.step", "graytrace/weights.onnx")
    (root / "weights.onnx").write_bytes(b"2")
    assert len({absent, first, fingerprint("graytrace.step", "graytrace/weights.onnx")}) == 3


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
