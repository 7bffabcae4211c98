"""How the change follows the dose: rows of trend.tsv, from the same patients as those of dose_response.tsv."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graytrace.results.trial import MEASURED, Pair, Row, list_followups, match_pairs
from graytrace.statistics.arrangements import Groups
from graytrace.statistics.association import Values, correct_holm
from graytrace.statistics.sensitivity import fill_extreme, fit_weighted, leave_one_out, mean_groups
from graytrace.statistics.trend import Tested, Trend, find_trend
from graytrace.study.config import Config
from graytrace.study.questions import Predictor, name_some, read_predictors, read_strata
from graytrace.tables import MISSING, show_plain, stem_of

MOST_LEFT_OUT = 60  # patients: in a larger study none of them counts for much, and each costs all arrangements
COUNTS_MOST = "changes p most"
_GROUP_SIZE = 1.5  # patients for each value, on average: below it values are a scale, not groups
_CLEAR_P = 0.05


@dataclass(frozen=True)
class _Question:
    """What is asked of one follow-up and predictor: patients with both numbers, and those who were not measured."""

    config: Config
    predictor: str
    pairs: Sequence[Pair]
    missing: Mapping[str, float]
    strata: Mapping[str, int]

    @property
    def names(self) -> list[str]:
        return [row["participant_id"] for row, _, _ in self.pairs]

    @property
    def doses(self) -> Values:
        return np.array([dose for _, dose, _ in self.pairs])

    @property
    def outcome(self) -> Values:
        return np.array([value for _, _, value in self.pairs])

    def strata_of(self, names: Sequence[str]) -> Groups:
        return np.array([self.strata[name] for name in names], dtype=np.intp)

    @property
    def options(self) -> dict[str, Any]:
        return {"shapes": self.config.shapes, "half_dose": self.config.emax_half_dose}


def analyze_trend(config: Config, atrophy: Sequence[Mapping[str, str]]) -> list[Row]:
    """Rows of trend.tsv, for each follow-up and predictor.

    Holm's correction is over predictors and follow-ups, for each test.

    Parameters
    ----------
    config : Config
    atrophy : sequence of mapping
        Rows of atrophy.tsv as text or, where a slope is asked, of `graytrace.results.trial.label_slopes`.
    """
    rows: list[Row] = []
    for followup in list_followups(config):
        planned = [row for row in atrophy if row["visit_followup"] == followup]
        visits = {"outcome": config.outcome, "visit_baseline": config.baseline, "visit_followup": followup}
        for predictor in read_predictors(config):
            found = _analyze(config, planned, predictor)
            rows += [{"predictor": predictor.name, **visits, **row} for row in found]
    for test in ("spearman", "max_contrast", "jonckheere_terpstra"):
        asked = [row for row in rows if row["analysis"] == "test" and row["item"] == test and row.get("p") is not None]
        for row, p in zip(asked, correct_holm([row["p"] for row in asked]), strict=True):
            row["p_holm"] = p
    return rows


def _analyze(config: Config, planned: Sequence[Mapping[str, str]], predictor: Predictor) -> list[Row]:
    if predictor.note is not None:
        return [_unanswered(config, 0, predictor.note)]
    measured = [row for row in planned if row["status"] in MEASURED]
    pairs = match_pairs(measured, predictor, config.outcome)
    known = {row["participant_id"] for row, _, _ in pairs}
    missing = {
        name: predictor.values[name]
        for row in planned
        if (name := row["participant_id"]) in predictor.values and name not in known
    }
    names = [*sorted(known), *sorted(missing)]
    numbers = np.unique(read_strata(config, names), return_inverse=True)[1]
    strata = dict(zip(names, map(int, numbers), strict=True))
    question = _Question(config, predictor.name, pairs, missing, strata)
    means = _list_means(question)
    try:
        trend = find_trend(
            question.doses, question.outcome, strata=question.strata_of(question.names), **question.options
        )
    except ValueError as error:
        return [_unanswered(config, len(pairs), f"Not computed: {error}."), *means]
    tests = [*_list_tests(question, trend), *_list_shapes(trend)]
    return [*tests, *means, *_list_slopes(question), *_list_left_out(question, trend), *_list_missing(question, trend)]


def _unanswered(config: Config, count: int, note: str) -> Row:
    return {"analysis": "test", "item": config.primary_test, "role": "primary", "n": count, "note": note}


def _tests_of(trend: Trend) -> dict[str, Tested]:
    return {
        "spearman": trend.spearman,
        "max_contrast": trend.max_contrast,
        "jonckheere_terpstra": trend.jonckheere,
    }


def _list_tests(question: _Question, trend: Trend) -> list[Row]:
    """The tests, the one that answers first."""
    primary = question.config.primary_test
    rows: list[Row] = []
    for name, test in sorted(_tests_of(trend).items(), key=lambda item: item[0] != primary):
        note = _describe_arrangements(question, trend, test)
        if name == "jonckheere_terpstra" and trend.jonckheere_is_approximate:
            note = "p by the normal distribution"
        if name == "max_contrast":
            note = f"largest: {trend.best_shape}; {note}"
            note += "".join(f"; without the shape {shape}: {why}" for shape, why in trend.left_out.items())
        role = "primary" if name == primary else "supporting"
        rows.append(
            {"analysis": "test", "item": name, "role": role, "n": trend.n, "value": test.value, "p": test.p}
            | {"note": note}
        )
    return rows


def _describe_arrangements(question: _Question, trend: Trend, test: Tested) -> str:
    found = trend.arrangements
    strata = len(found.members)
    within = f" within {strata} strata ({', '.join(question.config.strata)})" if question.config.strata else ""
    if found.is_exact:
        note = f"exact p: all {found.possible:,} arrangements{within}"
    else:
        note = f"p from {found.tried:,} random arrangements{within}, standard error {found.error(test.p):.1g}"
    if test.least_p > _CLEAR_P:
        note += f"; with so few patients p cannot be below {test.least_p:.2g}, whatever the doses do"
    return note


def _list_shapes(trend: Trend) -> list[Row]:
    return [
        {"analysis": "shape", "item": name, "n": trend.n, "value": test.value, "p": test.p}
        for name, test in trend.shapes.items()
    ]


def _list_means(question: _Question) -> list[Row]:
    """Means of groups; none where the predictor is a scale on which hardly two patients have the same value."""
    if not question.pairs:
        return []
    means = mean_groups(question.doses, question.outcome)
    if len(question.pairs) < _GROUP_SIZE * len(means) and len(means) > 2:
        return []
    rows: list[Row] = []
    for one in means:
        row: Row = {"analysis": "group_mean", "item": show_plain(one.dose), "n": one.n, "value": one.value}
        if one.mean is None:
            row["note"] = "no interval: the spread within groups is not known"
        else:
            row |= {"value_low": one.mean.low, "value_high": one.mean.high}
        rows.append(row)
    return rows


def _list_slopes(question: _Question) -> list[Row]:
    """The slope with all patients alike, and with each by the precision of the measurement."""
    errors = [_error(row, question.config.outcome) for row in (pair[0] for pair in question.pairs)]
    rows = [_slope(question, "least_squares", None)]
    known = [error for error in errors if error is not None]
    if len(known) == len(errors):
        return [*rows, _slope(question, "precision_weighted", np.array(known))]
    note = "Not computed: not every patient has a standard error of this outcome."
    return [*rows, {"analysis": "slope", "item": "precision_weighted", "n": len(known), "note": note}]


def _slope(question: _Question, name: str, errors: Values | None) -> Row:
    row: Row = {"analysis": "slope", "item": name, "n": len(question.pairs)}
    try:
        found = fit_weighted(question.doses, question.outcome, errors, strata=question.strata_of(question.names))
    except ValueError as error:
        return {**row, "note": f"Not computed: {error}."}
    note = "all patients weigh the same"
    if errors is not None:
        note = (
            f"weights 1 / (se^2 + tau^2): standard errors {errors.min():.2g} to {errors.max():.2g}, "
            f"tau (patients around the line) {found.tau:.2g}"
        )
    interval = {"value": found.slope.value, "value_low": found.slope.low, "value_high": found.slope.high}
    return {**row, **interval, "p": found.p, "note": note}


def _error(row: Mapping[str, str], outcome: str) -> float | None:
    """Standard error of a patient's outcome, in its unit; None where it is not known."""
    if (of_slope := row.get(f"{stem_of(outcome)}_se_points_per_year", MISSING)) != MISSING:
        return float(of_slope)
    error = row.get(f"{stem_of(outcome)}_se_points", MISSING)
    if error == MISSING or not outcome.endswith("per_year"):
        return None if error == MISSING else float(error)
    years = row.get("interval_years", MISSING)
    return float(error) / float(years) if years != MISSING and float(years) > 0 else None


