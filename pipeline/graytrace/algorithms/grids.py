"""Grids: which voxel lies where, as a shape and a (4, 4) affine from voxel indices to millimeters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from graytrace.arrays import Affine, Vector


@dataclass(frozen=True)
class Grid:
    """Which voxel lies where.

    Parameters
    ----------
    shape : 3 ints
    voxel_to_mm : (4, 4) ndarray
        Voxel indices to mm, of RAS or of midway space.
    """

    shape: tuple[int, int, int]
    voxel_to_mm: Affine


def voxel_sizes_mm(voxel_to_ras: ArrayLike) -> Vector:
    """Edge lengths of a voxel, mm.

    Parameters
    ----------
    voxel_to_ras : (4, 4) array-like
        Voxel indices to mm.

    Returns
    -------
    (3,) ndarray
        mm, along the grid's axes.

    Examples
    --------
    >>> voxel_sizes_mm(np.diag([1.0, 2.0, -3.0, 1.0])).tolist()
    [1.0, 2.0, 3.0]
    """
    return np.asarray(np.linalg.norm(np.asarray(voxel_to_ras)[:3, :3], axis=0))


def voxel_volume_mm3(voxel_to_ras: ArrayLike) -> float:
    """Volume of a voxel, |det|: right for sheared and oblique grids, too.

    Parameters
    ----------
    voxel_to_ras : (4, 4) array-like
        Voxel indices to mm.

    Returns
    -------
    float
        mm^3.
    """
    return float(abs(np.linalg.det(np.asarray(voxel_to_ras, dtype=float)[:3, :3])))


def cubic_affine(spacing_mm: float, first_voxel_mm: ArrayLike = (0.0, 0.0, 0.0)) -> Affine:
    """(4, 4) affine of cubic voxels along the axes.

    Parameters
    ----------
    spacing_mm : float
        Edge of a voxel.
    first_voxel_mm : (3,) array-like
        Where the center of voxel (0, 0, 0) lies.

    Returns
    -------
    (4, 4) ndarray
        Voxel indices to mm.
    """
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = first_voxel_mm
    return affine


def surround_corners(low_mm: Vector, high_mm: Vector, spacing_mm: float) -> Grid:
    """The grid of cubic voxels along the axes that reaches from one corner to the other or beyond.

    Parameters
    ----------
    low_mm, high_mm : (3,) ndarray
        Least and largest coordinates that it must reach.
    spacing_mm : float
        Edge of a voxel.

    Returns
    -------
    Grid
        Its first voxel lies at `low_mm`.
    """
    sides = np.ceil((high_mm - low_mm) / spacing_mm).astype(int) + 1
    return Grid((int(sides[0]), int(sides[1]), int(sides[2])), cubic_affine(spacing_mm, low_mm))
