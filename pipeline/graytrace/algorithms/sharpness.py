"""Two visits equally sharp: motion, another filter or another receive coil widen the point spread of one of them.

To first order a Gaussian point spread that is wider by a variance s along an axis adds s / 2 times the second
derivative along it.  At the border of gray and white matter, away from CSF, that has a sign of its own on either side,
which neither a shift of the border nor another contrast has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.algorithms.robust import SD_OF_MAD
from graytrace.algorithms.smoothing import gaussian
from graytrace.arrays import Affine, Fractions, Image, Mask, ScalarField, Vector

# "by hand" here: set while the method was written, on simulated pairs, with no comparison of values on record
_PURE = 0.95  # by hand: a voxel of a single tissue, with room for the error of its fraction
_NO_CSF = 0.03  # by hand; mean share around a voxel: borders with CSF move with atrophy and say nothing of sharpness
_FEWEST_VOXELS = 2000  # by hand: of border, for six unknowns; of a pure tissue, whose mean is all, a tenth
_ROUNDS = 4  # by hand: of reweighting
_OUTLIER_SDS = 3.0  # by hand: a residual that counts half (Cauchy weights)
_SECOND_DERIVATIVE = (-1 / 12, 4 / 3, -5 / 2, 4 / 3, -1 / 12)  # differences of fourth order
_PADDED_VOXELS = 4  # further than a Gaussian reaches that narrow
_INSTRUMENT_MM = 1.0  # smooth fractions share hardly any noise with their image; wider, they reach fluid across cortex
# reach of the point spread, and more, because cortex is lost unevenly; docs/validation.md has what fewer of them leave
_OUTER_REACH_MM, _FLUID_REACH_MM = (0.7, 1.5, 3.0), (1.5, 3.0)
_AT_A_TIME = 1 << 16  # voxels
_RIDGE = 1e-9  # an axis without border stays solvable, and thousands of voxels outweigh it


def second_derivatives(image: Image) -> Iterator[ScalarField]:
    """Second derivatives along each axis by differences of fourth order, borders repeated.

    Differences of three voxels see a fifth less of what varies over four: a blur of 0.4 mm seemed a tenth wider.

    Parameters
    ----------
    image : (X, Y, Z) float
        Any unit.

    Returns
    -------
    iterator of three (X, Y, Z) ndarrays
        In the image's unit, per voxel squared.
    """
    for axis in range(3):
        yield ndimage.correlate1d(image, _SECOND_DERIVATIVE, axis=axis, mode="nearest")


def image_of_fractions(mean: Image, gm: Fractions, wm: Fractions, inside: Mask) -> Image | None:
    """An image as its fractions say it, without noise: each tissue has one signal.

    Parameters
    ----------
    mean : (X, Y, Z) float32
        The image, or the mean of several.
    gm, wm : (X, Y, Z) float32 in [0, 1]
        The rest is fluid.
    inside : (X, Y, Z) bool
        Intracranial voxels.

    Returns
    -------
    (X, Y, Z) float32 ndarray or None
        In the image's unit; None where a tissue has hardly a pure voxel.
    """
    csf = 1 - gm - wm
    model = np.zeros_like(mean)
    for fraction in (gm, wm, csf):
        pure = inside & (fraction > _PURE)
        if np.count_nonzero(pure) < _FEWEST_VOXELS // 10:
            return None
        model += fraction * mean[pure].mean()
    return model


@dataclass(frozen=True)
class Border:
    """The border of gray and white matter away from fluid, where sharpness is seen.

    Parameters
    ----------
    gm, wm : two (X, Y, Z) float32 in [0, 1]
        Fractions of baseline and follow-up, registered.
    inside : (X, Y, Z) bool
        Intracranial voxels that both visits see.
    voxels : (X, Y, Z) bool
        The border, N voxels.
    others : two (K, N) float
        By each visit's fractions, what changes the signal there besides sharpness: signals of gray and white matter, a
        shift of the border, and the outer surface of gray matter and fluid around, by which loss of cortex reaches it.
    spacing_mm : float
        Edge of a voxel.
    """

    gm: tuple[Fractions, Fractions]
    wm: tuple[Fractions, Fractions]
    inside: Mask
    voxels: Mask
    others: tuple[Vector, Vector]
    spacing_mm: float

    @classmethod
    def of(
        cls,
        gm: tuple[Fractions, Fractions],
        wm: tuple[Fractions, Fractions],
        outer: tuple[ScalarField, ScalarField] | None,
        inside: Mask,
        spacing_mm: float,
    ) -> Border:
        """The border in two registered visits.

        Parameters
        ----------
        gm, wm : two (X, Y, Z) float32 in [0, 1]
            Fractions of baseline and follow-up, registered.
        outer : two (X, Y, Z) float32 or None
            Area of gray matter's outer surface, banks that touch among it: `border_shift.Surfaces.outer`. None where
            voxels are too long to tell it; then nothing around is fitted along.
        inside : (X, Y, Z) bool
            Intracranial voxels that both visits see.
        spacing_mm : float
            Edge of a voxel.

        Returns
        -------
        Border
        """
        fluid = [np.where(inside, 1 - white - gray, 1).astype(np.float32) for gray, white in zip(gm, wm, strict=True)]
        voxels = inside & (ndimage.uniform_filter((fluid[0] + fluid[1]) / 2, 3) < _NO_CSF)

        def others(visit: int) -> Vector:
            white = wm[visit][voxels]
            known = [np.ones_like(white), white, white * (1 - white)]
            if outer is None:
                return np.stack(known)
            around = [
                gaussian(image, reach_mm / spacing_mm)[voxels]
                for image, reaches in ((outer[visit], _OUTER_REACH_MM), (fluid[visit], _FLUID_REACH_MM))
                for reach_mm in reaches
            ]
            return np.stack([*known, *around])

        return cls(gm, wm, inside, voxels, (others(0), others(1)), spacing_mm)

    def regressors(self, image: Image, visit: int) -> Vector:
        """Half of an image's second derivatives along the axes, and the others.

        Parameters
        ----------
        image : (X, Y, Z) float32
            A visit's, or what its fractions say of it.
        visit : {0, 1}
            Whose fractions the others are from.

        Returns
        -------
        (3 + K, N) float32 ndarray
            In the image's unit, per voxel squared; the others have none.
        """
        return np.stack([*(d[self.voxels] / 2 for d in second_derivatives(image)), *self.others[visit]])


def _moments(
    instruments: list[Vector], rows: list[Vector], difference: Vector, weight: Vector
) -> tuple[Vector, Vector]:
    """Weighted moments of the instruments with the regressors and with the difference.

    Each visit's derivatives with the other's fractions: what a visit's noise does to its own cancels in the sum.
    """
    size = len(rows[0])
    moments, answers = np.zeros((size, size)), np.zeros(size)
    for start in range(0, difference.size, _AT_A_TIME):  # in double precision, which all at once has no room for
        part = slice(start, start + _AT_A_TIME)
        ours, theirs = (instrument[:, part].astype(np.float64) * weight[part] for instrument in instruments)
        moments += ours @ rows[1][:, part].T + theirs @ rows[0][:, part].T
        answers += (ours + theirs) @ difference[part]
    return moments, answers


def estimate_sharpness_difference(baseline: Image, followup: Image, border: Border) -> Vector:
    """By how much the point spread of follow-up is wider than that of baseline.

    Instrumental-variable regression (Wald 1940, https://doi.org/10.1214/aoms/1177731868) of the difference of two
    registered visits on the second derivatives of each visit, with those of the other visit's fractions' image as
    instruments: an image's own noise would bias plain regression towards zero.  Fractions follow the noise in which
    they were segmented, so they are smoothed, too (without that half of the difference was found at 5 % of noise, and
    a difference where there was none).  What else changes the signal in the border is fitted along with it: without
    the outer surface and the fluid around, loss of cortex seemed another sharpness and was taken out with it.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) float32
        Registered, white matter = 1.
    border : Border

    Returns
    -------
    (3,) ndarray
        Difference of variances along the axes, voxels squared; zero where too little border is seen.
    """
    mean = (baseline + followup) / 2
    models = [image_of_fractions(mean, *f, border.inside) for f in zip(border.gm, border.wm, strict=True)]
    if models[0] is None or models[1] is None or np.count_nonzero(border.voxels) < _FEWEST_VOXELS:
        return np.zeros(3)
    rows = [border.regressors(image, visit) for visit, image in enumerate((baseline, followup))]
    instruments = [
        border.regressors(gaussian(model, _INSTRUMENT_MM / border.spacing_mm), visit)
        for visit, model in enumerate((models[0], models[1]))
    ]
    difference = (followup - baseline)[border.voxels]
    spread = SD_OF_MAD * float(np.median(np.abs(difference))) + 1e-6  # not zero for equal images
    weight = np.ones_like(difference)
    for _ in range(_ROUNDS):
        moments, answers = _moments(instruments, rows, difference, weight)
        found = np.linalg.solve(moments + _RIDGE * np.eye(len(moments)), answers)
        fitted = sum(found.astype(np.float32) @ row for row in rows) / 2
        weight = 1 / (1 + ((difference - fitted) / (_OUTLIER_SDS * spread)) ** 2)
    return np.asarray(found[:3])


def blur(image: Image, variance: Vector) -> Image:
    """Widen the point spread by a Gaussian, exactly, in the domain of frequencies.

    Kernels of three voxels have the variance, but leave twice as much of the finest details as the Gaussian does that
    a wider point spread is; a narrow Gaussian sampled on voxels has another variance.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit.
    variance : (3,) array-like
        Along the axes, voxels squared; what is negative counts as zero.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In the image's unit; borders are repeated.

    Examples
    --------
    >>> wave = np.cos(np.pi / 2 * np.arange(80))[None, None]
    >>> blurred = blur(wave, np.array([0, 0, 0.2]))
    >>> round(float(blurred[0, 0, 40]), 3), round(float(np.exp(-0.2 * (np.pi / 2) ** 2 / 2)), 3)
    (0.781, 0.781)
    """
    image, sigma = np.asarray(image, dtype=np.float32), np.sqrt(np.maximum(variance, 0))
    if not sigma.any():
        return image
    padded = np.pad(image, _PADDED_VOXELS, mode="edge")  # opposite borders are neighbors in this domain
    spectrum = fft.rfftn(padded)
    spectrum = ndimage.fourier_gaussian(spectrum, sigma, n=padded.shape[-1])
    kept = (slice(_PADDED_VOXELS, -_PADDED_VOXELS),) * image.ndim
    return np.asarray(fft.irfftn(spectrum, padded.shape)[kept], np.float32)


def match_sharpness(
    baseline: Image,
    followup: Image,
    variance_mm2: Vector,
    voxel_to_midway: tuple[Affine, Affine],
) -> tuple[Image, Image]:
    """Both visits, each on its own grid, the sharper one along each axis blurred.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) array-like
        Intensities of any unit, each on its own grid.
    variance_mm2 : (3,) ndarray
        Variance of the point spread of follow-up minus that of baseline along x, y, z of midway space, mm^2.
    voxel_to_midway : two (4, 4) ndarrays
        Voxel indices of each visit to midway mm.

    Returns
    -------
    baseline, followup : (X, Y, Z) float32 ndarrays
        In their units, each on its own grid.
    """
    matched = []
    for image, affine, wanted in zip((baseline, followup), voxel_to_midway, (variance_mm2, -variance_mm2), strict=True):
        sizes = voxel_sizes_mm(affine)
        along = (affine[:3, :3] / sizes) ** 2  # share of each midway axis in each voxel axis
        matched.append(blur(image, np.maximum(wanted, 0) @ along / sizes**2))
    return matched[0], matched[1]
