import nibabel as nib
import numpy as np
import pytest

from graytrace.engines.registry import TASKS
from graytrace.engines.runner import run_task
from graytrace.errors import ImageError

TASK = TASKS["change"]
AFFINE = np.diag([4.0, 5.0, 6.0, 1.0])  # a voxel of 0.12 ml


@pytest.fixture
def measure(tmp_path):
    """Change between two visits whose tissues are blocks of so many voxels."""

    def run(baseline, followup):
        inputs = {"scale_percent": 1.0, "baseline_file": tmp_path / "unused.nii.gz"}
        for visit, voxels in (("baseline", baseline), ("followup", followup)):
            for tissue, count in voxels.items():
                data = np.zeros(1000, np.float32)
                data[:count] = 0.5
                path = tmp_path / f"{visit}_{tissue}.nii.gz"
                nib.save(nib.Nifti1Image(data.reshape(10, 10, 10), AFFINE), path)
                inputs[f"{visit}_{tissue}_fraction"] = path
        cwd = tmp_path / "job"
        cwd.mkdir(exist_ok=True)
        return run_task(TASK, TASK.engines["difference"], inputs, cwd=cwd, threads=1)

    return run


def test_the_difference_is_that_of_the_volumes(measure):
    result = measure({"gm": 400, "wm": 200, "subcortical_gm": 40}, {"gm": 380, "wm": 210, "subcortical_gm": 36})
    assert result.measures == pytest.approx(
        {
            "gm_change_percent": -5,
            "wm_change_percent": 5,
            "brain_change_percent": 100 * (590 / 600 - 1),
            "deep_gm_change_percent": -10,
            "cortical_gm_change_percent": 100 * (344 / 360 - 1),
        }
    )
    assert not result.images


def test_without_deep_gray_matter_its_columns_are_not_there(measure):
    measures = measure({"gm": 400, "wm": 200}, {"gm": 404, "wm": 200, "subcortical_gm": 3}).measures
    assert measures == pytest.approx(
        {"gm_change_percent": 1, "wm_change_percent": 0, "brain_change_percent": 100 * (604 / 600 - 1)}
    )


def test_swapping_the_visits_turns_loss_into_gain(measure):
    one = measure({"gm": 400, "wm": 200}, {"gm": 380, "wm": 200}).measures["gm_change_percent"]
    other = measure({"gm": 380, "wm": 200}, {"gm": 400, "wm": 200}).measures["gm_change_percent"]
    assert (1 + one / 100) * (1 + other / 100) == pytest.approx(1)


def test_a_visit_without_a_tissue_cannot_be_measured(measure):
    with pytest.raises(ImageError, match="the first visit has no gm"):
        measure({"gm": 0, "wm": 200}, {"gm": 400, "wm": 200})


def test_a_part_of_hardly_any_volume_has_no_change_in_percent(measure):
    measures = measure(
        {"gm": 400, "wm": 200, "subcortical_gm": 1}, {"gm": 380, "wm": 200, "subcortical_gm": 30}
    ).measures
    assert "deep_gm_change_percent" not in measures
    assert measures["gm_change_percent"] == pytest.approx(-5)
