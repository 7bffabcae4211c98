"""What the report page says, from the tables of results: text and numbers only, no page layout."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graytrace.counting import counted
from graytrace.findings import split_messages
from graytrace.report.asked import MEASURED, AskedRows, Row
from graytrace.report.budget import Budget, describe_budget, judge_size, read_budget
from graytrace.report.phrases import outcome_words
from graytrace.results.limits import list_metrics, show_limit
from graytrace.statistics.intervals import HALF_INTERVAL_SES
from graytrace.study.protocol import DIFFERENCES, NAME_DIFFERENCES, NOT_ALIKE
from graytrace.tables import MISSING, format_number, show_plain, stem_of

STATUSES = ("failed", "flagged", "missing", "excluded", "ok")
# why a measured patient has no change per year, by flag
_WITHOUT_OUTCOME = {
    "interval_unknown": ": a visit has no date",
    "interval_short": ": the visits are too near to each other",
}
_PROTOCOL_FLAGS = {code for code, _ in DIFFERENCES} | {*NAME_DIFFERENCES, "voxel_sizes_differ"}
_MINUS = "\N{MINUS SIGN}"
_SLOPE = "gm_slope_percent_per_year"
_NUMBERS = (
    ("gm_change_percent", "Gray matter, change", "%"),
    ("gm_change_percent_per_year", "Gray matter, change per year", "% per year"),
    ("cortical_gm_change_percent", "Cortical gray matter, change", "%"),
    ("deep_gm_change_percent", "Deep gray matter, change", "%"),
    ("wm_change_percent", "White matter, change", "%"),
    ("brain_change_percent", "Brain (gray and white), change", "%"),
    ("thalamus_change_percent", "Thalamus, change", "%"),
    ("lateral_ventricle_change_percent", "Lateral ventricles, change", "%"),
    ("gm_difference_percent", "Plain difference of the two volumes (a check)", "%"),
    ("interval_years", "Time between the visits", "years"),
    ("gm_volume_baseline_ml", "Gray matter, first visit", "ml"),
    ("gm_volume_followup_ml", "Gray matter, second visit", "ml"),
    ("icv_baseline_ml", "Intracranial volume", "ml"),
    ("lesion_volume_baseline_ml", "Lesions, first visit", "ml"),
    ("lesion_volume_followup_ml", "Lesions, second visit", "ml"),
    ("lesions_new", "New lesions", "count"),
    ("lesions_enlarging", "Enlarging lesions", "count"),
    ("lesions_shrinking", "Shrinking lesions", "count"),
    ("lesions_vanished", "Vanished lesions", "count"),
    ("scale_percent", "Scanner's length scale, second against first visit (taken out)", "%"),
)


@dataclass(frozen=True)
class Study(AskedRows):
    """The tables of a finished run, every cell as text, and the configuration and versions in run.json.

    `changes` has the measures of each pair, by patient, baseline and follow-up; `smallest_changes` what can be detected
    on the study's own scanner, percentage points by column of atrophy.tsv.
    """

    atrophy: Sequence[Row]
    volumes: Sequence[Row]
    quality: Sequence[Row]
    dose_response: Sequence[Row]
    run: Mapping[str, Any]
    trend: Sequence[Row] = ()
    trajectory: Sequence[Row] = ()
    slopes: Sequence[Row] = ()
    oversight: Mapping[str, Any] = field(default_factory=lambda: dict.fromkeys(("plan", "departures", "review")))
    changes: Mapping[tuple[str, str, str], Mapping[str, Any]] = field(default_factory=dict)
    smallest_changes: Mapping[str, float] = field(default_factory=dict)

    @property
    def limits(self) -> Mapping[str, Any]:
        """Limits of the image quality metrics."""
        found: Mapping[str, Any] = self.run["config"]["quality"]["limits"]
        return found

    @property
    def measured(self) -> list[Row]:
        """Rows with a result."""
        return [row for row in self.atrophy if row["status"] in MEASURED]


@dataclass(frozen=True)
class Cell:
    """A cell of the overview: what is shown, and what it is sorted by."""

    text: str
    value: str | float


@dataclass(frozen=True)
class Withheld:
    """A row that is not in the trial's first answer."""

    anchor: str
    title: str
    status: str
    reason: str


