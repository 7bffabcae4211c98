"""How much gray matter was lost between two visits, measured directly in midway space.

For any deformation that carries midway space to the visits, the volume of a tissue at visit t is the integral of its
fraction, pulled to midway space, times the Jacobian determinant J_t.  With a fraction f common to both visits,

    change of volume = integral of f (J_followup - J_baseline) + residual term.

The first part is Jacobian integration; regularization makes it too small, because thin sulci widen on a finer scale
than a smooth field can follow.  The residual term puts back what the field has left in the images: the difference r
of the registered visits moves a border along the image gradient g by -r g / |g|^2, which changes the tissue by
r (grad f . g) / (|g|^2 + a^2), a boundary-shift integral (https://doi.org/10.1109/42.640753) of what is left.  So
white matter and deep nuclei are read; gray matter by both of its surfaces at once (`border_shift`).
The sum hardly depends on the weight of the regularization (docs/validation.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from graytrace.algorithms.border_shift import fit_border_shifts
from graytrace.algorithms.deformation import Halves, jacobian_determinant, sample_spline, spline_coefficients
from graytrace.algorithms.distance import distance_to
from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.algorithms.intensity import (
    Contrast,
    MatchedVisits,
    compare_contrast,
    even_out,
    match_visits,
)
from graytrace.algorithms.midway import MidwayAlignment
from graytrace.algorithms.multigrid import solve_membrane
from graytrace.algorithms.precision import ErrorBudget, budget_error
from graytrace.algorithms.resampling import resample
from graytrace.algorithms.sharpness import estimate_sharpness_difference, match_sharpness
from graytrace.algorithms.visits import VisitTissue, midway_grid
from graytrace.algorithms.volumes import tissue_volume_ml
from graytrace.arrays import Affine, Fractions, Image, Mask, ScalarField, Vector, VectorField

_TISSUES = ("gm", "wm", "subcortical_gm")
# "by hand" here: set while the method was written, on simulated pairs, with no comparison on record; where another
# value was tried, docs/validation.md tells what it moved
_MEMBRANE_WEIGHT = 10.0  # by hand: the sum of Jacobian and residual part hardly depends on it
_ITERATIONS = 2  # twice as many moved the error on thick slices by 0.05 points at most (validation, V06)
_SHARPNESS_ROUNDS = 2  # registration takes a part of a difference for shifts: so both in turn
_LAST_ITERATIONS = 1  # after the shading that was left has been taken out
_PURE = 0.95  # by hand: a voxel of a single tissue, with room for the error of its fraction
_CONTRAST_ROUNDS = 2  # by hand; registration takes a part of a difference for shifts here, too
_SHADING_ROUNDS = 2  # one leaves a third of it
_NEAR_MM, _NEAR = 1.0, 0.05  # smoothed share of a tissue: below it none is near, of fluid not even a hidden sulcus
_OUTLIER_SDS = 3.5  # by hand; six times of it moved the error by 0.05 points at most (validation, V06)
_GRADIENT_FLOOR_SDS = 0.5  # by hand; two fifths of it moved the error by 0.05 points at most (validation, V06)
_BEYOND_VOXELS = 3  # slopes at the edge of the data need neighbors, and flows carry up to a voxel or two
_DATA_REACH_MM = 4.0  # beyond the intracranial mask: the inner skull anchors the field
_FEWEST_VOXELS = 1000  # of overlap: far less than any brain (a ml at 1 mm), so it only catches visits that do not meet
_LEAST_NOISE = 1e-3  # of white matter: scans without noise (phantoms) must not divide by zero
_LEAST_JACOBIAN = 1e-3  # a folded voxel has no logarithm


@dataclass(frozen=True)
class MidwayImages:
    """Both visits in midway space, and what changed between them.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) float32
        White matter = 1, zero where a visit sees nothing.
    gm, brain : (X, Y, Z) float in [0, 1]
        Fractions common to both visits; `brain` is gray and white matter.
    log_jacobian : (X, Y, Z) float32
        Logarithm of local volume at follow-up over baseline, zero beyond 4 mm outside the skull's inside.
    grid_to_ras : (4, 4) float
        Grid indices to midway mm.
    """

    baseline: Image
    followup: Image
    gm: Fractions
    brain: Fractions
    log_jacobian: ScalarField
    grid_to_ras: Affine


@dataclass(frozen=True)
class ChangeMeasure:
    """Changes in percent of baseline, with the parts they are made of and what tells of their quality.

    `gm_jacobian_percent` is Jacobian integration alone; `noise_sd` the spread of the difference of both visits in
    units of white matter before, `residual_sd` after registration.  `sharpness_difference_mm2` is the variance of the
    follow-up's point spread less that of the baseline's along x, y, z, corrected; `sharpness_effect_points` is what
    the correction did to `gm_change_percent`.  `error` is the budget of
    the error of `gm_change_percent`.
    """

    gm_change_percent: float
    error: ErrorBudget
    cortical_gm_change_percent: float
    subcortical_gm_change_percent: float
    wm_change_percent: float
    brain_change_percent: float
    gm_jacobian_percent: float
    noise_sd: float
    residual_sd: float
    differential_bias_percent: float
    covered_percent: float
    sharpness_difference_mm2: tuple[float, float, float]
    sharpness_effect_points: float
    images: MidwayImages


@dataclass(frozen=True)
class _Scene:
    """Everything on the midway grid that the iterations share."""

    coefficients: tuple[ScalarField, ScalarField]  # splines of both visits' images
    fractions: Mapping[str, tuple[ScalarField, ScalarField]]  # splines of both visits' tissues
    to_voxel: tuple[Affine, Affine]  # midway grid to voxels of each visit
    gains: tuple[ScalarField, ScalarField]
    seen: Mask
    weight: ScalarField
    where: Mask  # where the data count, and a little beyond: elsewhere nothing is computed
    noise_sd: float
    spacing: float
    contrast: Contrast | None = None  # as found after gains; None: both visits have the same

    def halves(self, velocity: VectorField) -> Halves:
        """The flow of a velocity from midway space to both visits."""
        return Halves.of(velocity, self.where)

    def common(self, name: str, halves: Halves) -> Fractions:
        """A fraction of both visits in midway space: the mean of the two, each carried by its half of the flow."""
        warps = (halves.to_baseline, halves.to_followup)
        pulled = [
            np.clip(sample_spline(c, m, u, self.where), 0, 1)  # a spline overshoots
            for c, m, u in zip(self.fractions[name], self.to_voxel, warps, strict=True)
        ]
        return np.asarray((pulled[0] + pulled[1]) / 2 * self.seen)

    def registered(self, halves: Halves) -> tuple[Image, Image]:
        """Both visits, each warped by its half of the flow."""
        baseline = sample_spline(self.coefficients[0], self.to_voxel[0], halves.to_baseline, self.where)
        followup = sample_spline(self.coefficients[1], self.to_voxel[1], halves.to_followup, self.where)
        baseline, followup = baseline * self.gains[0], followup * self.gains[1]
        if self.contrast is None:
            return baseline, followup
        return (
            self.contrast.even_out(baseline, self.contrast.baseline),
            self.contrast.even_out(followup, self.contrast.followup),
        )

    def robust(self, residual: ScalarField) -> ScalarField:
        """Weight of each voxel's difference: what registration can't explain counts less.

        Noise keeps its full weight: a weight that falls from zero on takes a sixth of every real shift with it.
        """
        limit = np.float32(_OUTLIER_SDS * self.noise_sd)
        return np.asarray(self.weight * (limit / np.maximum(np.abs(residual), limit)) ** 2)


def _seen(visit: VisitTissue, to_voxel: Affine, shape: tuple[int, int, int]) -> Mask:
    """Where a visit's field of view covers the grid, short of its last voxel."""
    seen = np.zeros(visit.image.shape, np.float32)
    seen[1:-1, 1:-1, 1:-1] = 1
    return resample(seen, to_voxel, shape) > 0.99  # one, but for rounding: all eight neighbors are seen


