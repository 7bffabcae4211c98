"""Is it the same scan? Compared by voxels, not by bytes: a copy in another format is the same scan, too."""

from __future__ import annotations

import itertools
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graytrace.arrays import Affine, Image, Matrix

Samples: TypeAlias = NDArray[np.integer[Any]]
"""(1728,) or, of several scans, (N, 1728) int: voxels in thousandths of their mean."""

_SAMPLES = 12  # along each axis: 1728 voxels, enough that noise tells two scans apart, few enough for every record
SAMPLE_COUNT = _SAMPLES**3
_SAMPLED_PART = (0.2, 0.8)  # of each axis, where the head is
_NEAR = 0.01  # mean square up to which a pair is looked at closely: its root is twelve times `SAME_VOXELS`
# of the mean sample: an export to 256 levels rounds by half of it, noise of a scanner is twice as much
SAME_VOXELS = 0.008


def sample_voxels(data: Image, voxel_to_ras: Affine) -> Samples:
    """Single voxels at fixed places of a scan, in thousandths of their mean: alike only for the same voxels.

    The order of axes on disk, the type of the numbers and a factor on all of them don't count; noise does, so that two
    scans of one head in one position are told apart.

    Parameters
    ----------
    data : (X, Y, Z) array-like
        Any unit.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.

    Returns
    -------
    (1728,) int ndarray
        Thousandths of the mean sample.
    """
    turned = _turn_to_ras(np.asarray(data), np.asarray(voxel_to_ras)[:3, :3])
    low, high = _SAMPLED_PART
    places = [np.round(np.linspace(low * (side - 1), high * (side - 1), _SAMPLES)).astype(int) for side in turned.shape]
    values = turned[np.ix_(*places)].astype(float).ravel()
    mean = float(values.mean())
    return np.asarray(np.round(1000 * values / mean if mean > 0 else 0 * values).astype(int))


def _turn_to_ras(data: Image, directions: Matrix) -> Image:
    """The same voxels with their axes nearest to right, front and top, in this order."""
    sizes = np.abs(directions / np.linalg.norm(directions, axis=0))
    order = max(
        itertools.permutations(range(3)), key=lambda axes: sum(sizes[row, axis] for row, axis in enumerate(axes))
    )
    turned = data.transpose(order)
    for row, axis in enumerate(order):
        if directions[row, axis] < 0:
            turned = np.flip(turned, row)
    return turned


def find_same_voxels(samples: Samples) -> list[tuple[int, int]]:
    """Pairs of scans with the same voxels.

    Parameters
    ----------
    samples : (N, 1728) array-like
        From `sample_voxels`, a row for each scan.

    Returns
    -------
    list of tuple
        Indices, the smaller one first.
    """
    values = np.asarray(samples, dtype=np.float32) / 1000
    squares = (values**2).sum(1)
    found = []
    for number in range(len(values) - 1):
        others = values[number + 1 :]
        # a quick look by the length of the difference, then its own sum: the first one loses digits
        near = squares[number] + squares[number + 1 :] - 2 * others @ values[number] < _NEAR * values.shape[1]
        for other in np.flatnonzero(near):
            difference = values[number] - others[other]
            if np.sqrt((difference**2).mean()) < SAME_VOXELS:
                found.append((number, number + 1 + int(other)))
    return found
