"""The anatomy of one head: the template, warped and perturbed until it is nobody's template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from graytrace.phantoms.landmarks import FORAMEN_MAGNUM_Z_MM
from graytrace.phantoms.random_fields import draw_smooth_field
from graytrace.phantoms.resampling import pull, pull_all
from graytrace.phantoms.shapes import FAR_OUTSIDE_MM
from graytrace.phantoms.template import STRUCTURES, SURROUNDINGS, HeadTemplate, load_template

LABELS = ("air", *STRUCTURES, *SURROUNDINGS[1:])
_GRAY = (STRUCTURES.index("cortex"), STRUCTURES.index("cerebellar_cortex"), STRUCTURES.index("deep_gray"))
_OUTER_CSF = STRUCTURES.index("outer_csf")
_SMALLEST_JACOBIAN = 0.35  # below this a warp is close to folding and is drawn weaker

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class HeadAnatomy:
    """What a head is made of, before anything is scanned.

    Attributes
    ----------
    fractions : (7, X, Y, Z) float32 ndarray
        Share of each of `STRUCTURES` in each voxel; they sum to the intracranial share.
    labels : (X, Y, Z) uint8 ndarray
        Index into `LABELS` of what fills most of the voxel.
    deep_brightness : (X, Y, Z) float32 ndarray
        In [0, 1]: how far from gray to white the T1w intensity of a nucleus is.
    voxel_to_ras : (4, 4) ndarray
        Voxel indices to RAS millimeters.
    box : tuple of slice
        The part of the grid that holds the intracranial space.
    """

    fractions: NDArray[np.float32]
    labels: NDArray[np.uint8]
    deep_brightness: NDArray[np.float32]
    voxel_to_ras: NDArray[np.float64]
    box: Box

    @property
    def voxel_mm(self) -> float:
        """Side of the cubic voxels."""
        return float(self.voxel_to_ras[0, 0])

    def fraction(self, *structures: str) -> NDArray[np.float32]:
        """Share of some structures together, (X, Y, Z)."""
        return np.asarray(self.fractions[[STRUCTURES.index(name) for name in structures]].sum(0))

    def volume_ml(self, *structures: str) -> float:
        """Volume of some structures together."""
        return float(self.fraction(*structures).sum(dtype=np.float64)) * self.voxel_mm**3 / 1000


def draw_head(seed: int | np.random.Generator, *, voxel_mm: float = 1.0) -> HeadAnatomy:
    """Draw the anatomy of a head.

    Parameters
    ----------
    seed : int or numpy.random.Generator
        The same seed and voxel size give the same head.
    voxel_mm : float
        Side of the voxels; 1 for a demonstration, 2 for a test.

    Returns
    -------
    HeadAnatomy
    """
    rng = np.random.default_rng(seed)
    template = load_template(voxel_mm)
    places = _draw_warp(template, rng)
    outside_brain_mm = pull(template.outside_brain_mm, places)
    intracranial = _draw_intracranial(template, outside_brain_mm, places[2], rng)
    box = _bounding_box(intracranial > 0)
    within = places[(slice(None), *box)]
    fractions = np.zeros((len(STRUCTURES), *template.grid.shape), np.float32)
    fractions[(slice(None), *box)] = _draw_tissue(template, within, intracranial[box], rng)
    brightness = np.zeros(template.grid.shape, np.float32)
    brightness[box] = pull(template.deep_brightness, within)
    labels = _draw_surroundings(template, places, outside_brain_mm, rng)
    inside = intracranial > 0.5
    labels[inside] = 1 + fractions[:, inside].argmax(0)
    return HeadAnatomy(fractions, labels, brightness, template.grid.voxel_to_ras, box)


def _draw_warp(template: HeadTemplate, rng: np.random.Generator) -> NDArray[np.float32]:
    """Where in the template each voxel of the head comes from, (3, X, Y, Z) voxels."""
    grid = template.grid
    center = -np.array(grid.origin_mm) / grid.voxel_mm  # MNI's origin, in voxels
    stretch = np.diag(np.exp(rng.normal(0.065, 0.025, 3))) + rng.normal(0, 0.012, (3, 3))
    index = np.indices(grid.shape, dtype=np.float32)
    places = np.tensordot(stretch.astype(np.float32), index - center[:, None, None, None].astype(np.float32), 1)
    places += center[:, None, None, None].astype(np.float32)
    shift = np.zeros_like(places)
    for amplitude_mm, length_mm in ((3.0, 24.0), (1.1, 9.0)):
        for axis in range(3):
            field = draw_smooth_field(grid.shape, length_mm / grid.voxel_mm, rng)
            shift[axis] += field * np.float32(amplitude_mm / grid.voxel_mm)
    while _smallest_jacobian(shift) < _SMALLEST_JACOBIAN:
        shift *= np.float32(0.85)
    return places + shift


def _smallest_jacobian(shift: NDArray[np.float32]) -> float:
    """Smallest determinant of the identity plus a displacement, on every third voxel."""
    coarse = shift[:, ::3, ::3, ::3]
    gradient = np.stack([np.stack(np.gradient(component, 3.0)) for component in coarse])
    matrix = np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(3, dtype=np.float32)
    return float(np.linalg.det(matrix).min())


def _bounding_box(mask: NDArray[np.bool_]) -> Box:
    spans = []
    for axis in range(3):
        filled = np.flatnonzero(mask.any(tuple(other for other in range(3) if other != axis)))
        spans.append(slice(max(int(filled[0]) - 2, 0), int(filled[-1]) + 3))
    return spans[0], spans[1], spans[2]


def _draw_intracranial(
    template: HeadTemplate,
    outside_brain_mm: NDArray[np.float32],
    height: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Share of each voxel inside the skull, (X, Y, Z): the brain's outline and CSF of varying width above it."""
    grid = template.grid
    width_mm = 1.2 + rng.gamma(3.0, 0.35) + 0.6 * draw_smooth_field(grid.shape, 16 / grid.voxel_mm, rng)
    inside = np.clip(0.5 + (np.maximum(width_mm, 0.4) - outside_brain_mm) / grid.voxel_mm, 0, 1)
    above_foramen_mm = height * grid.voxel_mm + grid.origin_mm[2] - FORAMEN_MAGNUM_Z_MM
    return np.asarray(inside * np.clip(0.5 + above_foramen_mm / grid.voxel_mm, 0, 1), dtype=np.float32)