def _register(scene: _Scene, halves: Halves, iterations: int) -> Halves:
    """Flow from baseline to follow-up, improved by Gauss-Newton steps."""
    for _ in range(iterations):
        velocity = halves.velocity
        baseline, followup = scene.registered(halves)
        residual = followup - baseline
        g = np.asarray(np.gradient((baseline + followup) / 2)).astype(np.float32)
        weight = scene.robust(residual) / scene.noise_sd**2
        h = np.stack([weight * g[a] * g[b] for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]).astype(
            np.float32
        )
        # minus the gradient of the energy: data, and the membrane's pull on what is there already
        laplacian = np.stack([ndimage.laplace(component, mode="nearest") for component in velocity])
        b = (-(weight * residual) * g + _MEMBRANE_WEIGHT * laplacian).astype(np.float32)
        halves = scene.halves(velocity + solve_membrane(h, b, _MEMBRANE_WEIGHT))
    return halves


def _pure_voxels(scene: _Scene, inside: Mask, halves: Halves) -> tuple[Mask, Mask, Mask]:
    """Voxels of fluid, gray and white matter alone, gray matter and fluid far from each other.

    Near fluid gray matter that seems pure darkens as cortex is lost, because sulci too narrow to be seen open in it.
    Taken for another contrast or for shading, that would hide a seventh of the loss.
    """
    gm, wm = (scene.common(name, halves) * inside for name in ("gm", "wm"))
    fluid = np.where(inside, 1 - gm - wm, 0)
    near_fluid, near_gm = (ndimage.gaussian_filter(f, _NEAR_MM / scene.spacing) > _NEAR for f in (fluid, gm))
    return (fluid > _PURE) & ~near_gm, (gm > _PURE) & ~near_fluid, wm > _PURE


