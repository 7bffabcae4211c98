"""How good a scan and a pair of scans are, in numbers: formula, unit, direction and source of each in its docstring.

What needs no tissues, only the image of a whole head, is in `head_quality`.

Arrays are (X, Y, Z). Intensities of a scan are first divided by the median of its white matter, so that scans compare.
What cannot be computed (no air around the head, no voxel of pure tissue) is None.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from graytrace.algorithms.grids import surround_corners
from graytrace.algorithms.resampling import resample
from graytrace.algorithms.robust import estimate_sd
from graytrace.arrays import Affine, Fractions, Image, Mask, Vector

# "by hand" here: set while the metric was written, with no comparison of values on record
_PURE = 0.95  # by hand: a voxel of a single tissue, with room for the error of its fraction
_ENOUGH_VOXELS = 200  # by hand: for a median or a spread
_LOCAL_MM = 4.0  # by hand: of the Gaussian of the local mean, finer than shading and wider than noise
_LOCAL_REACH = 2.5  # by hand: where that Gaussian is cut, in its standard deviations, for time
_BORDER = (0.3, 0.7)  # by hand: white matter's part of a border voxel
_NORMAL_BLUR = 1.0  # by hand: voxels, so that a border's direction is not that of single voxels
_SHELL_MM = (2.0, 14.0)  # by hand: skull and scalp
_PAIR_MM = 2.0  # by hand: grid of a pair, enough for shifts of tenths of a mm over thousands of voxels
_TISSUE_LEVEL, _AIR_LEVEL = 0.35, 0.10  # by hand, of white matter: what is surely tissue and surely air
_FACE_SMOOTHING_MM = 3.0  # by hand: noise of air is no face


@dataclass(frozen=True)
class Tissues:
    """What is known of a scan.

    Parameters
    ----------
    image : (X, Y, Z) float
        White matter = 1.
    gm, wm : (X, Y, Z) float in [0, 1]
        Fractions of each voxel.
    voxel_mm : (3,) float
        Edges of a voxel, mm.
    """

    image: Image
    gm: Fractions
    wm: Fractions
    voxel_mm: Vector

    @functools.cached_property
    def pure_gm(self) -> Mask:
        """Voxels of gray matter only."""
        return _core(self.gm)

    @functools.cached_property
    def pure_wm(self) -> Mask:
        """Voxels of white matter only."""
        return _core(self.wm)


def _core(fraction: Fractions) -> Mask:
    """Voxels of one tissue only, away from borders where that leaves enough of them."""
    core = np.asarray(fraction) > _PURE
    inner = ndimage.binary_erosion(core)
    return np.asarray(inner if np.count_nonzero(inner) >= _ENOUGH_VOXELS else core)


def white_matter_intensity(image: Image, wm: Fractions) -> float | None:
    """Median intensity of pure white matter.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit.
    wm : (X, Y, Z) array-like in [0, 1]
        Fraction of white matter.

    Returns
    -------
    float or None
        In the image's unit, above zero; None where there is none.
    """
    values = np.asarray(image)[np.asarray(wm) > _PURE]
    if values.size < _ENOUGH_VOXELS:
        return None
    median = float(np.median(values))
    return median if median > 0 else None


def measure_noise_percent(tissues: Tissues) -> float | None:
    """Noise: spread of white matter around its local mean. Lower is better.

    ``100 * 1.4826 * MAD(I - G(I))`` over pure white matter, G a Gaussian of 4 mm within it; percent of the white
    matter's median. The local mean takes out what the bias correction has left.

    Parameters
    ----------
    tissues : Tissues

    Returns
    -------
    float or None
        Percent of white matter; None with too few voxels of pure white matter.
    """
    core = tissues.pure_wm
    if np.count_nonzero(core) < _ENOUGH_VOXELS:
        return None
    sigma = _LOCAL_MM / tissues.voxel_mm
    weight = ndimage.gaussian_filter(core.astype(np.float32), sigma, truncate=_LOCAL_REACH)
    mean = ndimage.gaussian_filter(np.where(core, tissues.image, 0).astype(np.float32), sigma, truncate=_LOCAL_REACH)
    return 100 * estimate_sd(tissues.image[core] - mean[core] / weight[core])


def measure_gray_white_ratio(tissues: Tissues) -> float | None:
    """Gray over white matter: ``median(I in GM) / median(I in WM)``. No direction.

    It depends on sequence and scanner, so it should be the same at both visits.

    Parameters
    ----------
    tissues : Tissues

    Returns
    -------
    float or None
        Below 1 on T1w scans; None with too few voxels of pure gray matter.
    """
    values = tissues.image[tissues.pure_gm]
    return float(np.median(values)) if values.size >= _ENOUGH_VOXELS else None


def measure_contrast_to_noise(gray_white_ratio: float | None, noise_percent: float | None) -> float | None:
    """Contrast-to-noise ratio ``(1 - gray / white) / noise``. Higher is better.

    As in MRIQC (https://doi.org/10.1371/journal.pone.0184661), but with the noise of `measure_noise_percent`: the air
    of defaced or masked scans tells nothing.

    Parameters
    ----------
    gray_white_ratio : float or None
        From `measure_gray_white_ratio`.
    noise_percent : float or None
        From `measure_noise_percent`.

    Returns
    -------
    float or None
        None where one of the two is, or without noise.
    """
    if gray_white_ratio is None or not noise_percent:
        return None
    return 100 * (1 - gray_white_ratio) / noise_percent


def measure_joint_variation(tissues: Tissues) -> float | None:
    """Coefficient of joint variation ``(SD(GM) + SD(WM)) / |median(WM) - median(GM)|``. Lower is better.

    Grows with noise and with shading that the bias correction has left; SD from the median absolute deviation.
    https://doi.org/10.3389/fninf.2016.00010

    Parameters
    ----------
    tissues : Tissues

    Returns
    -------
    float or None
        None with too few voxels of a pure tissue, or without contrast.
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

    Parameters
    ----------
    tissues : Tissues

    Returns
    -------
    float or None
        mm; None with too few voxels of border or where it does not brighten towards white matter.
    """
    ratio = measure_gray_white_ratio(tissues)
    border = (tissues.wm > _BORDER[0]) & (tissues.wm < _BORDER[1]) & (tissues.gm + tissues.wm > _PURE)
    if ratio is None or np.count_nonzero(border) < _ENOUGH_VOXELS:
        return None
    smooth = ndimage.gaussian_filter(np.asarray(tissues.wm, np.float32), _NORMAL_BLUR, truncate=2)
    steps = [float(edge) for edge in tissues.voxel_mm]
    normal = np.stack([np.asarray(slope)[border] for slope in np.gradient(smooth, *steps)])
    slope = np.stack([np.asarray(slope)[border] for slope in np.gradient(tissues.image, *steps)])
    length = np.linalg.norm(normal, axis=0)
    along = (normal * slope).sum(0)[length > 0] / length[length > 0]
    mean = float(along.mean()) if along.size else 0.0
    return (1 - ratio) / mean if mean > 0 else None


@dataclass(frozen=True)
class MidwayView:
    """Both visits on one 2 mm grid in midway space.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) float32
        White matter = 1, zero where a visit sees nothing.
    intracranial : (X, Y, Z) bool
        What lies in the skull at both visits.
    seen : (X, Y, Z) bool
        Where both fields of view reach.
    grid_to_ras : (4, 4) float
        Grid indices to midway RAS mm.
    """

    baseline: Image
    followup: Image
    intracranial: Mask
    seen: Mask
    grid_to_ras: Affine


def view_midway(
    images: tuple[Image, Image],
    masks: tuple[Mask, Mask],
    voxel_to_midway: tuple[Affine, Affine],
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

    Returns
    -------
    MidwayView
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

    Parameters
    ----------
    view : MidwayView

    Returns
    -------
    float or None
        mm; None where the visits hardly see a skull in common.
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

    Parameters
    ----------
    view : MidwayView

    Returns
    -------
    float or None
        ml; None without an intracranial space.
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
