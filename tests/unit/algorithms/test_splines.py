"""Cubic B-splines are those of scipy, at any grid and up to the borders."""

import numpy as np
import pytest
from scipy import ndimage

from graytrace.algorithms.splines import sample_spline, spline_coefficients


@pytest.mark.parametrize("shape", [(20, 30, 17), (3, 4, 5), (40, 8, 2), (1, 9, 9)])
def test_coefficients_are_those_of_scipy(shape):
    image = np.random.default_rng(2).random(shape)
    expected = ndimage.spline_filter(image, order=3, mode="mirror")
    np.testing.assert_allclose(spline_coefficients(image), expected, atol=5e-6)


def test_an_image_keeps_its_voxels_when_its_coefficients_are_computed():
    image = np.random.default_rng(2).random((6, 7, 8)).astype(np.float32)
    before = image.copy()
    spline_coefficients(image)
    np.testing.assert_array_equal(image, before)


def test_samples_are_those_of_scipy_up_to_the_borders():
    image = np.random.default_rng(3).random((9, 11, 10)).astype(np.float32)
    u = np.full((3, 9, 11, 10), 0.4, np.float32)
    found = sample_spline(spline_coefficients(image), np.eye(4), u)
    places = np.indices(image.shape) + u
    expected = ndimage.map_coordinates(image.astype(float), places, order=3, mode="mirror")
    inside = (places <= np.array(image.shape)[:, None, None, None] - 1).all(0)
    np.testing.assert_allclose(found[inside], expected[inside], atol=5e-6)
    assert not found[~inside].any()


def test_spline_returns_the_image_on_its_own_grid():
    image = np.random.default_rng(0).normal(size=(9, 10, 11)).astype(np.float32)
    still = np.zeros((3, 9, 10, 11), np.float32)
    np.testing.assert_allclose(sample_spline(spline_coefficients(image), np.eye(4), still), image, atol=1e-4)


def test_spline_is_zero_outside():
    far = np.full((3, 4, 4, 4), 100, np.float32)
    assert not sample_spline(spline_coefficients(np.ones((4, 4, 4))), np.eye(4), far).any()


@pytest.mark.parametrize("axis", range(3))
def test_shift_by_a_voxel_is_exact(axis):
    image = np.random.default_rng(1).normal(size=(8, 8, 8)).astype(np.float32)
    u = np.zeros((3, 8, 8, 8), np.float32)
    u[axis] = 1
    moved = sample_spline(spline_coefficients(image), np.eye(4), u)
    inner = [slice(0, 7) if a == axis else slice(None) for a in range(3)]
    np.testing.assert_allclose(moved[tuple(inner)], np.roll(image, -1, axis)[tuple(inner)], atol=1e-4)
