"""Volumes from one grid to another."""

from __future__ import annotations

import numba
import numpy as np
from scipy import ndimage

from graytrace.arrays import Affine, Mask, ScalarField

_SPLINE_REACH_VOXELS = 8  # a cubic spline's coefficient fades by a factor of 4 per voxel


@numba.njit(parallel=True, cache=True)
def _sample_linearly(volume, matrix, offset, outside, out):
    """Trilinear interpolation of `volume` at matrix x + offset, `outside` where that leaves it."""
    nx, ny, nz = out.shape
    sx, sy, sz = volume.shape
    for plane in numba.prange(nx):
        i = np.int64(plane)
        for j in range(ny):
            for k in range(nz):
                px = matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k + offset[0]
                py = matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k + offset[1]
                pz = matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k + offset[2]
                if px < 0 or py < 0 or pz < 0 or px > sx - 1 or py > sy - 1 or pz > sz - 1:
                    out[i, j, k] = outside
                    continue
                a, b, c = int(px), int(py), int(pz)
                fx, fy, fz = np.float32(px - a), np.float32(py - b), np.float32(pz - c)
                a1, b1, c1 = min(a + 1, sx - 1), min(b + 1, sy - 1), min(c + 1, sz - 1)
                near = (volume[a, b, c] * (1 - fz) + volume[a, b, c1] * fz) * (1 - fy) + (
                    volume[a, b1, c] * (1 - fz) + volume[a, b1, c1] * fz
                ) * fy
                far = (volume[a1, b, c] * (1 - fz) + volume[a1, b, c1] * fz) * (1 - fy) + (
                    volume[a1, b1, c] * (1 - fz) + volume[a1, b1, c1] * fz
                ) * fy
                out[i, j, k] = near * (1 - fx) + far * fx


def resample(
    volume: ScalarField | Mask,
    grid_to_voxel: Affine,
    shape: tuple[int, ...],
    *,
    order: int = 1,
    outside: float = 0.0,
) -> ScalarField:
    """Sample `volume` (X, Y, Z) on a grid of `shape`.

    Parameters
    ----------
    volume : (X, Y, Z) array-like
        Any unit; a mask counts as 0 and 1.
    grid_to_voxel : (4, 4) array-like
        Indices of the new grid to voxel indices of `volume`.
    shape : 3 ints
    order : int
        0 nearest, 1 linear, 3 cubic spline.
    outside : float
        Value where the new grid leaves the volume.

    Returns
    -------
    float32 ndarray of `shape`
        In the volume's unit and, but for order 3, in its range.

    Examples
    --------
    >>> resample(np.arange(8.0).reshape(2, 2, 2), np.eye(4), (2, 2, 1))[..., 0]
    array([[0., 2.],
           [4., 6.]], dtype=float32)
    """
    matrix = np.asarray(grid_to_voxel, dtype=float)
    if order == 1:
        out = np.empty(tuple(shape), np.float32)
        values, rows = np.asarray(volume, dtype=np.float32), matrix[:3]
        if values.flags.f_contiguous:  # as files are read: turned round, not copied
            values, rows = values.T, rows[::-1]
        values = np.ascontiguousarray(values)
        rotation, offset = np.ascontiguousarray(rows[:, :3]), np.ascontiguousarray(rows[:, 3])
        _sample_linearly(values, rotation, offset, np.float32(outside), out)
        return out
    sampled = ndimage.affine_transform(
        np.asarray(volume, dtype=np.float32),
        matrix[:3, :3],
        matrix[:3, 3],
        output_shape=tuple(shape),
        order=order,
        mode="constant",
        cval=outside,
        output=np.float32,
    )
    return np.asarray(sampled)


def resample_part(volume: ScalarField, grid_to_voxel: Affine, shape: tuple[int, ...], *, order: int = 3) -> ScalarField:
    """As `resample`, but only the part of `volume` that the grid reaches is looked at: cheap for a slice of it.

    Parameters
    ----------
    volume : (X, Y, Z) array-like
        Any unit.
    grid_to_voxel : (4, 4) array-like
        Indices of the new grid to voxel indices of `volume`.
    shape : 3 ints
    order : int
        0 nearest, 1 linear, 3 cubic spline.

    Returns
    -------
    float32 ndarray of `shape`
        In the volume's unit, 0 where the grid leaves the volume.
    """
    matrix = np.array(grid_to_voxel, dtype=float)
    corners = np.array(np.meshgrid(*[(0, side - 1) for side in shape], indexing="ij")).reshape(3, -1)
    reached = matrix[:3, :3] @ corners + matrix[:3, 3:]
    low = np.maximum(np.floor(reached.min(1)).astype(int) - _SPLINE_REACH_VOXELS, 0)
    high = np.minimum(np.ceil(reached.max(1)).astype(int) + _SPLINE_REACH_VOXELS + 1, volume.shape)
    if (low >= high).any():
        return np.zeros(shape, np.float32)
    part = np.asarray(volume)[tuple(slice(*edges) for edges in zip(low, high, strict=True))]
    matrix[:3, 3] -= low
    return resample(part, matrix, shape, order=order)
