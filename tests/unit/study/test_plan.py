import errno
import os
from pathlib import Path
from unittest import mock

import pytest

from graytrace.errors import ConfigError, ScanTableError
from graytrace.study.config import load_config
from graytrace.study.plan import plan_study


@pytest.fixture
def plan(content):
    def make():
        return plan_study(load_config(content))

    return make


def codes(flags):
    return [flag.code for flag in flags]


def test_a_complete_patient_is_ok(bids, plan):
    bids.patient("01")
    (pair,) = plan().pairs
    assert (pair.status, pair.reason, pair.flags) == ("ok", None, ())
    assert pair.interval_days == 735
    assert pair.interval_years == pytest.approx(735 / 365.25)


def test_shifted_years_before_1925_are_normal(bids, plan):
    bids.patient("01", "1891-12-30T10:00:00", "1893-12-30T10:00:00.500")
    assert plan().pairs[0].interval_days == 731


@pytest.mark.parametrize(
    ("baseline", "followup", "code"),
    [("2021-01-01", "2019-01-01", "dates_reversed"), ("2021-01-01T08:00:00", "2021-01-01T17:00:00", "same_date")],
)
def test_visits_in_the_wrong_order_are_not_compared(bids, plan, baseline, followup, code):
    bids.patient("01", baseline, followup)
    bids.patient("02")
    first, second = plan().pairs
    assert (first.status, first.reason.code) == ("failed", code)
    assert not first.is_measured
    assert first.baseline.is_measured, "the scans are measured all the same"
    assert second.status == "ok"


def test_without_dates_the_change_is_measured_but_not_per_year(bids, plan):
    bids.scan("01", "BL")
    bids.scan("01", "M24")
    (pair,) = plan().pairs
    assert pair.is_measured
    assert pair.interval_years is None
    assert codes(pair.flags) == ["interval_unknown"]


def test_a_date_that_is_none_flags_its_own_visit_only(bids, plan):
    bids.patient("01", followup="2021-02-30")
    (pair,) = plan().pairs
    assert codes(pair.followup.flags) == ["date_unreadable"]
    assert pair.baseline.flags == ()


def test_scans_tsv_gives_the_date_where_sessions_tsv_does_not(bids, plan):
    bids.scan("01", "BL")
    bids.scan("01", "M24")
    bids.dates("01", BL="2019-03-04", M24="n/a")
    table = bids.root / "sub-01" / "ses-M24" / "sub-01_ses-M24_scans.tsv"
    table.write_text("filename\tacq_time\nanat/sub-01_ses-M24_T1w.nii.gz\t2021-03-08T10:00:00\n")
    assert plan().pairs[0].interval_days == 735


def test_dates_that_disagree_are_flagged_and_the_first_source_counts(bids, plan):
    bids.patient("01")
    table = bids.root / "sub-01" / "ses-M24" / "sub-01_ses-M24_scans.tsv"
    table.write_text("filename\tacq_time\nanat/sub-01_ses-M24_T1w.nii.gz\t2021-03-09T10:00:00\n")
    (pair,) = plan().pairs
    assert codes(pair.followup.flags) == ["dates_disagree"]
    assert pair.interval_days == 735


def test_everyone_has_a_row_whether_listed_or_found(bids, plan):
    bids.patient("02")
    bids.list_participants("sub-01", "02")
    bids.patient("03")
    first, second, third = plan().pairs
    assert (first.participant_id, first.status, first.reason.code) == ("sub-01", "missing", "no_participant_folder")
    assert second.status == "ok", "participants.tsv may leave out sub-"
    assert codes(third.flags) == ["not_in_participants"]


