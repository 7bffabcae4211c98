"""Multigrid for the large sparse systems of registration.

One three-vector an image voxel, tied to its neighbors by a membrane: the system of a Gauss-Newton step
(Ashburner and Ridgway, https://doi.org/10.3389/fnins.2012.00197).  Relaxation is red-black, so that no result depends
on the number of threads.
"""

from __future__ import annotations

import numba
import numpy as np

from graytrace.arrays import TensorField, VectorField

# by hand, with no comparison of values on record; what the cycles leave the next Gauss-Newton step sees again
_SMALLEST_SIDE = 12  # voxels, of a grid that is not halved again
_SWEEPS, _COARSEST_SWEEPS = 2, 40  # before and after each correction; 40 carry a value across the coarsest grid


@numba.njit(cache=True, inline="always")
def _neighbors(x, i, j, k):
    """Number of the six neighbors inside the grid and the sum of their vectors."""
    nx, ny, nz = x.shape[1:]
    if 0 < i < nx - 1 and 0 < j < ny - 1 and 0 < k < nz - 1:
        s0 = (x[0, i - 1, j, k] + x[0, i + 1, j, k]) + (x[0, i, j - 1, k] + x[0, i, j + 1, k])
        s1 = (x[1, i - 1, j, k] + x[1, i + 1, j, k]) + (x[1, i, j - 1, k] + x[1, i, j + 1, k])
        s2 = (x[2, i - 1, j, k] + x[2, i + 1, j, k]) + (x[2, i, j - 1, k] + x[2, i, j + 1, k])
        s0 += x[0, i, j, k - 1] + x[0, i, j, k + 1]
        s1 += x[1, i, j, k - 1] + x[1, i, j, k + 1]
        s2 += x[2, i, j, k - 1] + x[2, i, j, k + 1]
        return 6, s0, s1, s2
    count = 0
    s0 = s1 = s2 = np.float32(0)
    for axis in range(3):
        for side in (-1, 1):
            a = i + (side if axis == 0 else 0)
            c = j + (side if axis == 1 else 0)
            d = k + (side if axis == 2 else 0)
            if 0 <= a < nx and 0 <= c < ny and 0 <= d < nz:
                count += 1
                s0 += x[0, a, c, d]
                s1 += x[1, a, c, d]
                s2 += x[2, a, c, d]
    return count, s0, s1, s2


@numba.njit(parallel=True, cache=True)
def _relax(h, b, x, weight, sweeps):
    """Red-black Gauss-Seidel sweeps of (H + weight L) x = b; L is the 7-point negative Laplacian, free borders."""
    nx, ny, nz = x.shape[1:]
    for sweep in range(2 * sweeps):
        color = sweep & 1
        for plane in numba.prange(nx):
            i = np.int64(plane)
            for j in range(ny):
                for k in range((i + j + color) & 1, nz, 2):
                    count, s0, s1, s2 = _neighbors(x, i, j, k)
                    diagonal = weight * count + np.float32(1e-6)  # not zero for a voxel without neighbors
                    r0 = b[0, i, j, k] + weight * s0
                    r1 = b[1, i, j, k] + weight * s1
                    r2 = b[2, i, j, k] + weight * s2
                    h00 = h[0, i, j, k] + diagonal
                    h11 = h[1, i, j, k] + diagonal
                    h22 = h[2, i, j, k] + diagonal
                    h01 = h[3, i, j, k]
                    h02 = h[4, i, j, k]
                    h12 = h[5, i, j, k]
                    c00 = h11 * h22 - h12 * h12
                    c01 = h02 * h12 - h01 * h22
                    c02 = h01 * h12 - h02 * h11
                    c11 = h00 * h22 - h02 * h02
                    c12 = h01 * h02 - h00 * h12
                    c22 = h00 * h11 - h01 * h01
                    determinant = h00 * c00 + h01 * c01 + h02 * c02
                    x[0, i, j, k] = (c00 * r0 + c01 * r1 + c02 * r2) / determinant
                    x[1, i, j, k] = (c01 * r0 + c11 * r1 + c12 * r2) / determinant
                    x[2, i, j, k] = (c02 * r0 + c12 * r1 + c22 * r2) / determinant


@numba.njit(parallel=True, cache=True)
def _residual(h, b, x, weight, out):
    """Out = b - (H + weight L) x."""
    nx, ny, nz = x.shape[1:]
    for plane in numba.prange(nx):
        i = np.int64(plane)
        for j in range(ny):
            for k in range(nz):
                x0, x1, x2 = x[0, i, j, k], x[1, i, j, k], x[2, i, j, k]
                count, s0, s1, s2 = _neighbors(x, i, j, k)
                h01, h02, h12 = h[3, i, j, k], h[4, i, j, k], h[5, i, j, k]
                out[0, i, j, k] = b[0, i, j, k] - (
                    h[0, i, j, k] * x0 + h01 * x1 + h02 * x2 + weight * (count * x0 - s0)
                )
                out[1, i, j, k] = b[1, i, j, k] - (
                    h01 * x0 + h[1, i, j, k] * x1 + h12 * x2 + weight * (count * x1 - s1)
                )
                out[2, i, j, k] = b[2, i, j, k] - (
                    h02 * x0 + h12 * x1 + h[2, i, j, k] * x2 + weight * (count * x2 - s2)
                )


