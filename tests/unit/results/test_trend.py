"""trend.tsv of a trial of twelve: which rows it has, who counts in them, and what a small trial cannot say."""

import numpy as np
import pytest

from graytrace.errors import ConfigError
from graytrace.results import trend
from graytrace.results.trend import analyze_trend
from graytrace.study.config import load_config
from graytrace.study.questions import check_questions, read_strata
from graytrace.tables import format_table

DOSES = np.repeat([1.0, 2, 4], 3)
NAMES = [f"sub-{number:02}" for number in range(DOSES.size)]
SITES = ["A", "B", "A"] * 3


@pytest.fixture
def trial(content, bids):
    """Nine patients, three doses; only the highest works."""

    class Trial:
        statistics = content["statistics"]
        doses = DOSES
        changes = -1.0 + 0.6 * np.equal(DOSES, 4) + np.random.default_rng(7).normal(0, 0.1, DOSES.size)

        def write(self):
            cells = zip(NAMES, self.doses, SITES, strict=True)
            lines = ["participant_id\tdose\tsite", *(f"{who}\t{dose:g}\t{site}" for who, dose, site in cells)]
            (bids.root / "participants.tsv").write_text("\n".join(lines) + "\n")

        @property
        def config(self):
            return load_config(content)

        def analyze(self, *, error="0.2", **statuses):
            self.write()
            rows = []
            for who, change in zip(NAMES, self.changes, strict=True):
                status = statuses.get(who.replace("-", "_"), "ok")
                measured = status in {"ok", "flagged"}
                rows.append(
                    {
                        "participant_id": who,
                        "status": status,
                        "visit_followup": "M24",
                        "interval_years": "2.0" if measured else "n/a",
                        "gm_change_se_points": error if measured else "n/a",
                        "gm_change_percent_per_year": f"{change:.4f}" if measured else "n/a",
                    }
                )
            found = analyze_trend(self.config, rows)
            format_table("trend", found)
            return found

    return Trial()


def select(rows, analysis):
    return {row["item"]: row for row in rows if row["analysis"] == analysis}


def test_the_named_test_answers_and_stands_first(trial):
    trial.statistics["primary_test"] = "max_contrast"
    rows = trial.analyze()
    assert (rows[0]["analysis"], rows[0]["item"], rows[0]["role"]) == ("test", "max_contrast", "primary")
    assert [row["role"] for row in select(rows, "test").values()] == ["primary", "supporting", "supporting"]
    assert rows[0]["note"].startswith("largest: step; exact p: all 1,680 arrangements")
    assert rows[0]["value"] > 0.8
    assert rows[0]["p"] == pytest.approx(select(rows, "shape")["step"]["p"])
    assert rows[0]["p"] < 0.05


def test_without_a_choice_the_rank_correlation_answers(trial):
    assert trial.analyze()[0]["item"] == "spearman"


def test_every_analysis_is_there_once(trial):
    rows = trial.analyze()
    assert list(select(rows, "shape")) == ["linear", "log_linear", "emax", "step"]
    assert {item: row["n"] for item, row in select(rows, "group_mean").items()} == {"1": 3, "2": 3, "4": 3}
    assert list(select(rows, "leave_one_out")) == NAMES
    assert list(select(rows, "slope")) == ["least_squares", "precision_weighted"]
    assert select(rows, "missing_patients") == {}
    marked = [row for row in select(rows, "leave_one_out").values() if row["note"]]
    assert len(marked) >= 1
    whole = rows[0]["p"]
    moves = {item: abs(np.log(row["p"] / whole)) for item, row in select(rows, "leave_one_out").items()}
    assert moves[marked[0]["item"]] == max(moves.values())


def test_errors_are_those_of_the_outcome(trial):
    """0.2 points over two years are 0.1 a year."""
    assert "standard errors 0.1 to 0.1" in select(trial.analyze(), "slope")["precision_weighted"]["note"]


def test_without_standard_errors_no_weighted_slope_and_why(trial):
    row = select(trial.analyze(error="n/a"), "slope")["precision_weighted"]
    assert row["note"] == "Not computed: not every patient has a standard error of this outcome."
    assert row.get("value") is None


def test_missing_patients_are_given_both_extremes(trial):
    rows = trial.analyze(sub_08="missing", sub_00="failed")
    found = select(rows, "missing_patients")
    assert rows[0]["n"] == 7
    assert {row["n"] for row in found.values()} == {9}
    assert found["best_case"]["value"] > rows[0]["value"] > found["worst_case"]["value"]
    assert "2 not measured (sub-08, sub-00)" in found["best_case"]["note"].replace("sub-00, sub-08", "sub-08, sub-00")


