"""Where the atlas of structures lies in a head: registered on tissues, so that neither contrast nor scanner matters.

Gauss-Newton steps on the squared difference of tissue fractions, first of an affine transform, then of a stationary
velocity whose flow is the deformation (Ashburner 2007, https://doi.org/10.1016/j.neuroimage.2007.07.007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graytrace.algorithms.deformation import exponential
from graytrace.algorithms.grids import voxel_sizes_mm, voxel_volume_mm3
from graytrace.algorithms.multigrid import prolong, restrict, solve_membrane
from graytrace.algorithms.slopes import normal_equations
from graytrace.algorithms.smoothing import gaussian
from graytrace.algorithms.splines import sample_spline
from graytrace.arrays import Affine, Fractions, ScalarField, VectorField

# chosen on heads of which each was left out of the atlas (docs/validation.md)
_MEMBRANE = 0.02  # weight against squared differences of fractions
COARSE, FINE = 12, 6  # iterations on twice the atlas' voxels and on its own
_AFFINE = 12  # iterations; the last moves a head by less than a tenth of a millimeter
_GRID_BLUR, _VOXEL_BLUR = 0.5, 0.3  # sigma of what a voxel of the grid wants, and of what a scan's voxel has, edges
_SQUARED = 8  # parts of a velocity whose flow is taken three doublings long: together six doublings
_STEP_VOXELS = 2.0  # by hand: a single step longer than this is no small step
_LEAST_ML = 100.0  # by hand: of all tissues; less is no head
_ENOUGH = 1e-3  # of the atlas' tissue: voxels with less have no part in the affine transform

Channels = Sequence[Fractions]


@dataclass(frozen=True)
class AtlasFit:
    """The way from the atlas' grid to a scan.

    Parameters
    ----------
    atlas_to_ras : (4, 4) ndarray
        Indices of the atlas' grid to RAS mm of the scan, before the deformation.
    velocity : (3, X, Y, Z) float32
        Of the flow on the atlas' grid, voxels.
    """

    atlas_to_ras: Affine
    velocity: VectorField

    @property
    def to_scan(self) -> VectorField:
        """(3, X, Y, Z) displacement of the atlas' voxels to where the scan shows them, voxels of the atlas."""
        return _flow(self.velocity)

    @property
    def from_scan(self) -> VectorField:
        """(3, X, Y, Z) displacement the other way."""
        return _flow(-self.velocity)


def _flow(velocity: VectorField) -> VectorField:
    """Displacement of the unit-time flow, finer in time than `exponential`: heads differ by many voxels."""
    return exponential(_SQUARED * exponential(velocity / _SQUARED))


@dataclass(frozen=True)
class _Level:
    """One resolution: the atlas' channels and the scan's, smoothed for it."""

    atlas: tuple[ScalarField, ...]
    scan: tuple[ScalarField, ...]
    weights: tuple[float, ...]
    ras_to_voxel: Affine
    certain: ScalarField

    def pull(self, grid_to_ras: Affine, displacement: VectorField) -> list[ScalarField]:
        """The scan's channels on the atlas' grid."""
        # smooth channels are their own coefficients: a B-spline of samples is one more narrow smoothing
        return [sample_spline(c, self.ras_to_voxel @ grid_to_ras, displacement) for c in self.scan]


def _halve(channel: ScalarField) -> ScalarField:
    return np.asarray(restrict(channel[None])[0])


def _coarser(grid_to_ras: Affine) -> Affine:
    """The affine of a grid whose voxels are 2 x 2 x 2 blocks."""
    block = np.diag([2.0, 2, 2, 1])
    block[:3, 3] = 0.5
    return np.asarray(grid_to_ras @ block)


def _smooth(channels: Channels, voxel_to_ras: Affine, spacing_mm: float) -> tuple[ScalarField, ...]:
    voxel_mm = voxel_sizes_mm(voxel_to_ras)
    sigma_mm = np.sqrt(np.maximum((_GRID_BLUR * spacing_mm) ** 2 - (_VOXEL_BLUR * voxel_mm) ** 2, 0))
    return tuple(gaussian(c, sigma_mm / voxel_mm) for c in channels)


def _moments(channels: Channels, to_mm: Affine) -> tuple[ScalarField, float]:
    """Center of mass (3,) of all channels together in mm, and the edge of a cube of their volume."""
    total = np.sum(np.stack(list(channels)), axis=0)
    profiles = [total.sum(tuple(a for a in range(3) if a != axis), dtype=np.float64) for axis in range(3)]
    volume = float(profiles[0].sum())
    center = np.array([(p * np.arange(p.size)).sum() / max(volume, 1e-9) for p in profiles])
    edge = (volume * voxel_volume_mm3(to_mm)) ** (1 / 3)
    return np.asarray(to_mm[:3, :3] @ center + to_mm[:3, 3]), edge


def _start(atlas: Channels, grid_to_mm: Affine, scan: Channels, voxel_to_ras: Affine) -> Affine:
    """Atlas to scan by center and volume: patients lie on their backs, so no turn."""
    (here, edge), (there, other) = _moments(atlas, grid_to_mm), _moments(scan, voxel_to_ras)
    if other**3 < 1000 * _LEAST_ML:
        raise ValueError(f"there are only {other**3 / 1000:.3g} ml of brain and fluid")
    move = np.diag([other / edge] * 3 + [1.0])
    move[:3, 3] = there - move[:3, :3] @ here
    return np.asarray(move @ grid_to_mm)


