"""The audit trail of a results' folder: audit.jsonl, a line for each event, each with the digest of the line before.

Lines are only ever added. A line that was edited, removed or moved breaks the chain where it stood; what was cut off at
the end is seen by the digest of the last line, which is kept in a second file. Nobody who may write in the folder is
hindered from writing both anew: who needs to know keeps the last digest elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import hashlib
import itertools
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graytrace import __version__
from graytrace.errors import ConfigError, PipelineError
from graytrace.files import write_json
from graytrace.workflow.inventory import Change, Inventory, find_changes

TRAIL_NAME = "audit.jsonl"
HEAD_NAME = "audit.head.json"
RUN_STARTED, RUN_ENDED, NOTHING_DONE = "run started", "run ended", "run without work"
PLAN_LOCKED, UNBLINDED, REVIEWED = "plan locked", "unblinded", "review read"
NOTHING_BEFORE = "0" * 64
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


@dataclass(frozen=True)
class Entry:
    """One line of the trail.

    Parameters
    ----------
    line : int
        From 1.
    number : int
        Its place in the order in which entries were written, from 1.
    sha256 : str
        Of the line's bytes.
    previous : str
        That of the line before it, as this one tells.
    content : mapping
        Everything that it tells.
    """

    line: int
    number: int
    sha256: str
    previous: str
    content: Mapping[str, Any]

    @property
    def event(self) -> str:
        """What happened."""
        return str(self.content.get("event"))

    @property
    def changes(self) -> list[Change]:
        """What had changed since the entry before."""
        return [Change(*change) for change in self.content.get("changes", ())]


@dataclass(frozen=True)
class Trail:
    """Everything that a trail tells, and what is wrong with it.

    Parameters
    ----------
    torn : tuple of int
        Lines that a crash has cut short.
    faults : tuple of str
        What was edited, removed, moved or cut off, a sentence each.
    """

    entries: tuple[Entry, ...] = ()
    torn: tuple[int, ...] = ()
    faults: tuple[str, ...] = ()
    inventory: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def last(self, event: str) -> Entry | None:
        """The last entry on an event, None without."""
        return next((entry for entry in reversed(self.entries) if entry.event == event), None)

    @property
    def is_unblinded(self) -> bool:
        """Whether somebody has lifted the blinding."""
        return self.last(UNBLINDED) is not None


@dataclass(frozen=True)
class _Line:
    """A line's bytes, its digest, and what it tells; None where it is no entry."""

    place: int
    sha256: str
    entry: Entry | None
    is_whole: bool


def read_trail(folder: Path) -> Trail:
    """Read and verify the trail of a results' folder; an empty one where there is none.

    Raises
    ------
    PipelineError
        It is there and cannot be read.
    """
    try:
        return _judge(_read(folder / TRAIL_NAME), _read_head(folder))
    except OSError as error:
        raise PipelineError(f"{folder / TRAIL_NAME} cannot be read: {error.strerror or error}.") from error


def append_entry(
    folder: Path, event: str, inventory: Inventory | None = None, details: Mapping[str, Any] | None = None
) -> Entry:
    """Add a line: who, when, what happened, and what of the inventory has changed since the last line.

    Several processes may do so at once; each waits for the one before. A line that a crash has cut short stays as it
    is, and the new one tells its digest. Faults of the chain that nobody told yet are told in the new line, so that
    they do not vanish behind it.

    Parameters
    ----------
    folder : Path
        Of the results.
    event : str
    inventory : mapping, optional
        The sections that are known now.
    details : mapping, optional
        What belongs to the event alone.

    Raises
    ------
    PipelineError
        The trail cannot be written.
    """
    path = folder / TRAIL_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(path) as handle:
            lines = _read(path)
            head = _read_head(folder)
            trail = _judge(lines, head)
            told = {fault for entry in trail.entries for fault in entry.content.get("found", ())}
            content: dict[str, Any] = {
                "number": max([int(head.get("entries", 0)), *(entry.number for entry in trail.entries)]) + 1,
                "previous": lines[-1].sha256 if lines else NOTHING_BEFORE,
                "event": event,
                "when": datetime.now(UTC).isoformat(timespec="seconds"),
                "user": name_user(),
                "host": name_host(),
                "process": os.getpid(),
                "version": __version__,
                "changes": [list(change) for change in find_changes(trail.inventory, inventory or {})],
            }
            content |= {"details": dict(details)} if details else {}
            if fresh := [fault for fault in trail.faults if fault not in told and not _is_told(fault)]:
                content["found"] = fresh
            start = b"\n" if lines and not lines[-1].is_whole else b""
            if start and lines[-1].entry is None:
                content["torn_before"] = True
            text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
            _write_all(handle, start + text + b"\n")
            digest = hashlib.sha256(text).hexdigest()
            write_json(folder / HEAD_NAME, {"entries": content["number"], "sha256": digest})
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be written ({error.strerror or error}): without it nothing is done. Free some space, or "
            "get the right to write there."
        ) from error
    return Entry(len(lines) + 1, content["number"], digest, content["previous"], content)


def _write_all(handle: int, content: bytes) -> None:
    """Write and see it on the disk; a call may write a part of what it is given."""
    while content:
        content = content[os.write(handle, content) :]
    os.fsync(handle)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The trail, open to add to it, for this process alone where the file system can lock."""
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield handle
    finally:
        os.close(handle)


def name_user() -> str:
    """Who runs this process, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"  # a container without a table of users


def name_host() -> str:
    """The machine that this process runs on."""
    return socket.gethostname()


