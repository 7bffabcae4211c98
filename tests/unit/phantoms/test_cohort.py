import argparse
import csv
import dataclasses
from datetime import date

import nibabel as nib
import numpy as np
import pytest

from graytrace.commands.phantom import add_arguments, run
from graytrace.phantoms.cohort import TRUTH_COLUMNS, PhantomPatient, draw_patients, render_pair, write_cohort

STORED_FRACTION_TOLERANCE = 1e-3  # 255 steps a voxel, averaged over the brain


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort") / "phantoms"
    patients = draw_patients(2, seed=1)
    return out, write_cohort(out, patients, voxel_mm=4.0), patients


def _table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _bytes(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_first_patients_do_not_depend_on_how_many_follow():
    assert draw_patients(2, seed=5) == draw_patients(6, seed=5)[:2]
    assert draw_patients(2, seed=5) != draw_patients(2, seed=6)


def test_a_higher_dose_loses_less_on_average():
    patients = draw_patients(80, seed=1)
    mean = [np.mean([p.loss.cortex_percent for p in patients if p.dose == dose]) for dose in (0.7, 5.7)]
    assert mean[0] < mean[1] - 1


def test_the_tree_is_bids(cohort):
    out, _, patients = cohort
    for patient in patients:
        name = patient.participant_id
        for visit in ("BL", "M24"):
            assert (out / name / f"ses-{visit}" / "anat" / f"{name}_ses-{visit}_T1w.nii.gz").is_file()
        lesions = sorted(out.glob(f"derivatives/lesions/{name}/ses-*/anat/*_space-T1w_label-lesion_mask.nii.gz"))
        assert len(lesions) == (2 if patient.n_lesions else 0)
    assert (out / "dataset_description.json").is_file()
    assert [row["participant_id"] for row in _table(out / "participants.tsv")] == ["sub-P01", "sub-P02"]
    assert set(_table(out / "participants.tsv")[0]) == {"participant_id", "age", "sex", "dose"}


def test_new_lesions_are_at_the_second_visit_only_and_no_loss_of_tissue():
    stable, changed = (
        render_pair(PhantomPatient("sub-P01", n_lesions=6, n_new_lesions=new), voxel_mm=2.0) for new in (0, 6)
    )
    np.testing.assert_array_equal(changed.baseline.t1w, stable.baseline.t1w)
    assert changed.followup.lesion_mask.sum() > 1.3 * stable.followup.lesion_mask.sum()
    assert not np.any(stable.followup.lesion_mask & ~changed.followup.lesion_mask)
    assert changed.truth()["gm_change_percent"] == stable.truth()["gm_change_percent"]


def test_sessions_carry_the_dates(cohort):
    out, _, patients = cohort
    rows = _table(out / "sub-P01" / "sub-P01_sessions.tsv")
    first, second = (date.fromisoformat(row["acq_time"][:10]) for row in rows)
    assert [row["session_id"] for row in rows] == ["ses-BL", "ses-M24"]
    assert first == patients[0].baseline_date
    assert (second - first).days == patients[0].interval_days


def test_truth_is_what_the_images_show(cohort):
    out, truth_dir, _ = cohort
    for row in _table(truth_dir / "truth.tsv"):
        name = row["participant_id"]
        for visit, column in (("BL", "gm_baseline_ml"), ("M24", "gm_followup_ml")):
            image = nib.load(truth_dir / name / f"{name}_ses-{visit}_gm255.nii.gz")
            volume_ml = np.asanyarray(image.dataobj).sum() / 255 * abs(np.linalg.det(image.affine[:3, :3])) / 1000
            assert volume_ml == pytest.approx(float(row[column]), rel=STORED_FRACTION_TOLERANCE)
            scan = nib.load(out / name / f"ses-{visit}" / "anat" / f"{name}_ses-{visit}_T1w.nii.gz")
            np.testing.assert_array_equal(scan.affine, image.affine)


def test_the_truth_table_has_its_columns_and_its_sense(cohort):
    rows = _table(cohort[1] / "truth.tsv")
    assert tuple(rows[0]) == TRUTH_COLUMNS
    for row in rows:
        measured = 100 * (float(row["gm_followup_ml"]) / float(row["gm_baseline_ml"]) - 1)
        assert measured == pytest.approx(float(row["gm_change_percent"]), abs=1e-3)
        assert float(row["gm_change_percent"]) < 0


def test_both_forms_of_the_affine_agree(cohort):
    image = nib.load(cohort[0] / "sub-P01" / "ses-BL" / "anat" / "sub-P01_ses-BL_T1w.nii.gz")
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-4)
    assert image.get_data_dtype() == np.int16


def test_the_same_seed_writes_the_same_bytes_in_one_process_or_two(cohort, tmp_path):
    out, truth_dir, patients = cohort
    again = write_cohort(tmp_path / "phantoms", patients, voxel_mm=4.0, jobs=2)
    assert _bytes(tmp_path / "phantoms") == _bytes(out)
    assert _bytes(again) == _bytes(truth_dir)


def test_without_loss_the_follow_up_differs_in_noise_only(unchanged_pair):
    truth = unchanged_pair.truth()
    assert truth["gm_change_percent"] == 0
    assert truth["brain_change_percent"] == 0
    assert (unchanged_pair.baseline.t1w != unchanged_pair.followup.t1w).any()


def test_a_patient_can_be_made_by_hand(tmp_path):
    patient = dataclasses.replace(PhantomPatient("sub-X"), sex="M", age_years=60)
    truth_dir = write_cohort(tmp_path / "one", [patient], voxel_mm=4.0)
    assert _table(tmp_path / "one" / "participants.tsv")[0]["age"] == "60"
    assert _table(truth_dir / "truth.tsv")[0]["gm_change_percent"] == "0"


def test_the_command_says_where_the_truth_is(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = parser.parse_args([str(tmp_path / "out"), "--patients", "1", "--voxel-mm", "4", "--orientation", "LPS"])
    assert run(arguments) == 0
    assert str(tmp_path / "out-truth") in capsys.readouterr().out
    assert nib.aff2axcodes(nib.load(next((tmp_path / "out").rglob("*_T1w.nii.gz"))).affine) == ("L", "P", "S")
