"""A run that can be audited, through Snakemake: what changed between runs is told by the next one, and written down."""

import os
import shutil
import signal
import time

import pytest

from graytrace.cli import main
from graytrace.files import file_sha256
from graytrace.workflow.audit_trail import HEAD_NAME, read_trail

EXCLUDED = "exclusion added: sub-02 BL_M24 (motion, by AB on 2026-05-06: blurred)"
REPLACED = "file replaced: sub-02/ses-BL/anat/sub-02_ses-BL_T1w.nii.gz (sha256"
WINDOW = "configuration study.window_months: [[18.0, 30.0]] -> [[10.0, 40.0]]"
EDITED = "line 2 was edited: entry 3 behind it tells another digest of it."


def said(audited, name):
    return (audited / f"said-{name}").read_text()


def changes(entry):
    """What an entry tells to have changed, but results."""
    return [change.describe() for change in entry.changes if change.section != "results"]


def test_a_run_writes_its_start_its_end_and_its_results(audited):
    text = said(audited, "first")
    assert text.startswith("exit code 0"), text
    assert "Nothing departs from plan.lock.json" in text
    entries = read_trail(audited / "out").entries[:3]
    assert [entry.event for entry in entries] == ["plan locked", "run started", "run ended"]
    results = {change.name: change.after for change in entries[2].changes}
    first = audited / "first"
    assert {"atrophy.tsv", "quality.tsv", "run.json", "report.html"} <= set(results)
    assert results == {name: file_sha256(first / name) for name in results}
    assert entries[2].sha256 in text
    assert "Nothing departs from it" in (first / "report.html").read_text()


def test_tables_are_the_same_bytes_with_and_without_a_plan(audited, small_tables):
    assert {name: (audited / "first" / name).read_bytes() for name in small_tables} == small_tables


@pytest.mark.parametrize("told", [EXCLUDED, REPLACED, WINDOW, "package nibabel: "])
def test_what_departs_from_the_plan_is_told_by_terminal_report_and_trail(audited, told):
    text = said(audited, "second")
    assert text.startswith("exit code 0"), text
    assert "4 departures from plan.lock.json" in text
    assert f"  {told}" in text
    page = (audited / "out" / "report.html").read_text().partition('id="plan"')[2].partition("</section>")[0]
    assert told.replace("->", "-&gt;") in page
    started = [entry for entry in read_trail(audited / "out").entries if entry.event == "run started"][-1]
    assert any(change.startswith(told) for change in changes(started))
    assert len(changes(started)) == 4


def test_an_edited_line_of_the_trail_is_told_by_the_next_run_and_by_audit(audited, capsys):
    assert f"audit.jsonl: {EDITED}" in said(audited, "second")
    assert main(["audit", str(audited / "out")]) == 1
    told = capsys.readouterr()
    assert EDITED in told.err
    assert EXCLUDED in told.out


def test_a_run_with_nothing_to_do_writes_an_entry_only_where_something_changed(audited):
    assert "Nothing to be done" in said(audited, "idle")
    first, idle, touched = ((audited / f"trail-{name}").read_bytes() for name in ("first", "idle", "touched"))
    assert idle == first
    assert touched.startswith(first)
    (entry,) = read_trail(audited / "out").entries[3:4]
    assert (entry.event, [change.name for change in entry.changes]) == ("run without work", ["methods.md"])


def test_a_dry_run_tells_departures_and_writes_nothing(audited):
    assert EXCLUDED in said(audited, "dry")
    assert (audited / "trail-dry").read_bytes() == (audited / "before-dry").read_bytes()


def test_check_tells_departures_too(audited, capsys):
    assert main(["check", str(audited / "bids"), "--config", str(audited / "my.yaml")]) == 0
    assert EXCLUDED in capsys.readouterr().out


def test_a_killed_run_leaves_a_start_without_an_end(small, tmp_path, start, capsys):
    out = tmp_path / "out"
    process, messages = start("killed", small, out)
    while process.poll() is None and not (out / HEAD_NAME).is_file():
        time.sleep(0.05)
    assert process.poll() is None, messages.read_text()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert main(["audit", str(out)]) == 0
    assert "The run of entry 1 works still, or was killed" in capsys.readouterr().out


def test_a_blinded_study_asks_no_dose_until_somebody_unblinds_it(small, bids, tmp_path, run_workflow):
    (bids / "participants.tsv").write_text("participant_id\tdose\nsub-02\t4.5\n")
    small["study"]["blind"] = True
    code, messages = run_workflow(small)
    assert code == 0, messages
    out = tmp_path / "out"
    assert "Blinded:" in messages
    assert len((out / "dose_response.tsv").read_text().splitlines()) == 1
    assert "sub-02" not in (out / "report.html").read_text()
    assert list((out / "gallery").rglob("*.jpg")) == []
    shutil.rmtree(out / "blinded")
    code, messages = run_workflow(small)
    assert code == 0, messages
    assert (out / "blinded" / "index.html").is_file()
    small["study"]["blind"] = False
    code, messages = run_workflow(small)
    assert code == 1
    assert "is blinded. To lift that: graytrace unblind" in messages
    assert "sub-02" not in (out / "report.html").read_text()
    assert main(["unblind", str(out), "--why", "nobody could be read"]) == 0
    small["study"]["blind"] = True  # the same command as before
    code, messages = run_workflow(small)
    assert code == 0, messages
    assert "Blinded:" not in messages
    assert 'id="sub-02_ses-M24"' in (out / "report.html").read_text()
    assert "dose" in (out / "dose_response.tsv").read_text().splitlines()[1]
    assert read_trail(out).faults == ()
