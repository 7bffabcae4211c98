"""Where the structures of the head are: a coarse probability for each voxel, from a small network.

The network reads the whole head at 2 mm in RAS orientation; its probabilities are brought back to the scan's own
grid, where the intensity model of `tissue` sharpens them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from graytrace.algorithms.grids import cubic_affine, voxel_sizes_mm
from graytrace.algorithms.resampling import resample
from graytrace.algorithms.smoothing import gaussian
from graytrace.arrays import Affine, Image, Mask, Points, Probabilities, Vector

STRUCTURES = (
    "outside",
    "cortex",
    "cerebellar_cortex",
    "deep_gray",
    "white_matter",
    "brainstem",
    "ventricles",
    "outer_csf",
)
# "by hand" here: set while the method was written, on simulated heads, with no comparison of values on record
# of intensities, the same as in training: threshold of the foreground over what is brightest, percentile of the
# foreground that becomes 1, and largest value kept
_FOREGROUND, _BRIGHT_PERCENTILE, _BRIGHTEST = 0.1, 98, 1.5  # by hand
_FWHM_OF_SD = 2.355  # full width at half maximum of a Gaussian over its standard deviation, 2 sqrt(2 ln 2)
VOXEL_MM = 2.0  # of training
_TRAINED_SHAPE = (80, 96, 80)  # of the windows of training
_MARGIN_VOXELS = 8  # by hand: 16 mm of head around a brain
_SIDE_MULTIPLE = 16  # the network halves its grid three times after a first halving
_HEAD_HEIGHT_MM = 224.0  # from the vertex down: below this is neck, whatever the field of view
_TOP_PERCENTILE = 99.5  # by hand: brighter are vessels and artifacts
_UPPER_HEAD_MM = 110.0  # from the vertex down to about the eyes
_PLAUSIBLE_ML = (500.0, 2500.0)  # by hand: intracranial volumes of people lie well within
_MARGIN_MM = 6.0  # by hand: around the head's points, of which a thousandth is left out on either side
_HEAD_RANGE = (0.1, 99.9)  # by hand, percentiles of the head's points: stray points do not widen it
_VERTEX_PERCENTILE = 99.95  # by hand, of heights: stray points are no vertex
_UPPER_RANGE = (0.5, 99.5)  # by hand, percentiles: hands, hair or a coil do not move the window aside
_BRAIN_RANGE = (0.2, 99.8)  # by hand, percentiles: what a first look took for brain elsewhere does not widen it
_CUT_VOXELS = 2  # by hand: bridges thinner than about 8 mm, to eyes and face, are cut
_LIKELY = 0.5  # probability above which one thing is likelier than all others
_SMOOTH_MM = 3.0  # by hand: single bright voxels of air are no head
_AIR_FRACTION = 0.12  # by hand; of the 98th percentile; a scalp is brighter than this, air and its noise are darker

Batch: TypeAlias = NDArray[np.floating[Any]]
"""(1, C, x, y, z) float32: what a network reads, intensities with C = 1, and gives, logits of C structures."""

Predict = Callable[[Batch], Batch]
Shape = tuple[int, int, int]


def normalize_intensities(image: Image) -> Image:
    """Scale an image to about [0, 1] by the bright end of its foreground.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit, air near zero.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In [0, 1.5].
    """
    image = np.maximum(np.asarray(image, dtype=np.float32), 0)
    top = np.percentile(image, _TOP_PERCENTILE)
    foreground = image[image > _FOREGROUND * top]
    scale = np.percentile(foreground, _BRIGHT_PERCENTILE) if foreground.size else 1.0
    return np.asarray(np.clip(image / max(float(scale), 1e-6), 0, _BRIGHTEST), dtype=np.float32)


def _foreground_points(image: Image, voxel_to_ras: Affine) -> Points:
    """RAS coordinates (N, 3) of what is brighter than air."""
    voxel_mm = voxel_sizes_mm(voxel_to_ras)
    smooth = gaussian(image, _SMOOTH_MM / voxel_mm)
    foreground = np.argwhere(smooth > _AIR_FRACTION * np.percentile(smooth, _BRIGHT_PERCENTILE))
    return np.asarray(foreground @ voxel_to_ras[:3, :3].T + voxel_to_ras[:3, 3])


def _grid_at(low: Vector, high: Vector, sides: NDArray[np.integer[Any]]) -> tuple[Affine, Shape]:
    """The 2 mm RAS grid of `sides` voxels around the middle of a box in RAS mm."""
    grid_to_ras = cubic_affine(VOXEL_MM, (low + high) / 2 - VOXEL_MM * (sides - 1) / 2)
    return grid_to_ras, (int(sides[0]), int(sides[1]), int(sides[2]))


def head_grid(points: Points) -> tuple[Affine, Shape]:
    """The 2 mm RAS grid around a head.

    Parameters
    ----------
    points : (N, 3) ndarray
        Of the head, RAS mm.

    Returns
    -------
    grid_to_ras : (4, 4) ndarray
        Grid indices to RAS mm.
    shape : 3 ints
        Multiples of 16, from 32 to 160.
    """
    low, high = np.percentile(points, _HEAD_RANGE, axis=0)
    low, high = low - _MARGIN_MM, high + _MARGIN_MM
    low[2] = max(low[2], high[2] - _HEAD_HEIGHT_MM)
    sides = np.ceil((high - low) / VOXEL_MM / _SIDE_MULTIPLE).astype(int) * _SIDE_MULTIPLE
    return _grid_at(low, high, np.clip(sides, 2 * _SIDE_MULTIPLE, 10 * _SIDE_MULTIPLE))


def vertex_grid(points: Points) -> tuple[Affine, Shape]:
    """A grid of the shape of training that hangs from the vertex over the upper half of a head.

    Parameters
    ----------
    points : (N, 3) ndarray
        Of the head, RAS mm.

    Returns
    -------
    grid_to_ras : (4, 4) ndarray
        Grid indices to RAS mm.
    shape : 3 ints
    """
    top = float(np.percentile(points[:, 2], _VERTEX_PERCENTILE))
    low, high = np.percentile(points[points[:, 2] > top - _UPPER_HEAD_MM], _UPPER_RANGE, axis=0)
    sides = np.array(_TRAINED_SHAPE)
    high[2] = top + 2 * _MARGIN_MM
    low[2] = high[2] - VOXEL_MM * (sides[2] - 1)
    return _grid_at(low, high, sides)


def _on_grid(smooth: Image, grid_to_voxel: Affine, shape: Shape, predict: Predict) -> Probabilities:
    """Structure probabilities (C, x, y, z) on a 2 mm grid."""
    head = resample(smooth, grid_to_voxel, shape)
    logits = predict(normalize_intensities(head)[None, None])[0]
    logits = logits - logits.max(0)
    probability = np.exp(logits, dtype=np.float32)
    return np.asarray(probability / probability.sum(0))


def _doubt(probability: Probabilities) -> float:
    """How unsure the network is of what it found: entropy per intracranial voxel, infinite if that is no head's."""
    inside = probability[0] < _LIKELY  # likelier head than outside
    volume_ml = float(np.count_nonzero(inside)) * VOXEL_MM**3 / 1000
    if not _PLAUSIBLE_ML[0] < volume_ml < _PLAUSIBLE_ML[1]:
        return float("inf")
    entropy = -(probability * np.log(probability + 1e-6)).sum()  # 1e-6: nothing times minus infinity is nothing
    return float(entropy / np.count_nonzero(inside))


