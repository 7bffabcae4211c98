import numpy as np
import pytest
from scipy import ndimage

from graytrace.phantoms.resampling import pull, pull_all

SINGLE_PRECISION = 1e-5


@pytest.fixture
def places():
    return np.random.default_rng(1).uniform(-1.5, 9.5, (3, 6, 7, 8)).astype(np.float32)


@pytest.mark.parametrize(("outside", "mode"), [(None, "nearest"), (0.0, "constant")])
def test_resampling_agrees_with_scipy(places, outside, mode):
    maps = np.random.default_rng(2).standard_normal((2, 9, 9, 9), np.float32)
    if mode == "constant":
        places = np.where((places < 0) | (places > 8), -5, places).astype(np.float32)  # scipy blends over the edge
    expected = np.stack([ndimage.map_coordinates(each, places, order=1, mode=mode) for each in maps])
    np.testing.assert_allclose(pull_all(maps, places, outside=outside), expected, atol=SINGLE_PRECISION)


def test_a_linear_map_is_resampled_exactly():
    ramp = np.add.outer(np.add.outer(np.arange(5.0), 2 * np.arange(6.0)), 3 * np.arange(7.0)).astype(np.float32)
    places = np.array([1.25, 2.5, 3.75], np.float32).reshape(3, 1, 1, 1)
    assert pull(ramp, places).item() == pytest.approx(1.25 + 5 + 11.25)


def test_beyond_the_grid_is_what_was_asked_for():
    places = np.full((3, 1, 1, 1), -4.0, np.float32)
    assert pull(np.full((3, 3, 3), 9.0, np.float32), places, outside=-1.0).item() == -1.0
    assert pull(np.full((3, 3, 3), 9.0, np.float32), places).item() == 9.0
