"""Pictures of one patient: arrays in, a small picture out.

Colors are from Okabe and Ito's palette, safe for color-blind eyes. Every picture has a fixed size in pixels, and the
same bytes for the same arrays.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

MASK_COLOR = "#56B4E9"
GM_COLOR = "#E69F00"
WM_COLOR = "#009E73"
MAP_LIMIT_PERCENT = 10.0
PANEL_PIXELS = 320
_INSIDE = 0.5  # a border is where half of a voxel is inside
_MARGIN_MM = 8.0
_DPI = 100
_JPEG_QUALITY = 80
_PLANES = ("sagittal", "coronal", "axial")


def draw_borders(
    path: Path,
    image: np.ndarray,
    voxel_to_ras: np.ndarray,
    *,
    brain_mask: np.ndarray,
    gm_fraction: np.ndarray,
    wm_fraction: np.ndarray,
) -> None:
    """Draw the borders of brain mask, gray and white matter on a scan, two slices in each plane.

    Parameters
    ----------
    path : Path
        JPEG file to write.
    image, brain_mask, gm_fraction, wm_fraction : (X, Y, Z) array-like
        On one grid, any orientation.
    voxel_to_ras : (4, 4) array-like
    """
    sizes_mm = _ras_sizes_mm(voxel_to_ras)
    tissue = np.asarray(gm_fraction) + np.asarray(wm_fraction)
    turned = [_to_ras(array, voxel_to_ras) for array in (brain_mask, image, tissue, wm_fraction)]
    mask, scan, brain, white = _crop(turned, sizes_mm)
    top = _top(scan, mask)
    with _panels(path, rows=2) as axes:
        for row, at in enumerate((0.35, 0.6)):
            for axis in range(3):
                index = _slice_within(mask, axis, at)
                _show(axes[row][axis], _plane(scan, axis, index), axis, sizes_mm, top=top)
                for border, color in ((mask, MASK_COLOR), (brain, GM_COLOR), (white, WM_COLOR)):
                    _contour(axes[row][axis], _plane(border, axis, index), axis, sizes_mm, color)


def draw_planes(path: Path, planes: Sequence[np.ndarray], *, top: float) -> None:
    """Draw one visit: a sagittal, a coronal and an axial slice side by side.

    Parameters
    ----------
    path : Path
        JPEG file to write.
    planes : three (A, B) arrays
        Square voxels; first axis to the right of the picture, second upwards.
    top : float
        Intensity that is drawn white.
    """
    with _panels(path, rows=1) as axes:
        for axis, plane in enumerate(planes):
            _show(axes[0][axis], plane, axis, np.ones(3), top=top)


def draw_change(path: Path, planes: Sequence[np.ndarray], change_percent: Sequence[np.ndarray], *, top: float) -> None:
    """Draw the local change of volume on the slices of `draw_planes`: loss blue, gain orange, full color at 10 %.

    Parameters
    ----------
    path : Path
        JPEG file to write.
    planes, change_percent : three (A, B) arrays each
        The scan, and the change of volume in percent where it is measured, else 0.
    top : float
        Intensity that is drawn white.
    """
    with _panels(path, rows=1) as axes:
        for axis, (plane, change) in enumerate(zip(planes, change_percent, strict=True)):
            _show(axes[0][axis], plane, axis, np.ones(3), top=top)
            strength = np.clip(np.abs(change.T) / MAP_LIMIT_PERCENT, 0, 1)
            colors = np.where((change.T < 0)[..., None], _rgb("#0072B2"), _rgb("#E69F00"))
            axes[0][axis].imshow(np.dstack([colors, 0.85 * strength]), origin="lower", interpolation="bilinear")


def _rgb(color: str) -> np.ndarray:
    return np.array([int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)])


@contextmanager
def _panels(path: Path, *, rows: int) -> Iterator[Any]:
    """Rows of three square black panels without gaps; written as JPEG with full color resolution."""
    size = (3 * PANEL_PIXELS / _DPI, rows * PANEL_PIXELS / _DPI)
    figure = Figure(figsize=size, dpi=_DPI, facecolor="black")
    axes = figure.subplots(rows, 3, squeeze=False, gridspec_kw={"wspace": 0, "hspace": 0})
    figure.subplots_adjust(0, 0, 1, 1)
    for number, panel in enumerate(axes.flat):
        panel.set_axis_off()
        panel.set_facecolor("black")
        panel.set_label(_PLANES[number % 3])
    yield axes
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=_DPI, format="png", facecolor="black")
    picture = Image.open(buffer).convert("RGB")
    picture.save(path, format="JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)


def _crop(arrays: Sequence[np.ndarray], sizes_mm: np.ndarray) -> list[np.ndarray]:
    """The part of all arrays around the first one's foreground."""
    there = np.argwhere(arrays[0] > _INSIDE)
    if not there.size:
        return list(arrays)
    margin = np.ceil(_MARGIN_MM / sizes_mm).astype(int)
    low = np.maximum(there.min(0) - margin, 0)
    high = there.max(0) + margin + 1
    box = tuple(slice(*edges) for edges in zip(low, high, strict=True))
    return [array[box] for array in arrays]


