"""A first flow between two visits on a grid of twice the spacing, at an eighth of the cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from graytrace.algorithms.deformation import Halves
from graytrace.algorithms.multigrid import prolong, restrict
from graytrace.algorithms.robust import SD_OF_MAD
from graytrace.algorithms.scene import Opening, Scene, register
from graytrace.algorithms.splines import spline_coefficients
from graytrace.arrays import Image

_ITERATIONS = 3  # by hand: a fourth moves nothing
_COARSEST_MM = 1.5  # of the fine grid: a cortex of 2 to 3 mm must still be seen on the coarse one
_HALF = 0.5  # a coarse voxel is where most of it is


def register_coarsely(opening: Opening) -> Halves:
    """The flow as far as a grid of twice the spacing shows it.

    Parameters
    ----------
    opening : Opening
        Before anything was registered.

    Returns
    -------
    Halves
        On the opening's own grid; no flow where that is coarse itself.
    """
    fine = opening.scene
    if fine.spacing > _COARSEST_MM:
        return opening.halves
    images = [_halve(image * gain) for image, gain in zip(opening.plain, fine.gains, strict=True)]
    coarse = _coarse(fine, (images[0], images[1]))
    found = register(coarse, coarse.halves(np.zeros((3, *images[0].shape), np.float32)), _ITERATIONS)
    # a shift of a coarse voxel is one of two fine voxels
    return fine.halves(2 * prolong(found.velocity, fine.where.shape))


def _halve(image: Image) -> Image:
    return np.asarray(restrict(image[None])[0])


def _coarse(fine: Scene, images: tuple[Image, Image]) -> Scene:
    inside = _halve(fine.inside.astype(np.float32)) > _HALF
    gain = np.ones(images[0].shape, np.float32)
    return replace(
        fine,
        coefficients=(spline_coefficients(images[0]), spline_coefficients(images[1])),
        fractions={},
        to_voxel=(np.eye(4), np.eye(4)),
        gains=(gain, gain),
        seen=_halve(fine.seen.astype(np.float32)) > _HALF,
        inside=inside,
        weight=_halve(fine.weight),
        where=_halve(fine.where.astype(np.float32)) > 0,
        noise_sd=max(SD_OF_MAD * float(np.median(np.abs(images[1] - images[0])[inside])), fine.noise_sd / 2),
        spacing=2 * fine.spacing,
    )
