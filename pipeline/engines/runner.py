"""The one way to call an interface: a clean folder, the right environment, and no result that was not looked at.

nipype's ``run()`` raises neither on a non-zero exit code nor on a damaged output; both are checked here.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.engines.environment import QUIET, tool_environment
from pipeline.engines.registry import ImageKind, Task
from pipeline.errors import ImageError, PipelineError, ToolError
from pipeline.images.grids import describe_grid, is_same_grid
from pipeline.images.reading import read_volume
from pipeline.provenance import package_versions

os.environ.update(QUIET)

TAIL_LINES = 15
_KILLED = (-9, 137)
_FRACTION_SLACK = 1e-3  # single precision and a tool's own rounding


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


def run_task(task: Task, interface: str, inputs: Mapping[str, Any], *, cwd: Path, threads: int) -> TaskResult:
    """Run the interface that does a task and check everything that it gives back.

    Parameters
    ----------
    task : Task
        What is expected.
    interface : str
        ``module:class`` of a nipype interface.
    inputs : mapping
        Traits to values; files as absolute paths.
    cwd : Path
        An empty folder of this job alone.
    threads : int
        Cores that the tool may use.

    Raises
    ------
    ToolError
        The tool failed, or an output is missing, damaged, empty, not finite or on another grid.
    ImageError
        An embedded tool found the scan not measurable.
    """
    module, _, name = interface.partition(":")
    node = getattr(importlib.import_module(module), name)()
    outputs = _call(node, name, inputs, cwd.resolve(), threads)
    written = {name: Path(value) for name, value in outputs.items() if isinstance(value, str)}
    expected = {**task.images, **{output: kind for output, kind in task.optional.items() if output in written}}
    for output, kind in expected.items():
        grid = Path(inputs[task.grid_of]) if task.grid_of else None
        check_image(written.get(output), kind, tool=name, output=output, grid=grid)
    return TaskResult(
        {output: written[output] for output in expected},
        json.loads(written["measures"].read_text(encoding="utf-8")) if "measures" in written else {},
        package_versions(*getattr(node, "distributions", ())),
    )


def _call(node: Any, name: str, inputs: Mapping[str, Any], cwd: Path, threads: int) -> dict[str, Any]:
    """Run a nipype interface; every way in which it can fail becomes a ToolError with the tool's last lines."""
    try:
        for trait, value in inputs.items():
            setattr(node.inputs, trait, str(value) if isinstance(value, Path) else value)
        if "num_threads" in node.inputs.copyable_trait_names():
            node.inputs.num_threads = threads
        if "environ" in node.inputs.copyable_trait_names():
            node.inputs.environ = {**node.inputs.environ, **tool_environment(threads)}
        result = node.run(cwd=str(cwd))
    except (PipelineError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # nipype raises OSError, ValueError, TraitError, RuntimeError … as the interface's author liked
        raise ToolError(f"{name} failed: {tail(str(error)) or type(error).__name__}") from error
    _check_exit(result.runtime, name)
    return dict(result.outputs.get())


def _check_exit(runtime: Any, name: str) -> None:
    code = getattr(runtime, "returncode", None)
    if code is None or code in (getattr(runtime, "success_codes", None) or (0,)):
        return
    said = tail("\n".join(filter(None, (getattr(runtime, "stdout", ""), getattr(runtime, "stderr", "")))))
    killed = " It was killed, probably for want of memory." if code in _KILLED else ""
    command = getattr(runtime, "cmdline", name)
    raise ToolError(f"{name} ended with exit code {code}.{killed}\nCommand: {command}\nIts last lines:\n{said}")


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a text."""
    return "\n".join(text.strip().splitlines()[-lines:])


def find_command(name: str) -> str:
    """Path of a program.

    Raises
    ------
    ToolError
        It is not on PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise ToolError(f"{name} is not installed (not on PATH).", code="tool_absent")
    return found


def check_image(path: Path | None, kind: ImageKind, *, tool: str, output: str, grid: Path | None) -> None:
    """Make sure that an image that a tool wrote can be measured.

    Raises
    ------
    ToolError
        It is missing, damaged or on another grid (the machinery's fault), or empty or not finite (about the data).
    """
    if path is None or not path.is_file():
        raise ToolError(f"{tool} ended well but wrote no {output}.", code="output_missing")
    try:
        volume = read_volume(path)
    except ImageError as error:
        raise ToolError(f"{tool} wrote a damaged {output}: {error}", code="output_damaged") from error
    if grid is not None and not is_same_grid(volume, reference := read_volume(grid)):
        raise ToolError(
            f"{tool} wrote {output} on another grid: {describe_grid(volume)}; expected {describe_grid(reference)}.",
            code="output_grid",
        )
    data = volume.data
    if not np.isfinite(data).all():
        raise ToolError(
            f"{tool} wrote {output} with voxels that are not finite.", code="output_not_finite", about_data=True
        )
    if not data.any():
        raise ToolError(f"{tool} found nothing: {output} is empty.", code="output_empty", about_data=True)
    if kind == "mask" and not np.isin(data, (0, 1)).all():
        raise ToolError(f"{tool} wrote {output} with values other than 0 and 1.", code="output_range")
    if kind == "fraction" and (data.min() < -_FRACTION_SLACK or data.max() > 1 + _FRACTION_SLACK):
        raise ToolError(f"{tool} wrote {output} with values outside 0 to 1.", code="output_range")