def _window(first: Probabilities, grid_to_ras: Affine) -> tuple[Affine, Shape]:
    """The grid that the second look takes: the brain of the first look in the middle of what training showed."""
    brain = ndimage.binary_opening(first[1:-1].sum(0) > _LIKELY, iterations=_CUT_VOXELS)
    labels, count = measure.label(brain, connectivity=1, return_num=True)
    if count == 0:
        return grid_to_ras, (first.shape[1], first.shape[2], first.shape[3])
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return _window_around(np.argwhere(labels == sizes.argmax()) @ grid_to_ras[:3, :3].T + grid_to_ras[:3, 3])


def _window_around(points: Points) -> tuple[Affine, Shape]:
    """The 2 mm grid around a brain's points (N, 3) in RAS mm: large enough for it, not much larger than in training."""
    low, high = np.percentile(points, _BRAIN_RANGE, axis=0)
    wanted = np.ceil(((high - low) / VOXEL_MM + 2 * _MARGIN_VOXELS) / _SIDE_MULTIPLE).astype(int) * _SIDE_MULTIPLE
    sides = np.clip(wanted, _TRAINED_SHAPE, np.add(_TRAINED_SHAPE, _SIDE_MULTIPLE))
    # a first look that took a piece of face for brain reaches too far down, never too far up
    low[2] = max(low[2], high[2] - VOXEL_MM * (sides[2] - 2 * _MARGIN_VOXELS))
    return _grid_at(low, high, sides)


def label_structures(
    image: Image, voxel_to_ras: Affine, *, predict: Predict, brain_mask: Mask | None = None
) -> Probabilities:
    """Probability of each structure of `STRUCTURES` in each voxel of a T1w scan.

    The network looks twice.  The first look finds the brain: in a window below the vertex or in the whole head,
    whichever leaves the network less in doubt.  The second looks at a window around it like those of training,
    so that face, neck and shoulders are hardly in the picture.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        T1w scan of a head, any unit and orientation.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS millimeters.
    predict : callable
        The network: (1, 1, x, y, z) float32 intensities to (1, C, x, y, z) logits.
    brain_mask : (X, Y, Z) bool array-like, optional
        Where the brain is known already, the first look is left out.

    Returns
    -------
    (C, X, Y, Z) float32 ndarray
        In [0, 1], sums to one over C.
    """
    image = np.asarray(image, dtype=np.float32)
    voxel_to_ras = np.asarray(voxel_to_ras, dtype=float)
    voxel_mm = voxel_sizes_mm(voxel_to_ras)
    # the grid's voxel averages over 2 mm; what the scan's own voxel has averaged already is not smoothed again
    sigma_mm = np.sqrt(np.maximum(VOXEL_MM**2 - voxel_mm**2, 0)) / _FWHM_OF_SD
    smooth = gaussian(image, sigma_mm / voxel_mm)
    ras_to_voxel = np.linalg.inv(voxel_to_ras)
    if brain_mask is None:
        looks = []
        points = _foreground_points(image, voxel_to_ras)
        for grid_to_ras, shape in (vertex_grid(points), head_grid(points)):
            looks.append((_on_grid(smooth, ras_to_voxel @ grid_to_ras, shape, predict), grid_to_ras))
        window_to_ras, shape = _window(*min(looks, key=lambda look: _doubt(look[0])))
    else:
        window_to_ras, shape = _window_around(np.argwhere(brain_mask) @ voxel_to_ras[:3, :3].T + voxel_to_ras[:3, 3])
    probability = _on_grid(smooth, ras_to_voxel @ window_to_ras, shape, predict)
    voxel_to_window = np.linalg.inv(window_to_ras) @ voxel_to_ras
    on_scan = np.empty((len(STRUCTURES), *image.shape), np.float32)
    for number, coarse in enumerate(probability):
        on_scan[number] = resample(coarse, voxel_to_window, image.shape, outside=1.0 if number == 0 else 0.0)
    return on_scan
