import numpy as np
import pytest

from graytrace.phantoms.random_fields import draw_smooth_field

SAMPLING_TOLERANCE = 0.05  # mean and spread are taken on every third voxel


def _neighbor_correlation(field, axis):
    first, second = (
        np.take(field, range(field.shape[axis] - 1), axis),
        np.take(field, range(1, field.shape[axis]), axis),
    )
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


def test_a_field_has_zero_mean_and_unit_spread():
    field = draw_smooth_field((30, 41, 52), 3.0, np.random.default_rng(1))
    assert field.shape == (30, 41, 52)
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(0, abs=SAMPLING_TOLERANCE)
    assert field.std() == pytest.approx(1, abs=SAMPLING_TOLERANCE)


def test_the_same_seed_draws_the_same_field():
    fields = [draw_smooth_field((12, 12, 12), 4.0, np.random.default_rng(5)) for _ in range(2)]
    np.testing.assert_array_equal(*fields)


def test_a_longer_field_is_smoother():
    short, long = (draw_smooth_field((40, 40, 40), length, np.random.default_rng(2)) for length in (1.5, 6.0))
    assert _neighbor_correlation(short, 0) < _neighbor_correlation(long, 0)


def test_lengths_may_differ_between_axes():
    field = draw_smooth_field((40, 40, 40), np.array([1.5, 6.0, 6.0]), np.random.default_rng(2))
    assert _neighbor_correlation(field, 0) < _neighbor_correlation(field, 1)


def test_a_field_much_longer_than_the_grid_is_finite():
    assert np.isfinite(draw_smooth_field((9, 9, 9), 70.0, np.random.default_rng(1))).all()
