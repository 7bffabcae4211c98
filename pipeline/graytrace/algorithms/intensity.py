"""Two visits on one intensity scale: what differs in gain, bias field and contrast is taken out of both by halves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from graytrace.algorithms.smoothing import smooth_widely

_FIELD_MM = 15.0
_FLAT_GRADIENT_PER_MM = 0.05  # of white matter: above it a voxel lies on a border, where real change would show
_DARKEST = 0.35  # of white matter: fluid has too little signal to tell a gain
_ROUNDS = 3
_FINE_FIELD_MM = 8.0
_FINE_FIELD_FLOOR = 1e-3  # where there is no pure tissue near, there is no correction
_LARGEST_RATIO = 0.3
_PURE = 0.95
_FEW_VOXELS = 500
# of white matter: eight simulated pairs of one contrast differ by up to 0.0019 in voxels that seem pure
_CONTRAST_FLOOR = 0.002


@dataclass(frozen=True)
class MatchedVisits:
    """Factors (X, Y, Z) that bring both visits to white matter = 1 without differential bias, and their difference.

    `noise_sd` is the robust spread of follow-up minus baseline in the mask, `field_percent` the spread of the
    differential bias field that was removed.
    """

    baseline_gain: NDArray[Any]
    followup_gain: NDArray[Any]
    noise_sd: float
    field_percent: float


@dataclass(frozen=True)
class Contrast:
    """Signals (3,) of fluid, gray and white matter at each visit, rising."""

    baseline: NDArray[Any]
    followup: NDArray[Any]

    @property
    def differs(self) -> bool:
        """Whether the difference is more than what atrophy and noise make of two visits of one protocol."""
        return bool(
            np.abs(self.followup / self.followup[-1] - self.baseline / self.baseline[-1]).max() > _CONTRAST_FLOOR
        )

    def even_out(self, image: NDArray[Any], own: NDArray[Any]) -> NDArray[Any]:
        """An image with the signals `own` (3,) brought to the mean of both visits.

        Linear between two tissues, so that a mixture of them stays the same mixture.
        """
        middle = (self.baseline + self.followup) / 2
        here, there = (np.concatenate(([0.0], signals, [2 * signals[-1]])) for signals in (own, middle))
        return np.asarray(np.interp(image, here, there), dtype=np.float32)


def compare_contrast(
    baseline: NDArray[Any], followup: NDArray[Any], fractions: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
) -> Contrast | None:
    """The contrast of two registered visits, from voxels of a single tissue.

    Another flip angle or inversion time changes gray and fluid against white matter; what gain and shading leave of
    that would pass for a shift of every border.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) float32
        Registered intensities on one scale, white matter = 1.
    fractions : three (X, Y, Z) float32
        Fluid, gray and white matter, common to both visits, zero where a visit sees nothing.

    Returns
    -------
    Contrast or None
        None where a tissue has too few voxels or the tissues are not in the order of a T1w scan.
    """
    signals = np.zeros((2, 3))
    for number, fraction in enumerate(fractions):
        pure = fraction > _PURE
        if np.count_nonzero(pure) < _FEW_VOXELS:
            return None
        signals[:, number] = [np.median(image[pure]) for image in (baseline, followup)]
    rising = np.all(np.diff(signals, axis=1, prepend=0) > 0)
    return Contrast(signals[0], signals[1]) if rising else None


def _flatness(image: NDArray[Any], spacing_mm: float) -> NDArray[Any]:
    gradient = ndimage.gaussian_gradient_magnitude(image, 1.0 / spacing_mm) / spacing_mm
    return np.asarray(1 / (1 + (gradient / _FLAT_GRADIENT_PER_MM) ** 2) ** 2)


def match_visits(
    baseline: NDArray[Any], followup: NDArray[Any], mask: NDArray[Any], spacing_mm: float
) -> MatchedVisits:
    """Estimate the smooth ratio of two aligned visits where neither tissue borders nor fluid can mislead it.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) float32
        Aligned intensities on one grid of cubic voxels.
    mask : (X, Y, Z) bool
        Intracranial voxels seen by both visits.
    spacing_mm : float

    Raises
    ------
    ValueError
        There is no tissue in the mask.
    """
    smooth = [ndimage.gaussian_filter(i, 1.0 / spacing_mm) for i in (baseline, followup)]
    bright = [float(np.percentile(s[mask], 90)) if mask.any() else 0.0 for s in smooth]
    if min(bright) <= 0:
        raise ValueError("a visit has no signal inside the intracranial mask")
    scaled = [np.maximum(s / b, 1e-3) for s, b in zip(smooth, bright, strict=True)]
    mean = np.sqrt(scaled[0] * scaled[1])
    weight = (mask & (mean > _DARKEST)) * _flatness(np.where(mask, mean, 0), spacing_mm)
    log_ratio = np.log(scaled[1] / scaled[0])
    field = np.full(mask.shape, np.average(log_ratio, weights=weight), np.float32)
    sigma = _FIELD_MM / spacing_mm
    for _ in range(_ROUNDS):
        left = log_ratio - field
        spread = 1.4826 * np.median(np.abs(left[weight > 0.3])) + 1e-4
        robust = (weight / (1 + (left / (2 * spread)) ** 2)).astype(np.float32)
        field += smooth_widely(robust * left, sigma) / (smooth_widely(robust, sigma) + 1e-4)
    half = np.exp(field / 2)
    gains = [half / bright[0], 1 / (half * bright[1])]
    matched = [baseline * gains[0], followup * gains[1]]
    average = (matched[0] + matched[1]) / 2
    white = float(np.median(average[(weight > 0.3) & (mean > 0.8)]))
    difference = ((matched[1] - matched[0]) / white)[mask]
    return MatchedVisits(
        (gains[0] / white).astype(np.float32),
        (gains[1] / white).astype(np.float32),
        float(1.4826 * np.median(np.abs(difference))),
        float(100 * field[mask].std()),
    )


def even_out(
    baseline: NDArray[Any], followup: NDArray[Any], pure: NDArray[Any], spacing_mm: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Factors (X, Y, Z) for registered visits that take out the shading that `match_visits` has left.

    Once the visits are registered, a voxel of one tissue alone has no border whose shift could show in it, so what
    differs there is shading, on a finer scale than could be trusted before.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) float32
        Registered intensities on one scale, white matter = 1.
    pure : (X, Y, Z) bool
        Voxels of a single tissue.
    spacing_mm : float
    """
    mean = (baseline + followup) / 2
    log_ratio = np.clip((followup - baseline) / np.maximum(mean, _DARKEST), -_LARGEST_RATIO, _LARGEST_RATIO)
    sigma = _FINE_FIELD_MM / spacing_mm
    weight = pure.astype(np.float32)
    smooth = smooth_widely(weight, sigma)
    half = smooth_widely(weight * log_ratio, sigma) / (smooth + _FINE_FIELD_FLOOR) / 2
    return np.exp(half).astype(np.float32), np.exp(-half).astype(np.float32)
