"""Faults of images: files that cannot be read, headers, and scans of somebody or something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import nibabel as nib
import numpy as np
from alterations import Do, at_both, change_voxels, fill_part, find_head, random_numbers, shift_by
from fault_study import BASELINE, EXCLUDED, FOLLOWUP, LESIONED, TARGET, Fault, Slot
from scipy import ndimage


def list_faults() -> list[Fault]:
    """All of them, by group."""
    return [*_refused(), *_headers(), *_identity()]


def _refused() -> Iterator[Fault]:
    """What is seen when the image is read."""
    real = {"kind": np.float32}
    faults: list[tuple[str, Do]] = [
        ("a slab of NaN", change_voxels(fill_part(np.nan, slice(0, 12)), **real)),
        ("every voxel infinite", change_voxels(lambda data: np.full_like(data, np.inf), **real)),
        ("all zero", change_voxels(np.zeros_like)),
        ("one value everywhere", change_voxels(lambda data: np.full_like(data, 7))),
        ("four axes: two volumes", change_voxels(lambda data: np.stack([data, data], -1))),
        ("two axes: one slice", change_voxels(lambda data: data[:, :, 40])),
        ("RGB", _rgb),
        (
            "standardized: mean 0, standard deviation 1",
            change_voxels(lambda data: (data - data.mean()) / data.std(), **real),
        ),
        ("a slab of 20 mm instead of a head", change_voxels(lambda data: data[:, :, 30:40])),
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
        ("sform 30 mm beside the qform", _form(lambda affine: affine + shift_by(30))),
        ("sform sheared", _form(lambda affine: affine @ (np.eye(4) + 0.1 * np.eye(4)[[0]].T @ np.eye(4)[[1]]))),
        ("neither qform nor sform", _field(_no_form)),
        ("left and right swapped in the header", _affine(lambda affine: flip @ affine)),
        ("left and right swapped in the voxels", change_voxels(lambda data: data[::-1])),
        ("head down in the header", _affine(lambda affine: np.diag([1.0, 1, -1, 1]) @ affine)),
        ("front for side in the header", _affine(lambda affine: turn @ affine)),
        ("head down and mirrored at both visits", at_both(_affine, lambda affine: np.diag([-1.0, 1, -1, 1]) @ affine)),
        ("voxel size 5 % too large, all axes", _affine(_stretch(1.05, 1.05, 1.05))),
        ("voxel size 1 % too large, all axes", _affine(_stretch(1.01, 1.01, 1.01))),
        ("voxel size 0.3 % too large, all axes", _affine(_stretch(1.003, 1.003, 1.003))),
        ("slice distance 5 % too large", _affine(_stretch(1, 1, 1.05))),
        ("slice distance 1 % too large", _affine(_stretch(1, 1, 1.01))),
        ("voxel size 5 % too large at both visits", at_both(_affine, _stretch(1.05, 1.05, 1.05))),
        ("voxel size 30 % too large at both visits", at_both(_affine, _stretch(1.3, 1.3, 1.3))),
    ]  # fmt: skip
    yield from (Fault("headers", what, do, how="run") for what, do in faults)


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
        ("contrast of a T2w scan", change_voxels(_t2w)),
        ("contrast of a FLAIR scan", change_voxels(_flair)),
        ("contrast of a T2w scan at both visits", at_both(change_voxels, _t2w)),
        ("contrast of a proton-density scan", change_voxels(_proton)),
        ("skull-stripped at one visit", _stripped(FOLLOWUP)),
        ("skull-stripped at both visits", _stripped(BASELINE, FOLLOWUP)),
        ("face removed at one visit", _defaced),
    ]
    return (Fault("another scan", what, do, how="run") for what, do in faults)


def _other_person(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w(participant=EXCLUDED))
    slot.save(slot.t1w(), data + random_numbers().normal(0, 0.01 * data.max(), data.shape), affine)


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


def _t2w(data: np.ndarray) -> np.ndarray:
    return np.where(find_head(data), np.maximum(1.1 * np.percentile(data, 99) - data, 0), data)


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
