"""Gaussians are those of scipy, at any grid and sigma."""

import numpy as np
import pytest
from scipy import ndimage

from graytrace.algorithms.smoothing import gaussian, smooth_widely

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


@pytest.mark.parametrize("truncate", [4.0, 2.0])
@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.0, 3.0, (0.0, 1.0, 2.0), (2.2, 0.3, 0.0)])
@pytest.mark.parametrize("shape", [(31, 40, 23), (7, 5, 9), (12, 1, 4)])
def test_narrow_ones_are_those_of_scipy_up_to_the_borders(shape, sigma, truncate):
    image = np.random.default_rng(1).random(shape)
    expected = ndimage.gaussian_filter(image, sigma, truncate=truncate)
    np.testing.assert_allclose(gaussian(image, sigma, truncate=truncate), expected, atol=1e-6)


def test_smoothing_leaves_its_image_as_it_is():
    image = np.random.default_rng(1).random((6, 7, 8)).astype(np.float32)
    before = image.copy()
    gaussian(image, 1.0)
    np.testing.assert_array_equal(image, before)
