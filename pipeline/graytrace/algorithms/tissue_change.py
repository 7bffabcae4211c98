"""What a registration says of each tissue: its volume at both visits, in every voxel of midway space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from graytrace.algorithms.border_shift import Surfaces, fit_border_shifts, touching_banks
from graytrace.algorithms.deformation import Halves, jacobian_determinant
from graytrace.algorithms.scene import Scene
from graytrace.algorithms.slopes import levers, slope_along
from graytrace.arrays import Fractions, Mask, ScalarField, Vector, VectorField

_GRADIENT_FLOOR_SDS = 0.5  # by hand; two fifths of it moved the error by 0.05 points at most (validation, V06)
_BLOCK_MM = 25.0  # by hand: what texture and shading do to a change is about independent at this distance
_LEAST_SHARE = 0.1  # by hand; of a block's mean content: emptier blocks count for nothing alone
_LEAST_BLOCKS = 2  # fewer have no spread


@dataclass(frozen=True)
class TissueChange:
    """Volume of a tissue in each voxel, voxels of midway space; before and after what registration left undone.

    Parameters
    ----------
    fraction : (X, Y, Z) float32
        Of the tissue, common to both visits.
    before, after : (X, Y, Z) float32
        At baseline and follow-up by the Jacobian determinants alone.
    undone : (X, Y, Z) float32
        What the tissue gained beyond that.
    """

    fraction: Fractions
    before: ScalarField
    after: ScalarField
    undone: ScalarField

    @property
    def percent(self) -> float:
        """Change, percent of baseline; not a number without tissue."""
        return self.percent_with(float(self.undone.sum(dtype=np.float64)))

    def percent_with(self, undone: float) -> float:
        """Change if registration had left another sum undone.

        Parameters
        ----------
        undone : float
            What the tissue gained beyond the Jacobian determinants, voxels.

        Returns
        -------
        float
            Percent of baseline; not a number without tissue.
        """
        before, after = (float(part.sum(dtype=np.float64)) for part in (self.before, self.after))
        return _percent(before - undone / 2, after + undone / 2)

    @property
    def jacobian_percent(self) -> float:
        """Change by the Jacobian determinants alone, percent of baseline."""
        return _percent(float(self.before.sum(dtype=np.float64)), float(self.after.sum(dtype=np.float64)))

    def plus(self, other: TissueChange, sign: int = 1) -> TissueChange:
        """Both tissues together, or what is left without the other.

        Parameters
        ----------
        other : TissueChange
            On the same grid.
        sign : {1, -1}
            -1 takes the other away.

        Returns
        -------
        TissueChange
        """
        return TissueChange(
            self.fraction + sign * other.fraction,
            self.before + sign * other.before,
            self.after + sign * other.after,
            self.undone + sign * other.undone,
        )

    def block_se_points(self, spacing_mm: float) -> float:
        """Standard error of `percent` by what blocks of 25 mm say differently, from `delete_a_block`.

        Parameters
        ----------
        spacing_mm : float
            Edge of a voxel.

        Returns
        -------
        float
            Percentage points; not a number with fewer than two blocks.
        """
        before, after = (
            _by_block(p, spacing_mm) for p in (self.before - self.undone / 2, self.after + self.undone / 2)
        )
        kept = before > _LEAST_SHARE * max(float(before.mean()), 0.0)
        before, after = before[kept], after[kept]
        if before.size < _LEAST_BLOCKS or not before.sum() > 0:
            return float("nan")
        return delete_a_block(before, after)


def delete_a_block(before: Vector, after: Vector) -> float:
    """Standard error of a change by the delete-a-block jackknife (Künsch 1989, https://doi.org/10.1214/aos/1176347265).

    Parameters
    ----------
    before, after : (B,) ndarray
        Volume of each block at both visits, at least two blocks, together more than nothing.

    Returns
    -------
    float
        Percentage points.
    """
    without = 100 * ((after.sum() - after) / (before.sum() - before) - 1)
    count = before.size
    return float(np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum()))


def _percent(before: float, after: float) -> float:
    if before < 1 or after < 1:  # voxel: no such tissue
        return float("nan")
    return 100 * (after / before - 1)


def _by_block(values: ScalarField, spacing_mm: float) -> ScalarField:
    """Sums over blocks of `_BLOCK_MM`."""
    edge = max(round(_BLOCK_MM / spacing_mm), 1)
    for axis in range(3):
        values = np.add.reduceat(values, np.arange(0, values.shape[axis], edge), axis=axis, dtype=np.float64)
    return np.asarray(values.ravel())


@dataclass(frozen=True)
class Reading:
    """What the registration says: volumes of a voxel at both visits and the shift that it left undone.

    Parameters
    ----------
    jacobian_baseline, jacobian_followup : (X, Y, Z) float32
        Volume of a voxel at each visit, voxels.
    residual : (X, Y, Z) float32
        Difference r of the registered visits, of white matter.
    lever : (3, X, Y, Z) float32
        g / (|g|^2 + a^2), the shift for a residual of one.
    weight : (X, Y, Z) float32
        How much each voxel's residual counts.
    signals : three floats or None
        Of fluid, gray and white matter; None where they are not known.
    """

    jacobian_baseline: ScalarField
    jacobian_followup: ScalarField
    residual: ScalarField
    lever: VectorField
    weight: ScalarField
    signals: tuple[float, float, float] | None

    def _shift(self, fraction: Fractions) -> ScalarField:
        """(X, Y, Z) what a residual of one does to a tissue: grad f . g / (|g|^2 + a^2)."""
        return slope_along(fraction, self.lever)

    def undone(self, fraction: Fractions) -> ScalarField:
        """What a tissue gained beyond the flow, as each voxel's own slope says.

        Parameters
        ----------
        fraction : (X, Y, Z) float32
            Of the tissue in midway space.

        Returns
        -------
        (X, Y, Z) float32 ndarray
            Voxels.
        """
        return np.asarray(self._shift(fraction) * self.residual)

    def noise_se_points(self, change: TissueChange, inside: Mask) -> float:
        """Standard error of the residual part of a change that noise alone makes.

        Parameters
        ----------
        change : TissueChange
        inside : (X, Y, Z) bool
            Where the residual's spread is taken.

        Returns
        -------
        float
            Percentage points.
        """
        before = float(change.before.sum(dtype=np.float64))
        spread = float(np.sqrt((self._shift(change.fraction) ** 2).sum(dtype=np.float64)))
        return 100 * float(self.residual[inside].std()) * spread / max(before, 1.0)

    def tissue(self, fraction: Fractions, undone: ScalarField | None = None) -> TissueChange:
        """Change of a tissue, by default with what each voxel's own gradient says was left undone.

        Parameters
        ----------
        fraction : (X, Y, Z) float32
            Of the tissue in midway space.
        undone : (X, Y, Z) float32, optional
            What the tissue gained beyond the flow, voxels.

        Returns
        -------
        TissueChange
        """
        undone = self.undone(fraction) if undone is None else undone
        return TissueChange(fraction, fraction * self.jacobian_baseline, fraction * self.jacobian_followup, undone)


def read_registration(scene: Scene, halves: Halves, before: Reading | None = None) -> Reading:
    """What a registered scene says of every voxel.

    Parameters
    ----------
    scene : Scene
    halves : Halves
        The flow.
    before : Reading, optional
        Of the same flow with other intensities, whose Jacobian determinants are taken.

    Returns
    -------
    Reading
    """
    baseline, followup = scene.registered(halves)
    residual = followup - baseline
    weight = scene.robust(residual)
    lever = levers(baseline, followup, scene.inside * weight, (_GRADIENT_FLOOR_SDS * scene.noise_sd) ** 2)
    if before is None:
        jacobians = [jacobian_determinant(u) for u in (halves.to_baseline, halves.to_followup)]
    else:
        jacobians = [before.jacobian_baseline, before.jacobian_followup]
    signals = None
    if scene.contrast is not None:
        fluid, gray, white = (scene.contrast.baseline + scene.contrast.followup) / 2
        signals = (float(fluid), float(gray), float(white))
    return Reading(jacobians[0], jacobians[1], residual, lever, weight, signals)


def gray_surfaces(scene: Scene, tissues: tuple[Fractions, Fractions, Fractions]) -> Surfaces:
    """The outer and the inner surface of gray matter in midway space.

    Parameters
    ----------
    scene : Scene
    tissues : three (X, Y, Z) float32
        Gray matter, white matter and the deep gray matter that is part of the first, in midway space.

    Returns
    -------
    Surfaces
    """
    gm, wm, deep = tissues
    fluid = np.where(scene.inside, np.clip(1 - gm - wm, 0, 1), 0)
    banks = touching_banks(np.clip(gm - deep, 0, 1), wm, scene.spacing, scene.slice_blur_mm)
    return Surfaces.of((fluid, gm, wm), banks, scene.inside)


def tissue_changes(
    scene: Scene, reading: Reading, tissues: tuple[Fractions, Fractions, Fractions], surfaces: Surfaces
) -> dict[str, TissueChange]:
    """Change of each tissue: gray matter by its two surfaces, where the tissues' signals are known.

    Parameters
    ----------
    scene : Scene
    reading : Reading
    tissues : three (X, Y, Z) float32
        As `gray_surfaces` takes them.
    surfaces : Surfaces
        Of gray matter.

    Returns
    -------
    dict
        TissueChange of `gm`, `cortical_gm`, `deep_gm`, `wm` and `brain`.
    """
    gm, wm, deep = tissues
    undone = _undone(scene, reading, surfaces)
    gray, white, nuclei = reading.tissue(gm, undone), reading.tissue(wm), reading.tissue(deep)
    return {
        "gm": gray,
        "cortical_gm": gray.plus(nuclei, -1),
        "deep_gm": nuclei,
        "wm": white,
        "brain": gray.plus(white),
    }


def _undone(scene: Scene, reading: Reading, surfaces: Surfaces) -> ScalarField | None:
    """(X, Y, Z) what gray matter gained beyond the flow, by its surfaces; None where signals are not known."""
    if reading.signals is None:
        return None
    return fit_border_shifts(reading.residual, reading.weight, surfaces, reading.signals, scene.spacing).gray


def other_percents(
    scene: Scene,
    reading: Reading,
    tissues: tuple[Fractions, Fractions, Fractions],
    surfaces: Surfaces,
    changes: Mapping[str, TissueChange],
) -> dict[str, float]:
    """Change of each tissue as other intensities of the same flow have it.

    Parameters
    ----------
    scene : Scene
        With the other intensities.
    reading : Reading
        Of that scene.
    tissues : three (X, Y, Z) float32
        As `gray_surfaces` takes them.
    surfaces : Surfaces
        Of gray matter.
    changes : mapping
        From `tissue_changes`, of the same flow.

    Returns
    -------
    dict
        Percent of baseline, by the names of `changes`.
    """
    gm, wm, deep = tissues
    by_surfaces = _undone(scene, reading, surfaces)
    gray, white, nuclei = (
        float(part.sum(dtype=np.float64))
        for part in (
            reading.undone(gm) if by_surfaces is None else by_surfaces,
            reading.undone(wm),
            reading.undone(deep),
        )
    )
    undone = {"gm": gray, "cortical_gm": gray - nuclei, "deep_gm": nuclei, "wm": white, "brain": gray + white}
    return {name: change.percent_with(undone[name]) for name, change in changes.items()}
