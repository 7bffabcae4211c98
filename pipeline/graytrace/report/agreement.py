"""The figure that sets two ways to measure side by side: Bland and Altman's plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from graytrace.arrays import Vector
from graytrace.statistics.intervals import HALF_INTERVAL_SES

_DOT, _BIAS, _LIMIT = "#0072B2", "#000000", "#D55E00"  # Okabe and Ito's palette
_PANEL_INCHES = (3.4, 2.8)
_DPI = 150


class Panel(NamedTuple):
    """Two runs' numbers of one measure, for the patients that both measured.

    Parameters
    ----------
    measure, first, second : str
        Names of the measure and of the runs.
    first_values, second_values : (N,) ndarray
        The same patients in the same order, in the measure's unit.
    """

    measure: str
    first: str
    second: str
    first_values: Vector
    second_values: Vector


def draw_agreement(path: Path, panels: Sequence[Panel], *, columns: int) -> None:
    """Draw differences against means, with the mean difference and the limits of agreement.

    Parameters
    ----------
    path : Path
        PNG file to write.
    panels : sequence of Panel
        Row by row.
    columns : int
        Panels in a row.
    """
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(_PANEL_INCHES[0] * columns, _PANEL_INCHES[1] * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis, panel in zip(axes.flat, panels, strict=False):
        _draw_panel(axis, panel)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})


def _draw_panel(axis: Any, panel: Panel) -> None:
    name, unit = _label(panel.measure)
    axis.set_title(f"{name}: {panel.second} minus {panel.first}, n = {panel.first_values.size}", fontsize=8)
    axis.set_xlabel(f"mean of both [{unit}]", fontsize=7)
    axis.set_ylabel(f"difference [{unit}]", fontsize=7)
    axis.tick_params(labelsize=7)
    axis.locator_params(axis="x", nbins=6)
    axis.spines[["top", "right"]].set_visible(False)
    if panel.first_values.size < 2:
        axis.text(0.5, 0.5, "too few patients\nmeasured by both", ha="center", va="center", transform=axis.transAxes)
        return
    difference = panel.second_values - panel.first_values
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    axis.plot((panel.first_values + panel.second_values) / 2, difference, "o", color=_DOT, markersize=4)
    draw_limits(axis, bias, sd)
    axis.axhline(0, color="0.8", linewidth=0.7, zorder=0)


def draw_limits(axis: Any, bias: float, sd: float) -> None:
    """Bias and limits of agreement as lines with their values (Bland and Altman 1986).

    Parameters
    ----------
    axis : matplotlib Axes
    bias, sd : float
        Mean and standard deviation of the differences.
    """
    for value, color, style in (
        (bias, _BIAS, "-"),
        (bias - HALF_INTERVAL_SES * sd, _LIMIT, "--"),
        (bias + HALF_INTERVAL_SES * sd, _LIMIT, "--"),
    ):
        axis.axhline(value, color=color, linestyle=style, linewidth=0.9)
        axis.annotate(
            f"{value:+.2f}", (1.01, value), xycoords=("axes fraction", "data"), ha="left", va="center", fontsize=7
        )


def _label(measure: str) -> tuple[str, str]:
    """Words and unit of a column's name: ``gm_change_percent`` is ("gm change", "%")."""
    words, _, unit = measure.rpartition("_")
    return words.replace("_", " ").replace("gm", "GM").replace("icv", "ICV"), {"percent": "%"}.get(unit, unit)
