"""What a whole run promises, on phantoms: every planned patient has a row, and a bad one disturbs nobody."""

import csv
import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from graytrace.cli import main
from graytrace.tables import columns

GOOD = ("sub-P01", "sub-P02")
# 2 mm voxels are twice as wide as a sulcus: the bars of 1 mm scans are held by the benchmark, this is a sound result
CHANGE_TOLERANCE_PERCENT = 0.4
VOLUME_TOLERANCE = 0.08
FILLED_TOLERANCE = 0.05  # the same region on two grids of 2 mm: what interpolation rounds


def count(run):
    statuses = [row["status"] for row in run.table("atrophy")]
    return {status: statuses.count(status) for status in ("ok", "flagged", "excluded", "missing", "failed")}


def test_data_faults_do_not_fail_the_run(undisturbed):
    assert undisturbed.returncode == 0, undisturbed.messages


def test_every_planned_patient_has_one_row(undisturbed):
    names = [row["participant_id"] for row in undisturbed.table("atrophy")]
    assert names == ["sub-P01", "sub-P02", "sub-absent", "sub-holes", "sub-reversed", "sub-truncated", "sub-zero"]


@pytest.mark.parametrize(
    ("participant_id", "status", "code"),
    [
        ("sub-absent", "missing", "no_participant_folder"),
        ("sub-holes", "missing", "no_session"),
        ("sub-reversed", "failed", "dates_reversed"),
        ("sub-truncated", "failed", "truncated"),
        ("sub-zero", "failed", "empty"),
    ],
)
def test_a_faulty_patient_has_a_status_and_a_reason(undisturbed, participant_id, status, code):
    row = undisturbed.row(participant_id)
    assert (row["status"], row["reason"].partition(":")[0]) == (status, code)
    assert row["gm_change_percent"] == "n/a"


@pytest.mark.parametrize(
    ("participant_id", "visit", "code"),
    [
        ("sub-truncated", "BL", "truncated"),
        ("sub-truncated", "M24", "not_3d"),
        ("sub-zero", "BL", "empty"),
        ("sub-zero", "M24", "header_contradiction"),
        ("sub-holes", "BL", "not_finite"),
        ("sub-holes", "M24", "no_session"),
    ],
)
def test_a_faulty_scan_has_its_own_reason(undisturbed, participant_id, visit, code):
    rows = undisturbed.table("volumes")
    row = next(row for row in rows if (row["participant_id"], row["visit"]) == (participant_id, visit))
    assert row["reason"].partition(":")[0] == code
    assert row["gm_volume_ml"] == "n/a"


def test_missing_scans_never_enter_the_workflow(undisturbed):
    assert not (undisturbed.output_dir / "records" / "sub-absent").exists()
    assert not (undisturbed.output_dir / "records" / "sub-holes" / "ses-M24").exists()


@pytest.mark.parametrize("participant_id", GOOD)
def test_a_good_patient_is_measured(undisturbed, participant_id):
    row = undisturbed.row(participant_id)
    assert row["status"] in {"ok", "flagged"}
    assert row["reason"] == "n/a"
    assert all(row[name] != "n/a" for name in row if name.startswith(("gm_", "brain_", "icv", "interval")))


@pytest.mark.parametrize("participant_id", GOOD)
def test_the_true_change_is_recovered(undisturbed, participant_id):
    with (undisturbed.truth_dir / "truth.tsv").open(newline="") as file:
        truth = next(row for row in csv.DictReader(file, delimiter="\t") if row["participant_id"] == participant_id)
    row = undisturbed.row(participant_id)
    for name in ("gm_change_percent", "brain_change_percent"):
        assert float(row[name]) == pytest.approx(float(truth[name]), abs=CHANGE_TOLERANCE_PERCENT), name
    assert float(row["gm_volume_baseline_ml"]) == pytest.approx(float(truth["gm_baseline_ml"]), rel=VOLUME_TOLERANCE)


def test_a_repaired_scan_is_measured_and_says_so(undisturbed):
    row = undisturbed.row("sub-P02")
    assert row["status"] == "flagged"
    assert "BL:not_finite_repaired" in row["flags"]


def test_lesions_are_filled_and_their_volume_told(undisturbed):
    row = undisturbed.row("sub-P02")
    mask = nib.load(next((undisturbed.bids_dir / "derivatives" / "lesions").glob("sub-P02/ses-BL/anat/*.nii.gz")))
    volume_ml = np.count_nonzero(np.asarray(mask.dataobj)) * abs(np.linalg.det(mask.affine[:3, :3])) / 1000
    assert float(row["lesion_volume_baseline_ml"]) == pytest.approx(volume_ml, abs=0.001)
    assert undisturbed.row("sub-P01")["lesion_volume_baseline_ml"] == "n/a"
    assert (undisturbed.output_dir / "records" / "sub-P02" / "ses-BL" / "fill_lesions.json").exists()


def test_both_visits_are_filled_alike_and_each_lesion_has_a_row(undisturbed):
    volumes = {row["visit"]: row for row in undisturbed.table("volumes") if row["participant_id"] == "sub-P02"}
    filled = [float(volumes[visit]["lesion_filled_ml"]) for visit in ("BL", "M24")]
    assert filled[0] == pytest.approx(filled[1], rel=FILLED_TOLERANCE)
    assert all(float(volumes[visit]["lesion_volume_ml"]) <= filled[at] for at, visit in enumerate(("BL", "M24")))
    rows = [row for row in undisturbed.table("lesions") if row["participant_id"] == "sub-P02"]
    assert rows
    row = undisturbed.row("sub-P02")
    for kind in ("new", "enlarging", "shrinking", "vanished", "stable"):
        assert int(row[f"lesions_{kind}"]) == sum(one["kind"] == kind for one in rows)
    assert row["lesions_new"] == row["lesions_vanished"] == "0"
    assert undisturbed.row("sub-P01")["lesions_new"] == "n/a"
    assert not (undisturbed.output_dir / "records" / "sub-P01" / "ses-BL_ses-M24" / "join_lesions.json").exists()