def _even_contrast(scene: _Scene, inside: Mask, halves: Halves) -> _Scene:
    """Scene with the contrast of both visits alike."""
    fluid, gm, wm = _pure_voxels(scene, inside, halves)
    contrast = compare_contrast(*replace(scene, contrast=None).registered(halves), (fluid, gm, wm), scene.spacing)
    return replace(scene, contrast=contrast)


def _even_sharpness(
    scene: _Scene, visits: tuple[VisitTissue, VisitTissue], inside: Mask, halves: Halves
) -> tuple[_Scene, Halves, Vector]:
    """Scene and flow with both visits equally sharp, and the variance (3,), mm^2, that follow-up had more of."""
    variance = np.zeros(3)
    to_midway = tuple(np.linalg.inv(m) for m in scene.to_voxel)
    even = scene
    for _ in range(_SHARPNESS_ROUNDS):
        gm, wm = (even.common(name, halves) for name in ("gm", "wm"))
        variance = variance + estimate_sharpness_difference(*even.registered(halves), gm, wm, inside)
        images = match_sharpness(visits[0].image, visits[1].image, variance, (to_midway[0], to_midway[1]))
        even = replace(scene, coefficients=(spline_coefficients(images[0]), spline_coefficients(images[1])))
        halves = _register(even, halves, 1)
    return even, halves, variance * scene.spacing**2


def _even_shading(scene: _Scene, inside: Mask, halves: Halves) -> _Scene:
    """Scene without the shading that pure voxels still show."""
    _, gm, wm = _pure_voxels(scene, inside, halves)
    images = scene.registered(halves)
    gains = scene.gains
    for _ in range(_SHADING_ROUNDS):
        factors = even_out(images[0], images[1], gm | wm, scene.spacing)
        images = (images[0] * factors[0], images[1] * factors[1])
        gains = (gains[0] * factors[0], gains[1] * factors[1])
    return replace(scene, gains=gains)


def _plain_difference_percent(visits: tuple[VisitTissue, VisitTissue]) -> float:
    """Change of gray matter by the two segmentations alone."""
    before, after = (tissue_volume_ml(visit.gm, visit.voxel_to_ras) for visit in visits)
    return 100 * (after / max(before, 1e-6) - 1)  # of an empty fraction: no error, a gap that says it


