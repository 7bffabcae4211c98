"""Volumes from one grid to another."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from graytrace.arrays import Affine, Mask, ScalarField

_SPLINE_REACH_VOXELS = 8  # a cubic spline's coefficient fades by a factor of 4 per voxel


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
        from graytrace.algorithms.linear_sampling import sample_linearly  # noqa: PLC0415 - compilers take long to import

        out = np.empty(tuple(shape), np.float32)
        values, rows = np.asarray(volume, dtype=np.float32), matrix[:3]
        if values.flags.f_contiguous:  # as files are read: turned round, not copied
            values, rows = values.T, rows[::-1]
        values = np.ascontiguousarray(values)
        rotation, offset = np.ascontiguousarray(rows[:, :3]), np.ascontiguousarray(rows[:, 3])
        sample_linearly(values, rotation, offset, np.float32(outside), out)
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