def test_a_participant_listed_twice_has_one_row_and_a_flag(bids, plan):
    bids.patient("01")
    bids.list_participants("sub-01", "sub-01")
    (pair,) = plan().pairs
    assert codes(pair.flags) == ["duplicate_participant"]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda _bids: None, "no_session"),
        (lambda bids: bids.scan("01", "M24", "sub-01_ses-M24_T2w.nii.gz"), "no_t1w"),
        (lambda bids: bids.scan("01", "M24", "sub-01_ses-M24_space-MNI_desc-preproc_T1w.nii.gz"), "no_t1w"),
    ],
)
def test_a_missing_scan_says_at_which_level_it_is_missing(bids, plan, make, code):
    bids.scan("01", "BL")
    make(bids)
    (pair,) = plan().pairs
    assert (pair.status, pair.reason.code) == ("missing", code)
    records = [Path(record) for record in plan().records()]
    assert len({record.parent for record in records}) == 1, "only the scan that is there is measured"
    assert {record.stem for record in records} == {"label_structures", "gray_matter_volume"}


def test_a_folder_that_is_no_bids_name_fails_alone(bids, plan):
    bids.patient("01")
    (bids.root / "sub-a b").mkdir()
    bad, good = sorted(plan().pairs, key=lambda pair: pair.status == "ok")
    assert (bad.status, bad.reason.code) == ("failed", "invalid_name")
    assert good.status == "ok"


def test_of_several_runs_the_lowest_number_is_used_and_said(bids, plan):
    for run in ("10", "2"):
        bids.scan("01", "BL", f"sub-01_ses-BL_run-{run}_T1w.nii.gz")
    bids.scan("01", "M24")
    (pair,) = plan().pairs
    assert pair.baseline.t1w.name == "sub-01_ses-BL_run-2_T1w.nii.gz"
    assert codes(pair.baseline.flags) == ["several_scans"]
    assert "run-2" in pair.baseline.flags[0].message


def test_an_acquisition_that_both_visits_have_comes_first(bids, plan):
    bids.scan("01", "BL", "sub-01_ses-BL_acq-fast_T1w.nii.gz")
    bids.scan("01", "BL", "sub-01_ses-BL_acq-mprage_T1w.nii.gz")
    bids.scan("01", "M24", "sub-01_ses-M24_acq-mprage_run-1_T1w.nii.gz")
    assert plan().pairs[0].baseline.t1w.name == "sub-01_ses-BL_acq-mprage_T1w.nii.gz"


def test_a_scan_without_contrast_agent_comes_first(bids, plan):
    bids.scan("01", "BL", "sub-01_ses-BL_ce-gadolinium_T1w.nii.gz")
    bids.scan("01", "BL", "sub-01_ses-BL_run-2_T1w.nii.gz")
    bids.scan("01", "M24", "sub-01_ses-M24_ce-gadolinium_T1w.nii.gz")
    (pair,) = plan().pairs
    assert pair.baseline.t1w.name == "sub-01_ses-BL_run-2_T1w.nii.gz"
    assert codes(pair.followup.flags) == ["contrast_agent"]


def test_a_lesion_mask_sends_its_scan_through_lesion_filling(bids, content, plan):
    bids.patient("01")
    mask = bids.root / "lesions" / "sub-01" / "ses-BL" / "anat" / "sub-01_ses-BL_space-T1w_label-lesion_mask.nii.gz"
    mask.parent.mkdir(parents=True)
    mask.touch()
    content["study"]["lesions"] = "lesions"
    made = plan()
    assert made.lesion_source("01", "BL") == ("lesion-mask", str(mask))
    assert made.image_step("01", "BL") == "fill_lesions"
    assert made.image_step("01", "M24") == "correct_bias"
    assert codes(made.pairs[0].flags) == ["lesion_mask_one_visit"]


def test_without_a_mask_lesions_are_looked_for_on_flair(bids, plan):
    bids.patient("01")
    flairs = [bids.scan("01", visit, f"sub-01_ses-{visit}_FLAIR.nii.gz") for visit in ("BL", "M24")]
    made = plan()
    assert made.lesion_source("01", "M24") == ("flair", str(flairs[1]))
    assert made.image_step("01", "BL") == "fill_lesions"
    assert {"find_lesions", "fill_lesions"} <= set(made.scans[0].steps)
    assert "join_lesions" in made.pairs[0].steps
    (joined,) = made.joined_records("01", "M24")
    assert joined.endswith("records/sub-01/ses-BL_ses-M24/join_lesions.json")
    assert codes(made.pairs[0].flags) == []
    flairs[0].unlink()
    made = plan()
    assert codes(made.pairs[0].flags) == ["lesion_mask_one_visit"]
    assert made.joined_records("01", "M24") == []
    assert "join_lesions" not in made.pairs[0].steps


