import nibabel as nib
import numpy as np
import pytest

from graytrace.errors import ImageError, ToolError
from graytrace.images.grids import Volume
from graytrace.steps import find_lesions


def _find(monkeypatch, tmp_path, error):
    def run_stage(*_args, **_more):
        raise error

    monkeypatch.setattr(find_lesions, "run_stage", run_stage)
    return find_lesions._find_lesions({}, tmp_path / "flair.nii.gz", folder=tmp_path, job=None)


@pytest.mark.parametrize("error", [ImageError("truncated", "Too short."), ToolError("Nothing.", about_data=True)])
def test_a_flair_of_no_use_is_a_flag(monkeypatch, tmp_path, error):
    mask, flag, _ = _find(monkeypatch, tmp_path, error)
    assert mask is None
    assert flag.code == "flair_unusable"


def test_a_broken_engine_is_no_flag(monkeypatch, tmp_path):
    with pytest.raises(ToolError, match="weights"):
        _find(monkeypatch, tmp_path, ToolError("The network's weights are not there."))


def test_a_mask_with_nothing_above_one_half_is_refused(tmp_path):
    path = tmp_path / "mask.nii.gz"
    mask = np.zeros((4, 4, 4), np.float32)
    nib.save(nib.Nifti1Image(mask, np.eye(4)), path)
    find_lesions._check_values(path)
    mask[1, 1, 1] = 0.4
    nib.save(nib.Nifti1Image(mask, np.eye(4)), path)
    with pytest.raises(ImageError, match=r"no value above 0\.5 \(largest 0\.4\)"):
        find_lesions._check_values(path)


def test_a_record_tells_where_the_lesions_are():
    lesions, brain = np.zeros((2, 30, 30, 30), bool)
    lesions[10:13, 4, 5] = brain[12] = True
    measures = find_lesions._measure(Volume(lesions, np.diag([3.0, 3, 3, 1])), Volume(brain, np.eye(4)))
    assert find_lesions.read_cells(measures).tolist() == [[10, 4, 5], [11, 4, 5], [12, 4, 5]]
    assert measures["lesion_volume_ml"] == pytest.approx(0.081)
    assert measures["lesion_outside_percent"] == pytest.approx(200 / 3)
    assert find_lesions.read_cells({}) is None