@dataclass(frozen=True)
class Card:
    """A patient at one follow-up."""

    anchor: str
    title: str
    participant_id: str
    visits: tuple[str, str]
    status: str
    headline: str
    whys: Sequence[str]
    reasons: Sequence[str]
    scanned: str
    cells: Sequence[Cell]
    numbers: Sequence[tuple[str, str]]
    quality: Sequence[Mapping[str, Any]]
    budget: Budget | None = None
    limits: Sequence[str] = ()
    flicker: list[Any] = field(default_factory=list)
    borders: list[Any] = field(default_factory=list)


def number(row: Row, column: str) -> float | None:
    """A cell as a number, None where it is missing or the column is not there."""
    text = row.get(column, MISSING)
    return None if text in {MISSING, ""} else float(text)


def typeset(text: str) -> str:
    """A text with minus signs before negative numbers, none before zero, and percent signs beside their numbers.

    Examples
    --------
    >>> typeset("sub-01 lost -1.20 to -0.00 %") == "sub-01 lost \N{MINUS SIGN}1.20 to 0.00\N{NO-BREAK SPACE}%"
    True
    """
    text = re.sub(r"(?<![\w.])[-+](0(?:\.0+)?)(?!\.?\d)", r"\1", text)
    text = re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", text)
    return re.sub(r"(?<![\w-])-(?=\d)", _MINUS, text)


def half_interval(row: Row, column: str) -> float | None:
    """Half of the 95 % interval of a change, from the standard error of its measurement; None where that is unknown."""
    of_slope = number(row, f"{stem_of(column)}_se_points_per_year")
    if of_slope is not None:
        return HALF_INTERVAL_SES * of_slope
    error = number(row, f"{stem_of(column)}_se_points")
    if error is None:
        return None
    years = number(row, "interval_years")
    if column.endswith("per_year"):
        return HALF_INTERVAL_SES * error / years if years else None
    return HALF_INTERVAL_SES * error


def show_change(row: Row, column: str, unit: str = "%") -> str:
    """A change with its interval, in words."""
    value = number(row, column)
    if value is None:
        return "not measured"
    half = half_interval(row, column)
    if half is None:
        return f"{value:+.2f} {unit}"
    source = ", widened to the repeatability of the study's own scanner" if is_widened(row, column) else ""
    return f"{value:+.2f} {unit} (95 % interval {value - half:+.2f} to {value + half:+.2f}{source})"


def is_widened(row: Row, column: str) -> bool:
    """Whether the interval of a change is that of the study's own scanner."""
    return stem_of(column) in row.get("widened_intervals", MISSING).split("; ")


def make_cards(study: Study, predictors: Mapping[str, Mapping[str, float]]) -> list[Card]:
    """A card for each row of atrophy.tsv, those that need review first."""
    quality = {(row["participant_id"], row["visit"], row["kind"]): row for row in study.quality}
    limits = {metric.name: show_limit(metric, study.limits) for metric in list_metrics()}
    cards = [_make_card(study, row, quality, limits, predictors) for row in study.atrophy]
    ranked = sorted(zip(study.atrophy, cards, strict=True), key=lambda pair: _rank(*pair))
    return [_with_rank(card, rank) for rank, (_, card) in enumerate(ranked)]


def _with_rank(card: Card, rank: int) -> Card:
    first = Cell(str(rank + 1), rank)
    return Card(**{**card.__dict__, "cells": [first, *card.cells]})


def _rank(row: Row, card: Card) -> tuple[int, int, str]:
    """Failed first, then those with most reasons for a look, ok last."""
    return STATUSES.index(row["status"]), -len(card.whys), card.title


def overview_columns(study: Study, predictors: Mapping[str, Any]) -> list[str]:
    """Headings of the overview."""
    change = "Change per year (%)" if study.outcome.endswith("per_year") else "Change (%)"
    return ["Look", "Patient", "Status", change, "95 % interval", *predictors, "Years", "Gray matter (ml)", "Flags"]


