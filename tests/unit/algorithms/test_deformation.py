import numpy as np
import pytest

from graytrace.algorithms.deformation import exponential, jacobian_determinant, sample_spline, spline_coefficients


def _smooth_velocity() -> np.ndarray:
    x, y, z = np.indices((32, 32, 32), dtype=np.float32) - 15.5
    bump = np.exp(-(x**2 + y**2 + z**2) / 60)
    return np.stack([0.8 * bump, -0.5 * bump, 0.3 * x / 10 * bump]).astype(np.float32)


def test_backward_flow_undoes_forward_flow():
    v = _smooth_velocity()
    forward, backward = exponential(v), exponential(-v)
    grid = np.eye(4)
    around = np.stack([sample_spline(spline_coefficients(c), grid, forward) for c in backward])
    # linear interpolation in the squarings: a hundredth of a voxel
    assert np.abs((forward + around)[:, 4:-4, 4:-4, 4:-4]).max() < 0.01


def test_jacobian_of_uniform_expansion():
    grid = np.indices((12, 12, 12), dtype=np.float32)
    determinant = jacobian_determinant(0.1 * grid)
    np.testing.assert_allclose(determinant[1:-1, 1:-1, 1:-1], 1.1**3, rtol=1e-5)
    assert determinant[0, 0, 0] == 1


def test_jacobian_keeps_what_changes_within_five_voxels():
    wave = 2 * np.pi / 5
    x = np.arange(40, dtype=np.float32)
    u = np.zeros((3, 40, 6, 6), np.float32)
    u[0] = (0.1 * np.sin(wave * x))[:, None, None]
    found = jacobian_determinant(u)[5:-5, 3, 3]
    expected = 1 + 0.1 * wave * np.cos(wave * x)[5:-5]
    # a spline keeps 98 percent of this wave's slope, central differences 76
    np.testing.assert_allclose(found - 1, expected - 1, atol=0.03 * 0.1 * wave)


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
