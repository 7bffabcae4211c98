"""Plots of a whole study, as SVG that follows the page's light or dark colors. Numbers in, text out."""

from __future__ import annotations

import base64
import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from graytrace.statistics.association import Estimate

GOOD_COLOR = "#0072B2"
FLAG_COLOR = "#D55E00"
_INK = "#123456"  # stands for the page's text color and is replaced by it
_SOFT = "#654321"  # the same for thin lines
_STYLE = (
    "<style>svg{color:#1b1f24;--soft:#8a929c}"
    "@media screen and (prefers-color-scheme:dark){svg{color:#e6e8eb;--soft:#7d8590}}</style>"
)
_NAMED_POINTS = 24
_FOREST_ROWS = 60
_PANELS_ABREAST = 4
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "graytrace",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True)
class Point:
    """A patient in a plot: `error` is half of its 95 % interval, None where it is not known."""

    name: str
    x: float
    y: float
    error: float | None
    is_flagged: bool


def as_data_uri(svg: str) -> str:
    """An SVG as the source of an image, so that nothing of it mixes with the page."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def plot_change_by(
    points: Sequence[Point], *, predictor: str, outcome: str, slope: Estimate | None, intercept: float
) -> str:
    """Change of each patient with its interval over dose or another number, with Theil and Sen's line."""
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        axes.axhline(0, color=_SOFT, linewidth=0.8)
        for point, x in zip(points, _side_by_side([point.x for point in points]), strict=True):
            _draw_point(axes, x, point.y, error=point.error, is_flagged=point.is_flagged)
            if len(points) <= _NAMED_POINTS:
                name = point.name.removeprefix("sub-")
                axes.annotate(name, (x, point.y), (5, 3), textcoords="offset points", fontsize=7, color=_INK)
        if slope is not None:
            ends = np.array([min(point.x for point in points), max(point.x for point in points)])
            axes.plot(ends, intercept + slope.value * ends, color=_INK, linewidth=1.2, linestyle="--")
        axes.set_xlabel(predictor)
        axes.set_ylabel(outcome)
        axes.margins(x=0.08)
        return _svg(figure)


def _side_by_side(places: Sequence[float]) -> list[float]:
    """Places where equal ones lie a little apart around their own, so that bars do not cover each other."""
    step = 0.018 * (max(places) - min(places))
    counts = {place: places.count(place) for place in places}
    seen: dict[float, int] = dict.fromkeys(places, 0)
    moved = []
    for place in places:
        moved.append(place + step * (seen[place] - (counts[place] - 1) / 2))
        seen[place] += 1
    return moved


def plot_forest(points: Sequence[Point], *, outcome: str) -> str:
    """Change of each patient with its interval, most loss first; beyond 60 patients without names."""
    ordered = sorted(points, key=lambda point: point.y, reverse=True)
    named = len(ordered) <= _FOREST_ROWS
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(7, max(1.6, 0.22 * len(ordered) + 0.8) if named else 6), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color=_SOFT, linewidth=0.8)
        for row, point in enumerate(ordered):
            _draw_point(
                axes, point.y, row, error=point.error, is_flagged=point.is_flagged, horizontal=True, small=not named
            )
        axes.set_yticks(range(len(ordered)) if named else [], [point.name for point in ordered] if named else [])
        axes.set_ylim(-0.7, len(ordered) - 0.3)
        axes.set_xlabel(outcome)
        return _svg(figure)


def _draw_point(
    axes: Any,
    x: float,
    y: float,
    *,
    error: float | None,
    is_flagged: bool,
    horizontal: bool = False,
    small: bool = False,
) -> None:
    color = FLAG_COLOR if is_flagged else GOOD_COLOR
    if error is not None:
        bars = {"xerr" if horizontal else "yerr": error}
        axes.errorbar(x, y, **bars, ecolor=color, elinewidth=1, capsize=0 if small else 2, fmt="none")
    marker = {"marker": "D" if is_flagged else "o", "markersize": 2.5 if small else 5, "linestyle": "none"}
    axes.plot(x, y, color=color, markerfacecolor="none" if is_flagged else color, **marker)


def plot_volumes(series: Sequence[tuple[str, Sequence[float], Sequence[float], bool]]) -> str:
    """Gray-matter volume of each patient at each visit: (name, years since the first visit, ml, flagged)."""
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        axes = figure.subplots()
        for _, years, volumes, is_flagged in series:
            color = FLAG_COLOR if is_flagged else GOOD_COLOR
            style: dict[str, Any] = {"marker": "D" if is_flagged else "o", "markersize": 3, "linewidth": 0.9}
            axes.plot(years, volumes, color=color, markerfacecolor="none" if is_flagged else color, **style)
        if len(series) <= _NAMED_POINTS:
            ends = [volumes[-1] for _, _, volumes, _ in series]
            for (name, years, volumes, _), height in zip(series, _apart(ends), strict=True):
                line = {"arrowstyle": "-", "color": _SOFT, "linewidth": 0.5}
                axes.annotate(
                    name.removeprefix("sub-"),
                    (years[-1], volumes[-1]),
                    (1.01, height),
                    textcoords=("axes fraction", "data"),
                    fontsize=7,
                    va="center",
                    arrowprops=line,
                )
        axes.set_xlabel("years since the first visit")
        axes.set_ylabel("gray matter (ml)")
        axes.margins(x=0.08)
        return _svg(figure)


