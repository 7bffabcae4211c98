import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from nipype.interfaces.base import BaseInterfaceInputSpec

from graytrace.engines.embedded import network
from graytrace.engines.embedded.bias import CorrectBias
from graytrace.engines.embedded.network import load_network
from graytrace.engines.interface import EngineInterface, MeasuresOutputSpec
from graytrace.engines.registry import TASKS, engine_of
from graytrace.engines.runner import run_task
from graytrace.errors import ImageError, ToolError
from graytrace.images.reading import read_volume


class Interface(EngineInterface):
    input_spec = BaseInterfaceInputSpec
    output_spec = MeasuresOutputSpec
    found: object = None

    def _calculate(self, _folder):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def make(found):
    interface = Interface()
    interface.found = found
    return interface


def test_measures_come_back_as_json(tmp_path):
    result = make({"volume_ml": 1.5}).run(cwd=str(tmp_path))
    assert json.loads((tmp_path / "measures.json").read_text()) == {"volume_ml": 1.5}
    assert result.outputs.measures == str(tmp_path / "measures.json")


def test_what_an_algorithm_cannot_answer_is_about_the_data(tmp_path):
    with pytest.raises(ImageError, match="the mask is empty") as caught:
        make(ValueError("the mask is empty")).run(cwd=str(tmp_path))
    assert caught.value.code == "not_measurable"


@pytest.mark.parametrize("error", [MemoryError(), TypeError("a bug"), ToolError("no weights")])
def test_broken_machinery_is_not_about_the_data(tmp_path, error):
    with pytest.raises(type(error)):
        make(error).run(cwd=str(tmp_path))


@pytest.fixture
def head(tmp_path):
    """A shaded ball and its mask."""
    grid = np.indices((24, 24, 24)) - 11.5
    inside = (grid**2).sum(0) < 81
    paths = {}
    for name, data in (("in_file", inside * (500 + 20 * grid[0])), ("brain_mask", inside)):
        paths[name] = tmp_path / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(data.astype(np.float32), np.diag([4.0, 4, 4, 1])), paths[name])
    return paths


def test_bias_correction_evens_a_shaded_ball_on_its_own_grid(head, tmp_path):
    cwd = tmp_path / "job"
    cwd.mkdir()
    task = TASKS["bias_correction"]
    result = run_task(task, engine_of("bias_correction", "embedded"), head, cwd=cwd, threads=1)
    before, after = (read_volume(path).data for path in (head["in_file"], result.images["out_file"]))
    inside = before > 0
    assert after[inside].std() / after[inside].mean() < 0.5 * before[inside].std() / before[inside].mean()
    assert result.measures["bias_range_percent"] > 10
    assert result.tool_versions["SimpleITK"]


def test_a_mask_on_another_grid_is_refused(head, tmp_path):
    nib.save(nib.Nifti1Image(np.ones((23, 24, 24), np.uint8), np.diag([4.0, 4, 4, 1])), head["brain_mask"])
    interface = CorrectBias(in_file=str(head["in_file"]), brain_mask=str(head["brain_mask"]))
    with pytest.raises(ImageError, match="not on the scan's grid"):
        interface.run(cwd=str(tmp_path))


def test_an_input_that_is_gone_is_an_error_of_the_machinery(head, tmp_path):
    head["brain_mask"].unlink()
    with pytest.raises(ToolError, match="CorrectBias failed") as caught:
        run_task(TASKS["bias_correction"], engine_of("bias_correction", "embedded"), head, cwd=tmp_path, threads=1)
    assert not caught.value.about_data


def test_weights_that_are_gone_or_damaged_are_an_error_of_the_machinery(tmp_path):
    with pytest.raises(ToolError, match="install Graytrace again"):
        load_network(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(ToolError, match="cannot load"):
        load_network(tmp_path / "bad.onnx")


def test_weights_of_which_a_part_was_lost_are_not_used(tmp_path):
    content = bytearray(network.WEIGHTS.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = bytes(4096)
    weights = tmp_path / network.WEIGHTS.name
    weights.write_bytes(content)
    load_network(weights)  # onnxruntime has nothing against them
    shutil.copy(network.WEIGHTS.with_name("SHA256SUMS"), tmp_path)
    with pytest.raises(ToolError, match=r"are damaged .* install Graytrace again"):
        load_network(weights)


def test_the_network_gives_the_same_numbers_each_time():
    image = np.random.default_rng(1).random((1, 1, 32, 32, 32), np.float32)
    first, second = (load_network()(image) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_weights_are_part_of_the_package():
    assert network.WEIGHTS.parents[2].name == "engines"
    assert network.WEIGHTS.stat().st_size < 20e6
