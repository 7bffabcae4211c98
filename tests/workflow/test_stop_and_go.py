"""Stop at any moment, start again: finished work is kept, and the tables end the same bytes."""

import os
import signal
import time
from pathlib import Path

import pytest


def wait_for(process, found, what):
    """Wait until something is there while a run works."""
    for _ in range(1200):
        result = found()
        if result:
            return result
        assert process.poll() is None, f"the run ended before {what}"
        time.sleep(0.05)
    pytest.fail(f"never saw {what}")


def wait_until(found, what):
    for _ in range(600):
        if found():
            return
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
        if words[1:3] == [b"-m", b"graytrace"] and any(str(out).encode() in word for word in words):
            found.append(int(process.name))
    return found


def test_killed_jobs_killed_runs_and_second_runs_change_no_byte(start, run_in, small, small_tables, tmp_path):
    out = tmp_path / "disturbed"

    first, messages = start("first", small, out)
    wait_for(first, (out / ".graytrace.lock").exists, "the lock")
    code, said = run_in("second", small, out)
    assert code == 1, "two runs in one folder of results"
    assert f"Another run works in {out} (process {first.pid} on " in said
    assert "Traceback" not in said

    os.kill(wait_for(first, lambda: jobs_of(out), "a job")[0], signal.SIGKILL)  # a job; it is tried again
    wait_for(first, lambda: records(out), "a record")
    wait_for(first, lambda: jobs_of(out), "the next job")
    first.send_signal(signal.SIGKILL)  # Snakemake alone, which cannot end its jobs any more
    first.wait()
    wait_until(lambda: not jobs_of(out), "the end of its jobs")
    (out / "records" / ".part-half").write_text("{")

    again, _ = start("first", small, out)
    wait_for(again, lambda: len(records(out)) >= 3, "three records")
    os.killpg(again.pid, signal.SIGKILL)  # everything at once, as when the power goes
    again.wait()
    before = records(out)
    code, messages = run_in("first", small, out)
    assert code == 0, messages
    assert {name: (out / name).read_bytes() for name in small_tables} == small_tables
    kept = [path for path, when in records(out).items() if before.get(path) == when]
    assert len(kept) >= 2, "finished work is kept"
    meant = {".bidsignore", ".snakemake_timestamp"}  # the second is Snakemake's, in a folder that a rule declares
    # beside each record that reads a file of the user's: by what that file is known again
    left = [path.name for path in out.rglob(".*") if path.name not in meant and path.suffix != ".sources"]
    assert left == [], "neither half-written files nor a lock are left"
