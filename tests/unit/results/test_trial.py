import numpy as np
import pytest

from graytrace.errors import ConfigError
from graytrace.study.config import load_config
from graytrace.study.questions import check_questions, read_covariates, read_predictors
from graytrace.tables import format_table
from graytrace.results.trial import analyze_trial

DOSES = np.repeat([0.7, 1.4, 2.8, 5.7], 3)


@pytest.fixture
def trial(content, bids):
    """Twelve patients, four doses; loss falls with dose."""
    rng = np.random.default_rng(7)
    names = [f"sub-{number:02}" for number in range(12)]
    changes = -1.0 + 0.12 * DOSES + rng.normal(0, 0.1, 12)
    sexes = ["F", "M"] * 6
    ages = rng.integers(30, 60, 12)
    lines = ["participant_id\tdose\tage\tsex"]
    lines += [f"{who}\t{dose}\t{age}\t{sex}" for who, dose, age, sex in zip(names, DOSES, ages, sexes, strict=True)]
    (bids.root / "participants.tsv").write_text("\n".join(lines) + "\n")

    class Trial:
        root = bids.root
        statistics = content["statistics"]

        @property
        def config(self):
            return load_config(content)

        def rows(self, **statuses):
            return [
                {
                    "participant_id": who,
                    "status": statuses.get(who.replace("-", "_"), "ok"),
                    "visit_followup": "M24",
                    "gm_change_percent_per_year": f"{change:.4f}",
                }
                for who, change in zip(names, changes, strict=True)
            ]

        def analyze(self, **statuses):
            return analyze_trial(self.config, self.rows(**statuses))

    return Trial()


def phenotype(trial, text):
    folder = trial.root / "phenotype"
    folder.mkdir()
    (folder / "csf.tsv").write_text(text)


def test_the_dose_response_is_found_with_its_sign(trial):
    (row,) = trial.analyze()
    assert (row["predictor"], row["analysis"], row["n"]) == ("dose", "everyone", 12)
    assert row["spearman_rho"] > 0.7
    assert row["spearman_rho_low"] > 0
    assert row["spearman_p_holm"] < 0.01
    assert row["slope_low"] < 0.12 < row["slope_high"]
    format_table("dose_response", [row])


def test_flags_remove_nobody_and_an_answer_without_them_stands_beside(trial):
    everyone, unflagged = trial.analyze(sub_00="flagged", sub_05="flagged")
    assert (everyone["analysis"], everyone["n"]) == ("everyone", 12)
    assert (unflagged["analysis"], unflagged["n"]) == ("without_flagged", 10)


@pytest.mark.parametrize("status", ["failed", "missing", "excluded"])
def test_who_was_not_measured_does_not_count(trial, status):
    (row,) = trial.analyze(sub_03=status)
    assert row["n"] == 11


def test_age_and_sex_are_held_fixed_where_n_allows(trial):
    trial.statistics["covariates"] = ["age", "sex"]
    _, adjusted = trial.analyze()
    assert adjusted["analysis"] == "adjusted"
    assert adjusted["n"] == 12
    assert "age, sex=M held fixed" in adjusted["note"]
    few = trial.analyze(**{f"sub_{number:02}": "failed" for number in range(3)})[-1]
    assert few["note"].startswith("Not adjusted for age, sex=M: 9 patients are too few")
    assert few.get("pearson_p") is None


def test_several_questions_are_corrected(trial):
    trial.statistics["columns"] = ["age"]
    dose, age = trial.analyze()
    assert (dose["predictor"], age["predictor"]) == ("dose", "age")
    assert dose["spearman_p_holm"] == pytest.approx(min(1, 2 * dose["spearman_p"]))
    assert age["spearman_p_holm"] >= age["spearman_p"]


def test_the_change_of_a_marker_between_two_visits_is_a_predictor(trial):
    phenotype(
        trial, "participant_id\tsession_id\tnfl\nsub-00\tses-BL\t10\nsub-00\tM3\t14.5\nsub-01\tBL\t9\nsub-01\tM3\tn/a\n"
    )
    trial.statistics["columns"] = [{"table": "csf", "column": "nfl", "to": "M3"}]
    predictor = read_predictors(trial.config)[1]
    assert predictor.name == "csf.nfl change BL to M3"
    assert predictor.values == {"sub-00": 4.5}


def test_a_table_without_visits_is_taken_as_it_is(trial):
    phenotype(trial, "participant_id\tnfl\nsub-00\t10\n")
    trial.statistics["columns"] = [{"table": "csf", "column": "nfl"}]
    assert read_predictors(trial.config)[1].values == {"sub-00": 10.0}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("columns", ["weight"], "participants.tsv has no column 'weight'"),
        ("covariates", ["weight"], "participants.tsv has no column 'weight'"),
        ("columns", [{"table": "csf", "column": "nfl"}], "there is no file"),
    ],
)
def test_what_is_not_there_is_said_before_anything_runs(trial, key, value, message):
    trial.statistics[key] = value
    with pytest.raises(ConfigError, match=message):
        check_questions(trial.config)


def test_a_visit_that_the_table_does_not_have_is_said(trial):
    phenotype(trial, "participant_id\tsession_id\tnfl\nsub-00\tBL\t10\n")
    trial.statistics["columns"] = [{"table": "csf", "column": "nfl", "to": "M3"}]
    with pytest.raises(ConfigError, match="no row with session_id 'M3'"):
        check_questions(trial.config)


def test_a_study_without_doses_asks_nothing(trial):
    (trial.root / "participants.tsv").write_text("participant_id\nsub-00\n")
    assert trial.analyze() == []


def test_a_dose_in_words_is_a_note_not_a_crash(trial):
    (trial.root / "participants.tsv").write_text("participant_id\tdose\nsub-00\thigh\n")
    (row,) = trial.analyze()
    assert row["note"] == "sub-00 has 'high', which is no number."
    format_table("dose_response", [row])


def test_few_patients_are_a_note_not_a_crash(trial):
    (row,) = trial.analyze(**{f"sub_{number:02}": "failed" for number in range(8)})
    assert row["note"] == "Not computed: 4 patients are too few: 6 are needed."


def test_words_become_indicators(trial):
    trial.statistics["covariates"] = ["sex"]
    assert read_covariates(trial.config, ["sub-00", "sub-01", "sub-99"]) == {"sex=M": [0.0, 1.0, None]}
