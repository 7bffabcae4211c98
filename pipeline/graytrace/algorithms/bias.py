"""Intensity bias of the receive coil, removed within the brain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813 (its documented name)

from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.arrays import Affine, Image, Mask, ScalarField

_WORKING_MM = 6.0  # by hand; fields at 4 mm, as in earlier versions, differ by 0.6 % (CHANGELOG.md)
_ITERATIONS = (50, 40, 30)  # by hand, of three levels: limits; no comparison of values on record
_CONVERGED = 1e-4  # by hand
_RUNAWAY = 0.2  # by hand, logarithm: the field outside the mask may leave the range within it by 22 %
_FIELD_RANGE = (0.1, 99.9)  # by hand, percentiles: a thousandth of the mask at either end does not count


@dataclass(frozen=True)
class BiasCorrection:
    """The corrected image and the field it was divided by.

    Parameters
    ----------
    image : (X, Y, Z) float32 ndarray
        In the scan's unit, not negative.
    field : (X, Y, Z) float32 ndarray
        Positive, one on geometric average in the mask.
    """

    image: Image
    field: ScalarField


def correct_bias(image: Image, voxel_to_ras: Affine, mask: Mask, *, converged: float = _CONVERGED) -> BiasCorrection:
    """Divide an image by its smooth bias field, estimated within `mask` by N4.

    N4ITK: https://doi.org/10.1109/TMI.2010.2046908.  The field is one on average in the mask and is evaluated
    everywhere, so that the whole head stays in the image.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Intensities; negative ones count as zero.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.
    mask : (X, Y, Z) bool array-like
        Where the field is estimated: the brain.
    converged : float
        Iterations of a level end when the field's coefficient of variation changes by less.

    Returns
    -------
    BiasCorrection

    Raises
    ------
    ValueError
        The mask is empty.
    """
    image = np.maximum(np.asarray(image, dtype=np.float32), 0)
    mask = np.asarray(mask, dtype=bool)
    if not mask.any():
        raise ValueError("the mask for bias correction is empty")
    voxel_mm = voxel_sizes_mm(voxel_to_ras)
    volume = sitk.GetImageFromArray(np.ascontiguousarray(image.T))
    volume.SetSpacing([float(v) for v in voxel_mm])
    inside = sitk.GetImageFromArray(np.ascontiguousarray(mask.T).astype(np.uint8))
    inside.CopyInformation(volume)
    shrink = [max(1, round(_WORKING_MM / v)) for v in voxel_mm]
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations(list(_ITERATIONS))
    corrector.SetConvergenceThreshold(converged)
    corrector.SetNumberOfThreads(1)  # sums over threads would make the last digits depend on their number
    shrunk = sitk.Shrink(volume, shrink)
    corrector.Execute(shrunk, sitk.Shrink(inside, shrink))
    # the field is smooth on the scale of the shrunk grid: evaluated there and interpolated
    coarse = corrector.GetLogBiasFieldAsImage(shrunk)
    fine = sitk.Resample(coarse, volume, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32, True)
    log_field = sitk.GetArrayViewFromImage(fine).T
    # outside the mask the spline is free: keep it from running away
    low, high = np.percentile(log_field[mask], _FIELD_RANGE)
    log_field = np.clip(log_field, low - _RUNAWAY, high + _RUNAWAY)
    field = np.exp(log_field - log_field[mask].mean()).astype(np.float32)
    return BiasCorrection((image / field).astype(np.float32), field)
