"""Which voxels are brain, and which lie inside the skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from skimage import measure, morphology

from graytrace.algorithms.bias import correct_bias
from graytrace.algorithms.distance import distance_to
from graytrace.algorithms.grids import box_around, voxel_sizes_mm
from graytrace.algorithms.smoothing import gaussian
from graytrace.algorithms.structures import STRUCTURES, Predict, label_structures
from graytrace.algorithms.tissue import TissueFractions, segment_tissue
from graytrace.algorithms.volumes import tissue_volume_ml
from graytrace.arrays import Affine, Image, Mask, Probabilities, Vector

# "by hand" here: set while the method was written, on simulated heads, with no comparison of values on record
_HALF = 0.5  # of a probability or of fractions: likelier than not
_NECK_MM = 4.0  # optic canals, orbits and muscles are joined to a wrong mask by bridges thinner than 8 mm
_REGROWTH_MM = 1.5  # by hand: rounds the edges that the cut has left
_CLOSING_MM = 2.5  # by hand: sulci narrower than about 5 mm belong to the brain mask
_SURELY_WHITE = 0.95  # by hand: a voxel of white matter alone
_FAT_OVER_WHITE = 1.4  # by hand: no tissue of the brain is so bright on T1w
_THIN_MM = 1.0  # by hand: bridges of 2 mm, on the scan's own voxels
_ROUGHLY = 5e-4  # by hand: the field for the masks; the scan's own is estimated within them
_BOX_MARGIN_MM = 8.0  # more than any distance that is asked for at the border of the box
_BLUR_MM = 1.0  # by hand: noise is no gray
_GRAY_CORE, _GRAY_RIM = 0.6, 0.4  # by hand: fractions within and at the rim of a lump
_NUCLEI = 0.3  # by hand: probability of what is thick and gray by nature
_SHEET_MM = 3.5  # half of what two banks of cortex without a visible sulcus between them measure, and some more
_FROM_WHITE_MM = 8.0  # by hand: no cortex is so far away
_LUMP_ML = 0.2  # by hand: of the core of an eye, whose whole is 6 to 7 ml
_LUMP_RIM_MM = 2.5  # by hand: its wall
_SMALLEST_BRAIN_ML = 400.0  # less than half of a small adult brain


@dataclass(frozen=True)
class BrainExtraction:
    """What is brain and what lies in the skull.

    Parameters
    ----------
    brain_mask : (X, Y, Z) bool ndarray
        Gray and white matter and ventricles, closed over sulci.
    intracranial_mask : (X, Y, Z) bool ndarray
        The brain and all CSF.
    """

    brain_mask: Mask
    intracranial_mask: Mask


def largest_component(mask: Mask) -> Mask:
    """The largest 6-connected part of a mask, holes filled.

    Parameters
    ----------
    mask : (X, Y, Z) bool

    Returns
    -------
    (X, Y, Z) bool ndarray
        Empty where the mask is.
    """
    labels, count = measure.label(mask, connectivity=1, return_num=True)
    if count == 0:
        return np.zeros_like(mask, dtype=bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return _fill_holes(labels == sizes.argmax())


def _fill_holes(mask: Mask) -> Mask:
    """A mask and what it encloses; ten times as fast as growing the outside voxel by voxel."""
    outside = measure.label(np.pad(~mask, 1, constant_values=True), connectivity=1)
    return np.asarray(outside[1:-1, 1:-1, 1:-1] != outside[0, 0, 0])


def main_body(mask: Mask, neck_mm: float, voxel_mm: Vector) -> Mask:
    """The largest part of a mask, without structures attached by a narrow neck.

    Parameters
    ----------
    mask : (X, Y, Z) bool
    neck_mm : float
        Half the width below which a neck is cut.
    voxel_mm : (3,) ndarray
        Edges of a voxel, mm.

    Returns
    -------
    (X, Y, Z) bool ndarray
    """
    depth = distance_to(~np.pad(mask, 1), voxel_mm, neck_mm)[1:-1, 1:-1, 1:-1]
    core = largest_component(depth > neck_mm)
    if not core.any():
        return largest_component(mask)
    reach_mm = neck_mm + _REGROWTH_MM
    return largest_component(mask & (distance_to(core, voxel_mm, reach_mm) <= reach_mm))


def close_mask(mask: Mask, radius_mm: float, voxel_mm: Vector) -> Mask:
    """Morphological closing by a ball whose radius is in mm, whatever the voxel.

    Parameters
    ----------
    mask : (X, Y, Z) bool
    radius_mm : float
    voxel_mm : (3,) ndarray
        Edges of a voxel, mm.

    Returns
    -------
    (X, Y, Z) bool ndarray
        Contains the mask.
    """
    pad = [(int(np.ceil(radius_mm / v)) + 1,) * 2 for v in voxel_mm]
    padded = np.pad(mask, pad)
    grown = distance_to(padded, voxel_mm, radius_mm) <= radius_mm
    closed = distance_to(~grown, voxel_mm, radius_mm) > radius_mm
    inner = tuple(slice(low, low + size) for (low, _), size in zip(pad, mask.shape, strict=True))
    return np.asarray(closed[inner] | mask)


def _gray_lumps(tissue: TissueFractions, structures: Probabilities, voxel_mm: Vector, box: tuple[slice, ...]) -> Mask:
    """What is gray, thicker than cortex and far from all white matter, but no deep nucleus or cerebellum: an eye."""
    gray, white = (gaussian(part[box], _BLUR_MM / voxel_mm) for part in (tissue.gm, tissue.wm))
    folded = structures[STRUCTURES.index("deep_gray")][box] + structures[STRUCTURES.index("cerebellar_cortex")][box]
    depth = distance_to((gray < _GRAY_CORE) | (folded > _NUCLEI), voxel_mm, _SHEET_MM)
    from_white = distance_to(largest_component(white > _HALF), voxel_mm, _FROM_WHITE_MM)
    core = (depth > _SHEET_MM) & (from_white > _FROM_WHITE_MM)
    core = morphology.remove_small_objects(core, max_size=_LUMP_ML * 1000 / voxel_mm.prod(), connectivity=3)
    whole_mm = _SHEET_MM + _LUMP_RIM_MM
    return np.asarray(gray > _GRAY_RIM) & (distance_to(core, voxel_mm, whole_mm) < whole_mm)


def masks_from_structures(structures: Probabilities, voxel_to_ras: Affine) -> BrainExtraction:
    """Masks from what the structure network says alone.

    Parameters
    ----------
    structures : (C, X, Y, Z) float
        Probabilities in [0, 1] from `structures.label_structures`.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.

    Returns
    -------
    BrainExtraction

    Raises
    ------
    ValueError
        Less than a brain was found.
    """
    voxel_mm = voxel_sizes_mm(voxel_to_ras)
    head = structures[STRUCTURES.index("outside")] < _HALF
    brain_mask, intracranial_mask = np.zeros_like(head), np.zeros_like(head)
    if head.any():
        box = box_around(head, _BOX_MARGIN_MM / voxel_mm)
        fluid, outside = (structures[STRUCTURES.index(name)][box] for name in ("outer_csf", "outside"))
        brain = main_body(1 - outside - fluid > _HALF, _NECK_MM, voxel_mm)
        brain_mask[box] = close_mask(brain, _CLOSING_MM, voxel_mm)
        intracranial_mask[box] = main_body((outside < _HALF) | brain_mask[box], _NECK_MM, voxel_mm)
    found_ml = tissue_volume_ml(brain_mask, voxel_to_ras)
    if found_ml < _SMALLEST_BRAIN_ML:
        raise ValueError(f"only {found_ml:.0f} ml of brain were found, less than {_SMALLEST_BRAIN_ML:.0f} ml")
    return BrainExtraction(brain_mask, intracranial_mask)


def refine_brain(
    image: Image, voxel_to_ras: Affine, structures: Probabilities, coarse: BrainExtraction
) -> BrainExtraction:
    """Sharpen the network's 2 mm outline on the scan's own intensities: brain is what segments as tissue.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        T1w intensities of any unit.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.
    structures : (C, X, Y, Z) float
        Probabilities in [0, 1] from `structures.label_structures`.
    coarse : BrainExtraction
        From `masks_from_structures`.

    Returns
    -------
    BrainExtraction

    Raises
    ------
    ValueError
        The coarse masks are too small to hold a brain.
    """
    corrected = correct_bias(image, voxel_to_ras, coarse.brain_mask, converged=_ROUGHLY).image
    tissue = segment_tissue(corrected, voxel_to_ras, coarse.brain_mask, coarse.intracranial_mask, structures)
    voxel_mm = voxel_sizes_mm(voxel_to_ras)
    white = float(np.median(corrected[tissue.wm > _SURELY_WHITE])) if (tissue.wm > _SURELY_WHITE).any() else np.inf
    # marrow and fat under the skull are much brighter than white matter; vessels inside are filled again as holes
    fat = corrected > _FAT_OVER_WHITE * white
    ventricles = structures[STRUCTURES.index("ventricles")] > _HALF
    box = box_around(coarse.intracranial_mask, _BOX_MARGIN_MM / voxel_mm)
    brain = np.zeros_like(coarse.brain_mask)
    foreign = fat
    foreign[box] |= _gray_lumps(tissue, structures, voxel_mm, box)
    solid = ((tissue.gm + tissue.wm > _HALF) | (ventricles & coarse.intracranial_mask)) & ~foreign
    found = main_body(solid[box], _THIN_MM, voxel_mm)
    brain[box] = close_mask(found, _CLOSING_MM, voxel_mm)
    intracranial = np.zeros_like(brain)
    intracranial[box] = main_body(((coarse.intracranial_mask & ~foreign) | brain)[box], _THIN_MM, voxel_mm)
    return BrainExtraction(brain, intracranial)


def extract_brain(image: Image, voxel_to_ras: Affine, *, predict: Predict) -> BrainExtraction:
    """Find brain and intracranial space in a T1w scan of a whole, defaced or stripped head.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        T1w intensities of any unit, orientation and voxel size.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.
    predict : callable
        The structure network, see `structures.label_structures`.

    Returns
    -------
    BrainExtraction

    Raises
    ------
    ValueError
        Less than a brain was found.
    """
    structures = label_structures(image, voxel_to_ras, predict=predict)
    coarse = masks_from_structures(structures, voxel_to_ras)
    return refine_brain(image, voxel_to_ras, structures, coarse)
