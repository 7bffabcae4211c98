"""What registration left undone at the borders of gray matter: a fit of two signatures to the difference image.

A boundary-shift integral (https://doi.org/10.1109/42.640753) reads each voxel by itself.  Cortex is two or three voxels
thin, and the point spread carries what darkens at its outer surface to its inner one, where the same darkening means
the opposite: gray matter gained from white.  So both surfaces are fitted together, each with the shape that its shift
has in an image, and around each place at once, which makes noise small.

The outer surface is more than the border that is seen: where two banks of a sulcus touch, no fluid is in sight, and
yet both recede.  Such sheets lie where the distance to white matter has its ridges, and the Laplacian of the distance
is minus two per area there, one for each bank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from graytrace.algorithms.distance import distance_to
from graytrace.algorithms.sharpness import blur
from graytrace.algorithms.slopes import steepness
from graytrace.algorithms.smoothing import gaussian, smooth_widely
from graytrace.arrays import Fractions, Image, Mask, ScalarField, Vector

_RIDGE_SMOOTH_MM = 0.7  # by hand: a distance in voxels has steps
_RIDGE_PER_MM = 0.35  # by hand: less is the curve at the foot of a sulcus, no ridge
_SHEET_DEPTH_MM = (0.8, 4.5)  # of cortex: from the thinnest to the thickest (https://doi.org/10.1073/pnas.200033797)
_DEPTH_MM = 10.0  # what lies deeper is no cortex, nor near enough to it to be seen in a smoothed distance
_AROUND_MM = 20.0  # by hand: 15 and 25 differ by 0.01 points
_SHRINKAGE = 1e-3  # of the largest power of a signature: where a surface is hardly there, its shift is zero
_HALF = 0.5  # a voxel is of the tissue that fills most of it
_NOTHING = 1e-20  # where there is neither surface, zero is divided by it
_LEAST_GRAY = 1e-3  # a border of fluid with anything else is no surface of gray matter
_REACH_VOXELS, _REACHED = 2.0, 0.02  # smoothed share of gray matter: what lies further off has no part in it


@dataclass(frozen=True)
class BorderShifts:
    """What the shifts of both surfaces change in each voxel, voxels of midway space.

    Parameters
    ----------
    to_fluid, to_white : (X, Y, Z) float32
        Volume that fluid and white matter gain from gray matter.
    """

    to_fluid: ScalarField
    to_white: ScalarField

    @property
    def fluid(self) -> float:
        """Volume that fluid gains from gray matter, voxels."""
        return float(self.to_fluid.sum(dtype=np.float64))

    @property
    def white(self) -> float:
        """Volume that white matter gains from gray matter, voxels."""
        return float(self.to_white.sum(dtype=np.float64))

    @property
    def gray(self) -> ScalarField:
        """(X, Y, Z) volume that gray matter gains, voxels."""
        return -self.to_fluid - self.to_white


def touching_banks(
    cortex: Fractions, wm: Fractions, spacing_mm: float, blur_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> ScalarField:
    """Area of the banks of sulci that touch, where no fluid between them is seen.

    Parameters
    ----------
    cortex, wm : (X, Y, Z) float32
        Gray matter without the deep nuclei, and white matter, in [0, 1].
    spacing_mm : float
        Edge of a voxel.
    blur_mm : three floats
        Standard deviation of what thick slices add to the point spread along each axis.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        Of both banks, faces of a voxel in each voxel.
    """
    if not np.any(wm >= _HALF):
        return np.zeros(wm.shape, np.float32)
    depth = np.minimum(distance_to(wm >= _HALF, np.full(3, spacing_mm), _DEPTH_MM), _DEPTH_MM)
    smooth = gaussian(depth, _RIDGE_SMOOTH_MM / spacing_mm)
    ridge = -ndimage.laplace(smooth) / spacing_mm**2
    shallow, deep = _SHEET_DEPTH_MM
    found = (ridge > _RIDGE_PER_MM) & (depth > shallow) & (depth < deep)
    area = np.where(found, ridge * spacing_mm * cortex, 0).astype(np.float32)
    return gaussian(area, np.asarray(blur_mm) / spacing_mm)


@dataclass(frozen=True)
class Surfaces:
    """Area of gray matter's surfaces in each voxel, faces of a voxel.

    Parameters
    ----------
    outer, inner : (X, Y, Z) float32
        Towards fluid, banks that touch among it, and towards white matter; zero outside of the skull.
    near : (X, Y, Z) bool
        Where the difference of two visits has to do with them.
    """

    outer: ScalarField
    inner: ScalarField
    near: Mask

    @classmethod
    def of(cls, fractions: tuple[Fractions, Fractions, Fractions], banks: ScalarField, inside: Mask) -> Surfaces:
        """The surfaces between tissues.

        Parameters
        ----------
        fractions : three (X, Y, Z) float32
            Fluid, gray and white matter in [0, 1], common to both visits.
        banks : (X, Y, Z) float32
            Area of banks that touch, from `touching_banks`.
        inside : (X, Y, Z) bool
            Intracranial voxels that both visits see.

        Returns
        -------
        Surfaces
        """
        fluid, gm, wm = fractions
        near = ndimage.binary_erosion(inside) & (gaussian(gm, _REACH_VOXELS) > _REACHED)
        outer = steepness(fluid) * (gm > _LEAST_GRAY) + banks
        return cls(outer * inside, steepness(wm) * inside, near)

    def widened(self, variance: Vector) -> Surfaces:
        """The surfaces as images of a wider point spread show them.

        Fractions are as sharp as a segmentation makes them, whatever its image: those of a visit that was less sharp by
        0.2 mm2 have borders only 6 % less steep.  Some of a surface at the skull is spread beyond it.

        Parameters
        ----------
        variance : (3,) ndarray
            By which the point spread is wider along the axes, voxels squared.

        Returns
        -------
        Surfaces
        """
        return Surfaces(blur(self.outer, variance), blur(self.inner, variance), self.near)


def fit_border_shifts(
    residual: Image,
    weight: ScalarField,
    surfaces: Surfaces,
    signals: tuple[float, float, float],
    spacing_mm: float,
) -> BorderShifts:
    """Fit the shifts of the outer and the inner surface of gray matter to the difference of two registered visits.

    Parameters
    ----------
    residual : (X, Y, Z) float32
        Follow-up minus baseline, white matter = 1.
    weight : (X, Y, Z) float32
        How much each voxel counts, 0 to 1.
    surfaces : Surfaces
    signals : three floats
        Of fluid, gray and white matter, rising.
    spacing_mm : float
        Edge of a voxel.

    Returns
    -------
    BorderShifts
        Swapped visits turn its signs.
    """
    outer, inner = surfaces.outer, surfaces.inner
    darkening = np.float32(signals[0] - signals[1]) * outer
    brightening = np.float32(signals[2] - signals[1]) * inner
    sigma = _AROUND_MM / spacing_mm
    counted = surfaces.near * weight
    dark, bright = counted * darkening, counted * brightening

    def around(product: ScalarField) -> ScalarField:
        return smooth_widely(product, sigma)

    dd, db, bb = around(dark * darkening), around(dark * brightening), around(bright * brightening)
    dr, br = around(dark * residual), around(bright * residual)
    dd, bb = dd + _SHRINKAGE * dd.max(), bb + _SHRINKAGE * bb.max()
    determinant = dd * bb - db * db + _NOTHING
    lost, gained = (bb * dr - db * br) / determinant, (dd * br - db * dr) / determinant
    return BorderShifts(lost * outer, gained * inner)
