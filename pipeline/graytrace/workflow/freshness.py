"""Which results were made by other code or other options than those at hand, whoever made them and from where.

Snakemake remembers what made a file in the folder where it is started.  Another start folder, a second clone or a
shared installation knows nothing of that and would keep old results beside new ones.  So every record tells the digest
of what made it, and run.json tells that of the tables and the report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from graytrace.catalog import STEPS, Step, names_of
from graytrace.engines.registry import EMBEDDED, STAGES, code_behind, stage_options
from graytrace.files import text_sha256
from graytrace.records import record_path
from graytrace.study.config import Config
from graytrace.study.plan import Plan
from graytrace.study.planned import PAIR_STEPS
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
        chosen.append([engine, stage_options(task, engine, config.suites) if task in STAGES else {}])
    return text_sha256(code_fingerprint(f"graytrace.steps.{step.name}", *behind) + json.dumps(chosen))[:16]


def _page_files() -> list[str]:
    """What the report is made of besides code: templates, captions and the sentences of the methods."""
    folder = Path(__file__).resolve().parents[1] / "report"
    files = sorted([*folder.glob("templates/*"), *folder.glob("captions/*"), folder / "methods.yaml"])
    return [path.relative_to(folder.parent.parent).as_posix() for path in files]


def study_digest(config: Config, plan: Plan, codes: Mapping[str, str]) -> str:
    """Digest of what the tables and the report are made with: their code, the configuration and the plan."""
    choices = json.dumps(config.as_dict(), sort_keys=True)  # their order in a file means nothing
    return text_sha256("\n".join([*(codes[step] for step in STUDY_FILES), choices, plan.digest()]))[:16]


def outdated_records(plan: Plan, codes: Mapping[str, str]) -> list[str]:
    """Records of the plan that are there and were made with other code or options."""
    return [str(path) for step, path in _records(plan) if _is_made_otherwise(path, codes[step])]


def _records(plan: Plan) -> Iterator[tuple[str, Path]]:
    for scan in plan.scans:
        if scan.is_measured:
            for step in (*scan.steps, *names_of("scan", checks=True)):
                yield step, record_path(plan.output_dir, scan.participant_id, {"visit": scan.visit}, step)
    for pair in plan.pairs:
        if pair.is_measured:
            visits = {"baseline": pair.baseline.visit, "followup": pair.followup.visit}
            for step in (*PAIR_STEPS, *names_of("pair", checks=True)):
                yield step, record_path(plan.output_dir, pair.participant_id, visits, step)


def _is_made_otherwise(record: Path, code: str) -> bool:
    """Whether a file is there and does not tell `code`: a look at its text, because a large study has many."""
    try:
        text = record.read_text(encoding="utf-8")
    except OSError:
        return False  # Snakemake makes it, or says why it cannot
    return f'"code": "{code}"' not in text


def is_study_outdated(output_dir: Path, digest: str) -> bool:
    """Whether the tables are there and were made with another `study_digest`."""
    try:
        text = (output_dir / "run.json").read_text(encoding="utf-8")
    except OSError:
        return False
    return f'"made_with": "{digest}"' not in text
