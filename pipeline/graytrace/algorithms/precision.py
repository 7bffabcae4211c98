"""How far a measured change can be trusted: its error as a budget of independent parts, and an interval.

Each part is taken from the pair itself; how much of it turns into error was calibrated on simulated pairs with the
faults of real scanners drawn at random (docs/validation.md).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np

from graytrace.statistics.intervals import HALF_INTERVAL_SES

# Shares of what is measured on the pair, fitted to simulated pairs by benchmarks/calibrate.py (docs/validation.md)
POINTS_PER_PERCENT_LENGTH = 3.0  # a volume grows with the cube of a length
_UNKNOWN_SCALE_PERCENT = 0.12  # standard deviation of scanners' drift, where no skull tells it; by hand
_LEAST_MOVEMENT_POINTS = 0.25  # that is left where a head moved, whatever its correction did
_LEAST_SCALE_PERCENT = 0.025  # of gradients' non-linearity: what the skull was off by on drawn pairs, root mean square


@dataclass(frozen=True)
class Shares:
    """How much of each piece of evidence turns into error of a tissue's change.

    Parameters
    ----------
    movement, sharpness, shading : float
        Of what the correction did.
    model : float
        Of the change, for each square millimeter of the longest edge of a voxel: slices of 3 mm lose a quarter of it.
    agreement : float
        Of the gap to the plain difference.
    texture : float
        Points for each millimeter of the longest edge of a voxel.
    """

    movement: float
    sharpness: float
    shading: float
    model: float
    agreement: float
    texture: float


SHARES = {
    "gm": Shares(movement=0.09, sharpness=0.13, shading=0.11, model=0.024, agreement=0.095, texture=0.035),
    "cortical_gm": Shares(movement=0.09, sharpness=0.125, shading=0.11, model=0.03, agreement=0.075, texture=0.04),
    "deep_gm": Shares(movement=0.1, sharpness=0.16, shading=0.13, model=0.1, agreement=0.045, texture=0.2),
    "wm": Shares(movement=0.1, sharpness=0.12, shading=0.1, model=0.042, agreement=0.07, texture=0.08),
    "brain": Shares(movement=0.1, sharpness=0.12, shading=0.12, model=0.026, agreement=0.055, texture=0.04),
}


@dataclass(frozen=True)
class Evidence:
    """What a pair itself tells of the error of one tissue's change.

    Parameters
    ----------
    change_percent : float
        As measured, percent of baseline.
    noise_points : float
        Standard error by noise alone, percentage points.
    block_points : float
        Standard error by what blocks of the brain say differently, percentage points.
    scale_se_percent : float or None
        Standard error of the scanner's length scale, percent; None where it could not be corrected.
    movement_points, sharpness_points, shading_points : float
        What each correction did to the change, percentage points.
    contrast_points : float
        What a contrast other by its standard error would do to the change, percentage points.
    difference_percent : float
        Plain difference of the two segmentations, percent of baseline.
    longest_voxel_mm : float
        Longest edge of a voxel of either scan.
    """

    change_percent: float
    noise_points: float
    block_points: float
    scale_se_percent: float | None
    movement_points: float
    sharpness_points: float
    shading_points: float
    contrast_points: float
    difference_percent: float
    longest_voxel_mm: float

    @property
    def has_moved(self) -> bool:
        """Whether lines that were taken elsewhere had to be corrected."""
        return self.movement_points != 0


EVIDENCE_POINTS = tuple(field.name for field in fields(Evidence) if field.name.endswith("_points"))


@dataclass(frozen=True)
class ErrorBudget:
    """Standard errors of the parts, percentage points.

    `noise` of both scans; `blocks`, what parts of the brain say differently; `geometry` that the skull leaves open;
    `movement`, `sharpness` and `shading`, shares of what their corrections did; `contrast` that cortex and deep nuclei
    leave open; `model`, loss that registration and boundary shift see only in part; `agreement`, a share of the gap to
    the plain difference of the two segmentations; `texture`, what signal varies by itself, more where slices are thick.
    """

    noise: float
    blocks: float
    geometry: float
    movement: float
    sharpness: float
    shading: float
    contrast: float
    model: float
    agreement: float
    texture: float

    @property
    def se(self) -> float:
        """Standard error of the whole, percentage points."""
        return float(np.sqrt(sum(part**2 for part in asdict(self).values())))


def budget_error(evidence: Evidence, shares: Shares) -> ErrorBudget:
    """Budget of the error of a change.

    Parameters
    ----------
    evidence : Evidence
        Of the pair.
    shares : Shares
        Of the tissue, from `SHARES`.

    Returns
    -------
    ErrorBudget
        Standard errors, percentage points.

    Examples
    --------
    >>> sure, unsure = (
    ...     budget_error(
    ...         Evidence(
    ...             change_percent=-1.0, noise_points=0.01, block_points=0.05, scale_se_percent=scale,
    ...             movement_points=0.0, sharpness_points=0.0, shading_points=0.0, contrast_points=0.0,
    ...             difference_percent=-1.0, longest_voxel_mm=1.0,
    ...         ),
    ...         SHARES["gm"],
    ...     ).se
    ...     for scale in (0.005, None)
    ... )
    >>> sure < unsure / 2
    True
    """
    e = evidence
    scale = _UNKNOWN_SCALE_PERCENT if e.scale_se_percent is None else max(e.scale_se_percent, _LEAST_SCALE_PERCENT)
    thickness = max(e.longest_voxel_mm, 1.0)
    return ErrorBudget(
        noise=e.noise_points,
        blocks=e.block_points if np.isfinite(e.block_points) else 0.0,  # a brain of one block tells nothing
        geometry=POINTS_PER_PERCENT_LENGTH * scale,
        movement=float(np.hypot(shares.movement * e.movement_points, _LEAST_MOVEMENT_POINTS)) if e.has_moved else 0.0,
        sharpness=shares.sharpness * abs(e.sharpness_points),
        shading=shares.shading * abs(e.shading_points),
        contrast=abs(e.contrast_points),
        model=shares.model * thickness**2 * abs(e.change_percent),
        agreement=shares.agreement * abs(e.change_percent - e.difference_percent),
        texture=shares.texture * thickness,
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
