"""Numbers of a phantom stay what they were; `freeze.py` beside this file made numbers.json and makes it again."""

import importlib.util
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
# another processor or library adds in another order; single precision keeps seven digits, and a mixture's fit less
SAME_ML = 0.05  # of 745 ml of gray matter
SAME_FRACTION = 1e-4
# the same of what is rendered: no fit is in between
SAME_TRUTH = 1e-5


@pytest.fixture(scope="module")
def numbers():
    spec = importlib.util.spec_from_file_location("freeze", FOLDER / "freeze.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.measure_phantom(), json.loads(module.NUMBERS.read_text())


def test_the_phantom_is_the_same(numbers):
    now, frozen = numbers
    assert now["truth"] == pytest.approx(frozen["truth"], rel=SAME_TRUTH)


def test_volumes_are_the_same(numbers):
    now, frozen = numbers
    volumes = {name: value for name, value in frozen["segmentation"].items() if name.endswith("_ml")}
    assert {name: now["segmentation"][name] for name in volumes} == pytest.approx(volumes, abs=SAME_ML)


def test_intensities_and_noise_are_the_same(numbers):
    now, frozen = numbers
    means = frozen["segmentation"]["tissue_means"]
    assert now["segmentation"]["tissue_means"] == pytest.approx(means, rel=SAME_FRACTION)
    for name in ("mixture_noise_percent", "mixture_contrast_to_noise", "bias_range_percent"):
        assert now["segmentation"][name] == pytest.approx(frozen["segmentation"][name], rel=SAME_FRACTION), name


def test_no_number_went_missing(numbers):
    now, frozen = numbers
    assert {part: sorted(values) for part, values in now.items()} == {
        part: sorted(values) for part, values in frozen.items()
    }
