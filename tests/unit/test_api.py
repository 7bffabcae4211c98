"""Graytrace from Python: a cheap import, the notebook as it stands in the documentation, errors in words."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

import graytrace
from graytrace.errors import ImageError

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "examples" / "two-scans.ipynb"
AT_TWO_MM_POINTS = 0.8  # of a 2 mm phantom; 1 mm scans are measured some times better (docs/validation.md)


def test_the_package_alone_imports_nothing():
    code = "import sys, graytrace; print([name for name in sys.modules if name.startswith(('numpy', 'graytrace.'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


def test_what_is_offered_is_there():
    assert all(callable(getattr(graytrace, name)) for name in graytrace.__all__ if name != "__version__")
    with pytest.raises(AttributeError, match="no attribute 'measure_pears'"):
        _ = graytrace.measure_pears


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """The notebook's variables after all its cells ran, and the folder where they did."""
    folder = tmp_path_factory.mktemp("notebook")
    found = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(found)
    variables = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for cell in found.cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, str(NOTEBOOK), "exec"), variables)  # noqa: S102 - our own notebook
    return variables, folder


def test_the_notebook_measures_what_is_true(notebook):
    variables, folder = notebook
    change = variables["change"]
    assert change.gm_change_percent == pytest.approx(variables["phantom"].true_gm_change_percent, abs=AT_TWO_MM_POINTS)
    assert change.gm_change_se_points > 0
    assert (folder / "change.jpg").stat().st_size > 10_000


def test_a_segmentation_lies_on_the_scans_grid(notebook):
    variables, _ = notebook
    for visit, (array, affine) in (
        (variables["change"].baseline, variables["phantom"].baseline),
        (variables["change"].followup, variables["phantom"].followup),
    ):
        assert visit.gm.shape == visit.brain_mask.shape == array.shape
        np.testing.assert_allclose(visit.voxel_to_ras, affine, atol=1e-4)  # a header holds single precision
        assert 0 <= visit.gm.min() <= visit.gm.max() <= 1
        assert visit.gm_volume_ml + visit.wm_volume_ml < visit.icv_ml


def test_the_notebook_has_no_outputs():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_what_is_no_scan_is_said():
    with pytest.raises(ImageError, match=r"expected an \(X, Y, Z\) array"):
        graytrace.segment((np.zeros((4, 4)), np.eye(4)))
