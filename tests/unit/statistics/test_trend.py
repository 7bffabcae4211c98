"""The tests of a trend against their definitions: each arrangement written out, each statistic by another way."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.nonparametric import jonckheere_terpstra

from graytrace.statistics.shapes import score_shapes
from graytrace.statistics.trend import MOST_FOR_PAIRS, TrendTests, find_trend

DOSES = np.repeat([0.7, 1.4, 5.7], 3)
SMALL = np.repeat([1.0, 2.0, 4.0], [2, 2, 3])
ALPHA = 0.05
TESTS = ("max_contrast", "spearman", "jonckheere_terpstra")


def arrangements(doses, strata=None):
    strata = np.zeros(len(doses), dtype=int) if strata is None else np.asarray(strata)
    parts = [sorted(set(itertools.permutations(doses[strata == stratum]))) for stratum in np.unique(strata)]
    for chosen in itertools.product(*parts):
        found = np.empty(len(doses))
        for stratum, part in zip(np.unique(strata), chosen, strict=True):
            found[strata == stratum] = part
        yield found


def contrast(doses, shape, y):
    """The optimal contrast of the group means: weights n (mu - mean of mu), as published."""
    levels, sizes = np.unique(doses, return_counts=True)
    mu = np.array([shape[level] for level in levels])
    weights = sizes * (mu - np.average(mu, weights=sizes))
    return weights @ [y[doses == level].mean() for level in levels]


def concordance(doses, y):
    samples = [y[doses == level] for level in np.unique(doses)]
    return jonckheere_terpstra(samples).concordant_minus_discordant


def tail(observed, found):
    return np.mean(np.abs(found) >= abs(observed) - 1e-9)


@pytest.mark.parametrize("values", [np.random.default_rng(3).normal(size=7), np.array([1.0, 2, 2, 0, 3, 2, 5])])
def test_exact_p_values_are_those_of_all_arrangements_written_out(values):
    levels = np.unique(SMALL)
    scores, _ = score_shapes(levels, np.array([2, 2, 3]))
    every = list(arrangements(SMALL))
    found = find_trend(SMALL, values)
    assert found.arrangements.possible == len(every) == 210

    largest, observed = [], []
    for score in scores.values():
        shape = dict(zip(levels, score, strict=True))
        contrasts = np.array([contrast(doses, shape, values) for doses in every])
        largest.append(np.abs(contrasts) / contrasts.std())
        observed.append(abs(contrast(SMALL, shape, values)) / contrasts.std())
    largest = np.max(largest, axis=0)
    for name, one in zip(scores, observed, strict=True):
        assert found.shapes[name].p == pytest.approx(tail(one, largest))
    assert found.max_contrast.p == pytest.approx(tail(max(observed), largest))
    assert found.max_contrast.least_p == pytest.approx(tail(largest.max(), largest))

    ranked = [stats.spearmanr(doses, values).statistic for doses in every]
    assert found.spearman.value == pytest.approx(stats.spearmanr(SMALL, values).statistic)
    assert found.spearman.p == pytest.approx(tail(found.spearman.value, ranked))

    ordered = [concordance(doses, values) for doses in every]
    assert found.jonckheere.value == pytest.approx(stats.kendalltau(SMALL, values).statistic)
    assert found.jonckheere.p == pytest.approx(tail(concordance(SMALL, values), ordered))


def test_within_strata_only_their_own_arrangements_count():
    doses = np.array([1.0, 1, 2, 2, 1, 2, 4, 4, 4])
    strata = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    y = np.random.default_rng(5).normal(size=9) + 3 * strata
    every = list(arrangements(doses, strata))
    found = find_trend(doses, y, strata=strata)
    assert found.arrangements.possible == len(every) == 6 * 20

    def total(given):
        return sum(concordance(given[strata == one], y[strata == one]) for one in (0, 1))

    assert found.jonckheere.p == pytest.approx(tail(total(doses), [total(given) for given in every]))

    within = y - np.array([y[strata == one].mean() for one in strata])
    linear = find_trend(doses, y, strata=strata, shapes=["linear"])
    products = np.array([given @ within for given in every])
    assert linear.max_contrast.p == pytest.approx(
        np.mean(np.abs(products - products.mean()) >= abs(doses @ within - products.mean()) - 1e-9)
    )


def test_what_differs_between_strata_is_no_trend():
    rng = np.random.default_rng(6)
    strata = np.repeat([0, 1], 6)
    doses = np.concatenate([np.repeat([1.0, 2], [4, 2]), np.repeat([1.0, 2], [2, 4])])
    y = 10 * strata + rng.normal(size=12)
    without = find_trend(doses, y)
    with_strata = find_trend(doses, y, strata=strata)
    moved = find_trend(doses, y - 10 * strata, strata=strata)
    assert with_strata.max_contrast.p == pytest.approx(moved.max_contrast.p)
    assert with_strata.max_contrast.value == pytest.approx(moved.max_contrast.value)
    assert without.max_contrast.value != pytest.approx(with_strata.max_contrast.value, abs=0.01)


def test_among_a_thousand_trials_without_effect_none_of_the_tests_finds_one_more_often_than_it_says():
    trials = 1_000
    slack = 3 * np.sqrt(ALPHA * (1 - ALPHA) / trials)
    rng = np.random.default_rng(1)
    outcomes = -0.4 - rng.gamma(2.0, 0.25, size=(trials, 9))
    p = TrendTests(np.repeat([1.0, 2, 4], 3)).p_values(outcomes)
    for name in TESTS:
        share = np.mean(p[name] <= ALPHA)
        # ranks of nine patients have few different values, so their p jumps from below 0.05 to above
        assert 0.03 <= share <= ALPHA + slack, name


def test_among_trials_without_effect_strata_keep_the_error_rate_where_they_differ():
    trials = 1_000
    rng = np.random.default_rng(2)
    strata = np.repeat([0, 1], 5)
    doses = np.array([1, 1, 1, 2, 2, 2, 2, 4, 4, 4.0])
    outcomes = 3.0 * strata + rng.normal(size=(trials, 10))
    slack = 3 * np.sqrt(ALPHA * (1 - ALPHA) / trials)
    kept = TrendTests(doses, strata=strata).p_values(outcomes)
    blind = TrendTests(doses).p_values(outcomes)
    assert np.mean(kept["max_contrast"] <= ALPHA) <= ALPHA + slack
    assert np.mean(blind["max_contrast"] <= ALPHA) > 0.2, "without strata their difference passes for a trend"


def test_the_step_is_found_where_only_the_highest_dose_works():
    y = np.array([0.2, -0.3, 0.1, -0.2, 0.3, -0.1, 1.1, 0.9, 1.2])
    found = find_trend(DOSES, y)
    assert found.best_shape == "step"
    assert found.max_contrast.value == found.shapes["step"].value > 0
    assert found.max_contrast.p == found.shapes["step"].p < ALPHA
    assert find_trend(DOSES, -y).max_contrast.value == pytest.approx(-found.max_contrast.value)
    assert find_trend(DOSES, -y).max_contrast.p == pytest.approx(found.max_contrast.p)


def test_where_only_the_highest_dose_works_the_contrasts_find_it_more_often_than_ranks():
    rng = np.random.default_rng(4)
    doses = np.repeat([1.0, 2, 4], 3)
    p = TrendTests(doses).p_values(2 * np.equal(doses, 4) + rng.normal(size=(500, 9)))
    assert np.mean(p["max_contrast"] <= ALPHA) > np.mean(p["spearman"] <= ALPHA) + 0.05


@pytest.mark.parametrize(
    ("mean", "shape"),
    [
        (lambda d: d, "linear"),
        (np.log, "log_linear"),
        (lambda d: d / (d + 0.7), "emax"),
        (lambda d: (d == 5.7).astype(float), "step"),
    ],
)
def test_a_shape_without_noise_is_recognized(mean, shape):
    found = find_trend(DOSES, mean(DOSES))
    assert found.best_shape == shape
    assert found.shapes[shape].value == pytest.approx(1)


def test_shapes_have_a_value_at_dose_zero_and_follow_the_unit_of_the_dose():
    doses = np.array([0.0, 1, 2, 4])
    scores, left_out = score_shapes(doses, np.full(4, 2))
    assert not left_out
    np.testing.assert_allclose(scores["log_linear"], np.log([1, 2, 3, 5]))
    np.testing.assert_allclose(scores["emax"], [0, 1 / 2, 2 / 3, 4 / 5])
    np.testing.assert_allclose(score_shapes(doses, np.full(4, 2), half_dose=4)[0]["emax"][-1], 0.5)
    y = np.random.default_rng(2).normal(size=8)
    one, other = (find_trend(unit * np.repeat(doses, 2), y) for unit in (1, 1e6))
    assert [test.p for test in one.shapes.values()] == [test.p for test in other.shapes.values()]


def test_shapes_that_a_number_does_not_have_are_left_out_with_a_reason():
    change = np.array([-2.0, -1, 0, 1, 2, 3, 4])
    found = find_trend(change, np.random.default_rng(1).normal(size=7))
    assert set(found.shapes) == {"linear"}
    assert set(found.left_out) == {"log_linear", "emax", "step"}
    step_only = find_trend(change, np.random.default_rng(1).normal(size=7), shapes=["step"])
    assert set(step_only.shapes) == {"linear"}, "something is left to ask"


def test_with_two_doses_all_shapes_are_the_same_comparison():
    doses = np.repeat([1.0, 4], 4)
    y = np.array([1.0, 2, 3, 4, 3.5, 5, 6, 7])
    found = find_trend(doses, y)
    assert found.best_shape == "linear"
    assert [test.p for test in found.shapes.values()] == pytest.approx([found.max_contrast.p] * 4)
    expected = stats.permutation_test(
        (y[:4], y[4:]), lambda a, b, axis: np.mean(a, axis=axis) - np.mean(b, axis=axis), vectorized=True
    )
    assert found.max_contrast.p == pytest.approx(expected.pvalue)


def test_ties_by_arithmetic_are_ties():
    y = np.array([0.3 - 0.1, 0.2, 0.5, 0.7 - 0.2, 0.4, 0.1, 0.6])
    plain = np.array([0.2, 0.2, 0.5, 0.5, 0.4, 0.1, 0.6])
    assert y[0] != y[1]
    one, other = find_trend(SMALL, y), find_trend(SMALL, plain)
    assert one.spearman == other.spearman
    assert one.jonckheere == other.jonckheere
    assert one.max_contrast.p == other.max_contrast.p


@pytest.mark.parametrize(
    ("doses", "outcome", "strata", "message"),
    [
        (np.ones(9), np.arange(9.0), None, "same value"),
        (DOSES, np.full(9, 0.3), None, "same value"),
        (DOSES, np.array([0.1, 0.3 - 0.1, 0.2] * 3), np.array([0, 1, 1] * 3), "same value"),
        (np.array([1.0, 2]), np.array([0.0, 1]), None, "2 patients are too few"),
        (np.repeat([1.0, 2], 3), np.arange(6.0), np.repeat([0, 1], 3), "of a stratum have the same value"),
    ],
    ids=["one dose", "one outcome", "one outcome in each stratum", "two patients", "one dose in each stratum"],
)
def test_what_cannot_be_asked_is_refused(doses, outcome, strata, message):
    with pytest.raises(ValueError, match=message):
        find_trend(doses, outcome, strata=strata)


def test_the_least_p_of_a_small_design_is_told():
    doses = np.array([1.0, 1, 1, 1, 1, 2])
    found = find_trend(doses, np.array([1.0, 2, 3, 4, 5, 9]))
    assert found.max_contrast.least_p == pytest.approx(1 / 6)


def test_random_arrangements_come_near_the_exact_p():
    y = np.random.default_rng(12).normal(size=9) + 0.4 * np.repeat([0, 1, 2], 3)
    doses = np.repeat([1.0, 2, 4], 3)
    exact = TrendTests(doses).p_values(y[np.newaxis])
    tests = TrendTests(doses)
    object.__setattr__(tests.arrangements, "most", 1)
    drawn = tests.p_values(y[np.newaxis])
    assert not tests.arrangements.is_exact
    for name, p in exact.items():
        assert drawn[name][0] == pytest.approx(p[0], abs=4 * tests.arrangements.error(p[0])), name
        assert drawn[name][0] != p[0]


def test_of_many_patients_jonckheeres_p_is_that_of_statsmodels():
    rng = np.random.default_rng(3)
    doses = np.repeat([1.0, 2, 4], 50)
    assert doses.size > MOST_FOR_PAIRS
    y = rng.normal(size=150) + 0.1 * doses
    found = find_trend(doses, y, resamples=99)
    samples = [y[doses == level] for level in (1, 2, 4)]
    assert found.jonckheere_is_approximate
    assert found.jonckheere.p == pytest.approx(jonckheere_terpstra(samples, alternative="two-sided").pvalue)
    assert found.jonckheere.value == pytest.approx(stats.kendalltau(doses, y).statistic)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_the_unit_of_the_outcome_is_of_no_account(unit):
    y = np.random.default_rng(3).normal(size=7)
    one, other = find_trend(SMALL, y), find_trend(SMALL, unit * y)
    assert (one.max_contrast.p, one.spearman.p, one.jonckheere.p) == (
        other.max_contrast.p,
        other.spearman.p,
        other.jonckheere.p,
    )
