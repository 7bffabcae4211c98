"""`graytrace lock`, and what `graytrace audit` says of the plan's signature."""

import json

import pytest
import yaml

from graytrace.catalog import STEPS
from graytrace.cli import main
from graytrace.commands.lock import PASSPHRASE_VARIABLE
from graytrace.workflow.audit_trail import read_trail
from graytrace.workflow.locked_plan import PLAN_NAME


@pytest.fixture
def study(tmp_path):
    anat = tmp_path / "bids" / "sub-01" / "ses-BL" / "anat"
    anat.mkdir(parents=True)
    (anat / "sub-01_ses-BL_T1w.nii.gz").write_bytes(b"scan")
    choices = tmp_path / "my.yaml"
    choices.write_text(yaml.safe_dump({"study": {"output_dir": "out", "bids_dir": "bids"}}))
    return tmp_path


def lock(study, *arguments):
    return main(["lock", "--config", str(study / "my.yaml"), *arguments])


def test_a_plan_is_locked_once_and_replaced_with_a_reason(study, capsys):
    assert lock(study) == 0
    said = capsys.readouterr().out
    assert f"the code of {len(STEPS)} steps" in said
    assert "Keep the sha256." in said
    assert lock(study) == 1
    assert "is locked already" in capsys.readouterr().err
    assert lock(study, "--replace") == 1
    assert "a reason is needed" in capsys.readouterr().err
    before = (study / "out" / PLAN_NAME).read_bytes()
    assert lock(study, "--replace", "--why", "amendment 2") == 0
    entry = read_trail(study / "out").entries[-1]
    assert entry.content["details"]["why"] == "amendment 2"
    assert entry.content["details"]["replaces"] == read_trail(study / "out").entries[0].content["details"]["plan"]
    assert json.loads((study / "out" / PLAN_NAME).read_text())["locked"]["why"] == "amendment 2"
    assert (study / "out" / PLAN_NAME).read_bytes() != before


def test_folders_are_given_as_for_a_run(study):
    assert main(["lock", str(study / "bids"), str(study / "elsewhere")]) == 0
    content = json.loads((study / "elsewhere" / PLAN_NAME).read_text())
    assert content["configuration"]["study.bids_dir"] == json.dumps(str(study / "bids"))
    assert content["configuration"]["study.blind"] == "false"


def test_a_plan_elsewhere_writes_no_entry_and_says_how_to_name_it(study, capsys):
    path = study / "safe" / "plan.json"
    assert lock(study, "--output", str(path), "--blind") == 0
    assert f"study.plan_lock: {path}" in capsys.readouterr().out
    assert json.loads(path.read_text())["configuration"]["study.blind"] == "true"
    assert not (study / "out").exists()


def test_a_key_file_signs_and_audit_checks_it(study, capsys):
    key = study / "key"
    key.write_bytes(b"a secret of the site")
    assert lock(study, "--key-file", str(key)) == 0
    assert main(["audit", str(study / "out"), "--key-file", str(key)]) == 0
    (study / "other").write_bytes(b"a secret of others..")
    assert main(["audit", str(study / "out"), "--key-file", str(study / "other")]) == 1
    assert "is not the one that was signed with this secret" in capsys.readouterr().err
    key.write_bytes(b"short")
    assert lock(study, "--replace", "--why", "x", "--key-file", str(key)) == 1
    assert "too few to be a secret" in capsys.readouterr().err


def test_a_passphrase_is_taken_from_the_environment_and_stands_nowhere(study, monkeypatch, capsys):
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse battery staple")
    assert lock(study, "--passphrase") == 0
    assert main(["audit", str(study / "out"), "--passphrase"]) == 0
    for path in (study / "out").iterdir():
        assert b"horse" not in path.read_bytes()
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse battery stable")
    assert main(["audit", str(study / "out"), "--passphrase"]) == 1
    assert "signed with this secret" in capsys.readouterr().err


def test_an_edited_plan_is_told_by_audit(study, capsys):
    lock(study)
    path = study / "out" / PLAN_NAME
    path.write_text(path.read_text().replace('"patients": 1', '"patients": 2'))
    assert main(["audit", str(study / "out")]) == 1
    assert "plan.lock.json was changed since it was locked" in capsys.readouterr().err


def test_a_study_that_cannot_be_planned_is_not_locked(study, capsys):
    (study / "my.yaml").write_text(yaml.safe_dump({"study": {"output_dir": "out", "bids_dir": "nowhere"}}))
    assert lock(study) == 1
    assert "study.bids_dir: there is no folder" in capsys.readouterr().err
    assert not (study / "out").exists()
