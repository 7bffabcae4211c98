"""One course of volume through all visits of a patient, from changes between pairs of them, and its slope.

A change between two visits is a contrast, as in a network of treatments that trials compare two by two: contrasts that
share a visit are correlated, and contrasts that close a loop have to agree (Lu and Ades 2004,
https://doi.org/10.1002/sim.1875; Rücker 2012, https://doi.org/10.1002/jrsm.1058).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from graytrace.arrays import Indices, Matrix, Vector

# Part of a pair's error that belongs to its scans and is in all of their pairs. What it is of a single pair nobody
# knows: estimates weigh by the middle, which costs at most 9 % of precision, intervals hold at both ends.
_MIDDLE, _ENDS = 0.5, (0.0, 1.0)


@dataclass(frozen=True)
class Contrasts:
    """Changes between pairs of a patient's visits.

    Parameters
    ----------
    first, second : (P,) ndarray
        Numbers of the visits, from 0; two different ones, in any order.
    log_ratios : (P,) ndarray
        ln(volume at the second / volume at the first).
    errors : (P,) ndarray
        Their standard errors, positive.
    """

    first: Indices
    second: Indices
    log_ratios: Vector
    errors: Vector

    @property
    def design(self) -> Matrix:
        """(P, V): -1 at a pair's first visit and 1 at its second."""
        pairs = np.arange(self.first.size)
        rows = np.zeros((pairs.size, int(max(self.first.max(), self.second.max())) + 1))
        rows[pairs, self.first] = -1
        rows[pairs, self.second] = 1
        return rows

    def covariance(self, share: float) -> Matrix:
        """Covariance of the log ratios.

        Parameters
        ----------
        share : float
            Part of each pair's variance that belongs to its scans, in [0, 1].

        Returns
        -------
        (P, P) ndarray
            Its diagonal has the squares of `errors` at any share.
        """
        design = self.design
        correlation = (1 - share) * np.eye(len(design)) + share * design @ design.T / 2
        return np.asarray(self.errors[:, np.newaxis] * correlation * self.errors)


@dataclass(frozen=True)
class Misfit:
    """How far numbers are from what they should be together, in their errors.

    Parameters
    ----------
    chi_square : float
        Sum of squares over their variances.
    degrees_of_freedom : int
        Numbers beyond those that were fitted; 0: nothing can be said.
    """

    chi_square: float
    degrees_of_freedom: int

    @property
    def p(self) -> float | None:
        """Upper tail of the chi-square distribution; None without a degree of freedom."""
        return float(stats.chi2.sf(self.chi_square, self.degrees_of_freedom)) if self.degrees_of_freedom else None

    @property
    def excess(self) -> float:
        """By what standard errors have to be multiplied to explain the misfit, at least 1 (Birge's ratio)."""
        return max(1.0, self.chi_square / self.degrees_of_freedom) ** 0.5 if self.degrees_of_freedom else 1.0


@dataclass(frozen=True)
class Trajectory:
    """A patient's course.

    Parameters
    ----------
    log_ratios : (V,) ndarray
        ln(volume at each visit / volume at the reference); 0 at the reference.
    errors : (V,) ndarray
        Standard errors; 0 at the reference.
    loops : Misfit
        How far pairs that close loops disagree.
    """

    log_ratios: Vector
    errors: Vector
    loops: Misfit


@dataclass(frozen=True)
class Slope:
    """A patient's mean rate of change.

    Parameters
    ----------
    per_year : float
        Of the logarithm of volume.
    error : float
        Its standard error.
    loops, line : Misfit
        How far pairs that close loops disagree; how far the visits are from a line.
    """

    per_year: float
    error: float
    loops: Misfit
    line: Misfit


def take_logarithm(percent: float, se_points: float) -> tuple[float, float]:
    """A change in percent of the first visit and its standard error as logarithm of a ratio of volumes.

    Parameters
    ----------
    percent : float
        More than -100.
    se_points : float
        Percentage points.

    Returns
    -------
    tuple of float
        Logarithm and its standard error.

    Raises
    ------
    ValueError
        Nothing of the volume would be left.

    Examples
    --------
    >>> [round(value, 4) for value in take_logarithm(-10.0, 0.9)]
    [-0.1054, 0.01]
    """
    ratio = 1 + percent / 100
    if ratio <= 0:
        raise ValueError(f"a change of {percent:g} %, expected more than -100 %")
    return float(np.log(ratio)), se_points / 100 / ratio


def find_connected(contrasts: Contrasts) -> Indices:
    """Which visits pairs join with each other, directly or over others.

    Parameters
    ----------
    contrasts : Contrasts
        With at least one pair.

    Returns
    -------
    (V,) ndarray
        Number of each visit's group.
    """
    size = int(max(contrasts.first.max(), contrasts.second.max())) + 1
    graph = csr_array((np.ones(contrasts.first.size), (contrasts.first, contrasts.second)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1])


