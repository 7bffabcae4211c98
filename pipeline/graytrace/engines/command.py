"""Running one command-line tool through its nipype interface: no result after anything that went wrong.

nipype's ``run()`` does not raise on a non-zero exit code, knows no time limit and finds out late that a program is
absent; all three are handled here, each with its own error that ends with the tool's last lines.
"""

from __future__ import annotations

import os
import shlex
import threading
from pathlib import Path
from typing import Any, Self

from graytrace.engines.environment import OUTPUT_TYPE, QUIET, tool_environment
from graytrace.engines.processes import end_children
from graytrace.engines.suites import find_command
from graytrace.errors import PipelineError, ToolError

# nipype reads some variables when an interface is made, before it starts a process
os.environ.update({**QUIET, **OUTPUT_TYPE})

TAIL_LINES = 15
_KILLED = (-9, 137)


def run_command(
    interface: Any, *, cwd: Path, threads: int = 1, time_limit_hours: float | None = None
) -> dict[str, Any]:
    """Run a nipype interface and return its outputs.

    Parameters
    ----------
    interface : nipype.interfaces.base.BaseInterface
        With its inputs set.
    cwd : Path
        A folder of this job alone, where the tool starts and writes.
    threads : int
        Cores that the tool may use.
    time_limit_hours : float, optional
        When it takes longer, the tool and everything that it started is ended.

    Raises
    ------
    ToolError
        ``tool_absent``, ``tool_killed``, ``tool_time_limit``, ``output_missing`` or ``tool_failed``.
    """
    name = type(interface).__name__
    command = getattr(interface, "cmd", None)
    if command:
        find_command(shlex.split(command)[0])
    _prepare(interface, threads)
    with _Deadline(time_limit_hours) as deadline:
        _check_before_outputs(interface, name, deadline)
        try:
            result = interface.run(cwd=str(cwd.resolve()))
        except (PipelineError, MemoryError):
            raise
        except Exception as error:  # OSError, ValueError, TraitError, RuntimeError …: as the interface's author liked
            deadline.check(name, str(error))
            raise _translate(error, name) from error
    return dict(result.outputs.get())


def _check_before_outputs(interface: Any, name: str, deadline: _Deadline) -> None:
    """Have the exit code looked at before outputs are looked for: a missing file would hide why it is missing."""
    start = interface._run_interface  # noqa: SLF001 - the one place between a tool's end and nipype's look at its files

    def run_and_check(runtime: Any, *args: Any, **options: Any) -> Any:
        ended = start(runtime, *args, **options)
        said = "\n".join(filter(None, (getattr(ended, part, "") or "" for part in ("stdout", "stderr"))))
        deadline.check(name, said)
        _check_exit(ended, name, said)
        return ended

    interface._run_interface = run_and_check  # noqa: SLF001


def _prepare(interface: Any, threads: int) -> None:
    names = interface.inputs.copyable_trait_names()
    if "num_threads" in names:
        interface.inputs.num_threads = threads
    if "environ" in names:
        interface.inputs.environ = {**interface.inputs.environ, **tool_environment(threads)}


def _translate(error: Exception, name: str) -> ToolError:
    """A ToolError from whatever an interface raised."""
    text = tail(str(error)) or type(error).__name__
    if isinstance(error, FileNotFoundError):  # nipype's word for an output that the tool did not write
        return ToolError(f"{name} ended well but did not write what it should: {text}", code="output_missing")
    return ToolError(f"{name} failed: {text}")


def _check_exit(runtime: Any, name: str, said: str) -> None:
    code = getattr(runtime, "returncode", None)
    if code is None or code in (getattr(runtime, "success_codes", None) or (0,)):
        return
    command = getattr(runtime, "cmdline", name)
    ending = f"\nCommand: {command}\nIts last lines:\n{tail(said) or '(it said nothing)'}"
    if code in _KILLED:
        raise ToolError(
            f"{name} was killed (exit code {code}), probably for want of memory: "
            f"give the rule more (--set-resources RULE:mem_mb=…).{ending}",
            code="tool_killed",
        )
    raise ToolError(f"{name} ended with exit code {code}.{ending}")


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a text."""
    return "\n".join(text.strip().splitlines()[-lines:])


class _Deadline:
    """Ends every process that this one has started once the time is up."""

    def __init__(self, hours: float | None) -> None:
        self.hours = hours
        self.is_over = False
        self._timer = threading.Timer(3600 * hours, self._end) if hours else None

    def __enter__(self) -> Self:
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def check(self, name: str, said: str) -> None:
        """Raise when the time was up, whatever the tool then said."""
        if self.is_over:
            raise ToolError(
                f"{name} took longer than its time limit of {self.hours:g} hours and was ended; "
                f"time_limit_hours in the engine's section of the configuration sets it.\n"
                f"Its last lines:\n{tail(said) or '(it said nothing)'}",
                code="tool_time_limit",
            )

    def _end(self) -> None:
        self.is_over = True
        end_children()
