import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from six_visits import Trial

from graytrace.catalog import STEPS
from graytrace.files import file_sha256, write_json, write_text
from graytrace.findings import Reason
from graytrace.records import Output, Record, record_path, remember_sources, write_record
from graytrace.study.config import load_config
from graytrace.study.plan import plan_study
from graytrace.workflow import freshness

DEFAULTS = yaml.safe_load((Path(__file__).resolve().parents[3] / "config.yaml").read_text())


def _codes(**sections):
    config = {**DEFAULTS, **{name: {**DEFAULTS[name], **values} for name, values in sections.items()}}
    return freshness.code_of_steps(load_config(config))


def test_every_step_of_the_workflow_has_a_code_of_its_own():
    codes = _codes()
    assert set(codes) == set(STEPS)
    assert len(set(codes.values())) == len(codes)


@pytest.mark.parametrize(
    ("section", "values", "changed"),
    [
        ("engines", {"segmentation": "fsl"}, {"segment_tissue"}),
        ("engines", {"change": "difference"}, {"measure_change"}),
        ("engines", {"skull_strip": "fsl"}, {"skull_strip"}),
        ("fsl", {"bet_fraction": 0.4}, set()),
    ],
)
def test_another_engine_changes_the_code_of_its_step_alone(section, values, changed):
    before, after = _codes(), _codes(**{section: values})
    assert {step for step in before if before[step] != after[step]} == changed


def test_an_option_counts_for_the_engine_that_has_it():
    chosen = {"engines": {"skull_strip": "fsl"}}
    before, after = _codes(**chosen), _codes(**chosen, fsl={"bet_fraction": 0.4})
    assert {step for step in before if before[step] != after[step]} == {"skull_strip"}


def test_files_named_for_another_reference_are_made_anew(content, bids):
    content["study"] |= {"followup": ["M6", "M12", "M24"], "window_months": None, "visits": "all"}
    trial = Trial(content, bids)
    trial.patient("01", "BL", "M6", "M12", "M24")
    record = trial.path("sub-01", "measure_change", {"baseline": "M6", "followup": "M12"})
    change = Output("sub-01/change/sub-01_ses-M12_from-M6_desc-change.json", "0" * 64)
    trial.write("sub-01", "measure_change", {"baseline": "M6", "followup": "M12"}, outputs={"change": change})
    assert freshness.replaced_sources(trial.plan()) == []
    content["study"]["rebaseline"] = "M6"
    assert freshness.replaced_sources(trial.plan()) == [str(record)]


@pytest.fixture
def study(tmp_path):
    """A study of one scan with a FLAIR, and what its steps have read."""
    anat = tmp_path / "bids" / "sub-01" / "ses-BL" / "anat"
    anat.mkdir(parents=True)
    files = {name: anat / f"sub-01_ses-BL_{name}.nii.gz" for name in ("T1w", "FLAIR")}
    for name, path in files.items():
        path.write_bytes(name.encode() * 100)
    config = load_config(
        {
            **DEFAULTS,
            "study": {**DEFAULTS["study"], "bids_dir": str(tmp_path / "bids"), "output_dir": str(tmp_path / "out")},
        }
    )
    return config, files


def _write(config, step, sources, **more):
    path = record_path(config.output_dir, "sub-01", {"visit": "BL"}, step)
    remember_sources(path, sources)
    digests = {name: file_sha256(source) for name, source in sources.items()}
    write_record(
        path, Record(step, "sub-01", {"visit": "BL"}, provenance={"inputs": digests}, **{"status": "ok", **more})
    )
    return path


def _replaced(config):
    return [Path(path).stem for path in freshness.replaced_sources(plan_study(config))]


def _replace(path, content):
    """Another file of the same size and an older date, as by ``cp -p``."""
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, (1, 1))
    shutil.copy2(other, path)
    other.unlink()


def test_a_scan_replaced_by_an_older_file_is_done_anew(study):
    config, files = study
    _write(config, "inspect", {"t1w": files["T1w"]})
    assert _replaced(config) == []
    _replace(files["T1w"], b"t1W" * 100)
    assert _replaced(config) == ["inspect"]


def test_a_touched_record_of_a_replaced_scan_is_done_anew(study):
    config, files = study
    path = _write(config, "inspect", {"t1w": files["T1w"]})
    _replace(files["T1w"], b"t1W" * 100)
    path.touch()
    assert _replaced(config) == ["inspect"]


def test_a_replaced_flair_is_seen_and_a_touched_one_is_not(study):
    config, files = study
    _write(config, "inspect", {"t1w": files["T1w"]})
    _write(config, "find_lesions", {"flair": files["FLAIR"]})
    files["FLAIR"].touch()
    files["T1w"].touch()
    assert _replaced(config) == []
    _replace(files["FLAIR"], b"fLAIR" * 100)
    assert _replaced(config) == ["find_lesions"]