def test_the_table_has_a_row_for_every_planned_scan(bids, plan):
    bids.patient("01")
    bids.list_participants("sub-01", "sub-02")
    lines = plan().table().splitlines()
    assert lines[0].split("\t")[:4] == ["participant_id", "visit", "status", "reason"]
    assert [line.split("\t")[2] for line in lines[1:]] == ["ok", "ok", "missing", "missing"]


def test_one_patient_more_changes_the_digest(bids, plan):
    bids.patient("01")
    before = plan().digest()
    bids.patient("02")
    assert plan().digest() != before


@pytest.mark.usefixtures("bids")
def test_an_empty_folder_is_no_data_set(plan):
    with pytest.raises(ScanTableError, match="Is it a BIDS data set"):
        plan()


def test_a_participants_table_without_its_column_is_refused(bids, plan):
    (bids.root / "participants.tsv").write_text("subject,age\nsub-01,3\n")
    with pytest.raises(ScanTableError, match="has no column participant_id"):
        plan()


def test_a_visit_that_nobody_has_is_refused_with_those_that_are_there(bids, plan):
    bids.scan("01", "BL")
    bids.scan("01", "M12")
    with pytest.raises(ConfigError, match=r"study\.followup: nobody has a ses-M24; the data set has ses-BL, ses-M12"):
        plan()


def test_a_study_without_any_followup_yet_is_no_mistake(bids, plan):
    bids.scan("01", "BL")
    assert [pair.status for pair in plan().pairs] == ["missing"]


def test_the_studys_own_table_gives_dates_that_stand_nowhere_else(bids, content, plan, tmp_path):
    bids.patient("01", followup="n/a")
    bids.patient("02")
    content["study"]["dates"] = str(tmp_path / "dates.tsv")
    (tmp_path / "dates.tsv").write_text(
        "participant_id\tvisit\tdate\n01\tM24\t2021-03-08\nsub-02\tses-M24\t2021-03-09\n"
    )
    first, second = plan().pairs
    assert first.interval_days == 735
    assert second.interval_days == 735, "the data set's own dates come first"
    assert codes(second.followup.flags) == ["dates_disagree"]


def test_a_table_of_dates_with_faults_tells_all_of_them(bids, content, plan, tmp_path):
    bids.patient("01")
    content["study"]["dates"] = str(tmp_path / "dates.tsv")
    rows = "01\tBL\t2021-02-30\n\tBL\t2021-02-03\n01\tM24\t2021-03-08\n01\tM24\t2021-03-09\n"
    (tmp_path / "dates.tsv").write_text(f"participant_id\tvisit\tdate\n{rows}")
    with pytest.raises(ScanTableError) as caught:
        plan()
    assert [line.strip().partition(":")[0] for line in str(caught.value).splitlines()[1:]] == [
        "line 2",
        "line 3",
        "line 5",
    ]


@pytest.mark.parametrize(
    ("followup", "flagged"), [("2020-09-10", False), ("2020-08-10", True), ("2021-09-01", False), ("2021-10-01", True)]
)
def test_a_followup_outside_of_the_window_is_measured_and_flagged(bids, plan, followup, flagged):
    bids.patient("01", "2019-03-04", followup)
    (pair,) = plan().pairs
    assert pair.is_measured
    assert (codes(pair.flags) == ["outside_window"]) is flagged


def test_every_followup_is_compared_with_the_baseline(bids, content, plan):
    bids.patient("01")
    bids.scan("01", "M12")
    bids.dates("01", BL="2019-03-04", M12="2020-03-04", M24="2021-03-08")
    bids.patient("02")
    content["study"].update(followup=["M12", "M24"], window_months=[[9, 15], [18, 30]])
    made = plan()
    assert [(pair.participant_id, pair.followup.visit, pair.status) for pair in made.pairs] == [
        ("sub-01", "M12", "ok"),
        ("sub-01", "M24", "ok"),
        ("sub-02", "M12", "missing"),
        ("sub-02", "M24", "ok"),
    ]
    assert [pair.interval_days for pair in made.pairs[:2]] == [366, 735]
    # the last steps of a scan are two: its structures and its volumes
    assert len(made.records()) == 2 * 5 + 3, "the baseline is measured once"


