"""Which image quality metrics need review: outside of the study's limits, or unusual among its own scans."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graytrace.algorithms.robust import SD_OF_MAD
from graytrace.findings import Flag, join_messages, split_messages
from graytrace.schemas import load_metrics
from graytrace.tables import format_number

ENOUGH_FOR_Z = 8
_ROUNDING = 1e-9  # of the largest value: smaller deviations are those of arithmetic
Row = dict[str, Any]
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Metric:
    """A metric of quality.tsv.

    Parameters
    ----------
    name, label, unit : str
        Column, plain words, unit.
    better : {"lower", "higher", "zero", "none"}
        Where good values lie.
    decimals : int
    relevant : float
        The smallest distance from the median that can matter: scans of one scanner may be so alike that any is unusual.
    limit_voxels : float
        An upper limit is never below so many of a scan's longest voxel edge: large voxels widen a border by themselves.
    """

    name: str
    label: str
    unit: str
    better: str
    decimals: int
    relevant: float = 0.0
    limit_voxels: float = 0.0

    def shown(self, value: float) -> str:
        """A value with three significant places or so, never fewer than two, and its unit."""
        unit = {"1": "", "percent": " %"}.get(self.unit, f" {self.unit}")
        return f"{format_number(value, max(self.decimals - 1, 0))}{unit}"


def list_metrics() -> list[Metric]:
    """Every metric of quality.tsv that can have a limit, in the table's order."""
    return [
        Metric(
            name,
            field["label"],
            field["unit"],
            field["better"],
            field["decimals"],
            field.get("relevant", 0.0),
            field.get("limit_voxels", 0.0),
        )
        for name, field in load_metrics().items()
    ]


def robust_z(value: float, values: Sequence[float]) -> float | None:
    """Distance from the median in standard deviations estimated by the median absolute deviation.

    None with fewer than eight values or where half of them are the same, but for rounding.

    Examples
    --------
    >>> round(robust_z(20.0, [1, 2, 3, 4, 5, 6, 7, 20]), 1)
    5.2
    """
    if len(values) < ENOUGH_FOR_Z:
        return None
    middle = statistics.median(values)
    deviation = statistics.median(abs(other - middle) for other in values)
    is_spread = deviation > _ROUNDING * max(map(abs, values))
    return (value - middle) / (SD_OF_MAD * deviation) if is_spread else None


def find_flags(rows: Sequence[Mapping[str, Any]], choices: Mapping[str, Any]) -> dict[Key, list[Flag]]:
    """Flags of each row of quality.tsv.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of quality.tsv.
    choices : mapping
        Section ``quality`` of the configuration: ``limits`` and ``outlier_z``.

    Returns
    -------
    dict
        (participant, visit, kind) to flags; each sentence tells the value and the limit beside it.
    """
    found: dict[Key, list[Flag]] = {}
    for metric in list_metrics():
        measured = [row for row in rows if row.get(metric.name) is not None and row.get("status") != "failed"]
        values = [float(row[metric.name]) for row in measured]
        limit = choices["limits"].get(metric.name) or {}
        for row, value in zip(measured, values, strict=True):
            flag = _beyond_limit(metric, value, _limit_on(metric, limit, row)) or _unusual(
                metric, value, values, choices["outlier_z"]
            )
            if flag:
                found.setdefault((row["participant_id"], row["visit"], row["kind"]), []).append(flag)
    return found


def _limit_on(metric: Metric, limit: Mapping[str, float | None], row: Mapping[str, Any]) -> Mapping[str, float | None]:
    """A limit as it holds for the voxels of a row's scan."""
    high, edge_mm = limit.get("max"), row.get("slice_thickness_mm")
    if not metric.limit_voxels or high is None or edge_mm is None:
        return limit
    return {**limit, "max": max(high, metric.limit_voxels * float(edge_mm))}


def _beyond_limit(metric: Metric, value: float, limit: Mapping[str, float | None]) -> Flag | None:
    low, high = limit.get("min"), limit.get("max")
    if high is not None and value > high:
        word, bound = "high", f"above the limit of {metric.shown(high)}"
    elif low is not None and value < low:
        word, bound = "low", f"below the limit of {metric.shown(low)}"
    else:
        return None
    return Flag(f"{metric.name}_{word}", f"{metric.label.capitalize()}: {metric.shown(value)}, {bound}.")


def _unusual(metric: Metric, value: float, values: Sequence[float], outlier_z: float | None) -> Flag | None:
    if outlier_z is None or metric.better == "none":
        return None
    z = robust_z(value, values)
    if z is None:
        return None
    worse = {"lower": z, "higher": -z, "zero": abs(z)}[metric.better]
    middle = statistics.median(values)
    if worse <= outlier_z or abs(value - middle) < metric.relevant:
        return None
    message = (
        f"{metric.label.capitalize()}: {metric.shown(value)}, unusual in this study (median {metric.shown(middle)}, "
        f"robust z {z:+.1f}, limit {outlier_z:g})."
    )
    return Flag(f"{metric.name}_unusual", message)


def add_flags(
    atrophy: Sequence[Row], volumes: Sequence[Row], quality: Sequence[Row], choices: Mapping[str, Any]
) -> None:
    """Put the flags of quality into the rows of all tables, in place; no row loses a number.

    A measured row that gets its first flag turns from ok to flagged; a pair's row shows its scans' flags, too.
    """
    found = find_flags(quality, choices)
    for row in quality:
        _add(row, found.get((row["participant_id"], row["visit"], row["kind"]), ()))
    for row in volumes:
        _add(row, found.get((row["participant_id"], row["visit"], "scan"), ()))
    for row in atrophy:
        name, visits = row["participant_id"], (row["visit_baseline"], row["visit_followup"])
        own = found.get((name, "_".join(visits), "pair"), ())
        _add(row, own)
        for visit in visits:
            _add(row, found.get((name, visit, "scan"), ()), prefix=f"{visit}:")


def _add(row: Row, flags: Iterable[Flag], *, prefix: str = "") -> None:
    flags = list(flags)
    if not flags:
        return
    codes = [*(row.get("flags") or "").split("; "), *(prefix + flag.code for flag in flags)]
    row["flags"] = "; ".join(dict.fromkeys(code for code in codes if code))
    if "messages" in row:
        row["messages"] = join_messages([*split_messages(row["messages"] or ""), *(flag.message for flag in flags)])
    if row["status"] == "ok":
        row["status"] = "flagged"


def show_limit(metric: Metric, limits: Mapping[str, Any]) -> str:
    """Limits of a number in words, empty without."""
    limit = limits.get(metric.name) or {}
    low, high = limit.get("min"), limit.get("max")
    if low is not None and high is not None:
        return f"{low:g} to {metric.shown(high)}"
    if high is not None:
        voxels = f" or {metric.limit_voxels:g} voxels" if metric.limit_voxels else ""
        return f"≤ {metric.shown(high)}{voxels}"
    return f"≥ {metric.shown(low)}" if low is not None else ""
