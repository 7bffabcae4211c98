"""How good the image of a whole head is, in numbers: ghosts, blur, what is cut off and what is missing.

Arrays are (X, Y, Z). What cannot be computed (no air around the head) is None. What is measured on tissues and on pairs
is in `quality`.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.arrays import Affine, Image, Mask, Vector

# "by hand" here: set while the metric was written, with no comparison of values on record
_ENOUGH_VOXELS, _ENOUGH_OF_HEAD = 200, 500  # by hand: for a mean of air; for a median or share of head
_THIN_MM = 2.0  # by hand: distance of the voxels that count, enough for means of large regions
_NEAR_SKULL_MM = 16.0  # by hand: bone and scalp reach so far beyond the intracranial space, where no muscle lies
_ABOVE_FACE_MM = 20.0  # by hand; above the middle of the intracranial space: face, ears and muscles lie below
_LEAST_FILLED = 0.5  # of air that is not zero: with less a tool has set it to zero
_OUTSIDE_MM = (3.0, 15.0)  # by hand: bone and scalp of any head lie there
_ANY_TISSUE = 0.1  # by hand, of white matter
_RIM_MM, _DEEP_MM = 3.0, 14.0  # by hand: fluid and cortex; mostly white matter


def measure_entropy_focus(image: Image) -> float | None:
    """Entropy focus criterion: ghosting and blurring spread energy over voxels. Lower is better, 0 to 1.

    ``-sum(b ln b) / (sqrt(N) ln sqrt(N))`` with ``b = I / sqrt(sum I^2)``; https://doi.org/10.1109/42.650886,
    normalized for size as in https://doi.org/10.1371/journal.pone.0184661. Depends on how much air the image has:
    compare scans of one protocol.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit, not negative.

    Returns
    -------
    float or None
        None for an image of zeros.
    """
    values = np.asarray(image, dtype=np.float32).ravel()
    total = float(np.sqrt(np.square(values, dtype=np.float64).sum()))
    if total <= 0 or values.size < 2:
        return None
    b = values[values > 0] / total
    root = np.sqrt(values.size)
    return float(-(b * np.log(b)).sum(dtype=np.float64) / (root * np.log(root)))


def measure_ghosting_percent(image: Image, intracranial_mask: Mask, voxel_to_ras: Affine) -> float | None:
    """Ghosting: how much brighter the air beside the skull is than the air in the corners. Lower is better.

    ``100 * max over axes (mean(air beside the skull along the axis) - mean(air in corners))``, percent of white matter.
    A ghost is a copy of the head shifted along one axis, so corners have none (Giannelli et al. 2010,
    as ghost-to-signal ratio).  Air is what lies far enough from the upper half of the skull, whatever its brightness:
    a strong ghost that passes for head would not be seen.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        White matter = 1.
    intracranial_mask : (X, Y, Z) bool array-like
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.

    Returns
    -------
    float or None
        Percent of white matter; None where the air has been set to zero or there is none.
    """
    affine = np.asarray(voxel_to_ras, dtype=float)
    sizes_mm = voxel_sizes_mm(affine)
    thin, mask, edge_mm = _thin(image, intracranial_mask, sizes_mm)
    if not mask.any():
        return None
    upwards_mm = affine[2, :3] / sizes_mm * edge_mm  # for a step along each axis
    x, y, z = (np.arange(count) * mm for count, mm in zip(thin.shape, upwards_mm, strict=True))
    height = x[:, None, None] + y[:, None] + z
    above = height > height[mask].mean() + _ABOVE_FACE_MM
    near = ndimage.distance_transform_edt(~mask, sampling=edge_mm) < _NEAR_SKULL_MM
    shadows = [np.broadcast_to(near.any(axis, keepdims=True), near.shape) for axis in range(3)]
    corners = thin[above & ~(shadows[0] | shadows[1] | shadows[2])]
    if corners.size < _ENOUGH_VOXELS or np.count_nonzero(corners) < _LEAST_FILLED * corners.size:
        return None
    beside = []
    for axis, shadow in enumerate(shadows):
        others = [shadows[other] for other in range(3) if other != axis]
        values = thin[above & shadow & ~near & ~others[0] & ~others[1]]
        if values.size >= _ENOUGH_VOXELS and np.count_nonzero(values) >= _LEAST_FILLED * values.size:
            beside.append(float(values.mean()))
    return 100 * (max(beside) - float(corners.mean())) if beside else None


def measure_edge_contact_mm2(mask: Mask, voxel_mm: Vector) -> float:
    """Area of the brain mask that touches the edge of the field of view. Lower is better: 0 is whole.

    Parameters
    ----------
    mask : (X, Y, Z) bool array-like
        The brain.
    voxel_mm : (3,) array-like
        Edges of a voxel, mm.

    Returns
    -------
    float
        mm^2.
    """
    mask = np.asarray(mask, dtype=bool)
    area = 0.0
    for axis in range(3):
        face_mm2 = float(np.prod(np.delete(np.asarray(voxel_mm, dtype=float), axis)))
        area += face_mm2 * float(np.moveaxis(mask, axis, 0)[[0, -1]].sum())
    return area


def measure_head_outside_percent(image: Image, intracranial_mask: Mask, voxel_mm: Vector) -> float | None:
    """How much of the 3 to 15 mm around the intracranial space is tissue, percent. Near 0: skull-stripped.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        White matter = 1.
    intracranial_mask : (X, Y, Z) bool array-like
    voxel_mm : (3,) array-like
        Edges of a voxel, mm.

    Returns
    -------
    float or None
        Percent, 0 to 100; None where the field of view has hardly anything around the intracranial space.
    """
    image, mask, edge_mm = _thin(image, intracranial_mask, voxel_mm)
    outside_mm = ndimage.distance_transform_edt(~mask, sampling=edge_mm)
    shell = (outside_mm > _OUTSIDE_MM[0]) & (outside_mm < _OUTSIDE_MM[1])
    if np.count_nonzero(shell) < _ENOUGH_OF_HEAD:
        return None
    return 100 * float((np.asarray(image)[shell] > _ANY_TISSUE).mean())


def measure_rim_ratio(image: Image, intracranial_mask: Mask, voxel_mm: Vector) -> float | None:
    """Outermost 3 mm of the intracranial space over what lies deeper than 14 mm, medians. Above 1: no T1w scan.

    Fluid and cortex lie at the rim, white matter in the depth: a T1w scan is dark outside, a T2w scan bright.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit.
    intracranial_mask : (X, Y, Z) bool array-like
    voxel_mm : (3,) array-like
        Edges of a voxel, mm.

    Returns
    -------
    float or None
        None where the intracranial space has no depth of 14 mm.
    """
    image, mask, edge_mm = _thin(image, intracranial_mask, voxel_mm)
    depth_mm = ndimage.distance_transform_edt(mask, sampling=edge_mm)
    rim, deep = mask & (depth_mm <= _RIM_MM), mask & (depth_mm > _DEEP_MM)
    if min(np.count_nonzero(rim), np.count_nonzero(deep)) < _ENOUGH_OF_HEAD:
        return None
    middle = float(np.median(np.asarray(image)[deep]))
    return float(np.median(np.asarray(image)[rim])) / middle if middle > 0 else None


def _thin(image: Image, mask: Mask, voxel_mm: Vector) -> tuple[Image, Mask, Vector]:
    """Every second voxel or so, up to 3 mm apart: enough for medians and shares of large regions."""
    steps = [max(1, round(_THIN_MM / float(edge))) for edge in voxel_mm]
    thin = tuple(slice(None, None, step) for step in steps)
    return np.asarray(image)[thin], np.asarray(mask, dtype=bool)[thin], np.asarray(voxel_mm) * steps