def fit_trajectory(contrasts: Contrasts, *, reference: int = 0) -> Trajectory:
    """Volume at each visit beside that at a reference, by generalized least squares of all pairs.

    Parameters
    ----------
    contrasts : Contrasts
        They have to join all visits.
    reference : int
        Number of the visit to which the others are set.

    Returns
    -------
    Trajectory
        For all visits, in their order.

    Raises
    ------
    ValueError
        The pairs leave a visit apart.

    Notes
    -----
    A log ratio is ``x_j - x_i + u_j - u_i + e_ij``: u is what a scan adds to all of its pairs, e what a pair adds.
    Pairs of standard errors s and s' that share a first visit have the covariance ``share s s' / 2``, negative where
    one ends where the other begins. Estimates take a share of 1/2; standard errors are the larger one of those at the
    shares 0 and 1, between which the variance of given weights is linear, and times the excess of `loops`.
    `loops` is counted at the share 0: what scans add cancels in a loop, so that pairs disagree less at any other.

    Examples
    --------
    >>> first, second = np.array([0, 1, 0]), np.array([1, 2, 2])
    >>> closed = Contrasts(first, second, np.array([-0.01, -0.02, -0.03]), np.array([0.002, 0.002, 0.002]))
    >>> fit_trajectory(closed).log_ratios.round(6).tolist()
    [0.0, -0.01, -0.03]
    """
    columns = _keep_others(contrasts, reference)
    weights = _weights(contrasts, columns)
    loops = _close_loops(contrasts)
    values, errors = np.zeros((2, columns.size + 1))
    others = np.arange(values.size) != reference
    values[others] = weights @ contrasts.log_ratios
    errors[others] = np.sqrt(np.max([np.diag(cov) for cov in _spread(contrasts, weights)], axis=0)) * loops.excess
    return Trajectory(values, errors, loops)


def fit_slope(contrasts: Contrasts, years: ArrayLike) -> Slope:
    """Mean rate of change through all visits, by generalized least squares of all pairs.

    Parameters
    ----------
    contrasts : Contrasts
        They have to join all visits.
    years : (V,) array-like
        When each visit was, from any day on; not all the same.

    Returns
    -------
    Slope
        Of the logarithm of volume, each year.

    Raises
    ------
    ValueError
        The pairs leave a visit apart, or there is no time between the visits.

    Notes
    -----
    As `fit_trajectory`, with ``x_j - x_i = slope (t_j - t_i)``. `line` is counted at both ends of the share, and the
    milder one is told. The standard error is the larger one of both ends, times the larger excess of `loops` and `line`
    (Birge 1932, https://doi.org/10.1103/PhysRev.40.207): what makes a volume other at one visit (hydration) is no error
    of a pair and shows only there.

    Examples
    --------
    >>> pair = Contrasts(np.array([0]), np.array([1]), np.array([-0.02]), np.array([0.004]))
    >>> found = fit_slope(pair, [0.0, 2.0])
    >>> round(found.per_year, 6), round(found.error, 6), found.line.p
    (-0.01, 0.002, None)
    """
    times = np.asarray(years, float)
    columns = _keep_others(contrasts, 0)
    steps = contrasts.design @ times
    if not np.any(steps):
        raise ValueError("no time between the visits")
    pull = np.linalg.solve(contrasts.covariance(_MIDDLE), steps)
    weights = pull / (steps @ pull)
    loops, line = _close_loops(contrasts), _meet_line(contrasts, columns, times)
    variance = max(float(weights @ contrasts.covariance(share) @ weights) for share in _ENDS)
    error = variance**0.5 * max(loops.excess, line.excess)
    return Slope(float(weights @ contrasts.log_ratios), error, loops, line)


def _keep_others(contrasts: Contrasts, reference: int) -> Indices:
    """Columns of the design without the reference's."""
    groups = find_connected(contrasts)
    if np.any(groups != groups[reference]):
        raise ValueError("pairs that join all visits are needed, some visit is apart from the others")
    return np.flatnonzero(np.arange(groups.size) != reference)


def _weights(contrasts: Contrasts, columns: Indices) -> Matrix:
    """By what pairs are multiplied to come to each visit but the reference: (V - 1, P)."""
    design = contrasts.design[:, columns]
    pull = np.linalg.solve(contrasts.covariance(_MIDDLE), design)
    return np.asarray(np.linalg.solve(design.T @ pull, pull.T))


def _spread(contrasts: Contrasts, weights: Matrix) -> Iterator[Matrix]:
    """Covariance of weighted pairs at both ends of the share."""
    return (weights @ contrasts.covariance(share) @ weights.T for share in _ENDS)


def _close_loops(contrasts: Contrasts) -> Misfit:
    """Disagreement of the pairs as if no part of their errors were shared."""
    design = contrasts.design[:, 1:] / contrasts.errors[:, np.newaxis]
    scaled = contrasts.log_ratios / contrasts.errors
    left = scaled - design @ np.linalg.lstsq(design, scaled, rcond=None)[0]
    degrees = scaled.size - design.shape[1]
    return Misfit(float(left @ left) if degrees else 0.0, degrees)


def _meet_line(contrasts: Contrasts, columns: Indices, times: Vector) -> Misfit:
    """Distance of the visits from a line, at the end of the share where it is less."""
    weights = _weights(contrasts, columns)
    values, since = weights @ contrasts.log_ratios, times[columns] - times[0]
    degrees = values.size - 1
    if degrees == 0:
        return Misfit(0.0, 0)
    found = []
    for covariance in _spread(contrasts, weights):
        pull = np.linalg.solve(covariance, since)
        left = values - since * (pull @ values) / (pull @ since)
        found.append(float(left @ np.linalg.solve(covariance, left)))
    return Misfit(max(0.0, min(found)), degrees)
