"""Tissue loss as a deformation whose divergence is prescribed: what shrinks, and what takes the room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from graytrace.phantoms.anatomy import HeadAnatomy
from graytrace.phantoms.resampling import pull_all

_SMOOTHING_MM = 1.3  # a divergence sharper than the grid cannot be carried by a displacement on it
_STILL_MM = 3.0  # within this distance of the skull the tissue slows down to rest
_SQUARINGS = 5
_TISSUES = (("cortex", "cerebellar_cortex"), ("deep_gray",), ("white_matter", "brainstem"))


@dataclass(frozen=True)
class TissueLoss:
    """Change of volume between the visits that is asked for, percent; a loss is negative.

    What is rendered comes within a tenth of a point at 1 mm; the truth is what was rendered.
    """

    cortex_percent: float = 0.0
    deep_gray_percent: float = 0.0
    white_matter_percent: float = 0.0

    @property
    def none(self) -> bool:
        """Whether nothing changes."""
        return not (self.cortex_percent or self.deep_gray_percent or self.white_matter_percent)


def draw_displacement(anatomy: HeadAnatomy, loss: TissueLoss) -> NDArray[np.float32] | None:
    """Displacement that pulls the baseline anatomy to the follow-up.

    For each tissue the irrotational velocity whose divergence is that tissue's share (balanced by CSF) solves a
    Poisson equation; the three are weighed so that the volumes change as asked for to first order, and integrated.

    Parameters
    ----------
    anatomy : HeadAnatomy
        The head at baseline.
    loss : TissueLoss
        What is asked for.

    Returns
    -------
    (3, x, y, z) float32 ndarray or None
        Voxels, on `anatomy.box`: the follow-up at a voxel shows what the baseline has at voxel + displacement. None
        without any loss, so that a pair without change is not interpolated once more.
    """
    if loss.none:
        return None
    box = (slice(None), *anatomy.box)
    fractions = anatomy.fractions[box]
    intracranial = fractions.sum(0)
    tissues = [anatomy.fraction(*names)[anatomy.box] for names in _TISSUES]
    csf = np.maximum(intracranial - sum(tissues), 0)
    depth_mm = ndimage.distance_transform_edt(intracranial > 0.5) * anatomy.voxel_mm
    freedom = np.clip(depth_mm / _STILL_MM, 0, 1).astype(np.float32)
    velocities = [
        _velocity(tissue - csf * (tissue.sum() / csf.sum()), anatomy.voxel_mm) * freedom for tissue in tissues
    ]
    response = np.array([[_relative_growth(tissue, velocity) for velocity in velocities] for tissue in tissues])
    asked = np.log1p(np.array([loss.cortex_percent, loss.deep_gray_percent, loss.white_matter_percent]) / 100)
    weights = np.linalg.solve(response, asked)
    velocity = sum(np.float32(weight) * velocity for weight, velocity in zip(weights, velocities, strict=True))
    return _integrate(-np.asarray(velocity, dtype=np.float32))


def _velocity(divergence: NDArray[np.float32], voxel_mm: float) -> NDArray[np.float32]:
    """Irrotational velocity (3, x, y, z) in voxels whose divergence is the smoothed `divergence`."""
    shape = [fft.next_fast_len(side, real=True) for side in divergence.shape]
    spectrum = fft.rfftn(ndimage.gaussian_filter(divergence, _SMOOTHING_MM / voxel_mm), shape)
    waves = np.meshgrid(
        *[2 * np.pi * fft.fftfreq(side).astype(np.float32) for side in shape[:2]],
        2 * np.pi * fft.rfftfreq(shape[2]).astype(np.float32),
        indexing="ij",
        sparse=True,
    )
    square = np.asarray(sum(wave * wave for wave in waves))
    square[0, 0, 0] = 1.0
    potential = spectrum / square
    inside = tuple(slice(0, side) for side in divergence.shape)
    return np.stack([fft.irfftn(-1j * wave * potential, shape)[inside].astype(np.float32) for wave in waves])


def _relative_growth(tissue: NDArray[np.float32], velocity: NDArray[np.float32]) -> float:
    """Growth rate of a tissue's volume under a velocity, 1."""
    divergence = sum(np.gradient(component, axis=axis) for axis, component in enumerate(velocity))
    return float((tissue * divergence).sum(dtype=np.float64) / tissue.sum(dtype=np.float64))


def _integrate(velocity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Displacement of the flow of a stationary velocity, by scaling and squaring."""
    displacement = velocity / np.float32(2**_SQUARINGS)
    grid = np.indices(velocity.shape[1:], dtype=np.float32)
    for _ in range(_SQUARINGS):
        displacement = displacement + pull_all(displacement, grid + displacement)
    return displacement
