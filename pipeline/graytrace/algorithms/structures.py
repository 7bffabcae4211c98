"""Where the structures of the head are: a coarse probability for each voxel, from a small network.

The network reads the whole head at 2 mm in RAS orientation; its probabilities are brought back to the scan's own
grid, where the intensity model of `tissue` sharpens them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from graytrace.algorithms.resampling import resample

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
VOXEL_MM = 2.0
_TRAINED_SHAPE = (80, 96, 80)
_MARGIN_VOXELS = 8
_SIDE_MULTIPLE = 16  # the network halves its grid three times after a first halving
_HEAD_HEIGHT_MM = 224.0  # from the vertex down: below this is neck, whatever the field of view
_UPPER_HEAD_MM = 110.0  # from the vertex down to about the eyes
_PLAUSIBLE_ML = (500.0, 2500.0)
_MARGIN_MM = 6.0
_AIR_FRACTION = 0.12  # of the 98th percentile; a scalp is brighter than this, air and its noise are darker

Predict = Callable[[NDArray[Any]], NDArray[Any]]
Shape = tuple[int, int, int]


def normalize_intensities(image: NDArray[Any]) -> NDArray[Any]:
    """Scale an image to about [0, 1] by the bright end of its foreground.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit, air near zero.

    Returns
    -------
    (X, Y, Z) float32 ndarray in [0, 1.5].
    """
    image = np.maximum(np.asarray(image, dtype=np.float32), 0)
    top = np.percentile(image, 99.5)
    foreground = image[image > 0.1 * top]
    scale = np.percentile(foreground, 98) if foreground.size else 1.0
    return np.clip(image / max(float(scale), 1e-6), 0, 1.5).astype(np.float32)


def _foreground_points(image: NDArray[Any], voxel_to_ras: NDArray[Any]) -> NDArray[Any]:
    """RAS coordinates (N, 3) of what is brighter than air."""
    voxel_mm = np.linalg.norm(voxel_to_ras[:3, :3], axis=0)
    smooth = ndimage.gaussian_filter(image.astype(np.float32), 3.0 / voxel_mm)
    foreground = np.argwhere(smooth > _AIR_FRACTION * np.percentile(smooth, 98))
    return np.asarray(foreground @ voxel_to_ras[:3, :3].T + voxel_to_ras[:3, 3])


def _grid_at(low: NDArray[Any], high: NDArray[Any], sides: NDArray[Any]) -> tuple[NDArray[Any], Shape]:
    """The 2 mm RAS grid of `sides` voxels around the middle of a box in RAS mm."""
    grid_to_ras = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    grid_to_ras[:3, 3] = (low + high) / 2 - VOXEL_MM * (sides - 1) / 2
    return grid_to_ras, (int(sides[0]), int(sides[1]), int(sides[2]))


def head_grid(points: NDArray[Any]) -> tuple[NDArray[Any], Shape]:
    """The 2 mm RAS grid around the head's points (N, 3) in RAS mm: (4, 4) grid to RAS affine and shape."""
    low, high = np.percentile(points, [0.1, 99.9], axis=0)
    low, high = low - _MARGIN_MM, high + _MARGIN_MM
    low[2] = max(low[2], high[2] - _HEAD_HEIGHT_MM)
    sides = np.ceil((high - low) / VOXEL_MM / _SIDE_MULTIPLE).astype(int) * _SIDE_MULTIPLE
    return _grid_at(low, high, np.clip(sides, 2 * _SIDE_MULTIPLE, 10 * _SIDE_MULTIPLE))


def vertex_grid(points: NDArray[Any]) -> tuple[NDArray[Any], Shape]:
    """A grid of the shape of training that hangs from the vertex over the upper half of the head's points."""
    top = float(np.percentile(points[:, 2], 99.95))
    low, high = np.percentile(points[points[:, 2] > top - _UPPER_HEAD_MM], [0.5, 99.5], axis=0)
    sides = np.array(_TRAINED_SHAPE)
    high[2] = top + 2 * _MARGIN_MM
    low[2] = high[2] - VOXEL_MM * (sides[2] - 1)
    return _grid_at(low, high, sides)


