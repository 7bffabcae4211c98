"""Which results were made by other code or other options than those at hand, whoever made them and from where.

Snakemake remembers what made a file in the folder where it is started.  Another start folder, a second clone or a
shared installation knows nothing of that and would keep old results beside new ones.  So every record tells the digest
of what made it, and run.json tells that of the tables and the report.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graytrace.catalog import STEPS, VISITS, Step, names_of
from graytrace.engines.registry import EMBEDDED, STAGES, code_behind, stage_options
from graytrace.errors import PipelineError
from graytrace.files import file_sha256, text_sha256
from graytrace.records import (
    BETWEEN,
    TABLE_DIGESTS,
    Record,
    is_source_unchanged,
    read_record,
    record_path,
    remember_sources,
)
from graytrace.study.config import Config
from graytrace.study.own_scanner import own_scanner
from graytrace.study.plan import Plan
from graytrace.study.planned import PlannedPair, PlannedScan
from graytrace.study.questions import asked_tables
from graytrace.workflow.fingerprint import code_fingerprint

# one file of each step on the whole study
STUDY_FILES = {name: step.writes for name, step in STEPS.items() if step.writes}
_PAGE = "report"  # the step with templates, captions and sentences besides code


def code_of_steps(config: Config) -> dict[str, str]:
    """Digest of what a study asks each step to do: its code, its engine and the engine's options."""
    return {name: _code_of(step, config) for name, step in STEPS.items()}


def _code_of(step: Step, config: Config) -> str:
    behind = _page_files() if step.name == _PAGE else []
    chosen = []
    for task in step.tasks:
        engine = config.engines[task] if task in STAGES else EMBEDDED
        behind += code_behind(task, engine)
        options = stage_options(task, engine, config.suites) if task in STAGES else {}
        chosen.append([engine, {name: _content(value) for name, value in options.items()}])
    return text_sha256(code_fingerprint(f"graytrace.steps.{step.name}", *behind) + json.dumps(chosen))[:16]


def _content(value: Any) -> Any:
    """An option; of a file what is in it, because a template may be replaced under its name."""
    return file_sha256(Path(value)) if isinstance(value, str) and Path(value).is_file() else value


def _page_files() -> list[str]:
    """What the report is made of besides code: templates, captions and the sentences of the methods."""
    folder = Path(__file__).resolve().parents[1] / "report"
    files = sorted([*folder.glob("templates/*"), *folder.glob("captions/*"), folder / "methods.yaml"])
    return [path.relative_to(folder.parent.parent).as_posix() for path in files]


def study_digest(config: Config, plan: Plan, codes: Mapping[str, str]) -> str:
    """Digest of what the tables and the report are made with: their code, the configuration and the plan."""
    choices = json.dumps(config.as_dict(), sort_keys=True)  # their order in a file means nothing
    read = [*asked_tables(config), *filter(None, [own_scanner(config.quality)])]
    tables = [f"{path} {file_sha256(path) if path.is_file() else 'absent'}" for path in read]
    return text_sha256("\n".join([*(codes[step] for step in STUDY_FILES), choices, plan.digest(), *tables]))[:16]


def outdated_records(plan: Plan, codes: Mapping[str, str]) -> list[str]:
    """Records of the plan that are there and were made with other code or options."""
    return [str(path) for step, path in _records(plan) if _is_made_otherwise(path, codes[step])]


def changed_results(plan: Plan) -> list[str]:
    """Records that were changed since they were written, and those whose images were changed, or are gone."""
    return [str(path) for _, path in _records(plan) if _is_changed(path, plan.output_dir)]


def missing_records(plan: Plan) -> list[str]:
    """Records of the plan that are not there although the report is.

    Snakemake makes what a file is made of only where that file is to be made: a record that somebody has deleted, as
    messages advise, would not come back while the report is younger than what is left.
    """
    if not (plan.output_dir / STUDY_FILES["report"]).exists():
        return []
    return [str(path) for _, path in _records(plan) if not path.exists()]


def _is_changed(path: Path, output_dir: Path) -> bool:
    """Whether a record is there, but it or a file that it tells of is not as it was written."""
    try:
        record = read_record(path)
        written = path.stat().st_mtime_ns
    except PipelineError:
        return True
    except OSError:
        return False  # it is not there: `missing_records`
    return any(_is_other_image(output_dir / output.path, output.sha256, written) for output in record.outputs.values())


def _is_other_image(image: Path, digest: str, written: int) -> bool:
    """Whether an image is gone or has other bytes than its record tells.

    A record is written last: what is older is its own. A younger file with the right bytes (a copy of the folder
    without its dates) is given the record's date.
    """
    try:
        found = image.stat()
    except OSError:
        return True
    if found.st_mtime_ns <= written:
        return False
    if file_sha256(image) != digest:
        return True
    with contextlib.suppress(OSError):  # only saves the next look
        os.utime(image, ns=(found.st_atime_ns, written))
    return False


def changed_tables(plan: Plan) -> list[str]:
    """Tables of results that are there, but not as they were written."""
    folder = plan.output_dir
    found = [folder / name for name, digest in _table_digests(folder).items() if _is_other(folder / name, digest)]
    scans = folder / "scans.tsv"
    if _is_other(scans, text_sha256(plan.table())):
        found.append(scans)
    return [str(path) for path in found]


def _table_digests(folder: Path) -> dict[str, str]:
    """Digests of the tables, as the steps that wrote them have left them."""
    digests: dict[str, str] = {}
    for path in (folder / "run.json", folder / TABLE_DIGESTS):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            digests |= json.loads(path.read_text(encoding="utf-8"))["tables"]
    return digests


def _is_other(path: Path, digest: str) -> bool:
    return path.is_file() and file_sha256(path) != digest


