"""The one way to call an engine: a clean folder, the right environment, and no result that was not looked at."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graytrace.engines.command import run_command
from graytrace.engines.outputs import check_image
from graytrace.engines.registry import EMBEDDED, Engine, Task
from graytrace.engines.suites import require_programs
from graytrace.errors import ToolError
from graytrace.versions import imported_versions


@dataclass(frozen=True)
class TaskResult:
    """What a tool gave back, looked at.

    Parameters
    ----------
    images : mapping
        Output to its file in the job's folder.
    measures : mapping
        Numbers.
    tool_versions : mapping
        Tool to version.
    """

    images: Mapping[str, Path]
    measures: Mapping[str, Any] = field(default_factory=dict)
    tool_versions: Mapping[str, str] = field(default_factory=dict)


def run_task(task: Task, engine: Engine, inputs: Mapping[str, Any], *, cwd: Path, threads: int) -> TaskResult:
    """Run the interface that does a task and check everything that it gives back.

    Parameters
    ----------
    task : Task
        What is expected.
    engine : Engine
        Who does it.
    inputs : mapping
        Traits to values; files as absolute paths. An interface takes those that it has.
    cwd : Path
        An empty folder of this job alone.
    threads : int
        Cores that the tool may use.

    Raises
    ------
    ToolError
        The tool is absent or failed, or an output is missing, damaged, empty, not finite or on another grid.
    ImageError
        An embedded tool found the scan not measurable.
    """
    versions = {} if engine.suite == EMBEDDED else require_programs(engine.suite, engine.commands)
    module, _, name = engine.interface.partition(":")
    interface = getattr(importlib.import_module(module), name)()
    _set_inputs(interface, inputs, name)
    outputs = run_command(interface, cwd=cwd, threads=threads)
    written = {name: Path(value) for name, value in outputs.items() if isinstance(value, str)}
    expected = {output: kind for output, kind in task.images.items() if output not in engine.without}
    expected |= {output: kind for output, kind in task.optional.items() if output in written}
    grid = Path(inputs[task.grid_of]) if task.grid_of else None
    for output, kind in expected.items():
        check_image(written.get(output), kind, tool=name, output=output, grid=grid)
    return TaskResult(
        {output: written[output] for output in expected},
        json.loads(written["measures"].read_text(encoding="utf-8")) if "measures" in written else {},
        {**imported_versions(), **versions},
    )


def _set_inputs(interface: Any, inputs: Mapping[str, Any], name: str) -> None:
    """Set the inputs that an interface has; not every engine needs all that the task offers."""
    known = interface.inputs.copyable_trait_names()
    for trait, value in inputs.items():
        if trait not in known:
            continue
        try:
            setattr(interface.inputs, trait, str(value) if isinstance(value, Path) else value)
        except Exception as error:  # TraitError, which is no subclass of anything useful
            raise ToolError(f"{name} failed: {error}") from error
