"""Slopes that are used where they arise are those of numpy."""

import numpy as np
import pytest
from scipy import ndimage

from graytrace.algorithms.slopes import levers, normal_equations, slope_along, steepness

SHAPE = (9, 8, 7)


@pytest.fixture
def images():
    rng = np.random.default_rng(3)
    return [rng.random(SHAPE, np.float32) for _ in range(2)]


def test_steepness_is_the_length_of_the_slope(images):
    wanted = np.sqrt(sum(g**2 for g in np.gradient(images[0])))
    np.testing.assert_allclose(steepness(images[0]), wanted, rtol=1e-4, atol=1e-6)


def test_a_grid_of_one_voxel_along_an_axis_has_no_slope_along_it():
    flat = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    np.testing.assert_allclose(steepness(flat), np.hypot(4, 1))


def test_slope_along_a_vector(images):
    direction = np.random.default_rng(4).normal(size=(3, *SHAPE)).astype(np.float32)
    wanted = sum(g * d for g, d in zip(np.gradient(images[0]), direction, strict=True))
    np.testing.assert_allclose(slope_along(images[0], direction), wanted, rtol=1e-4, atol=1e-5)


def test_levers_move_a_border_by_what_a_difference_says(images):
    weight = (images[0] > 0.3).astype(np.float32)
    g = np.array(np.gradient((images[0] + images[1]) / 2))
    np.testing.assert_allclose(
        levers(*images, weight, 0.01), weight * g / ((g * g).sum(0) + 0.01), rtol=1e-3, atol=1e-5
    )


def test_normal_equations_are_those_of_the_energy(images):
    rng = np.random.default_rng(5)
    weight = rng.random(SHAPE, np.float32)
    weight[0] = 0
    velocity = rng.normal(size=(3, *SHAPE)).astype(np.float32)
    h, b = normal_equations(*images, weight, velocity, 7.0)
    g = np.array(np.gradient((images[0] + images[1]) / 2))
    pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    np.testing.assert_allclose(h, [weight * g[i] * g[j] for i, j in pairs], rtol=1e-3, atol=1e-6)
    laplacian = [ndimage.laplace(v, mode="nearest") for v in velocity]
    np.testing.assert_allclose(b, -weight * (images[1] - images[0]) * g + 7 * np.array(laplacian), rtol=1e-3, atol=1e-4)
