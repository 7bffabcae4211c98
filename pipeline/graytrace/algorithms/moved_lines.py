"""Lines of k-space that one visit took while the head lay elsewhere, found against the other visit and made alike.

A scan of the whole head is taken line by line over minutes.  Lines that were taken after the head moved hold another
position of it, so in the image a part of each border stands elsewhere, and sulci seem narrower or wider: up to a point
of gray matter that no point spread describes.  The other visit shows where the head should be.  Line by line the
difference of two aligned visits is explained by what a movement does to an image, to first order: its own derivatives
along and about each axis, what it loses in signal, and its second derivatives.  What single lines say that the
others don't is movement; anatomy, shading and sharpness change smoothly from line to line and stay.
Which visit moved is not asked: half of it is taken from one visit and half put to the other, so that swapped visits
swap and nothing is left between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from graytrace.algorithms.grids import box_around
from graytrace.algorithms.smoothing import gaussian
from graytrace.arrays import Image, Mask, Matrix, ScalarField, Vector

# "by hand" here: set while the method was written, on simulated pairs; docs/validation.md (Motion) has what they do
_ARM_MM = 80.0  # half a head: turns count by what they move its rim
_HIGH_PASS_MM = 8.0  # shading is smoother
COLUMN_MM = 1.6  # by hand: columns of voxels beside each other are averaged up to here, which tells the same of lines
_LEAST_PER_MM = 0.02  # cycles: below it is shading
# cycles per mm and per voxel: beyond it are noise, what zero-filling left empty, and slopes that voxels do not show
_MOST = 0.36
_SURE = 0.3  # likewise: up to here every scan of a head tells whether it moved
ROUNDS = 3  # of fitting and correcting: a movement is more than its first derivative
_SMOOTH_ROUNDS = 4  # of reweighting
_OUTLIER_SDS = 2.0  # by hand: a line that counts half for what is smooth over lines
_KNOWN_SES = 2.0  # squared: by so much a line must differ for half of its share to be believed
# what is left in a line is no white noise: where nothing moved, coefficients are off by two to three standard errors
_TRUE_ERROR = 2.5
_WEIGHT_PERCENTILE = 80  # the few lines at the center of k-space have all the power and tell nothing of movement
_RIGID = 7  # of the coefficients: signal, three shifts, three turns
_GAIN_MM = 2.0  # by hand: a line that lost a tenth of its signal counts like one displaced by 0.2 mm
_TURN_SHARE = 0.6  # of the rim's displacement, what the brain sees of it in the mean
_VAGUE_MM = 0.1  # by hand: an error from which a coefficient tells nothing; turns of what is round are never known
_RIDGE = 1e-6  # of ones on the diagonal: a line without signal stays solvable
_NOTHING = 1e-9


@dataclass(frozen=True)
class LineFit:
    """What explains the difference of two visits in each line along one axis of a scan.

    Parameters
    ----------
    frequency : (L,) float
        Of each line, cycles per mm.
    found, error : (L, 9) float
        Share of signal, shifts along x, y, z (mm), turns about them (mm at 80 mm), two second derivatives (mm^2), and
        their standard errors, infinite where a line tells nothing.
    center : (3,) float
        About which heads turn, voxels of the scan.
    voxel_mm : float
        Edge of a voxel along the axis.
    """

    frequency: Vector
    found: Matrix
    error: Matrix
    center: Vector
    voxel_mm: float

    @property
    def told(self) -> Mask:
        """(L,) lines that tell something."""
        return np.isfinite(self.error[:, 0]) & (self.frequency > _LEAST_PER_MM)

    def departures(self) -> Matrix:
        """What each line says beyond what is smooth over lines.

        Returns
        -------
        (L, 9) ndarray
            In the units of `found`; zero where a line tells nothing.
        """
        return np.stack([self._departure(n) for n in range(self.found.shape[1])], axis=1)

    def _departure(self, number: int) -> Vector:
        """One coefficient less its robust fit over lines: for signal a polynomial in the frequency, else a constant."""
        order = 3 if number == 0 else 1
        smooth = np.stack([self.frequency ** (2 * power) for power in range(order)], axis=1)
        told, values = self.told, self.found[:, number]
        if not told.any():  # slices thicker than what moves in a head
            return np.zeros_like(values)
        weight = np.where(told, 1 / np.maximum(self.error[:, number], _NOTHING) ** 2, 0)
        weight = np.minimum(weight, np.percentile(weight[told], _WEIGHT_PERCENTILE))
        robust = weight
        left = values
        for _ in range(_SMOOTH_ROUNDS):
            root = np.sqrt(robust)
            left = values - smooth @ np.linalg.lstsq(smooth * root[:, None], values * root, rcond=None)[0]
            spread = np.median(np.abs(left[told])) + _NOTHING
            robust = weight / (1 + (left / (_OUTLIER_SDS * spread)) ** 2)
        return np.where(told, left, 0)

    def displaced_mm(self) -> Vector:
        """By how much the head was displaced in each line that tells it surely.

        Returns
        -------
        (K,) ndarray
            mm, beyond what noise explains; of the lines up to 0.3 cycles per mm and per voxel.
        """
        unit = np.array([_GAIN_MM, 1, 1, 1, _TURN_SHARE, _TURN_SHARE, _TURN_SHARE])
        found = self.departures()[:, :_RIGID] * unit
        error = _TRUE_ERROR * self.error[:, :_RIGID] * unit
        power = np.where(error < _VAGUE_MM, found**2 - error**2, 0).sum(1)
        sure = self.told & (self.frequency * max(self.voxel_mm, 1.0) < _SURE)
        return np.asarray(np.sqrt(np.maximum(power[sure], 0)))

    def movement(self) -> Matrix:
        """The departures, shrunk to zero where they may be noise (James and Stein 1961).

        Returns
        -------
        (L, 9) ndarray
            In the units of `found`.
        """
        found = self.departures()
        power = ndimage.uniform_filter1d(found**2, 3, axis=0) + _NOTHING**2
        error = np.where(np.isfinite(self.error), self.error, 0)
        return np.asarray(found * np.maximum(0, 1 - _KNOWN_SES * error**2 / power))


def _rules(image: Image, axis: int, voxel_mm: Vector, center: Vector) -> Iterator[ScalarField]:
    """What a first-order movement adds to an image: (9 times) signal, shifts, turns and two second derivatives."""
    yield image
    slopes = np.gradient(image, *(float(mm) for mm in voxel_mm))
    yield from (np.asarray(slope) for slope in slopes)
    x, y, z = (
        ((np.arange(n) - c) * mm / _ARM_MM).astype(np.float32).reshape([-1 if a == b else 1 for b in range(3)])
        for a, (n, c, mm) in enumerate(zip(image.shape, center, voxel_mm, strict=True))
    )
    gx, gy, gz = slopes
    yield y * gz - z * gy
    yield z * gx - x * gz
    yield x * gy - y * gx
    for other in range(3):
        if other != axis:  # along the axis a second derivative is a share of a line's signal
            yield np.gradient(slopes[other], float(voxel_mm[other]), axis=other)


def _lines(images: Iterator[ScalarField], axis: int, count: int) -> ScalarField:
    """(L, J, N) lines along an axis of J images: transforms of N columns of `count` voxels."""
    found = []
    for image in images:
        lines = np.moveaxis(fft.rfft(image.astype(np.float32), n=count, axis=axis), axis, 0)
        found.append(lines.reshape(len(lines), -1))
    return np.stack(found, axis=1)


def _box_along(window: ScalarField, axis: int) -> tuple[slice, slice, slice]:
    """The part of a grid that holds a window, with the whole of one axis, whose lines would be others otherwise."""
    box = [slice(side.start, side.stop) for side in box_around(window > 0, np.zeros(3))]
    box[axis] = slice(0, window.shape[axis])
    return box[0], box[1], box[2]


def _in_columns(image: Image, axis: int, times: tuple[int, int, int]) -> Image:
    """Means of columns beside each other."""
    for other in range(3):
        step = times[other]
        if other != axis and step > 1:
            kept = image.shape[other] // step * step
            part = np.moveaxis(image, other, 0)[:kept]
            image = np.moveaxis(part.reshape(kept // step, step, *part.shape[1:]).mean(1), 0, other)
    return image


def fit_lines(
    images: tuple[Image, Image],
    model: Image,
    window: ScalarField,
    axis: int,
    voxel_mm: Vector,
    *,
    column_mm: float = COLUMN_MM,
) -> LineFit:
    """Explain the difference of two aligned visits line by line.

    Instrumental variables (Wald 1940, https://doi.org/10.1214/aoms/1177731868): the derivatives of both visits' mean
    are regressors, those of an image without noise are instruments.

    Parameters
    ----------
    images : two (X, Y, Z) float32
        Aligned visits on the grid of one scan, white matter = 1; the second is explained by the first.
    model : (X, Y, Z) float32
        The same anatomy without noise.
    window : (X, Y, Z) float32 in [0, 1]
        The brain, falling to zero smoothly.
    axis : int
        Along which lines are taken.
    voxel_mm : (3,) ndarray
    column_mm : float
        Columns of voxels are averaged to about this width.

    Returns
    -------
    LineFit
    """
    part, count = _box_along(window, axis), window.shape[axis]
    others = [max(int(column_mm / mm + 0.5), 1) for mm in voxel_mm]
    times = (others[0], others[1], others[2])
    mean, difference, clean, seen = (
        _in_columns(image[part], axis, times)
        for image in ((images[0] + images[1]) / 2, images[1] - images[0], model, window)
    )
    step = np.array([1 if a == axis else times[a] for a in range(3)])
    mm = np.asarray(voxel_mm) * step
    near = gaussian(seen, _HIGH_PASS_MM / mm) + 1e-3

    def passed(image: Image) -> Image:
        return np.asarray((image - gaussian(image * seen, _HIGH_PASS_MM / mm) / near) * seen)

    center = np.array(ndimage.center_of_mass(seen))
    rows = _lines(_rules(passed(mean), axis, mm, center), axis, count)
    instruments = _lines(_rules(passed(clean), axis, mm, center), axis, count).conj()
    values = _lines(iter([passed(difference)]), axis, count)[:, 0]
    frequency = np.arange(len(values)) / (count * float(voxel_mm[axis]))
    matrix = np.matmul(instruments, rows.transpose(0, 2, 1)).real
    power = np.matmul(instruments, instruments.conj().transpose(0, 2, 1)).real
    right = np.matmul(instruments, values[:, :, None]).real[..., 0]
    scale = np.sqrt(np.abs(np.einsum("ljj->lj", matrix))) + _NOTHING
    scaled = matrix / (scale[:, :, None] * scale[:, None, :]) + _RIDGE * np.eye(matrix.shape[1])
    inverse = np.linalg.inv(scaled) / (scale[:, :, None] * scale[:, None, :])
    found = np.einsum("ljk,lk->lj", inverse, right)
    left = values - np.einsum("lj,ljn->ln", found.astype(np.float32), rows)
    noise = (np.abs(left) ** 2).mean(1) / 2
    error = np.sqrt(np.abs(np.einsum("lab,lbc,lac->la", inverse, power, inverse)) * noise[:, None])
    known = (frequency * max(float(voxel_mm[axis]), 1.0) < _MOST) & (np.arange(len(values)) > 1)
    start = np.array([side.start for side in part])
    return LineFit(
        frequency,
        np.where(known[:, None], found, 0),
        np.where(known[:, None], error, np.inf),
        start + (center + 0.5) * step - 0.5,
        float(voxel_mm[axis]),
    )


def take_out(image: Image, movement: Matrix, axis: int, voxel_mm: Vector, center: Vector) -> Image:
    """An image without a movement of some of its lines, to first order.

    Parameters
    ----------
    image : (X, Y, Z) float
        Any unit.
    movement : (L, 9) ndarray
        Of each line along the axis, as `LineFit.movement` has it.
    axis : int
    voxel_mm : (3,) ndarray
    center : (3,) ndarray
        About which heads turn, voxels.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In the image's unit.
    """
    moved: ScalarField | None = None
    shape = [-1 if a == axis else 1 for a in range(3)]
    for number, part in enumerate(_rules(np.asarray(image, np.float32), axis, voxel_mm, center)):
        lines = fft.rfft(part.astype(np.float32), axis=axis)
        lines *= movement[:, number].astype(np.float32).reshape(shape)
        moved = lines if moved is None else moved + lines
    count = image.shape[axis]
    return np.asarray(image - fft.irfft(moved, n=count, axis=axis), dtype=np.float32)
