import numpy as np
import pytest

from graytrace.statistics.intervals import HALF_INTERVAL_SES
from graytrace.statistics.trajectory import Contrasts, find_connected, fit_slope, fit_trajectory, take_logarithm

YEARS = np.array([0.0, 0.25, 0.5, 1.0, 1.5, 2.0])
SLOPE = -0.012
TRIALS = 400
# of 400 intervals 95 % contain the truth; 3 standard deviations around the promised 90 to 99 % would be wider
LEAST_COVERED, MOST_COVERED = 0.90, 0.99


def sparing_pairs(visits):
    """Each visit with the first one and with the one before it."""
    pairs = [(0, later) for later in range(1, visits)] + [(place, place + 1) for place in range(1, visits - 1)]
    return np.array(pairs).T


def contrasts_of(course, errors, noise=0.0):
    first, second = sparing_pairs(course.size)
    return Contrasts(first, second, course[second] - course[first] + noise, errors)


def draw(rng, share, course):
    """Pairs with their stated errors, so much of whose variance belongs to the scans."""
    errors = rng.uniform(0.002, 0.005, sparing_pairs(course.size).shape[1])
    values, vectors = np.linalg.eigh(contrasts_of(course, errors).covariance(share))
    noise = vectors @ (np.sqrt(np.clip(values, 0, None)) * rng.standard_normal(errors.size))
    return contrasts_of(course, errors, noise)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("years", [YEARS, YEARS[:4:3], YEARS[[0, 3, 5]]], ids=["six", "two", "three"])
def test_intervals_of_slopes_and_visits_hold_whatever_part_of_the_error_scans_share(share, years):
    rng = np.random.default_rng(8)
    course = SLOPE * years
    slopes, places = [], []
    for _ in range(TRIALS):
        pairs = draw(rng, share, course)
        slope, trajectory = fit_slope(pairs, years), fit_trajectory(pairs)
        slopes.append(abs(slope.per_year - SLOPE) <= HALF_INTERVAL_SES * slope.error)
        places += list((abs(trajectory.log_ratios - course) <= HALF_INTERVAL_SES * trajectory.errors)[1:])
    assert LEAST_COVERED <= np.mean(slopes) <= MOST_COVERED
    assert LEAST_COVERED <= np.mean(places) <= 0.995, "of trajectories the widest of both ends may be more"


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_loops_and_lines_alarm_in_no_more_than_five_of_a_hundred(share):
    rng = np.random.default_rng(9)
    fits = [fit_slope(draw(rng, share, SLOPE * YEARS), YEARS) for _ in range(TRIALS)]
    for p_values in ([fit.loops.p for fit in fits], [fit.line.p for fit in fits]):
        assert np.mean([p < 0.05 for p in p_values]) < 0.05 + 3 * (0.05 * 0.95 / TRIALS) ** 0.5


def test_closed_loops_are_met_exactly():
    course = np.array([0.0, -0.01, 0.005, -0.03, -0.031, -0.05])
    found = fit_trajectory(contrasts_of(course, np.linspace(0.002, 0.005, 9)))
    assert found.log_ratios == pytest.approx(course, abs=1e-12)
    assert found.loops.chi_square == pytest.approx(0, abs=1e-12)
    assert found.loops.degrees_of_freedom == 4
    assert found.errors[0] == 0


def test_an_open_loop_is_told_and_widens_every_interval():
    course, errors = SLOPE * YEARS, np.full(9, 0.003)
    noise = np.zeros(9)
    noise[6] = 0.03
    closed, opened = contrasts_of(course, errors), contrasts_of(course, errors, noise)
    assert fit_slope(opened, YEARS).loops.p < 1e-6
    assert fit_slope(opened, YEARS).error > 2 * fit_slope(closed, YEARS).error
    assert (fit_trajectory(opened).errors[1:] > 2 * fit_trajectory(closed).errors[1:]).all()


