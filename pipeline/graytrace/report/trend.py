"""How the change follows the dose, in words: the question first, its test, and what the answer hangs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graytrace.report.content import Row, Study, number
from graytrace.report.phrases import describe_span, show_p, show_slope, tissue_words
from graytrace.results.trend import COUNTS_MOST
from graytrace.tables import MISSING

CLEAR_P = 0.05
_NAMED = 6
TESTS = {
    "spearman": "Spearman's rank correlation",
    "max_contrast": "the maximum-contrast test",
    "jonckheere_terpstra": "Jonckheere and Terpstra's test",
}
SHAPES = {
    "linear": "each unit counts the same",
    "log_linear": "each doubling counts the same",
    "emax": "it rises to a plateau",
    "step": "only the highest value differs",
}
_SLOPES = {"least_squares": "all patients alike", "precision_weighted": "weighted by precision"}


def write_question(study: Study) -> list[str]:
    """The question and the test that answers it, as the configuration names them; nothing where nothing is asked."""
    if not study.dose_response:
        return []
    asked = study.run["config"]["statistics"]
    first = study.dose_response[0]
    words = asked.get("question") or (
        f"Do patients with more {first['predictor']} lose less {tissue_words(study.outcome)} "
        f"{describe_span(first['visit_baseline'], first['visit_followup'])}?"
    )
    others = dict.fromkeys(
        row["predictor"] for row in study.dose_response[1:] if row["predictor"] != first["predictor"]
    )
    more = f" Asked besides: {', '.join(others)}." if others else ""
    strata = f", chance taken within {' and '.join(asked['strata'])}" if asked.get("strata") else ""
    test = TESTS[asked.get("primary_test", "spearman")]
    named = (
        f"Asked of {study.outcome} and {first['predictor']}; answered by {test} (two-sided, level {CLEAR_P:g}{strata})."
        f"{more} The configuration of this run names it so; whether that was before there were data this page cannot "
        "tell."
    )
    return [words, named]


def rows_of(study: Study, predictor: str, followup: str) -> list[Row]:
    """Rows of trend.tsv on one question."""
    return [row for row in study.trend if (row["predictor"], row["visit_followup"]) == (predictor, followup)]


def select_rows(rows: Sequence[Row], analysis: str) -> list[Row]:
    """Those of one analysis."""
    return [row for row in rows if row["analysis"] == analysis]


def find_primary(rows: Sequence[Row]) -> Row | None:
    """The row of the test that answers."""
    return next((row for row in rows if row["role"] == "primary"), None)


def largest_shape(rows: Sequence[Row]) -> Row | None:
    """The shape with the largest contrast."""
    shapes = [row for row in select_rows(rows, "shape") if row["p"] != MISSING]
    return min(shapes, key=lambda row: (float(row["p"]), -abs(float(row["value"]))), default=None)


def describe_evidence(row: Row, rows: Sequence[Row]) -> str:
    """What the test that answers has found, but its p."""
    value = f"{float(row['value']):+.2f}"
    if row["item"] == "jonckheere_terpstra":
        return f"Kendall's tau {value}"
    shape = largest_shape(rows)
    words = SHAPES[shape["item"]] if shape else ""
    return f"Of {len(select_rows(rows, 'shape'))} shapes the clearest ({words}) has a correlation of {value}"


def describe_groups(rows: Sequence[Row], predictor: str, outcome: str) -> str:
    """Mean outcome at the lowest and at the highest value; empty where patients are in no groups."""
    means = select_rows(rows, "group_mean")
    if len(means) < 2:
        return ""
    first, last = (_mean(row) for row in (means[0], means[-1]))
    unit = "% per year" if outcome.endswith("per_year") else "%"
    ends = [
        f"{mean['mean']} {unit} at {predictor} {mean['dose']}"
        + (f" (95 % interval {mean['interval']})" if mean["interval"] else "")
        for mean in (first, last)
    ]
    return f"On average {ends[0]} and {ends[1]}."


def describe_firmness(rows: Sequence[Row]) -> list[str]:
    """What the answer hangs on: the choice of the test, single patients, precision, who is missing."""
    primary = find_primary(rows)
    if primary is None or primary["p"] == MISSING:
        return []
    p = float(primary["p"])
    found = [
        _other_tests(rows),
        _single_patients(select_rows(rows, "leave_one_out"), p),
        _precision(select_rows(rows, "slope")),
        _missing_patients(select_rows(rows, "missing_patients"), p),
    ]
    if primary["p_holm"] != primary["p"]:
        found.append("These p-values are not corrected for the number of questions.")
    return [sentence for sentence in found if sentence]


def _other_tests(rows: Sequence[Row]) -> str:
    words = []
    for row in select_rows(rows, "test"):
        if row["role"] == "supporting" and row["p"] != MISSING:
            shape = largest_shape(rows) if row["item"] == "max_contrast" else None
            largest = f" (largest: {SHAPES[shape['item']]})" if shape else ""
            words.append(f"{TESTS[row['item']]}{largest} p {show_p(float(row['p']))}")
    if not words:
        return ""
    return (
        f"Other tests of the same patients: {'; '.join(words)}. They do not answer: they show whether the answer hangs "
        "on the choice of the test."
    )


def _single_patients(rows: Sequence[Row], p: float) -> str:
    known = [(row["item"], value) for row in rows if (value := number(row, "p")) is not None]
    if not known:
        return ""
    least, most = min(value for _, value in known), max(value for _, value in known)
    turns = [name for name, value in known if (value < CLEAR_P) != (p < CLEAR_P)]
    if not turns:
        return (
            f"No single patient turns it: p is {p:.2g} with everyone and lies between {least:.2g} and {most:.2g} "
            f"without any one{_who_counts_most(rows)}."
        )
    names = ", ".join(turns[:_NAMED]) + (" and others" if len(turns) > _NAMED else "")
    without = f"any one of {names}" if len(turns) > 1 else names
    where = f"above {CLEAR_P:g} (up to {most:.2g})" if p < CLEAR_P else f"below {CLEAR_P:g} (down to {least:.2g})"
    return f"It hangs on single patients: p is {p:.2g} with everyone and {where} without {without}."


def _who_counts_most(rows: Sequence[Row]) -> str:
    marked = [row["item"] for row in rows if row["note"] != MISSING and row["note"].startswith(COUNTS_MOST)]
    return f"; {' and '.join(marked[:2])} changes it most" if marked else ""


def _precision(rows: Sequence[Row]) -> str:
    by_item = {row["item"]: row for row in rows if row["value"] != MISSING}
    if set(by_item) != set(_SLOPES):
        return ""
    words = [f"{_SLOPES[name]} {_show(by_item[name])}" for name in _SLOPES]
    return f"Least-squares slope, {words[0]}; {words[1]}."


def _missing_patients(rows: Sequence[Row], p: float) -> str:
    cases = {row["item"]: number(row, "p") for row in rows}
    best, worst = cases.get("best_case"), cases.get("worst_case")
    if best is None or worst is None:
        return ""
    who = rows[0]["note"].partition(":")[0]
    turns = (best < CLEAR_P) != (p < CLEAR_P) or (worst < CLEAR_P) != (p < CLEAR_P)
    end = f"So they could turn the answer: p is {p:.2g} without them."
    if not turns:
        end = f"Both lie on the same side of {CLEAR_P:g} as p without them ({p:.2g})."
    return (
        f"{who}. Had they the most extreme outcomes that were measured, p would be {best:.2g} if they spoke for the "
        f"relation and {worst:.2g} if they spoke against it. {end}"
    )


def _show(row: Row) -> str:
    return show_slope({"slope": row["value"], "slope_low": row["value_low"], "slope_high": row["value_high"]})


def make_tables(rows: Sequence[Row]) -> dict[str, Any]:
    """Group means and tests for the page."""
    return {
        "means": [_mean(row) for row in select_rows(rows, "group_mean")],
        "tests": [_test(row) for row in rows if row["analysis"] in {"test", "shape"} and row["p"] != MISSING],
    }


def _mean(row: Row) -> Mapping[str, str]:
    interval = ""
    if row["value_low"] != MISSING:
        interval = f"{float(row['value_low']):+.2f} to {float(row['value_high']):+.2f}"
    return {"dose": row["item"], "n": row["n"], "mean": f"{float(row['value']):+.2f}", "interval": interval}


def _test(row: Row) -> Mapping[str, str]:
    is_shape = row["analysis"] == "shape"
    name = f"shape: {SHAPES[row['item']]}" if is_shape else TESTS[row["item"]].removeprefix("the ")
    holm = "" if is_shape or row["p_holm"] == MISSING else show_p(float(row["p_holm"])).removeprefix("= ")
    return {
        "name": name[0].upper() + name[1:],
        "role": "answers" if row["role"] == "primary" else "",
        "value": f"{float(row['value']):+.2f}",
        "p": show_p(float(row["p"])).removeprefix("= "),
        "p_holm": holm,
        "note": row["note"] if row["note"] != MISSING else "",
    }
