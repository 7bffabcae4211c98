"""``graytrace audit``: verify the audit trail of a results' folder and print it."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from graytrace.commands.lock import add_secret_arguments, secret_of
from graytrace.counting import counted
from graytrace.errors import ConfigError, PipelineError
from graytrace.workflow.audit_trail import RUN_ENDED, RUN_STARTED, TRAIL_NAME, Entry, Trail, read_trail
from graytrace.workflow.inventory import Change, find_changes, take_results
from graytrace.workflow.locked_plan import PLAN_NAME, check_digest, read_plan
from graytrace.workflow.oversight import describe_changes, describe_end

_SHOWN = 8
_LEAST_DIGITS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("results", type=Path, metavar="RESULTS", help=f"folder of results, with {TRAIL_NAME}")
    parser.add_argument("--all", action="store_true", help="every change of every entry, however many there are")
    parser.add_argument(
        "--head", metavar="SHA256", help="digest of an entry as it was kept elsewhere: is it still part of the chain?"
    )
    parser.add_argument("--plan", type=Path, metavar="FILE", help=f"the locked plan (default: RESULTS/{PLAN_NAME})")
    add_secret_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Print every entry, then what is wrong; the exit code is 1 where something is.

    Raises
    ------
    PipelineError
        A line was edited, removed, moved or cut off, or the locked plan is not the one that was signed.
    """
    folder: Path = args.results
    if not (folder / TRAIL_NAME).is_file() and not (folder / "audit.head.json").is_file():
        raise ConfigError(f"{folder} has no {TRAIL_NAME}: expected a folder of results.")
    trail = read_trail(folder)
    lines = [
        line for entry in trail.entries for line in describe_entry(entry, most=sys.maxsize if args.all else _SHOWN)
    ]
    lines += _describe_open(trail)
    lines += [f"Line {place} was cut short when its process ended: it tells nothing." for place in trail.torn]
    since = find_changes({"results": trail.inventory.get("results", {})}, {"results": take_results(folder)})
    if since:
        lines += ["Since the last entry, by nobody who is written down here:", *describe_changes(since)]
    faults = [*trail.faults, *_check_head(trail, args.head), *_check_plan(args, folder)]
    if not faults:
        count = len(trail.entries)
        lines.append(f"{counted(count, 'entry', 'entries')}; the chain holds.")
        lines += [describe_end(trail.entries[-1])] if trail.entries else []
    sys.stdout.write("\n".join(map(_printable, lines)) + "\n")
    if faults:
        told = [f"  {_printable(fault)}" for fault in faults]
        raise PipelineError("\n".join([f"{folder} does not hold what it promises:", *told]))


def describe_entry(entry: Entry, *, most: int = _SHOWN) -> list[str]:
    """An entry in words: a line of its own, and one for each change.

    Parameters
    ----------
    entry : Entry
    most : int
        Changes to name before they are counted.
    """
    told = entry.content
    who = f"{told.get('user')} on {told.get('host')}"
    details = told.get("details", {})
    words = "; ".join(f"{name} {_show(value)}" for name, value in details.items() if value not in ("", None))
    lines = [f"{entry.number}  {told.get('when')}  {entry.event}  by {who}{f'  ({words})' if words else ''}"]
    if entry.number == 1 and most < sys.maxsize:
        counts = Counter(change.section for change in entry.changes)
        lines.append(f"  begins with {', '.join(f'{count} of {name}' for name, count in counts.items())} (--all)")
    else:
        lines += describe_changes(_sorted(entry.changes), most)
    return lines


def _printable(line: str) -> str:
    """A line without what could move a terminal's cursor: a trail may have been edited by anybody."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _show(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sorted(changes: list[Change]) -> list[Change]:
    """Results last: they follow from the rest."""
    return sorted(changes, key=lambda change: change.section == "results")


def _describe_open(trail: Trail) -> Iterator[str]:
    """Runs that began and did not end, as far as the trail knows."""
    begun: Entry | None = None
    for entry in trail.entries:
        if entry.event == RUN_STARTED:
            if begun is not None:
                yield f"The run of entry {begun.number} was killed: it tells no end."
            begun = entry
        elif entry.event == RUN_ENDED:
            begun = None
    if begun is not None:
        yield f"The run of entry {begun.number} works still, or was killed: it tells no end."


def _check_head(trail: Trail, head: str | None) -> Iterator[str]:
    if head is None:
        return
    wanted = head.strip().lower()
    if len(wanted) < _LEAST_DIGITS or not any(entry.sha256.startswith(wanted) for entry in trail.entries):
        yield f"no entry has the sha256 {head}: the chain was written anew, or cut off, since that was kept."


def _check_plan(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    """What is wrong with the locked plan and its signatures."""
    path: Path = args.plan or folder / PLAN_NAME
    secret = secret_of(args)
    if not path.is_file():
        if args.plan or secret:
            yield f"{path} is not there."
        return
    plan = read_plan(path)
    if fault := check_digest(plan):
        yield f"{fault}."
    if secret is not None and not secret.verifies(path):
        yield f"{path.name} is not the one that was signed with this secret."
