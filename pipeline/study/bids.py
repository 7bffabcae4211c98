"""The parts of a BIDS data set that Graytrace needs: participants, visits with dates, T1w scans, lesion masks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pipeline.errors import ScanTableError
from pipeline.records import Flag
from pipeline.study.dates import parse_date
from pipeline.study.tables import MISSING, read_table

LABEL = re.compile(r"[A-Za-z0-9+]+")
CHOICE_RULE = (
    "without contrast agent before with; then an acquisition that both visits have; "
    "then the lowest run; then the first by name"
)
_SCAN_ENDINGS = (".nii.gz", ".nii")
# what a tool wrote into anat/ by mistake is no scan
_DERIVED_ENTITIES = frozenset({"desc", "space", "label", "res", "den"})


@dataclass(frozen=True)
class ScanFile:
    """A T1w file of a visit and what its name says."""

    path: Path
    entities: tuple[tuple[str, str], ...]

    @property
    def run(self) -> int:
        """The run's number, 0 where the name has none."""
        digits = dict(self.entities).get("run", "0")
        return int(digits) if digits.isdecimal() else 0

    @property
    def has_contrast_agent(self) -> bool:
        """Whether the name says that contrast agent was given."""
        return "ce" in dict(self.entities)

    @property
    def acquisition(self) -> tuple[tuple[str, str], ...]:
        """What is alike between repetitions of one acquisition: all of the name but participant, visit and run."""
        return tuple(pair for pair in self.entities if pair[0] not in {"sub", "ses", "run"})


@dataclass(frozen=True)
class Visit:
    """What a data set has of one participant's visit."""

    scans: tuple[ScanFile, ...]
    day: date | None
    flags: tuple[Flag, ...] = field(default=())


def list_participants(bids_dir: Path) -> tuple[list[str], list[str], set[str]]:
    """Participants of a data set.

    Returns
    -------
    participants : list of str
        ``sub-…`` of everyone who has a row in participants.tsv or a folder, sorted.
    listed : list of str
        Those of participants.tsv, in its order.
    duplicated : set of str
        Those that stand there more than once.

    Raises
    ------
    ScanTableError
        participants.tsv cannot be read or is about nobody and there are no folders.
    """
    table_path = bids_dir / "participants.tsv"
    listed: list[str] = []
    if table_path.is_file():
        names = read_table(table_path, required=["participant_id"])["participant_id"]
        listed = [f"sub-{name.removeprefix('sub-')}" for name in names if name not in {"", MISSING}]
    folders = {path.name for path in bids_dir.glob("sub-*") if path.is_dir()}
    everyone = sorted(folders | set(listed))
    if not everyone:
        raise ScanTableError(
            f"{bids_dir} has no participant: neither rows in participants.tsv nor folders sub-*. Is it a BIDS data set?"
        )
    return everyone, list(dict.fromkeys(listed)), {name for name in listed if listed.count(name) > 1}


def read_visit(bids_dir: Path, participant_id: str, visit: str) -> Visit:
    """Scans and date of a participant's visit; faults of the tables become flags of this visit only."""
    scans = list_scans(bids_dir / participant_id / f"ses-{visit}" / "anat", participant_id, visit)
    day, flags = read_day(bids_dir, participant_id, visit, scans)
    return Visit(scans, day, flags)


def list_scans(anat: Path, participant_id: str, visit: str) -> tuple[ScanFile, ...]:
    """T1w files of a visit, by name."""
    found = []
    for path in sorted(anat.glob(f"{participant_id}_ses-{visit}*_T1w.nii*")):
        stem = next((path.name.removesuffix(end) for end in _SCAN_ENDINGS if path.name.endswith(end)), None)
        if stem is None or not path.is_file():
            continue
        entities = tuple((key, value) for key, _, value in (part.partition("-") for part in stem.split("_")[:-1]))
        if dict(entities).get("ses") == visit and not _DERIVED_ENTITIES & dict(entities).keys():
            found.append(ScanFile(path, entities))
    return tuple(found)


def choose_scan(scans: Sequence[ScanFile], other_visit: Sequence[ScanFile]) -> ScanFile:
    """The scan that is measured when a visit has several; the rule is `CHOICE_RULE`."""
    elsewhere = {scan.acquisition for scan in other_visit}
    return min(
        scans,
        key=lambda scan: (scan.has_contrast_agent, scan.acquisition not in elsewhere, scan.run, scan.path.name),
    )


def read_day(
    bids_dir: Path, participant_id: str, visit: str, scans: Sequence[ScanFile]
) -> tuple[date | None, tuple[Flag, ...]]:
    """Day of a visit: acq_time of sub-*_sessions.tsv, else of sub-*_ses-*_scans.tsv for its T1w scans."""
    folder = bids_dir / participant_id
    session_names = {f"ses-{visit}", visit}
    scan_names = {f"anat/{scan.path.name}" for scan in scans}
    sources = (
        (folder / f"{participant_id}_sessions.tsv", "session_id", session_names),
        (folder / f"ses-{visit}" / f"{participant_id}_ses-{visit}_scans.tsv", "filename", scan_names),
    )
    days: list[tuple[date, Path]] = []
    flags: list[Flag] = []
    for path, key, names in sources:
        try:
            days += [(parse_date(text), path) for text in _acquisition_times(path, key, names)]
        except (ScanTableError, ValueError) as error:
            flags.append(Flag("date_unreadable", f"The date of ses-{visit} in {path.name} cannot be read: {error}"))
    if len({day for day, _ in days}) > 1:
        said = "; ".join(f"{path.name}: {day}" for day, path in days)
        flags.append(Flag("dates_disagree", f"ses-{visit} has several dates ({said}); the first is used."))
    return (days[0][0] if days else None), tuple(flags)


def _acquisition_times(path: Path, key: str, names: Iterable[str]) -> list[str]:
    """Texts of acq_time in the rows of a table whose key is among the names."""
    if not path.is_file():
        return []
    table = read_table(path, required=[key])
    if "acq_time" not in table.columns:
        return []
    chosen = table.loc[table[key].isin(list(names)), "acq_time"]
    return [text for text in chosen if text not in {"", MISSING}]


def find_lesion_masks(lesions: Path, participant_id: str, visit: str) -> list[Path]:
    """Lesion masks of a visit in a derivatives folder, by name."""
    anat = lesions / participant_id / f"ses-{visit}" / "anat"
    pattern = f"{participant_id}_ses-{visit}*_label-lesion_mask.nii"
    return sorted([*anat.glob(pattern), *anat.glob(f"{pattern}.gz")])
