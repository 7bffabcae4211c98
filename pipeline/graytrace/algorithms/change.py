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
from dataclasses import dataclass, field, replace

import numpy as np

from graytrace.algorithms.coarse_registration import register_coarsely
from graytrace.algorithms.evening import even_contrast, even_intensities, even_sharpness, outer_surfaces, pure_voxels
from graytrace.algorithms.midway import MidwayAlignment
from graytrace.algorithms.movement import even_movement
from graytrace.algorithms.precision import Evidence
from graytrace.algorithms.resampling import resample
from graytrace.algorithms.scene import TISSUES, Scene, open_scene, register
from graytrace.algorithms.structure_change import StructureChange, VisitStructures, change_structures
from graytrace.algorithms.tissue_change import (
    Reading,
    TissueChange,
    gray_surfaces,
    other_percents,
    read_registration,
    tissue_changes,
)
from graytrace.algorithms.visits import VisitTissue, longest_voxel_mm
from graytrace.algorithms.volumes import tissue_volume_ml
from graytrace.arrays import Affine, Fractions, Image, ScalarField

_ITERATIONS = 1  # after those on the coarse grid; three more move gray matter by 0.001 points (docs/validation.md)
_LAST_ITERATIONS = 1  # after the shading that was left has been taken out
_LEAST_JACOBIAN = 1e-3  # a folded voxel has no logarithm
_NOTHING = 1e-6  # ml or voxels: an empty fraction is no error here, but a gap that says it


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

    Parameters
    ----------
    evidence : mapping
        Of `gm`, `cortical_gm`, `deep_gm`, `wm` and `brain`: the change, and what the pair itself tells of its error.
    gm_jacobian_percent : float
        Gray matter by Jacobian integration alone.
    noise_sd, residual_sd : float
        Spread of the difference of both visits before and after registration, of white matter.
    differential_bias_percent : float
        Spread of the differential bias field that was removed.
    covered_percent : float
        Of baseline's gray matter, in both fields of view.
    displaced_mm : float
        Of the head in those lines of one visit's k-space that were displaced most, beyond what another axis shows.
    sharpness_difference_mm2 : three floats
        Variance of the follow-up's point spread less that of the baseline's along x, y, z, corrected.
    images : MidwayImages
    structures : mapping
        Of each structure that both visits' labels name; empty without labels.
    """

    evidence: Mapping[str, Evidence]
    gm_jacobian_percent: float
    noise_sd: float
    residual_sd: float
    differential_bias_percent: float
    covered_percent: float
    displaced_mm: float
    sharpness_difference_mm2: tuple[float, float, float]
    images: MidwayImages
    structures: Mapping[str, StructureChange] = field(default_factory=dict)

    @property
    def changes(self) -> dict[str, float]:
        """Percent of baseline of each tissue; not a number without tissue."""
        return {tissue: evidence.change_percent for tissue, evidence in self.evidence.items()}

    @property
    def is_still(self) -> bool:
        """Whether no line had to be corrected for a movement."""
        return not self.evidence["gm"].has_moved

    @property
    def gm_change_percent(self) -> float:
        """Change of gray matter, percent of baseline."""
        return self.changes["gm"]


def _plain_differences(visits: tuple[VisitTissue, VisitTissue]) -> dict[str, float]:
    """Change of each tissue by the two segmentations alone, percent of baseline."""
    volumes = []
    for visit in visits:
        gm, wm, deep = (tissue_volume_ml(getattr(visit, name), visit.voxel_to_ras) for name in TISSUES)
        volumes.append({"gm": gm, "cortical_gm": gm - deep, "deep_gm": deep, "wm": wm, "brain": gm + wm})
    before, after = volumes
    return {name: 100 * (after[name] / max(before[name], _NOTHING) - 1) for name in before}


def _other_contrast(scene: Scene) -> Scene:
    """A scene whose contrast is by its own standard error another one."""
    if scene.contrast is None:
        return scene
    return replace(scene, contrast=scene.contrast.moved(scene.contrast.gray_se))


def _evidence(
    visits: tuple[VisitTissue, VisitTissue],
    alignment: MidwayAlignment,
    scene: Scene,
    reading: Reading,
    changes: Mapping[str, TissueChange],
    without: Mapping[str, Mapping[str, float]],
) -> dict[str, Evidence]:
    """What the pair tells of the error of each tissue's change; `without` holds the changes without each correction."""
    plain = _plain_differences(visits)
    longest_mm = longest_voxel_mm(visits)
    evidence = {}
    for name, change in changes.items():
        effects = {what: change.percent - other[name] for what, other in without.items()}
        evidence[name] = Evidence(
            change_percent=change.percent,
            noise_points=reading.noise_se_points(change, scene.inside),
            block_points=change.block_se_points(scene.spacing),
            scale_se_percent=100 * alignment.scale_se if alignment.has_skull else None,
            movement_points=effects.get("movement", 0.0),
            sharpness_points=effects["sharpness"],
            shading_points=effects["shading"],
            contrast_points=effects["contrast"],
            difference_percent=plain[name],
            longest_voxel_mm=longest_mm,
        )
    return evidence


