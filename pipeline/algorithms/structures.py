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
_SIDE_MULTIPLE = 16  # the network halves its grid three times after a first halving
_HEAD_HEIGHT_MM = 224.0  # from the vertex down: below this is neck, whatever the field of view
_MARGIN_MM = 6.0
_AIR_FRACTION = 0.12  # of the 98th percentile; a scalp is brighter than this, air and its noise are darker

Predict = Callable[[NDArray[Any]], NDArray[Any]]


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


def head_grid(image: NDArray[Any], voxel_to_ras: NDArray[Any]) -> tuple[NDArray[Any], tuple[int, int, int]]:
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


def label_structures(image: NDArray[Any], voxel_to_ras: NDArray[Any], *, predict: Predict) -> NDArray[Any]:
    """Probability of each structure of `STRUCTURES` in each voxel of a T1w scan.

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
    grid_to_voxel = np.linalg.inv(voxel_to_ras) @ grid_to_ras
    head = resample(smooth, grid_to_voxel, shape)
    logits = predict(normalize_intensities(head)[None, None])[0]
    logits -= logits.max(0)
    probability = np.exp(logits, dtype=np.float32)
    probability /= probability.sum(0)
    voxel_to_grid = np.linalg.inv(grid_to_voxel)
    on_scan = np.empty((len(STRUCTURES), *image.shape), np.float32)
    for number, coarse in enumerate(probability):
        on_scan[number] = resample(coarse, voxel_to_grid, image.shape, outside=1.0 if number == 0 else 0.0)
    return on_scan
