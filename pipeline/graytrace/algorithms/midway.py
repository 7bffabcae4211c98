"""Midway space: where two visits of one patient meet half-way, neither favored.

Both visits are carried to the middle of the affine transform between them, each by half of it, so that both see the
same interpolation and swapping them swaps nothing but names.  What the scanner's gradients did differently, scale
along three axes and shear, is estimated from bone (`skull`); position is then estimated from the brain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from graytrace.algorithms.distance import distance_to
from graytrace.algorithms.grids import cubic_affine, voxel_sizes_mm
from graytrace.algorithms.resampling import resample
from graytrace.algorithms.robust import SD_OF_MAD
from graytrace.algorithms.skull import AXIS_SCALES, BONE_MM, SkullFit, fit_skull, shows_skull
from graytrace.algorithms.smoothing import gaussian
from graytrace.arrays import Affine, Image, Mask, Matrix, ScalarField, Vector

# "by hand" here: set while the method was written, on simulated pairs, with no comparison of values on record
_LEVELS_MM = (8.0, 4.0, 2.0)  # by hand: each half of the one before, the last twice a usual voxel
_BRAIN_MM = 3.0  # by hand: the weight of position reaches as far beyond the mask, over the fluid around the brain
_SHELL_MM = (3.0, 20.0)  # skull and scalp: how well the heads as a whole meet
_AROUND_MM = (1.0, 10.0)  # where a head that is not skull-stripped has marrow, fat or scalp
_BRIGHT_PERCENTILE, _BRIGHTEST = 90, 2.0  # white matter of what lies in the skull; fat beyond twice of it has no edge
_NORMALIZATION_MM = 12.0  # by hand: wider than a gyrus and narrower than coil shading
_LEAST_SPREAD, _STEEPEST = 0.1, 3.0  # by hand: of the strong local spreads, so that air's noise stays noise; in spreads
_START_DEGREES = 14.0  # by hand: a head is rarely turned by more than 20 degrees, and a start finds what is near
_START_ITERATIONS = 8  # by hand: to rank the starts
_MAX_ITERATIONS = 25  # by hand: a limit, convergence ends before it as a rule
_CONVERGED_MM = 2e-4  # by hand: a ten-thousandth of the finest grid
_HEAD_MM = 80.0  # half a head: the arm by which a turn moves its rim
_RADIUS_MM = 105.0  # half the side of the grid: heads are about 200 mm long
_FEWEST_VOXELS = 200  # by hand: that both visits see; below it six unknowns are noise
_OUTLIER_SDS = 2.0  # by hand: a residual that counts half (Cauchy weights)
_GRID_BLUR, _VOXEL_BLUR = 0.6, 0.4  # by hand: sigma for a spacing, against aliasing; what a voxel has averaged already
_RIGID, _ALL = 6, 12  # of the parameters of `affine_matrix`
_HALF = 0.5  # where a mask that was resampled ends


@dataclass(frozen=True)
class Visit:
    """What alignment needs of one visit; arrays on the scan's own grid.

    Parameters
    ----------
    image : (X, Y, Z) float
        T1w intensities, any unit.
    voxel_to_ras : (4, 4) float
        Voxel indices to RAS mm.
    intracranial_mask : (X, Y, Z) bool
        What lies in the skull.
    """

    image: Image
    voxel_to_ras: Affine
    intracranial_mask: Mask


@dataclass(frozen=True)
class MidwayAlignment:
    """Half-way transforms, and how well the visits meet there.

    Parameters
    ----------
    baseline_to_midway, followup_to_midway : (4, 4) ndarray
        RAS mm of a visit to midway mm.
    scale : float
        Length of the follow-up skull over that of the baseline skull, 1 without scanner drift: mean of `axis_scales`.
    correlation, shell_correlation : float
        Of locally normalized intensities in the brain and in skull and scalp, -1 to 1.
    scale_se : float
        Standard error of `scale`.
    axis_scales : 3 floats
        Along x, y and z.
    has_skull : bool
        Without a skull all scales are one.
    """

    baseline_to_midway: Affine
    followup_to_midway: Affine
    scale: float
    correlation: float
    shell_correlation: float
    scale_se: float = 0.0
    axis_scales: tuple[float, float, float] = (1.0, 1.0, 1.0)
    has_skull: bool = True


def normalize_locally(image: Image, sigma_voxels: Vector) -> ScalarField:
    """Subtract the local mean and divide by the local standard deviation: gain and bias fields drop out.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit.
    sigma_voxels : (3,) ndarray
        Standard deviation of the Gaussian that is "local", along each axis, voxels.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In local standard deviations, within -3 to 3.
    """
    image = np.asarray(image, dtype=np.float32)
    mean = gaussian(image, sigma_voxels, truncate=3)
    spread = np.sqrt(np.maximum(gaussian((image - mean) ** 2, sigma_voxels, truncate=3), 0))
    floor = _LEAST_SPREAD * np.percentile(spread, 95) + 1e-6
    return np.asarray(np.clip((image - mean) / (spread + floor), -_STEEPEST, _STEEPEST))


def affine_matrix(parameters: Vector, center: Vector) -> Affine:
    """(4, 4) matrix exp of an affine generator about `center` (3,).

    Parameters
    ----------
    parameters : (12,) ndarray
        3 rotations (rad), 3 translations (mm), log scales along x, y, z, shears xy, xz, yz.
    center : (3,) ndarray
        mm.

    Returns
    -------
    (4, 4) ndarray
        mm to mm; halved parameters give the matrix's square root.
    """
    rx, ry, rz, tx, ty, tz, sx, sy, sz, hxy, hxz, hyz = parameters
    generator = np.array(
        [[sx, hxy - rz, hxz + ry, tx], [hxy + rz, sy, hyz - rx, ty], [hxz - ry, hyz + rx, sz, tz], [0, 0, 0, 0]]
    )
    shift = np.eye(4)
    shift[:3, 3] = center
    back = np.eye(4)
    back[:3, 3] = -np.asarray(center)
    return np.asarray(shift @ linalg.expm(generator) @ back)


@dataclass(frozen=True)
class _Level:
    grid_to_ras: Affine
    shape: tuple[int, int, int]
    images: tuple[ScalarField, ScalarField]  # intensities, locally normalized or plain
    weights: tuple[ScalarField, ScalarField]  # of each visit's voxels, in [0, 1]
    affines: tuple[Affine, Affine]

    def to_voxels(self, parameters: Vector, center: Vector) -> list[Affine]:
        """Midway grid to the voxels of each visit, (4, 4), for a transform from baseline to follow-up."""
        half = affine_matrix(0.5 * parameters, center)
        to_visit = (np.linalg.inv(half), half)  # midway to baseline, midway to follow-up
        return [np.linalg.inv(a) @ t @ self.grid_to_ras for a, t in zip(self.affines, to_visit, strict=True)]

    def pull(self, parameters: Vector, center: Vector) -> list[ScalarField]:
        """Both images, then both weights, on the midway grid."""
        matrices = self.to_voxels(parameters, center)
        return [
            resample(volume, matrix, self.shape)
            for volumes in (self.images, self.weights)
            for volume, matrix in zip(volumes, matrices, strict=True)
        ]

    def coordinates(self, center: Vector) -> list[ScalarField]:
        """Coordinates x, y, z about `center`, mm, that broadcast to the grid."""
        axes = [self.grid_to_ras[i, 3] + self.grid_to_ras[i, i] * np.arange(n) for i, n in enumerate(self.shape)]
        return list(np.meshgrid(*(a - c for a, c in zip(axes, center, strict=True)), indexing="ij", sparse=True))

    def gradient(self, image: Image) -> list[ScalarField]:
        """Slopes of an image on the grid, per mm."""
        return list(np.gradient(image, *(float(self.grid_to_ras[i, i]) for i in range(3))))


def _design(level: _Level, gradient: list[ScalarField], center: Vector, count: int) -> Matrix:
    """(count, N) change of intensity for each of the first parameters of `affine_matrix`: gradient times generator."""
    x, y, z = level.coordinates(center)
    gx, gy, gz = gradient
    rows = [gz * y - gy * z, gx * z - gz * x, gy * x - gx * y, gx, gy, gz]
    if count > len(rows):
        rows += [gx * x, gy * y, gz * z, gx * y + gy * x, gx * z + gz * x, gy * z + gz * y]
    return np.stack([r.ravel() for r in rows])


def _refine(level: _Level, parameters: Vector, center: Vector, iterations: int) -> Vector:
    """Position by Gauss-Newton on the robust difference of both visits in midway space; the rest stays."""
    parameters = parameters.copy()
    for _ in range(iterations):
        baseline, followup, w1, w2 = level.pull(parameters, center)
        weight = np.sqrt(np.maximum(w1 * w2, 0)).ravel()
        inside = weight > 0.01  # what weighs less costs time and tells nothing
        if np.count_nonzero(inside) < _FEWEST_VOXELS:
            return parameters
        rows = _design(level, level.gradient((baseline + followup) / 2), center, _RIGID)[:, inside]
        residual = (followup - baseline).ravel()[inside]
        spread = SD_OF_MAD * np.median(np.abs(residual)) + 1e-6  # not zero for equal images
        robust = weight[inside] / (1 + (residual / (_OUTLIER_SDS * spread)) ** 2)
        hessian = (rows * robust) @ rows.T
        # 1e-9: solvable where an image has no slope, too small to move a step
        step = -np.linalg.solve(hessian + 1e-9 * np.trace(hessian) * np.eye(len(hessian)), (rows * robust) @ residual)
        parameters[:_RIGID] += step
        if np.abs(step[3:6]).max() + _HEAD_MM * np.abs(step[:3]).max() < _CONVERGED_MM:
            break
    return parameters


def _correlation(level: _Level, parameters: Vector, center: Vector) -> float:
    baseline, followup, w1, w2 = level.pull(parameters, center)
    weight = np.maximum(w1 * w2, 0)
    total = weight.sum()
    if total < 1:
        return -1.0
    a = baseline - (weight * baseline).sum() / total
    b = followup - (weight * followup).sum() / total
    power = (weight * a * a).sum() * (weight * b * b).sum()
    return float((weight * a * b).sum() / np.sqrt(power + 1e-12))  # images without structure: 0


def _center_of_mass(mask: Mask, voxel_to_ras: Affine) -> Vector:
    middle = np.argwhere(mask).mean(0)
    return np.asarray(voxel_to_ras[:3, :3] @ middle + voxel_to_ras[:3, 3])


class _Pair:
    """Both visits prepared once for all levels: locally normalized, with brain and shell weights."""

    def __init__(self, baseline: Visit, followup: Visit) -> None:
        self.visits = (baseline, followup)
        self.voxel_mm = [voxel_sizes_mm(v.voxel_to_ras) for v in self.visits]
        self.images, self.plain = [], []
        self.brains, self.shells, self.bones, self.surroundings = [], [], [], []
        for visit, voxel_mm in zip(self.visits, self.voxel_mm, strict=True):
            self.images.append(normalize_locally(visit.image, _NORMALIZATION_MM / voxel_mm))
            bright = float(np.percentile(visit.image[visit.intracranial_mask], _BRIGHT_PERCENTILE))
            self.plain.append(np.clip(visit.image / max(bright, 1e-6), 0, _BRIGHTEST).astype(np.float32))
            distance = distance_to(visit.intracranial_mask, voxel_mm, _SHELL_MM[1])
            self.brains.append((distance < _BRAIN_MM).astype(np.float32))
            shell = (distance > _SHELL_MM[0]) & (distance < _SHELL_MM[1])
            self.shells.append(shell.astype(np.float32))
            around = (distance > _AROUND_MM[0]) & (distance < _AROUND_MM[1])
            self.surroundings.append(around.astype(np.float32))
            bone = (distance > BONE_MM[0]) & (distance < BONE_MM[1])
            self.bones.append(bone.astype(np.float32))
        centers = [_center_of_mass(v.intracranial_mask, v.voxel_to_ras) for v in self.visits]
        self.center = (centers[0] + centers[1]) / 2
        self.shift = centers[1] - centers[0]

    def level(
        self, spacing_mm: float, weights: list[ScalarField], *, plain: bool = False, radius_mm: float = _RADIUS_MM
    ) -> _Level:
        """Both visits smoothed for a midway grid of `spacing_mm` around the head; `plain`: not locally normalized."""
        side = int(2 * radius_mm / spacing_mm) + 1
        grid_to_ras = cubic_affine(spacing_mm, self.center - spacing_mm * (side - 1) / 2)
        images = []
        for image, voxel_mm in zip(self.plain if plain else self.images, self.voxel_mm, strict=True):
            sigma_mm = np.sqrt(np.maximum((_GRID_BLUR * spacing_mm) ** 2 - (_VOXEL_BLUR * voxel_mm) ** 2, 0))
            images.append(gaussian(image, sigma_mm / voxel_mm))
        affines = (self.visits[0].voxel_to_ras, self.visits[1].voxel_to_ras)
        return _Level(grid_to_ras, (side, side, side), (images[0], images[1]), (weights[0], weights[1]), affines)


def _coarse_start(level: _Level, pair: _Pair) -> Vector:
    """Best of several starts; a patient is rarely turned by more than 20 degrees between visits."""
    best: Vector = np.zeros(_ALL)
    best_correlation = -2.0  # below any correlation
    turns = [np.zeros(3)] + [s * np.deg2rad(_START_DEGREES) * axis for axis in np.eye(3) for s in (1, -1)]
    for turn in turns:
        start = np.concatenate([turn, pair.shift, np.zeros(_ALL - _RIGID)])
        start = _refine(level, start, pair.center, _START_ITERATIONS)
        correlation = _correlation(level, start, pair.center)
        if correlation > best_correlation + 1e-3:  # of equals the first, which is turned least
            best, best_correlation = start, correlation
    return best


def _bone_geometry(pair: _Pair, parameters: Vector) -> SkullFit | None:
    """What the scanner did differently, from bone; None where the visits show no skull."""
    level = pair.level(_LEVELS_MM[-1], pair.bones, plain=True)
    baseline, followup, w1, w2 = level.pull(parameters, pair.center)
    bone = (w1 > _HALF) & (w2 > _HALF)
    matrices = level.to_voxels(parameters, pair.center)
    around = [resample(s, m, level.shape) > _HALF for s, m in zip(pair.surroundings, matrices, strict=True)]
    if not shows_skull((baseline, followup), around[0] & around[1]):
        return None
    x, y, z = (np.broadcast_to(c, level.shape)[bone] for c in level.coordinates(pair.center))

    def pull(found: Vector) -> tuple[Image, Image]:
        images = level.pull(found, pair.center)
        return images[0], images[1]

    def design(mean: Image) -> Matrix:
        return _design(level, level.gradient(mean), pair.center, _ALL)

    return fit_skull(pull, design, bone, np.stack([x, y, z]), parameters)


def align_visits(baseline: Visit, followup: Visit, *, estimate_scale: bool = True) -> MidwayAlignment:
    """Find the affine transform between two visits and its two halves.

    Parameters
    ----------
    baseline, followup : Visit
        T1w intensities of any gain and bias with masks, on any grid.
    estimate_scale : bool
        Estimate what the scanner's gradients did differently from the skull; without, all scales are one.

    Returns
    -------
    MidwayAlignment
        RAS mm of either visit to midway mm, inverse to each other.

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
        parameters = _refine(brain, parameters, pair.center, _MAX_ITERATIONS)
    fit = _bone_geometry(pair, parameters) if estimate_scale else None
    if fit is not None:
        parameters[_RIGID:] = fit.parameters[_RIGID:]
        parameters = _refine(brain, parameters, pair.center, _MAX_ITERATIONS)
    shell = _Level(brain.grid_to_ras, brain.shape, brain.images, (pair.shells[0], pair.shells[1]), brain.affines)
    half = affine_matrix(0.5 * parameters, pair.center)
    axes = np.exp(parameters[AXIS_SCALES])
    return MidwayAlignment(
        baseline_to_midway=half,
        followup_to_midway=np.linalg.inv(half),
        scale=float(np.exp(parameters[AXIS_SCALES].mean())),
        correlation=_correlation(brain, parameters, pair.center),
        shell_correlation=_correlation(shell, parameters, pair.center),
        scale_se=0.0 if fit is None else fit.scale_se,
        axis_scales=(float(axes[0]), float(axes[1]), float(axes[2])),
        has_skull=fit is not None,
    )