def test_a_patient_is_planned_without_looking_at_the_others(bids, content):
    bids.patient("01")
    bids.patient("02")
    lazy = plan_study(load_config(content), whole=False)
    (bids.root / "sub-02" / "ses-BL" / "anat" / "sub-02_ses-BL_T1w.nii.gz").unlink()
    assert lazy.t1w("01", "BL").endswith("sub-01_ses-BL_T1w.nii.gz")
    assert lazy.patient("sub-02").pairs[0].status == "missing", "nobody had looked at it before"


@pytest.mark.parametrize(
    ("baseline", "followup", "words"),
    [
        ("rec-DIS2D_", "rec-DIS3D_", "rec DIS2D, then DIS3D"),
        ("", "rec-norm_", "rec none, then norm"),
        ("acq-mprage_", "acq-spgr_", "acq mprage, then spgr"),
        ("part-mag_", "", "part mag, then none"),
    ],
)
def test_names_that_differ_between_the_visits_are_a_difference_of_protocol(bids, plan, baseline, followup, words):
    bids.patient("01")
    for visit, entity in (("BL", baseline), ("M24", followup)):
        (bids.root / "sub-01" / f"ses-{visit}" / "anat" / f"sub-01_ses-{visit}_T1w.nii.gz").rename(
            bids.scan("01", visit, f"sub-01_ses-{visit}_{entity}T1w.nii.gz")
        )
    (pair,) = plan().pairs
    assert "name_differs" in codes(pair.protocol_flags)
    assert words in pair.flags[0].message
    assert pair.is_measured


def test_scans_of_both_visits_that_match_by_name_are_chosen(bids, plan):
    bids.dates("01", BL="2019-03-04", M24="2021-03-08")
    for visit, names in (("BL", ("acq-a", "acq-b_rec-norm")), ("M24", ("acq-b_rec-norm", "acq-c"))):
        for name in names:
            bids.scan("01", visit, f"sub-01_ses-{visit}_{name}_T1w.nii.gz")
    (pair,) = plan().pairs
    assert pair.baseline.t1w.name == "sub-01_ses-BL_acq-b_rec-norm_T1w.nii.gz"
    assert pair.followup.t1w.name == "sub-01_ses-M24_acq-b_rec-norm_T1w.nii.gz"
    assert codes(pair.flags) == []


@pytest.mark.parametrize(
    ("name", "has_agent"),
    [
        ("ce-none", False),
        ("ce-pre", False),
        ("ce-gad", True),
        ("acq-post", True),
        ("acq-pre", False),
        ("acq-mpragegd", True),
        ("acq-nongad", False),
        ("acq-precontrast", False),
        ("acq-postop", False),
        ("acq-mprage", False),
        ("rec-postgado", True),
    ],
)
def test_contrast_agent_is_read_from_names(bids, plan, name, has_agent):
    bids.patient("01")
    for visit in ("BL", "M24"):
        (bids.root / "sub-01" / f"ses-{visit}" / "anat" / f"sub-01_ses-{visit}_T1w.nii.gz").unlink()
        bids.scan("01", visit, f"sub-01_ses-{visit}_{name}_T1w.nii.gz")
    (pair,) = plan().pairs
    assert ("contrast_agent" in codes(pair.baseline.flags)) is has_agent


def test_a_scan_named_post_comes_after_one_named_pre(bids, plan):
    for visit in ("BL", "M24"):
        for name in ("acq-post", "acq-pre"):
            bids.scan("01", visit, f"sub-01_ses-{visit}_{name}_T1w.nii.gz")
    bids.dates("01", BL="2019-03-04", M24="2021-03-08")
    (pair,) = plan().pairs
    assert pair.baseline.t1w.name == "sub-01_ses-BL_acq-pre_T1w.nii.gz"


