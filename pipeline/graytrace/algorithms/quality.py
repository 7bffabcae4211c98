"""How good a scan and a pair of scans are, in numbers: formula, unit, direction and source of each in its docstring.

Arrays are (X, Y, Z). Intensities of a scan are first divided by the median of its white matter, so that scans compare.
What cannot be computed (no air around the head, no voxel of pure tissue) is None.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from graytrace.algorithms.grids import surround_corners
from graytrace.algorithms.resampling import resample
from graytrace.algorithms.robust import estimate_sd

_PURE = 0.95
_ENOUGH_VOXELS = 200
_LOCAL_MM = 4.0
_BORDER = (0.3, 0.7)
_HEAD_LEVEL = 0.15
_NEAR_HEAD_MM = 10.0
_SHELL_MM = (2.0, 14.0)
_PAIR_MM = 2.0
_OUTSIDE_MM = (3.0, 15.0)
_ANY_TISSUE = 0.1
_RIM_MM, _DEEP_MM = 3.0, 14.0
_ENOUGH_OF_HEAD = 500
_TISSUE_LEVEL, _AIR_LEVEL = 0.35, 0.10
_FACE_SMOOTHING_MM = 3.0


@dataclass(frozen=True)
class Tissues:
    """What is known of a scan: image with white matter = 1, its fractions and voxel edges in mm."""

    image: NDArray[Any]
    gm: NDArray[Any]
    wm: NDArray[Any]
    voxel_mm: NDArray[Any]

    @functools.cached_property
    def pure_gm(self) -> NDArray[Any]:
        """Voxels of gray matter only."""
        return _core(self.gm)

    @functools.cached_property
    def pure_wm(self) -> NDArray[Any]:
        """Voxels of white matter only."""
        return _core(self.wm)


def _core(fraction: NDArray[Any]) -> NDArray[Any]:
    """Voxels of one tissue only, away from borders where that leaves enough of them."""
    core = np.asarray(fraction) > _PURE
    inner = ndimage.binary_erosion(core)
    return np.asarray(inner if np.count_nonzero(inner) >= _ENOUGH_VOXELS else core)


def white_matter_intensity(image: NDArray[Any], wm: NDArray[Any]) -> float | None:
    """Median intensity of pure white matter, in the scan's own units; None where there is none."""
    values = np.asarray(image)[np.asarray(wm) > _PURE]
    if values.size < _ENOUGH_VOXELS:
        return None
    median = float(np.median(values))
    return median if median > 0 else None


def measure_noise_percent(tissues: Tissues) -> float | None:
    """Noise: spread of white matter around its local mean. Lower is better.

    ``100 * 1.4826 * MAD(I - G(I))`` over pure white matter, G a Gaussian of 4 mm within it; percent of the white
    matter's median. The local mean takes out what the bias correction has left.
    """
    core = tissues.pure_wm
    if np.count_nonzero(core) < _ENOUGH_VOXELS:
        return None
    sigma = _LOCAL_MM / tissues.voxel_mm
    weight = ndimage.gaussian_filter(core.astype(np.float32), sigma, truncate=2.5)
    mean = ndimage.gaussian_filter(np.where(core, tissues.image, 0).astype(np.float32), sigma, truncate=2.5)
    return 100 * estimate_sd(tissues.image[core] - mean[core] / weight[core])


def measure_gray_white_ratio(tissues: Tissues) -> float | None:
    """Gray over white matter: ``median(I in GM) / median(I in WM)``. No direction.

    It depends on sequence and scanner, so it should be the same at both visits.
    """
    values = tissues.image[tissues.pure_gm]
    return float(np.median(values)) if values.size >= _ENOUGH_VOXELS else None


def measure_contrast_to_noise(gray_white_ratio: float | None, noise_percent: float | None) -> float | None:
    """Contrast-to-noise ratio ``(1 - gray / white) / noise``. Higher is better.

    As in MRIQC (https://doi.org/10.1371/journal.pone.0184661), but with the noise of `measure_noise_percent`: the air
    of defaced or masked scans tells nothing.
    """
    if gray_white_ratio is None or not noise_percent:
        return None
    return 100 * (1 - gray_white_ratio) / noise_percent