@dataclass(frozen=True)
class _Flow:
    """What the registration says: volumes of a voxel at both visits and the shift that it left undone."""

    jacobian_baseline: ScalarField
    jacobian_followup: ScalarField
    residual: ScalarField  # (X, Y, Z): r
    lever: VectorField  # (3, X, Y, Z): g / (|g|^2 + a^2), the shift for a residual of one

    def _shift(self, fraction: Fractions) -> ScalarField:
        """(X, Y, Z) what a residual of one does to a tissue: grad f . g / (|g|^2 + a^2)."""
        return np.asarray(sum(s * k for s, k in zip(np.gradient(fraction), self.lever, strict=True)))

    def noise_se_points(self, fraction: Fractions, residual_sd: float) -> float:
        """Standard error of the residual part of `change_percent` that noise of `residual_sd` makes."""
        before = float((fraction * self.jacobian_baseline).sum(dtype=np.float64))
        spread = float(np.sqrt((self._shift(fraction) ** 2).sum(dtype=np.float64)))
        return 100 * residual_sd * spread / max(before, 1.0)

    def undone(self, fraction: Fractions) -> float:
        """What the residual changes of a tissue, voxels, by each voxel's own gradient."""
        return float((self._shift(fraction) * self.residual).sum(dtype=np.float64))

    def change_percent(self, fraction: Fractions, undone: float) -> float:
        """Change of the volume of a tissue whose midway fraction is given, percent of baseline."""
        before = float((fraction * self.jacobian_baseline).sum(dtype=np.float64))
        after = float((fraction * self.jacobian_followup).sum(dtype=np.float64))
        if before < 1 or after < 1:  # voxel: no such tissue
            return float("nan")
        return 100 * ((after + undone / 2) / (before - undone / 2) - 1)


def _flow(scene: _Scene, halves: Halves, inside: Mask) -> tuple[_Flow, float]:
    baseline, followup = scene.registered(halves)
    residual = followup - baseline
    g = np.asarray(np.gradient((baseline + followup) / 2)).astype(np.float32)
    floor = (_GRADIENT_FLOOR_SDS * scene.noise_sd) ** 2
    lever = inside * scene.robust(residual) * g / ((g * g).sum(0) + floor)
    jacobians = [jacobian_determinant(u) for u in (halves.to_baseline, halves.to_followup)]
    return _Flow(jacobians[0], jacobians[1], residual, lever), float(residual[inside].std())


def _gray_undone(scene: _Scene, flow: _Flow, gm: Fractions, wm: Fractions, inside: Mask) -> float:
    """What the residual changes of gray matter, voxels: by its two surfaces, where the tissues' signals are known."""
    if scene.contrast is None:
        return flow.undone(gm)
    fluid = np.where(inside, np.clip(1 - gm - wm, 0, 1), 0)
    signals = (scene.contrast.baseline + scene.contrast.followup) / 2
    shifts = fit_border_shifts(
        flow.residual,
        scene.robust(flow.residual),
        (fluid, gm, wm),
        (float(signals[0]), float(signals[1]), float(signals[2])),
        inside,
        scene.spacing,
    )
    return shifts.gray


