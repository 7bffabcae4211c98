"""White-matter lesions: filled before segmentation, so that they count as the white matter they are."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from graytrace.algorithms.distance import distance_to
from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.algorithms.smoothing import gaussian
from graytrace.arrays import Affine, Image, Mask, Vector

Cells: TypeAlias = NDArray[np.integer[Any]]
"""(N, 3) int: indices of cells of 3 mm along right, front and top, from the scanner's origin."""

_RIM_MM = 1.2  # by hand: a voxel of 1 mm and its neighbor; partial volume around a lesion's mask
_RING_MM = 6.0  # by hand: near enough to look alike, wide enough to hold hundreds of voxels around a small lesion
_SPREAD_MM = 3.0  # by hand: Gaussian weight of that white matter
_FARTHEST = 1e-3  # weight below which no white matter is near: its mean as a whole takes its place
_DARKEST_RIM = 0.6  # by hand, of the threshold between gray and white: darker is a border with CSF
_SEED = 20  # any: the same scan gets the same texture
_WHITE_PERCENTILE = 90  # by hand: white matter, about, of a brain whose lesions have none around them
_STARTS = (10.0, 45.0, 85.0)  # by hand: percentiles of a brain's intensities that lie in CSF, gray and white matter
_CLUSTER_ITERATIONS, _CLUSTER_CONVERGED = 30, 1e-5  # a limit, convergence ends before it as a rule; relative
_CELL_MM = 3.0  # by hand: a small lesion is some cells, a head full of them some thousand
_NEAR_MM = 4.5  # by hand: a cell and a half, for what outlines by hand and the alignment leave
_FEW_CELLS = 37  # 1 ml: the position of fewer tells nothing
_HARDLY_ANY_CELLS = 4  # 0.1 ml
_THINNED = 7  # every seventh voxel: enough for three means


def _gray_white_threshold(values: Vector) -> float:
    """Halfway between the two brighter of three intensity clusters (CSF, gray, white)."""
    centers = np.percentile(values, _STARTS)
    for _ in range(_CLUSTER_ITERATIONS):
        edges = (centers[:-1] + centers[1:]) / 2
        cluster = np.digitize(values, edges)
        new = np.array([values[cluster == k].mean() if np.any(cluster == k) else centers[k] for k in range(3)])
        if np.allclose(new, centers, rtol=_CLUSTER_CONVERGED):
            break
        centers = new
    return float((centers[1] + centers[2]) / 2)


def fill_lesions(image: Image, lesion_mask: Mask, brain_mask: Mask, voxel_to_ras: Affine) -> Image:
    """Replace lesions by white matter like that around them: its local mean and its texture.

    Both visits of a patient are filled by this same rule.  Method after Battaglini et al.,
    https://doi.org/10.1002/hbm.21248, with a local mean.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Bias-corrected intensities of any unit.
    lesion_mask, brain_mask : (X, Y, Z) bool array-like
        The brain is not empty.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In the image's unit; the image itself where there is no lesion.
    """
    filled = np.array(image, dtype=np.float32)
    lesion = np.asarray(lesion_mask, bool)
    brain = np.asarray(brain_mask, bool)
    if not lesion.any():
        return filled
    voxel_mm = voxel_sizes_mm(voxel_to_ras)
    threshold = _gray_white_threshold(filled[brain & ~lesion][::_THINNED])
    distance = distance_to(lesion, voxel_mm, _RING_MM)
    ring = brain & (distance > _RIM_MM) & (distance < _RING_MM) & (filled > threshold)
    sigma = _SPREAD_MM / voxel_mm
    weight = gaussian(ring, sigma)
    mean = gaussian(np.where(ring, filled, 0), sigma) / np.maximum(weight, 1e-6)  # not zero
    fallback = float(filled[ring].mean()) if ring.any() else float(np.percentile(filled[brain], _WHITE_PERCENTILE))
    mean = np.where(weight > _FARTHEST, mean, fallback)
    texture = filled[ring] - mean[ring] if ring.any() else np.zeros(1, np.float32)
    # the rim is lesion where it is darker than the white matter beside it and brighter than a CSF border would be
    rim = brain & (distance <= _RIM_MM) & (filled < mean) & (filled > _DARKEST_RIM * threshold)
    target = lesion | rim
    rng = np.random.default_rng(_SEED)
    filled[target] = mean[target] + rng.choice(texture, int(target.sum()))
    return filled


def list_lesion_cells(lesion_mask: Mask, voxel_to_ras: Affine) -> Cells:
    """Where lesions are, in cells of 3 mm: small enough to be kept in a record.

    Parameters
    ----------
    lesion_mask : (X, Y, Z) bool array-like
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.

    Returns
    -------
    (N, 3) int16 ndarray
        Indices of the cells that hold a voxel of the mask, sorted.
    """
    matrix = np.asarray(voxel_to_ras)
    ras_mm = np.argwhere(lesion_mask) @ matrix[:3, :3].T + matrix[:3, 3]
    return np.unique(np.rint(ras_mm / _CELL_MM).astype(np.int16), axis=0)


def measure_lesion_overlap_percent(
    baseline: Cells, followup: Cells, baseline_to_midway: Affine, followup_to_midway: Affine
) -> float | None:
    """How much of the visit with fewer lesions lies where the other visit has lesions too, percent. Higher is better.

    ``100 * share of its cells within 4.5 mm of a cell of the other visit``, after alignment. Lesions stay and grow; the
    mask of another patient, of the other visit or beside its scan does not fit. Our own definition.

    Parameters
    ----------
    baseline, followup : (N, 3) int array-like
        From `list_lesion_cells`.
    baseline_to_midway, followup_to_midway : (4, 4) array-like
        RAS mm of each visit to RAS mm of midway space.

    Returns
    -------
    float or None
        None where neither visit has 1 ml of lesions; 0 where only one of them has any.
    """
    places = []
    for cells, matrix in ((baseline, np.asarray(baseline_to_midway)), (followup, np.asarray(followup_to_midway))):
        ras_mm = _CELL_MM * np.asarray(cells, dtype=float).reshape(-1, 3)
        places.append(ras_mm @ matrix[:3, :3].T + matrix[:3, 3])
    fewer, more = sorted(places, key=len)
    if len(more) < _FEW_CELLS:
        return None
    if len(fewer) < _HARDLY_ANY_CELLS:
        return 0.0
    distance, _ = cKDTree(more).query(fewer)
    return 100 * float((distance <= _NEAR_MM).mean())


def measure_lesion_outside_percent(lesion_mask: Mask, brain_mask: Mask) -> float | None:
    """How much of a lesion mask lies outside the brain.

    Parameters
    ----------
    lesion_mask, brain_mask : (X, Y, Z) bool
        On one grid.

    Returns
    -------
    float or None
        Percent, lower is better; None where nothing is in the mask.
    """
    lesion = np.asarray(lesion_mask, bool)
    count = np.count_nonzero(lesion)
    return 100 * float(np.count_nonzero(lesion & ~np.asarray(brain_mask, bool))) / count if count else None