@dataclass(frozen=True)
class Course:
    """A patient's visits: change in percent over years, the slope in percent per year, and which visits it counts."""

    name: str
    points: Sequence[Point]
    slope: float | None
    is_used: Sequence[bool]


def plot_trajectories(courses: Sequence[Course]) -> str:
    """Change of each patient at each visit, a small panel each, all with the same axes."""
    rows = -(-len(courses) // _PANELS_ABREAST)
    with mpl.rc_context(_RC | {"font.size": 7.5}):
        figure = Figure(figsize=(7.6, 1.45 * rows + 0.35), layout="constrained")
        panels = figure.subplots(rows, _PANELS_ABREAST, squeeze=False, sharex=True, sharey=True)
        for panel, course in zip(panels.flat, courses, strict=False):
            _draw_course(panel, course)
        for panel in panels.flat[len(courses) :]:
            panel.set_axis_off()
        for panel in panels.flat[max(0, len(courses) - _PANELS_ABREAST) : len(courses)]:
            panel.tick_params(labelbottom=True)
        figure.supxlabel("years since the reference", fontsize=7.5, color=_INK)
        figure.supylabel("change of gray matter (%)", fontsize=7.5, color=_INK)
        return _svg(figure)


def _draw_course(panel: Any, course: Course) -> None:
    panel.axhline(0, color=_SOFT, linewidth=0.6)
    used = [point for point, is_used in zip(course.points, course.is_used, strict=True) if is_used]
    if course.slope is not None and used:
        years, changes = np.array([point.x for point in used]), np.array([point.y for point in used])
        # through the middle of its visits, and bent as a constant rate of percent is
        logarithms, rate = np.log1p(changes / 100), math.log1p(course.slope / 100)
        ends = np.linspace(years.min(), years.max(), 9)
        line = 100 * np.expm1(logarithms.mean() + rate * (ends - years.mean()))
        panel.plot(ends, line, color=_INK, linewidth=0.9, linestyle="--")
    for point in course.points:
        _draw_point(panel, point.x, point.y, error=point.error, is_flagged=point.is_flagged, small=True)
    panel.set_title(course.name, fontsize=7.5, loc="left", pad=2)


def _apart(heights: Sequence[float]) -> list[float]:
    """Heights of labels, moved so that none covers another: near their own, in the same order."""
    gap = 0.045 * (max(heights) - min(heights))
    order = np.argsort(heights)
    moved = np.array(heights, dtype=float)
    for before, after in itertools.pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    return [float(height) for height in moved - (moved - np.array(heights)).mean()]


@dataclass(frozen=True)
class MetricValues:
    """Values of a image quality metric in a study, which of them are flagged, and its limits."""

    label: str
    unit: str
    values: Sequence[float]
    is_flagged: Sequence[bool]
    low: float | None
    high: float | None


def plot_quality(metrics: Sequence[MetricValues]) -> str:
    """A strip for each image quality metric: dots are scans or pairs, lines the limits."""
    columns = 3
    rows = math.ceil(len(metrics) / columns)
    with mpl.rc_context(_RC | {"font.size": 7.5}):
        figure = Figure(figsize=(7.6, 0.85 * rows + 0.2), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).flat
        for panel, metric in zip(panels, metrics, strict=False):
            _draw_strip(panel, metric)
        for panel in list(panels):
            panel.set_axis_off()
        for panel in figure.axes[len(metrics) :]:
            panel.set_axis_off()
        return _svg(figure)


def _draw_strip(panel: Any, metric: MetricValues) -> None:
    heights = np.random.default_rng(0).uniform(-0.3, 0.3, len(metric.values))
    flagged = np.array(metric.is_flagged, dtype=bool)
    values = np.array(metric.values, dtype=float)
    panel.plot(values[~flagged], heights[~flagged], "o", color=GOOD_COLOR, markersize=2.6, alpha=0.75)
    panel.plot(values[flagged], heights[flagged], "D", color=FLAG_COLOR, markerfacecolor="none", markersize=3.6)
    spread = float(np.ptp(values)) if values.size else 0.0
    shown = [values.min(), values.max()]
    for limit in (metric.low, metric.high):
        if limit is not None:
            panel.axvline(limit, color=_INK, linewidth=1.1, linestyle=":")
            if abs(limit) <= 10 * max(abs(shown[0]), abs(shown[1]), spread):
                shown.append(limit)
    margin = 0.08 * (max(shown) - min(shown)) or 0.1 * abs(shown[0]) or 1.0
    panel.set_xlim(min(shown) - margin, max(shown) + margin)
    panel.set_ylim(-0.6, 0.6)
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    panel.set_title(metric.label + (f" ({metric.unit})" if metric.unit != "1" else ""), fontsize=7.5, loc="left", pad=2)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor").replace(_SOFT, "var(--soft)")
    end = text.index(">") + 1
    return text[:end] + _STYLE + text[end:]
