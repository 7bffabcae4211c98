import itertools
import math

import numpy as np
import pytest

from graytrace.statistics.arrangements import Arrangements, list_arrangements

TRIAL = np.repeat([0, 1, 2, 3], 3)


def ways(groups, strata=None, **options):
    strata = np.zeros(len(groups), dtype=int) if strata is None else np.array(strata)
    return Arrangements(np.array(groups), strata, **options)


def every(arrangements):
    return np.concatenate(list(arrangements.blocks()))


@pytest.mark.parametrize("groups", [[0, 0, 1, 1, 2], [2, 0, 1, 0, 2, 2], [0, 1, 2, 3, 4], [0, 0]])
def test_every_order_of_the_groups_is_listed_once(groups):
    expected = sorted(set(itertools.permutations(groups)))
    assert [tuple(row) for row in list_arrangements(groups)] == expected


def test_three_patients_on_each_of_four_doses_have_369600():
    trial = ways(TRIAL)
    assert trial.is_exact
    assert trial.tried == trial.possible == 369_600
    assert sum(len(block) for block in trial.blocks()) == 369_600


def test_chance_stays_within_strata():
    groups, strata = [0, 1, 1, 0, 0, 1], [0, 0, 0, 1, 1, 1]
    found = every(ways(groups, strata))
    assert len(found) == 9
    assert len(np.unique(found, axis=0)) == 9
    assert (found[:, :3].sum(1) == 2).all()
    assert (found[:, 3:].sum(1) == 1).all()


@pytest.mark.parametrize("strata", [[0] * 16, [0, 1] * 8])
def test_where_there_are_too_many_random_ones_are_drawn_within_strata_and_the_same_each_time(strata):
    trial = ways(range(16), strata, resamples=5_000)
    assert trial.possible > 1_000_000
    assert not trial.is_exact
    found = every(trial)
    assert len(found) == 5_000
    assert (np.sort(found, axis=1) == np.arange(16)).all()
    for stratum in set(strata):
        places = np.flatnonzero(np.array(strata) == stratum)
        assert (np.sort(found[:, places], axis=1) == places).all()
        means = found[:, places].mean(0)
        # standard error of a mean of 5,000 ranks of up to 16: 0.065
        np.testing.assert_allclose(means, places.mean(), atol=0.3)
    np.testing.assert_array_equal(found, every(trial))


def test_a_random_p_is_never_zero_and_has_an_error():
    drawn = ways(range(16), resamples=999)
    assert drawn.p_value(0) == pytest.approx(1 / 1000)
    assert drawn.error(0.05) == pytest.approx(math.sqrt(0.05 * 0.95 / 999))
    assert ways(TRIAL).error(0.05) == 0
