"""The long table of structures: rows for everybody, numbers for those who have them."""

import pytest

from graytrace.results.derivative import list_structures
from graytrace.results.structures import list_pair_structures, list_scan_structures, take_statuses
from graytrace.tables import format_table

BEFORE = {
    "structure_volumes_ml": {"Thalamus_left": 8.0, "Thalamus_right": 7.0, "Thalamus_both": 15.0, "Brainstem": 20.0}
}
AFTER = {"structure_volumes_ml": {"Thalamus_left": 7.6, "Thalamus_right": 7.0, "Thalamus_both": 14.6}}
CHANGE = {"change_percent": -4.0, "change_se_points": 0.5, "change_low_percent": -5.0, "change_high_percent": -3.0}


def _row(rows, structure, side=None):
    return next(row for row in rows if (row["structure"], row["side"]) == (structure, side))


def test_a_scan_has_a_row_for_each_side_and_for_both_and_one_in_the_middle():
    rows = list_scan_structures("sub-01", "BL", "ok", BEFORE)
    assert _row(rows, "Thalamus", "left")["volume_ml"] == 8.0
    assert _row(rows, "Thalamus", "both")["volume_ml"] == 15.0
    assert _row(rows, "Brainstem")["volume_ml"] == 20.0
    assert _row(rows, "Caudate", "left")["volume_ml"] is None
    assert len({(row["structure"], row["side"]) for row in rows}) == len(rows) == 12 * 3 + 3


def test_a_pair_has_change_interval_and_plain_difference():
    measures = {"gm_change_percent": -1.0, "structure_changes": {"Thalamus_left": CHANGE}}
    rows = list_pair_structures("sub-01", "BL_M24", "ok", (BEFORE, AFTER), measures)
    left = _row(rows, "Thalamus", "left")
    assert left["difference_percent"] == pytest.approx(-5)
    assert {name: left[name] for name in CHANGE} == CHANGE
    assert _row(rows, "Thalamus", "right")["change_percent"] is None
    assert _row(rows, "Brainstem")["difference_percent"] is None


def test_what_was_withheld_keeps_its_rows_without_numbers():
    rows = list_pair_structures("sub-01", "BL_M24", "failed", (BEFORE, AFTER), {})
    assert {row["status"] for row in rows} == {"failed"}
    assert all(row["volume_ml"] is row["change_percent"] is row["difference_percent"] is None for row in rows)


def test_a_note_says_why_a_result_has_no_structures():
    note = "LabelStructures: there is no tissue"
    assert list_scan_structures("sub-01", "BL", "ok", {"structures_note": note})[0]["note"] == note
    rows = list_pair_structures("sub-01", "BL_M24", "ok", (BEFORE, AFTER), {"gm_change_percent": -1.0})
    assert "embedded" in rows[0]["note"]
    assert rows[0]["difference_percent"] == pytest.approx(-5)


@pytest.mark.parametrize("wrong", [float("nan"), -3.0, "wide", True, None])
def test_a_damaged_number_refuses_nobody_elses_rows(wrong):
    measures = {"structure_volumes_ml": {"Thalamus_left": wrong}, "structures_note": 3}
    rows = list_scan_structures("sub-01", "BL", "ok", measures)
    assert _row(rows, "Thalamus", "left")["volume_ml"] is None
    assert "Thalamus\tleft\tn/a" in format_table("structures", rows)
    assert list_scan_structures("sub-01", "BL", "ok", {"structure_volumes_ml": wrong})[0]["volume_ml"] is None


def test_the_numbers_of_label_images_are_named():
    lines = list_structures().splitlines()
    assert "49\tThalamus\tR" in lines
    assert "16\tBrainstem\tn/a" in lines
    assert all(line.count("\t") == 2 for line in lines)


def test_rows_have_the_status_of_their_scan_or_pair_in_the_other_tables():
    rows = list_scan_structures("sub-01", "BL", "ok", BEFORE)
    rows += list_pair_structures("sub-01", "BL_M24", "ok", (BEFORE, AFTER), {})
    volumes = [{"participant_id": "sub-01", "visit": "BL", "status": "ok"}]
    pair = {"participant_id": "sub-01", "visit_baseline": "BL", "visit_followup": "M24", "status": "flagged"}
    take_statuses(rows, volumes, [pair])
    assert {(row["kind"], row["status"]) for row in rows} == {("scan", "ok"), ("pair", "flagged")}
