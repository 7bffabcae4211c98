"""Smooth random fields: what makes one head, coil or tissue texture differ from the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

_BLAS = ThreadpoolController()


def draw_smooth_field(
    shape: Sequence[int], length: float | NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw a Gaussian random field of zero mean and unit standard deviation (both as sampled on every third voxel).

    The field is a sum of Gaussian bumps on a lattice, so it is evaluated by three small matrix products
    whatever the size of the grid.

    Parameters
    ----------
    shape : (3,) sequence of int
        Voxels along each axis.
    length : float or (3,) ndarray
        Standard deviation of a bump, in voxels, or one for each axis: features are about twice as wide.
    rng : numpy.random.Generator
        Where the randomness comes from.

    Returns
    -------
    (X, Y, Z) float32 ndarray
    """
    along_x, along_y, along_z = (
        _gaussian_basis(side, along) for side, along in zip(shape, np.broadcast_to(length, 3), strict=True)
    )
    heights = rng.standard_normal([basis.shape[1] for basis in (along_x, along_y, along_z)]).astype(np.float32)
    with _BLAS.limit(limits=1):  # threads cost more than such small products, and may move the last digit
        columns = along_y @ (heights @ along_z.T)
        field = (along_x @ columns.reshape(len(columns), -1)).reshape(tuple(shape))
    sample = field[::3, ::3, ::3].astype(np.float64)
    field -= np.float32(sample.mean())
    field /= np.float32(sample.std())
    return field


def _gaussian_basis(side: int, length: float) -> NDArray[np.float32]:
    """Bumps along one axis: (side, knots), with knots two lengths beyond both ends."""
    knots = np.arange(-2 * length, side - 1 + 3 * length, length)  # denser knots add cost, not detail
    return np.exp(-0.5 * ((np.arange(side)[:, None] - knots) / length) ** 2).astype(np.float32)
