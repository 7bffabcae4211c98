"""Every step once: what it is called, what it is about, what it reads, who does it.

The command line, the plan, the freshness of results, the rules' commands and the profiles for clusters derive from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["scan", "pair", "study"]
VISITS = ("baseline", "followup")


@dataclass(frozen=True)
class Step:
    """A step: a rule, a sub-command of ``graytrace`` and a module of `graytrace.steps` of the same name.

    Parameters
    ----------
    name : str
    help : str
        What it does, as a command: the line of ``graytrace --help``.
    scope : {"scan", "pair", "study"}
        What one job of it is about.
    reads : tuple of str
        Steps whose records it reads; a pair reads those of both scans. ``image`` stands for the step whose image is
        segmented: `fill_lesions` where something says where lesions are, else `correct_bias`.
    files : tuple of str
        Files of the data set that it reads.
    tasks : tuple of str
        What an engine does in it (`graytrace.engines.registry.TASKS`).
    chooses : bool
        Whether the study chooses that engine.
    is_check : bool
        Whether no result depends on it.
    with_lesions : bool
        Whether only scans and pairs go through it for which something says where lesions are.
    writes : str or None
        Of a step on the whole study: the file that is there when it is done. The others write their record.
    minutes : int
        To ask a cluster for at the first attempt: five times the longest of the 1 mm validation cohort, at least 5.
    """

    name: str
    help: str
    scope: Scope
    reads: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    chooses: bool = False
    is_check: bool = False
    with_lesions: bool = False
    writes: str | None = None
    minutes: int = 5

    @property
    def upstream(self) -> tuple[str, ...]:
        """Names of the records that it reads: of a pair, ``baseline_inspect`` and the like before the pair's own."""
        if self.scope != "pair":
            return self.reads
        of_pair = tuple(name for name in self.reads if name in STEPS and STEPS[name].scope == "pair")
        of_scan = tuple(name for name in self.reads if name not in of_pair)
        return (*(f"{visit}_{name}" for visit in VISITS for name in of_scan), *of_pair)


_STEPS = (
    Step("scan_table", "list the planned scans of every patient", "study", writes="scans.tsv"),
    Step("inspect", "check whether a scan can be measured", "scan", files=("t1w",)),
    Step(
        "skull_strip",
        "extract the brain",
        "scan",
        reads=("inspect",),
        files=("t1w",),
        tasks=("skull_strip",),
        chooses=True,
        minutes=15,
    ),
    Step(
        "correct_bias",
        "correct intensity non-uniformity (N4)",
        "scan",
        reads=("inspect", "skull_strip"),
        files=("t1w",),
        tasks=("bias_correction",),
        minutes=6,
    ),
    Step(
        "find_lesions",
        "take a scan's lesion mask, or find its white-matter lesions on FLAIR",
        "scan",
        reads=("skull_strip", "correct_bias"),
        tasks=("lesion_detection",),
        with_lesions=True,
    ),
    Step(
        "fill_lesions",
        "fill white-matter lesions",
        "scan",
        reads=("skull_strip", "correct_bias", "find_lesions"),
        tasks=("lesion_filling",),
        with_lesions=True,
    ),
    Step(
        "segment_tissue",
        "segment gray matter, white matter and CSF",
        "scan",
        reads=("skull_strip", "image"),
        tasks=("segmentation",),
        chooses=True,
        minutes=6,
    ),
    Step(
        "label_structures",
        "label nuclei, cortex and ventricles",
        "scan",
        reads=("segment_tissue",),
        tasks=("structures",),
    ),
    Step("gray_matter_volume", "compute tissue volumes", "scan", reads=("skull_strip", "segment_tissue")),
    Step(
        "align_visits",
        "register two visits to midway space",
        "pair",
        reads=("inspect", "skull_strip", "correct_bias"),
        tasks=("alignment",),
    ),
    Step(
        "join_lesions",
        "bring the lesions of two visits together and name what became of each",
        "pair",
        reads=("correct_bias", "find_lesions", "align_visits"),
        with_lesions=True,
    ),
    Step(
        "measure_change",
        "measure the change between two visits",
        "pair",
        reads=("skull_strip", "image", "segment_tissue", "label_structures", "align_visits"),
        tasks=("change",),
        chooses=True,
        minutes=6,
    ),
    Step(
        "check_scan",
        "compute image quality metrics of a scan and draw mask and tissue borders on it",
        "scan",
        reads=("inspect", "skull_strip", "image", "segment_tissue", "gray_matter_volume"),
        files=("t1w",),
        is_check=True,
    ),
    Step(
        "check_pair",
        "compute quality metrics of two visits and draw them in midway space",
        "pair",
        reads=("skull_strip", "image", "gray_matter_volume", "check_scan", "align_visits", "measure_change"),
        is_check=True,
    ),
    Step("aggregate_atrophy", "collect the results in tables", "study", writes="atrophy.tsv"),
    Step(
        "dose_response",
        "test whether the change is associated with the dose or another variable",
        "study",
        writes="dose_response.tsv",
    ),
    Step("report", "write the report and the methods text", "study", writes="report.html"),
)
STEPS = {step.name: step for step in _STEPS}
_IMAGE_STEPS = frozenset({"correct_bias", "fill_lesions"})  # read by the name of image


def names_of(scope: Scope, *, checks: bool = False) -> tuple[str, ...]:
    """Names of the steps on a scan, a pair or the study, in their order; with `checks` those that only check."""
    return tuple(step.name for step in _STEPS if step.scope == scope and step.is_check == checks)


def last_of(scope: Scope, *, checks: bool = False) -> tuple[str, ...]:
    """Those of `names_of` whose records no other of them reads: with them all are done."""
    names = names_of(scope, checks=checks)
    read = {one for name in names for one in STEPS[name].reads}
    return tuple(name for name in names if name not in read | _IMAGE_STEPS and not STEPS[name].with_lesions)


def command_line(name: str, *more: str) -> str:
    """The shell text of a rule: arguments from its inputs, parameters and wildcards.

    Parameters
    ----------
    name : str
        Of a step on a scan or pair.
    *more : str
        Arguments of this step alone.
    """
    step = STEPS[name]
    visits = ("visit",) if step.scope == "scan" else VISITS
    words = ["exec python -m graytrace", name]
    words += [f"--{one} {{wildcards.{one}}}" for one in ("participant", *visits)]
    words += [f"--{one.replace('_', '-')} {{input.{one}:q}}" for one in (*step.files, *step.upstream)]
    words += ["--engine {params.engine:q} --options {params.options:q}"] if step.chooses else []
    words += ["{params.naming}"] if step.scope == "pair" else []
    words += [*more, "--code {params.code} --record {output.record:q} --threads {threads} > {log:q} 2>&1"]
    return " ".join(words)
