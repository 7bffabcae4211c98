"""What a scanner makes of a head: T1w contrast, position, grid, slices, coil, gain and noise."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from graytrace.phantoms.anatomy import LABELS, HeadAnatomy
from graytrace.phantoms.random_fields import draw_smooth_field
from graytrace.phantoms.resampling import pull, pull_all
from graytrace.phantoms.template import STRUCTURES

ORIENTATIONS = ("RAS", "LAS", "LPS", "PSR", "oblique")

# mean T1w signal, white matter = 100 (an MPRAGE at 3 T); the spread from head to head is 1.5 percent
_SIGNAL = {
    "air": 1, "cortex": 66, "cerebellar_cortex": 64, "deep_gray": 70, "white_matter": 100, "brainstem": 93,
    "ventricles": 18, "outer_csf": 18, "muscle": 50, "skin": 58, "fat": 98, "bone": 11, "marrow": 72, "dura": 46,
    "vessel": 52, "eye": 20, "lens": 42, "cord": 88, "spinal_csf": 18,
}  # fmt: skip
_OBLIQUE_DEG = (9.0, -6.0, 12.0)
_COIL_LENGTH_MM = 70.0
_GAIN = (3.0, 9.0)
_BRIGHTEST = 4095  # scanners store 12 bits


@dataclass(frozen=True)
class ScanSettings:
    """How one visit is scanned.

    Attributes
    ----------
    slice_mm : float or None
        Slice thickness, a multiple of the anatomy's voxel: what lies within a slice is averaged. None: one voxel.
    orientation : str
        One of `ORIENTATIONS`: the order and direction of the stored axes.
    noise_percent, bias_percent : float
        Standard deviation of the noise in each channel, in percent of white matter; peak-to-peak bias field.
    scale_percent : float
        Error of the scanner's length scale: everything looks this much larger.
    rotation_deg, shift_mm : (3,) tuple of float
        Position of the head.
    """

    slice_mm: float | None = None
    orientation: str = "RAS"
    noise_percent: float = 3.0
    bias_percent: float = 40.0
    scale_percent: float = 0.0
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Scan:
    """One visit's image with its truth, all on the same grid.

    Attributes
    ----------
    t1w : (X, Y, Z) int16 ndarray
        The image.
    fractions : dict of str to (X, Y, Z) float32 ndarray
        True share of "cortex", "deep_gray" and "white_matter" in each voxel.
    brain_mask, intracranial_mask, lesion_mask : (X, Y, Z) bool ndarray
        Gray and white matter with ventricles, closed over sulci; that and all CSF; lesions.
    voxel_to_ras : (4, 4) ndarray
        Voxel indices to RAS millimeters.
    scale : float
        The scanner's length scale; true volumes are those of the image divided by its cube.
    """

    t1w: NDArray[np.int16]
    fractions: dict[str, NDArray[np.float32]]
    brain_mask: NDArray[np.bool_]
    intracranial_mask: NDArray[np.bool_]
    lesion_mask: NDArray[np.bool_]
    voxel_to_ras: NDArray[np.float64]
    scale: float

    def true_volume_ml(self, tissue: str) -> float:
        """Volume of a tissue in millilitres, measured on what was rendered."""
        voxel_ml = abs(np.linalg.det(self.voxel_to_ras[:3, :3])) / 1000
        return float(self.fractions[tissue].sum(dtype=np.float64) * voxel_ml / self.scale**3)


@dataclass(frozen=True)
class PaintedHead:
    """A head with its T1w signal before it is scanned; both visits are scans of the same one.

    Attributes
    ----------
    signal : (X, Y, Z) float32 ndarray
        Noise-free T1w signal, white matter near 100.
    maps : dict of str to (x, y, z) float32 ndarray
        On the intracranial box: tissue fractions, "brain", "intracranial" and "lesion" share.
    """

    anatomy: HeadAnatomy
    signal: NDArray[np.float32]
    maps: dict[str, NDArray[np.float32]] = field(repr=False)


def paint_t1w(anatomy: HeadAnatomy, lesions: NDArray[np.float32], rng: np.random.Generator) -> PaintedHead:
    """Give each tissue its T1w signal and texture, and lesions theirs."""
    signal_of = {name: value * rng.normal(1, 0.015) for name, value in _SIGNAL.items()}
    shape, voxel_mm = anatomy.labels.shape, anatomy.voxel_mm
    palette = np.array([0.0 if name in STRUCTURES else signal_of[name] for name in LABELS], np.float32)
    outer = palette[anatomy.labels]
    # muscle, fat and marrow are not smooth: without texture the neck would be easier than a real one
    texture = 0.20 * draw_smooth_field(shape, 3 / voxel_mm, rng) + 0.12 * draw_smooth_field(shape, 9 / voxel_mm, rng)
    outer *= np.clip(1 + texture, 0.2, None)
    outer = ndimage.gaussian_filter(outer, 0.5)
    inner, box = anatomy.fractions[(slice(None), *anatomy.box)], anatomy.box
    signal = outer
    share = inner.sum(0)
    tissue = np.tensordot(np.array([signal_of[name] for name in STRUCTURES], np.float32), inner, 1)
    gray_to_white = signal_of["white_matter"] - signal_of["deep_gray"]
    tissue += inner[STRUCTURES.index("deep_gray")] * anatomy.deep_brightness[box] * np.float32(gray_to_white)
    tissue *= (
        1
        + 0.02 * draw_smooth_field(share.shape, 5 / voxel_mm, rng)
        + 0.02 * draw_smooth_field(share.shape, 14 / voxel_mm, rng)
    )
    tissue *= 1 - lesions[box] * np.float32(rng.uniform(0.26, 0.38))
    signal[box] = tissue + (1 - share) * outer[box]
    return PaintedHead(anatomy, signal, _truth_maps(anatomy, lesions))


def _truth_maps(anatomy: HeadAnatomy, lesions: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    box = anatomy.box
    maps = {
        "cortex": anatomy.fraction("cortex", "cerebellar_cortex")[box],
        "deep_gray": anatomy.fraction("deep_gray")[box],
        "white_matter": anatomy.fraction("white_matter", "brainstem")[box],
    }
    matter = maps["cortex"] + maps["deep_gray"] + maps["white_matter"] + anatomy.fraction("ventricles")[box]
    bridged_mm = 3.0
    solid = matter > 0.5
    grown = ndimage.distance_transform_edt(~solid) * anatomy.voxel_mm <= bridged_mm
    closed = ndimage.distance_transform_edt(grown) * anatomy.voxel_mm > bridged_mm
    intracranial = anatomy.fractions[(slice(None), *box)].sum(0)
    maps["brain"] = ((closed | solid) & (intracranial > 0.5)).astype(np.float32)
    maps["intracranial"] = intracranial
    if lesions.any():
        maps["lesion"] = lesions[box]
    return maps


def draw_coil(head: PaintedHead, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the receive profile of a patient's scanner, log scale, on the anatomy's grid."""
    return draw_smooth_field(head.signal.shape, _COIL_LENGTH_MM / head.anatomy.voxel_mm, rng)