def measure_joint_variation(tissues: Tissues) -> float | None:
    """Coefficient of joint variation ``(SD(GM) + SD(WM)) / |median(WM) - median(GM)|``. Lower is better.

    Grows with noise and with shading that the bias correction has left; SD from the median absolute deviation.
    https://doi.org/10.3389/fninf.2016.00010
    """
    gray, white = (tissues.image[core] for core in (tissues.pure_gm, tissues.pure_wm))
    if min(gray.size, white.size) < _ENOUGH_VOXELS:
        return None
    contrast = abs(float(np.median(white) - np.median(gray)))
    return (estimate_sd(gray) + estimate_sd(white)) / contrast if contrast > 0 else None


def measure_edge_width_mm(tissues: Tissues) -> float | None:
    """Sharpness: width in mm of the border between gray and white matter. Lower is better; motion widens it.

    ``(median(WM) - median(GM)) / mean(grad I . n)`` over voxels that are 30 to 70 % white and the rest gray matter, n
    the direction in which the white matter's fraction grows. The derivative along n, not the gradient's length,
    is taken: noise then cancels in the mean instead of adding to it. Our own definition.
    """
    ratio = measure_gray_white_ratio(tissues)
    border = (tissues.wm > _BORDER[0]) & (tissues.wm < _BORDER[1]) & (tissues.gm + tissues.wm > _PURE)
    if ratio is None or np.count_nonzero(border) < _ENOUGH_VOXELS:
        return None
    smooth = ndimage.gaussian_filter(np.asarray(tissues.wm, np.float32), 1.0, truncate=2)
    steps = [float(edge) for edge in tissues.voxel_mm]
    normal = np.stack([slope[border] for slope in np.gradient(smooth, *steps)])
    slope = np.stack([slope[border] for slope in np.gradient(tissues.image, *steps)])
    length = np.linalg.norm(normal, axis=0)
    along = (normal * slope).sum(0)[length > 0] / length[length > 0]
    mean = float(along.mean()) if along.size else 0.0
    return (1 - ratio) / mean if mean > 0 else None


def measure_entropy_focus(image: NDArray[Any]) -> float | None:
    """Entropy focus criterion: ghosting and blurring spread energy over voxels. Lower is better, 0 to 1.

    ``-sum(b ln b) / (sqrt(N) ln sqrt(N))`` with ``b = I / sqrt(sum I^2)``; https://doi.org/10.1109/42.650886,
    normalized for size as in https://doi.org/10.1371/journal.pone.0184661. Depends on how much air the image has:
    compare scans of one protocol.
    """
    values = np.asarray(image, dtype=np.float32).ravel()
    total = float(np.sqrt(np.square(values, dtype=np.float64).sum()))
    if total <= 0 or values.size < 2:
        return None
    b = values[values > 0] / total
    root = np.sqrt(values.size)
    return float(-(b * np.log(b)).sum(dtype=np.float64) / (root * np.log(root)))


def measure_ghosting_percent(image: NDArray[Any], voxel_mm: NDArray[Any]) -> float | None:
    """Ghosting: how much brighter the air beside the head is than the air in the corners. Lower is better.

    ``100 * max over axes (mean(air beside the head along the axis) - mean(air in corners))``, percent of white matter.
    A ghost is a copy of the head shifted along one axis, so corners have none (Giannelli et al. 2010,
    as ghost-to-signal ratio). None where the air has been set to zero or there is none.
    """
    coarse = tuple(max(1, round(_PAIR_MM / float(edge))) for edge in voxel_mm)
    thin = np.asarray(image, dtype=np.float32)[tuple(slice(None, None, step) for step in coarse)]
    edge_mm = np.asarray(voxel_mm) * coarse
    head = ndimage.gaussian_filter(thin, 2.0 / edge_mm) > _HEAD_LEVEL
    near = ndimage.distance_transform_edt(~head, sampling=edge_mm) < _NEAR_HEAD_MM
    shadows = [np.broadcast_to(near.any(axis, keepdims=True), near.shape) for axis in range(3)]
    corners = thin[~(shadows[0] | shadows[1] | shadows[2])]
    if corners.size < _ENOUGH_VOXELS or np.count_nonzero(corners) < corners.size / 2:
        return None
    beside = []
    for axis, shadow in enumerate(shadows):
        others = [shadows[other] for other in range(3) if other != axis]
        values = thin[shadow & ~near & ~others[0] & ~others[1]]
        if values.size >= _ENOUGH_VOXELS and np.count_nonzero(values) >= values.size / 2:
            beside.append(float(values.mean()))
    return 100 * (max(beside) - float(corners.mean())) if beside else None


