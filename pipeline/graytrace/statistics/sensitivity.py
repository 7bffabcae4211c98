"""Whether an answer hangs on one patient, on how exactly each was measured, or on who is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import statsmodels.api as sm
from scipy.optimize import brentq
from scipy.stats import t as student

from graytrace.counting import too_few
from graytrace.statistics.arrangements import Arrangements, Groups
from graytrace.statistics.association import CONFIDENCE, Estimate, Values
from graytrace.statistics.trend import Outcomes, TrendTests

LEAST_FREEDOM = 2  # degrees of freedom of an interval: with one it would be 13 standard errors to each side
_ROUNDING = 1e-9  # of the largest value, as in `association`


@dataclass(frozen=True)
class GroupMean:
    """A dose, its patients, and their mean outcome; `mean` has no interval (None) where no spread can be told."""

    dose: float
    n: int
    value: float
    mean: Estimate | None


@dataclass(frozen=True)
class WeightedSlope:
    """A least-squares slope weighted by precision; `tau` is the patients' own standard deviation around the line."""

    slope: Estimate
    p: float
    tau: float


def mean_groups(doses: Values, outcome: Values) -> list[GroupMean]:
    """Mean outcome at each dose, with 95 % intervals from the spread within all groups together.

    Parameters
    ----------
    doses, outcome : (N,) array-like
        Of the same patients, finite.

    Returns
    -------
    list of GroupMean
        Doses rising. No intervals where no group has two patients, or nobody differs from the others of his group.
    """
    x, y = np.asarray(doses, dtype=float), np.asarray(outcome, dtype=float)
    different, groups = np.unique(x, return_inverse=True)
    means = [float(y[groups == group].mean()) for group in range(different.size)]
    spread = np.abs(y - np.array(means)[groups])
    has_spread = y.size > different.size and bool(spread.max() > _ROUNDING * np.abs(y).max())
    fit = sm.OLS(y, np.eye(different.size)[groups]).fit() if has_spread else None
    bounds = [None] * different.size if fit is None else fit.conf_int(1 - CONFIDENCE)
    return [
        GroupMean(
            dose=float(dose),
            n=int((groups == group).sum()),
            value=means[group],
            mean=None if bound is None else Estimate(means[group], float(bound[0]), float(bound[1])),
        )
        for group, (dose, bound) in enumerate(zip(different, bounds, strict=True))
    ]


def fit_weighted(
    doses: Values, outcome: Values, errors: Values | None = None, *, strata: Groups | None = None
) -> WeightedSlope:
    """The slope of the outcome over the dose, patients weighted by 1 / (error^2 + tau^2).

    tau^2, the variance of patients around the line beyond the errors of measurement, makes the weighted sum of squared
    residuals equal to its degrees of freedom (Paule and Mandel 1982, https://doi.org/10.6028/jres.087.022; for a
    regression DerSimonian and Kacker 2007, https://doi.org/10.1016/j.cct.2006.04.004). The interval is Student's with
    the larger of both errors (Knapp and Hartung 2003, https://doi.org/10.1002/sim.1482); p is by permutation
    (`weighted_p`), because with a dozen patients weights that differ much make Student's too small.

    Parameters
    ----------
    doses, outcome : (N,) array-like
        Of the same patients, finite, N at least 4.
    errors : (N,) array-like, optional
        Standard error of each outcome, in its unit, not negative. None: all patients weigh the same.
    strata : (N,) array-like of int, optional
        Stratum of each patient, from 0; each has a level of its own.

    Returns
    -------
    WeightedSlope
        In units of the outcome per unit of the dose.

    Raises
    ------
    ValueError
        Too few patients, a dose that is the same for all, a negative error, or outcomes that lie on the line.
    """
    x, y = np.asarray(doses, dtype=float), np.asarray(outcome, dtype=float)
    levels = _levels(strata, y.size)
    design = np.column_stack([x, levels])
    freedom = y.size - design.shape[1]
    if freedom < LEAST_FREEDOM:
        raise ValueError(f"{too_few(y.size, 'patient')}: {design.shape[1] + LEAST_FREEDOM} are needed")
    if np.linalg.matrix_rank(design - [*x.mean(keepdims=True), *np.zeros(levels.shape[1])]) < design.shape[1]:
        raise ValueError("all patients have the same value")
    if errors is not None and (np.asarray(errors, dtype=float) < 0).any():
        raise ValueError("a standard error is below 0")
    variance = np.zeros(y.size) if errors is None else np.asarray(errors, dtype=float) ** 2
    tau2 = _solve_tau2(design, y, variance)
    fit = sm.WLS(y, design, weights=1 / (variance + tau2)).fit()
    # where errors explain all of the spread the residuals are smaller than they say: the interval is not
    error = float(fit.bse[0]) * max(1.0, float(fit.scale) ** -0.5)
    slope = float(fit.params[0])
    half = float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    p = float(weighted_p(x, y[np.newaxis], np.sqrt(variance), strata=strata)[0])
    return WeightedSlope(Estimate(slope, slope - half, slope + half), p, float(np.sqrt(tau2)))


def _levels(strata: Groups | None, count: int) -> Values:
    """A column of zeros and ones for each stratum."""
    if strata is None:
        return np.ones((count, 1))
    groups = np.unique(np.asarray(strata), return_inverse=True)[1]
    return np.eye(groups.max() + 1)[groups]