def scan_head(
    head: PaintedHead,
    displacement: NDArray[np.float32] | None,
    coil: NDArray[np.float32],
    settings: ScanSettings,
    rng: np.random.Generator,
) -> Scan:
    """Scan a head.

    Parameters
    ----------
    head : PaintedHead
        Who is scanned.
    displacement : (3, x, y, z) float32 ndarray or None
        What has changed since baseline, from `atrophy.draw_displacement`.
    coil : (X, Y, Z) float32 ndarray
        From `draw_coil`; each visit adds some of its own.
    settings : ScanSettings
        How it is scanned.
    rng : numpy.random.Generator
        For the shading, gain and noise of this visit.

    Returns
    -------
    Scan
    """
    anatomy = head.anatomy
    n_averaged = round((settings.slice_mm or anatomy.voxel_mm) / anatomy.voxel_mm)
    shape, voxel_to_ras = _scan_grid(anatomy, settings.orientation)
    scale = 1 + settings.scale_percent / 100
    places = _places_in_head(anatomy, shape, voxel_to_ras, settings, scale)
    start = np.array([side.start for side in anatomy.box], np.float32)[:, None, None, None]
    if displacement is not None:
        places = places + pull_all(displacement, places - start, outside=0.0)
    signal = _average_slices(pull(head.signal, places, outside=0.0), n_averaged)
    maps = pull_all(np.stack(list(head.maps.values())), places - start, outside=0.0)
    truth = dict(zip(head.maps, _average_slices(maps, n_averaged), strict=True))
    voxel_to_ras = voxel_to_ras @ np.diag([1, 1, n_averaged, 1.0])
    voxel_to_ras[:3, 3] += voxel_to_ras[:3, 2] * (n_averaged - 1) / (2 * n_averaged)
    coil = _average_slices(_orient(coil, settings.orientation), n_averaged)
    t1w = _receive(signal, coil, np.linalg.norm(voxel_to_ras[:3, :3], axis=0), settings, rng)
    return Scan(
        t1w,
        {name: truth[name] for name in ("cortex", "deep_gray", "white_matter")},
        truth["brain"] > 0.5,
        truth["intracranial"] > 0.5,
        truth.get("lesion", np.zeros_like(signal)) > 0.5,
        voxel_to_ras,
        scale,
    )


