"""Distances in millimeters on grids of any voxel."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import ArrayLike

from graytrace.arrays import Labels, Mask, ScalarField


@numba.njit(cache=True)
def _square_along_rows(mask, reach, edge, out) -> None:
    """Squared distance along the last axis to the nearest voxel of the mask, infinite beyond `reach` voxels."""
    nx, ny, nz = mask.shape
    far = np.float32(np.inf)
    for i in range(nx):
        for j in range(ny):
            for forward in (True, False):
                steps = reach + 1
                for n in range(nz):
                    k = n if forward else nz - 1 - n
                    steps = 0 if mask[i, j, k] else steps + 1
                    length = np.float32(steps * edge)
                    square = length * length if steps <= reach else far
                    out[i, j, k] = square if forward else min(out[i, j, k], square)


@numba.njit(cache=True)
def _least_of_rows(rows, reach, edge, out) -> None:
    """Least of each row and of the rows up to `reach` beside it, with the squared distance between them."""
    count, length = rows.shape
    is_there = np.zeros(count, np.bool_)
    for j in range(count):
        for k in range(length):
            if rows[j, k] < np.inf:
                is_there[j] = True
                break
    for j in range(count):
        least = out[j]
        least[:] = rows[j]
        for other in range(max(j - reach, 0), min(j + reach + 1, count)):
            if is_there[other]:
                apart = np.float32((other - j) * edge)
                square = apart * apart
                row = rows[other]
                for k in range(length):
                    through = row[k] + square
                    least[k] = min(least[k], through)


@numba.njit(cache=True)
def _least_around(squares, reaches, edges) -> None:
    """Squared distances along the last axis to those in space, in place."""
    nx, ny, nz = squares.shape
    for i in range(nx):
        found = np.empty((ny, nz), np.float32)
        _least_of_rows(squares[i], reaches[1], edges[1], found)
        squares[i] = found
    for j in range(ny):
        rows, found = np.empty((nx, nz), np.float32), np.empty((nx, nz), np.float32)
        for i in range(nx):
            rows[i] = squares[i, j]
        _least_of_rows(rows, reaches[0], edges[0], found)
        for i in range(nx):
            squares[i, j] = found[i]


def distance_to(mask: ArrayLike, voxel_mm: ArrayLike, limit_mm: float) -> ScalarField:
    """Distance of each voxel's center to the nearest voxel of a mask, as far as a limit.

    Exact, one axis after another (https://doi.org/10.4086/toc.2012.v008a019); since nobody looks beyond the limit, the
    least along an axis is sought among a few voxels, which is many times as fast as distances over the whole grid.

    Parameters
    ----------
    mask : (X, Y, Z) bool array-like
    voxel_mm : (3,) array-like
        Edges of a voxel, mm.
    limit_mm : float
        The longest distance that matters, mm.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        mm; zero in the mask, infinite beyond the limit.
    """
    inside: Mask = np.ascontiguousarray(mask, dtype=bool)
    edges = [float(edge) for edge in np.asarray(voxel_mm)]
    # rounding must not cost a voxel whose distance is the limit itself
    reaches = [int(limit_mm / edge + 1e-4) for edge in edges]
    squares = np.empty(inside.shape, np.float32)
    _square_along_rows(inside, reaches[2], edges[2], squares)
    _least_around(squares, np.array(reaches), np.array(edges))
    distance = np.sqrt(squares, out=squares)
    distance[distance > np.float32(limit_mm * (1 + 1e-6))] = np.inf
    return np.asarray(distance)


@numba.njit(cache=True)
def _take_nearest(labels, places, offsets, out) -> None:
    """The first label that is met at one of the offsets from each place."""
    nx, ny, nz = labels.shape
    for n in range(places.shape[0]):
        i, j, k = places[n]
        for m in range(offsets.shape[0]):
            a, b, c = i + offsets[m, 0], j + offsets[m, 1], k + offsets[m, 2]
            if 0 <= a < nx and 0 <= b < ny and 0 <= c < nz and labels[a, b, c]:
                out[i, j, k] = labels[a, b, c]
                break


def nearest_label(labels: Labels, voxel_mm: ArrayLike, limit_mm: float) -> Labels:
    """The nearest label of each voxel as far as a limit.

    Parameters
    ----------
    labels : (X, Y, Z) uint8
        0: none.
    voxel_mm : (3,) array-like
        Edges of a voxel, mm.
    limit_mm : float
        The longest distance, mm.

    Returns
    -------
    (X, Y, Z) uint8 ndarray
        0 where there is none within the limit. Of several that are equally near always the same is taken.
    """
    edges = np.asarray(voxel_mm, dtype=float)
    distance = distance_to(labels > 0, edges, limit_mm)
    reaches = (limit_mm / edges).astype(int) + 1
    offsets = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reaches), indexing="ij"), axis=-1).reshape(-1, 3)
    offsets = offsets[np.argsort(np.linalg.norm(offsets * edges, axis=1), kind="stable")]
    out = labels.copy()
    _take_nearest(labels, np.argwhere((distance > 0) & np.isfinite(distance)), offsets, out)
    return out
