import numpy as np
import pytest

from graytrace.results.widening import widen_intervals
from graytrace.tables import format_table

SMALLEST = {"gm_change_percent": 0.49, "gm_difference_percent": 2.0}  # the second has no interval in the table
MEASURED = {
    "participant_id": "sub-01",
    "status": "ok",
    "visit_baseline": "BL",
    "visit_followup": "M24",
    "engines": "change=embedded",
    "version": "1.2.3",
    "gm_change_percent": -1.0,
    "brain_change_percent": -0.6,
}


def row_of(se=None):
    ends = {} if se is None else {"gm_change_low_percent": -1 - 1.96 * se, "gm_change_high_percent": -1 + 1.96 * se}
    return {**MEASURED, **({} if se is None else {"gm_change_se_points": se}), **ends}


def test_a_narrow_interval_reaches_the_smallest_detectable_change():
    wide = widen_intervals(row_of(0.1), SMALLEST)
    assert (wide["gm_change_low_percent"], wide["gm_change_high_percent"]) == (-1.49, -0.51)
    assert wide["gm_change_se_points"] == pytest.approx(0.25)
    assert wide["widened_intervals"] == "gm_change"
    assert format_table("atrophy", [wide])


def test_every_tissue_has_its_own_smallest_change():
    wide = widen_intervals(row_of(0.4), {**SMALLEST, "brain_change_percent": 0.3})
    assert (wide["brain_change_low_percent"], wide["brain_change_high_percent"]) == pytest.approx((-0.9, -0.3))
    assert wide["widened_intervals"] == "brain_change"


def test_a_wider_interval_stays_as_it_was_measured():
    wide = widen_intervals(row_of(0.4), SMALLEST)
    assert {name: wide[name] for name in row_of(0.4)} == row_of(0.4)
    assert wide["widened_intervals"] is None


def test_a_skewed_interval_is_widened_on_the_side_where_it_is_narrow():
    row = {**row_of(0.25), "gm_change_low_percent": -2.0, "gm_change_high_percent": -0.9}
    wide = widen_intervals(row, SMALLEST)
    assert (wide["gm_change_low_percent"], wide["gm_change_high_percent"]) == (-2.0, -0.51)


def test_where_the_engine_tells_no_error_it_is_that_of_the_scanner():
    wide = widen_intervals(row_of(), SMALLEST)
    assert (wide["gm_change_low_percent"], wide["gm_change_high_percent"]) == (-1.49, -0.51)
    assert wide["gm_change_se_points"] == pytest.approx(0.25)


def test_nothing_is_widened_without_a_measurement_or_without_a_table():
    without = {**row_of(), "gm_change_percent": None}
    assert widen_intervals(without, SMALLEST) == {**without, "widened_intervals": None}
    assert widen_intervals(row_of(0.1), {}) == {**row_of(0.1), "widened_intervals": None}


def test_an_interval_that_misses_zero_is_rare_where_nothing_changed():
    rng = np.random.default_rng(1)
    missed = 0
    for change in rng.normal(0, 0.25, 2000):
        wide = widen_intervals({**MEASURED, "gm_change_percent": change, "gm_change_se_points": 0.1}, SMALLEST)
        missed += not wide["gm_change_low_percent"] <= 0 <= wide["gm_change_high_percent"]
    assert missed / 2000 == pytest.approx(0.05, abs=0.015)
