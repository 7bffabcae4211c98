"""Faults of intensities and of sampling: noise, contrast, motion, slices and the field of view."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from alterations import Alter, Do, at_both, change_some, change_voxels, fill_part, find_head, random_numbers
from fault_study import BASELINE, FOLLOWUP, TARGET, Fault, Slot
from scipy import ndimage


def list_faults() -> list[Fault]:
    """All of them, by group."""
    return [*_intensities(), *_sampling()]


def _tissue(slot: Slot, name: str) -> np.ndarray:
    data, _ = slot.load(slot.root / "bids-truth" / TARGET / f"{TARGET}_ses-{FOLLOWUP}_{name}.nii.gz")
    return data


def _intensities() -> Iterator[Fault]:
    faults: list[tuple[str, Do]] = [
        ("three voxels NaN", change_voxels(change_some(np.nan, 3), kind=np.float32)),
        ("five voxels a thousand times too bright", change_voxels(change_some(1e6, 5), kind=np.float32)),
        (
            "an offset of a tenth of white matter taken off",
            change_voxels(lambda data: data - 0.1 * np.percentile(data, 95)),
        ),
        ("negative numbers in the head", change_voxels(lambda data: data - 0.5 * np.percentile(data, 95))),
        ("noise of 10 % of white matter", change_voxels(_noise(0.10))),
        ("noise of 20 % of white matter", change_voxels(_noise(0.20))),
        ("a ghost of a fifth", change_voxels(lambda data: data + 0.2 * np.roll(data, data.shape[1] // 2, 1))),
        ("a ghost of a twentieth", change_voxels(lambda data: data + 0.05 * np.roll(data, data.shape[1] // 2, 1))),
        ("motion: every third line of k-space turned", change_voxels(_motion)),
        ("clipped at white matter", change_voxels(lambda data: np.minimum(data, np.percentile(data, 88)))),
        (
            "clipped between gray and white matter",
            change_voxels(lambda data: np.minimum(data, np.percentile(data, 82))),
        ),
        ("rounded to 256 levels", change_voxels(_levels(256))),
        ("rounded to 32 levels", change_voxels(_levels(32))),
        ("rounded to 8 levels", change_voxels(_levels(8))),
        ("square root of every voxel", change_voxels(lambda data: 30 * np.sqrt(np.maximum(data, 0)))),
        ("square of every voxel", change_voxels(lambda data: data.astype(float) ** 2 / data.max())),
        ("16 bits overflowed", change_voxels(_overflow)),
        ("contrast agent: vessels and dura bright", _contrast_agent),
        ("smoothed by 4 mm", change_voxels(lambda data: ndimage.gaussian_filter(data, 4 / 2.355 / 2))),
        ("smoothed by 8 mm", change_voxels(lambda data: ndimage.gaussian_filter(data, 8 / 2.355 / 2))),
        (
            "smoothed by 8 mm at both visits",
            at_both(change_voxels, lambda data: ndimage.gaussian_filter(data, 8 / 2.355 / 2)),
        ),
        ("a coil that sees one half", change_voxels(_half_coil)),
        ("a metal hole in the brain of 3 cm", change_voxels(_hole)),
    ]
    return (Fault("intensities", what, do, how="run") for what, do in faults)


def _noise(part: float) -> Alter:
    def alter(data: np.ndarray) -> np.ndarray:
        sd = part * np.percentile(data, 95)
        rng = random_numbers()
        return np.hypot(data + rng.normal(0, sd, data.shape), rng.normal(0, sd, data.shape))

    return alter


def _levels(count: int) -> Alter:
    def alter(data: np.ndarray) -> np.ndarray:
        step = np.percentile(data, 99.9) / (count - 1)
        return np.minimum(np.rint(data / step), count - 1) * step

    return alter


def _overflow(data: np.ndarray) -> np.ndarray:
    """White matter beyond the largest number turns negative."""
    scaled = data * (32767 / np.percentile(data, 85))
    return np.where(scaled > 32767, scaled - 65536, scaled)


def _motion(data: np.ndarray) -> np.ndarray:
    moved = ndimage.rotate(np.roll(data, 2, 1), 4, (0, 1), reshape=False, order=1)
    lines, other = np.fft.fftn(data), np.fft.fftn(moved)
    lines[:, ::3] = other[:, ::3]
    return np.abs(np.fft.ifftn(lines))


def _contrast_agent(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w())
    inside = _tissue(slot, "icv") > 0
    dura = inside & ~ndimage.binary_erosion(inside, iterations=1)
    brain = _tissue(slot, "brain") > 0
    vessels = inside & ~brain & (ndimage.gaussian_filter(random_numbers().normal(size=data.shape), 1.2) > 0.12)
    slot.save(slot.t1w(), np.where(dura | vessels, 1.1 * np.percentile(data, 95), data), affine)


def _half_coil(data: np.ndarray) -> np.ndarray:
    shade = np.linspace(0.02, 1.4, data.shape[0])[:, None, None]
    return data * shade


def _hole(data: np.ndarray) -> np.ndarray:
    index = np.indices(data.shape, dtype=np.float32)
    center = np.array(data.shape)[:, None, None, None] * np.array([0.35, 0.6, 0.62])[:, None, None, None]
    distance = np.sqrt((((index - center) * 2) ** 2).sum(0))
    return np.where(distance < 15, 0, data)


def _sampling() -> Iterator[Fault]:
    faults: list[tuple[str, Do]] = [
        ("field of view cut: top 30 mm of the head", _cut_top(30)),
        ("field of view cut: top 15 mm of the head", _cut_top(15)),
        ("top 15 mm of the head set to zero", _zero_top(15)),
        ("field of view cut at both visits: top 30 mm", _cut_both),
        ("field of view cut: one side", change_voxels(_crop_side)),
        ("wrapped around: the nose behind the head", change_voxels(lambda data: np.roll(data, data.shape[1] // 3, 1))),
        ("one slice black", change_voxels(_slices_black(slice(45, 46)))),
        ("one slice darker by a fifth", change_voxels(_slices_times(slice(45, 46), 0.8))),
        ("five slices black", change_voxels(_slices_black(slice(45, 50)))),
        ("every tenth slice black", change_voxels(_slices_black(slice(2, None, 10)))),
        ("five slices left out", change_voxels(lambda data: np.delete(data, range(44, 49), 2))),
        ("slices in reverse pairs", change_voxels(_pairs)),
        (
            "slices interleaved wrongly",
            change_voxels(lambda data: np.concatenate([data[:, :, ::2], data[:, :, 1::2]], 2)),
        ),
        ("a slice doubled", change_voxels(lambda data: np.insert(data, 45, data[:, :, 45], 2))),
        ("every other slice moved by a voxel", change_voxels(_jitter)),
        ("thick slices: means of three", _thick),
        ("resampled to 4 mm and back", change_voxels(_coarse)),
        ("lower half moved by 4 mm", change_voxels(_moved_half)),
    ]
    return (Fault("sampling", what, do, how="run") for what, do in faults)


def _top(data: np.ndarray) -> int:
    """Index of the head's top."""
    return int(np.flatnonzero(find_head(data).sum((0, 1)) > 20).max())


