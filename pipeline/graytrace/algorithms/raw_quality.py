"""What the voxels of a scan as it was stored tell of faults: slices lost or doubled, cut-off or coarse intensities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from graytrace.arrays import Image, Mask, Vector

# "by hand" here: set while the check was written, with no comparison of values on record
_LEAST_AREA_MM2 = 3000.0  # by hand: of a slice through the brain, so that its mean hardly depends on single sulci
_CUBIC = 5  # slices: one, and two on each side of it
_REPEATED = 0.1  # by hand: of the usual difference of neighboring slices; noise alone makes more
_DARK = 0.2  # by hand: of the brightest slice on either side
_WITHIN = 0.1  # by hand: of the brightest slice of all; what is darker on one side is air with a speck of signal
_TOP = 0.002  # by hand: of the largest intensity, a level or so of a scan that was cut off and then rescaled
_TAILS = (1.0, 99.0)  # percentiles between which levels are counted: vessels and air in the mask make more of them
_ENOUGH_VOXELS = 500  # by hand: for a share of a percent


def measure_slice_step_percent(image: Image, brain_mask: Mask, voxel_mm: Vector) -> float | None:
    """How far a slice's brightness is from what its neighbors tell, at worst along any axis. Lower is better.

    ``100 * max |m(k) - e(k)| / ((m(k - 1) + m(k + 1)) / 2)``, m the mean of the same columns through the brain in each
    of five slices and ``e(k) = (4 (m(k - 1) + m(k + 1)) - m(k - 2) - m(k + 2)) / 6``, the cubic through the four. A
    slice that was lost, set to zero or dimmed makes it large; anatomy changes slowly: 0.5 to 3 on clean phantoms of
    0.8 to 3 mm. Our own definition.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit.
    brain_mask : (X, Y, Z) bool array-like
    voxel_mm : (3,) array-like
        Edges of a voxel, mm.

    Returns
    -------
    float or None
        Percent; None where no five slices in a row have brain enough.
    """
    steps = []
    for slices, inside in _along_axes(image, brain_mask, voxel_mm):
        last = len(slices) - _CUBIC + 1
        parts = [slice(start, start + last) for start in range(_CUBIC)]
        common = np.logical_and.reduce([inside[part] for part in parts])
        count = np.count_nonzero(common, axis=1)
        far_below, below, here, above, far_above = (_means(slices[part], common, count) for part in parts)
        expected = (4 * (below + above) - far_below - far_above) / 6
        near = (below + above) / 2
        known = np.flatnonzero((count > 0) & (near > 0))
        steps += [float((np.abs(here - expected)[known] / near[known]).max())] if known.size else []
    return 100 * max(steps) if steps else None


def count_repeated_slices(image: Image, brain_mask: Mask, voxel_mm: Vector) -> int | None:
    """Slices through the brain that are the same as the one before, along any axis. 0 is good.

    Counted where the mean absolute difference of two neighbors is below a tenth of the upper quartile of all of them
    along that axis: noise alone makes more. Our own definition.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit.
    brain_mask : (X, Y, Z) bool array-like
    voxel_mm : (3,) array-like
        Edges of a voxel, mm.

    Returns
    -------
    int or None
        None where no two slices in a row have brain enough.
    """
    counts = []
    for slices, inside in _along_axes(image, brain_mask, voxel_mm):
        common = inside[:-1] & inside[1:]
        count = np.count_nonzero(common, axis=1)
        apart = _means(np.abs(np.diff(slices, axis=0)), common, count)[count > 0]
        counts += [np.count_nonzero(apart < _REPEATED * np.percentile(apart, 75))] if apart.size else []
    return int(max(counts)) if counts else None


def count_dark_slices(image: Image) -> int:
    """Slices that are black, or nearly so, between brighter ones, along the worst axis. 0 is good.

    Counted where a slice's mean is below a fifth of the brightest slice on either side of it, and these are no air: a
    head has no such gap.
    Where a slice is black, the brain beyond it is lost with the slice. Our own definition.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit; what is negative counts as black.

    Returns
    -------
    int
    """
    image = np.maximum(np.asarray(image, dtype=np.float32), 0)
    counts = []
    for axis in range(3):
        means = image.mean(tuple(other for other in range(3) if other != axis), dtype=np.float64)
        before, after = np.maximum.accumulate(means), np.maximum.accumulate(means[::-1])[::-1]
        around = np.minimum(before, after)
        counts.append(np.count_nonzero((means < _DARK * around) & (around > _WITHIN * means.max())))
    return int(max(counts))


def _along_axes(image: Image, mask: Mask, voxel_mm: Vector) -> Iterator[tuple[Image, Mask]]:
    """For each axis the slices that cut the brain, (slices, voxels), and which voxels lie in it.

    A hole between brain above and below belongs to it: where a slice is black no brain is found. Slices with hardly
    any brain are left out.
    """
    image, mask = np.asarray(image, dtype=np.float32), np.asarray(mask, dtype=bool)
    there = np.argwhere(mask)
    if not there.size:
        return
    box = tuple(slice(low, high + 1) for low, high in zip(there.min(0), there.max(0), strict=True))
    image, mask = image[box], mask[box]
    for axis in range(3):
        slices = np.moveaxis(image, axis, 0).reshape(image.shape[axis], -1)
        found = np.moveaxis(mask, axis, 0).reshape(slices.shape)
        inside = np.logical_or.accumulate(found) & np.logical_or.accumulate(found[::-1])[::-1]
        pixel_mm2 = float(np.prod(np.delete(np.asarray(voxel_mm, dtype=float), axis)))
        wide = np.flatnonzero(inside.sum(1) * pixel_mm2 >= _LEAST_AREA_MM2)
        if wide.size >= _CUBIC:
            part = slice(wide[0], wide[-1] + 1)
            yield slices[part], inside[part]


def _means(slices: Image, inside: Mask, count: Vector) -> Vector:
    """Mean of each slice over its voxels of the brain, 0 where there are none."""
    return np.asarray(np.where(inside, slices, 0).sum(1, dtype=np.float64) / np.maximum(count, 1))


def measure_clipped_percent(image: Image, brain_mask: Mask) -> float | None:
    """Share of the brain that is as bright as its brightest voxel. Lower is better; near 0 is whole.

    Intensities that were cut off at a largest value pile up there; without, few voxels come near the brightest one.
    Our own definition.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit.
    brain_mask : (X, Y, Z) bool array-like

    Returns
    -------
    float or None
        Percent, 0 to 100; None without a brain.
    """
    values = np.asarray(image)[np.asarray(brain_mask, dtype=bool)]
    if values.size < _ENOUGH_VOXELS:
        return None
    return 100 * float(np.mean(values >= (1 - _TOP) * values.max()))


def count_gray_levels(image: Image, brain_mask: Mask) -> int | None:
    """Different intensities of the brain between its 1st and 99th percentile. Higher is better.

    A scan that was exported to 8 bits with fat as its brightest part, or scaled before rounding, has few: then tissue
    fractions come in steps. Our own definition.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit.
    brain_mask : (X, Y, Z) bool array-like

    Returns
    -------
    int or None
        None without a brain.
    """
    values = np.asarray(image)[np.asarray(brain_mask, dtype=bool)]
    if values.size < _ENOUGH_VOXELS:
        return None
    low, high = np.percentile(values, _TAILS)
    return int(np.unique(values[(values >= low) & (values <= high)]).size)


# column of quality.tsv to what measures it
RAW_METRICS: Mapping[str, Callable[[Image, Mask, Vector], float | None]] = {
    "slice_step_percent": measure_slice_step_percent,
    "repeated_slices": count_repeated_slices,
    "dark_slices": lambda image, *_: count_dark_slices(image),
    "clipped_percent": lambda image, brain_mask, _: measure_clipped_percent(image, brain_mask),
    "gray_levels": lambda image, brain_mask, _: count_gray_levels(image, brain_mask),
}
