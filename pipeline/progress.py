"""On a terminal, a line for each patient who is done and a bar with the time left, in place of a line for each job.

Elsewhere (a log file, a cluster's output) Snakemake's own plain lines stay as they are.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, TextIO

_BAR_WIDTH = 30
_CLEAR = "\r\x1b[K"


class ProgressHandler(logging.Handler):
    """Turns Snakemake's events into lines for patients and a bar.

    Parameters
    ----------
    stream : text file
        The terminal.
    patients : mapping
        Number of each planned job to its patient; None for a job of the whole study.
    plain : logging.Handler
        Writes what is not progress.
    """

    def __init__(self, stream: TextIO, patients: Mapping[int, str | None], plain: logging.Handler) -> None:
        super().__init__()
        self._stream = stream
        self._patients = patients
        self.plain = plain
        self._left = Counter(name for name in patients.values() if name)
        self._total = len(self._left)
        self._jobs_done = 0
        self._start = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Show what an event changes."""
        event = getattr(getattr(record, "event", None), "name", "")
        if event == "JOB_FINISHED":
            self._finish(getattr(record, "job_id", None))
        elif record.levelno < logging.WARNING:  # tells of single jobs that go well
            return
        else:
            self._stream.write(_CLEAR)
            self.plain.handle(record)
        self._draw()

    def _finish(self, job: int | None) -> None:
        if job is None or job not in self._patients:
            return
        self._jobs_done += 1
        name = self._patients[job]
        if not name:
            return
        self._left[name] -= 1
        if self._left[name] == 0:
            done = sum(count == 0 for count in self._left.values())
            self._stream.write(f"{_CLEAR}{name} is done ({done} of {self._total} patients)\n")

    def _draw(self) -> None:
        jobs = len(self._patients)
        full = round(_BAR_WIDTH * self._jobs_done / jobs)
        bar = "#" * full + "-" * (_BAR_WIDTH - full)
        text = f"[{bar}] {self._jobs_done} of {jobs} steps, {self._time_left()}"
        columns = shutil.get_terminal_size().columns  # a line that breaks could not be written over
        self._stream.write(_CLEAR + text[: columns - 1])
        self._stream.flush()

    def _time_left(self) -> str:
        """The time left if the rest takes as long for each step as what was done."""
        if not self._jobs_done:
            return "time left not known yet"
        elapsed = time.monotonic() - self._start
        minutes = round(elapsed / self._jobs_done * (len(self._patients) - self._jobs_done) / 60)
        if not minutes:
            return "less than a minute left"
        return f"about {minutes // 60} h {minutes % 60:02d} min left"

    def close(self) -> None:
        """Take the bar away."""
        self._stream.write(_CLEAR)
        self._stream.flush()
        super().close()


def show_progress(workflow: Any) -> ProgressHandler | None:
    """Put a bar in place of Snakemake's lines where they go to a terminal and nobody asked for more of them.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
        About to run.
    """
    logger = logging.getLogger("snakemake.logging")
    plain: Any = next((handler for handler in logger.handlers if handler.name == "DefaultStreamHandler"), None)
    asked = workflow.output_settings
    if plain is None or not plain.stream.isatty() or asked.verbose or asked.printshellcmds or asked.quiet:
        return None
    patients: dict[int, str | None] = {}
    for job in workflow.dag.needrun_jobs():
        label = job.wildcards_dict.get("participant")
        patients[workflow.dag.jobid(job)] = f"sub-{label}" if label else None
    bar = ProgressHandler(plain.stream, patients, plain)
    logger.removeHandler(plain)
    logger.addHandler(bar)
    return bar


def hide_progress() -> None:
    """Take the bar away and give Snakemake's lines back, for the last lines of a run."""
    logger = logging.getLogger("snakemake.logging")
    for bar in [handler for handler in logger.handlers if isinstance(handler, ProgressHandler)]:
        logger.removeHandler(bar)
        logger.addHandler(bar.plain)
        bar.close()
