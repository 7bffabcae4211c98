"""Slices through what is to be seen: the same ones of several images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graytrace.algorithms.grids import Grid, cubic_affine
from graytrace.arrays import Affine, Mask


def surround_slices(
    there: Mask,
    grid_to_ras: Affine,
    slices: Sequence[tuple[int, float]],
    *,
    margin_mm: float,
    pixels: int,
) -> list[Grid] | None:
    """For each slice a grid one voxel thick around what is to be seen, so fine that the longest side has `pixels`.

    Parameters
    ----------
    there : (X, Y, Z) bool ndarray
        What is to be seen, on cubic voxels along the axes.
    grid_to_ras : (4, 4) array-like
        Voxel indices to mm.
    slices : sequence of (axis, at)
        Axis 0 sagittal, 1 coronal, 2 axial; `at` from 0 to 1 from left, behind, below.
    margin_mm : float
        Around it on every side.
    pixels : int
        Along the longest side.

    Returns
    -------
    list of Grid or None
        None where there is nothing to be seen.
    """
    found = np.argwhere(there)
    if not found.size:
        return None
    spacing = float(grid_to_ras[0, 0])
    low = found.min(0) * spacing + grid_to_ras[:3, 3] - margin_mm
    high = found.max(0) * spacing + grid_to_ras[:3, 3] + margin_mm
    pixel_mm = float((high - low).max()) / pixels
    sides = np.ceil((high - low) / pixel_mm).astype(int)
    grids = []
    for axis, at in slices:
        shape, start = sides.copy(), low.copy()
        shape[axis] = 1
        start[axis] = low[axis] + margin_mm + at * (high[axis] - low[axis] - 2 * margin_mm)
        grids.append(Grid((int(shape[0]), int(shape[1]), int(shape[2])), cubic_affine(pixel_mm, start)))
    return grids