def _make_card(
    study: Study,
    row: Row,
    quality: Mapping[tuple[str, str, str], Row],
    limits: Mapping[str, str],
    predictors: Mapping[str, Mapping[str, float]],
) -> Card:
    name, visits = row["participant_id"], (row["visit_baseline"], row["visit_followup"])
    title = _title(study, row)
    scans = [quality.get((name, visit, "scan"), {}) for visit in visits]
    pair = quality.get((name, "_".join(visits), "pair"), {})
    flags = [] if row["flags"] == MISSING else row["flags"].split("; ")
    asked = study.find_asked(row)
    half, value = half_interval(asked, study.outcome), number(asked, study.outcome)
    whys = list_whys(row, scans, pair)
    budget, certainty = _certainty(study, row)
    cells = [
        Cell(title, title),
        Cell(row["status"], STATUSES.index(row["status"])),
        Cell("" if value is None else f"{value:+.2f}", "" if value is None else value),
        Cell("" if half is None or value is None else f"± {half:.2f}", "" if half is None else half),
    ]
    for values in predictors.values():
        known = values.get(name)
        cells.append(Cell("" if known is None else show_plain(known), "" if known is None else known))
    for column, decimals in (("interval_years", 2), ("gm_volume_baseline_ml", 0)):
        known = number(row, column)
        cells.append(Cell("" if known is None else f"{known:.{decimals}f}", "" if known is None else known))
    cells.append(Cell(str(len(flags)) if flags else "", len(flags)))
    return Card(
        anchor=_anchor(row),
        title=title,
        participant_id=name,
        visits=visits,
        status=row["status"],
        headline=f"gray matter {show_change(row, 'gm_change_percent')}"
        if value is not None and row["status"] in MEASURED
        else "",
        whys=whys,
        reasons=name_reasons(row),
        scanned=_scanned(row, whys),
        cells=cells,
        numbers=[
            *((words, _show_number(row, column, unit)) for column, words, unit in _NUMBERS if _is_known(row, column)),
            *_slope_through_all(study, row),
        ],
        quality=_quality_rows(scans, pair, limits),
        budget=budget,
        limits=certainty,
    )


def _certainty(study: Study, row: Row) -> tuple[Budget | None, list[str]]:
    """The error budget of a measured change, and in sentences what limits it and whether it can be detected.

    Of the outcome that is asked, where the engine tells its budget, else of gray matter.
    """
    if row["status"] not in MEASURED:
        return None, []
    measures = study.changes.get((row["participant_id"], row["visit_baseline"], row["visit_followup"]), {})
    asked = stem_of(study.outcome)
    stem = asked if read_budget(measures, asked) else "gm_change"
    column = f"{stem}_percent"
    is_own = is_widened(row, column)
    budget = describe_budget(read_budget(measures, stem), outcome_words(column), is_widened=is_own)
    size = judge_size(number(row, column), half_interval(row, column), study.smallest_changes.get(column))
    return budget, [sentence for sentence in (budget.limits if budget else "", size) if sentence]


def _slope_through_all(study: Study, row: Row) -> list[tuple[str, str]]:
    """The patient's slope with what it is of, where all visits were asked for and this pair was measured."""
    slope = next((one for one in study.slopes if one["participant_id"] == row["participant_id"]), None)
    if slope is None or row["status"] not in MEASURED or not _is_known(slope, _SLOPE):
        return []
    words = f"Gray matter, slope through {counted(int(slope['visits']), 'visit')}"
    return [(words, show_change(slope, _SLOPE, "% per year"))]


def _is_known(row: Row, column: str) -> bool:
    return number(row, column) is not None


def _show_number(row: Row, column: str, unit: str) -> str:
    if "_change_percent" in column:
        return show_change(row, column, unit)
    value = number(row, column)
    if value is None:
        return "n/a"
    if unit == "count":
        return f"{value:.0f}"
    sign = "+" if "percent" in column and value > 0 else ""
    return f"{sign}{format_number(value, 2 if unit != 'ml' else 1)} {unit}"


