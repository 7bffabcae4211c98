"""Overlays on scans: arrays in, a PNG file out. Colors are from Okabe and Ito's palette, safe for color-blind eyes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from matplotlib.figure import Figure

_MASK_COLOR = "#56B4E9"
_GM_COLOR = "#E69F00"
_WM_COLOR = "#009E73"
_INSIDE = 0.5  # a border is where half of a voxel is inside
_MARGIN_VOXELS = 8
_DPI = 110
_PANEL_INCHES = 2.6
_MAP_LIMIT_PERCENT = 5.0
# nothing of the machine or the moment in the file: the same picture gives the same bytes
_METADATA: Mapping[str, Any] = {"Software": None}


def draw_scan(
    path: Path,
    image: np.ndarray,
    voxel_to_ras: np.ndarray,
    *,
    brain_mask: np.ndarray,
    gm_fraction: np.ndarray,
    wm_fraction: np.ndarray,
    title: str,
) -> None:
    """Draw the borders of brain mask, gray and white matter on a scan, two slices in each plane.

    Parameters
    ----------
    path : Path
        PNG file to write.
    image, brain_mask, gm_fraction, wm_fraction : (X, Y, Z) array-like
        On one grid, any orientation.
    voxel_to_ras : (4, 4) array-like
    title : str
    """
    tissue = np.asarray(gm_fraction) + np.asarray(wm_fraction)
    arrays = _crop([_to_ras(array, voxel_to_ras) for array in (image, brain_mask, tissue, wm_fraction)])
    scan, mask, brain, white = arrays
    sizes_mm = _ras_sizes_mm(voxel_to_ras)
    caption = "borders: brain mask blue, gray matter and CSF orange, white and gray matter green"
    with _figure(path, rows=2, title=title, caption=caption) as axes:
        for row, at in enumerate((0.35, 0.6)):
            for axis in range(3):
                index = _slice_within(mask, axis, at)
                panel = axes[row][axis]
                _show(panel, scan, axis, index, sizes_mm, top=_top(scan, mask))
                for border, color in ((mask, _MASK_COLOR), (brain, _GM_COLOR), (white, _WM_COLOR)):
                    _contour(panel, border, axis, index, color)


def draw_pair(
    path: Path,
    baseline: np.ndarray,
    followup: np.ndarray,
    change_percent: np.ndarray,
    voxel_to_ras: np.ndarray,
    *,
    title: str,
) -> None:
    """Draw both visits in midway space and, on the baseline, where tissue was lost or gained.

    Parameters
    ----------
    path : Path
        PNG file to write.
    baseline, followup : (X, Y, Z) array-like
        Scans in midway space.
    change_percent : (X, Y, Z) array-like
        Local change of volume in percent, zero where nothing is measured.
    voxel_to_ras : (4, 4) array-like
    title : str
    """
    first, second, change = (_to_ras(array, voxel_to_ras) for array in (baseline, followup, change_percent))
    measured = (change != 0).astype(np.float32)
    first, measured, second, change = _crop([first, measured, second, change])
    sizes_mm = _ras_sizes_mm(voxel_to_ras)
    caption = f"last row: loss blue, gain red, full color at {_MAP_LIMIT_PERCENT:.0f} %"
    with _figure(path, rows=3, title=title, caption=caption) as axes:
        for row, (shown, name) in enumerate(((first, "baseline"), (second, "follow-up"), (first, "local change"))):
            for axis in range(3):
                panel = axes[row][axis]
                index = _slice_within(measured, axis, 0.5)
                _show(panel, shown, axis, index, sizes_mm, top=_top(shown, measured))
                if name == "local change":
                    _overlay(panel, change, axis, index, sizes_mm)
            axes[row][0].text(0.02, 0.97, name, transform=axes[row][0].transAxes, color="white", va="top", fontsize=8)


@contextmanager
def _figure(path: Path, *, rows: int, title: str, caption: str) -> Iterator[Any]:
    figure = Figure(figsize=(3 * _PANEL_INCHES, rows * _PANEL_INCHES + 0.6), facecolor="black", layout="constrained")
    axes = figure.subplots(rows, 3)
    for panel in axes.flat:
        panel.set_axis_off()
    figure.suptitle(title, color="white", fontsize=10)
    figure.supxlabel(caption, color="white", fontsize=8)
    yield axes
    figure.savefig(path, dpi=_DPI, format="png", metadata=dict(_METADATA))


def _crop(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The part of all arrays around the second one's foreground."""
    there = np.argwhere(arrays[1] > _INSIDE)
    if not there.size:
        return list(arrays)
    low = np.maximum(there.min(0) - _MARGIN_VOXELS, 0)
    high = there.max(0) + _MARGIN_VOXELS + 1
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
    """A slice as matplotlib draws it: rows upwards."""
    return np.asarray(array.take(index, axis).T)


def _show(panel: Any, array: np.ndarray, axis: int, index: int, sizes_mm: np.ndarray, *, top: float) -> None:
    aspect = _aspect(axis, sizes_mm)
    panel.imshow(_plane(array, axis, index), cmap="gray", vmin=0, vmax=top, origin="lower", aspect=aspect)


def _aspect(axis: int, sizes_mm: np.ndarray) -> float:
    """Height of a drawn pixel over its width."""
    across, up = (other for other in range(3) if other != axis)
    return float(sizes_mm[up] / sizes_mm[across])


def _contour(panel: Any, array: np.ndarray, axis: int, index: int, color: str) -> None:
    plane = _plane(array, axis, index)
    if plane.min() < _INSIDE < plane.max():
        panel.contour(plane, levels=[_INSIDE], colors=[color], linewidths=0.6)


def _overlay(panel: Any, change: np.ndarray, axis: int, index: int, sizes_mm: np.ndarray) -> None:
    plane = _plane(change, axis, index)
    strength = np.clip(np.abs(plane) / _MAP_LIMIT_PERCENT, 0, 1)
    panel.imshow(
        plane,
        cmap="coolwarm",
        vmin=-_MAP_LIMIT_PERCENT,
        vmax=_MAP_LIMIT_PERCENT,
        alpha=0.8 * strength,
        origin="lower",
        aspect=_aspect(axis, sizes_mm),
    )
