"""Deformations of a grid: flows of stationary velocities, their Jacobian determinants, images seen through them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np

from graytrace.algorithms.splines import filter_along, sample_spline
from graytrace.arrays import Affine, Mask, ScalarField, VectorField

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

    What was seen through them once is kept: one flow shows the same images to several questions.

    Parameters
    ----------
    velocity : (3, X, Y, Z) float32
        Voxels of the midway grid.
    to_baseline, to_followup : (3, X, Y, Z) float32
        From midway space to the visits, voxels.
    _seen : dict
        What `see` was asked, by identity, with the (X, Y, Z) image that it answered.
    """

    velocity: VectorField
    to_baseline: VectorField
    to_followup: VectorField
    _seen: dict[tuple[int, ...], tuple[Any, ScalarField]] = field(default_factory=dict, repr=False, compare=False)

    def see(
        self, coefficients: tuple[ScalarField, ScalarField], to_voxel: tuple[Affine, Affine], where: Mask
    ) -> tuple[ScalarField, ScalarField]:
        """An image of each visit in midway space.

        Parameters
        ----------
        coefficients : two (A, B, C) float32
            Of baseline and follow-up, from `spline_coefficients`.
        to_voxel : two (4, 4) float
            Midway grid to voxels of each visit.
        where : (X, Y, Z) bool
            Where the images are wanted.

        Returns
        -------
        baseline, followup : (X, Y, Z) float32 ndarrays
            In the images' unit, not to be written into.
        """
        images = []
        warps = (self.to_baseline, self.to_followup)
        for asked in zip(coefficients, to_voxel, warps, (where, where), strict=True):
            key = tuple(map(id, asked))
            if key not in self._seen:  # what was asked is kept beside the answer, so that nothing else takes its place
                self._seen[key] = (asked, sample_spline(*asked))
            images.append(self._seen[key][1])
        return images[0], images[1]

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
    for part in wide:
        filter_along(part, axis - 1)
    return np.ascontiguousarray(wide[inner])


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