def test_a_faulty_scan_put_right_is_done_anew(study):
    config, files = study
    _write(config, "inspect", {"t1w": files["T1w"]}, status="failed", reason=Reason("truncated", "Too short."))
    _replace(files["T1w"], b"whole" * 60)
    assert _replaced(config) == ["inspect"]


def test_another_choice_of_file_is_done_anew(study):
    config, files = study
    _write(config, "inspect", {"t1w": files["T1w"]})
    files["T1w"].rename(files["T1w"].with_name("sub-01_ses-BL_acq-b_T1w.nii.gz"))
    files["T1w"].with_name("sub-01_ses-BL_acq-a_T1w.nii.gz").write_bytes(b"another")
    assert _replaced(config) == ["inspect"]


def test_tissue_of_an_image_with_lesions_filled_is_done_anew_without_its_mask(study):
    config, files = study
    _write(config, "inspect", {"t1w": files["T1w"]})
    _write(config, "correct_bias", {}, outputs={"image": Output("a", "digest of the image")})
    path = record_path(config.output_dir, "sub-01", {"visit": "BL"}, "segment_tissue")
    record = Record(
        "segment_tissue", "sub-01", {"visit": "BL"}, "ok", provenance={"inputs": {"image": "of the filled"}}
    )
    write_record(path, record)
    files["FLAIR"].unlink()
    assert _replaced(config) == ["segment_tissue"]


def test_another_dose_makes_the_tables_anew_whatever_its_date(study, tmp_path):
    config, _ = study
    table = tmp_path / "bids" / "participants.tsv"
    table.write_text("participant_id\tdose\nsub-01\t1\n")
    before = freshness.study_digest(config, plan_study(config), _codes())
    _replace(table, b"participant_id\tdose\nsub-01\t2\n")
    assert freshness.study_digest(config, plan_study(config), _codes()) != before


def test_another_table_of_repeatability_makes_the_tables_anew_whatever_its_date(study, tmp_path):
    config, _ = study
    table = tmp_path / "repeatability.tsv"
    table.write_text("one\n")
    config = replace(config, quality={**config.quality, "repeatability": str(table)})
    before = freshness.study_digest(config, plan_study(config), _codes())
    _replace(table, b"two\n")
    assert freshness.study_digest(config, plan_study(config), _codes()) != before


def _changed(config):
    return [Path(path).stem for path in freshness.changed_results(plan_study(config))]


@pytest.fixture
def image(study):
    """An image of the results, and the record that tells of it."""
    config, files = study
    path = config.output_dir / "sub-01" / "mask.nii.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mask")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    outputs = {"brain_mask": Output("sub-01/mask.nii.gz", file_sha256(path))}
    return config, path, _write(config, "skull_strip", {"t1w": files["T1w"]}, outputs=outputs)


def test_what_is_as_it_was_written_stays(image):
    assert _changed(image[0]) == []


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"none")])
def test_an_image_that_is_gone_or_changed_is_made_anew(image, harm):
    config, path, record = image
    os.utime(record, (1_100_000_000, 1_100_000_000))
    harm(path)
    assert _changed(config) == ["skull_strip"]


def test_a_record_that_was_deleted_comes_back_once_there_is_a_report(image):
    config, _, record = image
    plan = plan_study(config)
    record.unlink()
    assert freshness.missing_records(plan) == []
    (config.output_dir / "report.html").touch()
    missing = freshness.missing_records(plan)
    assert str(record) in missing
    _write(config, "skull_strip", {})
    assert str(record) not in freshness.missing_records(plan)


def test_an_image_that_only_lost_its_date_is_read_once_and_stays(image):
    config, path, record = image
    os.utime(record, (1_100_000_000, 1_100_000_000))
    path.touch()
    assert _changed(config) == []
    assert path.stat().st_mtime == 1_100_000_000


def test_a_record_changed_by_hand_is_made_anew(image):
    config, _, record = image
    record.write_text(record.read_text().replace('"ok"', '"failed"'))
    assert _changed(config) == ["skull_strip"]


@pytest.mark.parametrize("name", ["atrophy", "dose_response", "scans"])
def test_a_table_changed_by_hand_is_made_anew(study, name):
    config, _ = study
    plan = plan_study(config)
    folder = config.output_dir
    write_text(folder / "scans.tsv", plan.table())
    for table in ("atrophy", "dose_response"):
        write_text(folder / f"{table}.tsv", "n\n1\n")
    write_json(folder / "run.json", {"tables": {"atrophy.tsv": file_sha256(folder / "atrophy.tsv")}})
    digests = {"dose_response.tsv": file_sha256(folder / "dose_response.tsv")}
    write_json(folder / "records" / "tables.json", {"tables": digests})
    assert freshness.changed_tables(plan) == []
    with (folder / f"{name}.tsv").open("a") as file:
        file.write("2\n")
    assert freshness.changed_tables(plan) == [str(folder / f"{name}.tsv")]
