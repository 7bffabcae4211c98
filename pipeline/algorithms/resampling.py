"""Volumes from one grid to another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def resample(
    volume: NDArray[Any],
    grid_to_voxel: NDArray[Any],
    shape: tuple[int, ...],
    *,
    order: int = 1,
    outside: float = 0.0,
) -> NDArray[Any]:
    """Sample `volume` (X, Y, Z) on a grid of `shape`.

    Parameters
    ----------
    volume : (X, Y, Z) array-like
    grid_to_voxel : (4, 4) array-like
        Indices of the new grid to voxel indices of `volume`.
    shape : 3 ints
    order : int
        0 nearest, 1 linear, 3 cubic spline.
    outside : float
        Value where the new grid leaves the volume.

    Returns
    -------
    float32 ndarray of `shape`.

    Examples
    --------
    >>> resample(np.arange(8.0).reshape(2, 2, 2), np.eye(4), (2, 2, 1))[..., 0]
    array([[0., 2.],
           [4., 6.]], dtype=float32)
    """
    matrix = np.asarray(grid_to_voxel, dtype=float)
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
