from pathlib import Path

import pytest
import yaml

from graytrace.errors import ConfigError
from graytrace.study.config import load_config, read_config

PROJECT = Path(__file__).resolve().parents[3]


def test_default_config_agrees_with_its_schema():
    config = load_config(read_config(PROJECT / "config.yaml"), [PROJECT / "config.yaml"])
    assert config.output_dir == PROJECT / "results"
    assert config.bids_dir is None


def test_without_a_data_set_the_message_says_what_to_write(content):
    content["study"]["bids_dir"] = None
    with pytest.raises(ConfigError, match=r"snakemake --cores 2 --configfile my\.yaml"):
        load_config(content).require_data()


def test_a_missing_data_set_is_named(content, tmp_path):
    with pytest.raises(ConfigError, match=str(tmp_path / "bids")):
        load_config(content).require_data()


@pytest.mark.parametrize(
    ("section", "key", "suggestion"),
    [
        ("study", "bidsdir", "study.bidsdir: no such key. Did you mean study.bids_dir?"),
        ("study", "follow_up", "study.follow_up: no such key. Did you mean study.followup?"),
        ("engines", "skullstrip", "Did you mean engines.skull_strip?"),
        ("engines", "lesions", "engines.lesions: no such key. Did you mean study.lesions?"),
        (
            "statistics",
            "xyzzy",
            "no such key; there are: question, dose_column, columns, outcome, covariates, primary_test, shapes",
        ),
    ],
)
def test_a_wrong_key_is_answered_with_the_nearest_right_one(content, section, key, suggestion):
    content[section][key] = "x"
    with pytest.raises(ConfigError) as caught:
        load_config(content)
    assert suggestion in str(caught.value)


def test_a_wrong_section_is_answered_with_the_nearest_right_one(content):
    content["engine"] = {}
    with pytest.raises(ConfigError, match=r"engine: no such key\. Did you mean engines\?"):
        load_config(content)


def test_all_faults_are_told_at_once(content):
    content["study"]["bidsdir"] = "x"
    content["engines"]["change"] = 3
    with pytest.raises(ConfigError) as caught:
        load_config(content)
    assert "study.bidsdir" in str(caught.value)
    assert "engines.change: expected string, got 3" in str(caught.value)


def test_a_visit_that_yaml_reads_as_a_number_is_asked_for_in_quotes(content):
    content["study"]["baseline"] = yaml.safe_load("01")
    with pytest.raises(ConfigError, match=r"study\.baseline: expected string, got 1\. Write it in quotes\."):
        load_config(content)


def test_visits_may_be_named_with_or_without_ses(content):
    content["study"]["followup"] = "ses-M24"
    assert load_config(content).followups == ("M24",)


@pytest.mark.parametrize(("written", "is_blind"), [(True, True), ("true", True), ("False", False), (False, False)])
def test_blind_is_yes_or_no_however_it_is_written(content, written, is_blind):
    content["study"]["blind"] = written
    assert load_config(content).blind is is_blind


def test_blind_that_is_neither_is_refused(content):
    content["study"]["blind"] = "perhaps"
    with pytest.raises(ConfigError, match=r"study\.blind: expected true or false, got 'perhaps'"):
        load_config(content)


def test_one_visit_twice_is_refused(content):
    content["study"]["followup"] = "ses-BL"
    with pytest.raises(ConfigError, match="two different visits"):
        load_config(content)
    content["study"]["followup"] = ["M12", "ses-M12"]
    with pytest.raises(ConfigError, match="names a visit twice"):
        load_config(content)


@pytest.mark.parametrize(
    ("followup", "window_months", "windows"),
    [
        ("M24", [18, 30], ((18, 30),)),
        (["M12", "M24"], [6, 30], ((6, 30), (6, 30))),
        (["M12", "M24"], [[9, 15], None], ((9, 15), None)),
        (["M12", "M24"], None, (None, None)),
    ],
)
def test_each_followup_has_its_window(content, followup, window_months, windows):
    content["study"].update(followup=followup, window_months=window_months)
    assert load_config(content).windows == windows
    assert load_config(load_config(content).as_dict()) == load_config(content)


@pytest.mark.parametrize("window_months", [[30, 18], [18], [[9, 15]], [[9, 15], [18]], [9, [18, 30]]])
def test_a_window_that_is_none_is_refused(content, window_months):
    content["study"].update(followup=["M12", "M24"], window_months=window_months)
    with pytest.raises(ConfigError, match=r"study\.window_months"):
        load_config(content)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scans": "scans.tsv"}, "study.bids_dir and study.scans are both given"),
        ({"bids_dir": None, "scans": "scans.tsv", "lesions": "x"}, "use its column lesion_mask"),
        ({"exclusions": "nowhere.tsv"}, "study.exclusions: there is no file"),
        ({"dates": "nowhere.tsv"}, "study.dates: there is no file"),
        ({"output_dir": "a\nb"}, "unprintable"),
        ({"output_dir": "{a}"}, "brace"),
    ],
)
def test_paths_that_cannot_be_used_are_refused(content, values, message):
    content["study"].update(values)
    with pytest.raises(ConfigError) as caught:
        load_config(content)
    assert message in str(caught.value)


