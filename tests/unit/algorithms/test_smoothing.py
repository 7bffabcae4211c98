"""Wide Gaussians are those of scipy, at any grid and sigma."""

import numpy as np
import pytest
from scipy import ndimage

from graytrace.algorithms.smoothing import smooth_widely

SHARE_OF_PEAK = 0.005  # as the docstring promises


@pytest.mark.parametrize("sigma", [1.5, 8.0, 15.0, (15.0, 15.0, 5.0), (3.0, 9.0, 12.0)])
@pytest.mark.parametrize("shape", [(64, 70, 61), (48, 48, 20)])
def test_it_is_the_gaussian_of_scipy(sigma, shape):
    image = np.zeros(shape, np.float32)
    inner = tuple(slice(n // 5, -(n // 5)) for n in shape)
    image[inner] = np.random.default_rng(0).random(image[inner].shape)
    expected = ndimage.gaussian_filter(image, sigma, mode="constant")
    assert np.abs(smooth_widely(image, sigma) - expected).max() < SHARE_OF_PEAK * image.max()


def test_a_grid_thinner_than_a_block():
    image = np.ones((40, 40, 1), np.float32)
    assert np.isfinite(smooth_widely(image, 12.0)).all()
