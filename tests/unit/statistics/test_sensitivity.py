import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from graytrace.statistics.sensitivity import fill_extreme, fit_weighted, leave_one_out, mean_groups, weighted_p
from graytrace.statistics.trend import TrendTests

DOSES = np.repeat([0.7, 1.4, 5.7], 3)
ALPHA = 0.05


def test_group_means_have_intervals_from_the_spread_within_all_groups():
    y = np.random.default_rng(1).normal(size=9)
    means = mean_groups(DOSES, y)
    within = np.concatenate([y[dose == DOSES] - y[dose == DOSES].mean() for dose in np.unique(DOSES)])
    half = stats.t.ppf(0.975, 6) * np.sqrt((within**2).sum() / 6 / 3)
    for one in means:
        expected = y[one.dose == DOSES].mean()
        assert one.n == 3
        assert one.value == pytest.approx(expected)
        assert (one.mean.low, one.mean.high) == (pytest.approx(expected - half), pytest.approx(expected + half))


@pytest.mark.parametrize(
    ("doses", "y"),
    [([1.0, 2.0], [0.5, 0.7]), ([1.0], [0.5]), ([1.0, 1, 2], [0.3 - 0.1, 0.2, 0.9])],
    ids=["two patients", "one", "nobody differs within a group"],
)
def test_groups_without_spread_have_means_and_no_intervals(doses, y):
    assert [one.mean for one in mean_groups(doses, y)] == [None] * len(set(doses))


def test_without_errors_the_slope_is_that_of_least_squares():
    y = np.random.default_rng(2).normal(size=9)
    found, fit = fit_weighted(DOSES, y), sm.OLS(y, sm.add_constant(DOSES)).fit()
    assert found.slope.value == pytest.approx(fit.params[1])
    assert (found.slope.low, found.slope.high) == (
        pytest.approx(fit.conf_int()[1][0]),
        pytest.approx(fit.conf_int()[1][1]),
    )
    assert found.tau == pytest.approx(np.sqrt(fit.scale))
    assert found.p == pytest.approx(TrendTests(DOSES, shapes=["linear"]).p_values(y[np.newaxis])["max_contrast"][0])


def test_equal_errors_leave_the_slope_and_come_off_the_patients_own_spread():
    y = np.random.default_rng(2).normal(size=9)
    plain, found = fit_weighted(DOSES, y), fit_weighted(DOSES, y, np.full(9, 0.3))
    assert found.slope.value == pytest.approx(plain.slope.value)
    assert found.slope.high == pytest.approx(plain.slope.high)
    assert found.tau == pytest.approx(np.sqrt(plain.tau**2 - 0.3**2))


def test_tau_is_paule_and_mandels_of_statsmodels():
    """Two doses of which one has no weight to speak of: the line's tau is that of the other dose's mean."""
    y = np.array([0.2, 1.1, 0.6, 1.9, 0.1, 1.4])
    errors = np.array([0.2, 0.3, 0.5, 0.4, 0.1, 0.6])
    expected = combine_effects(y, errors**2, method_re="iterated").tau2
    found = fit_weighted(np.r_[np.zeros(6), 1.0], np.r_[y, 0.0], np.r_[errors, 1.0])
    assert found.tau**2 == pytest.approx(expected, rel=1e-4)


def test_a_patient_measured_badly_counts_less():
    y = 0.3 * DOSES + np.random.default_rng(3).normal(0, 0.1, 9)
    y[-1] -= 3
    errors = np.r_[np.full(8, 0.1), 3.0]
    plain, weighted = fit_weighted(DOSES, y), fit_weighted(DOSES, y, errors)
    assert abs(weighted.slope.value - 0.3) < 0.05 < abs(plain.slope.value - 0.3)


def test_errors_that_explain_all_of_the_spread_do_not_shrink_the_interval():
    y = np.random.default_rng(4).normal(0, 0.1, 9)
    found = fit_weighted(DOSES, y, np.full(9, 2.0))
    spread = np.sqrt(((DOSES - DOSES.mean()) ** 2).sum())
    assert found.slope.high - found.slope.value == pytest.approx(stats.t.ppf(0.975, 7) * 2.0 / spread, rel=1e-6)
    assert found.tau == pytest.approx(0, abs=1e-4)


