"""A trial with visits at 0, 3, 6, 12, 18 and 24 months, on records made by hand."""

import numpy as np
import pytest
from six_visits import DAYS, MONTHS, SE_POINTS, Trial

from graytrace.findings import Flag
from graytrace.results.trajectory import TISSUES


@pytest.fixture
def trial(content, bids):
    content["study"] |= {"followup": list(MONTHS)[1:], "window_months": None, "visits": "all"}
    return Trial(content, bids)


def percent(slope):
    return 100 * np.expm1(slope)


def test_pairs_without_error_give_the_line_they_were_made_of(trial):
    trial.patient("01")
    trial.finish({"sub-01": -0.012})
    trajectories, slopes, results = trial.fit()
    row = slopes["sub-01"]
    assert (row["status"], row["visits"], row["pairs"], row["loops"]) == ("ok", 6, 9, 4)
    assert row["visits_used"] == "BL; M3; M6; M12; M18; M24"
    for tissue in TISSUES:
        assert row[f"{tissue}_slope_percent_per_year"] == pytest.approx(percent(-0.012))
        assert row[f"{tissue}_loop_p"] == pytest.approx(1.0)
    for visit, days in DAYS.items():
        found = trajectories["sub-01", visit]
        assert found["gm_change_percent"] == pytest.approx(percent(-0.012 * days / 365.25))
        assert (found["interval_days"], found["visit_reference"]) == (days, "BL")
    assert trajectories["sub-01", "BL"].get("gm_change_low_percent") is None
    assert [row["visit_followup"] for row in results.atrophy] == list(MONTHS)[1:], (
        "further pairs are no rows of atrophy"
    )


def test_slopes_of_a_trial_lie_in_their_intervals_whatever_scans_are_missing(trial):
    truth = dict(zip((f"sub-{number:02}" for number in range(1, 13)), np.linspace(-0.02, 0.002, 12), strict=True))
    gaps = [(), ("M3",), ("M6", "M12"), ("BL",), ("M24",), ("BL", "M3")]
    for number, name in enumerate(truth):
        missing = gaps[number % len(gaps)]
        trial.patient(name.removeprefix("sub-"), *(visit for visit in MONTHS if visit not in missing))
    trial.finish(truth, shared=SE_POINTS / 2, own=SE_POINTS / 2**0.5)
    _, slopes, _ = trial.fit()
    inside = [
        slopes[name]["gm_slope_low_percent_per_year"]
        <= percent(slope)
        <= slopes[name]["gm_slope_high_percent_per_year"]
        for name, slope in truth.items()
    ]
    assert sum(inside) >= 11
    assert all(slopes[name]["status"] in {"ok", "flagged"} for name in truth)
    assert slopes["sub-04"]["visit_reference"] == "M3"
    assert slopes["sub-04"]["visits_left_out"] == "BL (missing)"
    assert slopes["sub-04"]["flags"] == "reference_missing"
    assert slopes["sub-03"]["pairs"] == 5


def test_a_patient_without_a_scan_and_one_with_a_single_visit_have_a_reason_and_stop_nobody(trial):
    trial.patient("01")
    trial.patient("02", "M6")
    trial.patient("03", "BL", "M24")
    trial.finish({"sub-01": -0.01, "sub-02": -0.01, "sub-03": -0.01})
    trajectories, slopes, _ = trial.fit()
    assert slopes["sub-01"]["status"] == "ok"
    assert slopes["sub-02"]["status"] == "missing"
    reason = slopes["sub-02"]["reason"]
    assert reason.startswith(
        "too_few_visits: A slope needs two visits, 1 can be used; left out: BL (missing); M3 (miss"
    )
    assert trajectories["sub-02", "M6"]["reason"].startswith("not_joined: ")
    assert trajectories["sub-02", "BL"]["status"] == "missing"
    assert (slopes["sub-03"]["flags"], slopes["sub-03"]["loops"]) == ("two_visits", 0)
    assert slopes["sub-03"].get("gm_loop_p") is None


def test_a_scan_that_fails_on_the_way_leaves_the_slope_of_the_others(trial):
    trial.patient("01")
    trial.finish({"sub-01": -0.01})
    trial.fail_scan("sub-01", "BL")
    trajectories, slopes, _ = trial.fit()
    row = slopes["sub-01"]
    assert (row["visits_used"], row["visits_left_out"]) == ("M3; M6; M12; M18; M24", "BL (failed)")
    assert row["gm_slope_percent_per_year"] == pytest.approx(percent(-0.01))
    assert trajectories["sub-01", "BL"]["reason"] == "truncated: The file ends too early."


def test_a_pair_that_contradicts_the_others_opens_its_loop_and_widens_the_interval(trial):
    trial.patient("01")
    trial.patient("02")
    trial.finish({"sub-01": -0.01, "sub-02": -0.01})
    trial.finish_pair("sub-02", "M6", "M12", -0.005 - 0.03)
    _, slopes, _ = trial.fit()
    closed, opened = slopes["sub-01"], slopes["sub-02"]
    assert closed["status"] == "ok"
    assert (opened["status"], opened["flags"]) == ("flagged", "loop_open")
    assert opened["gm_loop_p"] < 1e-6
    assert "pairs that close loops disagree: gray matter" in opened["messages"]
    assert opened["gm_slope_se_points_per_year"] > 2 * closed["gm_slope_se_points_per_year"]


