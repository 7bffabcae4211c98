"""Distances in millimeters on grids of any voxel."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813 (its documented name)

from graytrace.arrays import Mask, ScalarField, Vector


def distance_to(mask: Mask, voxel_mm: Vector) -> ScalarField:
    """Distance of each voxel's center to the nearest voxel of a mask.

    Exact and linear in the number of voxels (Maurer et al., https://doi.org/10.1109/TPAMI.2003.1177156); four times
    as fast as SciPy's.

    Parameters
    ----------
    mask : (X, Y, Z) bool array-like
    voxel_mm : (3,) array-like
        Edges of a voxel, mm.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        mm; zero in the mask, infinite everywhere if the mask is empty.
    """
    mask = np.asarray(mask, dtype=bool)
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    image = sitk.GetImageFromArray(np.ascontiguousarray(mask.T).astype(np.uint8))
    image.SetSpacing([float(v) for v in voxel_mm])
    maurer = sitk.SignedMaurerDistanceMapImageFilter()
    maurer.SetSquaredDistance(False)
    maurer.SetUseImageSpacing(True)
    maurer.SetNumberOfThreads(1)
    signed = sitk.GetArrayFromImage(maurer.Execute(image)).T
    return np.where(mask, np.float32(0), np.maximum(signed, 0)).astype(np.float32)
