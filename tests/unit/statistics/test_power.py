import numpy as np
import pytest
from scipy import stats

from graytrace.statistics.power import (
    Spread,
    detectable_correlation,
    detectable_difference,
    detectable_slope,
    patients_per_arm,
    split_spread,
)


def test_the_textbooks_sample_size():
    # two-sided t-test, standardized effect 0.5, power 80 %: 64 in each arm (Cohen 1988, table 2.4.1)
    assert patients_per_arm(0.5, 1.0) == 64
    assert patients_per_arm(-0.5, 1.0) == 64


def test_the_planned_arm_finds_the_effect_as_often_as_it_says():
    rng = np.random.default_rng(1)
    n = patients_per_arm(0.4, 0.5)
    arms = rng.normal(size=(2, 4000, n)) * 0.5
    p = stats.ttest_ind(arms[0], arms[1] + 0.4, axis=1).pvalue
    assert np.mean(p < 0.05) == pytest.approx(0.8, abs=0.03)


def test_detectable_and_needed_are_each_others_inverse():
    sd = 0.6
    assert patients_per_arm(detectable_difference(20, sd) * 1.0001, sd) == 20


def test_twelve_patients_show_a_correlation_as_often_as_it_says():
    rng = np.random.default_rng(2)
    doses = np.repeat([0.7, 1.4, 2.8, 5.7], 3)
    slope = detectable_slope(doses, 0.5)
    found = [stats.pearsonr(doses, slope * doses + 0.5 * rng.normal(size=12)).pvalue < 0.05 for _ in range(1500)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)
    assert 0.6 < detectable_correlation(12) < 0.75


def test_the_measurements_part_is_taken_out_of_the_spread():
    rng = np.random.default_rng(3)
    years = np.full(5000, 2.0)
    changes = -0.5 + rng.normal(0, 0.3, 5000) + rng.normal(0, 0.4, 5000) / years
    spread = split_spread(changes, np.full(5000, 0.4), years)
    assert spread.patients == pytest.approx(0.3, abs=0.02)
    assert spread.error_points == pytest.approx(0.4)
    assert spread.observed(years=2) == pytest.approx(changes.std(), abs=0.02)


def test_error_larger_than_the_spread_leaves_no_negative_variance():
    assert split_spread(np.array([-1.0, -1.01, -0.99]), np.full(3, 5.0), np.ones(3)).patients == 0


def test_a_longer_trial_dilutes_the_error():
    spread = Spread(0.3, 0.4)
    assert spread.observed(years=4) < spread.observed(years=1)


@pytest.mark.parametrize(("effect", "sd"), [(0.0, 1.0), (1.0, 0.0)])
def test_nothing_to_plan_for_is_refused(effect, sd):
    with pytest.raises(ValueError, match="not be zero"):
        patients_per_arm(effect, sd)


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda: split_spread(np.array([-1.0, -2, -3]), np.full(3, 0.1), np.array([0.0, 1, 2])), "no time"),
        (lambda: Spread(0.3, 0.4).observed(years=0), "0 years"),
        (lambda: patients_per_arm(1e-9, 1.0), "no trial can find it"),
        (lambda: detectable_slope(np.ones(4), 1.0), "doses are the same"),
        (lambda: detectable_correlation(12, alpha=0.9), "cannot be computed"),
    ],
)
def test_what_divides_by_nothing_is_refused_in_words(compute, message):
    with pytest.raises(ValueError, match=message):
        compute()


def test_an_effect_far_beyond_the_spread_needs_two():
    assert patients_per_arm(1.0, 1e-12) == 2
