"""What a study leaves out: a table of scans and pairs with a reason, a name and a date for each."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from graytrace.errors import ScanTableError
from graytrace.findings import Reason
from graytrace.study.dates import parse_date
from graytrace.tables import TableRow, read_rows

COLUMNS = ("participant_id", "visit", "reason", "who", "when")
REASONS = {
    "motion": "the patient moved",
    "artifact": "another artifact: wrap, metal, spikes, ghosts",
    "field_of_view": "part of the brain is outside of the image",
    "wrong_sequence": "not the sequence of the protocol",
    "contrast_agent": "taken after contrast agent",
    "protocol_change": "scanner, coil or sequence changed between the visits",
    "wrong_participant": "the scan is, or may be, somebody else's",
    "pathology": "a finding that makes the measure meaningless: tumor, stroke, hydrocephalus, surgery",
    "treatment": "a treatment near the scan changes brain volume, for example steroids",
    "not_eligible": "the patient does not meet the trial's criteria",
    "consent_withdrawn": "the patient withdrew consent",
    "bad_measurement": "the pictures show that brain or tissues were outlined wrongly",
    "other": "what note says",
}


@dataclass(frozen=True)
class Exclusion:
    """One entry.

    Parameters
    ----------
    visits : tuple of str
        Empty: everything of the participant; one label: that scan and every pair with it; two: that pair only.
    """

    participant_id: str
    visits: tuple[str, ...]
    reason: Reason


@dataclass(frozen=True)
class Exclusions:
    """All entries of a study."""

    entries: tuple[Exclusion, ...] = ()

    def of_scan(self, participant_id: str, visit: str) -> Reason | None:
        """Why a scan is left out, None where it is not."""
        return self._first(participant_id, [(), (visit,)])

    def of_pair(
        self, participant_id: str, baseline: str, followup: str, *, in_any_order: bool = False
    ) -> Reason | None:
        """Why a pair is left out, by an entry of its own or of one of its scans."""
        own = [(baseline, followup), *([(followup, baseline)] if in_any_order else [])]
        return self._first(participant_id, [(), (baseline,), (followup,), *own])

    def _first(self, participant_id: str, visits: Iterable[tuple[str, ...]]) -> Reason | None:
        wanted = set(visits)
        found = (entry for entry in self.entries if entry.participant_id == participant_id and entry.visits in wanted)
        return next((entry.reason for entry in found), None)


def read_exclusions(
    path: Path,
    *,
    participants: Collection[str],
    baseline: str,
    followups: Sequence[str],
    earlier: Sequence[str] = (),
    joins_all: bool = False,
) -> Exclusions:
    """Read the table of exclusions and hold it against the study.

    Parameters
    ----------
    participants : collection of str
        ``sub-…`` of everyone in the study.
    baseline, followups : str, sequence of str
        Labels of the planned visits.
    earlier : sequence of str
        Labels of visits before that baseline.
    joins_all : bool
        Whether any two visits may be a pair.

    Raises
    ------
    ScanTableError
        With every fault of the table at once; an entry that matches nothing in the study is one.
    """
    labels = [*earlier, baseline, *followups]
    pairs = list(itertools.permutations(labels, 2)) if joins_all else [(baseline, label) for label in followups]
    allowed: set[tuple[str, ...]] = {(), *((label,) for label in labels), *pairs}
    everyone = frozenset(participants)
    entries, faults = [], []
    for row in read_rows(path, required=COLUMNS):
        entry, found = _entry(row)
        if entry.participant_id and entry.participant_id not in everyone:
            found.append(f"{entry.participant_id} is not in the study")
        if entry.visits not in allowed:
            shown = list(itertools.combinations(labels, 2)) if joins_all else pairs
            planned = ", ".join([*labels, *map("_".join, shown)])
            found.append(
                f"visit {row.get('visit')!r} is not planned; there are {planned}, and n/a for all of a patient"
            )
        faults += [f"  line {row.line}: {fault}" for fault in found]
        entries.append(entry)
    if faults:
        raise ScanTableError("\n".join([f"{path} cannot be used; nothing was excluded or measured:", *faults]))
    return Exclusions(tuple(entries))


def _entry(row: TableRow) -> tuple[Exclusion, list[str]]:
    """A row as an entry, and what is wrong with it."""
    faults = [f"{name} is empty" for name in ("participant_id", "reason", "who", "when") if row.get(name) is None]
    code, who, when, note = (row.get(name) for name in ("reason", "who", "when", "note"))
    if code and code not in REASONS:
        faults.append(f"reason {code!r} is not one of {', '.join(REASONS)}")
    if code == "other" and not note:
        faults.append("reason other needs a note that says what it is")
    if when:
        try:
            parse_date(when)
        except ValueError as error:
            faults.append(f"when: {error}")
    participant_id = row.participant_id
    parts = (row.get("visit") or "").replace("ses-", "").split("_")
    visits = () if parts == [""] else tuple(parts)
    meaning = REASONS.get(code or "", "")
    sentence = f"Excluded by {who} on {when}: {note or meaning}".rstrip(".") + "."
    return Exclusion(participant_id, visits, Reason(code or "", sentence)), faults
