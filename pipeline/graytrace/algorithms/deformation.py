"""Deformations of a grid: flows of stationary velocities, their Jacobian determinants, images seen through them."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from scipy import ndimage

from graytrace.arrays import Affine, Image, Mask, ScalarField, VectorField

_SQUARINGS = 3  # velocities are a few voxels at most: an eighth of half of that is well under half a voxel
_SPLINE_REACH = 10  # voxels: what lies further away weighs less than a millionth


@numba.njit(parallel=True, cache=True)
def _compose(u, where, out):
    """out(x) = u(x) + u(x + u(x)), linear interpolation, borders repeated; twice u(x) outside of `where`."""
    nx, ny, nz = u.shape[1:]
    for plane in numba.prange(nx):
        i = np.int64(plane)
        for j in range(ny):
            for k in range(nz):
                if not where[i, j, k]:
                    for n in range(3):
                        out[n, i, j, k] = 2 * u[n, i, j, k]
                    continue
                px = min(max(i + u[0, i, j, k], np.float32(0)), np.float32(nx - 1.001))
                py = min(max(j + u[1, i, j, k], np.float32(0)), np.float32(ny - 1.001))
                pz = min(max(k + u[2, i, j, k], np.float32(0)), np.float32(nz - 1.001))
                a, c, d = int(px), int(py), int(pz)
                fx, fy, fz = px - a, py - c, pz - d
                for n in range(3):
                    v00 = u[n, a, c, d] * (1 - fx) + u[n, a + 1, c, d] * fx
                    v10 = u[n, a, c + 1, d] * (1 - fx) + u[n, a + 1, c + 1, d] * fx
                    v01 = u[n, a, c, d + 1] * (1 - fx) + u[n, a + 1, c, d + 1] * fx
                    v11 = u[n, a, c + 1, d + 1] * (1 - fx) + u[n, a + 1, c + 1, d + 1] * fx
                    low = v00 * (1 - fy) + v10 * fy
                    high = v01 * (1 - fy) + v11 * fy
                    out[n, i, j, k] = u[n, i, j, k] + low * (1 - fz) + high * fz


def exponential(velocity: VectorField, where: Mask | None = None, time: float = 1.0) -> VectorField:
    """Displacement of the flow of a stationary velocity, by scaling and squaring.

    Parameters
    ----------
    velocity : (3, X, Y, Z) ndarray
        Voxels.
    where : (X, Y, Z) bool ndarray, optional
        Where the flow matters; elsewhere the velocity itself, its first order, stands for it.
    time : float
        For which it flows.

    Returns
    -------
    (3, X, Y, Z) float32 ndarray
        Voxels.
    """
    where = np.ones(velocity.shape[1:], bool) if where is None else where
    u = np.multiply(velocity, time / 2**_SQUARINGS, dtype=np.float32)
    for _ in range(_SQUARINGS):
        out = np.empty_like(u)
        _compose(u, where, out)
        u = out
    return np.asarray(u)


@dataclass(frozen=True)
class Halves:
    """A stationary velocity from baseline to follow-up and the displacements of its two halves.

    Parameters
    ----------
    velocity : (3, X, Y, Z) float32
        Voxels of the midway grid.
    to_baseline, to_followup : (3, X, Y, Z) float32
        From midway space to the visits, voxels.
    """

    velocity: VectorField
    to_baseline: VectorField
    to_followup: VectorField

    @classmethod
    def of(cls, velocity: VectorField, where: Mask | None = None) -> Halves:
        """The halves of the flow of a velocity.

        Parameters
        ----------
        velocity : (3, X, Y, Z) ndarray
            Voxels.
        where : (X, Y, Z) bool ndarray, optional
            Where the flow matters.

        Returns
        -------
        Halves
        """
        return cls(velocity, exponential(velocity, where, -0.5), exponential(velocity, where, 0.5))


@numba.njit(parallel=True, cache=True)
def _determinant(cx, cy, cz):
    """Jacobian determinant from the displacement's spline coefficients along each axis."""
    nx, ny, nz = cx.shape[1:]
    out = np.ones((nx, ny, nz), np.float32)
    for plane in numba.prange(1, nx - 1):
        i = np.int64(plane)
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                h = np.float32(0.5)  # slope of a cubic B-spline at a voxel: half the difference of its neighbors
                a00 = 1 + h * (cx[0, i + 1, j, k] - cx[0, i - 1, j, k])
                a01 = h * (cy[0, i, j + 1, k] - cy[0, i, j - 1, k])
                a02 = h * (cz[0, i, j, k + 1] - cz[0, i, j, k - 1])
                a10 = h * (cx[1, i + 1, j, k] - cx[1, i - 1, j, k])
                a11 = 1 + h * (cy[1, i, j + 1, k] - cy[1, i, j - 1, k])
                a12 = h * (cz[1, i, j, k + 1] - cz[1, i, j, k - 1])
                a20 = h * (cx[2, i + 1, j, k] - cx[2, i - 1, j, k])
                a21 = h * (cy[2, i, j + 1, k] - cy[2, i, j - 1, k])
                a22 = 1 + h * (cz[2, i, j, k + 1] - cz[2, i, j, k - 1])
                out[i, j, k] = (
                    a00 * (a11 * a22 - a12 * a21) - a01 * (a10 * a22 - a12 * a20) + a02 * (a10 * a21 - a11 * a20)
                )
    return out


