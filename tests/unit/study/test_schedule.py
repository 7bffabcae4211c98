import pytest

from graytrace.errors import ConfigError
from graytrace.study.config import load_config

VISITS = ["M3", "M6", "M12", "M24"]


@pytest.fixture
def several(content):
    content["study"] |= {"followup": VISITS, "window_months": [[2, 4], [5, 7], [10, 14], [22, 26]]}
    return content


def test_a_study_that_asks_for_neither_has_the_text_that_it_always_had(several):
    study = load_config(several).as_dict()["study"]
    assert "visits" not in study
    assert "rebaseline" not in study
    assert load_config(several).trajectory_tables == {}


def test_a_later_reference_has_the_followups_behind_it_with_their_windows(several):
    several["study"]["rebaseline"] = "ses-M6"
    config = load_config(several)
    assert (config.baseline, config.followups, config.earlier) == ("M6", ("M12", "M24"), ("BL", "M3"))
    assert (config.window("M12"), config.first_visit) == ((10.0, 14.0), "BL")
    assert config.planned_labels == ("M6", "M12", "M24")


@pytest.mark.parametrize("visits", ["baseline", "all"])
def test_what_jobs_are_given_is_the_same_study(several, visits):
    several["study"] |= {"rebaseline": "M6", "visits": visits}
    config = load_config(several)
    assert load_config(config.as_dict()) == config
    labels = ("BL", "M3", "M6", "M12", "M24") if visits == "all" else ("M6", "M12", "M24")
    assert config.planned_labels == labels


def test_the_baseline_may_be_named_as_the_reference(several):
    several["study"]["rebaseline"] = "BL"
    assert load_config(several).baseline == "BL"


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("M7", r"study.rebaseline: 'M7' is no follow-up. Expected one of study.followup with another behind it"),
        ("M24", r"study.rebaseline: 'M24' is the last follow-up: nothing comes after it"),
        ("M 6", r"study.rebaseline: 'M 6' is no BIDS label"),
    ],
)
def test_a_reference_with_nothing_to_compare_is_refused(several, label, message):
    several["study"]["rebaseline"] = label
    with pytest.raises(ConfigError, match=message):
        load_config(several)


def test_another_choice_of_visits_is_refused(several):
    several["study"]["visits"] = "some"
    with pytest.raises(ConfigError, match=r"study.visits: 'some' is not one of \['baseline', 'all'\]"):
        load_config(several)


def test_a_slope_as_outcome_needs_slopes(several):
    several["statistics"]["outcome"] = "gm_slope_percent_per_year"
    with pytest.raises(ConfigError, match=r"Set study\.visits: all"):
        load_config(several)
    several["study"]["visits"] = "all"
    assert load_config(several).outcome == "gm_slope_percent_per_year"
