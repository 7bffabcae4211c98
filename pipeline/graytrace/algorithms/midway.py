"""Midway space: where two visits of one patient meet half-way, neither favoured.

Both visits are carried to the middle of the similarity transform between them, each by half of it, so that both see
the same interpolation and swapping them swaps nothing but names.  The scale between the visits is read off what does
not shrink, the skull and scalp around the intracranial space; position is then read off the brain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, ndimage

from graytrace.algorithms.distance import distance_to
from graytrace.algorithms.resampling import resample

_LEVELS_MM = (8.0, 4.0, 2.0)
_SHELL_MM = (3.0, 20.0)  # skull and scalp, clear of the dura and of what the intracranial mask gets wrong
_NORMALIZATION_MM = 12.0
_START_DEGREES = 14.0
_MAX_ITERATIONS = 25
_CONVERGED_MM = 2e-4


@dataclass(frozen=True)
class Visit:
    """What alignment and change need of one visit; arrays (X, Y, Z) on the scan's own grid."""

    image: NDArray[Any]
    voxel_to_ras: NDArray[Any]
    intracranial_mask: NDArray[Any]


@dataclass(frozen=True)
class MidwayAlignment:
    """Half-way transforms in RAS mm, and how well the visits meet there.

    `scale` is the length of the follow-up head over that of the baseline head (1 without scanner drift);
    `correlation` and `shell_correlation` are of locally normalized intensities in brain and skull shell.
    """

    baseline_to_midway: NDArray[Any]
    followup_to_midway: NDArray[Any]
    scale: float
    correlation: float
    shell_correlation: float


def normalize_locally(image: NDArray[Any], sigma_voxels: NDArray[Any]) -> NDArray[Any]:
    """Subtract the local mean and divide by the local standard deviation: gain and bias fields drop out."""
    image = np.asarray(image, dtype=np.float32)
    mean = ndimage.gaussian_filter(image, sigma_voxels, truncate=3)
    spread = np.sqrt(np.maximum(ndimage.gaussian_filter((image - mean) ** 2, sigma_voxels, truncate=3), 0))
    floor = 0.1 * np.percentile(spread, 95) + 1e-6
    return np.asarray(np.clip((image - mean) / (spread + floor), -3, 3))


def similarity_matrix(parameters: NDArray[Any], centre: NDArray[Any]) -> NDArray[Any]:
    """(4, 4) matrix exp of 3 rotations (rad), 3 translations (mm) and log scale about `centre` (3,)."""
    rx, ry, rz, tx, ty, tz, s = parameters
    generator = np.array([[s, -rz, ry, tx], [rz, s, -rx, ty], [-ry, rx, s, tz], [0, 0, 0, 0]])
    shift = np.eye(4)
    shift[:3, 3] = centre
    back = np.eye(4)
    back[:3, 3] = -np.asarray(centre)
    return np.asarray(shift @ linalg.expm(generator) @ back)


@dataclass(frozen=True)
class _Level:
    grid_to_ras: NDArray[Any]
    shape: tuple[int, int, int]
    images: tuple[NDArray[Any], NDArray[Any]]
    weights: tuple[NDArray[Any], NDArray[Any]]
    affines: tuple[NDArray[Any], NDArray[Any]]

    def pull(self, parameters: NDArray[Any], centre: NDArray[Any]) -> list[NDArray[Any]]:
        """Both images, then both weights, on the midway grid for a transform from baseline to follow-up."""
        half = similarity_matrix(0.5 * parameters, centre)
        to_visit = (np.linalg.inv(half), half)  # midway to baseline, midway to follow-up
        found = []
        for volumes in (self.images, self.weights):
            for volume, affine, transform in zip(volumes, self.affines, to_visit, strict=True):
                matrix = np.linalg.inv(affine) @ transform @ self.grid_to_ras
                found.append(resample(volume, matrix, self.shape))
        return found


def _design(level: _Level, gradient: list[NDArray[Any]], centre: NDArray[Any]) -> NDArray[Any]:
    """(7, N) change of intensity for each parameter: gradient times generator."""
    axes = [level.grid_to_ras[i, 3] + level.grid_to_ras[i, i] * np.arange(n) for i, n in enumerate(level.shape)]
    x, y, z = np.meshgrid(*(a - c for a, c in zip(axes, centre, strict=True)), indexing="ij", sparse=True)
    gx, gy, gz = gradient
    rows = (gz * y - gy * z, gx * z - gz * x, gy * x - gx * y, gx, gy, gz, gx * x + gy * y + gz * z)
    return np.stack([r.ravel() for r in rows])


def _refine(
    level: _Level, parameters: NDArray[Any], centre: NDArray[Any], free: NDArray[Any], iterations: int
) -> NDArray[Any]:
    """Gauss-Newton on the robust difference of both visits in midway space."""
    parameters = parameters.copy()
    for _ in range(iterations):
        baseline, followup, w1, w2 = level.pull(parameters, centre)
        weight = np.sqrt(np.maximum(w1 * w2, 0)).ravel()
        inside = weight > 0.01
        if np.count_nonzero(inside) < 200:
            return parameters
        spacing = [float(level.grid_to_ras[i, i]) for i in range(3)]
        gradient = np.gradient((baseline + followup) / 2, *spacing)
        rows = _design(level, gradient, centre)[:, inside][free]
        residual = (followup - baseline).ravel()[inside]
        spread = 1.4826 * np.median(np.abs(residual)) + 1e-6
        robust = weight[inside] / (1 + (residual / (2 * spread)) ** 2)
        hessian = (rows * robust) @ rows.T
        step = -np.linalg.solve(hessian + 1e-9 * np.trace(hessian) * np.eye(len(hessian)), (rows * robust) @ residual)
        parameters[free] += step
        full = np.zeros(7)
        full[free] = step
        if np.abs(full[3:6]).max() + 80 * np.abs(full[[0, 1, 2, 6]]).max() < _CONVERGED_MM:
            break
    return parameters


