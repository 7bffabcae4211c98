"""Grids: shape and (4, 4) voxel-to-RAS affine of an image."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np

from graytrace.algorithms.grids import voxel_sizes_mm

# Single-precision headers move a far corner by some micrometres; a real shift is a good part of a voxel.
GRID_TOLERANCE_MM = 0.01


@dataclass(frozen=True)
class Volume:
    """A 3D image in memory: (X, Y, Z) data and its (4, 4) voxel-to-RAS affine in mm."""

    data: np.ndarray
    voxel_to_ras: np.ndarray


def orientation(voxel_to_ras: np.ndarray) -> str:
    """Nearest directions of the voxel axes, for example ``LPS``."""
    return "".join(nib.orientations.aff2axcodes(voxel_to_ras))


def corner_distance_mm(first: np.ndarray, second: np.ndarray, shape: tuple[int, ...]) -> float:
    """Largest distance between where two affines put the corners of a grid."""
    corners = np.array(np.meshgrid(*[(0, side - 1) for side in shape[:3]])).reshape(3, -1)
    homogeneous = np.vstack([corners, np.ones(corners.shape[1])])
    shift = (np.asarray(first) - np.asarray(second))[:3] @ homogeneous
    return float(np.linalg.norm(shift, axis=0).max())


def is_same_grid(first: Volume, second: Volume) -> bool:
    """Whether two images have the same shape and their corners in the same places."""
    return first.data.shape == second.data.shape and (
        corner_distance_mm(first.voxel_to_ras, second.voxel_to_ras, first.data.shape) <= GRID_TOLERANCE_MM
    )


def describe_grid(volume: Volume) -> str:
    """A grid in words, for messages."""
    shape = " x ".join(map(str, volume.data.shape))
    sizes = " x ".join(f"{size:.3g}" for size in voxel_sizes_mm(volume.voxel_to_ras))
    origin = ", ".join(f"{value:.1f}" for value in volume.voxel_to_ras[:3, 3])
    return f"{shape} voxels of {sizes} mm, {orientation(volume.voxel_to_ras)}, first voxel at ({origin}) mm"
