"""How far a measured change can be trusted: its error as a budget of independent parts, and an interval.

Each part is taken from the pair itself; how much of it turns into error was calibrated on twelve simulated pairs with
the faults of real scanners, on heads that the tissue network never saw (docs/validation.md).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

# The shares below were chosen on simulated pairs of docs/validation.md, which therefore prove little of their coverage.
POINTS_PER_PERCENT_LENGTH = 3.0  # a volume grows with the cube of a length
_UNKNOWN_SCALE_PERCENT = 0.12  # standard deviation of scanners' drift, where no skull tells it; by hand
_LEAST_SCALE_PERCENT = 0.01  # by hand; the simulated pairs without a fault of the skull were within 0.006
_SHARPNESS_SHARE = 0.15  # of what the correction did: what it may have done too much or too little
_MODEL_SHARE_PER_MM = 0.06  # recession is read up to 9 % too small at 1 mm, smooth loss up to 7 % too large
_GAP_SHARE = 0.2  # of the gap to the plain difference of the two segmentations
_TEXTURE_POINTS_PER_MM = 0.08  # what is left where nothing changed; grows with the slices since the pair of 4.8 mm
HALF_INTERVAL_SES = 1.96  # half of a 95 % interval, in standard errors: normal quantile of 0.975


@dataclass(frozen=True)
class ErrorBudget:
    """Standard errors of the parts, percentage points.

    `noise` of both scans; `geometry` that the skull leaves open; `sharpness`, a share of what its correction did;
    `model`, loss that registration and boundary shift see only in part; `agreement`, a share of the gap to the plain
    difference of the two segmentations; `texture`, what signal
    varies by itself, more where slices are thick.
    """

    noise: float
    geometry: float
    sharpness: float
    model: float
    agreement: float
    texture: float

    @property
    def se(self) -> float:
        """Standard error of the whole, percentage points."""
        return float(np.sqrt(sum(part**2 for part in asdict(self).values())))


def budget_error(
    change_percent: float,
    *,
    noise_points: float,
    scale_se_percent: float | None,
    sharpness_effect_points: float,
    difference_percent: float,
    longest_voxel_mm: float,
) -> ErrorBudget:
    """Budget of the error of a change of gray matter.

    Parameters
    ----------
    change_percent : float
        As measured, percent of baseline.
    noise_points : float
        Standard error by noise alone, percentage points.
    scale_se_percent : float or None
        Standard error of the scanner's length scale, percent; None where it could not be corrected.
    sharpness_effect_points : float
        What the correction of sharpness did to the change, percentage points.
    difference_percent : float
        Plain difference of the two segmentations, percent of baseline.
    longest_voxel_mm : float
        Longest edge of a voxel of either scan; below 1 mm it counts as 1 mm.

    Returns
    -------
    ErrorBudget
        Standard errors, percentage points.

    Examples
    --------
    >>> sure, unsure = (
    ...     budget_error(-1.0, noise_points=0.01, scale_se_percent=scale, sharpness_effect_points=0.0,
    ...                  difference_percent=-1.0, longest_voxel_mm=1.0).se
    ...     for scale in (0.005, None)
    ... )
    >>> round(sure, 2), round(unsure, 2)
    (0.1, 0.37)
    """
    scale = _UNKNOWN_SCALE_PERCENT if scale_se_percent is None else max(scale_se_percent, _LEAST_SCALE_PERCENT)
    thickness = max(longest_voxel_mm, 1.0)
    return ErrorBudget(
        noise=noise_points,
        geometry=POINTS_PER_PERCENT_LENGTH * scale,
        sharpness=_SHARPNESS_SHARE * abs(sharpness_effect_points),
        model=_MODEL_SHARE_PER_MM * thickness * abs(change_percent),
        agreement=_GAP_SHARE * abs(change_percent - difference_percent),
        texture=_TEXTURE_POINTS_PER_MM * thickness,
    )


def interval(change_percent: float, se_points: float) -> tuple[float, float]:
    """95 % interval of a change: 1.96 times its standard error on either side.

    Parameters
    ----------
    change_percent : float
        As measured, percent of baseline.
    se_points : float
        Its standard error, percentage points.

    Returns
    -------
    low, high : float
        Percent of baseline.
    """
    half = HALF_INTERVAL_SES * se_points
    return change_percent - half, change_percent + half
