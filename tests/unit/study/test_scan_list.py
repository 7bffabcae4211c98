import json
from datetime import date

import pytest

from graytrace.errors import ScanTableError
from graytrace.study.config import load_config
from graytrace.study.plan import plan_study

HEADER = "participant_id\tvisit\tdate\tt1w\tflair\tlesion_mask"


@pytest.fixture
def plan(content, tmp_path):
    """A plan from a table with these lines."""
    content["study"].update(bids_dir=None, scans=str(tmp_path / "table" / "scans.tsv"))
    (tmp_path / "table").mkdir()

    def make(*lines, files=("a.nii.gz", "b.nii", "mask.nii.gz"), header=HEADER):
        for name in files:
            (tmp_path / "table" / name).touch()
        (tmp_path / "table" / "scans.tsv").write_text("\n".join([header, *lines]) + "\n")
        return plan_study(load_config(content))

    return make


def test_a_table_is_as_good_as_a_data_set(plan, tmp_path):
    (pair,) = plan(
        "01\tBL\t2019-03-04\ta.nii.gz\tn/a\tmask.nii.gz", "sub-01\tses-M24\t2021-03-08T10:00:00\tb.nii\t\t"
    ).pairs
    assert (pair.participant_id, pair.interval_days) == ("sub-01", 735)
    assert pair.baseline.t1w == tmp_path / "table" / "a.nii.gz"
    assert pair.baseline.lesion_mask == tmp_path / "table" / "mask.nii.gz"
    assert pair.followup.t1w == tmp_path / "table" / "b.nii"
    assert [flag.code for flag in pair.flags] == ["lesion_mask_one_visit"]


def test_an_absolute_path_may_be_anywhere(plan, tmp_path):
    elsewhere = tmp_path / "name with $(spaces); and more.nii.gz"
    elsewhere.touch()
    made = plan(f"01\tBL\tn/a\t{elsewhere}")
    assert made.t1w("01", "BL") == str(elsewhere)


def test_only_three_columns_are_needed(plan):
    assert plan("01\tBL\ta.nii.gz", header="participant_id\tvisit\tt1w").pairs[0].status == "missing"


def test_all_faults_are_told_at_once(plan):
    with pytest.raises(ScanTableError) as caught:
        plan(
            "../x\tBL\t\ta.nii.gz",
            "01\tM 24\t\ta.nii.gz",
            "01\tBL\t2021-02-30\ta.nii.gz",
            "02\tBL\t\ta.dcm",
            "03\tBL\t\ta.nii.gz",
            "sub-03\tses-BL\t\tb.nii",
            header=f"{HEADER}\tdose",
        )
    said = str(caught.value)
    for expected in (
        "line 2: no column 'dose' is known",
        "line 2: participant_id '../x': expected letters and digits only",
        "line 3: visit 'M 24': expected letters and digits only",
        "line 4: date: '2021-02-30' is not a date of the calendar",
        "line 5: t1w 'a.dcm': expected a file .nii.gz or .nii (convert DICOM first)",
        "line 7: sub-03 has ses-BL in line 6 already",
    ):
        assert expected in said


def test_a_file_that_is_not_there_is_a_missing_scan_and_stops_nobody(plan):
    made = plan("01\tBL\t\ta.nii.gz", "01\tM24\t\tb.nii", "02\tBL\t\ta.nii.gz", "02\tM24\t\tgone.nii.gz")
    assert [pair.status for pair in made.pairs] == ["flagged", "missing"]
    assert "Line 5 of scans.tsv names" in made.pairs[1].reason.message


def test_a_table_none_of_whose_files_is_there_is_refused(plan):
    with pytest.raises(ScanTableError, match="none of its 1 T1w files is there"):
        plan("01\tBL\t\tgone.nii.gz")


def test_an_empty_table_is_refused(plan):
    with pytest.raises(ScanTableError, match="has no rows"):
        plan()


def test_a_mask_that_is_not_there_is_a_flag(plan):
    made = plan("01\tBL\t\ta.nii.gz\t\tgone.nii.gz", "01\tM24\t\tb.nii")
    assert [flag.code for flag in made.pairs[0].baseline.flags] == ["lesion_mask_missing"]


def test_a_sidecar_beside_the_scan_counts(plan, tmp_path):
    (tmp_path / "table").mkdir(exist_ok=True)
    (tmp_path / "table" / "a.json").write_text(json.dumps({"AcquisitionDate": "20190304", "FlipAngle": 9}))
    scan = plan("01\tBL\t\ta.nii.gz").pairs[0].baseline
    assert (scan.day, scan.protocol.flip_angle_deg) == (date(2019, 3, 4), 9)
