"""The trial's answer: numbers of the patients (dose, a marker's change) beside their change of gray matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graytrace.errors import ScanTableError
from graytrace.statistics.association import (
    AdjustedAssociation,
    Association,
    associate,
    associate_adjusted,
    correct_holm,
)
from graytrace.study.config import Config
from graytrace.study.questions import (
    Predictor,
    describe_doubts,
    find_codes,
    name_some,
    read_covariates,
    read_predictors,
)
from graytrace.study.schedule import is_slope
from graytrace.tables import MISSING

Row = dict[str, Any]
ALL_VISITS = "all"  # in place of a follow-up's label: the slope through all visits
MEASURED = frozenset({"ok", "flagged"})


def list_followups(config: Config) -> tuple[str, ...]:
    """Follow-ups that the trial's question is asked of."""
    return (ALL_VISITS,) if is_slope(config.outcome) else config.followups


def label_slopes(slopes: Sequence[Mapping[str, str]], baseline: str) -> list[dict[str, str]]:
    """Rows of slopes.tsv with the visits by which rows of atrophy.tsv are told apart."""
    return [{**row, "visit_baseline": baseline, "visit_followup": ALL_VISITS} for row in slopes]


def analyze_trial(config: Config, atrophy: Sequence[Mapping[str, str]]) -> list[Row]:
    """Rows of dose_response.tsv.

    For each follow-up and predictor: everyone measured; without flagged patients; adjusted for the covariates. Holm's
    correction is over the first kind of row.

    Parameters
    ----------
    config : Config
    atrophy : sequence of mapping
        Rows of atrophy.tsv as text or, where a slope is asked, of `label_slopes`.
    """
    predictors = read_predictors(config)
    rows: list[Row] = []
    main: list[Row] = []
    for followup in list_followups(config):
        visits = {"visit_baseline": config.baseline, "visit_followup": followup, "outcome": config.outcome}
        measured = [row for row in atrophy if row["visit_followup"] == followup and row["status"] in MEASURED]
        for predictor in predictors:
            asked = {"predictor": predictor.name, **visits}
            everyone = match_pairs(measured, predictor, config.outcome)
            row = {**asked, "analysis": "everyone", **_associate(everyone, predictor.note)}
            row["note"] += _lacking(measured, predictor)
            rows.append(row)
            if row.get("spearman_p") is None:
                continue
            main.append(row)
            unflagged = [item for item in everyone if item[0]["status"] == "ok"]
            if 0 < len(unflagged) < len(everyone):
                rows.append({**asked, "analysis": "without_flagged", **_associate(unflagged, None)})
            if config.covariates:
                rows.append({**asked, "analysis": "adjusted", **_adjust(config, everyone)})
    for kind in ("spearman", "pearson"):
        corrected = correct_holm([row[f"{kind}_p"] for row in main])
        for row, p in zip(main, corrected, strict=True):
            row[f"{kind}_p_holm"] = p
    return rows


Pair = tuple[Mapping[str, str], float, float]


def match_pairs(rows: Sequence[Mapping[str, str]], predictor: Predictor, outcome: str) -> list[Pair]:
    """Patients with both numbers: row, predictor, outcome."""
    return [
        (row, predictor.values[row["participant_id"]], float(row[outcome]))
        for row in rows
        if row["participant_id"] in predictor.values and row[outcome] != MISSING
    ]


def _lacking(measured: Sequence[Mapping[str, str]], predictor: Predictor) -> str:
    """Who was measured but has no number, as the end of a note; empty where everybody has."""
    lacking = [row["participant_id"] for row in measured if row["participant_id"] not in predictor.values]
    if predictor.note is not None:
        return ""
    doubts = "".join(f"; {sentence.rstrip('.')}" for sentence in describe_doubts(predictor.name, predictor.doubts))
    if not lacking:
        return doubts
    return (
        f"{doubts}; {len(lacking)} of {len(measured)} measured have no number of {predictor.name}: {name_some(lacking)}"
    )


def _associate(pairs: Sequence[Pair], note: str | None) -> Row:
    if note is not None:
        return {"n": len(pairs), "note": note}
    try:
        found = associate(np.array([x for _, x, _ in pairs]), np.array([y for _, _, y in pairs]))
    except ValueError as error:
        return {"n": len(pairs), "note": f"Not computed: {error}."}
    return {**_association_row(found), "note": "exact p" if found.is_exact else "p from random permutations"}


def _association_row(found: Association) -> Row:
    row: Row = {"n": found.n, "spearman_p": found.spearman_p, "pearson_p": found.pearson_p}
    for name, estimate in (
        ("spearman_rho", found.spearman),
        ("pearson_r", found.pearson),
        ("slope", found.slope),
    ):
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row


def _adjust(config: Config, pairs: Sequence[Pair]) -> Row:
    participants = [row["participant_id"] for row, _, _ in pairs]
    covariates = read_covariates(config, participants)
    table = [list(values) for values in zip(*covariates.values(), strict=True)] if covariates else []
    complete = [number for number, values in enumerate(table) if None not in values]
    names = ", ".join(covariates)
    try:
        if not complete:
            raise ScanTableError("nobody has all of the covariates")
        found: AdjustedAssociation = associate_adjusted(
            np.array([pairs[number][1] for number in complete]),
            np.array([pairs[number][2] for number in complete]),
            np.array([table[number] for number in complete], dtype=float),
        )
    except ValueError as error:
        return {"n": len(complete), "note": f"Not adjusted for {names or 'covariates'}: {error}."}
    return {
        "n": found.n,
        "pearson_r": found.partial_r,
        "pearson_p": found.p,
        "slope": found.slope.value,
        "slope_low": found.slope.low,
        "slope_high": found.slope.high,
        "note": f"partial correlation and least-squares slope with {names} held fixed{_incomplete(pairs, complete)}"
        f"{_doubtful(participants, covariates)}",
    }


def _doubtful(participants: Sequence[str], covariates: Mapping[str, Sequence[float | None]]) -> str:
    """Whose covariate looks like a code for a missing one, as the end of a note."""
    sentences = []
    for name, values in covariates.items():
        known = {who: value for who, value in zip(participants, values, strict=True) if value is not None}
        sentences += describe_doubts(name, find_codes(known))
    return "".join(f"; {sentence.rstrip('.')}" for sentence in sentences)


def _incomplete(pairs: Sequence[Pair], complete: Sequence[int]) -> str:
    """Who lacks a covariate, as the end of a note."""
    kept = set(complete)
    lacking = [row["participant_id"] for number, (row, _, _) in enumerate(pairs) if number not in kept]
    return f"; without {name_some(lacking)}, who lack a covariate" if lacking else ""
