"""What the report says of trend.tsv: the question first, and no more certainty than there is."""

import dataclasses

import pytest
import yaml

from graytrace.report.answer import write_answer
from graytrace.report.content import Study
from graytrace.report.methods import write_methods
from graytrace.report.page import render_page
from graytrace.report.trend import describe_firmness, write_question
from graytrace.schemas import SCHEMAS
from graytrace.tables import columns

OUTCOME = "gm_change_percent_per_year"


def row_of(table, **cells):
    visits = {"predictor": "dose", "outcome": OUTCOME, "visit_baseline": "BL", "visit_followup": "M24"}
    return {**dict.fromkeys(columns(table), "n/a"), **visits, **cells}


def main_row(**cells):
    numbers = {"analysis": "everyone", "n": "12", "spearman_p": "0.06000", "spearman_p_holm": "0.06000"}
    numbers |= {"spearman_rho": "0.560", "spearman_rho_low": "-0.130", "spearman_rho_high": "0.870"}
    numbers |= {"slope": "0.10", "slope_low": "-0.02", "slope_high": "0.20"}
    return row_of("dose_response", **{**numbers, **cells})


def trend_rows(*, primary="max_contrast", p="0.01", without="0.02", best="0.005", worst="0.03", shape="step"):
    def row(analysis, item, **cells):
        return row_of("trend", analysis=analysis, item=item, **{"n": "12", "p": "0.2", "value": "0.4", **cells})

    tests = [
        row("test", name, role="primary" if name == primary else "supporting", p=found, p_holm=found, note="exact p")
        for name, found in (("spearman", "0.066"), ("max_contrast", p), ("jonckheere_terpstra", "0.075"))
    ]
    interval = {"value_low": "-0.1", "value_high": "0.3"}
    return [
        *tests,
        row("shape", "linear", p="0.30"),
        row("shape", shape, p=p, value="0.8"),
        row("group_mean", "0.7", value="-0.9", value_low="-1.2", value_high="-0.6", p="n/a"),
        row("group_mean", "5.7", value="-0.3", value_low="-0.6", value_high="0.0", p="n/a"),
        row("slope", "least_squares", value="0.12", **interval),
        row("slope", "precision_weighted", value="0.13", **interval),
        row("leave_one_out", "sub-01", p="0.012", n="11"),
        row("leave_one_out", "sub-02", p=without, n="11", note="changes p most (with everyone 0.01)"),
        row("missing_patients", "best_case", p=best, n="13", note="1 not measured (sub-13): above"),
        row("missing_patients", "worst_case", p=worst, n="13", note="1 not measured (sub-13): above"),
    ]


def study(rows=(), trend=(), **statistics):
    defaults = yaml.safe_load((SCHEMAS.parents[2] / "config.yaml").read_text())
    defaults["statistics"].update(statistics)
    run = {"version": "1.2.3", "python": "3.11", "packages": {"scipy": "1.17"}, "config": defaults}
    return Study([], [], [], list(rows), run, list(trend))


def test_the_question_of_the_protocol_stands_first_with_its_test():
    words, named = write_question(
        study([main_row()], question="Does it work?", primary_test="max_contrast", strata=["site"])
    )
    assert words == "Does it work?"
    assert "answered by the maximum-contrast test (two-sided, level 0.05, chance taken within site)" in named
    assert "whether that was before there were data this page cannot tell" in named


def test_without_words_of_the_protocol_the_question_is_written_from_the_configuration():
    words, named = write_question(study([main_row(), main_row(predictor="csf.nfl")]))
    assert words == "Do patients with more dose lose less gray matter from BL to M24?"
    assert "Spearman" in named
    assert "Asked besides: csf.nfl." in named


def test_where_nothing_is_asked_there_is_no_question():
    assert write_question(study()) == []


def test_the_named_test_gives_headline_and_p_and_a_step_is_told_by_means():
    found = write_answer([main_row()], trends=trend_rows())
    assert found.headline == "Patients with the highest dose lost less gray matter than the others."
    assert "p = 0.010, 12 patients" in found.evidence
    assert (
        "On average -0.90 % per year at dose 0.7 (95 % interval -1.20 to -0.60) and -0.30 % per year" in found.evidence
    )
    assert "The clearest shape need not be the true one." in found.evidence
    assert not any("It is close" in sentence for sentence in found.certainty), "that is about ranks"


def test_another_shape_is_told_by_its_direction():
    assert (
        write_answer([main_row()], trends=trend_rows(shape="emax")).headline
        == "The higher the dose, the less gray matter was lost."
    )


def test_a_named_test_that_finds_nothing_is_not_overruled_by_another():
    found = write_answer([main_row()], trends=trend_rows(primary="jonckheere_terpstra"))
    assert found.headline == "No clear relation between dose and the change of gray matter per year."
    assert found.evidence.startswith("Kendall's tau +0.40, p = 0.075")
    assert any(
        "the maximum-contrast test (largest: only the highest value differs) p = 0.010" in s for s in found.certainty
    )


def test_the_rank_correlations_p_is_the_exact_one():
    assert "p = 0.066" in write_answer([main_row()], trends=trend_rows(primary="spearman")).evidence


def test_a_test_that_could_not_be_done_says_why():
    note = "Not computed: all patients of a stratum have the same value."
    trends = [row_of("trend", analysis="test", item="spearman", role="primary", n="12", note=note)]
    found = write_answer([main_row()], trends=trends)
    assert found.headline == f"Whether the change goes with dose was not computed (12 patients). {note}"
    assert found.certainty == ()


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (
            {},
            "No single patient turns it: p is 0.01 with everyone and lies between 0.012 and 0.02 without any one",
        ),
        (
            {"without": "0.2"},
            "It hangs on single patients: p is 0.01 with everyone and above 0.05 (up to 0.2) without sub-02.",
        ),
        ({"p": "0.08"}, "p is 0.08 with everyone and below 0.05 (down to 0.012) without any one of sub-01, sub-02."),
        ({}, "Both lie on the same side of 0.05 as p without them (0.01)."),
        ({"worst": "0.2"}, "So they could turn the answer: p is 0.01 without them."),
        ({}, "weighted by precision +0.13 (95 % interval -0.1 to +0.3)"),
    ],
)
def test_what_the_answer_hangs_on_is_told(numbers, words):
    assert any(words in sentence for sentence in describe_firmness(trend_rows(**numbers)))


def test_the_page_shows_question_means_and_tests(tmp_path):
    whole = study([main_row()], trend_rows(), question="Does it <b>work</b>?", primary_test="max_contrast")
    methods = write_methods(whole, [])
    text = render_page(whole, methods, folder=tmp_path, title="t", predictors={})
    assert text.index("Does it &lt;b&gt;work&lt;/b&gt;?") < text.index("What was found")
    assert "Mean change at each value of dose" in text
    assert "<td>answers</td>" in text
    assert "The primary test was the maximum-contrast test." in methods.as_markdown()
    assert "10.1111/j.1541-0420.2005.00344.x" in methods.as_markdown()


def test_a_run_without_a_trend_has_a_page_all_the_same(tmp_path):
    whole = dataclasses.replace(study([main_row()]), trend=())
    assert "Mean change at each value" not in render_page(
        whole, write_methods(whole, []), folder=tmp_path, title="t", predictors={}
    )
