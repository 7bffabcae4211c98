"""A job as a process: it ends when the Snakemake that started it ends, and takes along what it started itself."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h
_NEVER, _TOP_PAD_BYTES = -1, 64 << 20
_GRACE_SECONDS = 5.0


def end_with_parent() -> None:
    """Have this process told to end when its parent ends, however that happens, and end tidily when told.

    A killed Snakemake cannot end its jobs. Without this they would work on, beside those of the next run. Only Linux
    can do it; elsewhere such a job works on, and as files are written whole or not at all, it damages nothing.
    """
    signal.signal(signal.SIGTERM, _leave)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def keep_memory() -> None:
    """Have freed memory used again instead of given back to the system.

    Arrays of a whole head come and go by the hundred. By default each is mapped and filled with zeros anew, which took
    a quarter of the time of measuring a pair. Only glibc can be told; elsewhere nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
        mallopt(_M_TOP_PAD, _TOP_PAD_BYTES)


def _leave(number: int, _frame: FrameType | None) -> None:
    """End by way of an exception, so that temporary files are removed."""
    end_children()
    sys.exit(128 + number)


def end_children() -> None:
    """End every process that this one has started, and what those have started.

    They stay in this process's group, so that Ctrl-C and a cluster's cancel reach them too.
    """
    started = _descendants(os.getpid())
    for kind in (signal.SIGTERM, signal.SIGKILL):
        for pid in started:
            try:
                os.kill(pid, kind)
            except ProcessLookupError:
                continue
        _wait_for(started)


def _wait_for(pids: list[int]) -> None:
    end = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < end and any(_is_running(pid) for pid in pids):
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def _descendants(pid: int) -> list[int]:
    """Process numbers of the children of a process, their children, and so on."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text(encoding="utf-8").split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found
