"""On a terminal, a line for each patient who is done and a bar with the time left, in place of a line for each job.

Elsewhere (a log file, a cluster's output) Snakemake's own plain lines stay as they are.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_WHOLE_RUN = 1e9  # seconds that count for the speed: steps are few and differ much, so the last minute says little


class ProgressHandler(logging.Handler):
    """Turns Snakemake's events into lines for patients and a bar.

    Parameters
    ----------
    stream : text file
        The terminal.
    patients : mapping
        Number of each planned job to its patient; None for a job of the whole study.
    plain : logging.StreamHandler
        Writes what is not progress.
    clock : callable
        Seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        patients: Mapping[int, str | None],
        plain: logging.StreamHandler[Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._stream = stream
        self._patients = patients
        self.plain = plain
        self._left = Counter(name for name in patients.values() if name)
        self._total = len(self._left)
        self._console = Console(file=stream, highlight=False, markup=False, soft_wrap=True)
        self._bar = Progress(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("steps, time left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            refresh_per_second=2,
            redirect_stdout=False,
            redirect_stderr=False,
            speed_estimate_period=_WHOLE_RUN,
            get_time=clock,
        )
        self._task = self._bar.add_task("", total=len(patients))
        plain.setStream(FileProxy(self._console, stream))  # its lines go above the bar
        self._bar.start()
        self._console.show_cursor(True)  # the bar hides it; a killed run could not give it back

    def emit(self, record: logging.LogRecord) -> None:
        """Show what an event changes."""
        event = getattr(getattr(record, "event", None), "name", "")
        if event == "JOB_FINISHED":
            self._finish(getattr(record, "job_id", None))
        elif record.levelno >= logging.WARNING:  # others tell of single jobs that go well
            self.plain.handle(record)

    def _finish(self, job: int | None) -> None:
        if job is None or job not in self._patients:
            return
        self._bar.advance(self._task)
        name = self._patients[job]
        if not name:
            return
        self._left[name] -= 1
        if self._left[name] == 0:
            done = sum(count == 0 for count in self._left.values())
            self._console.print(f"{name} is done ({done} of {self._total} patients)")

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()
        self.plain.setStream(self._stream)
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
