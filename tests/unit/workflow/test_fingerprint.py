import pytest

from graytrace.workflow import fingerprint as fingerprint_of_code
from graytrace.workflow.fingerprint import code_fingerprint


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three modules, of which `step` imports `math` within a function."""
    root = tmp_path / "graytrace"
    (root / "algorithms").mkdir(parents=True)
    (root / "__init__.py").write_text('"""Package."""\n')
    (root / "algorithms" / "__init__.py").write_text("")
    (root / "algorithms" / "math.py").write_text("def double(x):\n    return 2 * x\n")
    (root / "step.py").write_text(
        "def run():\n    from graytrace.algorithms.math import double\n    return double(2)\n"
    )
    (root / "other.py").write_text("A = 1\n")
    monkeypatch.setattr(fingerprint_of_code, "_PACKAGE", root)

    def fingerprint(*names):
        fingerprint_of_code.code_fingerprint.cache_clear()
        fingerprint_of_code._facts.cache_clear()
        fingerprint_of_code._source_path.cache_clear()
        return code_fingerprint(*names)

    yield root, fingerprint
    fingerprint_of_code.code_fingerprint.cache_clear()
    fingerprint_of_code._facts.cache_clear()
    fingerprint_of_code._source_path.cache_clear()


def test_a_change_in_an_imported_module_changes_the_fingerprint(package):
    root, fingerprint = package
    before = fingerprint("graytrace.step")
    (root / "algorithms" / "math.py").write_text("def double(x):\n    return 3 * x\n")
    assert fingerprint("graytrace.step") != before


def test_comments_layout_and_modules_that_are_not_used_do_not_count(package):
    root, fingerprint = package
    before = fingerprint("graytrace.step")
    (root / "algorithms" / "math.py").write_text("# twice\ndef double(x): return 2*x\n")
    (root / "other.py").write_text("A = 2\n")
    assert fingerprint("graytrace.step") == before


def test_data_files_count_by_their_bytes(package):
    root, fingerprint = package
    absent = fingerprint("graytrace.step", "graytrace/weights.onnx")
    (root / "weights.onnx").write_bytes(b"1")
    first = fingerprint("graytrace.step", "graytrace/weights.onnx")
    (root / "weights.onnx").write_bytes(b"2")
    assert len({absent, first, fingerprint("graytrace.step", "graytrace/weights.onnx")}) == 3