def measure_edge_contact_mm2(mask: NDArray[Any], voxel_mm: NDArray[Any]) -> float:
    """Area of the brain mask that touches the edge of the field of view, mm^2. Lower is better: 0 is whole."""
    mask = np.asarray(mask, dtype=bool)
    area = 0.0
    for axis in range(3):
        face_mm2 = float(np.prod(np.delete(np.asarray(voxel_mm, dtype=float), axis)))
        area += face_mm2 * float(mask.take(0, axis).sum() + mask.take(-1, axis).sum())
    return area


def measure_head_outside_percent(
    image: NDArray[Any], intracranial_mask: NDArray[Any], voxel_mm: NDArray[Any]
) -> float | None:
    """How much of the 3 to 15 mm around the intracranial space is tissue, percent. Near 0: skull-stripped.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        White matter = 1.
    """
    image, mask, edge_mm = _thin(image, intracranial_mask, voxel_mm)
    outside_mm = ndimage.distance_transform_edt(~mask, sampling=edge_mm)
    shell = (outside_mm > _OUTSIDE_MM[0]) & (outside_mm < _OUTSIDE_MM[1])
    if np.count_nonzero(shell) < _ENOUGH_OF_HEAD:
        return None
    return 100 * float((np.asarray(image)[shell] > _ANY_TISSUE).mean())


def measure_rim_ratio(image: NDArray[Any], intracranial_mask: NDArray[Any], voxel_mm: NDArray[Any]) -> float | None:
    """Outermost 3 mm of the intracranial space over what lies deeper than 14 mm, medians. Above 1: no T1w scan.

    Fluid and cortex lie at the rim, white matter in the depth: a T1w scan is dark outside, a T2w scan bright.
    """
    image, mask, edge_mm = _thin(image, intracranial_mask, voxel_mm)
    depth_mm = ndimage.distance_transform_edt(mask, sampling=edge_mm)
    rim, deep = mask & (depth_mm <= _RIM_MM), mask & (depth_mm > _DEEP_MM)
    if min(np.count_nonzero(rim), np.count_nonzero(deep)) < _ENOUGH_OF_HEAD:
        return None
    middle = float(np.median(np.asarray(image)[deep]))
    return float(np.median(np.asarray(image)[rim])) / middle if middle > 0 else None


