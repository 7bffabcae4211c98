"""What every run says and writes for those who audit it: departures from the locked plan, the audit trail, blinding."""

from __future__ import annotations

import atexit
import functools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graytrace.counting import counted
from graytrace.errors import ConfigError, PipelineError
from graytrace.files import text_sha256, write_json
from graytrace.report.oversight import DEPARTURES_NAME
from graytrace.results.review import REVIEW_NAME
from graytrace.study.blinding import BLINDED_NAME
from graytrace.study.config import Config
from graytrace.study.plan import Plan
from graytrace.workflow.audit_trail import (
    NOTHING_DONE,
    PLAN_LOCKED,
    RUN_ENDED,
    RUN_STARTED,
    TRAIL_NAME,
    Entry,
    Trail,
    append_entry,
    read_trail,
)
from graytrace.workflow.inventory import Change, Digests, find_changes, take_inventory, take_results
from graytrace.workflow.locked_plan import PLAN_NAME, LockedPlan, find_departures, read_plan

_SHOWN = 12
_BEGUN: set[Path] = set()  # where this process has worked


@dataclass(frozen=True)
class Oversight:
    """What the rules need to know.

    Parameters
    ----------
    is_blind : bool
        Whether dose, IDs and the order of visits are hidden.
    plan : LockedPlan or None
    departures : tuple of Change
    review : tuple of str
        The review file, where there is one.
    """

    is_blind: bool = False
    plan: LockedPlan | None = None
    departures: tuple[Change, ...] = ()
    review: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """What a blinded step's command line has more."""
        return "--blind" if self.is_blind else ""

    @property
    def digest(self) -> str:
        """Digest of what the report tells of the plan; empty where there is none and nothing to tell."""
        told = [change.describe() for change in self.departures]
        return (
            text_sha256(json.dumps([self.plan.sha256 if self.plan else None, told]))[:16] if self.plan or told else ""
        )

    def as_dict(self) -> dict[str, Any]:
        """What the report tells of the plan."""
        plan = self.plan
        return {
            "plan": {"name": plan.path.name, "sha256": plan.sha256, "locked": dict(plan.locked)} if plan else None,
            "departures": [{"section": change.section, "text": change.describe()} for change in self.departures],
            "packages": dict(plan.inventory.get("packages", {})) if plan else {},
        }


def oversee(config: Config, plan: Plan, codes: Mapping[str, str], workflow: Any) -> Oversight:
    """Hold a study against its locked plan and say on the terminal how it departs from it.

    Parameters
    ----------
    config : Config
    plan : Plan
    codes : mapping
        From `graytrace.workflow.freshness.code_of_steps`.
    workflow : snakemake.workflow.Workflow
        Says whether this process is the one that plans the run; the processes of single jobs are told nothing.

    Raises
    ------
    SystemExit
        The study was blinded and is no more, although nobody lifted the blinding.
    """
    if not (workflow.check_envvars and workflow.is_main_process) or workflow.remote_exec:
        return Oversight()
    try:
        found = find_oversight(config, plan, codes)
    except PipelineError as error:
        sys.exit(f"Graytrace: {error}")
    atexit.register(_end_without_work, config, plan, codes, workflow)
    if text := describe_oversight(found):
        print(text, file=sys.stderr)  # noqa: T201 - Snakemake's own messages go there
    return found


def find_oversight(config: Config, plan: Plan, codes: Mapping[str, str]) -> Oversight:
    """How a study stands to its locked plan and its blinding.

    Raises
    ------
    ConfigError
        It was blinded and is no more, or the plan is none.
    """
    folder = config.output_dir
    trail = read_trail(folder)
    review = folder / REVIEW_NAME
    kept = (str(review),) if review.is_file() else ()
    is_blind = check_blinding(config, trail)
    path = find_plan(config)
    gone = _find_replaced(path, trail) if config.plan_lock is None else []
    if path is None:
        return Oversight(is_blind, None, tuple(gone), kept)
    locked = read_plan(path)
    now = take_inventory(config, plan, codes, digests_of(folder))
    return Oversight(is_blind, locked, (*gone, *find_departures(locked, now)), kept)


def find_plan(config: Config) -> Path | None:
    """The locked plan that a study is held against: the one that it names, or the one in its output folder."""
    if config.plan_lock is not None:
        return config.plan_lock
    path = config.output_dir / PLAN_NAME
    return path if path.is_file() else None


def check_blinding(config: Config, trail: Trail) -> bool:
    """Whether a study is blinded now.

    Raises
    ------
    ConfigError
        An earlier run was blinded, this one is not to be, and nobody lifted the blinding.
    """
    if trail.is_unblinded:
        return False
    if _was_blind(trail) and not config.blind:
        raise ConfigError(
            f"The study in {config.output_dir} is blinded. To lift that: graytrace unblind {config.output_dir} "
            '--why "…", which is written down in audit.jsonl; until then keep study.blind: true (or --blind).'
        )
    return config.blind


def refuse_blinded(folder: Path) -> None:
    """Refuse to write anew what names patients and visits of a study that is blinded.

    Raises
    ------
    ConfigError
        It is.
    """
    trail = read_trail(folder)
    if _was_blind(trail) and not trail.is_unblinded:
        raise ConfigError(
            f"The study in {folder} is blinded, and this names patients and visits. To lift that: "
            f'graytrace unblind {folder} --why "…"'
        )


