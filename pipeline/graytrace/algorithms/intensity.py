"""Two visits on one intensity scale: what differs in gain, bias field and contrast is taken out of both by halves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from graytrace.algorithms.piecewise import piecewise_linear
from graytrace.algorithms.robust import SD_OF_MAD
from graytrace.algorithms.smoothing import gaussian, smooth_widely
from graytrace.arrays import Image, Mask, ScalarField, Vector

# "by hand" here: set while the method was written, on simulated pairs, with no comparison on record; what was tried
# is in docs/validation.md
_BLUR_MM = 1.0  # by hand: noise is no gradient
_FIELD_MM = 15.0  # by hand: what N4 leaves at both visits
_FLAT_GRADIENT_PER_MM = 0.05  # by hand; of white matter: above it a voxel lies on a border, where change would show
_BRIGHT_PERCENTILE = 90  # white matter, about: the scale is then taken from flat bright voxels
_BRIGHT = 0.8  # by hand, of that percentile: brighter than cortex
_FLAT_ENOUGH = 0.3  # by hand: weight from which a voxel counts for a median
_OUTLIER_SDS = 2.0  # by hand: a difference that counts half (Cauchy weights)
_FIELD_FLOOR = 1e-4  # where no flat voxel is near, there is no field
_AIR = 1e-3  # of that percentile: air has no logarithm
_DARKEST = 0.35  # by hand; of white matter: fluid has too little signal to tell a gain
_ROUNDS = 3  # by hand: of reweighting
_FINE_FIELD_MM = 8.0  # splines of 22 to 50 mm through white matter alone did no better (validation)
_FINE_FIELD_FLOOR = 1e-3  # where there is no pure tissue near, there is no correction
_LARGEST_RATIO = 0.3  # by hand, logarithm: more is no shading
_FEW_VOXELS = 500  # by hand: for a median
_CONTRAST_FIELD_MM = 10.0  # by hand: gray and white matter so close to each other share coil and texture
# by which they were off on simulated pairs, beyond what blocks tell: cortex follows its own loss and blur (validation)
_CORTEX_SD, _NUCLEI_SD = 0.003, 0.0015
_OUTER_REACH_MM = 1.5  # of the surface that darkens; five smoothed shares and areas say the same (docs/validation.md)
_NOTHING = 1e-6  # voxels: zero is divided by it
_BLOCK_MM = 25.0  # by hand: texture of tissue varies on a finer scale, so blocks are about independent


@dataclass(frozen=True)
class MatchedVisits:
    """Factors that bring both visits to white matter = 1 without differential bias, and their difference.

    Parameters
    ----------
    baseline_gain, followup_gain : (X, Y, Z) float32
        Factors for the intensities, positive.
    noise_sd : float
        Robust spread of follow-up minus baseline in the mask, of white matter.
    field_percent : float
        Spread of the differential bias field that was removed.
    """

    baseline_gain: ScalarField
    followup_gain: ScalarField
    noise_sd: float
    field_percent: float


@dataclass(frozen=True)
class Contrast:
    """Signals of the tissues at each visit.

    Parameters
    ----------
    baseline, followup : (3,) float
        Fluid, gray and white matter, rising; about 1 for white matter.
    gray_se : float
        Standard error of how gray matter's signal differs between the visits.
    """

    baseline: Vector
    followup: Vector
    gray_se: float = 0.0

    def moved(self, gray: float) -> Contrast:
        """The contrast if gray matter's signal had differed by more.

        Parameters
        ----------
        gray : float
            By so much more, follow-up minus baseline.

        Returns
        -------
        Contrast
        """
        step = np.array([0.0, gray / 2, 0.0])
        return replace(self, baseline=self.baseline - step, followup=self.followup + step)

    def even_out(self, image: Image, own: Vector) -> Image:
        """An image with its visit's signals brought to the mean of both visits.

        Linear between two tissues, so that a mixture of them stays the same mixture.

        Parameters
        ----------
        image : (X, Y, Z) float
            On the scale of the signals.
        own : (3,) float
            The signals of its visit.

        Returns
        -------
        (X, Y, Z) float32 ndarray
            From 0 to twice the signal of white matter.
        """
        middle = (self.baseline + self.followup) / 2
        here, there = (np.concatenate(([0.0], signals, [2 * signals[-1]])) for signals in (own, middle))
        return piecewise_linear(image, here, there)


def compare_contrast(
    baseline: Image,
    followup: Image,
    pure: tuple[Mask, Mask, Mask],
    deep: Mask,
    spacing_mm: float,
    outer: ScalarField | None = None,
    evened: Contrast | None = None,
) -> Contrast | None:
    """The contrast of two registered visits, from voxels of a single tissue.

    Another flip angle or inversion time changes gray matter and fluid against white matter; what gain and shading leave
    of that would pass for a shift of every border.  Gray matter is compared with the white matter near it, because the
    coil's shading is smooth and contrast is not.  Cortex and deep nuclei are asked by themselves: cortex that seems
    pure darkens as sulci open unseen in it and as the head moves, nuclei have another T1.  What both say together,
    nuclei with more weight because they were right more often, is shrunk by what blocks of the brain say differently
    (James and Stein 1961), so that it fades to nothing where it can't be told from the texture of tissue.

    Of a contrast about two thirds are found: pure voxels are mixed a little, cortex near fluid less with white
    matter than cortex beside it.  So what was found before is taken out first, and what is left is added to it.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) float32
        Registered intensities on one scale, white matter = 1.
    pure : three (X, Y, Z) bool
        Voxels of fluid, gray and white matter alone that both visits see.
    deep : (X, Y, Z) bool
        Deep nuclei.
    spacing_mm : float
        Edge of a voxel.
    outer : (X, Y, Z) float32, optional
        Area of gray matter's outer surface, banks that touch among it: what cortex near it darkens by is no contrast.
    evened : Contrast, optional
        With which both images were evened out.

    Returns
    -------
    Contrast or None
        None where a tissue has too few voxels or the tissues are not in the order of a T1w scan.
    """
    if min(np.count_nonzero(mask) for mask in pure) < _FEW_VOXELS:
        return None
    mean = (baseline + followup) / 2
    signals = np.array([float(np.median(mean[mask])) for mask in pure])
    if not np.all(np.diff(signals, prepend=0) > 0):
        return None
    fluid, gray, white = pure
    difference = np.clip(followup - baseline, -_LARGEST_RATIO, _LARGEST_RATIO)
    relative = difference / np.maximum(mean, _DARKEST)
    lost = None if outer is None else gaussian(outer, _OUTER_REACH_MM / spacing_mm)
    kinds = [(gray & ~deep, lost, _CORTEX_SD), (gray & deep, None, _NUCLEI_SD)]
    kinds = [kind for kind in kinds if kind[0].sum() >= _FEW_VOXELS] or [(gray, lost, _CORTEX_SD)]
    found = [(*_slope(relative, part, part | white, spacing_mm, by), sd) for part, by, sd in kinds]
    known = np.zeros(len(signals)) if evened is None else evened.followup - evened.baseline
    offset, se = _together(found, float(known[1] / signals[1]))
    offsets = np.array([known[0] + np.median(difference[fluid]), signals[1] * offset, 0.0])
    return Contrast(signals - offsets / 2, signals + offsets / 2, float(signals[1] * se))


def _slope(
    values: ScalarField, where: Mask, within: Mask, spacing_mm: float, other: ScalarField | None = None
) -> tuple[float, float]:
    """By how much `values` are larger in `where` than near it, both in `within`, and its standard error over blocks.

    What `other` explains, which is fitted along, is not counted.
    """
    sigma = _CONTRAST_FIELD_MM / spacing_mm
    counted = within.astype(np.float32)
    total = smooth_widely(counted, sigma) + _FIELD_FLOOR
    places = np.nonzero(within)

    def against_near(image: ScalarField) -> Vector:
        return np.asarray((image - smooth_widely(counted * image, sigma) / total)[places], np.float64)

    contrast, deviation = against_near(where.astype(np.float32)), against_near(values)
    if other is not None:
        side = against_near(other)
        weights = side / max(float(side @ side), _NOTHING)
        contrast, deviation = contrast - (weights @ contrast) * side, deviation - (weights @ deviation) * side
    block = np.ravel_multi_index(
        tuple((np.asarray(p) * spacing_mm // _BLOCK_MM).astype(int) for p in places),
        tuple(int(n * spacing_mm // _BLOCK_MM) + 1 for n in values.shape),
    )
    moment = np.bincount(block, weights=contrast * deviation)
    power = np.bincount(block, weights=contrast**2)
    whole = max(power.sum(), _NOTHING)  # a single tissue: no contrast
    slope = moment.sum() / whole
    return float(slope), float(np.sqrt(((moment - slope * power) ** 2).sum()) / whole)


def _together(found: Sequence[tuple[float, float, float]], known: float) -> tuple[float, float]:
    """Mean of estimates (value beyond what is known, standard error, SD of its kind) and of what is known.

    Shrunk to zero by its own error; and what is open.
    """
    values, ses, kinds = np.array(found).T
    values = values + known
    variances = ses**2
    weights = 1 / (variances + kinds**2)
    weights = weights / weights.sum()
    mean, variance = float(weights @ values), float(weights**2 @ variances)
    spread = float(weights @ (values - mean) ** 2)
    shrunk = mean * max(0.0, 1 - variance / max(mean**2, 1e-12))
    return shrunk, float(np.sqrt(variance + spread))


def _flatness(image: Image, spacing_mm: float) -> ScalarField:
    gradient = ndimage.gaussian_gradient_magnitude(image, _BLUR_MM / spacing_mm) / spacing_mm
    return np.asarray(1 / (1 + (gradient / _FLAT_GRADIENT_PER_MM) ** 2) ** 2)


def match_visits(baseline: Image, followup: Image, mask: Mask, spacing_mm: float) -> MatchedVisits:
    """Estimate the smooth ratio of two aligned visits where neither tissue borders nor fluid can mislead it.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) float32
        Aligned intensities of any unit on one grid of cubic voxels.
    mask : (X, Y, Z) bool
        Intracranial voxels seen by both visits.
    spacing_mm : float
        Edge of a voxel.

    Returns
    -------
    MatchedVisits

    Raises
    ------
    ValueError
        There is no tissue in the mask.
    """
    smooth = [gaussian(i, _BLUR_MM / spacing_mm) for i in (baseline, followup)]
    bright = [float(np.percentile(s[mask], _BRIGHT_PERCENTILE)) if mask.any() else 0.0 for s in smooth]
    if min(bright) <= 0:
        raise ValueError("a visit has no signal inside the intracranial mask")
    scaled = [np.maximum(s / b, _AIR) for s, b in zip(smooth, bright, strict=True)]
    mean = np.sqrt(scaled[0] * scaled[1])
    weight = (mask & (mean > _DARKEST)) * _flatness(np.where(mask, mean, 0), spacing_mm)
    log_ratio = np.log(scaled[1] / scaled[0])
    field = np.full(mask.shape, np.average(log_ratio, weights=weight), np.float32)
    sigma = _FIELD_MM / spacing_mm
    for _ in range(_ROUNDS):
        left = log_ratio - field
        spread = SD_OF_MAD * np.median(np.abs(left[weight > _FLAT_ENOUGH])) + 1e-4  # not zero for equal images
        robust = (weight / (1 + (left / (_OUTLIER_SDS * spread)) ** 2)).astype(np.float32)
        field += smooth_widely(robust * left, sigma) / (smooth_widely(robust, sigma) + _FIELD_FLOOR)
    half = np.exp(field / 2)
    gains = [half / bright[0], 1 / (half * bright[1])]
    matched = [baseline * gains[0], followup * gains[1]]
    average = (matched[0] + matched[1]) / 2
    white = float(np.median(average[(weight > _FLAT_ENOUGH) & (mean > _BRIGHT)]))
    difference = ((matched[1] - matched[0]) / white)[mask]
    return MatchedVisits(
        (gains[0] / white).astype(np.float32),
        (gains[1] / white).astype(np.float32),
        float(SD_OF_MAD * np.median(np.abs(difference))),
        float(100 * field[mask].std()),
    )


def even_out(baseline: Image, followup: Image, pure: Mask, spacing_mm: float) -> tuple[ScalarField, ScalarField]:
    """Factors for registered visits that take out the shading that `match_visits` has left.

    Once the visits are registered, a voxel of one tissue alone has no border whose shift could show in it, so what
    differs there is shading, on a finer scale than could be trusted before.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) float32
        Registered intensities on one scale, white matter = 1.
    pure : (X, Y, Z) bool
        Voxels of a single tissue.
    spacing_mm : float
        Edge of a voxel.

    Returns
    -------
    baseline_factor, followup_factor : (X, Y, Z) float32 ndarrays
        Positive, inverse to each other.
    """
    mean = (baseline + followup) / 2
    log_ratio = np.clip((followup - baseline) / np.maximum(mean, _DARKEST), -_LARGEST_RATIO, _LARGEST_RATIO)
    sigma = _FINE_FIELD_MM / spacing_mm
    weight = pure.astype(np.float32)
    smooth = smooth_widely(weight, sigma)
    half = smooth_widely(weight * log_ratio, sigma) / (smooth + _FINE_FIELD_FLOOR) / 2
    return np.exp(half).astype(np.float32), np.exp(-half).astype(np.float32)
