"""What a study depends on and what came out, as flat tables of text: two of them tell what changed in between."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from graytrace import __version__
from graytrace.files import file_sha256, write_json
from graytrace.records import file_signature
from graytrace.study.config import Config
from graytrace.study.own_scanner import own_scanner
from graytrace.study.plan import Plan
from graytrace.study.questions import asked_tables
from graytrace.tables import read_rows, read_visit
from graytrace.versions import package_versions, required_distributions

# section to what one thing in it is called
SECTIONS = {
    "configuration": "configuration",
    "exclusions": "exclusion",
    "data": "file",
    "code": "code of",
    "packages": "package",
    "results": "result",
}
_DIGESTS = "records/.data.sources"
_ABSENT = "absent"
_SHOWN_DIGITS = 12
Inventory = Mapping[str, Mapping[str, str]]


class Change(NamedTuple):
    """One thing that differs between two inventories; None where it is not there."""

    section: str
    name: str
    before: str | None
    after: str | None

    def describe(self) -> str:
        """The change in words, digests by their first digits.

        Examples
        --------
        >>> Change("packages", "scipy", "1.17.0", "1.16.1").describe()
        'package scipy: 1.17.0 -> 1.16.1'
        >>> Change("exclusions", "sub-02 everything", None, "motion, by AB on 2026-01-02").describe()
        'exclusion added: sub-02 everything (motion, by AB on 2026-01-02)'
        """
        word = SECTIONS.get(self.section, self.section)
        before, after = (_shorten(self.section, text) for text in (self.before, self.after))
        if self.section == "plan":  # what is wrong with the plan itself is a sentence
            return str(self.after)
        if self.section == "data":
            return f"file {_what_happened(self.before, self.after)}: {self.name}{_digests(before, after)}"
        if self.section == "exclusions" and (before is None or after is None):
            return f"exclusion {'added' if before is None else 'removed'}: {self.name} ({after or before})"
        return f"{word} {self.name}: {before or 'none'} -> {after or 'none'}"


def _shorten(section: str, text: str | None) -> str | None:
    return text[:_SHOWN_DIGITS] if text and section in {"data", "code", "results"} else text


def _what_happened(before: str | None, after: str | None) -> str:
    if before in {None, _ABSENT}:
        return "added"
    return "missing" if after in {None, _ABSENT} else "replaced"


def _digests(before: str | None, after: str | None) -> str:
    return f" (sha256 {before}… -> {after}…)" if {before, after}.isdisjoint({None, _ABSENT}) else ""


class Digests:
    """Digests of files, kept from run to run: one whose signature is the one that was read is not read again.

    Parameters
    ----------
    folder : Path or None
        The results' folder, with what earlier runs have kept; None: every file is read.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = folder / _DIGESTS if folder else None
        self._kept: dict[str, list[Any]] = {}
        if self._path is not None:
            with contextlib.suppress(OSError, ValueError):
                kept = json.loads(self._path.read_text(encoding="utf-8"))
                self._kept = kept if isinstance(kept, dict) else {}
        self._used: dict[str, list[Any]] = {}

    def of(self, path: Path) -> str:
        """SHA-256 of a file, ``absent`` where it cannot be read."""
        before = file_signature(path)
        if before is None:
            return _ABSENT
        known = self._used.get(str(path)) or self._kept.get(str(path))
        if isinstance(known, list) and len(known) == 2 and known[0] == before:
            self._used[str(path)] = known
            return str(known[1])
        try:
            digest = file_sha256(path)
        except OSError:
            return _ABSENT
        if file_signature(path) == before:  # else it is being written: the next look reads it again
            self._used[str(path)] = [before, digest]
        return digest

    def keep(self) -> None:
        """Write down what was read, for the next run."""
        if self._path is not None and self._used != self._kept:
            write_json(self._path, self._used)


def take_inventory(config: Config, plan: Plan, codes: Mapping[str, str], digests: Digests) -> dict[str, dict[str, str]]:
    """Everything that the results of a study depend on.

    Parameters
    ----------
    config : Config
    plan : Plan
        Of everybody.
    codes : mapping
        From `graytrace.workflow.freshness.code_of_steps`.
    digests : Digests

    Returns
    -------
    dict
        Section (configuration, exclusions, data, code, packages) to names and what they are.
    """
    choices = config.as_dict()
    choices["study"].pop("plan_lock")  # a plan cannot name itself
    return {
        "configuration": dict(_flatten(choices)),
        "exclusions": _read_exclusions(config),
        "data": {_name(path, config): digests.of(path) for path in list_data_files(config, plan)},
        "code": dict(codes),
        "packages": {
            "graytrace": __version__,
            "python": platform.python_version(),
            **package_versions(*required_distributions()),
        },
    }


def take_results(folder: Path) -> dict[str, str]:
    """Digests of the tables and pages of results that are there, by name."""
    pages = [folder / name for name in ("run.json", "report.html", "methods.md")]
    return {path.name: file_sha256(path) for path in sorted([*folder.glob("*.tsv"), *pages]) if path.is_file()}


def list_data_files(config: Config, plan: Plan) -> list[Path]:
    """Every file of the data that a study reads: scans, lesion masks, sidecars, and tables of patients and visits."""
    found = [path for scan in plan.scans for path in (scan.t1w, scan.lesion_mask, scan.flair, *scan.sidecars) if path]
    found += asked_tables(config)
    found += [path for path in (config.scans, config.dates, own_scanner(config.quality)) if path]
    if config.bids_dir is not None:
        for name in plan.participants:
            folder = config.bids_dir / name
            found += [folder / f"{name}_sessions.tsv", *folder.glob("ses-*/*_scans.tsv")]
    templates = [Path(value) for suite in config.suites.values() for value in suite.values() if isinstance(value, str)]
    found += [path for path in templates if path.is_absolute()]
    return sorted({path for path in found if path.is_file() or path.is_symlink()})


def find_changes(before: Inventory, after: Inventory) -> list[Change]:
    """What differs between two inventories, in the sections that the second one has."""
    changes = []
    for section, now in after.items():
        then = before.get(section, {})
        changes += [
            Change(section, name, then.get(name), now.get(name))
            for name in sorted(then.keys() | now.keys())
            if then.get(name) != now.get(name)
        ]
    return changes


def _flatten(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Keys of a configuration with the section in front, values as JSON."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flatten(inner, f"{where}.{key}" if where else str(key))
    else:
        yield where, json.dumps(value, ensure_ascii=False, sort_keys=True)


def _name(path: Path, config: Config) -> str:
    """A file as people know it: within the data set where it is part of it."""
    root = config.require_data()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _read_exclusions(config: Config) -> dict[str, str]:
    """Whom the table of exclusions leaves out, and why, by whom and when."""
    found: dict[str, str] = {}
    if config.exclusions is None:
        return found
    for row in read_rows(config.exclusions, required=["participant_id"]):
        visits = read_visit(row.get("visit")) or "everything"
        note = f": {row.get('note')}" if row.get("note") else ""
        text = f"{row.get('reason')}, by {row.get('who')} on {row.get('when')}{note}"
        name = f"{row.participant_id} {visits}"
        found[name] = f"{found[name]}; {text}" if name in found else text
    return found
