"""The trial's answer in words: what was found, how precise it is, and no more than that."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graytrace.counting import counted
from graytrace.report import trend
from graytrace.report.content import Row, Study, half_interval, number
from graytrace.report.phrases import describe_span, outcome_words, show_p, show_slope, tissue_words
from graytrace.statistics.association import mean_interval
from graytrace.statistics.power import detectable_correlation
from graytrace.tables import MISSING

_CLEAR_P = 0.05
_NAMED = 6


@dataclass(frozen=True)
class Answer:
    """The answer to a question.

    Parameters
    ----------
    headline : str
        The answer in one sentence.
    evidence : str
        Its numbers.
    certainty : sequence of str
        Precision: a sentence each.
    """

    headline: str
    evidence: str = ""
    certainty: Sequence[str] = ()

    @property
    def text(self) -> str:
        """Headline and numbers."""
        return f"{self.headline} {self.evidence}".strip()


def write_answer(rows: Sequence[Row], *, questions: int = 1, trends: Sequence[Row] = ()) -> Answer:
    """What the tables say about one question.

    Parameters
    ----------
    rows : sequence of mapping
        Of dose_response.tsv: the row of everyone first, then those of the other analyses.
    questions : int
        How many questions the p-values are corrected for.
    trends : sequence of mapping
        Of trend.tsv; its primary test answers. Without them the rank correlation's random permutations do.
    """
    row, primary = rows[0], trend.find_primary(trends)
    predictor = row["predictor"]
    if row["spearman_p"] == MISSING or (primary is not None and primary["p"] == MISSING):
        said = row if row["spearman_p"] == MISSING or primary is None else primary
        of_whom = counted(int(said["n"]), "patient")
        return Answer(f"Whether the change goes with {predictor} was not computed ({of_whom}). {said['note']}")
    found, p, rises = _find_relation(row, primary, trends)
    n = int(row["n"])
    corrected = f", corrected for {questions} questions" if questions > 1 else ""
    evidence = f"{found}, p {show_p(p)}{corrected}, {n} patients. {_describe_size(row, primary, trends)}"
    sure = [_describe_chance(p, n), *(_other_analysis(other) for other in rows[1:])]
    low, high = float(row["spearman_rho_low"]), float(row["spearman_rho_high"])
    is_ranked = primary is None or primary["item"] == "spearman"
    if is_ranked and (float(row["spearman_p"]) < _CLEAR_P) == (low <= 0 <= high):
        sure.append(
            "It is close: p-value (permutations) and interval (bootstrap) fall on different sides of the border."
        )
    sure += trend.describe_firmness(trends)
    lacking = row["note"].partition("; ")[2]
    if lacking:
        sure.append(f"{lacking.rstrip('.')}.")
    return Answer(_write_headline(row, primary, p, trends, rises=rises), evidence, sure)


def _find_relation(row: Row, primary: Row | None, trends: Sequence[Row]) -> tuple[str, float, bool]:
    """What the test that answers has found, its corrected p, and whether more of the predictor is less loss."""
    rho, low, high = (float(row[f"spearman_rho{end}"]) for end in ("", "_low", "_high"))
    ranked = f"Rank correlation {rho:+.2f} (95 % interval {low:+.2f} to {high:+.2f})"
    if primary is None:
        return ranked, float(row["spearman_p_holm"]), rho > 0
    p, value = float(primary["p_holm"]), float(primary["value"])
    if primary["item"] == "spearman":
        return ranked, p, value > 0
    return trend.describe_evidence(primary, trends), p, value > 0


def _describe_size(row: Row, primary: Row | None, trends: Sequence[Row]) -> str:
    """How much, in points: what a slope cannot say of a step, the means of the groups do."""
    groups = trend.describe_groups(trends, row["predictor"], row["outcome"])
    if primary is not None and primary["item"] == "max_contrast" and groups:
        caution = "" if float(primary["p_holm"]) >= _CLEAR_P else " The clearest shape need not be the true one."
        return f"{groups}{caution}"
    return (
        f"For each unit of {row['predictor']} the {outcome_words(row['outcome'])} differs by {show_slope(row)} "
        "percentage points."
    )


def _write_headline(row: Row, primary: Row | None, p: float, trends: Sequence[Row], *, rises: bool) -> str:
    predictor, tissue = row["predictor"], tissue_words(row["outcome"])
    if p >= _CLEAR_P:
        return f"No clear relation between {predictor} and the {outcome_words(row['outcome'])}."
    amount = "less" if rises else "more"
    shape = trend.largest_shape(trends)
    if primary is not None and primary["item"] == "max_contrast" and shape is not None and shape["item"] == "step":
        return f"Patients with the highest {predictor} lost {amount} {tissue} than the others."
    return f"The higher the {predictor}, the {amount} {tissue} was lost."


def _describe_chance(p: float, n: int) -> str:
    """What the p-value means, and what it does not."""
    if p < _CLEAR_P:
        chance = "less than 0.1 %" if p < 0.001 else f"{100 * p:.2g} %"
        return f"Were there no relation, chance would show one as strong in {chance} of such trials."
    return (
        f"This does not show that there is none: with {n} patients only a correlation beyond "
        f"±{detectable_correlation(n):.2f} is found four times out of five."
    )


def _other_analysis(row: Row) -> str:
    """Whether the answer holds without the flagged, or with covariates held fixed."""
    if row["analysis"] == "without_flagged":
        if row["spearman_p"] == MISSING:
            return f"Without flagged patients: {_lower(row['note'])}"
        rho, p = float(row["spearman_rho"]), float(row["spearman_p"])
        return f"Without flagged patients: rank correlation {rho:+.2f}, p {show_p(p)}, {row['n']} patients."
    if row["pearson_p"] == MISSING:
        return row["note"]
    r, p = float(row["pearson_r"]), float(row["pearson_p"])
    return f"Adjusted: partial correlation {r:+.2f}, p {show_p(p)}, {row['n']} patients ({row['note']})."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _count_measured(rows: Sequence[Row], values: Sequence[float]) -> str:
    """How many of a follow-up's patients were measured, and for how many of them the outcome could be computed."""
    measured = sum(row["status"] in {"ok", "flagged"} for row in rows)
    asked = "" if measured == len(values) else f" ({len(values)} with the outcome that is asked)"
    return f"{measured} of {len(rows)} planned patients{asked}"