def _on_grid(smooth: NDArray[Any], grid_to_voxel: NDArray[Any], shape: Shape, predict: Predict) -> NDArray[Any]:
    """Structure probabilities (C, x, y, z) on a 2 mm grid."""
    head = resample(smooth, grid_to_voxel, shape)
    logits = predict(normalize_intensities(head)[None, None])[0]
    logits = logits - logits.max(0)
    probability = np.exp(logits, dtype=np.float32)
    return np.asarray(probability / probability.sum(0))


def _doubt(probability: NDArray[Any]) -> float:
    """How unsure the network is of what it found: entropy per intracranial voxel, infinite if that is no head's."""
    inside = probability[0] < 0.5
    volume_ml = float(np.count_nonzero(inside)) * VOXEL_MM**3 / 1000
    if not _PLAUSIBLE_ML[0] < volume_ml < _PLAUSIBLE_ML[1]:
        return float("inf")
    entropy = -(probability * np.log(probability + 1e-6)).sum()
    return float(entropy / np.count_nonzero(inside))


def _window(first: NDArray[Any], grid_to_ras: NDArray[Any]) -> tuple[NDArray[Any], Shape]:
    """The grid that the second look takes: the brain of the first look in the middle of what training showed."""
    brain = ndimage.binary_opening(first[1:-1].sum(0) > 0.5, iterations=2)
    labels, count = measure.label(brain, connectivity=1, return_num=True)
    if count == 0:
        return grid_to_ras, (first.shape[1], first.shape[2], first.shape[3])
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return _window_around(np.argwhere(labels == sizes.argmax()) @ grid_to_ras[:3, :3].T + grid_to_ras[:3, 3])


def _window_around(points: NDArray[Any]) -> tuple[NDArray[Any], Shape]:
    """The 2 mm grid around a brain's points (N, 3) in RAS mm: large enough for it, not much larger than in training."""
    low, high = np.percentile(points, [0.2, 99.8], axis=0)
    wanted = np.ceil(((high - low) / VOXEL_MM + 2 * _MARGIN_VOXELS) / _SIDE_MULTIPLE).astype(int) * _SIDE_MULTIPLE
    sides = np.clip(wanted, _TRAINED_SHAPE, np.add(_TRAINED_SHAPE, _SIDE_MULTIPLE))
    # a first look that took a piece of face for brain reaches too far down, never too far up
    low[2] = max(low[2], high[2] - VOXEL_MM * (sides[2] - 2 * _MARGIN_VOXELS))
    return _grid_at(low, high, sides)


def label_structures(
    image: NDArray[Any], voxel_to_ras: NDArray[Any], *, predict: Predict, brain_mask: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Probability of each structure of `STRUCTURES` in each voxel of a T1w scan.

    The network looks twice.  The first look finds the brain: in a window below the vertex or in the whole head,
    whichever leaves the network less in doubt.  The second looks at a window around it like those of training,
    so that face, neck and shoulders are hardly in the picture.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        T1w scan of a head, any unit and orientation.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS millimetres.
    predict : callable
        The network: (1, 1, x, y, z) float32 intensities to (1, C, x, y, z) logits.
    brain_mask : (X, Y, Z) bool array-like, optional
        Where the brain is known already, the first look is left out.

    Returns
    -------
    (C, X, Y, Z) float32 ndarray, sums to one over C.
    """
    image = np.asarray(image, dtype=np.float32)
    voxel_to_ras = np.asarray(voxel_to_ras, dtype=float)
    voxel_mm = np.linalg.norm(voxel_to_ras[:3, :3], axis=0)
    # the grid's voxel averages over 2 mm; what the scan's own voxel has averaged already is not smoothed again
    sigma_mm = np.sqrt(np.maximum(VOXEL_MM**2 - voxel_mm**2, 0)) / 2.355
    smooth = ndimage.gaussian_filter(image, sigma_mm / voxel_mm)
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
