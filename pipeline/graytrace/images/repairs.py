"""Voxels that no scanner wrote: not finite, far too bright or negative; repaired with a sentence, or refused."""

from __future__ import annotations

import numpy as np

from graytrace.arrays import Image, Mask
from graytrace.errors import ImageError
from graytrace.findings import Flag

MAX_NOT_FINITE_FRACTION = 1e-3  # some slices' worth of division by zero in a tool before us; more is damage
MAX_NEGATIVE_FRACTION = 0.2  # interpolation rings below zero in air; more means standardized intensities
MAX_SPIKE_FRACTION = 1e-4
SPIKE_RATIO = 10.0  # fat and vessels reach three times the brightest thousandth of a head
_BRIGHT_PERCENTILE = 99.9
_SOME = 1e-3  # a share of neighbors above it is no rounding error: one of 27 is 0.037


def repair_intensities(data: Image) -> tuple[Image, list[Flag]]:
    """Finite, not negative intensities, with a sentence for each repair.

    Parameters
    ----------
    data : (I, J, K) ndarray
        As the file has them; any unit.

    Returns
    -------
    data : (I, J, K) ndarray
        Finite, not negative.
    flags : list of Flag
        What was repaired.

    Raises
    ------
    ImageError
        ``not_finite`` or ``negative``: more of such voxels than can be repaired.
    """
    flags: list[Flag] = []
    wrong = ~np.isfinite(data)
    count = int(np.count_nonzero(wrong))
    if count:
        if count > MAX_NOT_FINITE_FRACTION * data.size:
            raise ImageError("not_finite", f"{count} of {data.size} voxels are not finite (NaN or infinite).")
        data = _fill_from_neighbors(data, wrong)
        flags.append(
            Flag("not_finite_repaired", f"{count} voxels were not finite and took the mean of their neighbors.")
        )
    spikes = _find_spikes(data)
    count = int(np.count_nonzero(spikes))
    if count:
        data = _fill_from_neighbors(data, spikes)
        message = f"{count} voxels were more than {SPIKE_RATIO:g} times as bright as the head and took the mean of "
        flags.append(Flag("spikes_repaired", f"{message}their neighbors."))
    negative = data < 0
    count = int(np.count_nonzero(negative))
    if count > MAX_NEGATIVE_FRACTION * data.size:
        raise ImageError(
            "negative", f"{count} of {data.size} voxels are negative: expected intensities as the scanner wrote them."
        )
    if count:
        data = np.where(negative, np.float32(0), data)
        flags.append(Flag("negative_clipped", f"{count} voxels were negative and are taken as 0."))
    return data, flags


def _find_spikes(data: Image) -> Mask:
    """Single voxels far beyond everything else: a fault of memory or transfer, or a marker that a tool has left.

    More of them than `MAX_SPIKE_FRACTION` are no spikes but what the image is like.
    """
    size = np.abs(data)
    bright = float(np.percentile(size[::2, ::2, ::2], _BRIGHT_PERCENTILE))
    spikes = size / SPIKE_RATIO > bright  # ten times as bright may be beyond the largest float
    is_few = bright > 0 and np.count_nonzero(spikes) <= max(1.0, MAX_SPIKE_FRACTION * data.size)
    return np.asarray(spikes if is_few else np.zeros_like(spikes))


def _fill_from_neighbors(data: Image, wrong: Mask) -> Image:
    """Mean of the finite voxels of the 3 x 3 x 3 neighborhood, 0 where there is none."""
    from scipy import ndimage  # noqa: PLC0415 - for damaged scans only: a third of a second of every job that reads one

    finite = np.where(wrong, 0, data).astype(np.float32)
    weight = ndimage.uniform_filter((~wrong).astype(np.float32), 3)
    mean = np.divide(ndimage.uniform_filter(finite, 3), weight, out=np.zeros_like(finite), where=weight > _SOME)
    return np.where(wrong, mean, data)