def test_a_visit_off_the_line_widens_the_slope_and_leaves_loops_closed():
    course = SLOPE * YEARS + np.array([0, 0, 0, 0.02, 0, 0])
    pairs = contrasts_of(course, np.full(9, 0.003))
    found = fit_slope(pairs, YEARS)
    assert found.line.p < 0.001
    assert found.loops.p == pytest.approx(1)
    assert found.error > 1.5 * fit_slope(contrasts_of(SLOPE * YEARS, pairs.errors), YEARS).error


def test_order_of_visits_pairs_and_direction_do_not_matter():
    rng = np.random.default_rng(3)
    pairs = draw(rng, 0.5, SLOPE * YEARS)
    order, rows, turned = rng.permutation(6), rng.permutation(9), rng.random(9) < 0.5
    first, second = order[pairs.first][rows], order[pairs.second][rows]
    ends = np.where(turned, second, first), np.where(turned, first, second)
    signs = np.where(turned, -1, 1)
    other = Contrasts(*ends, signs * pairs.log_ratios[rows], pairs.errors[rows])
    years = np.empty(6)
    years[order] = YEARS
    before, after = fit_slope(pairs, YEARS), fit_slope(other, years)
    assert (after.per_year, after.error) == pytest.approx((before.per_year, before.error))
    assert (after.loops.chi_square, after.line.chi_square) == pytest.approx(
        (before.loops.chi_square, before.line.chi_square)
    )
    found = fit_trajectory(other, reference=int(order[0]))
    assert found.log_ratios[order] == pytest.approx(fit_trajectory(pairs).log_ratios)
    assert found.errors[order] == pytest.approx(fit_trajectory(pairs).errors)


def test_a_day_to_count_from_does_not_matter():
    pairs = draw(np.random.default_rng(3), 0.5, SLOPE * YEARS)
    assert fit_slope(pairs, YEARS + 100).per_year == pytest.approx(fit_slope(pairs, YEARS).per_year)


def test_two_visits_give_their_change_over_time_and_its_error():
    pair = Contrasts(np.array([0]), np.array([1]), np.array([-0.02]), np.array([0.004]))
    found = fit_slope(pair, [0.0, 2.0])
    assert (found.per_year, found.error) == pytest.approx((-0.01, 0.002))
    assert found.loops.p is None
    assert found.line.p is None
    assert fit_trajectory(pair).errors[1] == pytest.approx(0.004)


def test_pairs_that_share_a_visit_are_correlated():
    first, second = np.array([0, 0, 1]), np.array([1, 2, 2])
    shared = Contrasts(first, second, np.zeros(3), np.array([0.002, 0.004, 0.002])).covariance(1.0)
    assert shared[0, 1] == pytest.approx(0.002 * 0.004 / 2)
    assert shared[0, 2] == pytest.approx(-0.002 * 0.002 / 2), "one ends where the other begins"
    assert np.diag(shared) == pytest.approx([0.002**2, 0.004**2, 0.002**2])


def test_visits_that_no_pair_joins_are_refused():
    apart = Contrasts(np.array([0, 2]), np.array([1, 3]), np.zeros(2), np.ones(2))
    assert find_connected(apart).tolist() == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="some visit is apart from the others"):
        fit_trajectory(apart)
    with pytest.raises(ValueError, match="some visit is apart from the others"):
        fit_slope(apart, [0.0, 1.0, 2.0, 3.0])


def test_no_time_between_the_visits_is_refused():
    pair = Contrasts(np.array([0]), np.array([1]), np.array([-0.02]), np.array([0.004]))
    with pytest.raises(ValueError, match="no time between the visits"):
        fit_slope(pair, [1.0, 1.0])


def test_a_change_and_its_error_become_logarithms():
    value, error = take_logarithm(-1.5, 0.3)
    assert value == pytest.approx(np.log(0.985))
    assert error == pytest.approx(0.003 / 0.985)
    with pytest.raises(ValueError, match="expected more than -100 %"):
        take_logarithm(-100.0, 0.3)