def test_the_best_case_speaks_for_what_was_found_whatever_its_sign(trial):
    trial.changes = -trial.changes
    rows = trial.analyze(sub_08="missing")
    found = select(rows, "missing_patients")
    assert rows[0]["value"] < 0
    assert found["best_case"]["value"] < found["worst_case"]["value"]


def test_strata_of_the_design_are_kept(trial):
    trial.statistics["strata"] = ["site"]
    rows = trial.analyze()
    # six patients of site A on three doses and three of site B: 90 x 6
    assert "all 540 arrangements within 2 strata (site)" in rows[0]["note"]


def test_an_unknown_stratum_is_a_level_of_its_own(trial):
    trial.statistics["strata"] = ["site"]
    trial.write()
    assert read_strata(trial.config, ["sub-00", "sub-01", "sub-99"]) == ["A", "B", "n/a"]


@pytest.mark.parametrize(
    ("sites", "message"),
    [(None, "statistics.strata: participants.tsv has no column 'site'"), ("Aa", "site has 'A' and 'a'")],
)
def test_strata_that_cannot_be_used_are_said_before_anything_runs(trial, bids, sites, message):
    trial.statistics["strata"] = ["site"]
    if sites is None:
        (bids.root / "participants.tsv").write_text("participant_id\tdose\nsub-00\t1\n")
    else:
        cells = "".join(f"sub-0{number}\t1\t{site}\n" for number, site in enumerate(sites))
        (bids.root / "participants.tsv").write_text(f"participant_id\tdose\tsite\n{cells}")
    with pytest.raises(ConfigError, match=message):
        check_questions(trial.config)


def test_strata_that_leave_chance_nothing_are_a_note(trial):
    trial.statistics["strata"] = ["dose"]
    row = trial.analyze()[0]
    assert row["note"] == "Not computed: all patients of a stratum have the same value."
    assert row["role"] == "primary"


def test_one_dose_only_is_a_note_beside_its_mean(trial):
    trial.doses = np.full(9, 2.0)
    rows = trial.analyze()
    assert rows[0]["note"] == "Not computed: all patients have the same value."
    assert list(select(rows, "group_mean")) == ["2"]
    mean = select(rows, "group_mean")["2"]
    assert mean["value_low"] < mean["value"] < mean["value_high"]
    assert len(rows) == 2


def test_two_patients_have_means_without_intervals_and_a_note(trial):
    rows = trial.analyze(**{f"sub_{number:02}": "failed" for number in range(1, 8)})
    assert rows[0]["note"] == "Not computed: 2 patients are too few: 6 are needed."
    assert [row.get("value_low") for row in select(rows, "group_mean").values()] == [None, None]
    assert select(rows, "slope") == select(rows, "leave_one_out") == {}


def test_nobody_measured_is_a_note(trial):
    (row,) = trial.analyze(**{name.replace("-", "_"): "missing" for name in NAMES})
    assert row["note"] == "Not computed: 0 patients are too few: 6 are needed."


def test_a_scale_has_no_group_means(trial):
    trial.doses = np.arange(9.0)
    rows = trial.analyze()
    assert select(rows, "group_mean") == {}
    note = select(rows, "test")["max_contrast"]["note"]
    assert "without the shape step: one patient alone has the highest value" in note


def test_each_test_is_corrected_for_the_number_of_questions(trial, bids):
    trial.write()
    phenotype = bids.root / "phenotype"
    phenotype.mkdir()
    values = np.random.default_rng(3).normal(size=9)
    cells = "".join(f"{who}\t{value:.3f}\n" for who, value in zip(NAMES, values, strict=True))
    (phenotype / "csf.tsv").write_text(f"participant_id\tnfl\n{cells}")
    trial.statistics["columns"] = [{"table": "csf", "column": "nfl"}]
    dose, nfl = (row for row in trial.analyze() if row.get("role") == "primary")
    assert (dose["predictor"], nfl["predictor"]) == ("dose", "csf.nfl")
    assert dose["p_holm"] == pytest.approx(min(1, 2 * dose["p"]))
    assert "standard error" not in dose["note"]


def test_of_many_patients_none_is_left_out_in_turn(trial, monkeypatch):
    monkeypatch.setattr(trend, "MOST_LEFT_OUT", 8)
    (row,) = select(trial.analyze(), "leave_one_out").values()
    assert row["note"] == "Not computed: more than 8 patients."


def test_every_outcome_is_weighted_by_its_own_standard_errors():
    row = {"gm_change_se_points": "0.2", "brain_change_se_points": "0.5", "interval_years": "2.0"}
    assert trend._error(row, "gm_change_percent_per_year") == 0.1
    assert trend._error(row, "brain_change_percent") == 0.5
    assert trend._error(row, "wm_change_percent") is None
    assert trend._error({**row, "interval_years": "n/a"}, "gm_change_percent_per_year") is None
