import numpy as np
import pytest

from graytrace.algorithms.robust import estimate_sd

FIVE_PERCENT = 0.05  # of 20,000 draws; the estimate's own error is 0.8 %


def test_normal_numbers_have_their_standard_deviation():
    values = np.random.default_rng(1).normal(3, 2, 20_000)
    assert estimate_sd(values) == pytest.approx(2, rel=FIVE_PERCENT)


def test_outliers_do_not_count():
    values = np.random.default_rng(1).normal(0, 1, 1000)
    spoiled = np.concatenate([values, [1e6] * 10])
    assert estimate_sd(spoiled) == pytest.approx(estimate_sd(values), rel=FIVE_PERCENT)