def test_flair_scans_are_matched_and_compared_as_t1w_scans_are(bids, plan):
    bids.patient("01")
    for visit, names in (("BL", ("acq-2D", "acq-3D")), ("M24", ("acq-3D",))):
        for name in names:
            bids.scan("01", visit, f"sub-01_ses-{visit}_{name}_FLAIR.nii.gz")
    (pair,) = plan().pairs
    assert pair.baseline.flair.name == "sub-01_ses-BL_acq-3D_FLAIR.nii.gz"
    assert codes(pair.baseline.flags) == ["several_flair"]
    (bids.root / "sub-01/ses-BL/anat/sub-01_ses-BL_acq-3D_FLAIR.nii.gz").unlink()
    (pair,) = plan().pairs
    assert "flair_name_differs" in codes(pair.flags)


@pytest.mark.parametrize(
    "name",
    [
        "label-lesion_mask",
        "label-lesion_roi",
        "T1w_label-lesion_roi",
        "label-L_mask",
        "lesion_mask",
        "desc-lesions_mask",
    ],
)
def test_every_spelling_of_a_lesion_mask_is_read(bids, content, plan, name):
    bids.patient("01")
    folder = bids.root / "derivatives" / "lesions" / "sub-01" / "ses-BL" / "anat"
    folder.mkdir(parents=True)
    (folder / f"sub-01_ses-BL_{name}.nii.gz").touch()
    content["study"]["lesions"] = "derivatives/lesions"
    assert plan().scans[0].lesion_mask is not None


def test_a_folder_of_lesions_from_which_nothing_is_used_is_an_error(bids, content, plan):
    bids.patient("01")
    folder = bids.root / "derivatives" / "lesions" / "sub-01" / "ses-BL" / "anat"
    folder.mkdir(parents=True)
    content["study"]["lesions"] = "derivatives/lesions"
    with pytest.raises(ConfigError, match="no image lies there"):
        plan()
    (folder / "sub-01_ses-BL_plaques.nii.gz").touch()
    with pytest.raises(ConfigError, match="there lie sub-01/ses-BL/anat/sub-01_ses-BL_plaques"):
        plan()
    (folder / "sub-01_ses-M24_label-lesion_mask.nii.gz").touch()
    with pytest.raises(ConfigError, match="nothing in"):
        plan()


def test_an_image_that_is_taken_for_no_lesion_mask_is_a_flag(bids, content, plan):
    bids.patient("01")
    for visit, name in (("BL", "plaques"), ("M24", "label-lesion_mask")):
        folder = bids.root / "derivatives" / "lesions" / "sub-01" / f"ses-{visit}" / "anat"
        folder.mkdir(parents=True)
        (folder / f"sub-01_ses-{visit}_{name}.nii.gz").touch()
    content["study"]["lesions"] = "derivatives/lesions"
    made = plan()
    assert codes(made.scans[0].flags) == ["lesion_mask_unused"]
    assert made.notes() == [f"Lesion masks of {bids.root / 'derivatives/lesions'}: for 1 of 2 scans."]


def test_a_table_of_dates_that_is_of_nobody_is_an_error(bids, content, plan, tmp_path):
    bids.patient("01")
    content["study"]["dates"] = str(tmp_path / "dates.tsv")
    (tmp_path / "dates.tsv").write_text("participant_id\tvisit\tdate\n1\tBL\t2020-01-01\n")
    with pytest.raises(ConfigError, match="it has sub-1 ses-BL"):
        plan()


def _unfetched(path):
    path.unlink(missing_ok=True)
    path.symlink_to("../.git/annex/objects/nowhere")