def _correlation(level: _Level, parameters: NDArray[Any], centre: NDArray[Any]) -> float:
    baseline, followup, w1, w2 = level.pull(parameters, centre)
    weight = np.maximum(w1 * w2, 0)
    total = weight.sum()
    if total < 1:
        return -1.0
    a = baseline - (weight * baseline).sum() / total
    b = followup - (weight * followup).sum() / total
    power = (weight * a * a).sum() * (weight * b * b).sum()
    return float((weight * a * b).sum() / np.sqrt(power + 1e-12))


def _centre_of_mass(mask: NDArray[Any], voxel_to_ras: NDArray[Any]) -> NDArray[Any]:
    middle = np.argwhere(mask).mean(0)
    return np.asarray(voxel_to_ras[:3, :3] @ middle + voxel_to_ras[:3, 3])


class _Pair:
    """Both visits prepared once for all levels: locally normalized, with brain and shell weights."""

    def __init__(self, baseline: Visit, followup: Visit) -> None:
        self.visits = (baseline, followup)
        self.voxel_mm = [np.linalg.norm(v.voxel_to_ras[:3, :3], axis=0) for v in self.visits]
        self.images, self.brains, self.shells = [], [], []
        for visit, voxel_mm in zip(self.visits, self.voxel_mm, strict=True):
            self.images.append(normalize_locally(visit.image, _NORMALIZATION_MM / voxel_mm))
            distance = distance_to(visit.intracranial_mask, voxel_mm)
            self.brains.append((distance < 3.0).astype(np.float32))
            shell = (distance > _SHELL_MM[0]) & (distance < _SHELL_MM[1])
            self.shells.append(shell.astype(np.float32))
        centres = [_centre_of_mass(v.intracranial_mask, v.voxel_to_ras) for v in self.visits]
        self.centre = (centres[0] + centres[1]) / 2
        self.shift = centres[1] - centres[0]

    def level(self, spacing_mm: float, weights: list[NDArray[Any]], radius_mm: float = 105.0) -> _Level:
        """Both visits smoothed for a midway grid of `spacing_mm` around the head."""
        side = int(2 * radius_mm / spacing_mm) + 1
        grid_to_ras = np.diag([spacing_mm] * 3 + [1.0])
        grid_to_ras[:3, 3] = self.centre - spacing_mm * (side - 1) / 2
        images = []
        for image, voxel_mm in zip(self.images, self.voxel_mm, strict=True):
            sigma_mm = np.sqrt(np.maximum((0.6 * spacing_mm) ** 2 - (0.4 * voxel_mm) ** 2, 0))
            images.append(ndimage.gaussian_filter(image, sigma_mm / voxel_mm))
        affines = (self.visits[0].voxel_to_ras, self.visits[1].voxel_to_ras)
        return _Level(grid_to_ras, (side, side, side), (images[0], images[1]), (weights[0], weights[1]), affines)


_RIGID = np.array([True] * 6 + [False])
_SIMILARITY = np.array([True] * 7)


def _coarse_start(level: _Level, pair: _Pair) -> NDArray[Any]:
    """Best of several starts; a patient is rarely turned by more than 20 degrees between visits."""
    best, best_correlation = np.zeros(7), -2.0
    turns = [np.zeros(3)] + [s * np.deg2rad(_START_DEGREES) * axis for axis in np.eye(3) for s in (1, -1)]
    for turn in turns:
        start = np.concatenate([turn, pair.shift, [0.0]])
        start = _refine(level, start, pair.centre, _RIGID, 8)
        correlation = _correlation(level, start, pair.centre)
        if correlation > best_correlation + 1e-3:
            best, best_correlation = start, correlation
    return best


def align_visits(baseline: Visit, followup: Visit, *, estimate_scale: bool = True) -> MidwayAlignment:
    """Find the similarity transform between two visits and its two halves.

    Parameters
    ----------
    baseline, followup : Visit
        T1w intensities of any gain and bias with masks, on any grid.
    estimate_scale : bool
        Read the scanner's scale change off the skull; without, the scale is one.

    Raises
    ------
    ValueError
        An intracranial mask is empty.
    """
    for name, visit in (("baseline", baseline), ("follow-up", followup)):
        if not np.any(visit.intracranial_mask):
            raise ValueError(f"the intracranial mask of the {name} visit is empty")
    pair = _Pair(baseline, followup)
    parameters = _coarse_start(pair.level(_LEVELS_MM[0], pair.brains), pair)
    for spacing_mm in _LEVELS_MM[1:]:
        brain = pair.level(spacing_mm, pair.brains)
        parameters = _refine(brain, parameters, pair.centre, _RIGID, _MAX_ITERATIONS)
    shell = _Level(brain.grid_to_ras, brain.shape, brain.images, (pair.shells[0], pair.shells[1]), brain.affines)
    if estimate_scale:
        with_scale = _refine(shell, parameters, pair.centre, _SIMILARITY, _MAX_ITERATIONS)
        parameters[6] = with_scale[6]
        parameters = _refine(brain, parameters, pair.centre, _RIGID, _MAX_ITERATIONS)
    half = similarity_matrix(0.5 * parameters, pair.centre)
    return MidwayAlignment(
        baseline_to_midway=half,
        followup_to_midway=np.linalg.inv(half),
        scale=float(np.exp(parameters[6])),
        correlation=_correlation(brain, parameters, pair.centre),
        shell_correlation=_correlation(shell, parameters, pair.centre),
    )