def write_changes(study: Study) -> list[str]:
    """How much changed on average, a sentence for each follow-up."""
    unit = "% per year" if study.outcome.endswith("per_year") else "%"
    sentences = []
    for followup, rows in _by_followup(study).items():
        where = describe_span(rows[0]["visit_baseline"], followup)
        values = _values(study, rows)
        if len(values) < 2:
            sentences.append(f"The change {where} was measured in {_count_measured(rows, values)}.")
            continue
        mean = mean_interval(np.array(values))
        sentences.append(
            f"{tissue_words(study.outcome).capitalize()} changed by {mean.value:+.2f} {unit} on average {where} "
            f"(95 % interval of the mean {mean.low:+.2f} to {mean.high:+.2f}; minus is loss); patients ranged from "
            f"{min(values):+.2f} to {max(values):+.2f}."
        )
    return sentences


def write_certainty(study: Study) -> list[str]:
    """What the data allow: who was measured, how exactly, and whether the visits were scanned alike."""
    sentences = []
    unit = "% per year" if study.outcome.endswith("per_year") else "%"
    for followup, rows in _by_followup(study).items():
        values = _values(study, rows)
        at = f" at {followup}" if study.asks_several else ""
        sentence = f"{_count_measured(rows, values)} were measured{at}."
        halves = [half for row in rows if (half := half_interval(row, study.outcome)) is not None]
        if halves and len(values) > 1:
            sentence += (
                f" One patient's change is known to ±{statistics.median(halves):.2f} {unit} (95 % interval of the "
                f"measurement, median); patients differ by a standard deviation of {statistics.stdev(values):.2f}."
            )
        sentences.append(sentence)
    unlike = [row["participant_id"] for row in study.measured if row["protocol_differences"] != MISSING]
    if unlike:
        names = ", ".join(dict.fromkeys(unlike[:_NAMED])) + (" and others" if len(unlike) > _NAMED else "")
        sentences.append(
            f"{len(unlike)} of {len(study.measured)} measured pairs were not scanned alike at both visits ({names}): "
            "another scanner or sequence looks like change of tissue."
        )
    elif study.measured:
        sentences.append("No measured pair is known to have been scanned differently at its two visits.")
    return sentences


def write_untreated(doses: Mapping[str, float]) -> str:
    """Whether there is a group to compare with."""
    untreated = sum(dose == 0 for dose in doses.values())
    if not untreated:
        return (
            "There is no untreated group in these tables: what patients lost cannot be told from what they would have "
            "lost anyway."
        )
    return (
        f"Patients with dose 0: {untreated}. They are a group to compare with only if chance decided who got which "
        "dose, which these tables do not tell."
    )


def _by_followup(study: Study) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in study.asked:
        found.setdefault(row["visit_followup"], []).append(row)
    return found


def _values(study: Study, rows: Sequence[Row]) -> list[float]:
    return [value for row in rows if (value := number(row, study.outcome)) is not None]
