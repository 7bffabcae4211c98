"""Cubic B-splines through the voxels of an image: their coefficients, and the image between its voxels.

SciPy's, in single precision: coefficients are computed for whole rows at once, samples where they are wanted only.
"""

from __future__ import annotations

import numba
import numpy as np

from graytrace.arrays import Affine, Image, Mask, ScalarField, VectorField

_POLE_REACH = 16  # rows: what lies further away weighs less than rounding


@numba.njit(cache=True)
def _prefilter_rows(rows, pole) -> None:
    """Cubic B-spline coefficients across rows, in place: mirrored about the first and the last row.

    A causal and an anticausal recursive filter (https://doi.org/10.1109/79.799930).
    """
    count, length = rows.shape
    if count == 1:
        return
    for j in range(count):
        row = rows[j]
        for k in range(length):
            row[k] *= np.float32(6)
    first, power = rows[0].copy(), pole
    for distance in range(1, _POLE_REACH):
        at = distance % (2 * count - 2)
        row = rows[at if at < count else 2 * count - 2 - at]
        for k in range(length):
            first[k] += power * row[k]
        power *= pole
    rows[0] = first
    for j in range(1, count):
        before, row = rows[j - 1], rows[j]
        for k in range(length):
            row[k] += pole * before[k]
    before, last = rows[count - 2], rows[count - 1]
    scale = pole / (pole * pole - np.float32(1))
    for k in range(length):
        last[k] = scale * (pole * before[k] + last[k])
    for j in range(count - 2, -1, -1):
        row, after = rows[j], rows[j + 1]
        for k in range(length):
            row[k] = pole * (after[k] - row[k])


@numba.njit(cache=True)
def _prefilter(volume, axis) -> None:
    """The same along an axis of a volume, in place."""
    nx, ny, nz = volume.shape
    pole = np.float32(np.sqrt(3.0) - 2.0)
    if axis == 0:
        rows = np.empty((nx, nz), np.float32)
        for j in range(ny):
            for i in range(nx):
                rows[i] = volume[i, j]
            _prefilter_rows(rows, pole)
            for i in range(nx):
                volume[i, j] = rows[i]
    elif axis == 1:
        for i in range(nx):
            _prefilter_rows(volume[i], pole)
    else:
        turned = np.empty((nz, ny), np.float32)
        for i in range(nx):
            for j in range(ny):
                for k in range(nz):
                    turned[k, j] = volume[i, j, k]
            _prefilter_rows(turned, pole)
            for j in range(ny):
                for k in range(nz):
                    volume[i, j, k] = turned[k, j]


def filter_along(volume: ScalarField, axis: int) -> None:
    """Turn a volume into its cubic B-spline coefficients along one axis, mirrored at the borders.

    Parameters
    ----------
    volume : (X, Y, Z) float32, contiguous
        Any unit; overwritten.
    axis : {0, 1, 2}
    """
    _prefilter(volume, axis)


@numba.njit(cache=True, inline="always")
def _weigh(f, w) -> None:
    """Weights of a cubic B-spline's four coefficients at the fraction `f` of a step."""
    g = 1 - f
    third = np.float32(1 / 6)
    w[0] = g * g * g * third
    w[1] = (4 + f * f * (3 * f - 6)) * third
    w[2] = (4 + g * g * (3 * g - 6)) * third
    w[3] = f * f * f * third


@numba.njit(cache=True)
def _sum_at_border(coefficients, a, c, d, wx, wy, wz):
    """Weighted sum of the coefficients around a place, mirrored about the first and last voxel."""
    sx, sy, sz = coefficients.shape
    total = np.float32(0)
    for p in range(4):
        ia = abs(a - 1 + p)
        ia = ia if ia < sx else 2 * (sx - 1) - ia
        for q in range(4):
            ic = abs(c - 1 + q)
            ic = ic if ic < sy else 2 * (sy - 1) - ic
            for r in range(4):
                ie = abs(d - 1 + r)
                ie = ie if ie < sz else 2 * (sz - 1) - ie
                total += wx[p] * wy[q] * wz[r] * coefficients[ia, ic, ie]
    return total


@numba.njit(parallel=True, cache=True)
def _sample_spline(coefficients, matrix, offset, u, where, out):
    """Cubic B-spline of `coefficients` at matrix (x + u) + offset; zero outside of the image and of `where`."""
    nx, ny, nz = out.shape
    sx, sy, sz = coefficients.shape
    flat = coefficients.ravel()
    for plane in numba.prange(nx):
        i = np.int64(plane)
        wx = np.empty(4, np.float32)
        wy = np.empty(4, np.float32)
        wz = np.empty(4, np.float32)
        for j in range(ny):
            for k in range(nz):
                if not where[i, j, k]:
                    out[i, j, k] = 0
                    continue
                x = i + u[0, i, j, k]
                y = j + u[1, i, j, k]
                z = k + u[2, i, j, k]
                px = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + offset[0]
                py = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + offset[1]
                pz = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + offset[2]
                if px < 0 or py < 0 or pz < 0 or px > sx - 1 or py > sy - 1 or pz > sz - 1:
                    out[i, j, k] = 0
                    continue
                a, c, d = int(px), int(py), int(pz)
                _weigh(np.float32(px - a), wx)
                _weigh(np.float32(py - c), wy)
                _weigh(np.float32(pz - d), wz)
                if 0 < a < sx - 2 and 0 < c < sy - 2 and 0 < d < sz - 2:
                    s0 = s1 = s2 = s3 = np.float32(0)
                    for p in range(4):
                        for q in range(4):
                            first = np.uintp(((a - 1 + p) * sy + c - 1 + q) * sz + d - 1)
                            w = wx[p] * wy[q]
                            s0 += w * flat[first]
                            s1 += w * flat[first + np.uintp(1)]
                            s2 += w * flat[first + np.uintp(2)]
                            s3 += w * flat[first + np.uintp(3)]
                    out[i, j, k] = (wz[0] * s0 + wz[1] * s1) + (wz[2] * s2 + wz[3] * s3)
                else:
                    out[i, j, k] = _sum_at_border(coefficients, a, c, d, wx, wy, wz)


def spline_coefficients(image: Image) -> ScalarField:
    """Cubic B-spline coefficients of an image, mirrored at the borders.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In the image's unit.
    """
    coefficients = np.array(image, np.float32, order="C")
    for axis in range(3):
        filter_along(coefficients, axis)
    return coefficients


def sample_spline(
    coefficients: ScalarField, grid_to_voxel: Affine, u: VectorField, where: Mask | None = None
) -> ScalarField:
    """Image with `coefficients` on a displaced grid: at grid_to_voxel applied to (x + u(x)), zero outside.

    Parameters
    ----------
    coefficients : (A, B, C) float32
        From `spline_coefficients`.
    grid_to_voxel : (4, 4) ndarray
        Indices of the grid to voxel indices of the image.
    u : (3, X, Y, Z) float32
        Displacement in voxels of the grid.
    where : (X, Y, Z) bool ndarray, optional
        Where the image is wanted; zero elsewhere.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In the image's unit; a spline overshoots its range at sharp borders.
    """
    where = np.ones(u.shape[1:], bool) if where is None else where
    out = np.empty(u.shape[1:], np.float32)
    matrix = np.ascontiguousarray(grid_to_voxel[:3, :3], dtype=np.float64)
    _sample_spline(coefficients, matrix, np.ascontiguousarray(grid_to_voxel[:3, 3], dtype=np.float64), u, where, out)
    return out
