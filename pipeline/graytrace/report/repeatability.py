"""Bland and Altman's plot of scan-rescan pairs: measured change against the size of what is measured."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from graytrace.arrays import Matrix, Vector
from graytrace.files import write_text
from graytrace.report.agreement import draw_limits

_DOT, _MISS = "#0072B2", "#D55E00"  # Okabe and Ito's palette
_PANEL_INCHES = (3.6, 2.8)
_COLUMNS = 3
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "graytrace",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class Panel(NamedTuple):
    """Pairs of one measure.

    Parameters
    ----------
    title, axis : str
        What is measured, and what its size is told by.
    sizes_ml : (N,) ndarray
        Mean volume of both scans; where it is not known a number of the pair.
    changes_percent : (N,) ndarray
        Measured change, which is all error.
    half_widths_points : (N, 2) ndarray
        From the change down and up to the ends of its stated 95 % interval; NaN where none is stated.
    """

    title: str
    axis: str
    sizes_ml: Vector
    changes_percent: Vector
    half_widths_points: Matrix


def draw_repeatability(path: Path, panels: Sequence[Panel]) -> None:
    """Draw each pair's change with its stated interval, the bias and the limits of agreement, as SVG.

    Intervals that miss zero are orange. Limits: bias +- 1.96 SD of the changes (Bland and Altman 1999,
    https://doi.org/10.1177/096228029900800204).

    Parameters
    ----------
    path : Path
        File to write; the same numbers give the same bytes.
    panels : sequence of Panel
        At least one.
    """
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(_PANEL_INCHES[0] * columns, _PANEL_INCHES[1] * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis, panel in zip(axes.flat, panels, strict=False):
            _draw_panel(axis, panel)
        for axis in axes.flat[len(panels) :]:
            axis.set_axis_off()
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    write_text(path, buffer.getvalue())


def _draw_panel(axis: Any, panel: Panel) -> None:
    x, y, reach = panel.sizes_ml, panel.changes_percent, panel.half_widths_points
    axis.set_title(f"{panel.title}, {y.size} pairs", fontsize=8)
    axis.set_xlabel(panel.axis, fontsize=7)
    axis.set_ylabel("measured change [%]", fontsize=7)
    axis.tick_params(labelsize=7)
    axis.locator_params(axis="x", nbins=6)
    axis.axhline(0, color="0.8", linewidth=0.7, zorder=0)
    stated = np.isfinite(reach).all(axis=1)
    missing = stated & ((y - reach[:, 0] > 0) | (y + reach[:, 1] < 0))
    for chosen, color in ((~missing, _DOT), (missing, _MISS)):
        bars = chosen & stated
        axis.errorbar(x[bars], y[bars], reach[bars].T, fmt="none", ecolor=color, elinewidth=0.7, alpha=0.6)
        axis.plot(x[chosen], y[chosen], "o", color=color, markersize=3.5)
    if y.size < 2:
        return
    bias, sd = float(y.mean()), float(y.std(ddof=1))
    draw_limits(axis, bias, sd)