def _draw_tissue(
    template: HeadTemplate,
    places: NDArray[np.float32],
    intracranial: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Sharpen the warped priors into fractions of one person's brain, (7, x, y, z)."""
    shape, voxel_mm = intracranial.shape, template.grid.voxel_mm
    priors = pull_all(template.priors, places)
    priors[_OUTER_CSF] += np.clip(1 - priors.sum(0), 0, 1)  # beyond the brain's outline
    # folds of one's own: the borders of the average brain move in and out by a millimeter or two
    folds = draw_smooth_field(shape, 3.0 / voxel_mm, rng)
    sulci = draw_smooth_field(shape, 3.5 / voxel_mm, rng)
    priors[list(_GRAY)] *= np.exp(0.22 * folds - 0.12)
    priors[_OUTER_CSF] *= np.exp(rng.normal(0.42, 0.12) + 0.30 * sulci)
    priors[STRUCTURES.index("ventricles")] *= np.exp(rng.normal(0.35, 0.3))
    sharp = np.maximum(priors, 0) ** 6
    total = sharp.sum(0)
    sharp *= intracranial / np.maximum(total, 1e-12)
    return sharp


def _draw_surroundings(
    template: HeadTemplate,
    places: NDArray[np.float32],
    outside_brain_mm: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Labels of everything outside the brain: skull and scalp in layers, face and neck as drawn."""
    shape, voxel_mm = template.grid.shape, template.grid.voxel_mm
    code = {name: number for number, name in enumerate(LABELS)}
    numbers = np.array([code[name] for name in SURROUNDINGS], np.uint8)
    labels: NDArray[np.uint8] = numbers[ndimage.map_coordinates(template.surroundings, places, order=0, mode="nearest")]

    def field(length_mm: float) -> NDArray[np.float32]:
        return draw_smooth_field(shape, length_mm / voxel_mm, rng)

    fatness = rng.gamma(4.0, 0.25)
    marbled = field(4.0) > 1.3 - 0.3 * fatness
    labels[marbled & (labels == code["muscle"])] = code["fat"]
    labels[(field(7.0) > -0.3) & (labels == code["fat"]) & ~marbled] = code["muscle"]
    # the neck goes on below the template, and air around the rest of it
    necks_end = np.maximum(places, np.array([-np.inf, -np.inf, 0], np.float32)[:, None, None, None])
    below_skin_mm = pull(template.below_skin_mm, necks_end, outside=FAR_OUTSIDE_MM) + np.float32(rng.normal(0, 0.6))
    fat_mm = np.maximum(3.2 * fatness + 1.2 * field(18.0), 0.5)
    below_neck_or_face = outside_brain_mm > 22
    fat_mm[below_neck_or_face] *= 1.8
    under_skin = below_skin_mm < 2.0 + fat_mm
    labels[under_skin & (labels != code["air"])] = code["fat"]

    skull_mm = np.maximum(rng.normal(7.0, 0.7) + 1.1 * field(14.0), 2.5)
    gap_mm = 0.4 + 0.7 * np.abs(field(12.0))
    into_skull = (outside_brain_mm - gap_mm) / skull_mm
    skull = (into_skull < 1) & ~np.isin(
        labels, [code[name] for name in ("air", "eye", "lens", "cord", "spinal_csf", "vessel")]
    )
    skull &= below_skin_mm > 2.5
    labels[skull] = code["bone"]
    diploe = skull & (np.abs(into_skull - 0.52) < 0.27 * (skull_mm > 4)) & (into_skull > 0) & (field(5.0) > -0.9)
    labels[diploe] = code["marrow"]
    outgoing = np.isin(labels, [code[name] for name in ("vessel", "cord", "spinal_csf")])
    labels[(outside_brain_mm < gap_mm) & ~outgoing] = code["dura"]
    skin = (below_skin_mm < 2.0) & (labels != code["air"])
    labels[skin] = code["skin"]
    labels[below_skin_mm < 0] = code["air"]
    return labels
