"""How well two ways to measure the same thing agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from graytrace.arrays import Matrix
from graytrace.statistics.intervals import HALF_INTERVAL_SES

LEAST_PAIRS = 3  # two pairs of numbers leave nothing to judge a spread by
_NEGLIGIBLE = 1e-12  # of the patients' mean square


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % confidence interval, in the unit of what was estimated."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """Agreement of two measurements of the same patients.

    Parameters
    ----------
    pairs : int
        Patients that both measured.
    bias : Interval
        Mean of second minus first.
    sd : float
        Standard deviation of second minus first.
    lower, upper : Interval
        Limits of agreement.
    icc_agreement : Interval
        ICC(2,1): any difference between the two counts against them; 1 is perfect.
    icc_consistency : Interval
        ICC(3,1): a constant difference between the two does not count.
    """

    pairs: int
    bias: Interval
    sd: float
    lower: Interval
    upper: Interval
    icc_agreement: Interval
    icc_consistency: Interval


def measure_agreement(first: ArrayLike, second: ArrayLike) -> Agreement:
    """Bland-Altman limits of agreement and intraclass correlations of two measurements.

    Parameters
    ----------
    first, second : (N,) array-like
        The same patients in the same order, finite, N at least 3; one unit.

    Returns
    -------
    Agreement
        In the unit of the measurements.

    Raises
    ------
    ValueError
        Too few patients, or other numbers of them.

    Notes
    -----
    Limits: mean +- 1.96 SD of the differences, their intervals from the variance SD^2 (1/n + 1.96^2 / 2(n - 1)) and
    Student's t (Bland and Altman 1999, https://doi.org/10.1177/096228029900800204). ICC: see `intraclass_correlation`.

    Examples
    --------
    >>> found = measure_agreement([1.0, 2.0, 3.0, 4.0], [1.1, 2.1, 3.3, 4.1])
    >>> round(found.bias.value, 3)
    0.15
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"two rows of the same length are needed, got shapes {a.shape} and {b.shape}")
    if a.size < LEAST_PAIRS:
        raise ValueError(f"{a.size} patients measured by both, expected at least {LEAST_PAIRS}")
    difference = b - a
    n, bias, sd = a.size, float(difference.mean()), float(difference.std(ddof=1))
    t = float(stats.t.ppf(0.975, n - 1))
    reach = t * sd * np.sqrt(1 / n + HALF_INTERVAL_SES**2 / (2 * (n - 1)))
    limits = [bias - HALF_INTERVAL_SES * sd, bias + HALF_INTERVAL_SES * sd]
    agreement, consistency = intraclass_correlation(np.stack([a, b], axis=1))
    return Agreement(
        pairs=n,
        bias=Interval(bias, bias - t * sd / np.sqrt(n), bias + t * sd / np.sqrt(n)),
        sd=sd,
        lower=Interval(limits[0], float(limits[0] - reach), float(limits[0] + reach)),
        upper=Interval(limits[1], float(limits[1] - reach), float(limits[1] + reach)),
        icc_agreement=agreement,
        icc_consistency=consistency,
    )


def intraclass_correlation(table: Matrix) -> tuple[Interval, Interval]:
    """ICC(2,1) and ICC(3,1) with 95 % confidence intervals.

    Parameters
    ----------
    table : (N, K) array-like
        Patients in rows, raters (here: engines) in columns; finite.

    Returns
    -------
    agreement, consistency : Interval
        ICC(2,1), also called ICC(A,1): two-way random effects, absolute agreement, one rater; ICC(3,1), also called
        ICC(C,1): two-way mixed effects, consistency, one rater.

    Notes
    -----
    Shrout and Fleiss 1979, https://doi.org/10.1037/0033-2909.86.2.420; intervals: McGraw and Wong 1996,
    https://doi.org/10.1037/1082-989X.1.1.30.

    Examples
    --------
    >>> agreement, consistency = intraclass_correlation(np.array([[9, 2], [6, 1], [8, 4], [7, 1], [10, 5], [6, 2.0]]))
    >>> round(agreement.value, 2), round(consistency.value, 2)
    (0.14, 0.78)
    """
    x = np.asarray(table, float)
    n, k = x.shape
    rows, columns, grand = x.mean(1), x.mean(0), x.mean()
    between = k * float(((rows - grand) ** 2).sum()) / (n - 1)
    raters = n * float(((columns - grand) ** 2).sum()) / (k - 1)
    rest = x - rows[:, None] - columns[None, :] + grand
    error = float((rest**2).sum()) / ((n - 1) * (k - 1))
    rounding = 1e-24 * (float((x**2).sum()) or 1.0)
    if between < rounding:  # no patient differs from another: a correlation says nothing
        nothing = Interval(float("nan"), float("nan"), float("nan"))
        return nothing, nothing
    rounding = max(rounding, _NEGLIGIBLE * between)  # beside it the correlation is 1 in all digits
    consistency = Interval(1.0, 1.0, 1.0) if error < rounding else _consistency(between, error, n, k)
    if error < rounding and raters < rounding:
        return Interval(1.0, 1.0, 1.0), consistency
    return _agreement(between, raters, error, n, k), consistency


def _consistency(between: float, error: float, n: int, k: int) -> Interval:
    ratio = between / error
    freedom = (n - 1, (n - 1) * (k - 1))
    low = ratio / stats.f.ppf(0.975, *freedom)
    high = ratio * stats.f.ppf(0.975, *reversed(freedom))
    return Interval(*(float((value - 1) / (value + k - 1)) for value in (ratio, low, high)))


def _agreement(between: float, raters: float, error: float, n: int, k: int) -> Interval:
    """McGraw and Wong's ICC(A,1), case 2A, with Satterthwaite's degrees of freedom."""
    value = (between - error) / (between + (k - 1) * error + k * (raters - error) / n)
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    freedom = (a * raters + b * error) ** 2 / ((a * raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    spread = k * raters + (k * n - k - n) * error
    lower = stats.f.ppf(0.975, n - 1, freedom)
    upper = stats.f.ppf(0.975, freedom, n - 1)
    low = n * (between - lower * error) / (lower * spread + n * between)
    high = n * (upper * between - error) / (spread + n * upper * between)
    return Interval(float(value), float(low), float(high))
