"""Tissue fractions of voxels that know their neighbors: the compiled part of `tissue`.

A voxel has one of K classes, pure or mixed; each class and intensity stand for fractions of gray matter, white matter
and fluid.  A class is the likelier the nearer its fractions are to the mean of the six neighbors (a Markov random
field, solved by mean field, https://doi.org/10.1109/42.906424).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from graytrace.arrays import Indices, Mask, Matrix, Vector

# e^-z for z in [0, 1] to 1e-7: a polynomial is computed for all classes at once, the library's function for one
_DECAY = np.polynomial.Chebyshev.interpolate(lambda z: np.exp(-z), 6, domain=(0, 1))
_DECAY_TERMS = _DECAY.convert(kind=np.polynomial.Polynomial).coef.astype(np.float32)


@dataclass(frozen=True)
class ClassTable:
    """What each class says of an intensity, at B intensities from `low` by `step`.

    Parameters
    ----------
    density : (K, B) float
        Likelihood, per unit of intensity.
    gray, white : (K, B) float in [0, 1]
        Fractions that the class stands for; the rest is fluid.
    low, step : float
        In the unit of the intensities.
    """

    density: Matrix
    gray: Matrix
    white: Matrix
    low: float
    step: float


@dataclass(frozen=True)
class Settled:
    """What is known of N voxels after mean field.

    Parameters
    ----------
    posterior : (N, K) float32 in [0, 1]
        Of each class, one in sum over K.
    expected : (K,) float
        Sum of the prior of each class over the voxels.
    gray, white : (N,) float32 in [0, 1]
        Expected fractions.
    """

    posterior: Matrix
    expected: Vector
    gray: Vector
    white: Vector


def neighbors_of(inside: Mask) -> Indices:
    """Which voxels of a mask are neighbors.

    Parameters
    ----------
    inside : (X, Y, Z) bool
        With N voxels.

    Returns
    -------
    (N, 6) int32 ndarray
        Numbers of the neighbors of each voxel, two of an axis after another, 0 to N - 1; -1 outside the mask.
    """
    number = np.full(np.add(inside.shape, 2), -1, np.int32)
    middle = number[1:-1, 1:-1, 1:-1]
    middle[inside] = np.arange(np.count_nonzero(inside), dtype=np.int32)
    shifted = []
    for axis in range(3):
        for step in (-1, 1):
            window = [slice(1, -1)] * 3
            window[axis] = slice(1 + step, number.shape[axis] - 1 + step)
            shifted.append(number[tuple(window)][inside])
    return np.ascontiguousarray(np.stack(shifted, axis=1))


@numba.njit(cache=True)
def _sweep(x, chances, table, low, step, neighbors, axis_weight, pull, squarings, terms, fractions, posterior) -> None:
    """One mean-field sweep: `posterior` (N, K) and new `fractions` (2, N) from the former ones."""
    count, kinds = chances.shape
    gray, white = fractions.copy()
    g, w = np.empty(kinds, np.float32), np.empty(kinds, np.float32)
    value, like = np.empty(kinds, np.float32), np.empty(kinds, np.float32)
    for n in range(count):
        mean_gray, mean_white = np.float32(0), np.float32(0)
        for side in range(6):
            other = neighbors[n, side]
            if other >= 0:
                mean_gray += axis_weight[side // 2] * gray[other]
                mean_white += axis_weight[side // 2] * white[other]
        place = min(max((x[n] - low) / step, np.float32(0)), np.float32(table.shape[0] - 1.01))  # the last step
        left = int(place)
        after = np.float32(place - left)
        before = np.float32(1) - after
        for kind in range(kinds):
            g[kind] = table[left, 1, kind] * before + table[left + 1, 1, kind] * after
            w[kind] = table[left, 2, kind] * before + table[left + 1, 2, kind] * after
            value[kind] = chances[n, kind] * (table[left, 0, kind] * before + table[left + 1, 0, kind] * after)
        if pull > 0:
            for kind in range(kinds):
                dg, dw = g[kind] - mean_gray, w[kind] - mean_white
                z = pull * (dg * dg + dw * dw + dg * dw)
                likeness = terms[5] + z * terms[6]
                likeness = terms[4] + z * likeness
                likeness = terms[3] + z * likeness
                likeness = terms[2] + z * likeness
                likeness = terms[1] + z * likeness
                like[kind] = terms[0] + z * likeness
            for _ in range(squarings):
                for kind in range(kinds):
                    like[kind] *= like[kind]
            for kind in range(kinds):
                value[kind] *= like[kind]
        total, sum_gray, sum_white = np.float32(0), np.float32(0), np.float32(0)
        for kind in range(kinds):
            total += value[kind]
            sum_gray += value[kind] * g[kind]
            sum_white += value[kind] * w[kind]
        scale = np.float32(1) / (total + np.float32(1e-20))  # an intensity that no class explains: 0, not NaN
        for kind in range(kinds):
            posterior[n, kind] = value[kind] * scale
        fractions[0, n] = sum_gray * scale
        fractions[1, n] = sum_white * scale


@numba.njit(cache=True)
def _sum_of_shares(chances):
    """Sums (K,) over voxels of each class's part in the chances of a voxel."""
    count, kinds = chances.shape
    sums = np.zeros(kinds)
    for n in range(count):
        total = np.float32(0)
        for kind in range(kinds):
            total += chances[n, kind]
        for kind in range(kinds):
            sums[kind] += chances[n, kind] / total
    return sums


def settle_fractions(
    x: Vector,
    chances: Matrix,
    table: ClassTable,
    neighbors: Indices,
    voxel_mm: Vector,
    *,
    pull: float,
    sweeps: int,
) -> Settled:
    """Expected fractions of each voxel after `sweeps` of mean field.

    Parameters
    ----------
    x : (N,) float32
        Intensities, any unit.
    chances : (N, K) float32
        Prior probability of each class, up to a factor for each voxel.
    table : ClassTable
        In the unit of `x`.
    neighbors : (N, 6) int32
        From `neighbors_of`; what lies outside is fluid.
    voxel_mm : (3,) array-like
        Edges of a voxel, mm. Nearer neighbors weigh more (inverse square distance).
    pull : float
        Weight of the squared distance between a class's fractions and the neighbors' mean.
    sweeps : int
        The first look without neighbors is not counted.

    Returns
    -------
    Settled
    """
    weight = 1 / np.asarray(voxel_mm, dtype=float) ** 2
    axis_weight = (weight / (2 * weight.sum())).astype(np.float32)
    count, kinds = chances.shape
    values = np.stack([table.density, table.gray, table.white], axis=1).transpose(2, 1, 0)
    values = np.ascontiguousarray(values, dtype=np.float32)
    # squared distances of fractions, (dg2 + dw2 + df2) / 2 of three that sum to one, lie between 0 and 1
    squarings = int(np.ceil(np.log2(max(2 * pull, 1))))
    posterior = np.empty((count, kinds), np.float32)
    fractions = np.zeros((2, count), np.float32)
    for sweep in range(sweeps + 1):
        _sweep(
            x,
            chances,
            values,
            np.float32(table.low),
            np.float32(table.step),
            neighbors,
            axis_weight,
            np.float32(2 * pull / 2**squarings if sweep else 0),
            squarings,
            _DECAY_TERMS,
            fractions,
            posterior,
        )
    return Settled(posterior, _sum_of_shares(chances), fractions[0], fractions[1])