def _top(array: np.ndarray, mask: np.ndarray) -> float:
    """Intensity that is drawn white."""
    inside = array[mask > _INSIDE]
    return 1.1 * float(np.percentile(inside, 99.5) if inside.size else array.max())


def _to_ras(array: np.ndarray, voxel_to_ras: np.ndarray) -> np.ndarray:
    """Axes in the order and direction nearest to right, anterior, superior."""
    turn = nib.orientations.io_orientation(voxel_to_ras)
    return np.asarray(nib.orientations.apply_orientation(np.asarray(array, dtype=np.float32), turn))


def _ras_sizes_mm(voxel_to_ras: np.ndarray) -> np.ndarray:
    """(3,) voxel edges after `_to_ras`."""
    turn = nib.orientations.io_orientation(voxel_to_ras)
    sizes = np.empty(3)
    sizes[turn[:, 0].astype(int)] = np.linalg.norm(np.asarray(voxel_to_ras)[:3, :3], axis=0)
    return sizes


def _slice_within(mask: np.ndarray, axis: int, at: float) -> int:
    """Index at a fraction of a mask's extent along an axis; the middle of the image when the mask is empty."""
    others = tuple(other for other in range(3) if other != axis)
    there = np.flatnonzero((mask > _INSIDE).any(others))
    if not there.size:
        return int(mask.shape[axis] // 2)
    return int(there[0] + round(at * (there[-1] - there[0])))


def _plane(array: np.ndarray, axis: int, index: int) -> np.ndarray:
    return np.asarray(array.take(index, axis))


def _show(panel: Any, plane: np.ndarray, axis: int, sizes_mm: np.ndarray, *, top: float) -> None:
    """A slice in its panel, as large as it fits, in true proportions."""
    across, up = (float(sizes_mm[other]) for other in range(3) if other != axis)
    extent = _extent(plane, across, up)
    options: Mapping[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": top or 1, "interpolation": "lanczos"}
    panel.imshow(plane.T, origin="lower", extent=extent, aspect="equal", **options)


def _extent(plane: np.ndarray, across_mm: float, up_mm: float) -> tuple[float, float, float, float]:
    """Edges of a drawn slice in units of its smaller voxel edge."""
    unit = min(across_mm, up_mm)
    wide, high = across_mm / unit, up_mm / unit
    return (-wide / 2, (plane.shape[0] - 0.5) * wide, -high / 2, (plane.shape[1] - 0.5) * high)


def _contour(panel: Any, plane: np.ndarray, axis: int, sizes_mm: np.ndarray, color: str) -> None:
    if not plane.min() < _INSIDE < plane.max():
        return
    across, up = (float(sizes_mm[other]) for other in range(3) if other != axis)
    unit = min(across, up)
    x, y = np.arange(plane.shape[0]) * across / unit, np.arange(plane.shape[1]) * up / unit
    panel.contour(x, y, plane.T, levels=[_INSIDE], colors=[color], linewidths=0.9)
