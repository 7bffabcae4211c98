"""Two visits in midway space as registration sees them, and the flow between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from graytrace.algorithms.deformation import Halves
from graytrace.algorithms.distance import distance_to
from graytrace.algorithms.intensity import Contrast, match_visits
from graytrace.algorithms.midway import MidwayAlignment
from graytrace.algorithms.multigrid import solve_membrane
from graytrace.algorithms.resampling import resample
from graytrace.algorithms.slopes import normal_equations
from graytrace.algorithms.splines import sample_spline, spline_coefficients
from graytrace.algorithms.visits import VisitTissue, midway_grid
from graytrace.arrays import Affine, Fractions, Image, Mask, ScalarField, VectorField

TISSUES = ("gm", "wm", "subcortical_gm")
# "by hand" here: set while the method was written, on simulated pairs, with no comparison on record; where another
# value was tried, docs/validation.md tells what it moved
_MEMBRANE_WEIGHT = 10.0  # by hand: the sum of Jacobian and residual part hardly depends on it
_OUTLIER_SDS = 3.5  # by hand; six times of it moved the error by 0.05 points at most (validation, V06)
_BEYOND_VOXELS = 3  # slopes at the edge of the data need neighbors, and flows carry up to a voxel or two
_DATA_REACH_MM = 4.0  # beyond the intracranial mask: the inner skull anchors the field
_FEWEST_VOXELS = 1000  # of overlap: far less than any brain (a ml at 1 mm), so it only catches visits that do not meet
_LEAST_NOISE = 1e-3  # of white matter: scans without noise (phantoms) must not divide by zero


@dataclass(frozen=True)
class Scene:
    """Everything on the midway grid that the iterations share.

    Parameters
    ----------
    coefficients : two (A, B, C) float32
        Splines of both visits' images.
    fractions : mapping
        Splines of both visits' tissues, by the names of `TISSUES`.
    to_voxel : two (4, 4) float
        Midway grid to voxels of each visit.
    gains : two (X, Y, Z) float32
        Factors that bring white matter to 1.
    seen, inside, where : (X, Y, Z) bool
        What both visits see; what of it lies in the skull; where the data count, and a little beyond, because nothing
        is computed elsewhere.
    weight : (X, Y, Z) float32
        One where the data count.
    noise_sd : float
        Of the visits' difference, of white matter.
    spacing : float
        Edge of a voxel, mm.
    contrast : Contrast or None
        As found after gains; None: both visits have the same.
    """

    coefficients: tuple[ScalarField, ScalarField]
    fractions: Mapping[str, tuple[ScalarField, ScalarField]]
    to_voxel: tuple[Affine, Affine]
    gains: tuple[ScalarField, ScalarField]
    seen: Mask
    inside: Mask
    weight: ScalarField
    where: Mask
    noise_sd: float
    spacing: float
    contrast: Contrast | None = None

    @property
    def slice_blur_mm(self) -> tuple[float, float, float]:
        """Standard deviation along each axis of what voxels longer than the grid's average over."""
        variances = []
        for matrix in self.to_voxel:
            axes = np.linalg.inv(matrix[:3, :3]) * self.spacing  # columns: edges of a voxel in midway mm
            longer = np.maximum((axes**2).sum(0) - self.spacing**2, 0) / (axes**2).sum(0)
            variances.append((axes**2 * longer).sum(1) / 12)  # of a box
        x, y, z = np.sqrt(np.mean(variances, axis=0))
        return float(x), float(y), float(z)

    def showing(self, images: tuple[Image, Image]) -> Scene:
        """The same scene with other images.

        Parameters
        ----------
        images : two (A, B, C) float
            Of baseline and follow-up, each on its own grid.

        Returns
        -------
        Scene
        """
        return replace(self, coefficients=(spline_coefficients(images[0]), spline_coefficients(images[1])))

    def halves(self, velocity: VectorField) -> Halves:
        """The flow of a velocity from midway space to both visits.

        Parameters
        ----------
        velocity : (3, X, Y, Z) float32
            Voxels of the grid.

        Returns
        -------
        Halves
        """
        return Halves.of(velocity, self.where)

    def common(self, name: str, halves: Halves) -> Fractions:
        """A fraction of both visits in midway space: the mean of the two, each carried by its half of the flow.

        Parameters
        ----------
        name : str
            Of `TISSUES`.
        halves : Halves
            The flow.

        Returns
        -------
        (X, Y, Z) float32 ndarray
            In [0, 1].
        """
        baseline, followup = self.own(name, halves)
        return np.asarray((baseline + followup) / 2 * self.seen)

    def own(self, name: str, halves: Halves) -> tuple[Fractions, Fractions]:
        """A fraction of each visit in midway space, carried by its half of the flow.

        Parameters
        ----------
        name : str
            Of `TISSUES`.
        halves : Halves
            The flow.

        Returns
        -------
        baseline, followup : (X, Y, Z) float32 ndarrays
            In [0, 1].
        """
        baseline, followup = halves.see(self.fractions[name], self.to_voxel, self.where)
        return np.clip(baseline, 0, 1), np.clip(followup, 0, 1)  # a spline overshoots

    def registered(self, halves: Halves) -> tuple[Image, Image]:
        """Both visits, each warped by its half of the flow.

        Parameters
        ----------
        halves : Halves
            The flow.

        Returns
        -------
        baseline, followup : (X, Y, Z) float32 ndarrays
            White matter = 1.
        """
        seen = halves.see(self.coefficients, self.to_voxel, self.where)
        baseline, followup = seen[0] * self.gains[0], seen[1] * self.gains[1]
        if self.contrast is None:
            return baseline, followup
        return (
            self.contrast.even_out(baseline, self.contrast.baseline),
            self.contrast.even_out(followup, self.contrast.followup),
        )

    def robust(self, residual: ScalarField) -> ScalarField:
        """Weight of each voxel's difference: what registration can't explain counts less.

        Noise keeps its full weight: a weight that falls from zero on takes a sixth of every real shift with it.

        Parameters
        ----------
        residual : (X, Y, Z) float32
            Difference of the registered visits, of white matter.

        Returns
        -------
        (X, Y, Z) float32 ndarray
            In [0, 1].
        """
        limit = np.float32(_OUTLIER_SDS * self.noise_sd)
        return np.asarray(self.weight * (limit / np.maximum(np.abs(residual), limit)) ** 2)


