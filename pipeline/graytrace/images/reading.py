"""Reading NIfTI files: our own as they are, a study's scans with every fault named."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from graytrace.algorithms.grids import voxel_sizes_mm, voxel_volume_mm3
from graytrace.arrays import Affine, Image
from graytrace.errors import ImageError
from graytrace.files import LINK_WITHOUT_CONTENT, POINTER_MARKS, is_link_without_content
from graytrace.findings import Flag
from graytrace.images.grids import Volume, describe_grid, is_same_grid, orientation
from graytrace.images.headers import choose_affine
from graytrace.images.repairs import repair_intensities

MAX_VOXELS = 2**28  # a 0.5 mm head has half of that
MAX_SIDE = 2048  # no scanner has as many; a damaged header has more
VOXEL_EDGE_MM = (0.1, 12.0)
FIELD_OF_VIEW_MM = (80.0, 700.0)  # a cropped brain, a head with neck and shoulders
MIN_FOREGROUND_ML = 100.0  # less than a tenth of a small brain
THICK_SLICE_MM = 2.0
_NIFTI1_BYTES, _NIFTI2_BYTES = 348, 540  # length of a header, by the formats' definition
_NIFTI_STARTS = tuple(struct.pack(f"{order}i", size) for order in "<>" for size in (_NIFTI1_BYTES, _NIFTI2_BYTES))
_GZIP = b"\x1f\x8b"
_DICOM, _DICOM_AT = b"DICM", 128
_CHUNK_BYTES = 1 << 20
MAX_TRAILING_BYTES = 1 << 26
MAX_OFFSET_BYTES = 2**24  # what stands in front of the voxels: header and extensions of some kB


@dataclass(frozen=True)
class Scan:
    """A T1w scan that can be measured.

    Parameters
    ----------
    volume : Volume
        float32, finite, not negative.
    flags : tuple of Flag
        What was repaired and what needs review.
    is_repaired : bool
        Whether data or affine differ from what other programs would read from the file.
    """

    volume: Volume
    flags: tuple[Flag, ...]
    is_repaired: bool

    def measures(self) -> dict[str, object]:
        """What the header says, for the record."""
        sizes = voxel_sizes_mm(self.volume.voxel_to_ras)
        return {
            "shape": list(self.volume.data.shape),
            "voxel_sizes_mm": [round(float(size), 6) for size in sizes],
            "voxel_volume_mm3": voxel_volume_mm3(self.volume.voxel_to_ras),
            "slice_thickness_mm": round(float(sizes.max()), 6),
            "orientation": orientation(self.volume.voxel_to_ras),
            "voxel_to_ras": self.volume.voxel_to_ras.tolist(),
        }


def read_volume(path: Path) -> Volume:
    """Read a 3D image, float32.

    Parameters
    ----------
    path : Path
        NIfTI.

    Returns
    -------
    Volume
        As the file has it: any unit, and values that are not finite.

    Raises
    ------
    ImageError
        ``unreadable``, ``truncated`` or ``not_3d``.
    """
    with np.errstate(all="ignore"):  # a damaged header's numbers overflow; what comes of it is looked at
        image = _open(path)
        data = _data(image, path)
    if data.ndim != 3:
        raise ImageError("not_3d", f"{path.name} has shape {image.shape}: expected three axes.")
    return Volume(data, np.asarray(image.affine, dtype=float))


def read_mask(path: Path, *, like: Volume | None = None) -> Volume:
    """Read a mask as booleans (above one half).

    Parameters
    ----------
    path : Path
        NIfTI.
    like : Volume, optional
        The image whose grid the mask must have.

    Returns
    -------
    Volume
        bool.

    Raises
    ------
    ImageError
        As `read_volume`, ``not_finite`` or ``mask_grid``.
    """
    volume = read_volume(path)
    if not np.isfinite(volume.data).all():
        raise ImageError("not_finite", f"{path.name} has voxels that are not finite: expected 0 and 1.")
    if like is not None and not is_same_grid(volume, like):
        raise ImageError(
            "mask_grid",
            f"{path.name} is not on the scan's grid: it has {describe_grid(volume)}, the scan {describe_grid(like)}.",
        )
    return Volume(volume.data > 0.5, volume.voxel_to_ras)


def read_scan(path: Path) -> Scan:
    """Read a T1w scan of a study; repair what can be repaired with a sentence, refuse what cannot.

    Parameters
    ----------
    path : Path
        NIfTI.

    Returns
    -------
    Scan
        float32, finite, not negative.

    Raises
    ------
    ImageError
        With a code and a sentence: ``unreadable``, ``link_without_content``, ``truncated``, ``damaged``, ``not_3d``,
        ``too_large``, ``too_small``, ``not_finite``, ``negative``, ``empty``, ``header_contradiction``,
        ``header_invalid``.
    """
    with np.errstate(all="ignore"):  # as above
        image = _open(path)
        check_whole(path)
        shape = _check_shape(image.shape)
        voxel_to_ras, flags = choose_affine(image.header, shape)
        _check_sizes(shape, voxel_to_ras)
        data = _data(image, path).reshape(shape)
    data, intensity_flags = repair_intensities(data)
    flags += intensity_flags
    _check_foreground(data, voxel_to_ras)
    is_repaired = bool(flags) or image.ndim != len(shape)
    slice_mm = voxel_sizes_mm(voxel_to_ras).max()
    if slice_mm > THICK_SLICE_MM:
        flags.append(Flag("thick_slices", f"Slices are {slice_mm:.2f} mm thick: volumes and changes are less exact."))
    return Scan(Volume(np.ascontiguousarray(data, dtype=np.float32), voxel_to_ras), tuple(flags), is_repaired)


def check_whole(path: Path) -> None:
    """Read a compressed file to its end, so that its checksum and length are looked at: no reader of images does.

    A damaged byte changes voxels, and a reader that stops at the last voxel never sees the checksum behind it.

    Parameters
    ----------
    path : Path
        Any file; one that is not compressed passes.

    Raises
    ------
    ImageError
        ``truncated``, ``damaged`` or ``too_large``.
    """
    if not path.name.endswith(".gz"):
        return
    limit = 4 * 2 * MAX_VOXELS + MAX_OFFSET_BYTES + MAX_TRAILING_BYTES
    size = 0
    try:
        with gzip.open(path) as file:
            while chunk := file.read(_CHUNK_BYTES):
                size += len(chunk)
                if size > limit:
                    raise ImageError("too_large", f"{path.name} holds more than {limit} bytes: no scan is that large.")
    except EOFError as error:
        raise ImageError("truncated", f"{path.name} ends too early ({_first_line(error)}). Copy it again.") from error
    except (OSError, zlib.error) as error:  # the checksum, the length or the code itself
        _raise_fault_of_machine(error)
        message = f"{path.name} was damaged since it was compressed ({_first_line(error)}; gzip -t says so, too)."
        raise ImageError("damaged", f"{message} Copy it again from where it is whole.") from error


def _check_there(path: Path) -> None:
    """Refuse what is no file with content, with a word for links whose content was not fetched."""
    if is_link_without_content(path):
        raise ImageError("link_without_content", f"{path.name} is a {LINK_WITHOUT_CONTENT}.")
    if not path.is_file():
        raise ImageError("unreadable", f"{path} is not there.")
    if path.stat().st_size == 0:
        raise ImageError("unreadable", f"{path.name} is an empty file. Copy it again.")
    try:
        with path.open("rb") as file:
            start = file.read(_NIFTI1_BYTES)
    except PermissionError as error:
        raise ImageError(
            "unreadable", f"{path} may not be read: permission denied. Get the right to read it."
        ) from error
    if any(mark in start for mark in POINTER_MARKS):
        raise ImageError("link_without_content", f"{path.name} is a {LINK_WITHOUT_CONTENT}.")
    other = _describe_other_kind(start, path)
    if other is not None:
        raise ImageError("unreadable", other)


def _describe_other_kind(start: bytes, path: Path) -> str | None:
    """What a file is, by its first bytes, where its name says something else, and what to do."""
    stem = path.name.removesuffix(".gz").removesuffix(".nii")
    is_compressed = start.startswith(_GZIP)
    if start[_DICOM_AT : _DICOM_AT + len(_DICOM)] == _DICOM:
        return f"{path.name} is a DICOM file: convert it to NIfTI (dcm2niix)."
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return f"{path.name} is a web page or XML, no image: fetch it again."
    if path.name.endswith(".gz") and not is_compressed:
        what = "an image that is" if start[:4] in _NIFTI_STARTS else "a file that is"
        return f"{path.name} is {what} not compressed: compress it (gzip), or name an image {stem}.nii."
    if is_compressed and not path.name.endswith(".gz"):
        return f"{path.name} is compressed: rename it to {stem}.nii.gz."
    return None


def _open(path: Path) -> nib.Nifti1Image:
    _check_there(path)
    head = b""
    try:
        head = _refuse_giants(path)
        image = nib.load(path, mmap=False)  # a mapped file that somebody cuts short ends the process, not the read
    except ImageError:
        raise
    except EOFError as error:
        raise ImageError("truncated", f"{path.name} ends within its header ({error}). Copy it again.") from error
    except zlib.error as error:
        raise ImageError("damaged", f"{path.name} is damaged within its header ({error}). Copy it again.") from error
    except Exception as error:  # nibabel raises whatever its readers meet
        _raise_fault_of_machine(error)
        if path.name.endswith(".gz") and head.startswith(_GZIP):
            message = f"{path.name} is compressed twice: uncompress it once (gzip -d)."
            raise ImageError("unreadable", message) from error
        raise ImageError("unreadable", f"{path.name} is no NIfTI file: {_first_line(error)}.") from error
    if not isinstance(image, nib.Nifti1Image):
        raise ImageError("unreadable", f"{path.name} is {type(image).__name__}, expected NIfTI.")
    kind = image.get_data_dtype()
    if kind.kind not in "iuf":
        raise ImageError("unreadable", f"{path.name} has voxels of type {kind}: expected plain numbers.")
    return image


def _refuse_giants(path: Path) -> bytes:
    """Refuse by its first bytes what would fill memory or never end: a small compressed file can claim anything.

    Returns
    -------
    bytes
        Those first bytes, uncompressed.
    """
    with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
        head = file.read(_NIFTI2_BYTES)
    for order in "<>":
        if head[:4] == struct.pack(f"{order}i", _NIFTI1_BYTES) and len(head) >= _NIFTI1_BYTES:
            sides = struct.unpack_from(f"{order}8h", head, 40)[1:4]
            edges = struct.unpack_from(f"{order}8f", head, 76)[1:4]
            (offset,) = struct.unpack_from(f"{order}f", head, 108)
        elif head[:4] == struct.pack(f"{order}i", _NIFTI2_BYTES) and len(head) >= _NIFTI2_BYTES:
            sides = struct.unpack_from(f"{order}8q", head, 16)[1:4]
            edges = struct.unpack_from(f"{order}8d", head, 104)[1:4]
            (offset,) = struct.unpack_from(f"{order}q", head, 168)
        else:
            continue
        if 0 in edges:  # nibabel would make 1 mm of it without a word
            named = " x ".join(f"{edge:.4g}" for edge in edges)
            raise ImageError(
                "header_invalid", f"{path.name} has voxels of {named} mm in its header: convert it from DICOM again."
            )
        if min(sides) < 0:
            raise ImageError("unreadable", f"{path.name} has shape {tuple(sides)}: it is damaged.")
        if not 0 <= offset <= MAX_OFFSET_BYTES:
            raise ImageError("unreadable", f"{path.name} says that its voxels begin at byte {offset:g}: it is damaged.")
        _check_sides(sides)
    return head


def _check_sides(sides: Sequence[int]) -> None:
    if max(sides) > MAX_SIDE or math.prod(map(float, sides)) > MAX_VOXELS:
        raise ImageError(
            "too_large",
            f"The image has shape {tuple(sides)}: more than {MAX_VOXELS} voxels or {MAX_SIDE} along an axis.",
        )


def _data(image: nib.Nifti1Image, path: Path) -> Image:
    if math.prod(map(float, image.shape)) > MAX_VOXELS:
        raise ImageError("too_large", f"{path.name} has shape {image.shape}: more than {MAX_VOXELS} voxels.")
    try:
        return np.asarray(image.dataobj, dtype=np.float32)
    except (EOFError, OSError, ValueError, OverflowError, zlib.error, gzip.BadGzipFile) as error:
        _raise_fault_of_machine(error)
        raise ImageError(
            "truncated", f"{path.name} is damaged or ends too early: {_first_line(error)}. Copy it again."
        ) from error


def _raise_fault_of_machine(error: Exception) -> None:
    """Let an error of the operating system through: a disk or network that fails is no fault of the scan."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0].rstrip(".")


