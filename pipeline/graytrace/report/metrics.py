"""Image quality metrics of the whole study, for the report: a table and a plot."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from graytrace.report.content import Study, number
from graytrace.report.plots import MetricValues, as_data_uri, plot_quality
from graytrace.results.limits import list_metrics, show_limit


def describe_metrics(study: Study, descriptions: Mapping[str, str]) -> list[dict[str, Any]]:
    """Median, limit and number of flags of each image quality metric that this study has."""
    found = []
    for metric in list_metrics():
        values = [value for row in study.quality if (value := number(row, metric.name)) is not None]
        if values:
            flagged = sum(f"{metric.name}_" in row["flags"] for row in study.quality)
            found.append(
                {
                    "label": metric.label,
                    "median": metric.shown(statistics.median(values)),
                    "limit": show_limit(metric, study.limits),
                    "flagged": flagged or "",
                    "description": descriptions[metric.name],
                }
            )
    return found


def plot_metrics(study: Study) -> str | None:
    """Spread of each image quality metric over the study as the source of an image; None without any."""
    metrics = []
    for metric in list_metrics():
        known = [
            (value, f"{metric.name}_" in row["flags"])
            for row in study.quality
            if (value := number(row, metric.name)) is not None
        ]
        limit = study.limits.get(metric.name) or {}
        if known and metric.better != "none":
            values, flags = zip(*known, strict=True)
            metrics.append(MetricValues(metric.label, metric.unit, values, flags, limit.get("min"), limit.get("max")))
    return as_data_uri(plot_quality(metrics)) if metrics else None
