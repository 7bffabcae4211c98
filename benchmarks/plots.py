"""Where the estimators of change break: their errors against noise, shading, true change and slice thickness."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

ESTIMATORS = {
    "change_error": ("measure", "o", "#0072b2"),
    "jacobian_error": ("Jacobian part alone", "s", "#e69f00"),
    "difference_error": ("plain difference", "^", "#999999"),
}
CONDITIONS = {
    "noise": "noise (% of white matter)",
    "bias": "shading, peak to peak (%)",
    "true_change": "true GM change (%)",
    "slice_mm": "slice thickness (mm)",
}


def read_results(folder: Path) -> list[dict[str, str]]:
    """Rows of every cohort that was run with its conditions."""
    rows: list[dict[str, str]] = []
    for path in sorted(folder.glob("*-seed*.tsv")):
        with path.open() as lines:
            rows += [row for row in csv.DictReader(lines, delimiter="\t") if row.get("noise")]
    return rows


def draw_errors(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """A panel for each condition; absolute errors in percentage points on a log axis, a point a patient."""
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    for axes, (condition, label) in zip(figure.subplots(2, 2, sharey=True).flat, CONDITIONS.items(), strict=True):
        for key, (name, marker, color) in ESTIMATORS.items():
            known = [row for row in rows if row.get(key)]
            x = [float(row[condition]) for row in known]
            y = [max(abs(float(row[key])), 1e-3) for row in known]
            axes.semilogy(x, y, marker, color=color, label=name, alpha=0.8, markersize=6)
        axes.axhline(0.1, color="0.7", linewidth=0.8, linestyle="--")
        axes.set_xlabel(label)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supylabel("absolute error of GM change (points)")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(ESTIMATORS), frameon=False)
    path.parent.mkdir(exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "graytrace"}):  # the same figures give the same bytes
        figure.savefig(path, metadata={"Date": None, "Creator": None})
