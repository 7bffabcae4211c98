"""Every visit of every patient on the page: small plots of the trajectories, and the slopes with their checks."""

from __future__ import annotations

from typing import Any

from graytrace.findings import split_messages
from graytrace.report import plots
from graytrace.report.content import STATUSES, Row, Study, find_reason, number
from graytrace.report.phrases import show_p
from graytrace.results.trajectory import DOUBTFUL_P
from graytrace.tables import MISSING

MOST_PANELS = 60  # patients: more panels nobody looks at
_SLOPE = "gm_slope_percent_per_year"


def show_trajectories(study: Study) -> dict[str, Any] | None:
    """What the template shows of trajectories; None for a study that did not ask for them.

    Parameters
    ----------
    study : Study

    Returns
    -------
    dict or None
        `plot` (source of an image), `alt`, `caption` and `rows` of the table of slopes.
    """
    if not study.slopes:
        return None
    ordered = sorted(study.slopes, key=lambda row: (STATUSES.index(row["status"]), row["participant_id"]))
    courses = [course for row in ordered if (course := _make_course(study, row)) is not None]
    shown = sorted(courses[:MOST_PANELS], key=lambda course: course.name)
    left = len(courses) - len(shown)
    more = f" {left} more stand in trajectory.tsv; those to review are shown first." if left else ""
    return {
        "plot": plots.as_data_uri(plots.plot_trajectories(shown)) if shown else None,
        "alt": "Change of gray matter at each visit of each patient; the numbers stand in trajectory.tsv.",
        "caption": (
            "Change of gray matter from the reference to each visit, from all pairs of visits together, with 95 % "
            "intervals; the dashed line is the slope through the visits that it counts. Open orange diamonds are "
            f"visits with a flag.{more}"
        ),
        "doubtful": f"{DOUBTFUL_P:g}",
        "rows": [_describe(row) for row in ordered],
    }


def _make_course(study: Study, slope: Row) -> plots.Course | None:
    """A patient's visits with a date and a change; None without any but the reference."""
    rows = [row for row in study.trajectory if row["participant_id"] == slope["participant_id"]]
    points = [_make_point(row) for row in rows if row["interval_days"] != MISSING and _is_known(row)]
    if len(points) < 2:
        return None
    used = slope["visits_used"].split("; ")
    return plots.Course(
        slope["participant_id"].removeprefix("sub-"),
        points,
        number(slope, _SLOPE),
        [point.name in used for point in points],
    )


def _is_known(row: Row) -> bool:
    return number(row, "gm_change_percent") is not None


def _make_point(row: Row) -> plots.Point:
    low, high = number(row, "gm_change_low_percent"), number(row, "gm_change_high_percent")
    return plots.Point(
        row["visit"],
        float(row["interval_days"]) / 365.25,
        float(row["gm_change_percent"]),
        (high - low) / 2 if low is not None and high is not None else None,
        row["status"] == "flagged",
    )


def _describe(row: Row) -> dict[str, str]:
    """A row of the table of slopes."""
    value, low, high = (number(row, f"gm_slope{end}_percent_per_year") for end in ("", "_low", "_high"))
    messages = [] if row["messages"] == MISSING else split_messages(row["messages"])
    flags = [] if row["flags"] == MISSING else [code for code in row["flags"].split("; ") if ":" in code]
    left_out = [] if value is None or row["visits_left_out"] == MISSING else [f"Without {row['visits_left_out']}."]
    others = [f"Flags of its scans and pairs: {', '.join(flags)}."] if flags else []
    return {
        "patient": row["participant_id"],
        "status": row["status"],
        "visits": "" if row["visits_used"] == MISSING else row["visits_used"].replace("; ", ", "),
        "slope": "" if value is None else f"{value:+.2f}",
        "interval": "" if low is None or high is None else f"{low:+.2f} to {high:+.2f}",
        "loop_p": _show_p(row, "gm_loop_p"),
        "line_p": _show_p(row, "gm_line_p"),
        "why": " ".join([*(messages or [find_reason(row)]), *left_out, *others]).strip(),
    }


def _show_p(row: Row, column: str) -> str:
    p = number(row, column)
    return "" if p is None else show_p(p).removeprefix("= ")