def _coefficients_along(u: VectorField, axis: int) -> VectorField:
    """Cubic B-spline coefficients along one axis, slopes going on straight beyond the borders."""
    pad = [(_SPLINE_REACH, _SPLINE_REACH) if a == axis else (0, 0) for a in range(u.ndim)]
    inner = tuple(slice(_SPLINE_REACH, -_SPLINE_REACH) if a == axis else slice(None) for a in range(u.ndim))
    wide = np.pad(u, pad, mode="reflect", reflect_type="odd")
    return np.asarray(ndimage.spline_filter1d(wide, order=3, axis=axis, output=np.float32, mode="mirror")[inner])


def jacobian_determinant(u: VectorField) -> ScalarField:
    """det(1 + grad u) of a displacement.

    The derivatives are those of cubic splines through the voxels: plain central differences lose a quarter of what
    changes within five voxels, and sulci widen on that scale.

    Parameters
    ----------
    u : (3, X, Y, Z) float32
        Voxels.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        Volume of a voxel after over before, positive where nothing folds; one on the outermost voxels.
    """
    return np.asarray(_determinant(*(_coefficients_along(u, axis) for axis in (1, 2, 3))))


@numba.njit(parallel=True, cache=True)
def _sample_spline(coefficients, matrix, offset, u, where, out):
    """Cubic B-spline of `coefficients` at matrix (x + u) + offset; zero outside of the image and of `where`."""
    nx, ny, nz = out.shape
    sx, sy, sz = coefficients.shape
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
                for f, w in ((px - a, wx), (py - c, wy), (pz - d, wz)):
                    w[0] = (1 - f) ** 3 / 6
                    w[1] = (3 * f**3 - 6 * f**2 + 4) / 6
                    w[2] = (-3 * f**3 + 3 * f**2 + 3 * f + 1) / 6
                    w[3] = f**3 / 6
                total = np.float32(0)
                for p in range(4):
                    # the spline's coefficients are mirrored about the first and last voxel
                    ia = abs(a - 1 + p)
                    if ia > sx - 1:
                        ia = 2 * (sx - 1) - ia
                    for q in range(4):
                        ic = abs(c - 1 + q)
                        if ic > sy - 1:
                            ic = 2 * (sy - 1) - ic
                        row = np.float32(0)
                        for r in range(4):
                            ie = abs(d - 1 + r)
                            if ie > sz - 1:
                                ie = 2 * (sz - 1) - ie
                            row += wz[r] * coefficients[ia, ic, ie]
                        total += wx[p] * wy[q] * row
                out[i, j, k] = total


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
    return np.asarray(ndimage.spline_filter(np.asarray(image, np.float32), order=3, output=np.float32, mode="mirror"))


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
