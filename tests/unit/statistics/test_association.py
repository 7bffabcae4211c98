import itertools

import numpy as np
import pytest
from scipy import stats

from graytrace.statistics.association import (
    associate,
    associate_adjusted,
    correct_holm,
    correlate,
    mean_interval,
    permutation_p,
)

# the trial that this was made for: four doses, three patients each
DOSES = np.repeat([0.7, 1.4, 2.8, 5.7], 3)
TRIALS = 1000
ALPHA = 0.05
# three standard deviations of a share of 0.05 among a thousand trials
SLACK = 3 * np.sqrt(ALPHA * (1 - ALPHA) / TRIALS)


def null_trials(seed=3):
    """Changes per year without any effect of dose; skewed, as those of patients are."""
    rng = np.random.default_rng(seed)
    return -0.4 - rng.gamma(2.0, 0.25, size=(TRIALS, DOSES.size))


@pytest.mark.parametrize("ranked", [True, False], ids=["spearman", "pearson"])
def test_among_a_thousand_trials_without_effect_it_is_found_no_more_often_than_its_p_says(ranked):
    doses = stats.rankdata(DOSES) if ranked else DOSES
    found = [
        permutation_p(doses, stats.rankdata(trial) if ranked else trial, resamples=399, seed=number) <= ALPHA
        for number, trial in enumerate(null_trials())
    ]
    assert ALPHA - SLACK - 0.01 <= np.mean(found) <= ALPHA + SLACK


def test_among_trials_without_effect_holm_keeps_the_whole_family_of_columns():
    rng = np.random.default_rng(5)
    columns = [DOSES, rng.normal(size=DOSES.size), rng.exponential(size=DOSES.size)]
    found = []
    for trial in null_trials(seed=8)[:400]:
        p_values = [permutation_p(column, trial, resamples=199, seed=1) for column in columns]
        # the correction only raises p
        found.append(min(p_values) <= ALPHA and min(correct_holm(p_values)) <= ALPHA)
    assert np.mean(found) <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / 400)


def test_the_phantom_trials_effect_is_found_with_its_sign_and_an_interval_that_holds_it():
    # loss of 2 % falls to 0.6 % with dose, as drawn by the phantoms; patients differ by 0.25, error 0.15 points
    rng = np.random.default_rng(11)
    change = -2.0 + 0.28 * DOSES + rng.normal(0, 0.25, DOSES.size) + rng.normal(0, 0.15, DOSES.size)
    found = associate(DOSES, change)
    assert found.spearman.value > 0.6
    assert found.spearman.low > 0
    assert found.spearman_p < 0.01
    assert found.slope.low < 0.28 < found.slope.high


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(100):
        found = associate(DOSES, 0.3 * DOSES + rng.normal(size=DOSES.size), resamples=1)
        held += found.slope.low <= 0.3 <= found.slope.high
    assert held / 100 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 100)


def test_with_few_patients_all_orders_are_tried():
    x, y = np.array([1.0, 2, 3, 4, 5, 6]), np.array([1.0, 3, 2, 4, 6, 5])
    observed = abs(correlate(x, y))
    orders = np.array(list(itertools.permutations(x)))
    exact = np.mean(np.abs(correlate(orders, y)) >= observed - 1e-12)
    found = associate(x, y)
    assert found.is_exact
    assert found.pearson_p == pytest.approx(exact)


def test_correlations_are_those_of_scipy():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 20))
    found = associate(x, y)
    assert found.spearman.value == pytest.approx(stats.spearmanr(x, y)[0])
    assert found.pearson.value == pytest.approx(stats.pearsonr(x, y)[0])
    assert found.spearman_p == pytest.approx(stats.spearmanr(x, y)[1], abs=0.03)


def test_a_perfect_correlation_has_an_interval_all_the_same():
    found = associate(np.arange(8.0), np.arange(8.0))
    assert found.pearson.value == pytest.approx(1)
    assert np.isfinite([found.pearson.low, found.pearson.high, found.slope.low]).all()


def test_the_same_patients_give_the_same_numbers():
    y = np.random.default_rng(1).normal(size=12)
    assert associate(DOSES, y) == associate(DOSES, y)


@pytest.mark.parametrize(
    ("x", "message"),
    [(np.arange(5.0), "5 patients are too few"), (np.ones(1), "1 patient is too few"), (np.ones(12), "same value")],
    ids=["five", "one", "constant"],
)
def test_what_cannot_be_asked_is_refused(x, message):
    with pytest.raises(ValueError, match=message):
        associate(x, np.arange(float(x.size)))


def test_a_confounder_is_taken_out():
    rng = np.random.default_rng(6)
    age = rng.uniform(30, 60, 40)
    dose = 0.1 * age + rng.normal(0, 0.5, 40)
    change = -0.05 * age + rng.normal(0, 0.3, 40)
    assert associate(dose, change).pearson_p < 0.01
    assert associate_adjusted(dose, change, age).p > 0.05


def test_the_adjusted_test_holds_its_error_rate():
    rng = np.random.default_rng(9)
    age = rng.uniform(30, 60, 12)
    found = [
        associate_adjusted(DOSES, -0.03 * age + rng.normal(size=12), age, resamples=199, seed=number).p <= ALPHA
        for number in range(400)
    ]
    assert np.mean(found) <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / 400)


def test_too_many_covariates_for_few_patients_are_refused():
    rng = np.random.default_rng(1)
    with pytest.raises(ValueError, match="too few to adjust for 3"):
        associate_adjusted(DOSES, rng.normal(size=12), rng.normal(size=(12, 3)))
    with pytest.raises(ValueError, match="determine"):
        associate_adjusted(DOSES, rng.normal(size=12), 2 * DOSES)


def test_the_means_interval_is_students():
    values = np.array([-1.0, -0.5, -1.5, -0.8])
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    found = mean_interval(values)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_a_number_that_differs_by_rounding_only_is_the_same_for_all():
    rounded = np.array([0.3 - 0.1, 0.5 - 0.3, 0.7 - 0.5, 0.9 - 0.7, 1.1 - 0.9, 1.3 - 1.1, 0.2])
    assert np.ptp(rounded) > 0
    other = np.random.default_rng(2).normal(size=7)
    for x, y in ((rounded, other), (other, rounded)):
        with pytest.raises(ValueError, match="same value"):
            associate(x, y)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_the_unit_of_a_number_is_of_no_account(unit):
    x, y = np.arange(7.0), np.random.default_rng(3).normal(size=7)
    one, other = associate(x, y), associate(unit * x, y)
    assert (other.pearson.value, other.pearson_p) == (pytest.approx(one.pearson.value), one.pearson_p)
    assert other.slope.value * unit == pytest.approx(one.slope.value)


def test_covariates_that_determine_the_outcome_leave_nothing_to_adjust():
    rng = np.random.default_rng(4)
    age = rng.normal(size=12)
    for outcome in (3 * age + 1, np.ones(12)):
        with pytest.raises(ValueError, match="determine the outcome"):
            associate_adjusted(DOSES, outcome, age)
