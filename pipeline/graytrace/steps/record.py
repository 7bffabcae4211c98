"""Doing a step's work and recording it; a fault of the data becomes a failed record, broken machinery raises."""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graytrace.engines.registry import EMBEDDED, TASKS, engine_of
from graytrace.errors import ImageError, PipelineError, ToolError
from graytrace.files import file_sha256, whole_file
from graytrace.findings import Flag, Reason
from graytrace.records import Output, Record, read_record, remember_sources, write_record
from graytrace.steps.job import Job
from graytrace.versions import imported_versions

Upstream = Mapping[str, Record]


@dataclass(frozen=True)
class Outcome:
    """What a step found.

    Parameters
    ----------
    files : mapping
        Output to the temporary file that holds it.
    inputs : mapping
        Input to the SHA-256 of its bytes.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    measures: Mapping[str, Any] = field(default_factory=dict)
    flags: Sequence[Flag] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    engine: str = EMBEDDED
    tool_versions: Mapping[str, str] = field(default_factory=dict)


Work = Callable[[Upstream, Path], Outcome]


def perform(
    job: Job,
    work: Work,
    *,
    upstream: Mapping[str, Path],
    outputs: Mapping[str, Path],
    sources: Mapping[str, Path] | None = None,
) -> None:
    """Do a step's work and record it; a fault of the data becomes a failed record, broken machinery raises.

    Parameters
    ----------
    work : callable
        Takes the records of earlier steps and an empty folder, returns an `Outcome`.
    upstream : mapping
        Name to the record of an earlier step; when one of them failed the work is not tried.
    outputs : mapping
        Name to the place of each file that the step may write.
    sources : mapping, optional
        Name to each file of the data set that the step reads: the record tells their digests whatever comes of it, so
        that a file put in a faulty one's place is seen whatever its date.
    """
    remember_sources(job.record, sources or {})
    digests = {name: file_sha256(path) for name, path in (sources or {}).items() if path.is_file()}
    records = {name: read_record(path) for name, path in upstream.items()}
    cause = next((record.reason for record in records.values() if record.status == "failed"), None)
    if cause is not None:
        _fail(job, cause, outputs, digests)
        return
    with tempfile.TemporaryDirectory(prefix=f"graytrace-{job.step}-") as folder:
        try:
            outcome = work(records, Path(folder))
        except (ImageError, ToolError) as error:
            if isinstance(error, ToolError) and not error.about_data:
                raise
            _fail(job, Reason(error.code, f"{_where(job)}{error}"), outputs, digests)
            return
        wrong = _not_finite(outcome.measures)
        if wrong:
            message = (
                f"{_where(job)}{job.step} came to no finite {', '.join(wrong)}: look at the intensities of the scan."
            )
            _fail(job, Reason("not_measurable", message), outputs, digests)
            return
        kept = {name: _publish(path, outputs[name], job.output_dir) for name, path in outcome.files.items()}
    write_record(
        job.record,
        Record(
            step=job.step,
            participant_id=job.participant_id,
            visits=job.visits,
            status="ok",
            flags=tuple(outcome.flags),
            outputs=kept,
            measures=outcome.measures,
            provenance={
                "code": job.code,
                "engine": outcome.engine,
                "tool_versions": {**imported_versions(), **outcome.tool_versions},
                "inputs": {**outcome.inputs, **digests},
            },
        ),
    )


def _where(job: Job) -> str:
    """The visit in front of a sentence about a scan."""
    return f"ses-{job.visits['visit']}: " if "visit" in job.visits else ""


def _not_finite(measures: Mapping[str, Any]) -> list[str]:
    """Names of measures that are, or contain, no finite number."""

    def is_finite(value: Any) -> bool:
        if isinstance(value, Mapping):
            return all(map(is_finite, value.values()))
        if isinstance(value, list | tuple):
            return all(map(is_finite, value))
        return not isinstance(value, float) or math.isfinite(value)

    return [name for name, value in measures.items() if not is_finite(value)]


def _fail(job: Job, reason: Reason, outputs: Mapping[str, Path], digests: Mapping[str, str]) -> None:
    """Record a failure; files of an earlier run, which belong to other input, go."""
    for path in outputs.values():
        path.unlink(missing_ok=True)
    sys.stderr.write(f"{job.step} of {job.participant_id}: {reason.code}: {reason.message}\n")
    provenance = {"code": job.code, "engine": None, "inputs": dict(digests)}
    record = Record(job.step, job.participant_id, job.visits, "failed", reason, provenance=provenance)
    write_record(job.record, record)


def _publish(source: Path, target: Path, output_dir: Path) -> Output:
    """Put a finished file in its place, whole; a link that leads out of the folder of results is not followed."""
    if not target.parent.resolve().is_relative_to(output_dir.resolve()):
        raise PipelineError(f"{target.parent} leads out of {output_dir}: remove that link and run again.")
    with whole_file(target) as part:
        shutil.copyfile(source, part)
    return Output(str(target.relative_to(output_dir)), file_sha256(target))


def run_stage(
    task: str, engine: str, inputs: Mapping[str, Any], *, folder: Path, job: Job
) -> tuple[Mapping[str, Path], Mapping[str, Any], Mapping[str, str]]:
    """Run an engine's interface for a task: images, measures and tool versions."""
    from graytrace.engines.runner import run_task  # noqa: PLC0415 - nipype takes a second to import

    result = run_task(TASKS[task], engine_of(task, engine), inputs, cwd=folder, threads=job.threads)
    return result.images, result.measures, result.tool_versions


def open_inspected(t1w: Path, inspection: Record, folder: Path) -> Path:
    """The T1w file that was inspected, or a repaired copy of it where it had to be repaired.

    Raises
    ------
    PipelineError
        The file has changed since it was inspected.
    """
    from graytrace.images.reading import read_scan  # noqa: PLC0415 - only steps on raw scans need it
    from graytrace.images.writing import write_volume  # noqa: PLC0415

    if file_sha256(t1w) != inspection.provenance["inputs"]["t1w"]:
        raise PipelineError(f"{t1w} has changed since it was inspected. Run again when the data set is complete.")
    if not inspection.measures["is_repaired"]:
        return t1w
    path = folder / "repaired.nii.gz"
    write_volume(path, read_scan(t1w).volume)
    return path
