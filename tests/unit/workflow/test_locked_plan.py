"""A locked plan: each way in which a later run departs from it is told, and so is a plan that was changed."""

import json
import shutil
import subprocess
from dataclasses import replace

import pytest

from graytrace.errors import ConfigError, PipelineError
from graytrace.study.config import load_config
from graytrace.study.plan import plan_study
from graytrace.workflow import inventory
from graytrace.workflow.audit_trail import PLAN_LOCKED, append_entry
from graytrace.workflow.inventory import Digests, take_inventory
from graytrace.workflow.locked_plan import PLAN_NAME, Secret, digest_path, read_plan, read_secret, write_plan
from graytrace.workflow.oversight import describe_oversight, digests_of, find_oversight

CODES = {"inspect": "aaaa", "report": "bbbb"}
LOCKED = {"when": "2026-01-02T03:04:05+00:00", "user": "ab", "host": "here"}


@pytest.fixture
def study(bids, content, tmp_path):
    """Two patients with sidecars, lesion masks, tables of participants, sessions and exclusions."""
    for name in ("01", "02"):
        bids.patient(name)
        scan = bids.scan(name, "BL")
        scan.write_bytes(f"scan of {name}".encode())
        scan.with_name(scan.name.replace(".nii.gz", ".json")).write_text('{"MagneticFieldStrength": 3}')
        mask = bids.root / "lesions" / f"sub-{name}" / "ses-BL" / "anat" / f"sub-{name}_ses-BL_label-lesion_mask.nii.gz"
        mask.parent.mkdir(parents=True)
        mask.write_bytes(b"mask")
    (bids.root / "participants.tsv").write_text("participant_id\tdose\nsub-01\t1\nsub-02\t2\n")
    exclusions = tmp_path / "exclusions.tsv"
    exclusions.write_text("participant_id\tvisit\treason\twho\twhen\tnote\n")
    content["study"] |= {"lesions": "lesions", "exclusions": str(exclusions)}
    return content


def look(content, codes=CODES):
    """What a run says of the plan, as text."""
    digests_of.cache_clear()
    config = load_config(content)
    return describe_oversight(find_oversight(config, plan_study(config), codes))


@pytest.fixture
def locked(study, tmp_path):
    config = load_config(study)
    path = tmp_path / "out" / PLAN_NAME
    write_plan(path, take_inventory(config, plan_study(config), CODES, Digests()), LOCKED)
    return path


@pytest.mark.usefixtures("study")
def test_a_plan_names_every_file_that_is_read(locked):
    names = set(json.loads(locked.read_text())["data"])
    scans = {
        f"sub-{who}/ses-{visit}/anat/sub-{who}_ses-{visit}_T1w.nii.gz"
        for who in ("01", "02")
        for visit in ("BL", "M24")
    }
    sidecars = {f"sub-{who}/ses-BL/anat/sub-{who}_ses-BL_T1w.json" for who in ("01", "02")}
    masks = {f"lesions/sub-{who}/ses-BL/anat/sub-{who}_ses-BL_label-lesion_mask.nii.gz" for who in ("01", "02")}
    tables = {"participants.tsv", *(f"sub-{who}/sub-{who}_sessions.tsv" for who in ("01", "02"))}
    assert names == scans | sidecars | masks | tables


@pytest.mark.usefixtures("locked")
def test_nothing_departs_from_a_plan_that_is_followed(study):
    said = look(study)
    assert said.startswith("Nothing departs from plan.lock.json, locked 2026-01-02T03:04:05+00:00 by ab on here")


def test_without_a_plan_nothing_is_said_and_no_file_is_read(study, monkeypatch):
    monkeypatch.setattr(inventory, "file_sha256", lambda path: pytest.fail(f"{path} was read"))
    assert look(study) == ""


