import nibabel as nib
import numpy as np
import pytest

from graytrace.cli import main


def _study(root):
    """Two patients: a copy of the baseline at the follow-up, a damaged file; a third without a follow-up."""
    grid = np.indices((24, 24, 24)) - 11.5
    ball = np.where((grid**2).sum(0) < 90, 700, 20) + np.random.default_rng(1).normal(0, 9, (24, 24, 24))
    for number, (who, visit) in enumerate([("01", "BL"), ("01", "M24"), ("02", "BL"), ("02", "M24"), ("03", "BL")]):
        anat = root / f"sub-{who}" / f"ses-{visit}" / "anat"
        anat.mkdir(parents=True)
        data = ball if who == "01" else ball + np.random.default_rng(number).normal(0, 20, ball.shape)
        path = anat / f"sub-{who}_ses-{visit}_T1w.nii.gz"
        nib.save(nib.Nifti1Image(data.astype(np.float32), np.diag([5.0, 5, 5, 1])), path)
        table = "session_id\tacq_time\nses-BL\t2019-01-01\nses-M24\t2021-01-01\n"
        (root / f"sub-{who}" / f"sub-{who}_sessions.tsv").write_text(table)
    content = bytearray(path.parents[3].joinpath("sub-02/ses-BL/anat/sub-02_ses-BL_T1w.nii.gz").read_bytes())
    content[len(content) // 2] ^= 1
    (root / "sub-02/ses-BL/anat/sub-02_ses-BL_T1w.nii.gz").write_bytes(content)
    return root


def test_what_is_missing_is_told_before_anything_is_measured(tmp_path, capsys):
    assert main(["check", str(_study(tmp_path / "bids"))]) == 0
    said = capsys.readouterr().out
    assert "sub-03\tM24\tno_session\tThere is no ses-M24." in said
    assert "same_scan" not in said
    assert "3 patients planned" in said


@pytest.mark.parametrize("look", [[], ["--deep"]])
def test_files_without_a_byte_are_named_once_without_reading_any(tmp_path, capsys, look):
    root = _study(tmp_path / "bids")
    masks = root / "derivatives" / "lesions" / "sub-01" / "ses-BL" / "anat"
    masks.mkdir(parents=True)
    for path in (root / "sub-02/ses-M24/anat/sub-02_ses-M24_T1w.nii.gz", masks / "sub-01_ses-BL_label-lesion_mask.nii"):
        path.write_bytes(b"")
    choices = tmp_path / "my.yaml"
    choices.write_text("study: {lesions: derivatives/lesions}\n")
    assert main(["check", str(root), "--config", str(choices), *look]) == 0
    said = capsys.readouterr().out
    for start in ("sub-02\tM24\tunreadable\tsub-02_ses-M24_T1w.nii.gz is an empty file.", "sub-01\tBL\tunreadable\t"):
        assert said.count(start) == 1


def test_a_deep_look_finds_damage_and_the_same_scan_twice(tmp_path, capsys):
    assert main(["check", "--deep", str(_study(tmp_path / "bids"))]) == 0
    said = capsys.readouterr().out
    assert "sub-01\tBL\tsame_scan\tIt has the voxels of sub-01 ses-M24" in said
    assert any(f"sub-02\tBL\t{code}" in said for code in ("damaged", "truncated"))


def test_an_engine_that_is_not_known_is_refused(tmp_path, capsys):
    choices = tmp_path / "my.yaml"
    choices.write_text("engines: {segmentation: freesurfr}\n")
    assert main(["check", str(_study(tmp_path / "bids")), "--config", str(choices)]) == 1
    assert "freesurfr" in capsys.readouterr().err


def test_an_engine_whose_programs_are_not_here_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    choices = tmp_path / "my.yaml"
    choices.write_text("engines: {skull_strip: fsl}\n")
    assert main(["check", str(_study(tmp_path / "bids")), "--config", str(choices)]) == 0
    assert "Not on this machine: engines.skull_strip: fsl" in capsys.readouterr().out
