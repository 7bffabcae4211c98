import json

from graytrace.results.derivative import SIDECARS, write_derivative
from graytrace.schemas import load_schema


def test_the_output_says_what_it_is_and_who_made_it(tmp_path):
    write_derivative(tmp_path, "1.2.3")
    description = json.loads((tmp_path / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"] == [{"Name": "Graytrace", "Version": "1.2.3"}]
    assert "report.html" in (tmp_path / "README").read_text()


def test_images_that_are_there_have_the_keys_that_bids_requires(tmp_path):
    anat = tmp_path / "sub-01" / "ses-BL" / "anat"
    anat.mkdir(parents=True)
    for name in ("desc-preproc_T1w", "desc-brain_mask"):
        (anat / f"sub-01_ses-BL_{name}.nii.gz").touch()
    (tmp_path / "label-lesion_desc-found_mask.json").write_text("of an earlier run with FLAIR")
    write_derivative(tmp_path, "1")
    assert not (tmp_path / "label-lesion_desc-found_mask.json").exists()
    assert json.loads((tmp_path / "desc-preproc_T1w.json").read_text())["SkullStripped"] is False
    assert json.loads((tmp_path / "desc-brain_mask.json").read_text())["Type"] == "Brain"
    assert all("Description" in content for content in SIDECARS.values())


def test_tables_that_bids_has_no_term_for_are_not_checked_by_validators(tmp_path):
    write_derivative(tmp_path, "1")
    ignored = (tmp_path / ".bidsignore").read_text().splitlines()
    for table in ("atrophy", "volumes", "structures", "quality", "lesions", "scans", "dose_response", "trend"):
        assert load_schema(table)
        assert f"{table}.tsv" in ignored
    write_derivative(tmp_path, "1", more_tables=["slopes"])
    assert (tmp_path / ".bidsignore").read_text().splitlines() == [*ignored, "slopes.tsv", "slopes.json"]
    assert not any(line.endswith("/") for line in ignored), "a validator takes folders without a slash"