def test_the_weighted_p_is_that_of_all_arrangements_written_out():
    doses = np.repeat([1.0, 2, 4], [2, 2, 3])
    y, errors = np.random.default_rng(5).normal(size=(2, 7))
    errors = 0.2 + np.abs(errors)
    found = weighted_p(doses, y[np.newaxis], errors)[0]
    # weights as if no dose did anything
    tau2 = combine_effects(y, errors**2, method_re="iterated").tau2
    weights = 1 / (errors**2 + max(tau2, 0))

    def statistic(given):
        centered = given - np.average(given, weights=weights)
        return abs((weights * centered) @ y) / np.sqrt(weights @ centered**2)

    every = [statistic(np.array(given)) for given in sorted(set(itertools.permutations(doses)))]
    assert found == pytest.approx(np.mean(np.array(every) >= statistic(doses) - 1e-9), abs=1.5 / len(every))


def test_among_trials_without_effect_the_weighted_slope_is_found_as_often_as_its_p_says():
    trials = 1_000
    rng = np.random.default_rng(6)
    doses = np.repeat([1.0, 2, 4], 3)
    errors = np.array([0.1, 0.2, 0.8, 0.1, 0.1, 0.3, 0.9, 0.2, 0.1])
    outcomes = rng.normal(0, 0.3, (trials, 9)) + errors * rng.normal(size=(trials, 9))
    share = np.mean(weighted_p(doses, outcomes, errors) <= ALPHA)
    # weights are of these patients' errors, which chance moves with them, so the size holds on average over errors
    assert 0.025 <= share <= 0.075


def test_weighted_slopes_are_asked_within_strata():
    rng = np.random.default_rng(7)
    strata = np.repeat([0, 1], 6)
    doses = np.array([1, 1, 1, 2, 2, 4, 1, 2, 2, 4, 4, 4.0])
    y = rng.normal(size=12)
    errors = rng.uniform(0.1, 0.5, 12)
    one, moved = (fit_weighted(doses, y + shift * strata, errors, strata=strata) for shift in (0, 5))
    assert moved.slope.value == pytest.approx(one.slope.value)
    assert moved.p == pytest.approx(one.p)


@pytest.mark.parametrize(
    ("doses", "y", "errors", "message"),
    [
        (np.ones(6), np.arange(6.0), None, "same value"),
        (np.arange(3.0), np.arange(3.0) ** 2, None, "too few"),
        (np.arange(6.0), 2 * np.arange(6.0), None, "on one line"),
        (np.arange(6.0), np.arange(6.0) ** 2, -np.ones(6), "below 0"),
    ],
)
def test_a_slope_that_cannot_be_judged_is_refused(doses, y, errors, message):
    with pytest.raises(ValueError, match=message):
        fit_weighted(doses, y, errors)


def test_each_patient_is_left_out_in_turn():
    doses = np.repeat([1.0, 2, 4], 3)
    y = np.random.default_rng(8).normal(size=9)
    y[-1] += 5
    strata = np.zeros(9, dtype=int)
    found = leave_one_out(doses, y, "max_contrast", strata=strata)
    assert len(found) == 9
    expected = TrendTests(doses[:-1]).p_values(y[np.newaxis, :-1])["max_contrast"][0]
    assert found[-1] == pytest.approx(expected)


def test_without_the_only_patient_of_another_dose_nothing_is_left_to_test():
    doses = np.array([1.0, 1, 1, 1, 1, 2])
    found = leave_one_out(doses, np.arange(6.0), "spearman", strata=np.zeros(6, dtype=int))
    assert found[-1] is None
    assert None not in found[:-1]


def test_missing_patients_get_the_extreme_that_speaks_for_or_against():
    doses, y = np.array([1.0, 2, 4, 5]), np.array([-2.0, -1, -1.5, -0.5])
    x, best = fill_extreme(doses, y, np.array([1.0, 5.0, 3.0]), favors=True)
    np.testing.assert_array_equal(x, [1, 2, 4, 5, 1, 5, 3])
    np.testing.assert_array_equal(best[4:], [-2, -0.5, -1.25])
    np.testing.assert_array_equal(
        fill_extreme(doses, y, np.array([1.0, 5.0, 3.0]), favors=False)[1][4:], [-0.5, -2, -1.25]
    )
