"""``graytrace repeatability``: how far two scans of an unchanged patient differ, and whether stated intervals held."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graytrace.counting import counted
from graytrace.errors import ConfigError
from graytrace.report.repeatability import Panel, draw_repeatability
from graytrace.results.repeatability import (
    MEASURES,
    Loop,
    MeasuredPair,
    PairKey,
    find_loops,
    list_open_loops,
    read_pairs,
    repeatability_rows,
    select_named,
    select_near,
)
from graytrace.statistics.repeatability import WANTED_PATIENTS
from graytrace.tables import write_table

WITHIN_DAYS = 14.0  # even the fastest loss of gray matter, 2 % a year, makes 0.08 % of it
_NAMED = 5
_WORDS = {
    "gm_change_percent": "Gray matter",
    "cortical_gm_change_percent": "Cortical gray matter",
    "deep_gm_change_percent": "Deep gray matter",
    "wm_change_percent": "White matter",
    "brain_change_percent": "Brain (gray and white matter)",
    "gm_difference_percent": "Gray matter, plain difference of the two volumes",
}
_TISSUES = {"wm_change_percent": ("wm", "white-matter"), "brain_change_percent": ("brain", "brain")}
_GRAY = ("gm", "gray-matter")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="RESULTS",
        help="folders of finished runs on one data set, with atrophy.tsv; several close loops of visits",
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--pairs",
        type=Path,
        metavar="TABLE",
        help="the scan-rescan pairs: participant_id, visit_baseline, visit_followup",
    )
    chosen.add_argument(
        "--within-days",
        type=float,
        metavar="N",
        help=f"without --pairs: those whose visits are at most so many days apart ({WITHIN_DAYS:g})",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for table and figure (default: RESULTS/repeatability)"
    )


def run(args: argparse.Namespace) -> None:
    """Write repeatability.tsv and its figure, and say what they mean."""
    within = WITHIN_DAYS if args.within_days is None else args.within_days
    if not math.isfinite(within) or within < 0:
        raise ConfigError(f"--within-days: expected a number of days, 0 or more, got {within:g}.")
    measured = read_pairs(args.results)
    lost: list[PairKey] = []
    if args.pairs is None:
        pairs, selection = select_near(measured, within), f"visits at most {within:g} days apart"
    else:
        pairs, lost = select_named(measured, args.pairs)
        selection = f"named in {args.pairs.name}"
    loops = find_loops(measured)
    if not pairs and not loops:
        raise ConfigError(_describe_nothing(args, measured, selection))
    out: Path = args.output or args.results[0] / "repeatability"
    rows = repeatability_rows(pairs, loops, selection)
    write_table(out, "repeatability", rows)
    if pairs:
        draw_repeatability(out / "repeatability.svg", _panels(pairs))
    undated = [] if args.pairs else [pair for pair in measured if pair.days is None]
    lines = [*_describe_pairs(pairs, selection), *_describe_left_out(undated, lost), *_describe_loops(measured, loops)]
    for row in rows:
        lines += ["", *_describe_row(row)]
    sys.stdout.write("\n".join([*lines, "", *_describe_end(pairs, out)]) + "\n")


def _describe_nothing(args: argparse.Namespace, measured: Sequence[MeasuredPair], selection: str) -> str:
    known = [pair.days for pair in measured if pair.days is not None]
    nearest = f"; the nearest are {min(known):g} days apart" if known else ""
    undated = sum(pair.days is None for pair in measured)
    told = f"; {undated} have no dates" if undated else ""
    where = ", ".join(map(str, args.results))
    return (
        f"{where}: of {counted(len(measured), 'measured pair')} none is a scan-rescan pair "
        f"({selection}{nearest}{told}), and there is no loop of three visits. Name the pairs with --pairs, or the days "
        "with --within-days."
    )


def _panels(pairs: Sequence[MeasuredPair]) -> list[Panel]:
    panels = []
    for measure in MEASURES:
        having = [pair for pair in pairs if measure in pair.changes]
        if not having:
            continue
        tissue, words = _TISSUES.get(measure, _GRAY)
        axis, sizes = f"mean {words} volume of both scans [ml]", [pair.volumes_ml.get(tissue) for pair in having]
        if None in sizes:  # a pair without a place would not be drawn
            axis, sizes = "pair, in the order of patients", list(range(1, len(having) + 1))
        panels.append(
            Panel(
                _WORDS[measure],
                axis,
                np.array(sizes, float),
                np.array([pair.changes[measure] for pair in having]),
                np.array([_reach(pair, measure) for pair in having]),
            )
        )
    return panels


def _reach(pair: MeasuredPair, measure: str) -> tuple[float, float]:
    """From the change down and up to the ends of its interval."""
    if measure not in pair.intervals:
        return math.nan, math.nan
    low, high = pair.intervals[measure]
    return max(pair.changes[measure] - low, 0.0), max(high - pair.changes[measure], 0.0)


def _describe_left_out(undated: Sequence[MeasuredPair], lost: Sequence[PairKey]) -> list[str]:
    lines = []
    if undated:
        lines.append(f"Left out without dates: {counted(len(undated), 'pair')}; name them with --pairs.")
    if lost:
        named = ", ".join(" ".join(key) for key in lost[:_NAMED]) + (" and more" if len(lost) > _NAMED else "")
        lines.append(f"Named, but not measured: {counted(len(lost), 'pair')} ({named}).")
    return lines


def _describe_pairs(pairs: Sequence[MeasuredPair], selection: str) -> list[str]:
    patients = len({pair.key.participant_id for pair in pairs})
    lines = [f"Scan-rescan pairs ({selection}): {len(pairs)}, of {counted(patients, 'patient')}."]
    if 0 < patients < WANTED_PATIENTS:
        lines.append(
            f"QIBA asks for {WANTED_PATIENTS} patients; with fewer the numbers below are less certain, as their "
            "intervals tell."
        )
    widened = sum(pair.is_widened for pair in pairs)
    if widened:
        lines.append(f"Intervals of {widened} pairs were widened by quality.repeatability: they hold too easily.")
    return lines


def _describe_loops(measured: Sequence[MeasuredPair], loops: Sequence[Loop]) -> list[str]:
    lines = []
    if loops:
        patients = len({loop.whole.key.participant_id for loop in loops})
        lines.append(f"Loops of three visits: {len(loops)}, of {counted(patients, 'patient')}.")
    missing = list_open_loops(measured)
    if missing:
        key = missing[0]
        lines.append(
            f"Loops that cannot be closed: {len(missing)}. The change between two follow-ups was not measured, for "
            f"example {key.participant_id} from {key.baseline} to {key.followup}: run the study again with baseline: "
            f"{key.baseline} and another output_dir, and name both folders."
        )
    return lines


def _describe_row(row: Mapping[str, Any]) -> list[str]:
    """What a row means to somebody who treats patients."""
    head = f"{_WORDS[row['measure']]} ({row['measure']}), {counted(row['pairs'], row['kind'][:-1])}"
    if "wsd_points" not in row:
        return [f"{head}: too few to tell how far two scans differ; three are needed.", *_describe_coverage(row)]
    if row["kind"] == "loops":
        words = (
            f"  Errors that a scan does not carry from pair to pair: within-subject SD {_show(row, 'wsd')} points. The "
            f"smallest detectable change is {row['sdc_points']:.2f} points or more."
        )
        return [f"{head}:", words, *_describe_coverage(row)]
    detectable = f"smallest detectable change; {row['sdc_low_points']:.2f} to {row['sdc_high_points']:.2f}"
    lines = [
        f"{head}:",
        f"  Beyond {row['sdc_points']:.2f} points one patient's change is real ({detectable}).",
        f"  Within-subject SD {_show(row, 'wsd')} points; repeatability coefficient {_show(row, 'rc')} points.",
    ]
    if "bias_points" in row:
        low, high = row["bias_low_points"], row["bias_high_points"]
        verdict = "no bias is seen" if low <= 0 <= high else "second scans read otherwise than first ones"
        lines.append(f"  Mean change {row['bias_points']:+.2f} points ({low:+.2f} to {high:+.2f}): {verdict}.")
    return [*lines, *_describe_coverage(row)]


def _describe_coverage(row: Mapping[str, Any]) -> list[str]:
    if not row["intervals"]:
        return ["  The engine states no interval of it."]
    low, high = row["coverage_low_percent"], row["coverage_high_percent"]
    if high < 95:
        verdict = "they are too narrow"
    elif low > 95:
        verdict = "they are wider than they need to be"
    else:
        verdict = "that agrees with 95 %"
    what = "closed the loop" if row["kind"] == "loops" else "contained zero"
    count = f"{row['containing_zero']} of {row['intervals']}"
    share = f"{row['coverage_percent']:.0f} %; {low:.0f} to {high:.0f} %"
    return [f"  The stated 95 % intervals {what} in {count} ({share}): {verdict}."]


def _show(row: Mapping[str, Any], name: str) -> str:
    value, low, high = (row[f"{name}{end}_points"] for end in ("", "_low", "_high"))
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def _describe_end(pairs: Sequence[MeasuredPair], out: Path) -> list[str]:
    lines = ["In brackets: 95 % confidence intervals. It holds for this scanner, protocol and time between the scans."]
    if pairs:
        lines.append(f"To let no interval of a study be narrower: quality.repeatability: {out / 'repeatability.tsv'}")
    return [*lines, f"Table and figure: {out}"]
