import numba
import numpy as np
import pytest

from graytrace.algorithms.mean_field import ClassTable, neighbors_of, settle_fractions

# two classes, gray around 0.6 and white around 1
INTENSITIES = np.linspace(0, 2, 201)
TABLE = ClassTable(
    density=np.stack([np.exp(-0.5 * ((INTENSITIES - m) / 0.15) ** 2) for m in (0.6, 1.0)]).astype(np.float32),
    gray=np.stack([np.ones(201), np.zeros(201)]).astype(np.float32),
    white=np.stack([np.zeros(201), np.ones(201)]).astype(np.float32),
    low=0.0,
    step=0.01,
)


def _settle(x, inside, *, pull, sweeps=3):
    chances = np.full((x.size, 2), 0.5, np.float32)
    return settle_fractions(
        x.astype(np.float32), chances, TABLE, neighbors_of(inside), np.ones(3), pull=pull, sweeps=sweeps
    )


def test_neighbors_are_the_six_around_and_none_outside():
    inside = np.ones((3, 3, 3), bool)
    inside[0, 1, 1] = False
    number = np.full((3, 3, 3), -1)
    number[inside] = np.arange(26)
    assert neighbors_of(inside)[number[1, 1, 1]].tolist() == [
        -1, number[2, 1, 1], number[1, 0, 1], number[1, 2, 1], number[1, 1, 0], number[1, 1, 2]
    ]  # fmt: skip


def test_without_neighbors_it_is_bayes():
    x = np.array([0.6, 0.8, 1.0])
    found = _settle(x, np.ones((3, 1, 1), bool), pull=0.0)
    likelihood = np.stack([np.exp(-0.5 * ((x - m) / 0.15) ** 2) for m in (0.6, 1.0)])
    np.testing.assert_allclose(found.gray, likelihood[0] / likelihood.sum(0), atol=1e-4)
    np.testing.assert_allclose(found.posterior.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(found.expected, 1.5)


def test_a_doubtful_voxel_follows_its_neighbors():
    inside = np.ones((5, 5, 5), bool)
    x = np.full(inside.shape, 1.0)
    x[2, 2, 2] = 0.78  # a little nearer to gray
    alone, among = (_settle(x[inside], inside, pull=p).gray.reshape(5, 5, 5)[2, 2, 2] for p in (0.0, 4.0))
    assert alone > 0.5
    assert among < 0.1


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one thread is all there is")
def test_number_of_threads_does_not_matter():
    rng = np.random.default_rng(1)
    inside = rng.random((30, 31, 32)) > 0.1
    x = rng.normal(0.8, 0.2, np.count_nonzero(inside))
    before = numba.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            found.append(_settle(x, inside, pull=4.0))
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(found[0].gray, found[1].gray)
    np.testing.assert_array_equal(found[0].expected, found[1].expected)