def list_whys(row: Row, scans: Sequence[Row], pair: Row) -> list[str]:
    """Messages on what needs review: the reason of a failure, then what the checks found at each visit."""
    reason = find_reason(row)
    whys = [reason] if reason else []
    for label, source in ((None, pair), (row["visit_baseline"], scans[0]), (row["visit_followup"], scans[1])):
        text = source.get("messages", MISSING)
        for message in [] if text == MISSING else split_messages(text):
            # a pair's reason has those of its scans in it, and a scan may say what the pair has said
            if message not in whys and message not in reason:
                whys.append(f"{label}: {message}" if label else message)
    found = list(dict.fromkeys(whys))
    others = [why for why in found if not why.startswith(NOT_ALIKE)]
    # what differs between the scans of both visits is one reason, however many things differ
    return [*others, _scanned_differently(row)] if len(others) < len(found) else found


def find_reason(row: Row) -> str:
    """Why there is no result, as a message; empty where there is one."""
    return "" if row["reason"] == MISSING else row["reason"].partition(": ")[2] or row["reason"]


def list_withheld(study: Study) -> list[Withheld]:
    """Who is in no number of the trial's first answer, and why: not measured, or measured without what is asked."""
    found = []
    cards = {row["participant_id"]: _anchor(row) for row in reversed(study.atrophy)}
    for row in study.asked:
        title, anchor = _title(study, row), _anchor(row)
        if study.asks_slopes:
            title, anchor = row["participant_id"], cards[row["participant_id"]]
        if row["status"] not in MEASURED:
            found.append(Withheld(anchor, title, row["status"], find_reason(row)))
        elif number(row, study.outcome) is None:
            flags = set(row["flags"].split("; "))
            why = next((words for code, words in _WITHOUT_OUTCOME.items() if code in flags), "")
            message = f"Measured, but without {study.outcome}, which is asked{why}."
            found.append(Withheld(anchor, title, row["status"], message))
    return sorted(found, key=lambda one: STATUSES.index(one.status))


def _title(study: Study, row: Row) -> str:
    name = row["participant_id"]
    return f"{name} · {row['visit_followup']}" if study.has_several_followups else name


def _anchor(row: Row) -> str:
    return f"{row['participant_id']}_ses-{row['visit_followup']}"


def _scanned_differently(row: Row) -> str:
    return f"{NOT_ALIKE}{row['protocol_differences']}."


def _scanned(row: Row, whys: Sequence[str]) -> str:
    """Whether both visits were scanned alike, for the card of who was measured; empty where a reason says it."""
    if row["protocol_differences"] != MISSING:
        sentence = _scanned_differently(row)
        return "" if sentence in whys else sentence
    return (
        "No difference between the scans of both visits is known."
        if number(row, "gm_change_percent") is not None
        else ""
    )


def name_reasons(row: Row) -> list[str]:
    """Why a patient needs review, in a word or two each.

    Examples
    --------
    >>> name_reasons({"reason": "n/a", "flags": "scanner_differs; BL:noise_percent_high; M24:noise_percent_unusual"})
    ['scanned differently', 'noise']
    """
    codes = [] if row["flags"] == MISSING else [code.rpartition(":")[2] for code in row["flags"].split("; ")]
    if row["reason"] != MISSING:
        codes = [row["reason"].partition(":")[0]]
    labels = {metric.name: metric.label for metric in list_metrics()}
    words = []
    for code in codes:
        stem, _, ending = code.rpartition("_")
        if ending in {"high", "low", "unusual"} and stem in labels:
            words.append(labels[stem])
        else:
            words.append("scanned differently" if code in _PROTOCOL_FLAGS else code.replace("_", " "))
    return list(dict.fromkeys(words))


def _quality_rows(scans: Sequence[Row], pair: Row, limits: Mapping[str, str]) -> list[dict[str, Any]]:
    rows = []
    for metric in list_metrics():
        values = [number(source, metric.name) for source in (*scans, pair)]
        if all(value is None for value in values):
            continue
        shown = ["" if value is None else metric.shown(value) for value in values]
        flags = "; ".join(source.get("flags", "") for source in (*scans, pair))
        rows.append(
            {
                "label": metric.label,
                "baseline": shown[0],
                "followup": shown[1],
                "pair": shown[2],
                "limit": limits[metric.name],
                "is_flagged": f"{metric.name}_" in flags,
            }
        )
    return rows
