import numba
import numpy as np

from graytrace.algorithms.multigrid import _residual, solve_membrane


def _system(seed: int):
    rng = np.random.default_rng(seed)
    gradient = rng.normal(size=(3, 29, 30, 27)).astype(np.float32)
    pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    h = np.stack([gradient[a] * gradient[b] for a, b in pairs])
    return h, rng.normal(size=(3, 29, 30, 27)).astype(np.float32)


def test_two_cycles_leave_little_of_the_right_hand_side():
    h, b = _system(1)
    x = solve_membrane(h, b, 5.0, cycles=2)
    left = np.empty_like(b)
    _residual(h, b, x, np.float32(5.0), left)
    # what the Gauss-Newton iterations around it need; they correct the rest
    assert np.linalg.norm(left) < 0.05 * np.linalg.norm(b)


def test_solution_of_a_constant_pull_is_constant():
    h = np.zeros((6, 16, 16, 16), np.float32)
    h[:3] = 2.0
    b = np.full((3, 16, 16, 16), 3.0, np.float32)
    # two cycles take the error of the coarsest mode below a thousandth
    np.testing.assert_allclose(solve_membrane(h, b, 1.0), 1.5, rtol=1e-3)


def test_number_of_threads_does_not_change_a_bit():
    h, b = _system(2)
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = solve_membrane(h, b, 5.0)
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
        many = solve_membrane(h, b, 5.0)
    finally:
        numba.set_num_threads(threads)
    np.testing.assert_array_equal(one, many)
