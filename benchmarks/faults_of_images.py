"""Faults of images, of lesion masks and of what lies in the folder of results: seen by the whole workflow."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import nibabel as nib
import numpy as np
from fault_study import BASELINE, EXCLUDED, FOLLOWUP, LESIONED, PACKAGE, TARGET, Fault, Slot, environment
from scipy import ndimage

from graytrace.records import read_record, write_record

Do = Callable[[Slot], None]
Alter = Callable[[np.ndarray], np.ndarray]
PAIR = f"ses-{BASELINE}_ses-{FOLLOWUP}"


def list_faults() -> list[Fault]:
    """All of them, by group."""
    return [*_refused(), *_headers(), *_identity(), *_intensities(), *_sampling(), *_masks(), *_results()]


def _voxels(alter: Alter, visit: str = FOLLOWUP, **how: Any) -> Do:
    """Other voxels in the target's scan."""
    return lambda slot: slot.change(visit, alter, **how)


def _fill(value: float, part: tuple[slice, ...] | slice) -> Alter:
    def alter(data: np.ndarray) -> np.ndarray:
        data = data.copy()
        data[part] = value
        return data

    return alter


def _random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def _some_voxels(value: float, count: int) -> Alter:
    def alter(data: np.ndarray) -> np.ndarray:
        data = data.copy()
        data.ravel()[_random().choice(data.size, count, replace=False)] = value
        return data

    return alter


def _refused() -> Iterator[Fault]:
    """What is seen when the image is read."""
    real = {"kind": np.float32}
    faults: list[tuple[str, Do]] = [
        ("a slab of NaN", _voxels(_fill(np.nan, slice(0, 12)), **real)),
        ("every voxel infinite", _voxels(lambda data: np.full_like(data, np.inf), **real)),
        ("all zero", _voxels(np.zeros_like)),
        ("one value everywhere", _voxels(lambda data: np.full_like(data, 7))),
        ("four axes: two volumes", _voxels(lambda data: np.stack([data, data], -1))),
        ("two axes: one slice", _voxels(lambda data: data[:, :, 40])),
        ("RGB", _rgb),
        ("standardized: mean 0, standard deviation 1", _voxels(lambda data: (data - data.mean()) / data.std(), **real)),
        ("a slab of 20 mm instead of a head", _voxels(lambda data: data[:, :, 30:40])),
        ("complex numbers", _complex),
    ]
    return (Fault("images", what, do, how="deep") for what, do in faults)


