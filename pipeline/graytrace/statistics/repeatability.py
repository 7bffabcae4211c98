"""How well a measurement repeats itself on scans between which nothing changed: QIBA's definitions.

Definitions: Raunig et al. 2015, https://doi.org/10.1177/0962280214537344. How many patients they need, and what bias
does to intervals built on them: Obuchowski and Bullen 2018, https://doi.org/10.1177/0962280217718867.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from graytrace.arrays import Vector
from graytrace.statistics.agreement import Interval
from graytrace.statistics.intervals import HALF_INTERVAL_SES

LEAST_DEGREES = 3  # with fewer, the upper end of the interval of wSD is more than six times wSD
WANTED_PATIENTS = 35  # QIBA's advice (Obuchowski and Bullen 2018): with fewer, intervals built on wSD hold too seldom
_RC_OF_WSD = HALF_INTERVAL_SES * np.sqrt(2)  # 2.77: 95 % of differences of two measurements lie within
_ALPHA = 0.05
_EDGES_OF_LOOP = 3  # changes in a loop of three visits


@dataclass(frozen=True)
class Repeatability:
    """Repeatability of a measurement, in the unit of what was measured.

    Parameters
    ----------
    patients : int
        Those with two measurements or more.
    degrees_of_freedom : int
        Measurements beyond the first of each patient.
    wsd : Interval
        Within-subject standard deviation of one measurement.
    rc : Interval
        Repeatability coefficient, 2.77 wSD: 95 % of differences of two measurements of an unchanged patient lie within.
    sdc : Interval
        Smallest detectable change of one patient: what a further difference passes in 5 % where nothing changed, with
        wSD as uncertain as it is here. It is `rc` where there are many measurements.
    """

    patients: int
    degrees_of_freedom: int
    wsd: Interval
    rc: Interval
    sdc: Interval


@dataclass(frozen=True)
class Coverage:
    """How often intervals contained the truth.

    Parameters
    ----------
    intervals : int
        All of them.
    containing : int
        Those that contained the truth.
    share : Interval
        In [0, 1], with Clopper and Pearson's interval.
    """

    intervals: int
    containing: int
    share: Interval


def measure_repeatability(patients: Sequence[ArrayLike]) -> Repeatability:
    """Within-subject SD, repeatability coefficient and smallest detectable change.

    Parameters
    ----------
    patients : sequence of (K,) array-like
        Repeated measurements of each patient, K at least 2 and not the same for all; finite, one unit.

    Returns
    -------
    Repeatability
        In the unit of the measurements.

    Raises
    ------
    ValueError
        Fewer than three measurements beyond the first of each patient.

    Notes
    -----
    ``wSD^2 = sum_ij (Y_ij - mean_i)^2 / sum_i (K_i - 1)``, of two measurements half their mean squared difference, so
    that a bias between first and second counts; ``RC = 1.96 sqrt(2) wSD`` (Raunig et al. 2015,
    https://doi.org/10.1177/0962280214537344). Their intervals: ``wSD sqrt(n / chi2_n)`` at 0.975 and 0.025, n degrees
    of freedom. ``SDC = t_n(0.975) sqrt(2) wSD``: a further difference over ``sqrt(2) wSD`` has Student's distribution.

    Examples
    --------
    >>> found = measure_repeatability([[0.0, 0.3], [0.0, -0.1], [0.0, 0.2], [0.0, -0.4]])
    >>> round(found.wsd.value, 3), round(found.rc.value, 3), round(found.sdc.value, 3)
    (0.194, 0.537, 0.76)
    """
    rows = [np.asarray(values, float) for values in patients]
    degrees = sum(row.size - 1 for row in rows)
    if degrees < LEAST_DEGREES:
        raise ValueError(f"{degrees} repeated measurements, expected at least {LEAST_DEGREES}")
    squares = sum(float(((row - row.mean()) ** 2).sum()) for row in rows)
    wsd = _with_interval(float(np.sqrt(squares / degrees)), degrees)
    return _from_wsd(wsd, patients=sum(row.size > 1 for row in rows), degrees=degrees)


def measure_loops(closures_points: ArrayLike, *, patients: int, degrees: int) -> Repeatability:
    """Repeatability from loops of three visits, whatever changed between them.

    What a scan adds to the error of both of its changes cancels in a loop, so that this is the least that it can be.

    Parameters
    ----------
    closures_points : (N,) array-like
        From `close_loops`, percentage points.
    patients : int
        Of whom they are.
    degrees : int
        Loops that do not follow from others.

    Returns
    -------
    Repeatability
        Percentage points.

    Raises
    ------
    ValueError
        Fewer than three independent loops.

    Notes
    -----
    Three changes of the same error make ``var(closure) = 3 var(change) = 6 wSD^2``.
    """
    if degrees < LEAST_DEGREES:
        raise ValueError(f"{degrees} independent loops, expected at least {LEAST_DEGREES}")
    mean_square = float((np.asarray(closures_points, float) ** 2).mean())
    wsd = _with_interval(float(np.sqrt(mean_square / (2 * _EDGES_OF_LOOP))), degrees)
    return _from_wsd(wsd, patients=patients, degrees=degrees)


def _with_interval(sd: float, degrees: int) -> Interval:
    low, high = (float(sd * np.sqrt(degrees / stats.chi2.ppf(p, degrees))) for p in (1 - _ALPHA / 2, _ALPHA / 2))
    return Interval(sd, low, high)


def _from_wsd(wsd: Interval, *, patients: int, degrees: int) -> Repeatability:
    sdc = float(stats.t.ppf(1 - _ALPHA / 2, degrees) * np.sqrt(2))
    return Repeatability(patients, degrees, wsd, _scale(wsd, float(_RC_OF_WSD)), _scale(wsd, sdc))


def _scale(interval: Interval, factor: float) -> Interval:
    return Interval(interval.value * factor, interval.low * factor, interval.high * factor)


def close_loops(first_percent: ArrayLike, second_percent: ArrayLike, whole_percent: ArrayLike) -> Vector:
    """What is left when the changes from visit A to B and from B to C are set against that from A to C.

    Parameters
    ----------
    first_percent, second_percent, whole_percent : (N,) array-like
        Changes A to B, B to C, A to C, percent of the earlier visit.

    Returns
    -------
    (N,) ndarray
        Percentage points; 0 where the measurement agrees with itself.

    Examples
    --------
    >>> float(close_loops(-10.0, -10.0, -19.0).round(12))
    0.0
    """
    first, second, whole = (1 + np.asarray(x, float) / 100 for x in (first_percent, second_percent, whole_percent))
    return np.asarray(100 * (first * second / whole - 1))


def measure_bias(means: ArrayLike) -> Interval:
    """Mean difference with Student's 95 % interval.

    Parameters
    ----------
    means : (N,) array-like
        Each patient's mean difference, second minus first; N at least 2.

    Returns
    -------
    Interval
        In the unit of the differences.

    Raises
    ------
    ValueError
        Fewer than two patients.
    """
    values = np.asarray(means, float)
    if values.size < 2:
        raise ValueError(f"{values.size} patients, expected at least 2")
    low, high = DescrStatsW(values).tconfint_mean(alpha=_ALPHA)
    return Interval(float(values.mean()), float(low), float(high))


def measure_coverage(low: ArrayLike, high: ArrayLike, truth: float = 0.0) -> Coverage:
    """How many of some intervals contained the truth, with Clopper and Pearson's 95 % interval.

    Parameters
    ----------
    low, high : (N,) array-like
        Ends of the intervals, N at least 1.
    truth : float
        In their unit.

    Returns
    -------
    Coverage
        Counts and share.

    Raises
    ------
    ValueError
        No interval.

    Notes
    -----
    Clopper and Pearson 1934, https://doi.org/10.1093/biomet/26.4.404.
    """
    lows, highs = np.asarray(low, float), np.asarray(high, float)
    if lows.size == 0:
        raise ValueError("no interval, expected at least 1")
    containing = int(((lows <= truth) & (truth <= highs)).sum())
    ends = proportion_confint(containing, lows.size, alpha=_ALPHA, method="beta")
    return Coverage(int(lows.size), containing, Interval(containing / lows.size, *map(float, ends)))


def measure_error_ratio(errors: ArrayLike, standard_errors: ArrayLike) -> float:
    """Root mean square of errors over their standard errors: 1 where these are right, more where they are too small.

    Parameters
    ----------
    errors : (N,) array-like
        Measured minus true, N at least 1.
    standard_errors : (N,) array-like
        Positive, in their unit.

    Returns
    -------
    float
        Not negative.
    """
    ratio = np.asarray(errors, float) / np.asarray(standard_errors, float)
    return float(np.sqrt((ratio**2).mean()))
