"""Does one number of the patients go with another? Made for trials of a dozen.

Tests are permutation tests, which hold their error rate whatever the distribution and however many ties; with few
patients all orders are tried (exact), else random ones with a fixed seed. Intervals of correlations are bootstrapped,
the slope is Theil and Sen's, whose interval follows from Kendall's test.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from graytrace.counting import counted, too_few

MIN_PATIENTS = 6
MIN_RESIDUAL_DF = 8
CONFIDENCE = 0.95
RESAMPLES = 9_999
_SEED = 20_240_229
_BATCH = 1_000
_ROUNDING = 1e-9  # of the largest value: smaller differences are those of arithmetic, as in 0.3 - 0.1 and 0.2
Values: TypeAlias = NDArray[np.floating[Any]]
"""(N,) float: a number for each patient, finite; (N, K) for K covariates, (..., N) for many orders of the patients."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Association:
    """How one number goes with another over `n` patients.

    `slope` is the outcome's change per unit of the predictor; `is_exact` tells whether all orders were tried.
    """

    n: int
    spearman: Estimate
    spearman_p: float
    pearson: Estimate
    pearson_p: float
    slope: Estimate
    is_exact: bool


@dataclass(frozen=True)
class AdjustedAssociation:
    """The same with covariates held fixed: partial correlation, its permutation p, and the slope of least squares."""

    n: int
    partial_r: float
    p: float
    slope: Estimate