def test_an_added_exclusion_is_told_and_a_removed_and_a_changed_one(study, locked, tmp_path):
    table = tmp_path / "exclusions.tsv"
    head = table.read_text()
    table.write_text(f"{head}sub-01\tn/a\tmotion\tAB\t2026-05-06\tblurred\n")
    assert "  exclusion added: sub-01 everything (motion, by AB on 2026-05-06: blurred)" in look(study).splitlines()
    config = load_config(study)
    write_plan(locked, take_inventory(config, plan_study(config), CODES, Digests()), LOCKED)
    assert look(study).startswith("Nothing departs")
    table.write_text(f"{head}sub-01\tn/a\tartifact\tAB\t2026-05-06\tblurred\n")
    assert "exclusion sub-01 everything: motion, by AB on 2026-05-06: blurred -> artifact, by AB" in look(study)
    table.write_text(head)
    assert "  exclusion removed: sub-01 everything (motion, by AB on 2026-05-06: blurred)" in look(study).splitlines()


@pytest.mark.usefixtures("locked")
def test_a_changed_key_of_the_configuration_is_told_old_and_new(study):
    study["quality"]["limits"] = {"noise_percent": {"max": 6}}
    study["study"]["window_months"] = [12, 30]
    said = look(study).splitlines()
    assert "  configuration quality.limits.noise_percent.max: none -> 6" in said
    assert "  configuration study.window_months: [[18.0, 30.0]] -> [[12.0, 30.0]]" in said


def test_a_changed_package_is_told(study, locked, monkeypatch):
    real = inventory.package_versions
    monkeypatch.setattr(inventory, "package_versions", lambda *names: real(*names) | {"scipy": "0.0.1"})
    plan = read_plan(locked)
    assert f"  package scipy: {plan.inventory['packages']['scipy']} -> 0.0.1" in look(study).splitlines()


@pytest.mark.usefixtures("locked")
def test_changed_code_is_told_with_its_step(study):
    assert "  code of report: bbbb -> cccc" in look(study, {**CODES, "report": "cccc"}).splitlines()


@pytest.mark.usefixtures("locked")
def test_a_replaced_a_missing_and_an_added_scan_are_told(study, bids):
    scan = bids.root / "sub-01/ses-BL/anat/sub-01_ses-BL_T1w.nii.gz"
    scan.write_bytes(b"scan of 03")  # of the same size
    bids.root.joinpath("sub-02/ses-M24/anat/sub-02_ses-M24_T1w.nii.gz").unlink()
    bids.patient("03")
    said = look(study)
    assert "file replaced: sub-01/ses-BL/anat/sub-01_ses-BL_T1w.nii.gz (sha256 " in said
    assert "file missing: sub-02/ses-M24/anat/sub-02_ses-M24_T1w.nii.gz" in said
    assert "file added: sub-03/ses-BL/anat/sub-03_ses-BL_T1w.nii.gz" in said


@pytest.mark.parametrize(
    "name", ["participants.tsv", "sub-01/sub-01_sessions.tsv", "sub-02/ses-BL/anat/sub-02_ses-BL_T1w.json"]
)
@pytest.mark.usefixtures("locked")
def test_a_changed_table_or_sidecar_is_told(study, bids, name):
    path = bids.root / name
    path.write_text(path.read_text().rstrip("\n") + " \n")
    assert f"file replaced: {name} (sha256" in look(study)