def _thin(
    image: NDArray[Any], mask: NDArray[Any], voxel_mm: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Every second voxel or so, up to 3 mm apart: enough for medians and shares of large regions."""
    steps = [max(1, round(_PAIR_MM / float(edge))) for edge in voxel_mm]
    thin = tuple(slice(None, None, step) for step in steps)
    return np.asarray(image)[thin], np.asarray(mask, dtype=bool)[thin], np.asarray(voxel_mm) * steps


@dataclass(frozen=True)
class MidwayView:
    """Both visits on one 2 mm grid in midway space, white matter = 1, and where both fields of view reach."""

    baseline: NDArray[Any]
    followup: NDArray[Any]
    intracranial: NDArray[Any]
    seen: NDArray[Any]
    grid_to_ras: NDArray[Any]


def view_midway(
    images: tuple[NDArray[Any], NDArray[Any]],
    masks: tuple[NDArray[Any], NDArray[Any]],
    voxel_to_midway: tuple[NDArray[Any], NDArray[Any]],
) -> MidwayView:
    """Carry both visits' whole heads to a common 2 mm grid.

    Parameters
    ----------
    images : two (X, Y, Z) array-likes
        White matter = 1, each on its own grid.
    masks : two (X, Y, Z) bool array-likes
        Intracranial.
    voxel_to_midway : two (4, 4) array-likes
        Voxel indices of each to midway RAS mm.
    """
    corners = []
    for image, matrix in zip(images, voxel_to_midway, strict=True):
        index = np.array(np.meshgrid(*[(0, side - 1) for side in image.shape])).reshape(3, -1)
        corners.append(matrix[:3, :3] @ index + matrix[:3, 3:])
    low = np.minimum(corners[0].min(1), corners[1].min(1))
    high = np.maximum(corners[0].max(1), corners[1].max(1))
    grid = surround_corners(low, high, _PAIR_MM)
    shape, grid_to_ras = grid.shape, grid.voxel_to_mm
    to_voxel = [np.linalg.inv(matrix) @ grid_to_ras for matrix in voxel_to_midway]
    shown = [resample(image, matrix, shape, outside=-1.0) for image, matrix in zip(images, to_voxel, strict=True)]
    inside = [resample(mask, matrix, shape) for mask, matrix in zip(masks, to_voxel, strict=True)]
    seen = (shown[0] >= 0) & (shown[1] >= 0)
    return MidwayView(np.maximum(shown[0], 0), np.maximum(shown[1], 0), inside[0] + inside[1] > 1, seen, grid_to_ras)


def measure_skull_residual_mm(view: MidwayView) -> float | None:
    """How far skull and scalp of the aligned visits lie apart, mm. Lower is better.

    ``sqrt(sum(r^2) / sum(|g|^2))`` over the steeper half of the shell 2 to 14 mm outside the intracranial mask: r the
    difference of the visits, each divided by its mean in the shell, g the gradient of their mean. A shift by s mm along
    the gradient makes r = s |g|, so this is the root mean square shift, noise included. Our own definition.
    """
    outside_mm = ndimage.distance_transform_edt(~view.intracranial, sampling=_PAIR_MM)
    shell = (outside_mm > _SHELL_MM[0]) & (outside_mm < _SHELL_MM[1]) & view.seen
    if np.count_nonzero(shell) < _ENOUGH_VOXELS:
        return None
    scales = [float(np.mean(image[shell])) for image in (view.baseline, view.followup)]
    if min(scales) <= 0:
        return None
    first, second = view.baseline / scales[0], view.followup / scales[1]
    slopes = [np.asarray(slope)[shell] for slope in np.gradient((first + second) / 2, _PAIR_MM)]
    steepness = (np.stack(slopes) ** 2).sum(0)
    steep = steepness > np.median(steepness)
    if not steep.any():
        return None
    difference = (second - first)[shell][steep]
    return float(np.sqrt((difference**2).sum() / steepness[steep].sum()))


def measure_face_difference_ml(view: MidwayView) -> float | None:
    """Head tissue in front of and below the brain that only one visit shows, ml; near 0 is better.

    Positive: the follow-up lacks it; negative: the baseline does. Tissue is above 0.35, air below 0.10 of white matter
    after smoothing by 3 mm, in what both fields of view contain. Some tens of ml mean that one visit was defaced and
    the other not: the scale between the visits, estimated from the skull, then rests on less. Our own definition.
    """
    there = np.argwhere(view.intracranial)
    if not there.size:
        return None
    middle = there.mean(0)
    index = np.indices(view.seen.shape, dtype=np.float32)
    face = view.seen & ~view.intracranial & (index[1] > middle[1]) & (index[2] < middle[2])
    sigma = _FACE_SMOOTHING_MM / _PAIR_MM
    first, second = (ndimage.gaussian_filter(image, sigma) for image in (view.baseline, view.followup))
    only_baseline = np.count_nonzero(face & (first > _TISSUE_LEVEL) & (second < _AIR_LEVEL))
    only_followup = np.count_nonzero(face & (second > _TISSUE_LEVEL) & (first < _AIR_LEVEL))
    return (only_baseline - only_followup) * _PAIR_MM**3 / 1000


# column of quality.tsv to what measures it; a metric that needs no more than this is measured by being named here
TISSUE_METRICS: Mapping[str, Callable[[Tissues], float | None]] = {
    "noise_percent": measure_noise_percent,
    "gray_white_ratio": measure_gray_white_ratio,
    "gm_wm_contrast_to_noise": lambda tissues: measure_contrast_to_noise(
        measure_gray_white_ratio(tissues), measure_noise_percent(tissues)
    ),
    "joint_variation": measure_joint_variation,
    "edge_width_mm": measure_edge_width_mm,
}
PAIR_METRICS: Mapping[str, Callable[[MidwayView], float | None]] = {
    "skull_residual_mm": measure_skull_residual_mm,
    "face_difference_ml": measure_face_difference_ml,
}