def test_a_link_without_content_fails_its_row_alone(bids, content, plan):
    for name in ("01", "02", "03", "04"):
        bids.patient(name)
        bids.scan(name, "BL", f"sub-{name}_ses-BL_FLAIR.nii.gz")
        bids.scan(name, "M24", f"sub-{name}_ses-M24_FLAIR.nii.gz")
    _unfetched(bids.root / "sub-01/ses-BL/anat/sub-01_ses-BL_T1w.nii.gz")
    bids.scan("02", "BL", "sub-02_ses-BL_run-2_T1w.nii.gz")
    _unfetched(bids.root / "sub-02/ses-BL/anat/sub-02_ses-BL_T1w.nii.gz")
    _unfetched(bids.root / "sub-03/ses-M24/anat/sub-03_ses-M24_FLAIR.nii.gz")
    masks = bids.root / "derivatives/lesions/sub-04/ses-BL/anat"
    masks.mkdir(parents=True)
    _unfetched(masks / "sub-04_ses-BL_label-lesion_mask.nii.gz")
    content["study"]["lesions"] = "derivatives/lesions"
    made = plan()
    assert [pair.status for pair in made.pairs] == ["failed"] * 4
    assert {pair.reason.code for pair in made.pairs} == {"link_without_content"}
    assert all("datalad get" in pair.reason.message for pair in made.pairs)


@pytest.mark.parametrize("make", [_unfetched, lambda path: path.write_text("/annex/objects/SHA256E-s3--a.tsv\n")])
def test_tables_without_content_are_an_error_before_the_run(bids, plan, make):
    bids.patient("01")
    make(bids.root / "participants.tsv")
    with pytest.raises(ScanTableError, match="datalad get"):
        plan()


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("sub-01_ses-BL_T1W.nii.gz", "rename it to sub-01_ses-BL_T1w.nii.gz"),
        ("sub-01_ses-BL_UNIT1.nii.gz", "rename it to sub-01_ses-BL_T1w.nii.gz"),
        ("sub-01_ses-BL_T1w1.nii", "rename it to sub-01_ses-BL_T1w.nii."),
        ("sub-01_ses-BL_T1w__dup-01.nii.gz", "There lies sub-01_ses-BL_T1w__dup-01.nii.gz"),
        ("sub-01_ses-BL_T1w.mgz", "convert it to sub-01_ses-BL_T1w.nii.gz"),
        ("sub-01_ses-BL_T1w.img", "convert it to sub-01_ses-BL_T1w.nii.gz"),
        ("sub-02_ses-BL_T1w.nii.gz", "There lies sub-02_ses-BL_T1w.nii.gz"),
    ],
)
def test_what_nearly_is_a_scan_is_named(bids, plan, there, said):
    bids.patient("01")
    (bids.root / "sub-01/ses-BL/anat/sub-01_ses-BL_T1w.nii.gz").unlink()
    bids.scan("01", "BL", there)
    (pair,) = plan().pairs
    assert pair.status == "missing"
    assert pair.reason.code == "no_t1w"
    assert said in pair.reason.message


@pytest.mark.parametrize("folder", ["BL", "ses_BL", "ses-bl", "sesBL"])
def test_a_folder_that_nearly_is_a_visit_is_named(bids, plan, folder):
    bids.patient("01")
    (bids.root / "sub-01/ses-BL").rename(bids.root / "sub-01" / folder)
    bids.patient("02")
    reason = plan().pairs[0].reason
    assert f"There is {folder}: rename it to ses-BL." in reason.message


def test_folders_that_nearly_are_participants_are_said(bids, plan):
    bids.patient("01")
    (bids.root / "sub_02").mkdir()
    assert plan().notes() == ["sub_02 is no participant's folder: rename it to sub-02."]


def test_a_scan_of_another_name_in_a_visits_folder_is_a_flag(bids, plan):
    bids.patient("01")
    bids.scan("01", "BL", "sub-07_ses-BL_T1w.nii.gz")
    (pair,) = plan().pairs
    assert codes(pair.baseline.flags) == ["name_of_another"]


def test_a_visit_without_a_date_is_named(bids, plan):
    bids.patient("01")
    bids.dates("01", BL="2019-03-04")
    (flag,) = plan().pairs[0].flags
    assert flag.code == "interval_unknown"
    assert "(ses-M24)" in flag.message


