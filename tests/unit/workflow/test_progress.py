import io
import logging
import os
import pty
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import pytest

from graytrace.workflow.progress import ProgressHandler, hide_progress, show_progress

PATIENTS = {1: "sub-01", 2: "sub-01", 3: "sub-02", 4: None}
Event = Enum("Event", ["JOB_INFO", "JOB_FINISHED", "JOB_ERROR", "PROGRESS"])


class Terminal(io.StringIO):
    """Takes escape sequences and cursor movements."""

    def isatty(self):
        return True


def _words(text):
    """Without escape sequences: what somebody sees."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.fixture
def shown(monkeypatch):
    """A bar, what it wrote, and how to send it an event."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    bar = ProgressHandler(stream, PATIENTS, logging.StreamHandler(stream))

    def send(event, message="", **more):
        record = logging.LogRecord(
            "snakemake",
            logging.INFO if event in {"JOB_INFO", "JOB_FINISHED"} else logging.ERROR,
            "",
            0,
            message,
            None,
            None,
        )
        record.__dict__.update(event=Event[event] if event else None, **more)
        bar.handle(record)
        bar._bar.refresh()
        return _words(stream.getvalue())

    yield send
    bar.close()


def test_a_patient_has_one_line_when_all_its_steps_are_done(shown):
    assert "sub-01 is done" not in shown("JOB_FINISHED", job_id=1)
    assert "sub-01 is done (1 of 2 patients)\n" in shown("JOB_FINISHED", job_id=2)
    assert "sub-02 is done (2 of 2 patients)\n" in shown("JOB_FINISHED", job_id=3)
    text = shown("JOB_FINISHED", job_id=4)
    assert text.count("is done") == 2
    assert "4/4 steps" in text.rpartition("\r")[2]


def test_the_bar_says_how_long_it_will_take():
    now = [0.0]
    bar = ProgressHandler(Terminal(), PATIENTS, logging.StreamHandler(Terminal()), clock=lambda: now[0])
    for job in (1, 2):
        now[0] += 3600
        bar._finish(job)
    assert bar._bar.tasks[0].time_remaining == 7200
    bar.close()


def test_the_bar_never_breaks_into_a_second_line_and_messages_are_not_broken(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    bar = ProgressHandler(stream, PATIENTS, logging.StreamHandler(stream))
    bar._finish(1)
    bar._bar.refresh()
    drawn = _words(stream.getvalue()).splitlines()
    assert drawn
    assert max(map(len, drawn)) <= 40
    long = "a message that is to be copied, with a path in it: " + 10 * "/folder"
    bar.handle(logging.LogRecord("snakemake", logging.ERROR, "", 0, long, None, None))
    bar.close()
    assert f"{long}\n" in _words(stream.getvalue())


def test_the_cursor_is_there_again_as_soon_as_the_bar_is_drawn(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    bar = ProgressHandler(stream, PATIENTS, logging.StreamHandler(stream))
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")
    bar.close()


def test_errors_and_warnings_are_shown_in_full_and_single_jobs_are_not(shown):
    assert "rule inspect" not in shown("JOB_INFO", "rule inspect")
    assert "Error in rule inspect\n" in shown("JOB_ERROR", "Error in rule inspect")


@pytest.fixture
def logger():
    """Snakemake's logger with its own handler, which writes to a pseudo-terminal."""
    ours, theirs = pty.openpty()
    logger = logging.getLogger("snakemake.logging")
    before = list(logger.handlers)
    with os.fdopen(theirs, "w") as terminal:
        plain = logging.StreamHandler(terminal)
        plain.name = "DefaultStreamHandler"
        logger.handlers = [plain]
        yield logger
        logger.handlers = before
    os.close(ours)


def workflow_of(**asked):
    job = SimpleNamespace(wildcards_dict={"participant": "01"})
    dag = SimpleNamespace(needrun_jobs=lambda: [job], jobid=lambda _job: 7)
    settings = {"verbose": False, "printshellcmds": False, "quiet": set(), **asked}
    return SimpleNamespace(dag=dag, output_settings=SimpleNamespace(**settings))


def test_on_a_terminal_the_bar_takes_the_place_of_the_lines_until_the_end(logger):
    (plain,) = logger.handlers
    bar = show_progress(workflow_of())
    assert logger.handlers == [bar]
    hide_progress()
    assert logger.handlers == [plain]


@pytest.mark.parametrize("asked", [{"verbose": True}, {"printshellcmds": True}, {"quiet": {"all"}}])
def test_who_asked_for_more_or_fewer_lines_gets_them(logger, asked):
    (plain,) = logger.handlers
    assert show_progress(workflow_of(**asked)) is None
    assert logger.handlers == [plain]


def test_elsewhere_the_lines_stay_plain(logger):
    (plain,) = logger.handlers
    plain.stream = io.StringIO()
    assert show_progress(workflow_of()) is None
    assert logger.handlers == [plain]


def test_snakemake_has_what_the_bar_hooks_into():
    code = (
        "import snakemake.logging as s\n"
        "from snakemake.settings.types import OutputSettings\n"
        "m = s.LoggerManager(s.logger, OutputSettings())\n"
        "assert [h.name for h in s.logger.handlers] == ['DefaultStreamHandler'], s.logger.handlers\n"
        "from snakemake_interface_logger_plugins.common import LogEvent\n"
        "for name in 'JOB_INFO JOB_STARTED SHELLCMD JOB_FINISHED PROGRESS GROUP_INFO'.split(): LogEvent[name]\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
