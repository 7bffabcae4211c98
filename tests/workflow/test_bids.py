"""The output is a BIDS derivative: the BIDS validator says so, without network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graytrace.results.derivative import write_derivative

VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")


@pytest.fixture
def find_errors(tmp_path):
    """Runs the validator on a folder: the errors that it found."""

    def run(folder):
        done = subprocess.run(  # noqa: S603 - a pinned program beside Python, no shell
            [VALIDATOR, "--json", folder],
            env={**os.environ, "DENO_DIR": str(tmp_path / "deno"), "DENO_NO_UPDATE_CHECK": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        issues = json.loads(done.stdout)["issues"]["issues"]
        return [(issue["code"], issue.get("location")) for issue in issues if issue["severity"] == "error"]

    return run


def test_the_validator_accepts_what_a_whole_run_writes(undisturbed, find_errors):
    assert list(undisturbed.output_dir.glob("sub-*/ses-*/anat/*_dseg.nii.gz"))
    assert find_errors(undisturbed.output_dir) == []


def test_the_validator_would_refuse_an_image_without_a_name_of_bids(tmp_path, find_errors):
    folder = tmp_path / "out"
    write_derivative(folder, "1.2.3")
    (folder / "sub-01" / "ses-BL" / "anat").mkdir(parents=True)
    (folder / "sub-01" / "ses-BL" / "anat" / "sub-01_ses-BL_desc-brain_maske.nii.gz").write_bytes(b"no image")
    assert ("NOT_INCLUDED", "/sub-01/ses-BL/anat/sub-01_ses-BL_desc-brain_maske.nii.gz") in find_errors(folder)
