import numpy as np
import pytest

from graytrace.errors import ConfigError
from graytrace.results.trial import analyze_trial
from graytrace.study.config import load_config
from graytrace.study.questions import check_questions, describe_joins, read_covariates, read_predictors
from graytrace.tables import format_table

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


NAMES = [f"sub-{number:02}" for number in range(12)]


def rewrite(trial, change):
    """participants.tsv with each cell of it as `change(row number, column, text)` has it."""
    path = trial.root / "participants.tsv"
    header, *rows = [line.split("\t") for line in path.read_text().splitlines()]
    rows = [
        [change(number, column, text) for column, text in zip(header, row, strict=True)]
        for number, row in enumerate(rows)
    ]
    path.write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n")


@pytest.mark.parametrize("bare", [range(12), range(0, 12, 3)])
def test_an_id_may_stand_without_sub_in_any_table(trial, bare):
    trial.statistics["covariates"] = ["age"]
    expected = trial.analyze()
    rewrite(trial, lambda n, column, text: text[4:] if column == "participant_id" and n in bare else text)
    assert trial.analyze() == expected
    phenotype(trial, "participant_id\tnfl\n01\t5\nsub-02\t6\n")
    trial.statistics["columns"] = [{"table": "csf", "column": "nfl"}]
    assert read_predictors(trial.config)[1].values == {"sub-01": 5.0, "sub-02": 6.0}


def test_who_has_no_number_is_said_before_the_run_and_in_the_note(trial):
    rewrite(trial, lambda n, column, text: "n/a" if column == "dose" and n in {2, 5} else text)
    assert describe_joins(trial.config, NAMES) == ["dose: a number for 10 of 12 patients, none for sub-02, sub-05."]
    (row,) = trial.analyze()
    assert row["note"].endswith("; 2 of 12 measured have no number of dose: sub-02, sub-05")


def test_ids_of_nobody_are_said_with_the_nearest(trial):
    phenotype(trial, "participant_id\tnfl\n" + "".join(f"{n}\t{n}\n" for n in range(1, 12)))
    trial.statistics["columns"] = [{"table": "csf", "column": "nfl"}]
    sentence = describe_joins(trial.config, NAMES)[1]
    assert "a number for 2 of 12 patients" in sentence
    assert "nobody in the study is sub-1, sub-2" in sentence
    assert "(is sub-1 perhaps sub-01?)" in sentence


def test_a_patient_with_two_numbers_is_left_out_and_named(trial):
    with (trial.root / "participants.tsv").open("a") as table:
        table.write("sub-03\t99\t40\tF\nsub-04\t1.4\t40\tF\n")
    (sentence,) = describe_joins(trial.config, NAMES)
    assert "none for sub-03; left out: sub-03 has two numbers (1.4 and 99)" in sentence


def test_a_dose_column_that_the_study_names_must_be_there(trial):
    trial.statistics["dose_column"] = "cells"
    with pytest.raises(ConfigError, match="no column 'cells'"):
        check_questions(trial.config)


@pytest.mark.parametrize("cell", ["89+", "52,5", ">60", "unknown"])
def test_a_cell_that_is_no_number_makes_no_groups_of_a_covariate(trial, cell):
    trial.statistics["covariates"] = ["age"]
    rewrite(trial, lambda n, column, text: cell if column == "age" and n == 4 else text)
    covariates = read_covariates(trial.config, NAMES)
    assert list(covariates) == ["age"]
    assert [who for who, age in zip(NAMES, covariates["age"], strict=True) if age is None] == ["sub-04"]
    assert f"sub-04 ({cell!r})" in describe_joins(trial.config, NAMES)[1]
    assert "without sub-04, who lack a covariate" in trial.analyze()[1]["note"]