@pytest.mark.parametrize("table", ["atrophy", "volumes", "quality"])
def test_a_killed_and_resumed_run_without_the_others_has_the_same_rows(undisturbed, resumed, table):
    assert resumed.returncode == 0, resumed.messages
    rows = resumed.lines(table, "sub-P01")
    assert rows == undisturbed.lines(table, "sub-P01")
    assert rows


def test_a_killed_and_resumed_run_has_the_same_records(undisturbed, resumed):
    records = sorted((resumed.output_dir / "records" / "sub-P01").rglob("*.json"))
    assert len(records) == 17
    for record in records:
        assert record.read_bytes() == (undisturbed.output_dir / record.relative_to(resumed.output_dir)).read_bytes(), (
            record
        )


def test_no_half_written_file_is_left(resumed):
    named = {
        output["path"]
        for record in resumed.output_dir.glob("records/*/*/*.json")
        for output in json.loads(record.read_text())["outputs"].values()
    }
    parts = [path.name for path in resumed.output_dir.rglob(".part-*")]
    assert named
    assert len(parts) <= 2, "only what SIGKILL itself left, hidden and never read"


@pytest.mark.parametrize("participant_id", GOOD)
@pytest.mark.parametrize("visit", ["BL", "M24"])
def test_images_are_on_the_scans_own_grid_and_fractions_sum_to_one(undisturbed, participant_id, visit):
    stem = f"{participant_id}/ses-{visit}/anat/{participant_id}_ses-{visit}"
    scan = nib.load(undisturbed.bids_dir / f"{stem}_T1w.nii.gz")

    def image(suffix):
        found = nib.load(undisturbed.output_dir / f"{stem}_{suffix}.nii.gz")
        assert found.shape == scan.shape
        np.testing.assert_allclose(found.affine, scan.affine, atol=1e-3)
        return np.asarray(found.dataobj)

    brain, intracranial = image("desc-brain_mask") > 0, image("desc-intracranial_mask") > 0
    total = sum(image(f"label-{tissue}_probseg") for tissue in ("GM", "WM", "CSF"))
    np.testing.assert_allclose(total[intracranial], 1, atol=1e-3)
    assert set(np.unique(image("dseg"))) == {0, 1, 2, 3}
    assert (brain & ~intracranial).sum() <= 0.01 * brain.sum()
    image("desc-preproc_T1w")


@pytest.mark.parametrize("participant_id", GOOD)
def test_there_are_figures_and_a_change_file(undisturbed, participant_id):
    folder = undisturbed.output_dir / participant_id
    assert len(list((folder / "figures").glob("*.jpg"))) == 5
    change = json.loads((folder / "change" / f"{participant_id}_ses-M24_desc-change.json").read_text())
    assert f"{change['gm_change_percent']:.4f}" == undisturbed.row(participant_id)["gm_change_percent"]


def test_every_job_has_a_log_and_a_benchmark(undisturbed):
    records = [
        path.relative_to(undisturbed.output_dir / "records")
        for path in undisturbed.output_dir.glob("records/*/*/*.json")
    ]
    for record in records:
        assert (undisturbed.output_dir / "logs" / record.with_suffix(".log")).exists(), record
        assert (undisturbed.output_dir / "benchmarks" / record.with_suffix(".tsv")).exists(), record


def test_tables_have_the_schemas_columns_and_a_sidecar(undisturbed):
    for name in ("atrophy", "volumes", "quality", "scans", "structures"):
        assert list(undisturbed.table(name)[0]) == columns(name)
        assert list(json.loads((undisturbed.output_dir / f"{name}.json").read_text())) == columns(name)


def test_the_output_is_a_bids_derivative_that_says_what_made_it(undisturbed):
    description = json.loads((undisturbed.output_dir / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    run = json.loads((undisturbed.output_dir / "run.json").read_text())
    assert run["patients"] == count(undisturbed)
    assert run["config"]["study"]["bids_dir"] == str(undisturbed.bids_dir)


def test_the_last_lines_count_every_status_and_say_where_to_look(undisturbed):
    counts = ", ".join(f"{number} {status}" for status, number in count(undisturbed).items())
    assert f"7 patients: {counts}." in undisturbed.messages
    assert "2 missing, 3 failed" in counts
    assert f"Results: {undisturbed.output_dir / 'atrophy.tsv'}" in undisturbed.messages


def test_tables_made_again_have_the_same_bytes(undisturbed, tmp_path):
    copy = tmp_path / "out"
    shutil.copytree(undisturbed.output_dir, copy)
    config = json.loads((copy / "run.json").read_text())["config"]
    config["study"]["output_dir"] = str(copy)
    (copy / "atrophy.tsv").unlink()
    assert main(["aggregate_atrophy", "--config", json.dumps(config)]) == 0
    for name in ("atrophy.tsv", "volumes.tsv", "quality.tsv", "structures.tsv", "atrophy.json"):
        assert (copy / name).read_bytes() == (undisturbed.output_dir / name).read_bytes()
