import os

import pytest

from graytrace.engines.registry import TASKS, Engine
from graytrace.engines.runner import run_task
from graytrace.errors import ToolError

WRITE = """
import nibabel as nib, numpy as np
scan = nib.load(sys.argv[1])
data = np.asarray(scan.dataobj) > {threshold}
nib.save(nib.Nifti1Image(data{change}.astype(np.float32){factor}, scan.affine{shift}), "brain.nii.gz")
"""


@pytest.fixture
def run(scan, tmp_path):
    def call(interface):
        cwd = tmp_path / "job"
        cwd.mkdir(exist_ok=True)
        return run_task(TASKS["skull_strip"], Engine(interface), {"in_file": scan}, cwd=cwd, threads=2)

    return call


def failure(run, interface):
    with pytest.raises(ToolError) as caught:
        run(interface)
    return caught.value


def writing(threshold=0.5, change="", factor="", shift=""):
    return WRITE.format(threshold=threshold, change=change, factor=factor, shift=shift)


def test_a_tool_that_works_gives_its_images(run, fake_tool, tmp_path):
    result = run(fake_tool(writing()))
    assert result.images["brain_mask"] == tmp_path / "job" / "brain.nii.gz"


def test_a_tool_runs_in_its_jobs_folder_and_with_its_threads(run, fake_tool, tmp_path):
    run(
        fake_tool(
            writing() + "open('env', 'w').write(' '.join([os.getcwd(), os.environ['OMP_NUM_THREADS'],"
            " os.environ['FSLOUTPUTTYPE'], os.environ['NO_ET']]))"
        )
    )
    assert (tmp_path / "job" / "env").read_text() == f"{tmp_path / 'job'} 2 NIFTI_GZ 1"


def test_nipype_asks_no_network():
    assert os.environ["NO_ET"] == os.environ["NIPYPE_NO_ET"] == "1"


@pytest.mark.parametrize("code", [1, 2, 137])
def test_a_non_zero_exit_code_is_an_error_even_with_all_outputs_there(run, fake_tool, code):
    error = failure(run, fake_tool(writing() + f"print('the last words', file=sys.stderr)\nsys.exit({code})"))
    assert f"exit code {code}" in str(error)
    assert "the last words" in str(error)
    assert ("memory" in str(error)) == (code == 137)
    assert not error.about_data


def test_a_killed_tool_is_an_error(run, fake_tool):
    assert "memory" in str(failure(run, fake_tool("os.kill(os.getpid(), 9)")))


def test_text_on_stderr_alone_is_no_error(run, fake_tool):
    run(fake_tool("print('warning', file=sys.stderr)" + writing()))


def test_a_tool_that_is_absent_is_named(run, fake_tool, tmp_path):
    interface = fake_tool("")
    (tmp_path / "bin" / "fake_bet").unlink()
    assert "fake_bet" in str(failure(run, interface))


def test_a_tool_that_writes_nothing_failed(run, fake_tool):
    error = failure(run, fake_tool("pass"))
    assert error.code == "output_missing"
    assert not error.about_data


def test_half_a_file_is_no_output(run, fake_tool):
    half = writing() + "b = open('brain.nii.gz', 'rb').read()\nopen('brain.nii.gz', 'wb').write(b[:len(b) // 2])"
    assert failure(run, fake_tool(half)).code == "output_damaged"


@pytest.mark.parametrize(
    "other", [{"change": "[1:]"}, {"shift": " + np.eye(4)[3]"}, {"shift": " @ np.diag([1, 1, 2, 1])"}]
)
def test_another_grid_is_no_output(run, fake_tool, other):
    error = failure(run, fake_tool(writing(**other)))
    assert error.code == "output_grid"
    assert "expected 8 x 9 x 10 voxels of 2 x 2 x 2 mm" in str(error)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"threshold": 2}, "output_empty"),
        ({"factor": " * np.nan"}, "output_not_finite"),
    ],
)
def test_an_empty_or_not_finite_output_is_about_the_data(run, fake_tool, other, code):
    error = failure(run, fake_tool(writing(**other)))
    assert (error.code, error.about_data) == (code, True)


def test_a_mask_has_no_values_but_0_and_1(run, fake_tool):
    assert failure(run, fake_tool(writing(factor=" * 7"))).code == "output_range"