@dataclass(frozen=True)
class Opening:
    """A scene before anything was registered, and what was seen on the way.

    Parameters
    ----------
    scene : Scene
    halves : Halves
        No flow.
    grid_to_ras : (4, 4) float
        Grid indices to midway mm.
    plain : two (X, Y, Z) float32
        Both visits on the grid, as they are.
    near : (X, Y, Z) bool
        Within 4 mm of the skull's inside.
    field_percent : float
        Spread of the differential bias field that was removed.
    """

    scene: Scene
    halves: Halves
    grid_to_ras: Affine
    plain: tuple[Image, Image]
    near: Mask
    field_percent: float

    def of(self, scene: Scene) -> Opening:
        """The same opening with other images.

        Parameters
        ----------
        scene : Scene
            On the same grid.

        Returns
        -------
        Opening
        """
        baseline, followup = (
            sample_spline(c, m, self.halves.velocity) for c, m in zip(scene.coefficients, scene.to_voxel, strict=True)
        )
        return replace(self, scene=scene, plain=(baseline, followup))


def open_scene(visits: tuple[VisitTissue, VisitTissue], alignment: MidwayAlignment) -> Opening:
    """Bring two visits to midway space, on one scale of intensity.

    Parameters
    ----------
    visits : two VisitTissue
        Baseline and follow-up.
    alignment : MidwayAlignment
        RAS mm of each visit to midway mm.

    Returns
    -------
    Opening

    Raises
    ------
    ValueError
        A visit has no signal in its intracranial mask, or the two do not overlap.
    """
    grid_to_ras, shape = midway_grid(visits, alignment)
    spacing = float(grid_to_ras[0, 0])
    to_ras = [
        to_midway @ visit.voxel_to_ras
        for to_midway, visit in zip((alignment.baseline_to_midway, alignment.followup_to_midway), visits, strict=True)
    ]
    to_voxel = (np.linalg.inv(to_ras[0]) @ grid_to_ras, np.linalg.inv(to_ras[1]) @ grid_to_ras)
    masks = [resample(v.intracranial_mask, m, shape) for v, m in zip(visits, to_voxel, strict=True)]
    intracranial = masks[0] + masks[1] > 1
    seen = _seen(visits[0], to_voxel[0], shape) & _seen(visits[1], to_voxel[1], shape)
    inside = intracranial & seen
    if np.count_nonzero(inside) < _FEWEST_VOXELS:
        raise ValueError("the two visits hardly overlap in midway space")
    coefficients = (spline_coefficients(visits[0].image), spline_coefficients(visits[1].image))
    still = np.zeros((3, *shape), np.float32)
    plain = [sample_spline(c, m, still) for c, m in zip(coefficients, to_voxel, strict=True)]
    matched = match_visits(plain[0], plain[1], inside, spacing)
    where_mm = _DATA_REACH_MM + _BEYOND_VOXELS * spacing
    outside_mm = distance_to(intracranial, np.full(3, spacing), where_mm)
    near = outside_mm < _DATA_REACH_MM
    scene = Scene(
        coefficients,
        {
            name: (spline_coefficients(getattr(visits[0], name)), spline_coefficients(getattr(visits[1], name)))
            for name in TISSUES
        },
        to_voxel,
        (matched.baseline_gain, matched.followup_gain),
        seen,
        inside,
        weight=(near & seen).astype(np.float32),
        where=outside_mm < where_mm,
        noise_sd=max(matched.noise_sd, _LEAST_NOISE),
        spacing=spacing,
    )
    return Opening(scene, Halves(still, still, still), grid_to_ras, (plain[0], plain[1]), near, matched.field_percent)


def _seen(visit: VisitTissue, to_voxel: Affine, shape: tuple[int, int, int]) -> Mask:
    """Where a visit's field of view covers the grid, short of its last voxel."""
    seen = np.zeros(visit.image.shape, np.float32)
    seen[1:-1, 1:-1, 1:-1] = 1
    return resample(seen, to_voxel, shape) > 0.99  # one, but for rounding: all eight neighbors are seen


def register(scene: Scene, halves: Halves, iterations: int) -> Halves:
    """Improve the flow from baseline to follow-up by Gauss-Newton steps.

    Parameters
    ----------
    scene : Scene
    halves : Halves
        The flow so far.
    iterations : int

    Returns
    -------
    Halves
    """
    for _ in range(iterations):
        baseline, followup = scene.registered(halves)
        weight = scene.robust(followup - baseline) / np.float32(scene.noise_sd**2)
        h, b = normal_equations(baseline, followup, weight, halves.velocity, _MEMBRANE_WEIGHT)
        del baseline, followup, weight  # the solver needs the room
        halves = scene.halves(halves.velocity + solve_membrane(h, b, _MEMBRANE_WEIGHT))
    return halves