def associate(x: Values, y: Values, *, seed: int = _SEED, resamples: int = RESAMPLES) -> Association:
    """Rank and linear correlation of `y` with `x`, and the slope of `y` over `x`.

    Parameters
    ----------
    x, y : (n,) array-like
        Predictor and outcome of the same patients, finite.
    seed : int
        Of permutations and bootstrap.
    resamples : int
        Of permutations; all orders are tried where there are no more than that.

    Returns
    -------
    Association
        Correlations in [-1, 1], p in (0, 1], the slope in units of `y` per unit of `x`.

    Raises
    ------
    ValueError
        Fewer than six patients, or a predictor or outcome that is the same for all.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.size < MIN_PATIENTS:
        raise ValueError(f"{too_few(x.size, 'patient')}: {MIN_PATIENTS} are needed")
    if _is_constant(x) or _is_constant(y):
        raise ValueError("all patients have the same value")
    ranks = stats.rankdata(x), stats.rankdata(y)
    slope = stats.theilslopes(y, x, CONFIDENCE)
    x, y = _in_handy_unit(x), _in_handy_unit(y)
    return Association(
        n=int(x.size),
        spearman=_bootstrap(x, y, ranked=True, seed=seed),
        spearman_p=permutation_p(*ranks, seed=seed, resamples=resamples),
        pearson=_bootstrap(x, y, ranked=False, seed=seed),
        pearson_p=permutation_p(x, y, seed=seed, resamples=resamples),
        slope=Estimate(float(slope.slope), float(slope.low_slope), float(slope.high_slope)),
        is_exact=math.factorial(x.size) <= resamples,
    )


def _is_constant(values: Values) -> bool:
    """Whether values differ by no more than arithmetic does."""
    return bool(np.ptp(values) <= _ROUNDING * np.abs(values).max())


def _in_handy_unit(values: Values) -> Values:
    """Values times a power of two, so that their squares are numbers; it changes no digit of a correlation."""
    return np.asarray(np.ldexp(values, -int(np.frexp(np.abs(values).max())[1])))


def correlate(x: Values, y: Values) -> Values:
    """Pearson's correlation along the last axis; 0 where one of the two is constant.

    Parameters
    ----------
    x, y : (..., N) ndarray
        Finite; their shapes broadcast.

    Returns
    -------
    (...) ndarray
        In [-1, 1].
    """
    dx, dy = x - x.mean(-1, keepdims=True), y - y.mean(-1, keepdims=True)
    scale = np.sqrt((dx**2).sum(-1) * (dy**2).sum(-1))
    return np.asarray(np.divide((dx * dy).sum(-1), scale, out=np.zeros_like(scale), where=scale > 0))


def permutation_p(x: Values, y: Values, *, seed: int = _SEED, resamples: int = RESAMPLES) -> float:
    """Two-sided p of Pearson's correlation when chance pairs `x` and `y`; of Spearman's when they are ranks.

    Parameters
    ----------
    x, y : (N,) array-like
        Finite.
    seed : int
        Of the permutations.
    resamples : int
        Of permutations; all orders are tried where there are no more than that.

    Returns
    -------
    float
        In (0, 1].
    """
    result = stats.permutation_test(
        (np.asarray(x, dtype=float),),
        lambda order, axis: correlate(np.moveaxis(order, axis, -1), np.asarray(y, dtype=float)),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=resamples,
        batch=_BATCH,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def _bootstrap(x: Values, y: Values, *, ranked: bool, seed: int) -> Estimate:
    """Correlation with its bias-corrected and accelerated bootstrap interval, patients drawn with replacement."""

    def statistic(a: Values, b: Values, axis: int = -1) -> Values:
        a, b = np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)
        return correlate(stats.rankdata(a, axis=-1), stats.rankdata(b, axis=-1)) if ranked else correlate(a, b)

    bounds = (math.nan, math.nan)
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():  # where BCa has no answer (a perfect correlation) scipy says so by NaN as well
            warnings.simplefilter("ignore")
            result = stats.bootstrap(
                (x, y),
                statistic,
                paired=True,
                vectorized=True,
                n_resamples=RESAMPLES,
                batch=_BATCH,
                confidence_level=CONFIDENCE,
                method=method,
                rng=np.random.default_rng(seed),
            )
        bounds = result.confidence_interval
        if np.isfinite(bounds).all():
            break
    return Estimate(float(statistic(x, y)), float(bounds[0]), float(bounds[1]))


def associate_adjusted(
    x: Values, y: Values, covariates: Values, *, seed: int = _SEED, resamples: int = RESAMPLES
) -> AdjustedAssociation:
    """As `associate`, with covariates held fixed by least squares.

    The p-value permutes what the covariates leave of the outcome (Freedman and Lane 1983,
    https://doi.org/10.1080/07350015.1983.10509354); the slope and its interval are those of ordinary least squares.

    Parameters
    ----------
    x, y : (n,) array-like
        Predictor and outcome of the same patients, finite.
    covariates : (n, k) array-like
        Of the same patients, finite.
    seed : int
        Of permutations.
    resamples : int
        Of permutations; all orders are tried where there are no more than that.

    Returns
    -------
    AdjustedAssociation
        Partial correlation in [-1, 1], p in (0, 1], the slope in units of `y` per unit of `x`.

    Raises
    ------
    ValueError
        Too few patients for so many covariates, or covariates that determine the predictor or the outcome.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    z = sm.add_constant(np.asarray(covariates, dtype=float).reshape(x.size, -1), has_constant="add")
    left = x.size - z.shape[1] - 1
    if left < MIN_RESIDUAL_DF:
        raise ValueError(f"{too_few(x.size, 'patient')} to adjust for {counted(z.shape[1] - 1, 'covariate')}")
    if np.linalg.matrix_rank(np.column_stack([z, x])) < z.shape[1] + 1:
        raise ValueError("the covariates determine each other or the predictor")
    remove = np.eye(x.size) - z @ np.linalg.pinv(z)
    x_left, y_left = remove @ x, remove @ y
    for left_over, whole, what in ((x_left, x, "predictor"), (y_left, y, "outcome")):
        if np.abs(left_over).max() <= _ROUNDING * np.abs(whole).max():
            raise ValueError(f"the covariates determine the {what}")
    result = stats.permutation_test(
        (y_left,),
        lambda order, axis: correlate(np.moveaxis(order, axis, -1) @ remove, x_left),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=resamples,
        batch=_BATCH,
        rng=np.random.default_rng(seed),
    )
    fit = sm.OLS(y, np.column_stack([x, z])).fit()
    low, high = fit.conf_int(1 - CONFIDENCE)[0]
    slope = Estimate(float(fit.params[0]), float(low), float(high))
    return AdjustedAssociation(int(x.size), float(correlate(x_left, y_left)), float(result.pvalue), slope)


def correct_holm(p_values: list[float]) -> list[float]:
    """p-values corrected for their number by Holm's method.

    Examples
    --------
    >>> [round(p, 3) for p in correct_holm([0.01, 0.04, 0.3])]
    [0.03, 0.08, 0.3]
    """
    if not p_values:
        return []
    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def mean_interval(values: Values) -> Estimate:
    """Mean with its 95 % interval by Student's t.

    Parameters
    ----------
    values : (N,) array-like
        Finite, N at least 2.

    Returns
    -------
    Estimate
        In the unit of the values.

    Raises
    ------
    ValueError
        Fewer than two values.
    """
    values = np.asarray(values, dtype=float)
    if values.size < 2:
        raise ValueError("an interval needs two values")
    mean = float(values.mean())
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, values.size - 1) * stats.sem(values))
    return Estimate(mean, mean - half, mean + half)
