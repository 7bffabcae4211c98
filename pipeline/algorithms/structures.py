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

from pipeline.algorithms.resampling import resample

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


def head_grid(image: NDArray[Any], voxel_to_ras: NDArray[Any]) -> tuple[NDArray[Any], Shape]:
    """The 2 mm RAS grid around the head: (4, 4) grid to RAS affine and the grid's shape."""
    voxel_mm = np.linalg.norm(voxel_to_ras[:3, :3], axis=0)
    smooth = ndimage.gaussian_filter(image.astype(np.float32), 3.0 / voxel_mm)
    foreground = np.argwhere(smooth > _AIR_FRACTION * np.percentile(smooth, 98))
    points = foreground @ voxel_to_ras[:3, :3].T + voxel_to_ras[:3, 3]
    low, high = np.percentile(points, [0.1, 99.9], axis=0)
    low, high = low - _MARGIN_MM, high + _MARGIN_MM
    low[2] = max(low[2], high[2] - _HEAD_HEIGHT_MM)
    sides = np.ceil((high - low) / VOXEL_MM / _SIDE_MULTIPLE).astype(int) * _SIDE_MULTIPLE
    sides = np.clip(sides, 2 * _SIDE_MULTIPLE, 10 * _SIDE_MULTIPLE)
    grid_to_ras = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    grid_to_ras[:3, 3] = (low + high) / 2 - VOXEL_MM * (sides - 1) / 2
    return grid_to_ras, (int(sides[0]), int(sides[1]), int(sides[2]))


def _on_grid(smooth: NDArray[Any], grid_to_voxel: NDArray[Any], shape: Shape, predict: Predict) -> NDArray[Any]:
    """Structure probabilities (C, x, y, z) on a 2 mm grid."""
    head = resample(smooth, grid_to_voxel, shape)
    logits = predict(normalize_intensities(head)[None, None])[0]
    logits = logits - logits.max(0)
    probability = np.exp(logits, dtype=np.float32)
    return np.asarray(probability / probability.sum(0))


def _window(first: NDArray[Any], grid_to_ras: NDArray[Any]) -> tuple[NDArray[Any], Shape]:
    """The grid that the second look takes: the brain of the first look in the middle of what training showed."""
    brain = ndimage.binary_opening(first[1:-1].sum(0) > 0.5, iterations=2)
    labels, count = measure.label(brain, connectivity=1, return_num=True)
    if count == 0:
        return grid_to_ras, (first.shape[1], first.shape[2], first.shape[3])
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    places = np.argwhere(labels == sizes.argmax())
    low, high = np.percentile(places, 0.2, axis=0), np.percentile(places, 99.8, axis=0)
    wanted = high - low + 2 * _MARGIN_VOXELS
    sides = np.maximum(np.ceil(wanted / _SIDE_MULTIPLE).astype(int) * _SIDE_MULTIPLE, _TRAINED_SHAPE)
    corner = np.round((low + high) / 2 - (sides - 1) / 2)
    window_to_ras = grid_to_ras.copy()
    window_to_ras[:3, 3] += grid_to_ras[:3, :3] @ corner
    return window_to_ras, (int(sides[0]), int(sides[1]), int(sides[2]))


def label_structures(image: NDArray[Any], voxel_to_ras: NDArray[Any], *, predict: Predict) -> NDArray[Any]:
    """Probability of each structure of `STRUCTURES` in each voxel of a T1w scan.

    The network looks twice: at the whole head, to find the brain, then at a window around it like those it was
    trained on, so that neck and shoulders are not in the picture.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        T1w scan of a head, any unit and orientation.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS millimetres.
    predict : callable
        The network: (1, 1, x, y, z) float32 intensities to (1, C, x, y, z) logits.

    Returns
    -------
    (C, X, Y, Z) float32 ndarray, sums to one over C.
    """
    image = np.asarray(image, dtype=np.float32)
    voxel_to_ras = np.asarray(voxel_to_ras, dtype=float)
    grid_to_ras, shape = head_grid(image, voxel_to_ras)
    voxel_mm = np.linalg.norm(voxel_to_ras[:3, :3], axis=0)
    # the grid's voxel averages over 2 mm; what the scan's own voxel has averaged already is not smoothed again
    sigma_mm = np.sqrt(np.maximum(VOXEL_MM**2 - voxel_mm**2, 0)) / 2.355
    smooth = ndimage.gaussian_filter(image, sigma_mm / voxel_mm)
    ras_to_voxel = np.linalg.inv(voxel_to_ras)
    first = _on_grid(smooth, ras_to_voxel @ grid_to_ras, shape, predict)
    window_to_ras, shape = _window(first, grid_to_ras)
    probability = _on_grid(smooth, ras_to_voxel @ window_to_ras, shape, predict)
    voxel_to_window = np.linalg.inv(window_to_ras) @ voxel_to_ras
    on_scan = np.empty((len(STRUCTURES), *image.shape), np.float32)
    for number, coarse in enumerate(probability):
        on_scan[number] = resample(coarse, voxel_to_window, image.shape, outside=1.0 if number == 0 else 0.0)
    return on_scan