@numba.njit(parallel=True, cache=True)
def _restrict(fine, coarse):
    """Mean of 2 x 2 x 2 blocks; a last odd plane is averaged with itself."""
    channels, nx, ny, nz = fine.shape
    for plane in numba.prange(coarse.shape[1]):
        i = np.int64(plane)
        for n in range(channels):
            for j in range(coarse.shape[2]):
                for k in range(coarse.shape[3]):
                    total = np.float32(0)
                    for s in range(8):
                        a = min(2 * i + (s & 1), nx - 1)
                        c = min(2 * j + (s >> 1 & 1), ny - 1)
                        d = min(2 * k + (s >> 2 & 1), nz - 1)
                        total += fine[n, a, c, d]
                    coarse[n, i, j, k] = total * np.float32(0.125)


@numba.njit(parallel=True, cache=True)
def _prolong_add(coarse, fine):
    """Add the trilinear interpolation of a cell-centered coarse grid to the fine grid."""
    channels, nx, ny, nz = fine.shape
    mx, my, mz = coarse.shape[1:]
    for plane in numba.prange(nx):
        i = np.int64(plane)
        i0 = i // 2
        i1 = min(max(i0 + (1 if i & 1 else -1), 0), mx - 1)
        for j in range(ny):
            j0 = j // 2
            j1 = min(max(j0 + (1 if j & 1 else -1), 0), my - 1)
            for k in range(nz):
                k0 = k // 2
                k1 = min(max(k0 + (1 if k & 1 else -1), 0), mz - 1)
                for n in range(channels):
                    near = 27 * coarse[n, i0, j0, k0] + 9 * (
                        coarse[n, i1, j0, k0] + coarse[n, i0, j1, k0] + coarse[n, i0, j0, k1]
                    )
                    far = (
                        3 * (coarse[n, i1, j1, k0] + coarse[n, i1, j0, k1] + coarse[n, i0, j1, k1])
                        + coarse[n, i1, j1, k1]
                    )
                    fine[n, i, j, k] += (near + far) / np.float32(64)


def restrict(fine: VectorField) -> VectorField:
    """Means of blocks of 2 x 2 x 2 voxels.

    Parameters
    ----------
    fine : (N, X, Y, Z) float32
        Any unit.

    Returns
    -------
    (N, ceil(X / 2), ceil(Y / 2), ceil(Z / 2)) float32 ndarray
        In the same unit; a last odd plane is averaged with itself.
    """
    coarse = np.empty((fine.shape[0], *_half(fine.shape[1:])), np.float32)
    _restrict(np.ascontiguousarray(fine), coarse)
    return coarse


def prolong(coarse: VectorField, shape: tuple[int, ...]) -> VectorField:
    """What `restrict` made coarse on a fine grid again, by trilinear interpolation.

    Parameters
    ----------
    coarse : (N, x, y, z) float32
        Any unit.
    shape : three ints
        Of the fine grid, x = ceil(X / 2) and so on.

    Returns
    -------
    (N, X, Y, Z) float32 ndarray
        In the same unit.
    """
    fine = np.zeros((coarse.shape[0], *shape), np.float32)
    _prolong_add(coarse, fine)
    return fine


def _half(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple((s + 1) // 2 for s in shape)


def solve_membrane(h: TensorField, b: VectorField, weight: float, *, cycles: int = 2) -> VectorField:
    """Solve (H + weight L) x = b by multigrid V-cycles.

    Parameters
    ----------
    h : (6, X, Y, Z) float32
        Symmetric 3 x 3 matrix of each voxel: xx, yy, zz, xy, xz, yz.
    b : (3, X, Y, Z) float32
        Right-hand side, minus the gradient of the energy.
    weight : float
        Weight of the membrane operator in voxel units.
    cycles : int
        V-cycles, from zero.

    Returns
    -------
    (3, X, Y, Z) float32 ndarray
        The step x, voxels.
    """
    x = np.zeros_like(b)
    hierarchy = [h]
    while min(hierarchy[-1].shape[1:]) > _SMALLEST_SIDE:
        coarse = np.empty((6, *_half(hierarchy[-1].shape[1:])), np.float32)
        _restrict(hierarchy[-1], coarse)
        hierarchy.append(coarse)
    for _ in range(cycles):
        _cycle(hierarchy, 0, b, x, np.float32(weight))
    return x


def _cycle(hierarchy: list[TensorField], level: int, b: VectorField, x: VectorField, weight: np.float32) -> None:
    h = hierarchy[level]
    if level == len(hierarchy) - 1:
        _relax(h, b, x, weight, _COARSEST_SWEEPS)
        return
    _relax(h, b, x, weight, _SWEEPS)
    remainder = np.empty_like(b)
    _residual(h, b, x, weight, remainder)
    coarse_b = np.empty((3, *_half(b.shape[1:])), np.float32)
    _restrict(remainder, coarse_b)
    correction = np.zeros_like(coarse_b)
    # a coarse voxel is twice as wide, so its Laplacian is a quarter
    _cycle(hierarchy, level + 1, coarse_b, correction, np.float32(weight / 4))
    _prolong_add(correction, x)
    _relax(h, b, x, weight, _SWEEPS)