def replaced_sources(plan: Plan) -> list[str]:
    """Records of the plan that were made from other bytes than those that they would be made from now.

    Dates decide nothing: a file may be replaced by an older one, or touched. A file whose signature is the one that was
    read is not opened; any other is, and its digest counts.
    """
    return list(dict.fromkeys(str(path) for path in _replaced(plan)))


def _replaced(plan: Plan) -> Iterator[Path]:
    for scan in plan.scans:
        if scan.is_measured:
            yield from _replaced_of_scan(plan, scan)
    for pair in plan.every_pair:
        if pair.is_measured:
            yield from _replaced_of_pair(plan, pair)


def _replaced_of_scan(plan: Plan, scan: PlannedScan) -> Iterator[Path]:
    visits = {"visit": scan.visit}
    sources = [("inspect", "t1w", scan.t1w)]
    if scan.shows_lesions:
        kind = "lesion_mask" if scan.lesion_mask else "flair"
        sources.append(("find_lesions", kind, scan.lesion_mask or scan.flair))
    for step, name, source in sources:
        path = record_path(plan.output_dir, scan.participant_id, visits, step)
        if source is not None and _is_replaced(path, name, source):
            yield path
    image = _image_digest(plan, scan)
    for step in ("segment_tissue", "check_scan"):
        path = record_path(plan.output_dir, scan.participant_id, visits, step)
        if image is not None and _input(path, "image") not in {None, image}:
            yield path


def _replaced_of_pair(plan: Plan, pair: PlannedPair) -> Iterator[Path]:
    segmented = {"baseline": _image_digest(plan, pair.baseline), "followup": _image_digest(plan, pair.followup)}
    aligned = {
        name: _corrected_digest(plan, scan) for name, scan in zip(VISITS, (pair.baseline, pair.followup), strict=True)
    }
    visits = {"baseline": pair.baseline.visit, "followup": pair.followup.visit}
    for step, images, ending in (
        ("align_visits", aligned, "file"),
        ("measure_change", segmented, "file"),
        ("check_pair", segmented, "image"),
    ):
        path = record_path(plan.output_dir, pair.participant_id, visits, step)
        known = {name: _input(path, f"{name}_{ending}") for name in images}
        if any(images[name] and known[name] not in {None, images[name]} for name in images) or _is_named_otherwise(
            path, between=bool(plan.naming(pair.participant_id.removeprefix("sub-"), **visits))
        ):
            yield path


def _is_named_otherwise(path: Path, *, between: bool) -> bool:
    """Whether a pair's files have names of before another visit became the reference: another pair's by now."""
    record = _read(path)
    return record is not None and any((BETWEEN in output.path) != between for output in record.outputs.values())


def _image_digest(plan: Plan, scan: PlannedScan) -> str | None:
    """Digest of the image of a scan that is segmented, None where it is not there yet."""
    return _output_digest(plan, scan, "fill_lesions" if scan.shows_lesions else "correct_bias")


def _corrected_digest(plan: Plan, scan: PlannedScan) -> str | None:
    """Digest of the image of a scan before lesions are filled, None where it is not there yet."""
    return _output_digest(plan, scan, "correct_bias")


def _output_digest(plan: Plan, scan: PlannedScan, step: str) -> str | None:
    record = _read(record_path(plan.output_dir, scan.participant_id, {"visit": scan.visit}, step))
    return record.outputs["image"].sha256 if record and "image" in record.outputs else None


def _input(path: Path, name: str) -> str | None:
    record = _read(path)
    return record.provenance.get("inputs", {}).get(name) if record else None


def _read(path: Path) -> Record | None:
    try:
        return read_record(path)
    except (OSError, PipelineError):
        return None  # Snakemake makes it, or the tables say that it is damaged


def _is_replaced(path: Path, name: str, source: Path) -> bool:
    """Whether a record is there and was made from other bytes of a source, or from another source."""
    record = _read(path)
    if record is None or (record.reason is not None and not record.provenance.get("inputs")):
        return False  # an earlier step failed before this one
    if name in record.provenance.get("inputs", {}) and is_source_unchanged(path, name, source):
        return False
    if not source.is_file() or _input(path, name) != file_sha256(source):
        return True
    with contextlib.suppress(OSError):  # only saves the next look
        remember_sources(path, {name: source})
    return False


def unfinished_records(plan: Plan, codes: Mapping[str, str]) -> list[tuple[str, Path]]:
    """Step and record of everything planned that is not there, or was made with other code or options."""
    return [
        (step, path) for step, path in _records(plan) if not path.is_file() or _is_made_otherwise(path, codes[step])
    ]


def _records(plan: Plan) -> Iterator[tuple[str, Path]]:
    for scan in plan.scans:
        if scan.is_measured:
            for step in (*scan.steps, *names_of("scan", checks=True)):
                yield step, record_path(plan.output_dir, scan.participant_id, {"visit": scan.visit}, step)
    for pair in plan.every_pair:
        if pair.is_measured:
            visits = {"baseline": pair.baseline.visit, "followup": pair.followup.visit}
            for step in (*pair.steps, *names_of("pair", checks=True)):
                yield step, record_path(plan.output_dir, pair.participant_id, visits, step)


def _is_made_otherwise(record: Path, code: str) -> bool:
    """Whether a file is there and does not tell `code`: a look at its text, because a large study has many."""
    try:
        text = record.read_text(encoding="utf-8")
    except OSError:
        return False  # it is not there: `missing_records`
    return f'"code": "{code}"' not in text


def is_study_outdated(output_dir: Path, digest: str) -> bool:
    """Whether the tables are there and were made with another `study_digest`."""
    try:
        text = (output_dir / "run.json").read_text(encoding="utf-8")
    except OSError:
        return False
    return f'"made_with": "{digest}"' not in text
