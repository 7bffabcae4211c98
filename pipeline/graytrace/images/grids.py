"""Grids: shape and (4, 4) voxel-to-RAS affine of an image."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np

from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.arrays import Affine, Voxels

# Single-precision headers move a far corner by some micrometres; a real shift is a good part of a voxel.
GRID_TOLERANCE_MM = 0.01


@dataclass(frozen=True)
class Volume:
    """A 3D image in memory.

    Parameters
    ----------
    data : (X, Y, Z) ndarray
        Intensities, fractions or a mask.
    voxel_to_ras : (4, 4) ndarray
        Voxel indices to RAS mm.
    """

    data: Voxels
    voxel_to_ras: Affine


def orientation(voxel_to_ras: Affine) -> str:
    """Nearest directions of the voxel axes.

    Parameters
    ----------
    voxel_to_ras : (4, 4) ndarray
        Voxel indices to RAS mm.

    Returns
    -------
    str
        Three letters, for example ``LPS``.
    """
    return "".join(nib.orientations.aff2axcodes(voxel_to_ras))


def corner_distance_mm(first: Affine, second: Affine, shape: tuple[int, ...]) -> float:
    """Largest distance between where two affines put the corners of a grid.

    Parameters
    ----------
    first, second : (4, 4) array-like
        Voxel indices to mm.
    shape : ints
        Of the grid; axes beyond the third do not count.

    Returns
    -------
    float
        mm.
    """
    corners = np.array(np.meshgrid(*[(0, side - 1) for side in shape[:3]])).reshape(3, -1)
    homogeneous = np.vstack([corners, np.ones(corners.shape[1])])
    shift = (np.asarray(first) - np.asarray(second))[:3] @ homogeneous
    return float(np.linalg.norm(shift, axis=0).max())


def is_same_grid(first: Volume, second: Volume) -> bool:
    """Whether two images have the same shape and their corners in the same places.

    Parameters
    ----------
    first, second : Volume

    Returns
    -------
    bool
        True where no corner is more than 0.01 mm away.
    """
    return first.data.shape == second.data.shape and (
        corner_distance_mm(first.voxel_to_ras, second.voxel_to_ras, first.data.shape) <= GRID_TOLERANCE_MM
    )


def describe_grid(volume: Volume) -> str:
    """A grid in words, for messages.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    str
    """
    shape = " x ".join(map(str, volume.data.shape))
    sizes = " x ".join(f"{size:.3g}" for size in voxel_sizes_mm(volume.voxel_to_ras))
    origin = ", ".join(f"{value:.1f}" for value in volume.voxel_to_ras[:3, 3])
    return f"{shape} voxels of {sizes} mm, {orientation(volume.voxel_to_ras)}, first voxel at ({origin}) mm"
