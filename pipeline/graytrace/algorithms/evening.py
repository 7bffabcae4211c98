"""Two visits that are registered so far, made alike: contrast, sharpness and shading are no change of tissue."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from graytrace.algorithms.deformation import Halves
from graytrace.algorithms.intensity import compare_contrast, even_out
from graytrace.algorithms.scene import TISSUES, Scene, register
from graytrace.algorithms.sharpness import Border, estimate_sharpness_difference, match_sharpness
from graytrace.algorithms.smoothing import gaussian
from graytrace.algorithms.tissue_change import gray_surfaces
from graytrace.algorithms.visits import VisitTissue, longest_voxel_mm
from graytrace.arrays import Mask, ScalarField, Vector

_SHARPNESS_ROUNDS = 2  # registration takes a part of a difference for shifts: so both in turn
_PURE = 0.95  # by hand: a voxel of a single tissue, with room for the error of its fraction
_HALF = 0.5  # a voxel is of the tissue that fills most of it
# on larger voxels hardly any white matter lies away from CSF: clean pairs of 2 to 3 mm seemed unequally sharp, which
# cost up to 0.3 points, and blurred ones gained nothing (docs/validation.md)
# a pair of one session with slices of 4.8 mm seemed sharper by 0.2 mm2 along x with what lies around fitted along
_COARSEST_SHARP_MM = 1.75
_SHADING_ROUNDS = 2  # one leaves a third of it
_NEAR_MM, _NEAR = 1.0, 0.05  # smoothed share of a tissue: below it none is near, of fluid not even a hidden sulcus


@dataclass(frozen=True)
class PureVoxels:
    """Voxels of a single tissue, gray matter and fluid far from each other.

    Near fluid gray matter that seems pure darkens as cortex is lost, because sulci too narrow to be seen open in it.
    Taken for another contrast or for shading, that would hide a seventh of the loss.

    Parameters
    ----------
    fluid, gm, wm : (X, Y, Z) bool
        Of one tissue alone, in the skull.
    deep : (X, Y, Z) bool
        Where deep nuclei fill most of a voxel.
    """

    fluid: Mask
    gm: Mask
    wm: Mask
    deep: Mask


def pure_voxels(scene: Scene, halves: Halves) -> PureVoxels:
    """Where tissues are pure by the fractions of both visits.

    Parameters
    ----------
    scene : Scene
    halves : Halves
        The flow so far.

    Returns
    -------
    PureVoxels
    """
    gm, wm = (scene.common(name, halves) * scene.inside for name in ("gm", "wm"))
    fluid = np.where(scene.inside, 1 - gm - wm, 0)
    near_fluid, near_gm = (gaussian(f, _NEAR_MM / scene.spacing) > _NEAR for f in (fluid, gm))
    deep = scene.common("subcortical_gm", halves) > _HALF
    return PureVoxels((fluid > _PURE) & ~near_gm, (gm > _PURE) & ~near_fluid, wm > _PURE, deep)


def outer_surfaces(
    scene: Scene, visits: tuple[VisitTissue, VisitTissue], halves: Halves
) -> tuple[ScalarField, ScalarField] | None:
    """Area of gray matter's outer surface as each visit's fractions have it, banks that touch among it.

    Parameters
    ----------
    scene : Scene
    visits : two VisitTissue
        Baseline and follow-up.
    halves : Halves
        The flow so far.

    Returns
    -------
    two (X, Y, Z) float32 ndarrays or None
        Faces of a voxel in each voxel of midway space; None where voxels are too long along an axis to tell it.
    """
    if longest_voxel_mm(visits) > _COARSEST_SHARP_MM:
        return None
    tissues = (scene.own(name, halves) for name in TISSUES)
    baseline, followup = (gray_surfaces(scene, visit).outer for visit in zip(*tissues, strict=True))
    return baseline, followup


def even_contrast(scene: Scene, halves: Halves, pure: PureVoxels, outer: ScalarField | None = None) -> Scene:
    """Bring the contrast of both visits to their mean.

    Parameters
    ----------
    scene : Scene
        What its contrast leaves is added to it.
    halves : Halves
        The flow so far.
    pure : PureVoxels
    outer : (X, Y, Z) float32, optional
        Area of gray matter's outer surface.

    Returns
    -------
    Scene
    """
    tissues = (pure.fluid, pure.gm, pure.wm)
    contrast = compare_contrast(
        *scene.registered(halves), tissues, pure.deep, scene.spacing, outer, evened=scene.contrast
    )
    return replace(scene, contrast=contrast)


def even_sharpness(
    scene: Scene,
    visits: tuple[VisitTissue, VisitTissue],
    halves: Halves,
    outer: tuple[ScalarField, ScalarField] | None,
) -> tuple[Scene, Halves, Vector]:
    """Make both visits equally sharp.

    Parameters
    ----------
    scene : Scene
    visits : two VisitTissue
        Baseline and follow-up, whose images are made less sharp.
    halves : Halves
        The flow so far.
    outer : two (X, Y, Z) float32 or None
        From `outer_surfaces`.

    Returns
    -------
    scene : Scene
    halves : Halves
    variance_mm2 : (3,) ndarray
        That follow-up had more of along x, y, z, mm^2; zero on voxels too large to tell.
    """
    variance = np.zeros(3)
    if scene.spacing > _COARSEST_SHARP_MM:
        return scene, halves, variance
    to_midway = tuple(np.linalg.inv(m) for m in scene.to_voxel)
    even = scene
    gm, wm = (scene.own(name, halves) for name in ("gm", "wm"))
    border = Border.of(gm, wm, outer, scene.inside, scene.spacing)
    for done in range(_SHARPNESS_ROUNDS):
        if done:
            halves = register(even, halves, 1)
        variance = variance + estimate_sharpness_difference(*even.registered(halves), border)
        images = match_sharpness(visits[0].image, visits[1].image, variance, (to_midway[0], to_midway[1]))
        even = scene.showing(images)
    return even, halves, variance * scene.spacing**2


def even_intensities(
    scene: Scene, halves: Halves, pure: PureVoxels, outer: tuple[ScalarField, ScalarField] | None
) -> Scene:
    """Correct the shading that pure voxels still show, and the contrast beside it.

    Parameters
    ----------
    scene : Scene
    halves : Halves
        The flow so far.
    pure : PureVoxels
    outer : two (X, Y, Z) float32 or None
        From `outer_surfaces`.

    Returns
    -------
    Scene
    """
    of_both = None if outer is None else (outer[0] + outer[1]) / 2
    even = even_contrast(_even_shading(scene, halves, pure), halves, pure, of_both)
    # once more: gray matter whose contrast was not right yet had passed for shading, white matter was off by a point
    return _even_shading(even, halves, pure)


def _even_shading(scene: Scene, halves: Halves, pure: PureVoxels) -> Scene:
    """A scene without the shading that its pure voxels show."""
    images = scene.registered(halves)
    gains = scene.gains
    for _ in range(_SHADING_ROUNDS):
        factors = even_out(images[0], images[1], pure.gm | pure.wm, scene.spacing)
        images = (images[0] * factors[0], images[1] * factors[1])
        gains = (gains[0] * factors[0], gains[1] * factors[1])
    return replace(scene, gains=gains)