def _was_blind(trail: Trail) -> bool:
    """Whether the configuration was that of a blinded study when the last entry was written."""
    return trail.inventory.get("configuration", {}).get("study.blind") == "true"


def lacks_blinded_page(config: Config) -> bool:
    """Whether a blinded study has a report, but the folder for readers was removed."""
    if not config.blind or read_trail(config.output_dir).is_unblinded:
        return False
    return not (config.output_dir / BLINDED_NAME / "index.html").is_file()


def _find_replaced(path: Path | None, trail: Trail) -> list[Change]:
    """What the trail says of the plan in the output folder: that it was removed, or is another one."""
    entry = trail.last(PLAN_LOCKED)
    if entry is None:
        return []
    kept, when = entry.content.get("details", {}).get("plan"), entry.content.get("when")
    if path is None:
        return [
            Change("plan", PLAN_NAME, kept, f"{PLAN_NAME} was removed: {TRAIL_NAME} tells that it was locked {when}")
        ]
    if read_plan(path).sha256 != kept:
        text = f"{PLAN_NAME} is not the one that was locked {when}: {TRAIL_NAME} tells another sha256 ({kept})"
        return [Change("plan", PLAN_NAME, kept, text)]
    return []


def describe_oversight(found: Oversight) -> str:
    """What a user is told of plan and blinding, a line each; empty for nothing."""
    lines = []
    if found.plan is not None or found.departures:
        name = found.plan.describe() if found.plan else PLAN_NAME
        count = len(found.departures)
        if not count:
            lines.append(f"Nothing departs from {name}.")
        else:
            lines.append(f"{counted(count, 'departure')} from {name}:")
            lines += describe_changes(found.departures)
    if found.is_blind:
        lines.append("Blinded: doses are not read, and the report shows neither IDs nor the order of visits.")
    return "\n".join(lines)


def describe_changes(changes: Sequence[Change], most: int = _SHOWN) -> list[str]:
    """Changes, a line each, and how many there are besides."""
    lines = [f"  {change.describe()}" for change in changes[:most]]
    return [*lines, f"  and {len(changes) - most} more"] if len(changes) > most else lines


@functools.cache
def digests_of(folder: Path) -> Digests:
    """The digests that are kept in a results' folder: one for a process, so that no file is read twice."""
    return Digests(folder)


def begin_trail(config: Config, plan: Plan, codes: Mapping[str, str], found: Oversight) -> None:
    """Write at the start of a run what the report is to tell of the plan, and an entry of the audit trail.

    Raises
    ------
    SystemExit
        The trail cannot be written.
    """
    folder = config.output_dir
    _BEGUN.add(folder)
    try:
        trail = read_trail(folder)
        for fault in trail.faults:
            print(f"{TRAIL_NAME}: {fault} See graytrace audit {folder}.", file=sys.stderr)  # noqa: T201 - as above
        digests = digests_of(folder)
        inventory = take_inventory(config, plan, codes, digests)
        digests.keep()
        if found.plan is not None or found.departures:
            write_json(folder / DEPARTURES_NAME, found.as_dict())
        else:
            (folder / DEPARTURES_NAME).unlink(missing_ok=True)
        details = {
            "departures": len(found.departures),
            **({"plan": found.plan.sha256} if found.plan else {}),
            "blind": found.is_blind,
        }
        append_entry(folder, RUN_STARTED, {**inventory, "results": take_results(folder)}, details)
    except (PipelineError, OSError) as error:
        sys.exit(f"Graytrace: {error}")


def _end_without_work(config: Config, plan: Plan, codes: Mapping[str, str], workflow: Any) -> None:
    """Write an entry where Snakemake found nothing to do, and calls nobody, although something has changed.

    A dry run, a look at the plan and a study that was never measured leave none.
    """
    folder = config.output_dir
    is_real = getattr(workflow, "executor_plugin", None) is not None and not workflow.dryrun
    if folder in _BEGUN or not is_real or not (folder / TRAIL_NAME).is_file():
        return
    try:
        inventory = {**take_inventory(config, plan, codes, digests_of(folder)), "results": take_results(folder)}
        if find_changes(read_trail(folder).inventory, inventory):
            append_entry(folder, NOTHING_DONE, inventory)
    except (PipelineError, OSError) as error:
        print(f"{TRAIL_NAME} does not tell of this run: {error}", file=sys.stderr)  # noqa: T201 - as above


def end_trail(config: Config, *, is_whole: bool) -> str:
    """Write the entry at the end of a run; a line on it for the terminal.

    Parameters
    ----------
    is_whole : bool
        Whether everything that was planned was done.
    """
    folder = config.output_dir
    try:
        entry = append_entry(folder, RUN_ENDED, {"results": take_results(folder)}, {"whole": is_whole})
    except (PipelineError, OSError) as error:
        return f"The end of this run is not in {TRAIL_NAME}: {error}"
    return describe_end(entry)


def describe_end(entry: Entry) -> str:
    """A line on the last entry, with what to keep elsewhere."""
    kept = "kept elsewhere, it shows that nothing was cut off"
    return f"{TRAIL_NAME}: entry {entry.number}, sha256 {entry.sha256} ({kept})."