def _cut_top(mm: float) -> Do:
    return change_voxels(lambda data: data[:, :, : _top(data) - round(mm / 2)])


def _zero_top(mm: float) -> Do:
    def alter(data: np.ndarray) -> np.ndarray:
        return fill_part(0, (slice(None), slice(None), slice(_top(data) - round(mm / 2), None)))(data)

    return change_voxels(alter)


def _cut_both(slot: Slot) -> None:
    for visit in (BASELINE, FOLLOWUP):
        slot.change(visit, lambda data: data[:, :, : _top(data) - 15])


def _crop_side(data: np.ndarray) -> np.ndarray:
    there = np.flatnonzero(find_head(data).sum((1, 2)) > 20)
    return data[: there.max() - 12]


def _slices_black(which: slice) -> Alter:
    return fill_part(0, (slice(None), slice(None), which))


def _slices_times(which: slice, factor: float) -> Alter:
    def alter(data: np.ndarray) -> np.ndarray:
        data = data.copy()
        data[:, :, which] *= factor
        return data

    return alter


def _pairs(data: np.ndarray) -> np.ndarray:
    even = data.shape[2] // 2 * 2
    order = np.arange(data.shape[2])
    order[:even] = order[:even].reshape(-1, 2)[:, ::-1].ravel()
    return data[:, :, order]


def _jitter(data: np.ndarray) -> np.ndarray:
    data = data.copy()
    data[:, :, ::2] = np.roll(data[:, :, ::2], 1, 1)
    return data


def _thick(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w())
    count = data.shape[2] // 3
    means = data[:, :, : 3 * count].reshape(*data.shape[:2], count, 3).mean(3)
    thick = affine.copy()
    thick[:3, 3] += thick[:3, 2]
    thick[:3, 2] *= 3
    slot.save(slot.t1w(), means, thick)


def _coarse(data: np.ndarray) -> np.ndarray:
    small = ndimage.zoom(data, 0.5, order=1)
    return ndimage.zoom(small, np.array(data.shape) / small.shape, order=1)


def _moved_half(data: np.ndarray) -> np.ndarray:
    data = data.copy()
    half = _top(data) - 40
    data[:, :, :half] = np.roll(data[:, :, :half], 2, 1)
    return data
