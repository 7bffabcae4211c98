"""How many patients a trial needs, given how exactly change is measured and how much patients differ."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from statsmodels.stats.power import TTestIndPower, TTestPower

from graytrace.arrays import Vector
from graytrace.counting import too_few

_LEAST_SIZE = 1e-6  # standardized effect: beyond 10 million million patients
_LARGE_SIZE = (
    1000.0  # standardized effect that two patients in an arm show at any error rate; beyond, the t has no numbers
)
_ROUNDING = 1e-9  # of the largest dose


@dataclass(frozen=True)
class Spread:
    """Why changes per year differ between patients, in percentage points per year.

    `patients` is the standard deviation of true change, `error_points` that of the measurement of one change, in
    points (not per year).
    """

    patients: float
    error_points: float

    def observed(self, years: float) -> float:
        """Standard deviation of measured change per year in a trial of that length: a longer one dilutes the error.

        Examples
        --------
        >>> round(Spread(0.3, 0.4).observed(years=1), 3), round(Spread(0.3, 0.4).observed(years=2), 3)
        (0.5, 0.361)

        Raises
        ------
        ValueError
            A trial of no time.
        """
        if not years > 0:
            raise ValueError(f"a trial of {years:g} years has no change per year")
        return math.hypot(self.patients, self.error_points / years)


def split_spread(changes_per_year: Vector, errors_points: Vector, years: Vector) -> Spread:
    """Take the measurement's part out of the spread of measured changes.

    Parameters
    ----------
    changes_per_year : (n,) array-like
        Percentage points per year.
    errors_points : (n,) array-like
        Standard error of each change, points.
    years : (n,) array-like
        Interval of each.

    Returns
    -------
    Spread
        Of patients, percentage points per year, and of the measurement, percentage points.

    Raises
    ------
    ValueError
        Fewer than three patients, or an interval of no time.
    """
    changes = np.asarray(changes_per_year, dtype=float)
    if changes.size < 3:
        raise ValueError(f"{too_few(changes.size, 'patient')} to tell how much patients differ: 3 are needed")
    errors = np.asarray(errors_points, dtype=float)
    intervals = np.asarray(years, dtype=float)
    if not (intervals > 0).all():
        raise ValueError("there is an interval of no time between two visits")
    measured = float(np.mean((errors / intervals) ** 2))
    return Spread(math.sqrt(max(float(changes.var(ddof=1)) - measured, 0.0)), float(np.sqrt(np.mean(errors**2))))


def patients_per_arm(effect: float, sd: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Patients in each of two equal arms to find a difference `effect` with a two-sided t-test.

    Parameters
    ----------
    effect, sd : float
        Wanted difference of mean change per year and its standard deviation in an arm, both in points per year.

    Raises
    ------
    ValueError
        No effect or no spread, or an effect too small beside the spread.

    Examples
    --------
    >>> patients_per_arm(0.5, 1.0)
    64
    """
    if effect == 0 or sd <= 0:
        raise ValueError("effect and spread must not be zero")
    size = abs(effect) / sd
    if size < _LEAST_SIZE:
        raise ValueError(f"the effect is {size:.1g} of the spread between patients: no trial can find it")
    solver = TTestIndPower()
    if size > _LARGE_SIZE or solver.power(size, 2, alpha) >= power:
        return 2
    needed: float = solver.solve_power(effect_size=size, alpha=alpha, power=power)
    if not math.isfinite(needed):
        raise ValueError(f"patients for an effect of {size:.3g} of the spread between patients cannot be computed")
    return math.ceil(needed)


def detectable_difference(n_per_arm: int, sd: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest difference between two arms that is found with the given power, points per year."""
    if n_per_arm < 2:
        raise ValueError("an arm needs two patients")
    solver = TTestIndPower()
    return _solve(lambda size: float(solver.power(size, n_per_arm, alpha)), power) * sd


def _solve(power_of: Callable[[float], float], power: float) -> float:
    """Standardized effect that is found with the given power."""
    high = 0.1
    while power_of(high) < power:  # far beyond, the non-central t has no numbers
        high *= 1.5
    if not power_of(_LEAST_SIZE) < power <= power_of(high):
        raise ValueError(f"what is found with power {power:g} at this error rate cannot be computed")
    return float(brentq(lambda size: power_of(size) - power, _LEAST_SIZE, high))


def detectable_correlation(n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest correlation with a dose that `n` patients show with the given power.

    From the t-test of a slope: non-centrality ``r / sqrt(1 - r^2) * sqrt(n)`` with n - 2 degrees of freedom.

    Examples
    --------
    >>> round(detectable_correlation(12), 2)
    0.67
    """
    if n < 4:
        raise ValueError("a correlation needs four patients")
    test = TTestPower()
    size = _solve(lambda d: float(test.power(d, n, alpha, df=n - 2)), power)
    return size / math.sqrt(1 + size**2)


def detectable_slope(doses: Vector, sd: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest slope over these patients' doses that is found.

    Parameters
    ----------
    doses : (N,) array-like
        N at least 4, not all the same.
    sd : float
        Spread around the line, points per year.
    alpha : float
        Two-sided.
    power : float
        Chance of finding it, in (0, 1).

    Returns
    -------
    float
        Points per year per unit of dose.

    Raises
    ------
    ValueError
        All doses are the same.
    """
    doses = np.asarray(doses, dtype=float)
    if np.ptp(doses) <= _ROUNDING * np.abs(doses).max():
        raise ValueError("all doses are the same")
    r = detectable_correlation(doses.size, alpha=alpha, power=power)
    return r / math.sqrt(1 - r**2) * sd / float(doses.std())
