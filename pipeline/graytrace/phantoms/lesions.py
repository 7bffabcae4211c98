"""White-matter lesions: blobs near the ventricles that T1w shows as dark as gray matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from graytrace.phantoms.anatomy import HeadAnatomy

_NEAREST_MM, _FARTHEST_MM = 3.0, 16.0  # periventricular, but not touching the ventricle
_RADII_MM = (2.0, 5.5)


def draw_lesions(anatomy: HeadAnatomy, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw lesions into white matter.

    Returns
    -------
    (X, Y, Z) float32 ndarray in [0, 1]
        Share of each voxel that is lesion; by truth it stays white matter.
    """
    lesions = np.zeros(anatomy.labels.shape, np.float32)
    if not count:
        return lesions
    white = anatomy.fraction("white_matter")
    within = anatomy.box
    deep_white = ndimage.distance_transform_edt(white[within] > 0.9) * anatomy.voxel_mm > 2.0
    away_mm = ndimage.distance_transform_edt(anatomy.fraction("ventricles")[within] < 0.5) * anatomy.voxel_mm
    places = np.argwhere(deep_white & (away_mm > _NEAREST_MM) & (away_mm < _FARTHEST_MM))
    chosen = rng.choice(len(places), min(count, len(places)), replace=False)
    for center in places[chosen] + [side.start for side in within]:
        _add_blob(lesions, center, rng.uniform(*_RADII_MM, 3) / anatomy.voxel_mm)
    return lesions * white


def _add_blob(lesions: NDArray[np.float32], center: NDArray[np.int_], radii: NDArray[np.float64]) -> None:
    reach = np.ceil(1.5 * radii.max()).astype(int) + 1
    box = tuple(slice(max(c - reach, 0), c + reach + 1) for c in center)
    offset = np.stack(
        np.meshgrid(
            *[np.arange(s.start, s.start + n) for s, n in zip(box, lesions[box].shape, strict=True)],
            indexing="ij",
        )
    )
    radius = np.sqrt((((offset - center[:, None, None, None]) / radii[:, None, None, None]) ** 2).sum(0))
    lesions[box] = np.maximum(lesions[box], np.clip(1.5 - radius, 0, 1))
