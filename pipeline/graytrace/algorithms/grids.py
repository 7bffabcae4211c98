"""Grids: which voxel lies where, as a shape and a (4, 4) affine from voxel indices to millimeters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from graytrace.arrays import Affine, Mask, Vector


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


def box_around(mask: Mask, margin_voxels: ArrayLike) -> tuple[slice, ...]:
    """The part of a grid that holds a mask and a margin: work on the rest is wasted.

    Parameters
    ----------
    mask : (X, Y, Z) bool
        Not empty.
    margin_voxels : float or (3,) array-like
        Along each axis, rounded up.

    Returns
    -------
    tuple of three slices
        Within the grid.

    Examples
    --------
    >>> box_around(np.eye(5, dtype=bool)[:, :2, None], 1)
    (slice(0, 3, None), slice(0, 2, None), slice(0, 1, None))
    """
    margins = np.broadcast_to(np.ceil(margin_voxels).astype(int), (3,))
    box = []
    for axis, (size, margin) in enumerate(zip(mask.shape, margins, strict=True)):
        filled = np.flatnonzero(mask.any(tuple(other for other in range(3) if other != axis)))
        box.append(slice(max(int(filled[0]) - int(margin), 0), min(int(filled[-1]) + int(margin) + 1, size)))
    return tuple(box)


def affine_of_part(voxel_to_mm: Affine, box: tuple[slice, ...]) -> Affine:
    """Affine of a part of a grid.

    Parameters
    ----------
    voxel_to_mm : (4, 4) ndarray
        Of the whole grid.
    box : tuple of three slices
        The part.

    Returns
    -------
    (4, 4) ndarray
        Voxel indices of the part to mm.
    """
    affine = np.array(voxel_to_mm, dtype=float)
    affine[:3, 3] += affine[:3, :3] @ [side.start for side in box]
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