def _check_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The three axes of a scan; further axes of length one are dropped."""
    if len(shape) < 3 or any(side != 1 for side in shape[3:]):
        raise ImageError(
            "not_3d",
            f"The scan has shape {tuple(map(int, shape))}: expected one 3D volume. Choose one or average them first.",
        )
    sides = (int(shape[0]), int(shape[1]), int(shape[2]))
    _check_sides(sides)
    return sides


def _check_sizes(shape: tuple[int, int, int], voxel_to_ras: Affine) -> None:
    sizes = voxel_sizes_mm(voxel_to_ras)
    if sizes.min() < VOXEL_EDGE_MM[0] or sizes.max() > VOXEL_EDGE_MM[1]:
        named = " x ".join(f"{size:.4g}" for size in sizes)
        raise ImageError(
            "header_invalid",
            f"Voxels of {named} mm: expected edges of {VOXEL_EDGE_MM[0]} to {VOXEL_EDGE_MM[1]} mm. Is the header in "
            "another unit (meters, microns) and does not say so in xyzt_units?",
        )
    extent = sizes * shape
    if extent.min() < FIELD_OF_VIEW_MM[0]:
        raise ImageError(
            "too_small", f"The field of view is only {extent.min():.0f} mm along an axis: a brain does not fit."
        )
    if extent.max() > FIELD_OF_VIEW_MM[1]:
        raise ImageError(
            "header_invalid", f"The field of view is {extent.max():.0f} mm: the voxel sizes cannot be right."
        )


def _check_foreground(data: Image, voxel_to_ras: Affine) -> None:
    if data.max() == data.min():
        raise ImageError("empty", f"Every voxel is {data.flat[0]:g}: there is no image.")
    foreground_ml = np.count_nonzero(data) * voxel_volume_mm3(voxel_to_ras) / 1000
    if foreground_ml < MIN_FOREGROUND_ML:
        raise ImageError("empty", f"Only {foreground_ml:.1f} ml of the image are not zero: there is no head in it.")
