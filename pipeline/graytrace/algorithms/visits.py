"""What is known of a visit's tissues, and the grid in midway space that holds both visits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graytrace.algorithms.grids import affine_of_part, box_around, cubic_affine, voxel_sizes_mm
from graytrace.algorithms.midway import MidwayAlignment
from graytrace.arrays import Affine, Fractions, Image, Mask, Points

_MARGIN_MM = 10.0  # around both masks; by hand: the data of registration end 4 mm outside them
# a scan of 1 mm keeps its voxel; finer ones cost eight times the time for half the edge; on slices of 3 mm a coarser
# grid moved the error by 0.05 points at most (docs/validation.md, V06)
_FINEST_MM, _COARSEST_MM = 1.0, 2.0
_CROP_MM = 20.0  # twice the grid's margin: a turned head's grid reaches further along the scan's axes


@dataclass(frozen=True)
class VisitTissue:
    """One visit's bias-corrected image, fractions and masks, (X, Y, Z) on its own grid.

    Parameters
    ----------
    image : (X, Y, Z) float
        Bias-corrected T1w intensities, any unit.
    voxel_to_ras : (4, 4) float
        Voxel indices to RAS mm.
    gm, wm, subcortical_gm : (X, Y, Z) float in [0, 1]
        Fractions of each voxel; `subcortical_gm` is part of `gm`.
    intracranial_mask : (X, Y, Z) bool
        What lies in the skull.
    """

    image: Image
    voxel_to_ras: Affine
    gm: Fractions
    wm: Fractions
    subcortical_gm: Fractions
    intracranial_mask: Mask


def longest_voxel_mm(visits: tuple[VisitTissue, VisitTissue]) -> float:
    """Longest edge of a voxel of either scan, which the finest detail that both show follows.

    Parameters
    ----------
    visits : two VisitTissue
        Baseline and follow-up.

    Returns
    -------
    float
        mm.
    """
    return max(float(voxel_sizes_mm(visit.voxel_to_ras).max()) for visit in visits)


def midway_grid(
    visits: tuple[VisitTissue, VisitTissue], alignment: MidwayAlignment
) -> tuple[Affine, tuple[int, int, int]]:
    """Cubic RAS grid in midway space around both intracranial masks.

    Parameters
    ----------
    visits : two VisitTissue
        Baseline and follow-up; neither mask is empty.
    alignment : MidwayAlignment
        RAS mm of each visit to midway mm.

    Returns
    -------
    grid_to_ras : (4, 4) ndarray
        Grid indices to midway mm; the spacing is the finest voxel edge of both scans, within 1 to 2 mm.
    shape : 3 ints
    """
    corners, finest = [], _COARSEST_MM
    for visit, to_midway in zip(visits, (alignment.baseline_to_midway, alignment.followup_to_midway), strict=True):
        voxel_to_midway = to_midway @ visit.voxel_to_ras
        places = _ends_of_rows(visit.intracranial_mask)
        corners.append(places @ voxel_to_midway[:3, :3].T + voxel_to_midway[:3, 3])
        finest = min(finest, float(voxel_sizes_mm(visit.voxel_to_ras).min()))
    spacing = max(finest, _FINEST_MM)
    points = np.concatenate(corners)
    low, high = points.min(0) - _MARGIN_MM, points.max(0) + _MARGIN_MM
    # a grid centered between the masks: swapping the visits gives the same grid
    sides = np.ceil((high - low) / spacing).astype(int) + 1
    grid_to_ras = cubic_affine(spacing, (low + high) / 2 - spacing * (sides - 1) / 2)
    return grid_to_ras, (int(sides[0]), int(sides[1]), int(sides[2]))


def cropped(visit: VisitTissue) -> VisitTissue:
    """What lies around the intracranial mask: splines of neck and air are wasted.

    Parameters
    ----------
    visit : VisitTissue
        Its mask is not empty.

    Returns
    -------
    VisitTissue
        On a part of its grid.
    """
    part = box_around(visit.intracranial_mask, _CROP_MM / voxel_sizes_mm(visit.voxel_to_ras))
    image, gm, wm, deep = (
        np.ascontiguousarray(array[part]) for array in (visit.image, visit.gm, visit.wm, visit.subcortical_gm)
    )
    affine = affine_of_part(visit.voxel_to_ras, part)
    return VisitTissue(image, affine, gm, wm, deep, visit.intracranial_mask[part])


def _ends_of_rows(mask: Mask) -> Points:
    """(N, 3) first and last voxels of a mask along its last axis: those between them reach no further anywhere."""
    i, j = np.nonzero(mask.any(2))
    rows = mask[i, j]
    first, last = rows.argmax(1), rows.shape[1] - 1 - rows[:, ::-1].argmax(1)
    return np.concatenate([np.stack([i, j, k], axis=1) for k in (first, last)])
