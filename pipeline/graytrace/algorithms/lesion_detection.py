"""White-matter lesions of a scan that has no lesion mask: on FLAIR, or else as islands of gray in white matter."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813 (its documented name)
from scipy import ndimage
from skimage import filters, measure, morphology

from graytrace.algorithms.distance import distance_to
from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.algorithms.robust import SD_OF_MAD
from graytrace.algorithms.smoothing import gaussian
from graytrace.algorithms.structures import STRUCTURES
from graytrace.arrays import Affine, Fractions, Image, Mask, Probabilities, ScalarField, Vector

# "by hand" here: set while the method was written, on three simulated scans with 48 lesions (docs/validation.md)
_SURE = 0.9  # by hand: probability from which a voxel stands for a tissue
_LIKELY, _NUCLEI = 0.5, 0.4  # by hand: of fluid and of edges; of deep gray and brainstem, which are to be kept
_FLUID_OVER_WHITE = 0.8  # by hand: FLAIR nulls fluid, a T2w scan shows it bright
_SEED_WHITE_SDS, _SEED_GRAY_SDS = 4.0, 2.5  # by hand, after de Boer et al., see `find_lesions`
_GROWN_WHITE_SDS, _GROWN_GRAY_SDS = 2.5, 2.0  # by hand, the same
_BLUR_MM = 0.7  # by hand: noise is no lesion
_COARSEST_ISLANDS_MM = 2.0  # of voxels: cortex and nuclei that a thicker slice cuts look like islands, up to 1 ml
_ZONE_MM = 3.0  # by hand: a lesion's hole in white matter is bridged
_ZONE = 0.5  # by hand: mostly white matter or ventricle
_CORTEX_MM = 1.5  # by hand: cortex and what shares its voxels
_ISLAND_ML = 1.0  # by hand: smaller pieces of "cortex" may be lesions
_SPECK_ML = 0.009  # a lesion has at least 10 voxels of 1 mm
_GRAY = 0.6  # by hand: more gray than a border
_NUCLEI_MM, _BRAINSTEM_MM = 2.0, 4.0  # by hand: their borders with white matter are blurred
_WITHIN = 0.7  # by hand; of an island lies deep in white matter; a bridge makes it part of cortex or nuclei
_SMALLEST_ML = 0.03  # by hand: 30 voxels of 1 mm
_RIM_MM, _RIM_GRAY, _RIM_FLUID = 1.8, 0.1, 0.5  # by hand: voxels that share a lesion with white matter, not with fluid
_BINS, _SAMPLED = 48, 0.25  # by hand: of the joint histogram; part of the voxels, for time
_FIRST_STEP, _LAST_STEP, _MAX_STEPS, _FLAT = 1.0, 1e-3, 60, 1e-6  # by hand: mm, mm, and a gradient that is none
_SHRINK, _SMOOTH_MM = (4, 2), (2.0, 1.0)  # by hand: coarse and fine level
_SEED = 20  # any: the same scans get the same transform


def _itk_image(image: Image, voxel_to_ras: Affine) -> sitk.Image:
    """The grid in RAS millimeters, as ITK wants it: unit axes, voxel sizes, origin."""
    affine = np.asarray(voxel_to_ras, float)
    voxel_mm = voxel_sizes_mm(affine)
    volume = sitk.GetImageFromArray(np.ascontiguousarray(np.asarray(image, np.float32).T))
    volume.SetSpacing(voxel_mm.tolist())
    volume.SetDirection((affine[:3, :3] / voxel_mm).ravel().tolist())
    volume.SetOrigin(affine[:3, 3].tolist())
    return volume


def bring_flair(flair: Image, flair_to_ras: Affine, image: Image, voxel_to_ras: Affine) -> Image:
    """A FLAIR scan on the grid of the T1w scan of the same session.

    Rigid, by mutual information (Mattes et al., https://doi.org/10.1109/TMI.2003.809072), from where the headers put
    it: a patient moves little within a session.

    Parameters
    ----------
    flair : (U, V, W) array-like
        Intensities of any unit.
    flair_to_ras : (4, 4) array-like
        Its voxel indices to RAS mm.
    image : (X, Y, Z) array-like
        T1w intensities of any unit.
    voxel_to_ras : (4, 4) array-like
        Its voxel indices to RAS mm.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In the FLAIR scan's unit, zero where it has nothing.

    Raises
    ------
    ValueError
        The two scans have no part of the head in common.
    """
    fixed, moving = _itk_image(image, voxel_to_ras), _itk_image(flair, flair_to_ras)
    registration = sitk.ImageRegistrationMethod()
    registration.SetNumberOfThreads(1)  # sums over threads differ in their last digits
    registration.SetMetricAsMattesMutualInformation(_BINS)
    registration.SetMetricSamplingStrategy(registration.REGULAR)
    registration.SetMetricSamplingPercentage(_SAMPLED, _SEED)
    registration.SetInterpolator(sitk.sitkLinear)
    registration.SetOptimizerAsRegularStepGradientDescent(
        _FIRST_STEP, _LAST_STEP, _MAX_STEPS, gradientMagnitudeTolerance=_FLAT
    )
    registration.SetOptimizerScalesFromPhysicalShift()
    registration.SetShrinkFactorsPerLevel(list(_SHRINK))
    registration.SetSmoothingSigmasPerLevel(list(_SMOOTH_MM))
    registration.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
    middle = fixed.TransformContinuousIndexToPhysicalPoint([(side - 1) / 2 for side in fixed.GetSize()])
    start = sitk.Euler3DTransform()
    start.SetCenter(middle)
    registration.SetInitialTransform(start, inPlace=False)
    try:
        rigid = registration.Execute(fixed, moving)
    except RuntimeError as error:
        if "outside" not in str(error):  # ITK's word for images that do not meet; all else is its own failure
            raise
        raise ValueError("the FLAIR scan and the T1w scan have no part of the head in common") from error
    found = sitk.Resample(moving, fixed, rigid, sitk.sitkLinear, 0.0, sitk.sitkFloat32)
    return np.ascontiguousarray(sitk.GetArrayFromImage(found).T)


def find_lesions(flair: Image, structures: Probabilities, brain_mask: Mask, voxel_to_ras: Affine) -> Mask:
    """White-matter lesions: what is brighter on FLAIR than normal white and gray matter of the same scan.

    Seeds lie four robust standard deviations above white matter and two and a half above gray matter; they grow to two
    and a half and two (after de Boer et al., https://doi.org/10.1016/j.neuroimage.2009.01.011, with robust statistics).
    Cortex is as bright as a faint lesion, so nothing is sought within 1.5 mm of it or of the fluid outside.

    Parameters
    ----------
    flair : (X, Y, Z) array-like
        Any unit, on the T1w scan's grid, see `bring_flair`.
    structures : (C, X, Y, Z) float array-like
        Probabilities in [0, 1] from `structures.label_structures`.
    brain_mask : (X, Y, Z) bool array-like
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.

    Returns
    -------
    (X, Y, Z) bool ndarray
        Within the brain mask.

    Raises
    ------
    ValueError
        White and gray matter cannot be told on the FLAIR scan, or fluid is not dark: it is no FLAIR of this head.
    """
    voxel_mm = voxel_sizes_mm(voxel_to_ras)
    white, cortex, ventricles = (
        structures[STRUCTURES.index(name)] for name in ("white_matter", "cortex", "ventricles")
    )
    brain = np.asarray(brain_mask, bool)
    smooth = gaussian(flair, _BLUR_MM / voxel_mm)
    normal = {}
    for name, sure in (("white matter", white > _SURE), ("cortex", cortex > _SURE), ("ventricles", ventricles > _SURE)):
        values = smooth[sure & brain & (smooth > 0)]
        if values.size == 0:
            raise ValueError(f"the FLAIR scan does not reach the {name}")
        middle = float(np.median(values))
        normal[name] = middle, SD_OF_MAD * float(np.median(np.abs(values - middle)))
    (wm, wm_sd), (gm, gm_sd), (fluid, _) = normal.values()
    if not fluid < _FLUID_OVER_WHITE * wm:
        raise ValueError(f"fluid is not dark on the FLAIR scan ({fluid:.3g}, white matter {wm:.3g})")
    edge = cortex + structures[STRUCTURES.index("outer_csf")] + structures[STRUCTURES.index("outside")]
    zone, _ = _deep_in_white(white + ventricles, edge, voxel_mm)
    high = max(wm + _SEED_WHITE_SDS * wm_sd, gm + _SEED_GRAY_SDS * gm_sd)
    low = max(wm + _GROWN_WHITE_SDS * wm_sd, gm + _GROWN_GRAY_SDS * gm_sd)
    found = filters.apply_hysteresis_threshold(np.where(zone & brain & (ventricles < _LIKELY), smooth, 0), low, high)
    speck = _SPECK_ML / (voxel_mm.prod() / 1000)
    return np.asarray(morphology.remove_small_objects(found, max_size=speck, connectivity=2))


def _deep_in_white(inner: ScalarField, edge: ScalarField, voxel_mm: Vector) -> tuple[Mask, ScalarField]:
    """Where lesions are sought, mostly `inner` and away from `edge` (both probabilities), and distance to the edge."""
    from_edge = distance_to(_without_islands(edge > _LIKELY, voxel_mm), voxel_mm, max(_CORTEX_MM, _BLUR_MM))
    zone = gaussian(inner, _ZONE_MM / voxel_mm) > _ZONE
    return zone & (from_edge > _CORTEX_MM), from_edge


def _without_islands(part: Mask, voxel_mm: Vector) -> Mask:
    """A mask without its small pieces: the network takes many a lesion for an island of cortex or a nucleus."""
    smallest = _ISLAND_ML / (voxel_mm.prod() / 1000)
    return np.asarray(morphology.remove_small_objects(part, max_size=smallest, connectivity=1))


def find_gray_islands(
    gm: Fractions,
    csf: Fractions,
    structures: Probabilities,
    brain_mask: Mask,
    voxel_to_ras: Affine,
) -> Mask:
    """Gray matter all around which is white matter: a lesion that no mask and no FLAIR scan tells of.

    On T1w a lesion is as dark as cortex.  What is connected with cortex, deep nuclei or brainstem is left alone,
    since taking true gray matter away would be the larger error: a third of the lesions are found, and nothing else.
    Voxels longer than 2 mm along an axis tell nothing of islands, so none is sought.

    Parameters
    ----------
    gm, csf : (X, Y, Z) float32
        Fractions in [0, 1] from `tissue.segment_tissue`.
    structures : (C, X, Y, Z) float array-like
        Probabilities in [0, 1] from `structures.label_structures`.
    brain_mask : (X, Y, Z) bool array-like
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.

    Returns
    -------
    (X, Y, Z) bool ndarray
        The islands with the rim that shares their voxels with white matter.
    """
    voxel_mm = voxel_sizes_mm(voxel_to_ras)
    islands = np.zeros(np.shape(gm), bool)
    brain = np.asarray(brain_mask, bool)
    if not brain.any() or voxel_mm.max() > _COARSEST_ISLANDS_MM:
        return islands
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    islands[box] = _islands(
        gm[box], csf[box], {name: structures[number][box] for number, name in enumerate(STRUCTURES)}, voxel_mm
    )
    return np.asarray(islands & brain)


def _islands(gm: Fractions, csf: Fractions, structures: dict[str, ScalarField], voxel_mm: Vector) -> Mask:
    voxel_ml = voxel_mm.prod() / 1000
    edge = structures["cortex"] + structures["cerebellar_cortex"] + structures["outer_csf"] + structures["outside"]
    deep, from_edge = _deep_in_white(structures["white_matter"] + structures["ventricles"], edge, voxel_mm)
    nuclei = _without_islands(structures["deep_gray"] > _NUCLEI, voxel_mm)
    for part, reach_mm in ((nuclei, _NUCLEI_MM), (structures["brainstem"] > _NUCLEI, _BRAINSTEM_MM)):
        deep &= distance_to(part, voxel_mm, reach_mm) > reach_mm
    labels, count = measure.label(gaussian(gm, _BLUR_MM / voxel_mm) > _GRAY, connectivity=1, return_num=True)
    sizes, sizes_deep = (np.bincount(at.ravel(), minlength=count + 1) for at in (labels, labels[deep]))
    island = (sizes_deep > _WITHIN * sizes) & (sizes * voxel_ml > _SMALLEST_ML)
    island[0] = False
    found = island[labels]
    rim = (distance_to(found, voxel_mm, _RIM_MM) < _RIM_MM) & (gm > _RIM_GRAY) & (csf < _RIM_FLUID)
    return np.asarray(found | (rim & (from_edge > _BLUR_MM)))


def whiten_islands(
    gm: Fractions, wm: Fractions, subcortical_gm: Fractions, islands: Mask
) -> tuple[Fractions, Fractions, Fractions]:
    """Gray matter of islands counted as white matter.

    Parameters
    ----------
    gm, wm, subcortical_gm : (X, Y, Z) float32
        Fractions in [0, 1] from `tissue.segment_tissue`.
    islands : (X, Y, Z) bool ndarray
        From `find_gray_islands`.

    Returns
    -------
    gm, wm, subcortical_gm : (X, Y, Z) float32
        In [0, 1]; gray and white matter have the same sum as before.
    """
    return np.where(islands, 0, gm), np.where(islands, wm + gm, wm), np.where(islands, 0, subcortical_gm)