def _fit_affine(level: _Level, grid_to_ras: Affine, iterations: int) -> Affine:
    """Gauss-Newton steps of an affine transform of the grid."""
    shape = level.atlas[0].shape
    still = np.zeros((3, *shape), np.float32)
    near = np.asarray(np.sum(np.stack(level.atlas), axis=0)) > _ENOUGH
    middle = (np.array(shape) - 1) / 2
    points = np.argwhere(near).T - middle[:, None]
    ones = np.concatenate([points, np.ones((1, points.shape[1]))]).astype(np.float32)
    to_middle, from_middle = np.eye(4), np.eye(4)
    to_middle[:3, 3], from_middle[:3, 3] = middle, -middle
    for _ in range(iterations):
        normal, right = np.zeros((12, 12)), np.zeros(12)
        for weight, scan, atlas in zip(level.weights, level.pull(grid_to_ras, still), level.atlas, strict=True):
            slopes = np.asarray(np.gradient((scan + atlas) / 2))[:, near]
            design = (slopes[:, None] * ones[None]).reshape(12, -1)
            normal += weight * (design @ design.T)
            right -= weight * (design @ (scan - atlas)[near])
        step = np.linalg.solve(normal + 1e-6 * np.trace(normal) / 12 * np.eye(12), right).reshape(3, 4)
        grid_to_ras = grid_to_ras @ to_middle @ (np.eye(4) + np.vstack([step, np.zeros(4)])) @ from_middle
    return np.asarray(grid_to_ras)


def _fit_flow(
    level: _Level, grid_to_ras: Affine, velocity: VectorField, iterations: int, membrane: float
) -> VectorField:
    """Gauss-Newton steps of the velocity."""
    for _ in range(iterations):
        scans = level.pull(grid_to_ras, _flow(velocity))
        systems = [
            # the membrane pulls once, whatever the number of channels
            normal_equations(atlas, scan, weight * level.certain, velocity, membrane if number == 0 else 0.0)
            for number, (weight, scan, atlas) in enumerate(zip(level.weights, scans, level.atlas, strict=True))
        ]
        h, b = (np.sum(parts, axis=0) for parts in zip(*systems, strict=True))
        step = solve_membrane(h, b, membrane)
        velocity = velocity + np.clip(step, -_STEP_VOXELS, _STEP_VOXELS)
    return velocity


def fit_atlas(
    atlas: Channels,
    grid_to_mm: Affine,
    scan: Channels,
    voxel_to_ras: Affine,
    *,
    weights: Sequence[float],
    certain: ScalarField | None = None,
    iterations: tuple[int, int] = (COARSE, FINE),
    membrane: float = _MEMBRANE,
) -> AtlasFit:
    """Register the atlas to a scan.

    Parameters
    ----------
    atlas : C arrays (X, Y, Z)
        Fractions of tissues on the atlas' grid, of even sides, in [0, 1].
    grid_to_mm : (4, 4) ndarray
        Its indices to mm, axes as in RAS.
    scan : C arrays (A, B, C)
        Fractions of the same tissues in the scan.
    voxel_to_ras : (4, 4) ndarray
        Its indices to RAS mm.
    weights : C floats
        Of each channel.
    certain : (X, Y, Z) array-like, optional
        How much each voxel of the atlas counts for the deformation, 0 to 1; without it all count.
    iterations : two ints
        On twice the atlas' voxels and on its own.
    membrane : float
        Weight of the velocity's roughness.

    Returns
    -------
    AtlasFit

    Raises
    ------
    ValueError
        The scan's fractions are empty.
    """
    fine_mm = float(voxel_sizes_mm(grid_to_mm)[0])
    ras_to_voxel = np.linalg.inv(voxel_to_ras)
    fine_atlas = tuple(np.asarray(c, np.float32) for c in atlas)
    coarse_atlas = tuple(_halve(c) for c in fine_atlas)
    sure = np.ones(fine_atlas[0].shape, np.float32) if certain is None else np.asarray(certain, np.float32)
    smooth = _smooth(scan, voxel_to_ras, 2 * fine_mm)
    coarse = _Level(coarse_atlas, smooth, tuple(weights), ras_to_voxel, _halve(sure))
    start = _start(atlas, grid_to_mm, scan, voxel_to_ras)
    atlas_to_ras = _fit_affine(coarse, _coarser(start), _AFFINE)
    velocity = np.zeros((3, *coarse_atlas[0].shape), np.float32)
    velocity = _fit_flow(coarse, atlas_to_ras, velocity, iterations[0], membrane)
    atlas_to_ras = atlas_to_ras @ np.linalg.inv(_coarser(np.eye(4)))
    velocity = 2 * prolong(velocity, fine_atlas[0].shape)  # a shift of a coarse voxel is one of two fine voxels
    fine = _Level(fine_atlas, _smooth(scan, voxel_to_ras, fine_mm), tuple(weights), ras_to_voxel, sure)
    return AtlasFit(atlas_to_ras, _fit_flow(fine, atlas_to_ras, velocity, iterations[1], membrane))
