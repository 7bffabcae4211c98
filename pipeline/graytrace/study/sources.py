"""What both doors into a study, a BIDS data set and a plain table, say of a participant's visit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Protocol

from graytrace.errors import ScanTableError
from graytrace.findings import Flag, Reason
from graytrace.study.dates import parse_date
from graytrace.study.names import compare_names, find_agent
from graytrace.study.protocol import NOTHING_SAID, Sidecar, compare_protocols
from graytrace.study.protocol import Protocol as ScanProtocol
from graytrace.tables import read_rows, read_visit

CHOICE_RULE = (
    "without contrast agent before with; then what the other visits have alike by name and sidecar; "
    "then the lowest run; then the first by name"
)
VisitDates = Mapping[tuple[str, str], date]


@dataclass(frozen=True)
class ScanFile:
    """A T1w file of a visit and what its name and its sidecars say."""

    path: Path
    entities: tuple[tuple[str, str], ...] = ()
    sidecar: Sidecar = NOTHING_SAID

    @property
    def run(self) -> int:
        """The run's number, 0 where the name has none."""
        digits = dict(self.entities).get("run", "0")
        return int(digits) if digits.isdecimal() and len(digits) < 10 else 0

    @property
    def contrast_agent(self) -> str | None:
        """Contrast agent as the name or the sidecar has it, None where neither says so."""
        return find_agent(self.entities, self.sidecar.protocol.contrast_agent)

    @property
    def protocol(self) -> ScanProtocol:
        """How it was taken: the sidecar, with the contrast agent that the name tells."""
        return replace(self.sidecar.protocol, contrast_agent=self.contrast_agent)

    def count_differences(self, other: ScanFile) -> int:
        """In how many ways, by name and sidecar, another visit's scan was taken differently."""
        return len(compare_names(self.entities, other.entities)) + len(compare_protocols(self.protocol, other.protocol))


@dataclass(frozen=True)
class Visit:
    """What a study has of one participant's visit.

    Parameters
    ----------
    day : date or None
        None where no source gives one.
    missing : Reason or None
        Why there is no scan.
    """

    scans: tuple[ScanFile, ...] = ()
    day: date | None = None
    flags: tuple[Flag, ...] = ()
    lesion_masks: tuple[Path, ...] = ()
    flairs: tuple[ScanFile, ...] = ()
    missing: Reason | None = None


class Source(Protocol):
    """A study's data: who is in it and what there is of each visit."""

    @property
    def root(self) -> Path:
        """Folder that paths are shown relative to."""

    @property
    def participants(self) -> Sequence[str]:
        """``sub-…`` of everyone, sorted."""

    def labels(self) -> set[str]:
        """Labels of all visits that anybody has."""

    def notes(self) -> list[str]:
        """What is odd about the data as a whole, a sentence each."""

    def participant_flags(self, participant_id: str) -> list[Flag]:
        """What is odd about a participant."""

    def visit(self, participant_id: str, label: str) -> Visit:
        """What there is of a participant's visit; its faults become its own flags or reason."""


def choose_scans(visits: Sequence[Sequence[ScanFile]]) -> list[ScanFile | None]:
    """The scan of each visit that is measured, the baseline first; the rule is `CHOICE_RULE`.

    The baseline is the scan that has the best partners at the other visits, and they are the best partners of it.
    """
    first, *others = visits

    def rank(scan: ScanFile, visits: Sequence[Sequence[ScanFile]]) -> tuple[bool, int, int, str]:
        apart = sum(min(map(scan.count_differences, visit)) for visit in visits if visit)
        return scan.contrast_agent is not None, apart, scan.run, scan.path.name

    baseline = min(first, key=lambda scan: rank(scan, others), default=None)
    beside = [[baseline]] if baseline else []
    return [baseline, *(min(visit, key=lambda scan: rank(scan, beside), default=None) for visit in others)]


def choose_day(label: str, said: Iterable[tuple[date, str]]) -> tuple[date | None, tuple[Flag, ...]]:
    """The first of a visit's dates, with a flag where its sources disagree."""
    days = list(said)
    if len({day for day, _ in days}) > 1:
        words = "; ".join(f"{source}: {day}" for day, source in days)
        return days[0][0], (Flag("dates_disagree", f"ses-{label} has several dates ({words}); the first is used."),)
    return (days[0][0] if days else None), ()


def read_dates(path: Path) -> VisitDates:
    """Dates of visits from a study's own table participant_id, visit, date.

    Raises
    ------
    ScanTableError
        With every fault of the table at once.
    """
    days: dict[tuple[str, str], date] = {}
    faults = []
    for row in read_rows(path, required=["participant_id", "visit", "date"]):
        key, text = (row.participant_id, read_visit(row.get("visit"))), row.get("date")
        if not all(key):
            faults.append(f"  line {row.line}: participant_id or visit is empty")
        elif text is not None:
            try:
                day = parse_date(text)
            except ValueError as error:
                faults.append(f"  line {row.line}: {error}")
                continue
            if days.setdefault(key, day) != day:
                faults.append(f"  line {row.line}: {key[0]} has another date for ses-{key[1]} above")
    if faults:
        raise ScanTableError("\n".join([f"{path} cannot be used:", *faults]))
    return days
