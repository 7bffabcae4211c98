"""Stop at any moment, start again: finished work is kept, and the tables end the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TABLES = ("atrophy.tsv", "volumes.tsv", "quality.tsv", "scans.tsv", "atrophy.json")


def wait_for(process, found, what):
    """Wait until something is there while a run works."""
    for _ in range(1200):
        result = found()
        if result:
            return result
        assert process.poll() is None, f"the run ended before {what}"
        time.sleep(0.05)
    pytest.fail(f"never saw {what}")


def records(out):
    return {path: path.stat().st_mtime_ns for path in out.glob("records/*/*/*.json")}


def jobs_of(out):
    """Process ids of running jobs of a study."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:3] == [b"-m", b"pipeline"] and any(str(out).encode() in word for word in words):
            found.append(int(process.name))
    return found


@pytest.fixture
def small(bids, config):
    """A study of one scan that is no head: quick, and every step on it still writes its record."""
    shutil.rmtree(bids / "sub-01")
    return config


@pytest.fixture
def run_in(start):
    def run(name, config, out, *arguments):
        process, messages = start(name, config, out, *arguments)
        return process.wait(), messages.read_text()

    return run


def test_killed_jobs_killed_runs_and_second_runs_change_no_byte(start, run_in, small, tmp_path):
    code, messages = run_in("undisturbed", small, tmp_path / "undisturbed")
    assert code == 0, messages
    tables = {name: (tmp_path / "undisturbed" / name).read_bytes() for name in TABLES}
    out = tmp_path / "disturbed"

    first, messages = start("first", small, out)
    wait_for(first, (out / ".graytrace.lock").exists, "the lock")
    code, said = run_in("second", small, out)
    assert code == 1, "two runs in one folder of results"
    assert f"Another run works in {out} (process {first.pid} on " in said
    assert "Traceback" not in said

    os.kill(wait_for(first, lambda: jobs_of(out), "a job")[0], signal.SIGKILL)  # a job; it is tried again
    wait_for(first, lambda: records(out), "a record")
    first.send_signal(signal.SIGKILL)  # Snakemake alone: its job lives on as an orphan, as after a real kill -9
    first.wait()
    (out / "records" / ".part-half").write_text("{")

    again, _ = start("first", small, out)
    wait_for(again, lambda: len(records(out)) >= 3, "three records")
    os.killpg(again.pid, signal.SIGKILL)  # everything at once, as when the power goes
    again.wait()
    before = records(out)
    code, messages = run_in("first", small, out)
    assert code == 0, messages
    assert {name: (out / name).read_bytes() for name in TABLES} == tables
    kept = [path for path, when in records(out).items() if before.get(path) == when]
    assert len(kept) >= 2, "finished work is kept"
    meant = {".bidsignore", ".snakemake_timestamp"}  # the second is Snakemake's, in a folder that a rule declares
    left = [path.name for path in out.rglob(".*") if path.name not in meant]
    assert left == [], "neither half-written files nor a lock are left"


def test_a_folder_that_cannot_be_written_is_one_clear_message(run_in, small):
    code, said = run_in("readonly", small, Path("/proc/graytrace"))
    assert code == 1
    assert "Graytrace: study.output_dir: /proc/graytrace cannot be written" in said
    assert "Traceback" not in said


FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
from pipeline.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_full_disk_is_a_clear_message_and_leaves_the_old_file(bids, tmp_path):
    record = tmp_path / "out" / "records" / "sub-01" / "ses-BL" / "inspect.json"
    record.parent.mkdir(parents=True)
    record.write_text("old")
    t1w = bids / "sub-01" / "ses-BL" / "anat" / "sub-01_ses-BL_T1w.nii.gz"
    step = ["inspect", "--participant", "01", "--visit", "BL", "--t1w", str(t1w), "--record", str(record)]
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", FULL_DISK, *step], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "what is finished is kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert record.read_text() == "old"
    assert [path.name for path in record.parent.iterdir()] == ["inspect.json"]