def measure_change(baseline: VisitTissue, followup: VisitTissue, alignment: MidwayAlignment) -> ChangeMeasure:
    """Measure the change of gray matter, white matter and brain between two visits.

    Parameters
    ----------
    baseline, followup : VisitTissue
        (X, Y, Z) arrays, each on its own grid.
    alignment : MidwayAlignment
        RAS mm of each visit to midway mm, from `midway.align_visits`; a scanner's scale change is in it and so is not
        counted as change.

    Returns
    -------
    ChangeMeasure
        Percent of baseline; swapping the visits inverts the ratio of the volumes.

    Raises
    ------
    ValueError
        A visit has no signal in its intracranial mask, or the two do not overlap.
    """
    visits = (baseline, followup)
    grid_to_ras, shape = midway_grid(visits, alignment)
    spacing = float(grid_to_ras[0, 0])
    to_ras = (
        alignment.baseline_to_midway @ baseline.voxel_to_ras,
        alignment.followup_to_midway @ followup.voxel_to_ras,
    )
    to_voxel = (np.linalg.inv(to_ras[0]) @ grid_to_ras, np.linalg.inv(to_ras[1]) @ grid_to_ras)
    masks = [resample(v.intracranial_mask, m, shape) for v, m in zip(visits, to_voxel, strict=True)]
    intracranial = masks[0] + masks[1] > 1
    seen = _seen(baseline, to_voxel[0], shape) & _seen(followup, to_voxel[1], shape)
    inside = intracranial & seen
    if np.count_nonzero(inside) < _FEWEST_VOXELS:
        raise ValueError("the two visits hardly overlap in midway space")
    coefficients = (spline_coefficients(baseline.image), spline_coefficients(followup.image))
    still = np.zeros((3, *shape), np.float32)
    plain = [sample_spline(c, m, still) for c, m in zip(coefficients, to_voxel, strict=True)]
    matched: MatchedVisits = match_visits(plain[0], plain[1], inside, spacing)
    outside_mm = distance_to(intracranial, np.full(3, spacing))
    near = outside_mm < _DATA_REACH_MM
    gains = (matched.baseline_gain, matched.followup_gain)
    weight = (near & seen).astype(np.float32)
    where = outside_mm < _DATA_REACH_MM + _BEYOND_VOXELS * spacing
    fractions = {
        name: (spline_coefficients(getattr(baseline, name)), spline_coefficients(getattr(followup, name)))
        for name in _TISSUES
    }
    scene = _Scene(
        coefficients, fractions, to_voxel, gains, seen, weight, where, max(matched.noise_sd, _LEAST_NOISE), spacing
    )
    halves = _register(scene, Halves(still, still, still), _ITERATIONS)
    for _ in range(_CONTRAST_ROUNDS):
        scene = _even_contrast(scene, inside, halves)
        halves = _register(scene, halves, 1)
    as_taken = scene.coefficients
    scene, halves, variance_mm2 = _even_sharpness(scene, visits, inside, halves)
    scene = _even_contrast(_even_shading(scene, inside, halves), inside, halves)
    halves = _register(scene, halves, _LAST_ITERATIONS)
    flow, residual_sd = _flow(scene, halves, inside)
    gm, wm, deep = (scene.common(name, halves) for name in _TISSUES)
    gray = resample(baseline.gm, to_voxel[0], shape)
    gm_undone, wm_undone, deep_undone = _gray_undone(scene, flow, gm, wm, inside), flow.undone(wm), flow.undone(deep)
    gm_change = flow.change_percent(gm, gm_undone)
    unsharp = replace(scene, coefficients=as_taken)
    unsharp_undone = _gray_undone(unsharp, _flow(unsharp, halves, inside)[0], gm, wm, inside)
    longest_mm = max(float(voxel_sizes_mm(visit.voxel_to_ras).max()) for visit in visits)
    sharpness_effect = gm_change - flow.change_percent(gm, unsharp_undone)
    error = budget_error(
        gm_change,
        noise_points=flow.noise_se_points(gm, residual_sd),
        scale_se_percent=100 * alignment.scale_se if alignment.has_skull else None,
        sharpness_effect_points=sharpness_effect,
        difference_percent=_plain_difference_percent(visits),
        longest_voxel_mm=longest_mm,
    )
    with np.errstate(divide="ignore"):
        volumes = [np.maximum(part, _LEAST_JACOBIAN) for part in (flow.jacobian_baseline, flow.jacobian_followup)]
        log_jacobian = np.log(volumes[1] / volumes[0])
    images = MidwayImages(
        plain[0] * scene.gains[0], plain[1] * scene.gains[1], gm, gm + wm, log_jacobian * near, grid_to_ras
    )
    return ChangeMeasure(
        gm_change_percent=gm_change,
        error=error,
        cortical_gm_change_percent=flow.change_percent(np.maximum(gm - deep, 0), gm_undone - deep_undone),
        subcortical_gm_change_percent=flow.change_percent(deep, deep_undone),
        wm_change_percent=flow.change_percent(wm, wm_undone),
        brain_change_percent=flow.change_percent(gm + wm, gm_undone + wm_undone),
        gm_jacobian_percent=flow.change_percent(gm, 0.0),
        noise_sd=matched.noise_sd,
        residual_sd=residual_sd,
        differential_bias_percent=matched.field_percent,
        sharpness_difference_mm2=(float(variance_mm2[0]), float(variance_mm2[1]), float(variance_mm2[2])),
        sharpness_effect_points=sharpness_effect,
        covered_percent=100 * float((gray * seen).sum()) / (float(gray.sum()) + 1e-6),
        images=images,
    )
