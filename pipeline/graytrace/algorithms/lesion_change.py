"""White-matter lesions of two visits together: one region for both, and what became of each lesion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from graytrace.algorithms.grids import cubic_affine, voxel_sizes_mm
from graytrace.algorithms.resampling import resample
from graytrace.arrays import Affine, Mask

Indices: TypeAlias = NDArray[np.integer[Any]]
"""(N, 3) int: voxels of a grid."""

Kind = Literal["new", "enlarging", "shrinking", "vanished", "stable"]

LEAST_LENGTH_MM = 3.0  # long axis of what counts as a lesion: Filippi et al. 2019, https://doi.org/10.1093/brain/awz144
LEAST_RATIO = 1.5  # of volumes, by hand: beyond what two outlines of one lesion by one hand differ
LEAST_GROWTH_MM = 0.5  # of the radius of a ball as large, by hand: half a voxel of 1 mm all around
_HALF = 0.5  # of a voxel that is lesion
_MARGIN_MM = 3.0  # around both masks
_FINEST_MM = 0.7  # by hand: finer scans need no finer grid to tell how large a lesion is
# along a cube's edges, and the diagonals of its faces and of itself
_AXES = np.array([one for one in np.ndindex(3, 3, 3) if one > (1, 1, 1)], float) - 1
_DIRECTIONS = _AXES / np.linalg.norm(_AXES, axis=1, keepdims=True)
_EVERY_NEIGHBOR = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class Lesion:
    """A lesion at two visits.

    Parameters
    ----------
    kind : {"new", "enlarging", "shrinking", "vanished", "stable"}
    baseline_ml, followup_ml : float
        Its volume at each visit.
    center_mm : three floats
        Its middle at both visits together, RAS mm of the baseline scan.
    """

    kind: Kind
    baseline_ml: float
    followup_ml: float
    center_mm: tuple[float, float, float]


def join_lesions(own: Mask, other: Mask, own_to_ras: Affine, other_to_ras: Affine, own_to_other: Affine) -> Mask:
    """Lesions of a visit and of the visit that it is compared with, on the grid of the first.

    Parameters
    ----------
    own : (X, Y, Z) bool array-like
        Lesions of the visit itself.
    other : (U, V, W) bool array-like
        Of the other visit, on that scan's grid.
    own_to_ras, other_to_ras : (4, 4) array-like
        Voxel indices of each to its scan's RAS mm.
    own_to_other : (4, 4) array-like
        RAS mm of the visit to RAS mm of the other one.

    Returns
    -------
    (X, Y, Z) bool ndarray
        What is lesion at either visit.
    """
    grid_to_voxel = np.linalg.inv(np.asarray(other_to_ras)) @ np.asarray(own_to_other) @ np.asarray(own_to_ras)
    brought = resample(np.asarray(other, np.float32), grid_to_voxel, np.shape(own))
    return np.asarray(own, bool) | (brought > _HALF)


def compare_lesions(
    baseline: Mask,
    followup: Mask,
    baseline_to_ras: Affine,
    followup_to_ras: Affine,
    baseline_to_midway: Affine,
    followup_to_midway: Affine,
) -> list[Lesion]:
    """What became of each lesion between two visits.

    A lesion is a connected group (26 neighbors) of what is lesion at either visit, in midway space, at least 3 mm long
    (Filippi et al. 2019, https://doi.org/10.1093/brain/awz144) at one of them.  It is new or vanished where one visit
    has nothing of it; enlarging or shrinking where its volumes differ by a factor of 1.5 and the radii of balls of
    these volumes by 0.5 mm, both set by hand; else stable.  So a new lesion that touches an old one enlarges it.

    Parameters
    ----------
    baseline : (X, Y, Z) bool array-like
        Lesions on the baseline scan's grid.
    followup : (U, V, W) bool array-like
        Lesions on the follow-up scan's grid.
    baseline_to_ras, followup_to_ras : (4, 4) array-like
        Voxel indices of each to its scan's RAS mm.
    baseline_to_midway, followup_to_midway : (4, 4) array-like
        RAS mm of each visit to RAS mm of midway space.

    Returns
    -------
    list of Lesion
        From the largest to the smallest, by the larger of both volumes.
    """
    masks = (np.asarray(baseline, bool), np.asarray(followup, bool))
    to_midway = [
        np.asarray(midway) @ np.asarray(ras)
        for midway, ras in ((baseline_to_midway, baseline_to_ras), (followup_to_midway, followup_to_ras))
    ]
    places = [
        np.argwhere(mask) @ matrix[:3, :3].T + matrix[:3, 3] for mask, matrix in zip(masks, to_midway, strict=True)
    ]
    if not any(map(len, places)):
        return []
    points = np.concatenate(places)
    low, high = points.min(0) - _MARGIN_MM, points.max(0) + _MARGIN_MM
    spacing = max(_FINEST_MM, *(float(voxel_sizes_mm(matrix).min()) for matrix in (baseline_to_ras, followup_to_ras)))
    shape = tuple(int(side) for side in np.ceil((high - low) / spacing) + 1)
    grid_to_midway = cubic_affine(spacing, low)
    there = [
        resample(mask.astype(np.float32), np.linalg.inv(matrix) @ grid_to_midway, shape) > _HALF
        for mask, matrix in zip(masks, to_midway, strict=True)
    ]
    found = _list_lesions(there[0], there[1], spacing, np.linalg.inv(np.asarray(baseline_to_midway)) @ grid_to_midway)
    return sorted(found, key=lambda one: (-max(one.baseline_ml, one.followup_ml), one.center_mm))


def _list_lesions(baseline: Mask, followup: Mask, spacing_mm: float, grid_to_baseline: Affine) -> list[Lesion]:
    labels, count = ndimage.label(baseline | followup, structure=_EVERY_NEIGHBOR)
    voxel_ml = spacing_mm**3 / 1000
    found = []
    for number, box in enumerate(ndimage.find_objects(labels, max_label=count), start=1):
        whole = labels[box] == number
        places = [np.argwhere(whole & mask[box]) for mask in (baseline, followup)]
        if max(_length_mm(one, spacing_mm) for one in places) < LEAST_LENGTH_MM:
            continue
        volumes = [len(one) * voxel_ml for one in places]
        middle = np.argwhere(whole).mean(0) + [side.start for side in box]
        x, y, z = (float(value) for value in grid_to_baseline[:3, :3] @ middle + grid_to_baseline[:3, 3])
        found.append(Lesion(name_kind(volumes[0], volumes[1]), volumes[0], volumes[1], (x, y, z)))
    return found


def _length_mm(voxels: Indices, spacing_mm: float) -> float:
    """Longest extent of a group of voxels along 13 directions, a voxel's edge included; 0 of nothing."""
    if len(voxels) == 0:
        return 0.0
    return spacing_mm * (1 + float(np.ptp(voxels @ _DIRECTIONS.T, axis=0).max()))


def name_kind(baseline_ml: float, followup_ml: float) -> Kind:
    """What became of a lesion with a volume at each visit, ml; one of them is above zero.

    Examples
    --------
    >>> name_kind(0.0, 0.05), name_kind(0.05, 0.1), name_kind(0.1, 0.11), name_kind(5.0, 3.0), name_kind(0.02, 0.0)
    ('new', 'enlarging', 'stable', 'shrinking', 'vanished')
    """
    if baseline_ml <= 0:
        return "new"
    if followup_ml <= 0:
        return "vanished"
    radii = [(3000 * volume / (4 * np.pi)) ** (1 / 3) for volume in (baseline_ml, followup_ml)]
    larger, smaller = max(baseline_ml, followup_ml), min(baseline_ml, followup_ml)
    if larger < LEAST_RATIO * smaller or abs(radii[1] - radii[0]) < LEAST_GROWTH_MM:
        return "stable"
    return "enlarging" if followup_ml > baseline_ml else "shrinking"