@pytest.mark.usefixtures("locked")
def test_a_file_with_its_old_date_and_size_is_read_again_all_the_same(study, bids, tmp_path):
    config = load_config(study)
    digests = Digests(tmp_path / "out")
    take_inventory(config, plan_study(config), CODES, digests)
    digests.keep()
    scan = bids.root / "sub-01/ses-BL/anat/sub-01_ses-BL_T1w.nii.gz"
    before = scan.stat()
    scan.write_bytes(b"scan of 09")
    import os  # noqa: PLC0415 - only here

    os.utime(scan, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "file replaced: sub-01/ses-BL/anat/sub-01_ses-BL_T1w.nii.gz" in look(study)


def test_kept_digests_spare_the_reading_and_damaged_ones_do_no_harm(study, bids, tmp_path, monkeypatch):
    config = load_config(study)
    plan = plan_study(config)
    first = Digests(tmp_path / "out")
    expected = take_inventory(config, plan, CODES, first)
    first.keep()
    with monkeypatch.context() as patched:
        patched.setattr(inventory, "file_sha256", lambda path: pytest.fail(f"{path} was read"))
        assert take_inventory(config, plan, CODES, Digests(tmp_path / "out")) == expected
    for bad in ("", "[]", '{"%s": 3}' % (bids.root / "participants.tsv")):
        (tmp_path / "out" / "records" / ".data.sources").write_text(bad)
        assert take_inventory(config, plan, CODES, Digests(tmp_path / "out")) == expected


def test_an_edited_plan_is_told_by_its_digest(study, locked):
    locked.write_text(locked.read_text().replace('"aaaa"', '"dddd"'))
    said = look(study)
    assert "plan.lock.json was changed since it was locked: its sha256 is not the one in plan.lock.json.sha256" in said
    digest_path(locked).unlink()
    assert "plan.lock.json.sha256 is not there or cannot be read" in look(study)


def test_a_plan_written_anew_with_its_digest_is_told_by_the_trail(study, locked, tmp_path):
    plan = read_plan(locked)
    append_entry(tmp_path / "out", PLAN_LOCKED, plan.inventory, {"plan": plan.sha256})
    assert look(study).startswith("Nothing departs")
    write_plan(locked, plan.inventory, {**LOCKED, "user": "cd"})
    assert "plan.lock.json is not the one that was locked" in look(study)
    locked.unlink()
    assert "plan.lock.json was removed: audit.jsonl tells that it was locked" in look(study)


def test_a_plan_elsewhere_is_named_in_the_configuration(study, locked, tmp_path):
    elsewhere = tmp_path / "safe" / "the-plan.json"
    elsewhere.parent.mkdir()
    shutil.move(locked, elsewhere)
    shutil.move(digest_path(locked), elsewhere.with_name("the-plan.json.sha256"))
    study["study"]["plan_lock"] = str(elsewhere)
    assert look(study).startswith("Nothing departs from the-plan.json")
    study["study"]["plan_lock"] = str(tmp_path / "nowhere.json")
    with pytest.raises(ConfigError, match=r"study\.plan_lock: there is no file"):
        look(study)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 1, "locked": 3}', '{"format": 1, "locked": {}, "data": 3}']
)
def test_what_is_no_plan_is_refused_with_a_sentence(study, locked, text):
    locked.write_text(text)
    with pytest.raises(ConfigError, match="is no locked plan"):
        look(study)


def test_the_digest_file_is_one_that_sha256sum_checks(locked):
    command = [shutil.which("sha256sum"), "--check", "--strict", digest_path(locked).name]
    assert subprocess.run(command, cwd=locked.parent, check=False).returncode == 0  # noqa: S603 - no input of others
    locked.write_text(locked.read_text() + " ")
    assert subprocess.run(command, cwd=locked.parent, check=False).returncode == 1  # noqa: S603 - as above


@pytest.mark.parametrize("is_passphrase", [False, True])
def test_only_who_knows_the_secret_can_sign(locked, is_passphrase):
    secret = Secret(b"a secret of sixteen", is_passphrase)
    plan = read_plan(locked)
    write_plan(locked, plan.inventory, plan.locked, secret)
    assert secret.verifies(locked)
    assert not replace(secret, text=b"another secret of..").verifies(locked)
    with pytest.raises(PipelineError, match="was made with"):
        replace(secret, is_passphrase=not is_passphrase).verifies(locked)
    locked.write_text(locked.read_text() + " ")
    assert not secret.verifies(locked)
    write_plan(locked, plan.inventory, plan.locked)
    with pytest.raises(PipelineError, match="is not there or is no signature"):
        secret.verifies(locked)


def test_a_key_files_signature_is_a_plain_hmac_of_the_plan(locked):
    import hashlib  # noqa: PLC0415 - the test computes the promise by itself
    import hmac  # noqa: PLC0415 - as above

    key = b"a secret of sixteen"
    plan = read_plan(locked)
    write_plan(locked, plan.inventory, plan.locked, Secret(key, is_passphrase=False))
    told = json.loads(locked.with_name(f"{PLAN_NAME}.hmac.json").read_text())
    assert told["hmac"] == hmac.new(key, locked.read_bytes(), hashlib.sha256).hexdigest()


def test_a_short_secret_is_refused(tmp_path):
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ConfigError, match="5 bytes are too few"):
        read_secret(tmp_path / "key", None)
    with pytest.raises(ConfigError, match="too few to be a secret"):
        read_secret(None, "abc")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_secret(tmp_path / "none", None)
    assert read_secret(None, None) is None
