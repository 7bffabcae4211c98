"""Which pairs are planned beside the follow-ups' own, and what the plan says of them."""

import pytest

from graytrace.errors import ScanTableError
from graytrace.study.config import load_config
from graytrace.study.plan import plan_study

DATES = {"BL": "2019-01-01", "M3": "2019-04-01", "M6": "2019-07-01", "M12": "2020-01-01", "M24": "2021-01-01"}


@pytest.fixture
def plan(content):
    content["study"] |= {"followup": list(DATES)[1:], "window_months": None, "visits": "all"}
    return lambda: plan_study(load_config(content))


def add(bids, *visits, name="01", **dates):
    for visit in visits or DATES:
        bids.scan(name, visit)
    bids.dates(name, **{visit: DATES[visit] for visit in visits or DATES} | dates)


def links(plan, name="sub-01"):
    return [(pair.baseline.visit, pair.followup.visit) for pair in plan.patient(name).links]


def test_each_visit_is_compared_with_the_one_before_it(bids, plan):
    add(bids)
    assert links(plan()) == [("M3", "M6"), ("M6", "M12"), ("M12", "M24")]
    assert len(plan().pairs) == 4
    assert len(plan().every_pair) == 2 * len(DATES) - 3
    assert plan().summary().endswith("4 with two scans to compare. 3 more pairs join all visits.")


def test_without_the_choice_there_are_none(bids, plan, content):
    add(bids)
    content["study"]["visits"] = "baseline"
    assert plan().every_pair == plan().pairs


def test_visits_around_a_missing_one_become_neighbors(bids, plan):
    add(bids, "BL", "M3", "M12", "M24")
    assert links(plan()) == [("M3", "M12"), ("M12", "M24")]


def test_the_first_visit_stands_in_for_a_missing_baseline(bids, plan):
    add(bids, "M3", "M6", "M12", "M24")
    assert set(links(plan())) == {("M3", "M6"), ("M6", "M12"), ("M12", "M24"), ("M3", "M12"), ("M3", "M24")}


def test_the_order_is_that_of_the_dates(bids, plan):
    add(bids, M3=DATES["M6"], M6=DATES["M3"])
    assert ("M6", "M3") in links(plan())
    assert ("M3", "M12") in links(plan())


def test_visits_of_one_day_or_without_a_date_are_no_neighbors(bids, plan):
    add(bids, M6=DATES["M3"], M12="n/a")
    assert links(plan()) == [("M6", "M24")]


def test_an_excluded_visit_is_left_out_and_a_link_may_be_excluded(bids, plan, content, tmp_path):
    add(bids)
    add(bids, name="02")
    table = tmp_path / "exclusions.tsv"
    content["study"]["exclusions"] = str(table)
    header = "participant_id\tvisit\treason\twho\twhen\n"
    table.write_text(f"{header}01\tM6\tmotion\tA. B.\t2024-01-01\n02\tM6_M12\tmotion\tA. B.\t2024-01-01\n")
    assert links(plan()) == [("M3", "M12"), ("M12", "M24")]
    found = {(pair.baseline.visit, pair.followup.visit): pair.status for pair in plan().patient("sub-02").links}
    assert found == {("M3", "M6"): "ok", ("M6", "M12"): "excluded", ("M12", "M24"): "ok"}
    content["study"]["visits"] = "baseline"
    with pytest.raises(ScanTableError, match="visit 'M6_M12' is not planned"):
        plan()


def test_files_of_links_are_named_by_both_visits(bids, plan):
    add(bids)
    assert plan().naming("01", "M6", "M12") == "--between"
    assert plan().naming("01", "BL", "M12") == ""


def test_a_later_reference_keeps_earlier_visits_in_the_trajectory(bids, plan, content):
    add(bids)
    content["study"]["rebaseline"] = "M6"
    assert [(pair.baseline.visit, pair.followup.visit) for pair in plan().pairs] == [("M6", "M12"), ("M6", "M24")]
    assert links(plan()) == [("BL", "M3"), ("BL", "M6"), ("M3", "M6"), ("M12", "M24")]


def test_windows_still_count_from_the_first_visit(bids, plan, content):
    add(bids)
    content["study"] |= {"rebaseline": "M6", "visits": "baseline"}
    content["study"]["window_months"] = [[2, 4], [5, 7], [11, 13], [30, 31]]
    near, far = plan().pairs
    assert near.flags == ()
    (flag,) = far.flags
    assert flag.code == "outside_window"
    assert flag.message == "ses-M24 is 24.0 months after ses-BL, outside of the window of 30 to 31 months."


def test_without_the_choice_earlier_visits_are_not_planned(bids, plan, content):
    add(bids)
    content["study"] |= {"rebaseline": "M6", "visits": "baseline"}
    assert [scan.visit for scan in plan().scans] == ["M6", "M12", "M24"]
    assert plan().every_pair == plan().pairs


def test_who_lacks_the_reference_is_told(bids, plan, content):
    add(bids, "BL", "M3", "M12", "M24")
    add(bids, name="02")
    content["study"] |= {"rebaseline": "M6", "visits": "baseline"}
    pairs = plan().patient("sub-01").pairs
    assert [pair.status for pair in pairs] == ["missing", "missing"]
    assert pairs[0].reason.code == "no_session"
    assert pairs[0].reason.message.endswith("ses-M6 was to be the reference (study.rebaseline).")
    assert [pair.status for pair in plan().patient("sub-02").pairs] == ["ok", "ok"]