def check_why(text: str | None) -> str:
    """A reason that is to be written down.

    Raises
    ------
    ConfigError
        There is none.
    """
    why = " ".join((text or "").split())
    if not why:
        raise ConfigError("--why: a reason is needed; it is written down in audit.jsonl.")
    return why


def _read_head(folder: Path) -> Mapping[str, Any]:
    """Number and digest of the last entry, as they were kept apart."""
    try:
        head = json.loads((folder / HEAD_NAME).read_text(encoding="utf-8"))
        return {"entries": int(head["entries"]), "sha256": str(head["sha256"])}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        return {"damaged": True}


def _read(path: Path) -> list[_Line]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    texts = content.split(b"\n")
    is_whole = texts[-1] == b""
    texts = texts[:-1] if is_whole else texts
    return [
        _Line(place, digest, _parse(text, place, digest), is_whole or place < len(texts))
        for place, text in enumerate(texts, start=1)
        for digest in [hashlib.sha256(text).hexdigest()]
    ]


def _parse(text: bytes, place: int, digest: str) -> Entry | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not _is_entry(content):
        return None
    return Entry(place, content["number"], digest, content["previous"], content)


def _is_entry(content: Mapping[str, Any]) -> bool:
    """Whether a line's content has the shape of an entry."""
    kinds = {"number": int, "previous": str, "changes": list, "found": list, "details": dict}
    whole = {"changes": [], "found": [], "details": {}, **content}
    return (
        all(type(whole.get(name)) is kind for name, kind in kinds.items())
        and all(isinstance(fault, str) for fault in whole["found"])
        and all(isinstance(change, list) and _is_change(change) for change in whole["changes"])
    )


def _is_change(change: Sequence[Any]) -> bool:
    return len(change) == len(Change._fields) and all(isinstance(text, str | None) for text in change)


def _judge(lines: Sequence[_Line], head: Mapping[str, Any]) -> Trail:
    """Hold every line against the one before, and the last against what was kept apart."""
    torn, faults = [], []
    for line, following in itertools.zip_longest(lines, lines[1:]):
        if line.entry is not None:
            continue
        told = following.entry if following else None
        if (following is None and not line.is_whole) or (
            told is not None and told.content.get("torn_before") is True and told.previous == line.sha256
        ):
            torn.append(line.place)
        else:
            faults.append(f"line {line.place} was edited: it is no entry any more.")
    entries = tuple(line.entry for line in lines if line.entry is not None)
    faults += _find_breaks(entries, {line.sha256: line for line in lines})
    faults += _check_head(entries, head)
    faults += [_tell(entry, fault) for entry in entries for fault in entry.content.get("found", ())]
    return Trail(entries, tuple(torn), tuple(dict.fromkeys(faults)), _replay(entries))


_TOLD = "told by entry "


def _tell(entry: Entry, fault: str) -> str:
    return f"{_TOLD}{entry.number}: {fault}"


def _is_told(fault: str) -> bool:
    return fault.startswith(_TOLD)


def _find_breaks(entries: Sequence[Entry], lines: Mapping[str, _Line]) -> Iterator[str]:
    """Where entries are moved, doubled, missing or edited."""
    highest = 0
    for entry in entries:
        if entry.number <= highest:
            yield f"line {entry.line} was moved or copied: it is entry {entry.number} behind entry {highest}."
        highest = max(highest, entry.number)
    ordered = sorted({entry.number: entry for entry in entries}.values(), key=lambda entry: entry.number)
    before: Entry | None = None
    for entry in ordered:
        expected = before.number + 1 if before else 1
        link = before.sha256 if before else NOTHING_BEFORE
        if entry.number > expected:
            yield f"{_name(expected, entry.number - 1)} removed before line {entry.line}."
        elif entry.previous != link and not _follows_torn(entry, lines, link):
            if before is None:
                yield f"line {entry.line} was edited: it is the first entry and tells of one before it."
            else:
                yield f"line {before.line} was edited: entry {entry.number} behind it tells another digest of it."
        before = entry


def _follows_torn(entry: Entry, lines: Mapping[str, _Line], link: str) -> bool:
    """Whether an entry tells the digest of a line that a crash cut short, which stands behind the entry before."""
    torn = lines.get(entry.previous)
    if torn is None or torn.entry is not None or entry.content.get("torn_before") is not True:
        return False
    before = lines.get(link)
    return before is None or before.place == torn.place - 1


def _name(first: int, last: int) -> str:
    return f"entry {first} was" if first == last else f"entries {first} to {last} were"


def _check_head(entries: Sequence[Entry], head: Mapping[str, Any]) -> Iterator[str]:
    """What the digest that is kept apart says of the end."""
    if "damaged" in head:
        yield f"{HEAD_NAME} was edited: it tells no last entry any more."
        return
    if not head:
        if entries:
            yield f"{HEAD_NAME} is not there: whether entries were cut off at the end is not known."
        return
    last = max((entry.number for entry in entries), default=0)
    if head["entries"] > last:
        yield f"{_name(last + 1, head['entries'])} cut off at the end: {HEAD_NAME} knows of them."
        return
    kept = next((entry for entry in entries if entry.number == head["entries"]), None)
    if kept is not None and kept.sha256 != head["sha256"]:
        yield f"line {kept.line} was edited: {HEAD_NAME} tells another digest of entry {kept.number}."


def _replay(entries: Sequence[Entry]) -> dict[str, dict[str, str]]:
    """The inventory after the last entry, from the changes of all."""
    now: dict[str, dict[str, str]] = {}
    for entry in entries:
        for change in entry.changes:
            section = now.setdefault(change.section, {})
            if change.after is None:
                section.pop(change.name, None)
            else:
                section[change.name] = change.after
    return now