def _log_jacobian(reading: Reading) -> ScalarField:
    parts = [np.maximum(part, _LEAST_JACOBIAN) for part in (reading.jacobian_baseline, reading.jacobian_followup)]
    return np.asarray(np.log(parts[1] / parts[0]))


def measure_change(
    baseline: VisitTissue,
    followup: VisitTissue,
    alignment: MidwayAlignment,
    *,
    structures: tuple[VisitStructures, VisitStructures] | None = None,
) -> ChangeMeasure:
    """Measure the change of gray matter, white matter and brain between two visits.

    Parameters
    ----------
    baseline, followup : VisitTissue
        (X, Y, Z) arrays, each on its own grid.
    alignment : MidwayAlignment
        RAS mm of each visit to midway mm, from `midway.align_visits`; a scanner's scale change is in it and so is not
        counted as change.
    structures : two VisitStructures, optional
        Of baseline and follow-up, each on its own grid; without them no structure's change is measured.

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
    opening = open_scene(visits, alignment)
    taken = opening.scene
    halves = register(taken, register_coarsely(opening), _ITERATIONS)
    moved = even_movement(taken, visits, halves)
    scene, visits = moved.scene, moved.visits
    if moved.is_corrected:
        halves = register(scene, register_coarsely(opening.of(scene)), _ITERATIONS)
    scene = even_contrast(scene, halves, pure_voxels(scene, halves))
    as_taken = scene.coefficients
    outer = outer_surfaces(scene, visits, halves)
    scene, halves, variance_mm2 = even_sharpness(scene, visits, halves, outer)
    shaded = scene.gains
    scene = even_intensities(scene, halves, pure_voxels(scene, halves), outer)
    halves = register(scene, halves, _LAST_ITERATIONS)
    gm, wm, deep = (scene.common(name, halves) for name in TISSUES)
    reading = read_registration(scene, halves)
    # matched, both visits are as blurred as the less sharp one was
    surfaces = gray_surfaces(scene, (gm, wm, deep)).widened(np.abs(variance_mm2) / scene.spacing**2)
    changes = tissue_changes(scene, reading, (gm, wm, deep), surfaces)
    others = {"movement": replace(scene, coefficients=taken.coefficients)} if moved.is_corrected else {}
    others |= {
        "sharpness": replace(scene, coefficients=as_taken),
        "shading": replace(scene, gains=shaded),
        "contrast": _other_contrast(scene),
    }
    without = {
        what: other_percents(other, read_registration(other, halves, reading), (gm, wm, deep), surfaces, changes)
        for what, other in others.items()
    }
    gains = scene.gains
    images = MidwayImages(
        opening.plain[0] * gains[0],
        opening.plain[1] * gains[1],
        gm,
        gm + wm,
        _log_jacobian(reading) * opening.near,
        opening.grid_to_ras,
    )
    gray = resample(baseline.gm, scene.to_voxel[0], gm.shape)
    evidence = _evidence(visits, alignment, scene, reading, changes, without)
    to_ras = (visits[0].voxel_to_ras @ scene.to_voxel[0], visits[1].voxel_to_ras @ scene.to_voxel[1])
    return ChangeMeasure(
        evidence=evidence,
        gm_jacobian_percent=changes["gm"].jacobian_percent,
        noise_sd=scene.noise_sd,
        residual_sd=float(reading.residual[scene.inside].std()),
        differential_bias_percent=opening.field_percent,
        covered_percent=100 * float((gray * scene.seen).sum()) / (float(gray.sum()) + _NOTHING),
        displaced_mm=moved.displaced_mm,
        sharpness_difference_mm2=(float(variance_mm2[0]), float(variance_mm2[1]), float(variance_mm2[2])),
        images=images,
        structures={}
        if structures is None
        else change_structures(scene, halves, reading, changes, evidence, structures, to_ras),
    )
