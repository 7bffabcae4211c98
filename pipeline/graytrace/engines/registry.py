"""Which engine does which task, and what a task takes and gives back whoever does it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from graytrace.errors import ConfigError

ImageKind = Literal["image", "mask", "fraction", "labels"]
EMBEDDED = "embedded"


@dataclass(frozen=True)
class Engine:
    """How an engine does a task.

    Parameters
    ----------
    interface : str
        nipype interface, as ``module:class``.
    suite : str
        Section of the configuration and container image; ``embedded`` needs neither programs nor a section.
    commands : tuple of str
        Programs that it calls.
    options : tuple of str
        Keys of the suite's section that are inputs of the interface.
    needs : tuple of str
        Those of `options` that must be set.
    without : tuple of str
        Images of the task that it cannot give.
    mem_mb : int or None
        Memory to ask for with a 1 mm head, an estimate on the safe side; None: what was measured for embedded.
    """

    interface: str
    suite: str = EMBEDDED
    commands: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    mem_mb: int | None = None


@dataclass(frozen=True)
class Task:
    """What an engine's interface must offer to do a task.

    Parameters
    ----------
    images : mapping
        Output trait to the kind of image that it must be.
    grid_of : str or None
        Input trait whose grid the images must have; None where the task chooses the grid.
    engines : mapping
        Name to how that engine does it.
    data_files : tuple of str
        Files of the package that the embedded engine's result depends on besides the code.
    optional : mapping
        As `images`, what not every engine can give.
    """

    images: Mapping[str, ImageKind]
    grid_of: str | None
    engines: Mapping[str, Engine]
    data_files: tuple[str, ...] = ()
    optional: Mapping[str, ImageKind] = field(default_factory=dict)


_TIME = ("time_limit_hours",)
_NO_MIDWAY = ("baseline_midway", "followup_midway", "change_map")
_WEIGHTS = ("graytrace/engines/embedded/weights/structures.onnx",)
_ATLAS = ("graytrace/engines/embedded/weights/atlas.npz",)
TASKS: Mapping[str, Task] = {
    "skull_strip": Task(
        images={"brain_mask": "mask", "intracranial_mask": "mask"},
        grid_of="in_file",
        engines={
            EMBEDDED: Engine("graytrace.engines.embedded.brain:ExtractBrain"),
            "fsl": Engine("graytrace.engines.fsl.bet:BetBrain", "fsl", ("bet",), ("bet_fraction", *_TIME)),
            "ants": Engine(
                "graytrace.engines.ants.brain:AntsBrain",
                "ants",
                ("antsBrainExtraction.sh", "antsRegistration"),
                ("template", "template_brain_probability", "template_registration_mask", *_TIME),
                needs=("template", "template_brain_probability"),
                mem_mb=6000,
            ),
            "freesurfer": Engine(
                "graytrace.engines.freesurfer.synthstrip:SynthStripBrain",
                "freesurfer",
                ("mri_synthstrip",),
                _TIME,
                mem_mb=8000,
            ),
            "deepbet": Engine(
                "graytrace.engines.deepbet.brain:DeepbetBrain",
                "deepbet",
                ("deepbet-cli",),
                ("threshold", *_TIME),
                mem_mb=4000,
            ),
        },
        data_files=_WEIGHTS,
    ),
    "bias_correction": Task(
        images={"out_file": "image"},
        grid_of="in_file",
        engines={EMBEDDED: Engine("graytrace.engines.embedded.bias:CorrectBias")},
    ),
    "lesion_detection": Task(
        images={"lesion_mask": "mask"},
        grid_of="in_file",
        engines={EMBEDDED: Engine("graytrace.engines.embedded.lesions:FindLesions")},
        data_files=_WEIGHTS,
    ),
    "lesion_filling": Task(
        images={"out_file": "image"},
        grid_of="in_file",
        engines={EMBEDDED: Engine("graytrace.engines.embedded.lesions:FillLesions")},
    ),
    "segmentation": Task(
        images={"gm_fraction": "fraction", "wm_fraction": "fraction", "csf_fraction": "fraction"},
        grid_of="in_file",
        engines={
            EMBEDDED: Engine("graytrace.engines.embedded.tissue:SegmentTissue"),
            "fsl": Engine("graytrace.engines.fsl.fast:FastTissue", "fsl", ("fast",), _TIME, mem_mb=3000),
            "ants": Engine(
                "graytrace.engines.ants.tissue:AtroposTissue",
                "ants",
                ("N4BiasFieldCorrection", "Atropos", "antsRegistration"),
                _TIME,
                mem_mb=4000,
            ),
            "freesurfer": Engine(
                "graytrace.engines.freesurfer.synthseg:SynthSegTissue",
                "freesurfer",
                ("mri_synthseg",),
                ("synthseg_robust", *_TIME),
                mem_mb=16000,
            ),
            "samseg": Engine(
                "graytrace.engines.freesurfer.samseg:SamsegTissue", "freesurfer", ("run_samseg",), _TIME, mem_mb=12000
            ),
            "spm": Engine("graytrace.engines.spm.tissue:SpmTissue", "spm", ("octave-cli",), _TIME, mem_mb=4000),
        },
        data_files=_WEIGHTS,
        optional={"subcortical_gm_fraction": "fraction"},
    ),
    "structures": Task(
        images={"labels": "labels"},
        grid_of="gm_fraction",
        engines={EMBEDDED: Engine("graytrace.engines.embedded.structures:LabelStructures")},
        data_files=_ATLAS,
    ),
    "alignment": Task(
        images={},
        grid_of=None,
        engines={EMBEDDED: Engine("graytrace.engines.embedded.alignment:AlignVisits")},
    ),
    "change": Task(
        images={"baseline_midway": "image", "followup_midway": "image", "change_map": "image"},
        grid_of=None,
        engines={
            EMBEDDED: Engine("graytrace.engines.embedded.change:MeasureChange"),
            "difference": Engine(
                "graytrace.engines.embedded.difference:DifferenceChange",
                without=_NO_MIDWAY,
            ),
            "fsl": Engine(
                "graytrace.engines.fsl.siena:SienaChange",
                "fsl",
                ("siena",),
                ("bet_fraction", *_TIME),
                mem_mb=3000,
                without=_NO_MIDWAY,
            ),
            "freesurfer": Engine(
                "graytrace.engines.freesurfer.samseg:SamsegChange",
                "freesurfer",
                ("mri_robust_template", "run_samseg_long"),
                _TIME,
                mem_mb=16000,
                without=_NO_MIDWAY,
            ),
        },
    ),
}
# the tasks whose engine a study chooses in its configuration
STAGES = ("skull_strip", "segmentation", "change")


def engine_of(task: str, name: str) -> Engine:
    """How an engine does a task.

    Raises
    ------
    ConfigError
        The engine does not do this task, with a list of those that do.
    """
    engines = TASKS[task].engines
    if name in engines:
        return engines[name]
    available = ", ".join(engines)
    others = sorted({other for stage in STAGES for other in TASKS[stage].engines} - set(engines))
    if name in others:
        raise ConfigError(f"engines.{task}: {name} does not do this stage; available: {available}.")
    near = difflib.get_close_matches(name, engines, n=1)
    suggestion = f" Did you mean {near[0]}?" if near else ""
    raise ConfigError(f"engines.{task}: there is no engine {name!r}; available: {available}.{suggestion}")


def check_engines(engines: Mapping[str, str], sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Make sure that every stage's engine exists and has the options without which it cannot work.

    Parameters
    ----------
    engines : mapping
        Stage to engine.
    sections : mapping
        Suite to its section of the configuration.

    Raises
    ------
    ConfigError
        The first fault.
    """
    for stage in STAGES:
        engine = engine_of(stage, engines[stage])
        options = stage_options(stage, engines[stage], sections)
        for key in engine.needs:
            if key not in options:
                raise ConfigError(
                    f"{engine.suite}.{key} is not set, and engines.{stage}: {engines[stage]} cannot work without it."
                )


def stage_options(stage: str, name: str, sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Inputs of a stage's interface that the configuration sets; what is null keeps the interface's default."""
    engine = engine_of(stage, name)
    section = sections.get(engine.suite, {})
    return {key: section[key] for key in engine.options if section.get(key) is not None}


def code_behind(task: str, name: str) -> tuple[str, ...]:
    """Module and data files that a task's result comes from, for `graytrace.workflow.fingerprint.code_fingerprint`."""
    files = TASKS[task].data_files if name == EMBEDDED else ()
    return engine_of(task, name).interface.partition(":")[0], *files