def test_results_are_not_written_into_the_data_set_itself(content):
    content["study"]["output_dir"] = content["study"]["bids_dir"]
    with pytest.raises(ConfigError, match="is the data set itself"):
        load_config(content)


def test_relative_paths_are_relative_to_the_file_that_names_them(content, tmp_path):
    defaults, own = tmp_path / "project" / "config.yaml", tmp_path / "study" / "my.yaml"
    for path, study in ((defaults, {"output_dir": "results"}), (own, {"bids_dir": "../bids"})):
        path.parent.mkdir()
        path.write_text(yaml.safe_dump({"study": study}))
    content["study"].update(bids_dir="../bids", output_dir="results")
    config = load_config(content, [defaults, own])
    assert config.bids_dir == tmp_path / "bids"
    assert config.output_dir == tmp_path / "project" / "results"


def test_paths_from_the_command_line_are_relative_to_the_working_directory(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content["study"]["output_dir"] = "elsewhere"
    assert load_config(content, []).output_dir == tmp_path / "elsewhere"


def test_lesions_may_be_named_relative_to_the_data_set(content, bids):
    (bids.root / "derivatives" / "lesions").mkdir(parents=True)
    content["study"]["lesions"] = "derivatives/lesions"
    assert load_config(content).lesions == bids.root / "derivatives" / "lesions"


def test_a_lesion_folder_that_is_nowhere_is_refused(content, bids):  # noqa: ARG001 - it makes the data set
    content["study"]["lesions"] = "derivatives/lesions"
    with pytest.raises(ConfigError, match=r"study\.lesions: there is neither"):
        load_config(content)


def test_the_checked_config_survives_a_round_trip(content):
    config = load_config(content)
    assert load_config(config.as_dict()) == config


@pytest.mark.parametrize("text", ["study: [", "- a\n- b\n", "\x00"])
def test_a_file_that_is_no_configuration_is_named(tmp_path, text):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"my\.yaml"):
        read_config(path)


def test_a_template_is_relative_to_the_file_that_names_it(content, tmp_path):
    (tmp_path / "template.nii.gz").touch()
    content["ants"] = {"template": "template.nii.gz", "time_limit_hours": 2}
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(content))
    config = load_config(content, [path])
    assert config.suites["ants"] == {"template": str(tmp_path / "template.nii.gz"), "time_limit_hours": 2}
    assert load_config(config.as_dict()).suites == config.suites


def test_a_template_that_is_not_there_and_a_wrong_option_are_named(content):
    content["ants"] = {"template": "nowhere.nii.gz"}
    with pytest.raises(ConfigError, match=r"ants\.template: there is no file"):
        load_config(content)
    content["ants"] = {"tmplate": "x"}
    with pytest.raises(ConfigError, match=r"ants\.tmplate: no such key\. Did you mean ants\.template\?"):
        load_config(content)
    content["ants"] = {}
    content["fsl"] = {"bet_fraction": 1.5}
    with pytest.raises(ConfigError, match=r"fsl\.bet_fraction: 1\.5 is greater than"):
        load_config(content)


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("study:\n  bids_dir: a\n\nengines: {}\nstudy:\n  exclusions: e.tsv\n", "study", (1, 5)),
        ("study:\n  bids_dir: a\n  bids_dir: b\n", r"study\.bids_dir", (2, 3)),
        ("statistics:\n  columns:\n  - {table: a, column: b, table: c}\n", r"statistics\.columns\.table", (3, 3)),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(tmp_path, text, key, lines):
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"{key} stands twice, in line {lines[0]} and in line {lines[1]}"):
        read_config(tmp_path / "my.yaml")


@pytest.mark.parametrize(
    ("section", "name", "limit", "words"),
    [
        ("limits", "gm_of_icv_percent", {"min": 60, "max": 28}, "min 60 is above max 28"),
        ("limits", "noise_percent", {"max": -1}, "max -1 is below 0"),
        ("withheld", "covered_percent", {"min": 80, "max": 20}, "min 80 is above max 20"),
    ],
)
def test_a_limit_that_nothing_can_keep_is_refused(content, section, name, limit, words):
    content["quality"].setdefault(section, {})[name] = limit
    with pytest.raises(ConfigError, match=f"quality.{section}.{name}: {words}"):
        load_config(content)


def test_a_section_with_nothing_below_it_is_refused(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("study:\nbids_dir: data\n")
    with pytest.raises(ConfigError, match="nothing stands below study"):
        read_config(path)


def test_a_data_set_that_is_not_there_is_told_before_its_lesion_masks(content):
    content["study"]["lesions"] = "derivatives/lesions"
    with pytest.raises(ConfigError, match=r"study\.bids_dir: there is no folder"):
        load_config(content)