@pytest.mark.parametrize("make", [lambda n: f"{30 + n},5", lambda n: f"{n}" if n < 4 else f"{n}y"])
def test_a_covariate_that_is_neither_numbers_nor_groups_is_refused(trial, make):
    trial.statistics["covariates"] = ["age"]
    rewrite(trial, lambda n, column, text: make(n) if column == "age" else text)
    with pytest.raises(ConfigError, match=r"age is neither .*sub-\d\d"):
        check_questions(trial.config)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6, 1e12])
def test_a_slope_keeps_its_digits_whatever_the_unit_of_the_dose(trial, unit):
    rewrite(trial, lambda _, column, text: repr(float(text) * unit) if column == "dose" else text)
    (row,) = trial.analyze()
    header, cells = (line.split("\t") for line in format_table("dose_response", [row]).splitlines())
    written = dict(zip(header, cells, strict=True))
    assert float(written["slope"]) == pytest.approx(row["slope"], rel=1e-4)
    assert float(written["slope_low"]) == pytest.approx(row["slope_low"], rel=1e-4)


def test_changes_of_a_marker_that_are_alike_but_for_rounding_are_one_rank(trial):
    before = [0.1, 0.3, 0.5, 0.7, 0.9, 1.1]
    rows = [
        (f"sub-{n:02}", visit, f"{value + add:.1f}")
        for n, value in enumerate(before)
        for visit, add in (("BL", 0), ("M3", 0.2))
    ]
    phenotype(trial, "participant_id\tsession_id\tnfl\n" + "".join("\t".join(row) + "\n" for row in rows))
    trial.statistics |= {"dose_column": None, "columns": [{"table": "csf", "column": "nfl", "from": "BL", "to": "M3"}]}
    (predictor,) = read_predictors(trial.config)
    assert set(predictor.values.values()) == {0.2}
    (row,) = trial.analyze()
    assert row["note"].startswith("Not computed: all patients have the same value")


def _put(trial, column, **cells):
    header, *rows = (line.split("\t") for line in (trial.root / "participants.tsv").read_text().splitlines())
    for row in rows:
        row[header.index(column)] = cells.get(row[0].replace("-", "_"), row[header.index(column)])
    (trial.root / "participants.tsv").write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n")


@pytest.mark.parametrize("code", ["-999", "-9", "999"])
def test_a_code_for_a_missing_dose_is_named_before_the_run_and_in_the_note(trial, code):
    _put(trial, "dose", sub_03=code)
    assert any(f"sub-03 ({code}) counts as a number" in sentence for sentence in describe_joins(trial.config, NAMES))
    assert f"sub-03 ({code}) counts as a number" in trial.analyze()[0]["note"]


def test_a_code_for_a_missing_covariate_is_named(trial):
    trial.statistics["covariates"] = ["age"]
    _put(trial, "age", sub_03="999")
    assert any("age: sub-03 (999)" in sentence for sentence in describe_joins(trial.config, NAMES))
    assert any("age: sub-03 (999)" in row["note"] for row in trial.analyze())


def test_numbers_that_fit_the_others_are_no_codes(trial):
    assert "counts as a number" not in " ".join(describe_joins(trial.config, NAMES))
    _put(trial, "dose", **{name.replace("-", "_"): str(990 + number) for number, name in enumerate(NAMES)})
    assert "counts as a number" not in " ".join(describe_joins(trial.config, NAMES))


def test_groups_that_only_differ_in_spelling_are_refused(trial):
    trial.statistics["covariates"] = ["sex"]
    _put(trial, "sex", sub_02="f")
    with pytest.raises(ConfigError, match=r"sex has 'F' and 'f'"):
        check_questions(trial.config)


def test_a_table_with_a_header_only_is_not_said_to_lack_a_column(trial):
    trial.statistics["covariates"] = ["age"]
    (trial.root / "participants.tsv").write_text("participant_id\tdose\tage\tsex\n")
    with pytest.raises(ConfigError, match=r"participants\.tsv has no row"):
        check_questions(trial.config)
