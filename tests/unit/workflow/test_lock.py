import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from graytrace.errors import PipelineError
from graytrace.files import remove_parts, whole_file
from graytrace.workflow.lock import LOCK_NAME, lock_folder

HOLDER = """
import sys, time
from pathlib import Path
from graytrace.workflow.lock import lock_folder
lock = lock_folder(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own code
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_holds_the_folder(tmp_path, holder):
    with pytest.raises(PipelineError, match=rf"Another run works in .* \(process {holder.pid} on "):
        lock_folder(tmp_path)


def test_a_killed_holder_leaves_nothing_to_unlock(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    lock = lock_folder(tmp_path)
    assert lock.is_after_crash
    with pytest.raises(PipelineError, match=f"process {os.getpid()}"):
        lock_folder(tmp_path)
    lock.release()


def test_a_released_folder_holds_no_trace(tmp_path):
    lock = lock_folder(tmp_path / "out")
    assert not lock.is_after_crash
    lock.release()
    lock.release()
    assert list((tmp_path / "out").iterdir()) == []
    lock_folder(tmp_path / "out").release()


def test_of_many_at_once_one_gets_the_folder(tmp_path):
    def attempt(_number):
        try:
            return lock_folder(tmp_path)
        except PipelineError:
            return None

    for _ in range(20):
        with ThreadPoolExecutor(8) as pool:
            held = [lock for lock in pool.map(attempt, range(8)) if lock]
        assert len(held) == 1
        held[0].release()


def test_a_note_of_another_machine_asks_for_a_decision(tmp_path):
    (tmp_path / LOCK_NAME).write_text(json.dumps({"host": "elsewhere", "pid": 1, "since": "2026-01-01"}))
    with pytest.raises(PipelineError, match=r"started on elsewhere.*delete"):
        lock_folder(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_damaged_note_stops_nobody(tmp_path, text):
    (tmp_path / LOCK_NAME).write_text(text)
    lock_folder(tmp_path).release()


def test_where_the_file_system_has_no_locks_the_note_is_the_lock(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    lock = lock_folder(tmp_path)
    with pytest.raises(PipelineError, match="has no locks"):
        lock_folder(tmp_path)
    lock.release()
    lock_folder(tmp_path).release()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError, match=r"study\.output_dir: .*file/out cannot be written"):
        lock_folder(tmp_path / "file" / "out")


def test_what_a_killed_writer_left_is_removed(tmp_path):
    (tmp_path / "sub").mkdir()
    with whole_file(tmp_path / "sub" / "a.json") as part:
        part.write_text("half")
        left = part.with_name(f"{part.name}-left")
        left.write_text("half")
    remove_parts(tmp_path)
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["a.json"]