def test_a_visit_off_the_line_is_no_open_loop(trial):
    trial.patient("01")
    trial.finish({"sub-01": -0.01}, extra={"M12": 2.0})
    trajectories, slopes, _ = trial.fit()
    assert slopes["sub-01"]["flags"] == "not_linear"
    assert slopes["sub-01"]["gm_loop_p"] == pytest.approx(1.0)
    assert trajectories["sub-01", "M12"]["gm_change_percent"] == pytest.approx(
        percent(-0.01 * DAYS["M12"] / 365.25 + 0.02)
    )


def test_the_order_of_the_configuration_does_not_matter(trial):
    trial.patient("01")
    trial.finish({"sub-01": -0.01}, shared=0.1, own=0.1)
    _, slopes, _ = trial.fit()
    trial.content["study"]["followup"] = ["M24", "M3", "M18", "M6", "M12"]
    _, again, _ = trial.fit()
    for column, value in slopes["sub-01"].items():
        assert again["sub-01"][column] == (pytest.approx(value) if isinstance(value, float) else value), column


def test_a_visit_without_a_date_has_a_place_but_no_part_in_the_slope(trial):
    trial.patient("01", undated=("M12",))
    trial.finish({"sub-01": -0.01})
    trajectories, slopes, _ = trial.fit()
    assert slopes["sub-01"]["visits_left_out"] == "M12 (no date)"
    assert slopes["sub-01"]["gm_slope_percent_per_year"] == pytest.approx(percent(-0.01))
    row = trajectories["sub-01", "M12"]
    assert row["gm_change_percent"] == pytest.approx(percent(-0.01 * DAYS["M12"] / 365.25))
    assert row["interval_days"] is None


def test_without_any_date_there_is_no_slope(trial):
    trial.patient("01", undated=MONTHS)
    trial.finish({"sub-01": -0.01})
    trajectories, slopes, _ = trial.fit()
    assert slopes["sub-01"]["reason"].startswith("interval_unknown: ")
    assert trajectories["sub-01", "M24"]["gm_change_percent"] == pytest.approx(percent(-0.01 * DAYS["M24"] / 365.25))


def test_visits_too_near_to_each_other_give_no_slope(trial):
    trial.patient("01", "BL", "M3")
    trial.content["quality"]["shortest_interval_days"] = 100
    trial.finish({"sub-01": -0.01})
    _, slopes, _ = trial.fit()
    assert slopes["sub-01"]["reason"] == "interval_short: The visits span 91 days, fewer than 100: no slope is given."


def test_an_engine_without_errors_gives_a_slope_without_interval(trial):
    trial.patient("01")
    trial.finish({"sub-01": -0.01}, with_errors=False)
    _, slopes, _ = trial.fit()
    row = slopes["sub-01"]
    assert row["gm_slope_percent_per_year"] == pytest.approx(percent(-0.01))
    assert row.get("gm_slope_low_percent_per_year") is None
    assert row["flags"] == "errors_unknown"


def test_flags_of_pairs_and_scans_come_with_their_visits(trial):
    trial.patient("01")
    trial.finish({"sub-01": -0.01})
    flag = Flag("sharpness_differs", "One visit is less sharp.")
    trial.finish_pair("sub-01", "M6", "M12", -0.005, flags=(flag,))
    trial.write("sub-01", "inspect", {"visit": "M18"}, flags=(Flag("thick_slices", "Slices are thick."),))
    trajectories, slopes, _ = trial.fit()
    assert set(slopes["sub-01"]["flags"].split("; ")) == {"M6_M12:sharpness_differs", "M18:thick_slices"}
    assert trajectories["sub-01", "M18"]["flags"] == "thick_slices"
    assert trajectories["sub-01", "M12"]["flags"] is None, "its change is told by its pair with the baseline first"


@pytest.fixture
def early_loss(trial):
    """A loss of 1 % within the first three months, which is no loss of tissue."""
    trial.content["study"]["rebaseline"] = "M6"
    trial.early = {visit: -1.0 for visit in MONTHS if visit != "BL"}
    return trial


def test_a_later_reference_leaves_an_early_loss_out(early_loss):
    early_loss.patient("01")
    early_loss.finish({"sub-01": -0.01}, extra=early_loss.early)
    trajectories, slopes, results = early_loss.fit()
    row = slopes["sub-01"]
    assert (row["visit_reference"], row["visits_used"], row["status"]) == ("M6", "M6; M12; M18; M24", "ok")
    assert row["gm_slope_percent_per_year"] == pytest.approx(percent(-0.01))
    before = trajectories["sub-01", "BL"]
    assert before["interval_days"] == -DAYS["M6"]
    assert before["gm_change_percent"] == pytest.approx(percent(0.01 + 0.01 * DAYS["M6"] / 365.25))
    assert [(row["visit_baseline"], row["visit_followup"]) for row in results.atrophy] == [
        ("M6", "M12"),
        ("M6", "M18"),
        ("M6", "M24"),
    ]


def test_who_lacks_the_later_reference_is_told_so_and_has_the_slope_of_later_visits(early_loss):
    early_loss.patient("01", "BL", "M3", "M12", "M18", "M24")
    early_loss.finish({"sub-01": -0.01}, extra=early_loss.early)
    _, slopes, results = early_loss.fit()
    row = slopes["sub-01"]
    assert (row["visit_reference"], row["visits_used"]) == ("M12", "M12; M18; M24")
    assert row["gm_slope_percent_per_year"] == pytest.approx(percent(-0.01))
    assert row["flags"] == "reference_missing"
    assert {row["status"] for row in results.atrophy} == {"missing"}
    assert all("ses-M6 was to be the reference (study.rebaseline)." in row["reason"] for row in results.atrophy)