def _list_left_out(question: _Question, trend: Trend) -> list[Row]:
    """The primary test without each patient."""
    row: Row = {"analysis": "leave_one_out", "n": len(question.pairs) - 1}
    if len(question.pairs) > MOST_LEFT_OUT:
        return [{**row, "item": "everyone", "note": f"Not computed: more than {MOST_LEFT_OUT} patients."}]
    primary = question.config.primary_test
    strata = question.strata_of(question.names)
    found = leave_one_out(question.doses, question.outcome, primary, strata=strata, **question.options)
    whole = _tests_of(trend)[primary].p
    moves = [0.0 if p is None else abs(math.log(p / whole)) for p in found]
    rows = []
    for place, (name, p) in enumerate(zip(question.names, found, strict=True)):
        note = "Not computed: without this patient nothing is left to test." if p is None else None
        if moves[place] > 0 and moves[place] == max(moves):
            note = f"{COUNTS_MOST} (with everyone {whole:.2g})"
        rows.append({**row, "item": name, "p": p, "note": note})
    return rows


def _list_missing(question: _Question, trend: Trend) -> list[Row]:
    """The primary test if who was not measured spoke most for the relation that was found, and most against it."""
    if not question.missing:
        return []
    names = [*question.names, *question.missing]
    rows: list[Row] = []
    rises = _tests_of(trend)[question.config.primary_test].value >= 0
    for item, favors in (("best_case", rises), ("worst_case", not rises)):
        doses, outcome = fill_extreme(
            question.doses, question.outcome, np.array(list(question.missing.values())), favors=favors
        )
        row: Row = {"analysis": "missing_patients", "item": item, "n": len(names)}
        extremes = ("highest", "lowest") if favors else ("lowest", "highest")
        who = f"{len(question.missing)} not measured ({name_some(list(question.missing))})"
        try:
            filled = find_trend(doses, outcome, strata=question.strata_of(names), **question.options)
        except ValueError as error:
            rows.append({**row, "note": f"Not computed: {error}."})
            continue
        test = _tests_of(filled)[question.config.primary_test]
        note = f"{who}: above the mean value the {extremes[0]} outcome that was measured, below it the {extremes[1]}"
        rows.append({**row, "value": test.value, "p": test.p, "note": note})
    return rows
