"""Pictures of one patient: arrays in, a small picture out.

Colors are from Okabe and Ito's palette, safe for color-blind eyes. Every picture has a fixed size in pixels, and the
same bytes for the same arrays.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.arrays import Affine, Fractions, Mask, Plane, ScalarField

MASK_COLOR = "#56B4E9"
GM_COLOR = "#E69F00"
WM_COLOR = "#009E73"
MAP_LIMIT_PERCENT = 10.0
PANEL_PIXELS = 270
COLUMNS = 4
_LINE = 0.8  # points
_INSIDE = 0.5  # a border is where half of a voxel is inside
_MARGIN_MM = 8.0
_DPI = 100
_JPEG_QUALITY = 80
_PLANES = ("sagittal", "coronal", "axial")
# Where slices cut the brain mask, from left, behind, below: where masks leak. The neck is near the midline, orbits
# lie in front of the temporal lobes, dura around the cerebellum and at the vertex.
_BORDER_SLICES = ((0.15, 0.35, 0.52, 0.78), (0.18, 0.38, 0.58, 0.82), (0.14, 0.34, 0.56, 0.84))


class Slice(NamedTuple):
    """A slice with square voxels.

    Parameters
    ----------
    values : (A, B) ndarray
        First axis to the right of the picture, second upwards; white matter = 1 or percent of change.
    axis : int
        What the slice is across: 0 sagittal, 1 coronal, 2 axial.
    """

    values: Plane
    axis: int


def draw_borders(
    path: Path,
    image: ScalarField,
    voxel_to_ras: Affine,
    *,
    brain_mask: Mask,
    gm_fraction: Fractions,
    wm_fraction: Fractions,
) -> None:
    """Draw the borders of brain mask, gray and white matter on a scan: a row of slices for each plane.

    Parameters
    ----------
    path : Path
        JPEG file to write.
    image, brain_mask, gm_fraction, wm_fraction : (X, Y, Z) array-like
        On one grid, any orientation; intensities of any unit, fractions in [0, 1].
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.
    """
    sizes_mm = _ras_sizes_mm(voxel_to_ras)
    tissue = np.asarray(gm_fraction) + np.asarray(wm_fraction)
    turned = [_to_ras(array, voxel_to_ras) for array in (brain_mask, image, tissue, wm_fraction)]
    mask, scan, brain, white = _crop(turned, sizes_mm)
    top = _top(scan, mask)
    borders = ((white, WM_COLOR), (brain, GM_COLOR), (mask, MASK_COLOR))  # the mask's line last: whole all around
    with _panels(path, rows=len(_PLANES)) as axes:
        for axis, places in enumerate(_BORDER_SLICES):
            for panel, at in zip(axes[axis], places, strict=True):
                index = _slice_within(mask, axis, at)
                _show(panel, _plane(scan, axis, index), axis, sizes_mm, top=top)
                for border, color in borders:
                    _contour(panel, _plane(border, axis, index), axis, sizes_mm, color)
                _name_side(panel, axis)


def draw_planes(path: Path, planes: Sequence[Slice], *, top: float) -> None:
    """Draw slices of one visit, four in a row.

    Parameters
    ----------
    path : Path
        JPEG file to write.
    planes : sequence of Slice
        In the order in which they are drawn.
    top : float
        Intensity that is drawn white.
    """
    with _panels(path, rows=_rows(planes)) as axes:
        for panel, plane in zip(axes.flat, planes, strict=False):
            _show(panel, plane.values, plane.axis, np.ones(3), top=top)
            _name_side(panel, plane.axis)


def draw_change(path: Path, planes: Sequence[Slice], change_percent: Sequence[Plane], *, top: float) -> None:
    """Draw the local change of volume on the slices of `draw_planes`: loss blue, gain orange, full color at 10 %.

    Parameters
    ----------
    path : Path
        JPEG file to write.
    planes : sequence of Slice
        The scan.
    change_percent : sequence of (A, B) arrays
        On the same slices the change of volume in percent where it is measured, else 0.
    top : float
        Intensity that is drawn white.
    """
    with _panels(path, rows=_rows(planes)) as axes:
        for panel, plane, change in zip(axes.flat, planes, change_percent, strict=False):
            _show(panel, plane.values, plane.axis, np.ones(3), top=top)
            strength = np.clip(np.abs(change.T) / MAP_LIMIT_PERCENT, 0, 1)
            colors = np.where((change.T < 0)[..., None], _rgb("#0072B2"), _rgb("#E69F00"))
            panel.imshow(np.dstack([colors, 0.85 * strength]), origin="lower", interpolation="bilinear")
            _name_side(panel, plane.axis)


def _rows(planes: Sequence[Slice]) -> int:
    return math.ceil(len(planes) / COLUMNS)


def _rgb(color: str) -> np.ndarray:
    return np.array([int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)])


@contextmanager
def _panels(path: Path, *, rows: int) -> Iterator[Any]:
    """Rows of four square black panels without gaps; written as JPEG with full color resolution."""
    size = (COLUMNS * PANEL_PIXELS / _DPI, rows * PANEL_PIXELS / _DPI)
    figure = Figure(figsize=size, dpi=_DPI, facecolor="black")
    axes = figure.subplots(rows, COLUMNS, squeeze=False, gridspec_kw={"wspace": 0, "hspace": 0})
    figure.subplots_adjust(0, 0, 1, 1)
    for panel in axes.flat:
        panel.set_axis_off()
        panel.set_facecolor("black")
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
    sizes[turn[:, 0].astype(int)] = voxel_sizes_mm(voxel_to_ras)
    return sizes


def _slice_within(mask: np.ndarray, axis: int, at: float) -> int:
    """Index at a fraction of a mask's extent along an axis; the middle of the image when the mask is empty."""
    others = tuple(other for other in range(3) if other != axis)
    there = np.flatnonzero((mask > _INSIDE).any(others))
    if not there.size:
        return int(mask.shape[axis] // 2)
    return int(there[0] + round(at * (there[-1] - there[0])))


def _plane(array: np.ndarray, axis: int, index: int) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(array, axis, 0)[index])


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


def _name_side(panel: Any, axis: int) -> None:
    """An L at the patient's left, where a slice shows both sides."""
    if _PLANES[axis] != "sagittal":
        panel.text(0.02, 0.5, "L", transform=panel.transAxes, color="white", fontsize=8, va="center")


def _contour(panel: Any, plane: np.ndarray, axis: int, sizes_mm: np.ndarray, color: str) -> None:
    if not plane.min() < _INSIDE < plane.max():
        return
    across, up = (float(sizes_mm[other]) for other in range(3) if other != axis)
    unit = min(across, up)
    x, y = np.arange(plane.shape[0]) * across / unit, np.arange(plane.shape[1]) * up / unit
    panel.contour(x, y, plane.T, levels=[_INSIDE], colors=[color], linewidths=_LINE)
