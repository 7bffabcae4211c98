import numpy as np
import pytest

from graytrace.statistics.agreement import intraclass_correlation, measure_agreement

# Shrout and Fleiss 1979, table 2: six targets, four judges
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


def test_the_published_example_gives_the_published_numbers():
    agreement, consistency = intraclass_correlation(SHROUT_FLEISS)
    assert (round(agreement.value, 2), round(consistency.value, 2)) == (0.29, 0.71)
    # intervals that other programs give for this table (R's psych and irr)
    assert (round(agreement.low, 2), round(agreement.high, 2)) == (0.02, 0.76)
    assert (round(consistency.low, 2), round(consistency.high, 2)) == (0.34, 0.95)


def test_a_constant_difference_is_bias_and_no_inconsistency():
    first = np.array([1.0, 2.0, 4.0, 7.0])
    found = measure_agreement(first, first + 3)
    assert found.bias.value == pytest.approx(3)
    assert found.sd == pytest.approx(0)
    assert found.icc_consistency.value == 1
    assert found.icc_agreement.value < 0.7


def test_the_same_numbers_agree_perfectly():
    found = measure_agreement([1.0, 2.0, 4.0], [1.0, 2.0, 4.0])
    assert (found.bias.value, found.icc_agreement.value, found.icc_consistency.value) == (0, 1, 1)


def test_swapping_the_two_flips_the_bias_and_nothing_else():
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 20))
    one, other = measure_agreement(first, second), measure_agreement(second, first)
    assert one.bias.value == pytest.approx(-other.bias.value)
    assert one.lower.low == pytest.approx(-other.upper.high)
    assert one.icc_agreement.value == pytest.approx(other.icc_agreement.value)


def test_the_limits_of_agreement_hold_95_percent():
    rng = np.random.default_rng(4)
    truth = rng.normal(0, 3, 4000)
    found = measure_agreement(truth + rng.normal(0, 1, 4000), truth + rng.normal(0.5, 1, 4000))
    assert found.lower.value == pytest.approx(0.5 - 1.96 * np.sqrt(2), abs=0.15)
    assert found.lower.low < 0.5 - 1.96 * np.sqrt(2) < found.lower.high
    assert found.icc_agreement.value == pytest.approx(9 / (9 + 1 + 0.125), abs=0.02)


def test_patients_that_do_not_differ_have_no_correlation():
    found = measure_agreement([2.0, 2.0, 2.0], [2.0, 2.0, 2.0])
    assert np.isnan(found.icc_agreement.value)


@pytest.mark.parametrize(("first", "second"), [([1.0, 2.0], [1.0, 2.0]), ([1.0, 2.0, 3.0], [1.0, 2.0])])
def test_too_few_or_unmatched_numbers_are_refused(first, second):
    with pytest.raises(ValueError, match=r"at least 3|same length"):
        measure_agreement(first, second)


@pytest.mark.parametrize("apart", [1e-8, 1e-7, 1e-6])
def test_runs_that_differ_by_nearly_nothing_agree(apart):
    volumes = np.array([700.0, 650, 720, 690, 610])
    for other in (volumes + apart, volumes + apart * np.array([1, -1, 2, 0, -2])):
        assert measure_agreement(volumes, other).icc_agreement.value == pytest.approx(1)
