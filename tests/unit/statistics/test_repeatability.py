import numpy as np
import pytest

from graytrace.statistics.repeatability import (
    close_loops,
    measure_bias,
    measure_coverage,
    measure_error_ratio,
    measure_loops,
    measure_repeatability,
)

WSD = 0.15
SIMULATIONS = 2000
# the standard error of a share of 95 % in so many simulations is 0.005
SHARE_TOLERANCE = 0.015


def _pairs(rng, count, wsd=WSD):
    return rng.normal(600, 30, (count, 1)) + rng.normal(0, wsd, (count, 2))


def test_two_measurements_give_half_the_mean_squared_difference():
    differences = np.array([0.3, -0.1, 0.2, -0.4])
    found = measure_repeatability([[10, 10 + d] for d in differences])
    assert found.wsd.value == pytest.approx(np.sqrt((differences**2).mean() / 2))
    assert found.rc.value == pytest.approx(2.77 * found.wsd.value, rel=1e-3)
    assert (found.patients, found.degrees_of_freedom) == (4, 4)


def test_more_measurements_of_a_patient_are_pooled_as_in_an_analysis_of_variance():
    rows = [[1.0, 2.0, 4.0], [7.0, 7.5], [3.0, 2.0, 2.5, 4.5]]
    within = sum(((np.array(row) - np.mean(row)) ** 2).sum() for row in rows)
    found = measure_repeatability(rows)
    assert found.wsd.value == pytest.approx(np.sqrt(within / 6))
    assert found.degrees_of_freedom == 6


def test_the_known_spread_is_found():
    found = measure_repeatability(_pairs(np.random.default_rng(1), 20000))
    assert found.wsd.value == pytest.approx(WSD, rel=0.02)
    assert found.rc.value == pytest.approx(2.77 * WSD, rel=0.02)
    assert found.sdc.value == pytest.approx(found.rc.value, rel=1e-3)


@pytest.mark.parametrize("count", [5, 20])
def test_the_interval_of_the_spread_holds_it_in_95_percent(count):
    rng = np.random.default_rng(2)
    found = [measure_repeatability(_pairs(rng, count)).wsd for _ in range(SIMULATIONS)]
    assert np.mean([one.low <= WSD <= one.high for one in found]) == pytest.approx(0.95, abs=SHARE_TOLERANCE)


@pytest.mark.parametrize("count", [4, 12])
def test_a_further_unchanged_patient_passes_the_smallest_detectable_change_in_5_percent(count):
    rng = np.random.default_rng(3)
    passed, passed_rc = [], []
    for _ in range(SIMULATIONS):
        found = measure_repeatability(_pairs(rng, count))
        ((first, second),) = _pairs(rng, 1)
        passed.append(abs(second - first) > found.sdc.value)
        passed_rc.append(abs(second - first) > found.rc.value)
    assert np.mean(passed) == pytest.approx(0.05, abs=SHARE_TOLERANCE)
    assert np.mean(passed_rc) > np.mean(passed)  # few patients: what the coefficient alone does not know


def test_a_bias_counts_as_lack_of_repeatability_and_is_told():
    differences = 0.5 + np.random.default_rng(4).normal(0, 0.1, 400)
    found = measure_repeatability([[0, d] for d in differences])
    bias = measure_bias(differences)
    assert found.rc.value > 1.96 * 0.5
    assert bias.low < 0.5 < bias.high
    assert bias.low > 0.48


def test_a_loop_of_changes_that_agree_is_closed():
    truth = np.array([0.99, 0.97])
    assert close_loops(-1.0, -3.0, 100 * (truth.prod() - 1)) == pytest.approx(0)
    assert close_loops(-1.0, -3.0, -3.0) == pytest.approx(-1.0, abs=0.01)


def test_loops_give_the_spread_of_changes_whatever_changed():
    rng = np.random.default_rng(5)
    first, second = -rng.uniform(0, 3, (2, 5000))
    whole = 100 * ((1 + first / 100) * (1 + second / 100) - 1)
    noisy = [x + rng.normal(0, WSD * np.sqrt(2), x.size) for x in (first, second, whole)]
    found = measure_loops(close_loops(*noisy), patients=5000, degrees=5000)
    assert found.wsd.value == pytest.approx(WSD, rel=0.03)


def test_errors_that_a_scan_carries_cancel_in_a_loop():
    scans = np.random.default_rng(6).normal(0, WSD, (3, 100))
    a, b, c = np.exp(scans / 100)
    closed = close_loops(100 * (b / a - 1), 100 * (c / b - 1), 100 * (c / a - 1))
    assert np.abs(closed).max() < 1e-10


def test_coverage_counts_intervals_that_contain_the_truth():
    found = measure_coverage([-1, 0.1, -2, -0.5], [1, 2, -0.2, 0.5])
    assert (found.intervals, found.containing, found.share.value) == (4, 2, 0.5)
    # Clopper and Pearson's interval of 2 of 4, as printed in tables
    assert (round(found.share.low, 3), round(found.share.high, 3)) == (0.068, 0.932)


def test_coverage_of_right_intervals_is_95_percent_and_their_errors_are_their_standard_errors():
    rng = np.random.default_rng(7)
    se = rng.uniform(0.05, 0.5, 4000)
    change = rng.normal(0, se)
    found = measure_coverage(change - 1.96 * se, change + 1.96 * se)
    assert found.share.low < 0.95 < found.share.high
    assert measure_error_ratio(change, se) == pytest.approx(1, abs=0.03)
    assert measure_error_ratio(change, se / 2) == pytest.approx(2, abs=0.06)


def test_too_few_are_refused():
    with pytest.raises(ValueError, match="2 repeated measurements, expected at least 3"):
        measure_repeatability([[1, 2], [1, 3]])
    with pytest.raises(ValueError, match="2 independent loops"):
        measure_loops([0.1, 0.2], patients=2, degrees=2)
    with pytest.raises(ValueError, match="1 patients"):
        measure_bias([1.0])
    with pytest.raises(ValueError, match="no interval"):
        measure_coverage([], [])