def _stored_axes(orientation: str) -> tuple[list[int], list[int]]:
    """Which axis of the head each stored axis is, and whether it runs with (1) or against (-1) it."""
    letters = "RAS" if orientation == "oblique" else orientation
    places = ["LRPAIS".index(letter) for letter in letters]
    return [place // 2 for place in places], [1 if place % 2 else -1 for place in places]


def _scan_grid(anatomy: HeadAnatomy, orientation: str) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """Shape and affine of the stored image, before slices are averaged."""
    axes, directions = _stored_axes(orientation)
    shape = tuple(anatomy.labels.shape[axis] for axis in axes)
    voxel_to_ras = np.eye(4)
    voxel_to_ras[:3, :3] = anatomy.voxel_mm * np.eye(3)[:, axes] * directions
    if orientation == "oblique":
        voxel_to_ras[:3, :3] = rotation_matrix(_OBLIQUE_DEG) @ voxel_to_ras[:3, :3]
    voxel_to_ras[:3, 3] = -voxel_to_ras[:3, :3] @ (np.array(shape) - 1) / 2
    return shape, voxel_to_ras


def _orient(volume: NDArray[np.float32], orientation: str) -> NDArray[np.float32]:
    """A map on the anatomy's grid, its axes stored as `orientation` says."""
    axes, directions = _stored_axes(orientation)
    return np.transpose(volume, axes)[tuple(slice(None, None, direction) for direction in directions)]


def _places_in_head(
    anatomy: HeadAnatomy,
    shape: tuple[int, ...],
    voxel_to_ras: NDArray[np.float64],
    settings: ScanSettings,
    scale: float,
) -> NDArray[np.float32]:
    """Anatomy voxel that each scan voxel shows, (3, X, Y, Z)."""
    center_mm = anatomy.voxel_mm * (np.array(anatomy.labels.shape) - 1) / 2
    ras_to_head = np.eye(4)
    ras_to_head[:3, :3] = rotation_matrix(settings.rotation_deg) / scale
    ras_to_head[:3, 3] = settings.shift_mm + center_mm
    voxel_to_head = np.diag([1 / anatomy.voxel_mm] * 3 + [1.0]) @ ras_to_head @ voxel_to_ras
    index = np.indices(shape, dtype=np.float32)
    places = np.tensordot(voxel_to_head[:3, :3].astype(np.float32), index, 1)
    return places + voxel_to_head[:3, 3].astype(np.float32)[:, None, None, None]


def rotation_matrix(angles_deg: tuple[float, float, float]) -> NDArray[np.float64]:
    """Rotation about x, then y, then z, (3, 3)."""
    cos_x, cos_y, cos_z = np.cos(np.deg2rad(angles_deg))
    sin_x, sin_y, sin_z = np.sin(np.deg2rad(angles_deg))
    about_x = np.array([[1, 0, 0], [0, cos_x, -sin_x], [0, sin_x, cos_x]])
    about_y = np.array([[cos_y, 0, sin_y], [0, 1, 0], [-sin_y, 0, cos_y]])
    about_z = np.array([[cos_z, -sin_z, 0], [sin_z, cos_z, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _average_slices(volume: NDArray[np.float32], n_averaged: int) -> NDArray[np.float32]:
    """Average each `n_averaged` neighbors along the last axis; an incomplete last slice is not scanned."""
    if n_averaged == 1:
        return volume
    depth = volume.shape[-1] // n_averaged * n_averaged
    return np.asarray(volume[..., :depth].reshape(*volume.shape[:-1], -1, n_averaged).mean(-1))


def _receive(
    signal: NDArray[np.float32],
    coil: NDArray[np.float32],
    voxel_mm: NDArray[np.float64],
    settings: ScanSettings,
    rng: np.random.Generator,
) -> NDArray[np.int16]:
    """Shade, amplify and store a signal with Rician noise."""
    shading = coil + 0.35 * draw_smooth_field(signal.shape, _COIL_LENGTH_MM / voxel_mm, rng)
    received = signal * np.exp(np.float32(np.log1p(settings.bias_percent / 100) / 4) * shading)
    noise = np.float32(settings.noise_percent)
    real = received + noise * rng.standard_normal(signal.shape, np.float32)
    imaginary = noise * rng.standard_normal(signal.shape, np.float32)
    gain = np.float32(rng.uniform(*_GAIN))
    return np.asarray(np.clip(np.rint(gain * np.hypot(real, imaginary)), 0, _BRIGHTEST), dtype=np.int16)