def _rgb(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w())
    colors = np.zeros(data.shape, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    for name in "RGB":
        colors[name] = np.clip(data / data.max() * 255, 0, 255).astype(np.uint8)
    slot.t1w().unlink()
    nib.save(nib.Nifti1Image(colors, affine), slot.t1w())


def _complex(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w())
    slot.t1w().unlink()
    nib.save(nib.Nifti1Image(data.astype(np.complex64), affine), slot.t1w())


def _affine(alter: Callable[[np.ndarray], np.ndarray], visit: str = FOLLOWUP) -> Do:
    """Another affine, in both forms of the header."""

    def do(slot: Slot) -> None:
        data, affine = slot.load(slot.t1w(visit))
        slot.save(slot.t1w(visit), data, alter(affine))

    return do


def _form(alter: Callable[[np.ndarray], np.ndarray]) -> Do:
    """Another affine in the sform alone."""

    def do(slot: Slot) -> None:
        image = nib.load(slot.t1w())
        data, affine = np.asarray(image.dataobj), image.affine
        changed = nib.Nifti1Image(data, affine)
        changed.set_qform(affine, 1)
        header = changed.header
        matrix = alter(affine)
        for number, row in enumerate(("srow_x", "srow_y", "srow_z")):
            header[row] = matrix[number]
        header["sform_code"] = 1
        _write_raw(slot, header, data)

    return do


def _write_raw(slot: Slot, header: nib.Nifti1Header, data: np.ndarray) -> None:
    """Header and voxels as they are: nibabel itself would put some of them right."""
    import gzip  # noqa: PLC0415 - here only

    header = header.copy()
    header.set_data_dtype(np.int16)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    header["scl_slope"], header["scl_inter"] = 1, 0
    content = header.binaryblock + b"\0" * 4 + data.astype("<i2").tobytes(order="F")
    slot.write(slot.t1w(), gzip.compress(content, 1))


def _field(change: Callable[[nib.Nifti1Header], None]) -> Do:
    """Other fields of the header."""

    def do(slot: Slot) -> None:
        image = nib.load(slot.t1w())
        header = image.header.copy()
        change(header)
        _write_raw(slot, header, np.asarray(image.dataobj))

    return do


def _set_unit(code: int, factor: float) -> Callable[[nib.Nifti1Header], None]:
    def change(header: nib.Nifti1Header) -> None:
        header["xyzt_units"] = code
        header["pixdim"][1:4] *= factor
        for row in ("srow_x", "srow_y", "srow_z", "qoffset_x", "qoffset_y", "qoffset_z"):
            header[row] = header[row] * factor

    return change


def _stretch(*factors: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda affine: affine @ np.diag([*factors, 1.0])


def _headers() -> Iterator[Fault]:
    flip = np.diag([-1.0, 1, 1, 1])
    turn = np.eye(4)[[1, 0, 2, 3]]
    deep: list[tuple[str, Do]] = [
        ("qform and sform: left and right differ", _form(lambda affine: flip @ affine)),
        ("qform and sform: other voxel sizes", _form(_stretch(1.1, 1, 1))),
        ("no affine that can be inverted", _field(_singular)),
        ("voxels of 0 mm", _field(_sizes(0))),
        ("voxels of NaN mm", _field(_sizes(np.nan))),
        ("voxels of 20 mm", _affine(_stretch(10, 10, 10))),
        ("lengths in microns, header says mm", _field(_set_unit(2, 1000))),
        ("lengths in meters, header says mm", _field(_set_unit(2, 0.001))),
    ]
    yield from (Fault("headers", what, do, how="deep") for what, do in deep)
    faults: list[tuple[str, Do]] = [
        ("lengths in microns, as the header says", _field(_set_unit(3, 1000))),
        ("lengths in mm, header says meters", _field(_set_unit(1, 1))),
        ("sform 30 mm beside the qform", _form(lambda affine: affine + _shift(30))),
        ("sform sheared", _form(lambda affine: affine @ (np.eye(4) + 0.1 * np.eye(4)[[0]].T @ np.eye(4)[[1]]))),
        ("neither qform nor sform", _field(_no_form)),
        ("left and right swapped in the header", _affine(lambda affine: flip @ affine)),
        ("left and right swapped in the voxels", _voxels(lambda data: data[::-1])),
        ("head down in the header", _affine(lambda affine: np.diag([1.0, 1, -1, 1]) @ affine)),
        ("front for side in the header", _affine(lambda affine: turn @ affine)),
        ("head down and mirrored at both visits", _both(_affine, lambda affine: np.diag([-1.0, 1, -1, 1]) @ affine)),
        ("voxel size 5 % too large, all axes", _affine(_stretch(1.05, 1.05, 1.05))),
        ("voxel size 1 % too large, all axes", _affine(_stretch(1.01, 1.01, 1.01))),
        ("voxel size 0.3 % too large, all axes", _affine(_stretch(1.003, 1.003, 1.003))),
        ("slice distance 5 % too large", _affine(_stretch(1, 1, 1.05))),
        ("slice distance 1 % too large", _affine(_stretch(1, 1, 1.01))),
        ("voxel size 5 % too large at both visits", _both(_affine, _stretch(1.05, 1.05, 1.05))),
        ("voxel size 30 % too large at both visits", _both(_affine, _stretch(1.3, 1.3, 1.3))),
    ]  # fmt: skip
    yield from (Fault("headers", what, do, how="run") for what, do in faults)


def _shift(mm: float) -> np.ndarray:
    moved = np.zeros((4, 4))
    moved[:3, 3] = mm
    return moved


def _both(make: Callable[..., Do], *arguments: Any) -> Do:
    """The same at both visits."""

    def do(slot: Slot) -> None:
        for visit in (BASELINE, FOLLOWUP):
            make(*arguments, visit=visit)(slot)

    return do


def _singular(header: nib.Nifti1Header) -> None:
    header["qform_code"] = 0
    header["srow_z"] = 0


def _sizes(value: float) -> Callable[[nib.Nifti1Header], None]:
    def change(header: nib.Nifti1Header) -> None:
        header["pixdim"][1:4] = value
        header["qform_code"] = header["sform_code"] = 0

    return change


def _no_form(header: nib.Nifti1Header) -> None:
    header["qform_code"] = header["sform_code"] = 0


def _put(source: Callable[[Slot], bytes], visit: str = FOLLOWUP) -> Do:
    return lambda slot: slot.write(slot.t1w(visit), source(slot))


def _identity() -> Iterator[Fault]:
    faults: list[tuple[str, Do]] = [
        ("another patient's follow-up", _other_person),
        ("the follow-up of a patient in the study", _put(lambda slot: slot.t1w(participant=LESIONED).read_bytes())),
        ("the baseline's file again", _put(lambda slot: slot.t1w(BASELINE).read_bytes())),
        ("the baseline again, other format and a factor", _scaled_copy),
        ("the baseline again, moved by a voxel", _moved_copy),
        ("the baseline again, resampled to another position", _turned_copy),
        ("the files of both visits swapped", _swap),
        ("contrast of a T2w scan", _voxels(_t2w)),
        ("contrast of a FLAIR scan", _voxels(_flair)),
        ("contrast of a T2w scan at both visits", _both(_voxels, _t2w)),
        ("contrast of a proton-density scan", _voxels(_proton)),
        ("skull-stripped at one visit", _stripped(FOLLOWUP)),
        ("skull-stripped at both visits", _stripped(BASELINE, FOLLOWUP)),
        ("face removed at one visit", _defaced),
    ]
    return (Fault("another scan", what, do, how="run") for what, do in faults)


def _other_person(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w(participant=EXCLUDED))
    slot.save(slot.t1w(), data + _random().normal(0, 0.01 * data.max(), data.shape), affine)


def _scaled_copy(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w(BASELINE))
    slot.save(slot.t1w(), 0.37 * data, affine, kind=np.float32)


def _moved_copy(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w(BASELINE))
    slot.save(slot.t1w(), np.roll(data, 1, 2), affine)


def _turned_copy(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w(BASELINE))
    slot.save(slot.t1w(), ndimage.rotate(data, 4, (1, 2), reshape=False, order=3), affine)


def _swap(slot: Slot) -> None:
    first, second = (slot.t1w(visit).read_bytes() for visit in (BASELINE, FOLLOWUP))
    slot.write(slot.t1w(BASELINE), second)
    slot.write(slot.t1w(FOLLOWUP), first)


def _head(data: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(data, 1) > 0.12 * np.percentile(data, 99)


def _t2w(data: np.ndarray) -> np.ndarray:
    return np.where(_head(data), np.maximum(1.1 * np.percentile(data, 99) - data, 0), data)


def _flair(data: np.ndarray) -> np.ndarray:
    """Fluid stays dark, gray matter is brighter than white."""
    top = np.percentile(data, 98)
    level = np.array([0, 0.25, 0.45, 0.62, 0.85, 1.2, 4.0]) * top
    return np.interp(data, level, np.array([0, 0.2, 0.55, 0.9, 0.65, 0.7, 0.9]) * top)


def _proton(data: np.ndarray) -> np.ndarray:
    """Gray matter brighter than white, fluid brighter than both: a little."""
    top = np.percentile(data, 98)
    level = np.array([0, 0.15, 0.3, 0.6, 0.85, 1.2, 4.0]) * top
    return np.interp(data, level, np.array([0, 0.3, 1.0, 0.9, 0.75, 0.8, 0.9]) * top)


def _stripped(*visits: str) -> Do:
    """Everything outside the intracranial space set to zero."""

    def do(slot: Slot) -> None:
        for visit in visits:
            truth = slot.root / "bids-truth" / TARGET / f"{TARGET}_ses-{visit}_icv.nii.gz"
            inside, _ = slot.load(truth)
            slot.change(visit, lambda data, inside=inside: np.where(inside > 0, data, 0))

    return do


def _defaced(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w())
    index = np.indices(data.shape)
    middle = np.array(data.shape) / 2
    face = (index[1] > middle[1]) & (index[2] < middle[2] - 0.35 * (index[1] - middle[1]) - 8)
    inside, _ = slot.load(slot.root / "bids-truth" / TARGET / f"{TARGET}_ses-{FOLLOWUP}_icv.nii.gz")
    slot.save(slot.t1w(), np.where(face & ~ndimage.binary_dilation(inside > 0, iterations=3), 0, data), affine)


def _tissue(slot: Slot, name: str) -> np.ndarray:
    data, _ = slot.load(slot.root / "bids-truth" / TARGET / f"{TARGET}_ses-{FOLLOWUP}_{name}.nii.gz")
    return data


def _intensities() -> Iterator[Fault]:
    faults: list[tuple[str, Do]] = [
        ("three voxels NaN", _voxels(_some_voxels(np.nan, 3), kind=np.float32)),
        ("five voxels a thousand times too bright", _voxels(_some_voxels(1e6, 5), kind=np.float32)),
        ("an offset of a tenth of white matter taken off", _voxels(lambda data: data - 0.1 * np.percentile(data, 95))),
        ("negative numbers in the head", _voxels(lambda data: data - 0.5 * np.percentile(data, 95))),
        ("noise of 10 % of white matter", _voxels(_noise(0.10))),
        ("noise of 20 % of white matter", _voxels(_noise(0.20))),
        ("a ghost of a fifth", _voxels(lambda data: data + 0.2 * np.roll(data, data.shape[1] // 2, 1))),
        ("a ghost of a twentieth", _voxels(lambda data: data + 0.05 * np.roll(data, data.shape[1] // 2, 1))),
        ("motion: every third line of k-space turned", _voxels(_motion)),
        ("clipped at white matter", _voxels(lambda data: np.minimum(data, np.percentile(data, 88)))),
        ("clipped between gray and white matter", _voxels(lambda data: np.minimum(data, np.percentile(data, 82)))),
        ("rounded to 256 levels", _voxels(_levels(256))),
        ("rounded to 32 levels", _voxels(_levels(32))),
        ("rounded to 8 levels", _voxels(_levels(8))),
        ("square root of every voxel", _voxels(lambda data: 30 * np.sqrt(np.maximum(data, 0)))),
        ("square of every voxel", _voxels(lambda data: data.astype(float) ** 2 / data.max())),
        ("16 bits overflowed", _voxels(_overflow)),
        ("contrast agent: vessels and dura bright", _contrast_agent),
        ("smoothed by 4 mm", _voxels(lambda data: ndimage.gaussian_filter(data, 4 / 2.355 / 2))),
        ("smoothed by 8 mm", _voxels(lambda data: ndimage.gaussian_filter(data, 8 / 2.355 / 2))),
        ("smoothed by 8 mm at both visits", _both(_voxels, lambda data: ndimage.gaussian_filter(data, 8 / 2.355 / 2))),
        ("a coil that sees one half", _voxels(_half_coil)),
        ("a metal hole in the brain of 3 cm", _voxels(_hole)),
    ]
    return (Fault("intensities", what, do, how="run") for what, do in faults)


def _noise(part: float) -> Alter:
    def alter(data: np.ndarray) -> np.ndarray:
        sd = part * np.percentile(data, 95)
        rng = _random()
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
    vessels = inside & ~brain & (ndimage.gaussian_filter(_random().normal(size=data.shape), 1.2) > 0.12)
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
        ("field of view cut: one side", _voxels(_crop_side)),
        ("wrapped around: the nose behind the head", _voxels(lambda data: np.roll(data, data.shape[1] // 3, 1))),
        ("one slice black", _voxels(_slices_black(slice(45, 46)))),
        ("one slice darker by a fifth", _voxels(_slices_times(slice(45, 46), 0.8))),
        ("five slices black", _voxels(_slices_black(slice(45, 50)))),
        ("every tenth slice black", _voxels(_slices_black(slice(2, None, 10)))),
        ("five slices left out", _voxels(lambda data: np.delete(data, range(44, 49), 2))),
        ("slices in reverse pairs", _voxels(_pairs)),
        ("slices interleaved wrongly", _voxels(lambda data: np.concatenate([data[:, :, ::2], data[:, :, 1::2]], 2))),
        ("a slice doubled", _voxels(lambda data: np.insert(data, 45, data[:, :, 45], 2))),
        ("every other slice moved by a voxel", _voxels(_jitter)),
        ("thick slices: means of three", _thick),
        ("resampled to 4 mm and back", _voxels(_coarse)),
        ("lower half moved by 4 mm", _voxels(_moved_half)),
    ]
    return (Fault("sampling", what, do, how="run") for what, do in faults)


def _top(data: np.ndarray) -> int:
    """Index of the head's top."""
    return int(np.flatnonzero(_head(data).sum((0, 1)) > 20).max())


def _cut_top(mm: float) -> Do:
    return _voxels(lambda data: data[:, :, : _top(data) - round(mm / 2)])


def _zero_top(mm: float) -> Do:
    def alter(data: np.ndarray) -> np.ndarray:
        return _fill(0, (slice(None), slice(None), slice(_top(data) - round(mm / 2), None)))(data)

    return _voxels(alter)


def _cut_both(slot: Slot) -> None:
    for visit in (BASELINE, FOLLOWUP):
        slot.change(visit, lambda data: data[:, :, : _top(data) - 15])


def _crop_side(data: np.ndarray) -> np.ndarray:
    there = np.flatnonzero(_head(data).sum((1, 2)) > 20)
    return data[: there.max() - 12]


def _slices_black(which: slice) -> Alter:
    return _fill(0, (slice(None), slice(None), which))


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


def _mask(alter: Alter, visit: str = FOLLOWUP, **how: Any) -> Do:
    def do(slot: Slot) -> None:
        data, affine = slot.load(slot.mask(visit))
        slot.save(slot.mask(visit), alter(data), affine, **how)

    return do


def _masks() -> Iterator[Fault]:
    faults: list[tuple[str, Do]] = [
        ("a mask on another grid", _mask(lambda data: data[:-2])),
        ("a mask moved in its header", _moved_mask),
        ("a mask with nothing in it, at one visit", _mask(np.zeros_like)),
        ("masks with nothing in them, at both visits", _both(_mask, np.zeros_like)),
        ("another patient's mask", _mask(lambda data: np.roll(data[::-1, ::-1], 9, 2))),
        ("the masks of both visits swapped", _swapped_masks),
        ("a mask inverted", _mask(lambda data: 1 - data)),
        ("a mask of the whole brain", _brain_mask),
        ("a mask of air", _mask(lambda data: _fill(1, (slice(0, 6),) * 3)(np.zeros_like(data)))),
        ("a mask from 0 to 0.4", _mask(lambda data: 0.4 * data, kind=np.float32)),
        ("a mask of labels 0, 1, 2", _mask(lambda data: data * (1 + (np.indices(data.shape)[0] % 2)))),
        ("a mask of 0 and 255", _mask(lambda data: 255 * data)),
        ("a mask with NaN", _mask(_some_voxels(np.nan, 5), kind=np.float32)),
        ("a mask that is the scan", lambda slot: slot.write(slot.mask(), slot.t1w(participant=LESIONED).read_bytes())),
        ("a mask cut off", lambda slot: slot.write(slot.mask(), slot.mask().read_bytes()[:-300])),
    ]
    return (Fault("lesion masks", what, do, how="run", who=LESIONED) for what, do in faults)


def _moved_mask(slot: Slot) -> None:
    data, affine = slot.load(slot.mask())
    slot.save(slot.mask(), data, affine + _shift(8))


def _swapped_masks(slot: Slot) -> None:
    """Each on the other scan's grid by its header, as a copy into the wrong folder leaves it."""
    first, second = (slot.load(slot.mask(visit)) for visit in (BASELINE, FOLLOWUP))
    for visit, (data, _), (_, affine) in ((BASELINE, second, first), (FOLLOWUP, first, second)):
        slot.save(slot.mask(visit), data, affine)


def _brain_mask(slot: Slot) -> None:
    path = slot.root / "bids-truth" / LESIONED / f"{LESIONED}_ses-{FOLLOWUP}_brain.nii.gz"
    slot.write(slot.mask(), path.read_bytes())


def _edit_record(step: str, visits: str, measure: str, value: Any) -> Do:
    def do(slot: Slot) -> None:
        path = slot.record(step, visits)
        content = json.loads(path.read_text())
        content["measures"][measure] = value
        slot.write(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    return do


def _edit_sealed(step: str, visits: str, measure: str, value: float) -> Do:
    """A measure changed by somebody who sealed the record again: the step itself could have come to it."""

    def do(slot: Slot) -> None:
        path = slot.record(step, visits)
        record = read_record(path)
        path.unlink()
        write_record(path, replace(record, measures={**record.measures, measure: value}))

    return do


def _image_of(slot: Slot, suffix: str, participant: str = TARGET) -> Any:
    return slot.results / participant / f"ses-{FOLLOWUP}" / "anat" / f"{participant}_ses-{FOLLOWUP}_{suffix}.nii.gz"


def _results() -> Iterator[Fault]:
    gray = "label-GM_probseg"
    faults: list[tuple[str, Do]] = [
        ("a number changed in atrophy.tsv", _edit_table("atrophy")),
        ("a number changed in volumes.tsv", _edit_table("volumes")),
        ("a row taken out of atrophy.tsv", _without_row),
        ("atrophy.tsv deleted", lambda slot: (slot.results / "atrophy.tsv").unlink()),
        ("run.json deleted", lambda slot: (slot.results / "run.json").unlink()),
        ("a number changed in a record of change", _edit_record("measure_change", PAIR, "gm_change_percent", 5.0)),
        ("a number changed in a record of volumes", _edit_record("gray_matter_volume", f"ses-{FOLLOWUP}", "gm_volume_ml", 999.0)),
        ("a negative width in a record, sealed again", _edit_sealed("check_scan", f"ses-{FOLLOWUP}", "edge_width_mm", -1.5)),
        ("a negative volume in a record, sealed again", _edit_sealed("gray_matter_volume", f"ses-{FOLLOWUP}", "wm_volume_ml", -3.0)),
        ("a loss of more than all in a record, sealed again", _edit_sealed("measure_change", PAIR, "gm_change_percent", -130.0)),
        ("a record cut off", lambda slot: slot.write(slot.record("measure_change", PAIR), slot.record("measure_change", PAIR).read_bytes()[:200])),
        ("a record deleted", lambda slot: slot.record("segment_tissue").unlink()),
        ("another patient's record", _other_record),
        ("an image of the results deleted", lambda slot: _image_of(slot, gray).unlink()),
        ("an image of the results replaced", lambda slot: slot.write(_image_of(slot, gray), _image_of(slot, gray, LESIONED).read_bytes())),
        ("an image replaced and its step's reader to be redone", _replaced_and_redone),
        ("the scan replaced by an older file", _older_scan),
        ("killed in the middle of the run", _killed),
        ("the network's weights damaged", _weights),
    ]  # fmt: skip
    return (Fault("results", what, do, how="run") for what, do in faults)


def _edit_table(name: str) -> Do:
    def change(text: str) -> str:
        header, *rows = (line.split("\t") for line in text.splitlines())
        column = header.index({"atrophy": "gm_change_percent", "volumes": "gm_volume_ml"}[name])
        for row in rows:
            if row[0] == TARGET:
                row[column] = "7.5"
        return "\n".join("\t".join(row) for row in [header, *rows]) + "\n"

    return lambda slot: slot.edit(slot.results / f"{name}.tsv", change)


def _without_row(slot: Slot) -> None:
    slot.edit(
        slot.results / "atrophy.tsv",
        lambda text: "".join(line for line in text.splitlines(keepends=True) if not line.startswith(TARGET)),
    )


def _other_record(slot: Slot) -> None:
    slot.write(slot.record("measure_change", PAIR), slot.record("measure_change", PAIR, LESIONED).read_bytes())


def _replaced_and_redone(slot: Slot) -> None:
    slot.write(_image_of(slot, gray := "label-GM_probseg"), _image_of(slot, gray, LESIONED).read_bytes())
    slot.record("measure_change", PAIR).unlink()


def _older_scan(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w(participant=EXCLUDED))
    slot.save(slot.t1w(), data + _random().normal(0, 0.01 * data.max(), data.shape), affine)
    os.utime(slot.t1w(), (1_000_000_000, 1_000_000_000))


def _killed(slot: Slot) -> None:
    """Half of a patient's work is to be done; the run that does it is killed."""
    shutil.rmtree(slot.record("inspect").parent)
    command = [sys.executable, "-m", "graytrace", "run", slot.bids, slot.results, "participant"]
    command += ["--config", slot.config, "--cores", "2"]
    with (slot.root / "killed.log").open("w") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=slot.root,
            env=environment(slot),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline and not slot.record("correct_bias").exists():
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _weights(slot: Slot) -> None:
    """In a copy of the package, whose code is the same; the target's follow-up is to be done again."""
    shutil.copytree(PACKAGE, slot.root / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    weights = max((slot.root / "pipeline").rglob("*.onnx"), key=lambda path: path.stat().st_size)
    content = bytearray(weights.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = b"\0" * 4096
    slot.write(weights, bytes(content))
    shutil.rmtree(slot.record("inspect").parent)
