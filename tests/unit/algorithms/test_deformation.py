import numpy as np

from graytrace.algorithms.deformation import Halves, exponential, jacobian_determinant
from graytrace.algorithms.splines import sample_spline, spline_coefficients


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


def test_a_flow_shows_each_visit_and_answers_the_same_question_once():
    rng = np.random.default_rng(3)
    one, other = (spline_coefficients(rng.normal(size=(32, 32, 32))) for _ in range(2))
    here, everywhere = np.eye(4), np.ones((32, 32, 32), bool)
    halves = Halves.of(_smooth_velocity())
    baseline, followup = halves.see((one, one), (here, here), everywhere)
    np.testing.assert_array_equal(baseline, sample_spline(one, here, halves.to_baseline))
    np.testing.assert_array_equal(followup, sample_spline(one, here, halves.to_followup))
    assert halves.see((one, one), (here, here), everywhere)[0] is baseline
    moved = here.copy()
    moved[0, 3] = 1
    part = everywhere & (baseline > 0)
    for coefficients, matrix, where in ((other, here, everywhere), (one, moved, everywhere), (one, here, part)):
        again, _ = halves.see((coefficients, one), (matrix, here), where)
        np.testing.assert_array_equal(again, sample_spline(coefficients, matrix, halves.to_baseline, where))
        assert not np.array_equal(again, baseline)
