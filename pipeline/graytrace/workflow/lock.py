"""One run at a time in a folder of results, without anything to unlock after a crash.

The operating system holds the lock (flock) for as long as the process lives, so a killed run leaves none behind. A note
in the locked file says who holds it. Where the file system has no such locks, the note itself is the lock, and where a
note of another machine is left, nobody here can know whether that run still works: both ask for a human's decision.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from graytrace.errors import PipelineError

LOCK_NAME = ".graytrace.lock"
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


@dataclass
class RunLock:
    """A held lock.

    Parameters
    ----------
    is_after_crash : bool
        Whether the run before did not end by itself.
    """

    path: Path
    handle: int
    is_after_crash: bool

    def release(self) -> None:
        """Let others in; what a killed process cannot do, the operating system does for it."""
        if self.handle >= 0:
            os.ftruncate(self.handle, 0)
            self.path.unlink(missing_ok=True)
            os.close(self.handle)
            self.handle = -1


def lock_folder(folder: Path) -> RunLock:
    """Make sure that `folder` can be written and that no other run works in it.

    Raises
    ------
    PipelineError
        The folder cannot be written, or another run holds it.
    """
    path = folder / LOCK_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            handle, is_new = _open(path)
            held = _hold(handle, path, is_new=is_new)
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                break
            os.close(handle)  # its last holder removed it in between: this lock is on a file that is no more
        if held is not None and held.get("host") != socket.gethostname():
            os.close(handle)
            raise PipelineError(
                f"A run in {folder} was started on {held.get('host')} (process {held.get('pid')}, {held.get('since')}) "
                f"and did not end there, as far as this machine can see. If it is dead, delete {path} and start again."
            )
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "since": datetime.now(UTC).isoformat("T", "seconds")}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(owner).encode(), 0)
        os.fsync(handle)
    except OSError as error:
        raise PipelineError(
            f"study.output_dir: {folder} cannot be written ({error.strerror or error}). "
            "Free some space, ask for the right to write there, or choose another folder."
        ) from error
    return RunLock(path, handle, held is not None)


def _open(path: Path) -> tuple[int, bool]:
    """The lock's file, open, and whether it was made just now, by this process alone."""
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), True
        except FileExistsError:
            try:
                return os.open(path, os.O_RDWR | os.O_CLOEXEC), False
            except FileNotFoundError:
                continue


def _hold(handle: int, path: Path, *, is_new: bool) -> Mapping[str, object] | None:
    """Lock an open file; the note of a holder that did not release it, None where there is none."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note = _note(handle)
        os.close(handle)
        raise PipelineError(_busy(path, note)) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        if not is_new:
            note = _note(handle)
            os.close(handle)
            raise PipelineError(
                f"{_busy(path, note)} This file system has no locks: if that run is dead, delete {path}."
            ) from None
        return None
    return None if is_new else _note(handle)


def _note(handle: int) -> Mapping[str, object] | None:
    """What a lock's file says of its holder; None where it says nothing."""
    try:
        note = json.loads(os.pread(handle, 4096, 0))
    except ValueError:
        return None
    return note if isinstance(note, dict) else None


def _busy(path: Path, note: Mapping[str, object] | None) -> str:
    who = f"process {note.get('pid')} on {note.get('host')}, since {note.get('since')}" if note else "just started"
    return f"Another run works in {path.parent} ({who}): wait for it, or choose another study.output_dir."
