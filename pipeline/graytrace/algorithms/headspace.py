"""The space within the skull, guessed from a brain mask, for tools that find only the brain."""

from __future__ import annotations

import numpy as np

from graytrace.algorithms.distance import distance_to
from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.arrays import Affine, Mask

_SULCUS_MM = 10.0  # by hand: closes sulci and the gap between the hemispheres
_RIM_MM = 2.0  # by hand: CSF between the brain's convex hull-like surface and the inner skull


def surround_brain(brain_mask: Mask, voxel_to_ras: Affine) -> Mask:
    """Close a brain mask over sulci and add a thin rim.

    Downstream steps need a mask with the CSF around the brain. Where a tool finds no inner skull this stands in for it;
    its volume is no intracranial volume and is not reported as one.

    Parameters
    ----------
    brain_mask : (X, Y, Z) bool array-like
        Not empty.
    voxel_to_ras : (4, 4) array-like
        In mm.

    Returns
    -------
    (X, Y, Z) bool ndarray
        Contains the brain mask.

    Examples
    --------
    >>> mask = np.zeros((20, 20, 20), bool)
    >>> mask[8:12, 8:12, 8:12] = True
    >>> around = surround_brain(mask, np.diag([2.0, 2, 2, 1]))
    >>> bool(around[mask].all()), bool(around[7, 9, 9]), bool(around[5, 9, 9])
    (True, True, False)
    """
    mask = np.asarray(brain_mask, bool)
    voxel_mm = voxel_sizes_mm(voxel_to_ras)
    margin = np.ceil((_SULCUS_MM + _RIM_MM) / voxel_mm).astype(int) + 1
    places = np.argwhere(mask)
    low, high = places.min(0), places.max(0) + 1
    padded = np.pad(mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], [(m, m) for m in margin])
    near_mm = _SULCUS_MM + _RIM_MM
    near = distance_to(padded, voxel_mm, near_mm) <= near_mm
    closed = distance_to(~near, voxel_mm, _SULCUS_MM) > _SULCUS_MM
    around = np.zeros_like(mask)
    start = low - margin
    inside = [slice(max(a, 0), min(a + n, m)) for a, n, m in zip(start, padded.shape, mask.shape, strict=True)]
    part = tuple(slice(s.start - a, s.stop - a) for s, a in zip(inside, start, strict=True))
    around[tuple(inside)] = closed[part]
    return np.asarray(around | mask)
