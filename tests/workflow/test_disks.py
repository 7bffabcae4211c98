"""Disks that are full or may not be written: a clear message, nothing damaged, and the input never touched."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from graytrace.files import file_sha256


@contextmanager
def mounted(folder, *arguments):
    """Something mounted on a folder for a while; only root may do that, and not in every container."""
    folder.mkdir()
    done = subprocess.run(["mount", *arguments, str(folder)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607


@contextmanager
def protected(folder, there):
    """A folder that nobody can write to: a read-only mount of it for root, whom modes do not hold; modes for others."""
    if os.geteuid() == 0:
        with mounted(there, "--bind", str(folder)):
            subprocess.run(["mount", "-o", "remount,bind,ro", str(there)], check=True)  # noqa: S603, S607
            yield there
        return
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path in reversed(paths):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield folder
    finally:
        for path in paths:
            path.chmod(modes[path])


def state(folder):
    """Everything in a folder: names, bytes and times of change."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, file_sha256(path) if path.is_file() else None)
        for path in sorted([folder, *folder.rglob("*")])
    }


@pytest.mark.usefixtures("small")
def test_the_data_set_is_never_written_to(run_workflow, bids, small_tables, tmp_path):
    before = state(bids)
    with protected(bids, tmp_path / "read-only") as there:
        with pytest.raises(OSError, match=r"Read-only|Permission"):
            (there / "sub-02" / "trial").touch()
        config = {"study": {"bids_dir": str(there), "output_dir": str(tmp_path / "out")}}
        code, messages = run_workflow(config, "--until", "aggregate_atrophy")
    assert code == 0, messages
    assert {name: (tmp_path / "out" / name).read_bytes() for name in small_tables} == small_tables
    assert state(bids) == before


def test_after_a_full_disk_is_freed_the_run_goes_on_to_the_same_bytes(run_in, small, small_tables, tmp_path):
    only_tables = ("--until", "aggregate_atrophy", "--retries", "0")
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=512k", "tmpfs") as disk:
        filler, out = disk / "filler", disk / "out"
        filler.write_bytes(bytes(512 * 1024 - 12 * 4096))  # room for a dozen small files
        code, messages = run_in("full", small, out, *only_tables)
        assert code == 1, messages
        # of the tables, to the terminal: the log of the step that broke is on the full disk too and may be empty
        said = rf"^aggregate_atrophy: {out}/\S+: No space left on device\. Free some space"
        assert re.search(said, messages, re.MULTILINE), messages
        assert "Traceback" not in messages
        kept = sorted(out.glob("records/*/*/*.json"))
        assert [json.loads(path.read_text())["step"] for path in kept] == [path.stem for path in kept], "whole files"
        assert not list(out.rglob(".part-*"))
        filler.unlink()
        code, messages = run_in("full", small, out, *only_tables)
        assert code == 0, messages
        assert {name: (out / name).read_bytes() for name in small_tables} == small_tables


def test_a_folder_that_cannot_be_written_is_one_clear_message(run_in, small):
    code, said = run_in("readonly", small, Path("/proc/graytrace"))
    assert code == 1
    assert "Graytrace: study.output_dir: /proc/graytrace cannot be written" in said
    assert "Traceback" not in said


SMALL_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
from graytrace.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_file_that_grows_too_large_is_a_clear_message_and_leaves_the_old_file(bids, tmp_path):
    record = tmp_path / "out" / "records" / "sub-01" / "ses-BL" / "inspect.json"
    record.parent.mkdir(parents=True)
    record.write_text("old")
    t1w = bids / "sub-01" / "ses-BL" / "anat" / "sub-01_ses-BL_T1w.nii.gz"
    step = ["inspect", "--participant", "01", "--visit", "BL", "--t1w", str(t1w), "--record", str(record)]
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", SMALL_FILES, *step], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "what is finished is kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert record.read_text() == "old"
    assert [path.name for path in record.parent.iterdir()] == ["inspect.json"]