def _solve_tau2(design: Values, y: Values, variance: Values) -> float:
    """tau^2 at which weighted squared residuals sum to their degrees of freedom; about 0 where errors explain more.

    Raises
    ------
    ValueError
        Nothing is left around the line.
    """
    freedom = y.size - design.shape[1]
    residuals = sm.OLS(y, design).fit().resid
    if np.abs(residuals).max() <= _ROUNDING * float(np.abs(y).max()):
        raise ValueError("the patients lie on one line: nothing is left to judge its slope by")
    squares = float((residuals**2).sum())
    if not variance.any():
        return float(squares / freedom)

    def excess(tau2: float) -> float:
        return float(sm.WLS(y, design, weights=1 / (variance + tau2)).fit().scale) - 1

    least = _ROUNDING * squares  # an error of 0 must not weigh infinitely
    if excess(least) <= 0:
        return least
    return float(brentq(excess, least, 2 * squares))


def weighted_p(doses: Values, outcomes: Outcomes, errors: Values, *, strata: Groups | None = None) -> Values:
    """Two-sided p of a precision-weighted slope when chance deals out the doses: an outcome keeps its error.

    The statistic is the weighted slope over its standard error, with the weights that follow if no dose does anything:
    they are the same in all arrangements.

    Parameters
    ----------
    doses : (N,) array-like
        Finite.
    outcomes : (T, N) ndarray
        Of the same patients in each of T trials, finite.
    errors : (N,) array-like
        Standard error of each outcome, in its unit, not negative.
    strata : (N,) array-like of int, optional
        Stratum of each patient, from 0.

    Returns
    -------
    (T,) ndarray
        In (0, 1].
    """
    different, groups = np.unique(np.asarray(doses, dtype=float), return_inverse=True)
    levels, variance = _levels(strata, groups.size), np.asarray(errors, dtype=float) ** 2
    weights = np.array([1 / (variance + _solve_tau2(levels, y, variance)) for y in outcomes])
    weights /= weights.sum(1, keepdims=True)
    fits = zip(outcomes, weights, strict=True)
    residuals = np.array([weight * sm.WLS(y, levels, weights=weight).fit().resid for y, weight in fits])
    residuals /= np.abs(residuals).sum(1, keepdims=True)
    score = (different - different.mean()) / np.ptp(different)

    def statistic(block: Groups) -> Outcomes:
        x = score[block]
        squares = (x**2) @ weights.T
        for level in levels.T:
            squares -= (x @ (level * weights).T) ** 2 / (level * weights).sum(1)
        return np.asarray(np.abs(x @ residuals.T) / np.sqrt(np.maximum(squares, _ROUNDING)))

    arrangements = Arrangements(groups, levels.argmax(1))
    bar = (1 - _ROUNDING) * statistic(groups[np.newaxis])[0]
    counts = np.sum([(statistic(block) >= bar).sum(0) for block in arrangements.blocks()], axis=0)
    return np.array([arrangements.p_value(count) for count in counts])


def leave_one_out(doses: Values, outcome: Values, test: str, *, strata: Groups, **options: Any) -> list[float | None]:
    """A test's p without each patient in turn.

    Parameters
    ----------
    doses, outcome : (N,) array-like
        Of the same patients, finite.
    test : str
        A key of `TrendTests.p_values`.
    strata : (N,) array-like of int
        Of the same patients, from 0.
    **options
        Of `TrendTests`.

    Returns
    -------
    list of float or None
        One for each patient; None where the test cannot be done without him.
    """
    x, y = np.asarray(doses, dtype=float), np.asarray(outcome, dtype=float)
    found: list[float | None] = []
    for left in range(y.size):
        keep = np.arange(y.size) != left
        found.append(_p_of(x[keep], y[keep], test, np.asarray(strata)[keep], options))
    return found


def _p_of(x: Values, y: Values, test: str, strata: Groups, options: Mapping[str, Any]) -> float | None:
    try:
        tests = TrendTests(x, strata=strata, **options)
    except ValueError:
        return None
    return None if tests.is_constant(y) else float(tests.p_values(y[np.newaxis])[test][0])


def fill_extreme(doses: Values, outcome: Values, missing_doses: Values, *, favors: bool) -> tuple[Values, Values]:
    """Everybody; who has no outcome gets the one that speaks most for, or most against, a rise with the dose.

    Parameters
    ----------
    doses, outcome : (N,) array-like
        Of those who were measured, finite, N at least 1.
    missing_doses : (K,) array-like
        Of those who were not.
    favors : bool
        Whether who has more than the mean dose of everybody gets the highest outcome that was measured and who has
        less gets the lowest; else the other way round. Who has the mean dose gets the median.

    Returns
    -------
    doses, outcome : (N + K,) ndarray
        Those who were measured first.
    """
    x, y = np.asarray(doses, dtype=float), np.asarray(outcome, dtype=float)
    missing = np.asarray(missing_doses, dtype=float)
    everybody = np.concatenate([x, missing])
    side = np.sign(missing - everybody.mean()) * (1 if favors else -1)
    filled = np.select([side > 0, side < 0], [y.max(), y.min()], float(np.median(y)))
    return everybody, np.concatenate([y, filled])