@pytest.mark.parametrize(
    ("key", "header", "note"),
    [
        ("exclusions", "participant_id\tvisit\treason\twho\twhen\n", "table.tsv has no row: nobody is left out."),
        ("dates", "participant_id\tvisit\tdate\n", "table.tsv has no row with a date: it says nothing of any visit."),
    ],
)
def test_a_table_of_the_studys_own_without_rows_is_told(bids, plan, content, tmp_path, key, header, note):
    bids.patient("01")
    (tmp_path / "table.tsv").write_text(header)
    content["study"][key] = str(tmp_path / "table.tsv")
    assert plan().notes() == [note]


def test_a_link_that_leads_to_itself_stops_nobody_else(bids, plan):
    bids.patient("01")
    bids.patient("02")
    path = bids.scan("01", "M24")
    path.unlink()
    path.symlink_to(path.name)
    (bids.root / "sub-03").symlink_to("sub-03")
    assert [pair.status for pair in plan().pairs] == ["failed", "ok", "missing"]
    assert plan().pairs[0].reason.code == "link_without_content"


def test_a_folder_that_may_not_be_read_stops_nobody_else(bids, plan, monkeypatch):
    bids.patient("01")
    bids.patient("02")
    anat = str(bids.root / "sub-01" / "ses-M24" / "anat")
    scandir = os.scandir

    def refuse(folder):
        if str(folder) == anat:
            raise PermissionError(errno.EACCES, "Permission denied", anat)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    first, second = plan().pairs
    assert (first.status, first.reason.code, second.status) == ("missing", "folder_unreadable", "ok")
    assert anat in first.reason.message


def test_a_data_set_that_may_not_be_read_is_told(bids, plan, monkeypatch):
    bids.patient("01")
    error = PermissionError(errno.EACCES, "Permission denied", str(bids.root))
    monkeypatch.setattr(os, "scandir", mock.Mock(side_effect=error))
    with pytest.raises(ScanTableError, match="may not be read: permission denied"):
        plan()


def test_a_folder_in_another_case_than_its_row_is_named(bids, plan):
    bids.list_participants("sub-P01")
    bids.patient("p01")
    reason = next(pair.reason for pair in plan().pairs if pair.participant_id == "sub-P01")
    assert "There is sub-p01: rename it to sub-P01." in reason.message


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", "There lies sub-01_ses-M24_T1w.nii.gz, outside of anat: put it there."),
        ("Anat", "There is Anat/: rename it to anat."),
    ],
)
def test_a_scan_outside_of_anat_is_to_be_put_there(bids, plan, place, words):
    bids.patient("01")
    path = bids.scan("01", "M24")
    (path.parents[1] / place).mkdir(exist_ok=True)
    path.rename(path.parents[1] / place / path.name)
    path.parent.rmdir()
    assert plan().pairs[0].reason.message.endswith(words)


@pytest.mark.parametrize("folder", ["anat", "ses-M24"])
def test_an_empty_folder_is_told_as_such(bids, plan, folder):
    bids.patient("01")
    path = bids.scan("01", "M24")
    path.unlink()
    if folder == "ses-M24":
        path.parent.rmdir()
    assert plan().pairs[0].reason.message.endswith(f"_T1w.nii.gz: the folder {folder} is empty.")


def test_a_single_other_folder_is_told_in_the_singular(bids, plan):
    bids.scan("01", "BL")
    bids.patient("02")
    assert plan().pairs[0].reason.message == "There is no ses-M24. There is only ses-BL."


def test_a_folder_called_like_the_scan_is_told(bids, plan):
    bids.patient("01")
    path = bids.scan("01", "M24")
    path.unlink()
    path.mkdir()
    assert plan().pairs[0].reason.message.endswith("sub-01_ses-M24_T1w.nii.gz is a folder: expected a file.")


def test_a_sidecar_of_another_name_is_told_where_the_scan_has_none(bids, plan):
    bids.patient("01")
    bids.scan("01", "M24", "sub-01_ses-M24_run-1_T1w.json").write_text("{}")
    assert codes(plan().scans[1].flags) == ["sidecar_unused"]
    bids.scan("01", "M24", "sub-01_ses-M24_T1w.json").write_text("{}")
    assert plan().scans[1].flags == ()
