"""Which engine does which task, and what a task takes and gives back whoever does it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.errors import ConfigError

ImageKind = Literal["image", "mask", "fraction"]
EMBEDDED = "embedded"
# engines that the design knows, so that asking for one of a later version is no spelling mistake
PLANNED = ("fsl", "ants", "freesurfer")


@dataclass(frozen=True)
class Task:
    """What an engine's interface must offer to do a task.

    Parameters
    ----------
    images : mapping
        Output trait to the kind of image that it must be.
    grid_of : str or None
        Input trait whose grid the images must have; None where the task chooses the grid.
    interfaces : mapping
        Engine to its nipype interface, as ``module:class``.
    data_files : tuple of str
        Files of the package that the result depends on besides the code.
    optional : mapping
        As `images`, what not every engine can give.
    """

    images: Mapping[str, ImageKind]
    grid_of: str | None
    interfaces: Mapping[str, str]
    data_files: tuple[str, ...] = ()
    optional: Mapping[str, ImageKind] = field(default_factory=dict)


_WEIGHTS = ("pipeline/engines/weights/structures.onnx",)
TASKS: Mapping[str, Task] = {
    "skull_strip": Task(
        images={"brain_mask": "mask", "intracranial_mask": "mask"},
        grid_of="in_file",
        interfaces={EMBEDDED: "pipeline.engines.embedded.brain:ExtractBrain"},
        data_files=_WEIGHTS,
    ),
    "bias_correction": Task(
        images={"out_file": "image"},
        grid_of="in_file",
        interfaces={EMBEDDED: "pipeline.engines.embedded.bias:CorrectBias"},
    ),
    "lesion_filling": Task(
        images={"out_file": "image"},
        grid_of="in_file",
        interfaces={EMBEDDED: "pipeline.engines.embedded.lesions:FillLesions"},
    ),
    "segmentation": Task(
        images={"gm_fraction": "fraction", "wm_fraction": "fraction", "csf_fraction": "fraction"},
        grid_of="in_file",
        interfaces={EMBEDDED: "pipeline.engines.embedded.tissue:SegmentTissue"},
        data_files=_WEIGHTS,
        optional={"subcortical_gm_fraction": "fraction"},
    ),
    "alignment": Task(
        images={},
        grid_of=None,
        interfaces={EMBEDDED: "pipeline.engines.embedded.alignment:AlignVisits"},
    ),
    "change": Task(
        images={"baseline_midway": "image", "followup_midway": "image", "change_map": "image"},
        grid_of=None,
        interfaces={EMBEDDED: "pipeline.engines.embedded.change:MeasureChange"},
    ),
}
# the tasks whose engine a study chooses in its configuration
STAGES = ("skull_strip", "segmentation", "change")


def interface_of(task: str, engine: str) -> str:
    """The nipype interface (``module:class``) that does a task.

    Raises
    ------
    ConfigError
        The engine does not do this task, with a list of those that do.
    """
    interfaces = TASKS[task].interfaces
    if engine in interfaces:
        return interfaces[engine]
    available = ", ".join(interfaces)
    if engine in PLANNED:
        raise ConfigError(f"engines.{task}: {engine} is not available in this version; available: {available}.")
    near = difflib.get_close_matches(engine, interfaces, n=1)
    suggestion = f" Did you mean {near[0]}?" if near else ""
    raise ConfigError(f"engines.{task}: there is no engine {engine!r}; available: {available}.{suggestion}")


def check_engines(engines: Mapping[str, str]) -> None:
    """Make sure that every stage's engine exists.

    Raises
    ------
    ConfigError
        The first that does not.
    """
    for stage in STAGES:
        interface_of(stage, engines[stage])


def code_behind(task: str, engine: str) -> tuple[str, ...]:
    """Module and data files that a task's result comes from, for `pipeline.provenance.code_fingerprint`."""
    return interface_of(task, engine).partition(":")[0], *TASKS[task].data_files
