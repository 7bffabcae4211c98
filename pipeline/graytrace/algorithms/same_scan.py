"""Is it the same scan? Compared by voxels, not by bytes: a copy in another format is the same scan, too."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SAMPLES = 12
_SAMPLED_PART = (0.2, 0.8)
# of the mean sample: an export to 256 levels rounds by half of it, noise of a scanner is twice as much
SAME_VOXELS = 0.008


def sample_voxels(data: NDArray[Any], voxel_to_ras: NDArray[Any]) -> NDArray[Any]:
    """Single voxels at fixed places of a scan, in thousandths of their mean: alike only for the same voxels.

    The order of axes on disk, the type of the numbers and a factor on all of them don't count; noise does, so that two
    scans of one head in one position are told apart.

    Parameters
    ----------
    data : (X, Y, Z) array-like
    voxel_to_ras : (4, 4) array-like

    Returns
    -------
    (1728,) int ndarray
    """
    turned = _turn_to_ras(np.asarray(data), np.asarray(voxel_to_ras)[:3, :3])
    low, high = _SAMPLED_PART
    places = [np.round(np.linspace(low * (side - 1), high * (side - 1), _SAMPLES)).astype(int) for side in turned.shape]
    values = turned[np.ix_(*places)].astype(float).ravel()
    mean = float(values.mean())
    return np.asarray(np.round(1000 * values / mean if mean > 0 else 0 * values).astype(int))


def _turn_to_ras(data: NDArray[Any], directions: NDArray[Any]) -> NDArray[Any]:
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


def find_same_voxels(samples: NDArray[Any]) -> list[tuple[int, int]]:
    """Pairs of scans with the same voxels.

    Parameters
    ----------
    samples : (N, 1728) array-like
        From `sample_voxels`.

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
        near = squares[number] + squares[number + 1 :] - 2 * others @ values[number] < 0.01 * values.shape[1]
        for other in np.flatnonzero(near):
            difference = values[number] - others[other]
            if np.sqrt((difference**2).mean()) < SAME_VOXELS:
                found.append((number, number + 1 + int(other)))
    return found
