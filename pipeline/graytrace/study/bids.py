"""The parts of a BIDS data set that Graytrace needs: participants, visits with dates, T1w scans, lesion masks."""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

from graytrace.errors import ScanTableError
from graytrace.files import LINK_WITHOUT_CONTENT
from graytrace.findings import Flag, Reason
from graytrace.study.dates import parse_date
from graytrace.study.names import (
    SCAN_ENDINGS,
    Entities,
    describe_near_folder,
    describe_near_misses,
    is_lesion_mask,
    is_of_visit,
    rank_lesion_mask,
    split_name,
    split_scan_name,
)
from graytrace.study.protocol import NOTHING_SAID, read_sidecar
from graytrace.study.sources import ScanFile, Visit, VisitDates, choose_day
from graytrace.tables import TableRow, read_rows

LABEL = re.compile(r"[A-Za-z0-9+]+")
_NEAR_PARTICIPANT = re.compile(r"sub[^a-z-].*|Sub-.*|SUB-.*")


class BidsSource:
    """A study's data in a BIDS data set.

    Parameters
    ----------
    root : Path
        The data set; only read.
    lesions : Path or None
        Folder of the lesion masks.
    dates : mapping
        Dates of the study's own table, which count where the data set has none.

    Raises
    ------
    ScanTableError
        participants.tsv cannot be read, or there are no participants.
    """

    def __init__(self, root: Path, *, lesions: Path | None = None, dates: VisitDates | None = None) -> None:
        self.root = root
        self._lesions = lesions
        self._dates = dates or {}
        table = root / "participants.tsv"
        listed: list[str] = []
        self._has_list = table.is_file() or table.is_symlink()
        if self._has_list:
            names = (row.participant_id for row in read_rows(table, required=["participant_id"]))
            listed = [name for name in names if name]
        self._listed = Counter(listed)
        try:
            there = _entries(root)
        except PermissionError as error:
            raise ScanTableError(f"{root} may not be read: permission denied. Get the right to read it.") from error
        is_folder = {entry.name: entry.is_symlink() or entry.is_dir() for entry in there}
        folders = {name for name, is_one in is_folder.items() if name.startswith("sub-") and is_one}
        self._near = sorted(name for name, is_one in is_folder.items() if is_one and _NEAR_PARTICIPANT.fullmatch(name))
        self._others = [*self._near, *sorted(folders - set(listed))]  # one of them may be a listed one's, misspelled
        self.participants: Sequence[str] = sorted(folders | set(listed))
        if not self.participants:
            raise ScanTableError(
                f"{root} has no participant: neither rows in participants.tsv nor folders sub-*. Is it a BIDS data set?"
            )
        self._last_table: tuple[Path, list[TableRow]] = (root, [])
        self._sidecars_above: dict[tuple[Path, str], list[tuple[Entities, Path]]] = {}

    def labels(self) -> set[str]:
        """Labels of all visits that anybody has."""
        return {path.name.removeprefix("ses-") for path in self.root.glob("sub-*/ses-*") if path.is_dir()}

    def notes(self) -> list[str]:
        """Folders at the top that nearly are participants' ones."""
        return [f"{name} is no participant's folder: rename it to sub-{name[3:].lstrip('-_ ')}." for name in self._near]

    def participant_flags(self, participant_id: str) -> list[Flag]:
        """What is odd about a participant's row in participants.tsv."""
        flags = []
        if self._has_list and participant_id not in self._listed:
            message = f"{participant_id} has a folder but no row in participants.tsv."
            flags.append(Flag("not_in_participants", message))
        if self._listed[participant_id] > 1:
            message = f"{participant_id} has more than one row in participants.tsv."
            flags.append(Flag("duplicate_participant", message))
        return flags

    def visit(self, participant_id: str, label: str) -> Visit:
        """What there is of a visit; faults of its tables and sidecars become its flags."""
        try:
            return self._visit(participant_id, label)
        except PermissionError as error:
            message = f"{error.filename} may not be read: permission denied. Get the right to read it."
            return Visit(missing=Reason("folder_unreadable", message))

    def _visit(self, participant_id: str, label: str) -> Visit:
        anat = self.root / participant_id / f"ses-{label}" / "anat"
        names = sorted(entry.name for entry in _entries(anat) if entry.is_symlink() or entry.is_file())
        scans = self._scan_files(anat, names, participant_id, label, "T1w")
        day, flags = self._day(participant_id, label, scans)
        flags += _strangers(names, participant_id, label)
        flags += _unused_sidecars(names, scans)
        masks: list[Path] = []
        if self._lesions:
            masks, others = _lesion_files(self._lesions, participant_id, label)
            if others and not masks:
                message = f"{', '.join(others[:3])} in {self._lesions} is taken for no lesion mask of ses-{label}: "
                flags.append(
                    Flag("lesion_mask_unused", f"{message}call it {participant_id}_ses-{label}_label-lesion_mask.")
                )
        return Visit(
            scans=tuple(scans),
            day=day,
            flags=tuple(flags),
            lesion_masks=tuple(masks),
            flairs=tuple(self._scan_files(anat, names, participant_id, label, "FLAIR")),
            missing=None if scans else self._why_missing(participant_id, label),
        )

    def _scan_files(
        self, anat: Path, names: Sequence[str], participant_id: str, label: str, suffix: str
    ) -> list[ScanFile]:
        """Images of a kind, with their sidecars."""
        own = [
            (entities, anat / name) for name in names if (entities := split_name(name, f"{suffix}.json")) is not None
        ]
        scans = []
        for name in names:
            entities = split_scan_name(name, suffix)
            if is_of_visit(entities, participant_id, label):
                paths = [*self._inherited(participant_id, label, entities, suffix), *_matching(own, entities)]
                scans.append(ScanFile(anat / name, entities, read_sidecar(paths) if paths else NOTHING_SAID))
        return scans

    def _inherited(self, participant_id: str, label: str, entities: Entities, suffix: str) -> Iterator[Path]:
        """Sidecars in the folders above that hold for a scan, the outermost first (the inheritance principle)."""
        patient = self.root / participant_id
        for folder in (self.root, patient, patient / f"ses-{label}"):
            key = folder, suffix
            if key not in self._sidecars_above:
                found = ((split_name(entry.name, f"{suffix}.json"), Path(entry.path)) for entry in _entries(folder))
                self._sidecars_above[key] = sorted((known, path) for known, path in found if known is not None)
            yield from _matching(self._sidecars_above[key], entities)

    def _day(self, participant_id: str, label: str, scans: Sequence[ScanFile]) -> tuple[date | None, list[Flag]]:
        """Day of a visit: acq_time of sessions.tsv, then of scans.tsv, then of sidecars, then of the study's table."""
        folder = self.root / participant_id
        sessions = folder / f"{participant_id}_sessions.tsv"
        own = folder / f"ses-{label}" / f"{participant_id}_ses-{label}_scans.tsv"
        said: list[tuple[date, str]] = []
        flags: list[Flag] = []
        for path, key, names in (
            (sessions, "session_id", {f"ses-{label}", label}),
            (own, "filename", {f"anat/{scan.path.name}" for scan in scans}),
        ):
            try:
                said += [(parse_date(text), path.name) for text in self._acquisition_times(path, key, names)]
            except (ScanTableError, ValueError) as error:
                message = f"The date of ses-{label} in {path.name} cannot be read: {error}"
                flags.append(Flag("date_unreadable", message))
        for scan in scans:
            flags += scan.sidecar.flags
            if scan.sidecar.day:
                said.append((scan.sidecar.day, "sidecar"))
        in_table = self._dates.get((participant_id, label))
        if in_table:
            said.append((in_table, "table of dates"))
        day, disagreement = choose_day(label, said)
        return day, [*flags, *disagreement]

    def _acquisition_times(self, path: Path, key: str, names: Collection[str]) -> list[str]:
        """Texts of acq_time in the rows of a table whose key is among the names."""
        if self._last_table[0] != path:  # a patient's visits look into the same table one after the other
            self._last_table = path, _rows_of(path, key)
        found = (row.get("acq_time") for row in self._last_table[1] if row.get(key) in names)
        return [text for text in found if text]

    def _why_missing(self, participant_id: str, label: str) -> Reason:
        """The first level of the data set at which the scan is not there."""
        folder = self.root / participant_id
        if not folder.is_dir():
            if folder.is_symlink():
                return Reason("no_participant_folder", f"{participant_id} is a {LINK_WITHOUT_CONTENT}.")
            near = describe_near_folder(
                [name for name in self._others if _is_near(name, participant_id)], participant_id
            )
            return Reason("no_participant_folder", f"{participant_id} is in participants.tsv but has no folder.{near}")
        visit = folder / f"ses-{label}"
        if not visit.is_dir():
            there = [entry.name for entry in _entries(folder) if entry.is_symlink() or entry.is_dir()]
            return Reason("no_session", f"There is no ses-{label}.{describe_near_folder(there, visit.name)}")
        return Reason("no_t1w", f"ses-{label} has {_why_no_scan(visit, f'{participant_id}_{visit.name}_T1w')}")


def _why_no_scan(visit: Path, wanted: str) -> str:
    """What a visit's folder lacks, what lies there instead and what to do."""
    names = sorted(_shown(entry) for entry in _entries(visit / "anat"))
    lacks = f"no file anat/{wanted}.nii.gz"
    if names:
        return f"{lacks} or .nii.{describe_near_misses(names, wanted)}"
    names = sorted(map(_shown, _entries(visit)))
    if names in ([], ["anat/"]):
        return f"{lacks}: the folder {'anat' if names else visit.name} is empty."
    if misspelled := [name for name in names if name.lower() == "anat/" != name]:
        return f"no folder anat. There is {misspelled[0]}: rename it to anat."
    return f"{lacks} or .nii.{describe_near_misses(names, wanted, place='anat')}"


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where there is none, or a link that leads to itself."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        if error.errno == errno.ELOOP:
            return []
        raise


def _shown(entry: os.DirEntry[str]) -> str:
    """Name of an entry, a folder's with a slash."""
    return f"{entry.name}/" if not entry.is_symlink() and entry.is_dir() else entry.name


def _is_near(name: str, participant_id: str) -> bool:
    return name.lower().replace("_", "").replace("-", "") == participant_id.lower().replace("-", "")


def _rows_of(path: Path, key: str) -> list[TableRow]:
    """Rows of a table that need not be there."""
    return read_rows(path, required=[key]) if path.is_file() or path.is_symlink() else []


def _strangers(names: Iterable[str], participant_id: str, label: str) -> list[Flag]:
    """A flag for T1w scans in a visit's folder whose names are of another participant or visit."""
    found = [(name, dict(split_scan_name(name, "T1w"))) for name in names]
    strange = [
        name
        for name, known in found
        if known and (f"sub-{known.get('sub')}", known.get("ses")) != (participant_id, label)
    ]
    if not strange:
        return []
    message = (
        f"{', '.join(strange)} lies in the folder of ses-{label} but its name is of another participant or visit: "
    )
    return [Flag("name_of_another", f"{message}it is not used.")]


def _unused_sidecars(names: Iterable[str], scans: Sequence[ScanFile]) -> list[Flag]:
    """A flag where no scan of a visit has a sidecar beside it, but there are some of other names."""
    known = {name: entities for name in names if (entities := split_name(name, "T1w.json")) is not None}
    held = [name for name, entities in known.items() if any(set(entities) <= set(scan.entities) for scan in scans)]
    if not known or not scans or held:
        return []
    message = f"{', '.join(known)} is of no scan there, and what it says is not used: give it the name of "
    return [Flag("sidecar_unused", f"{message}{scans[0].path.name}, with .json at its end.")]


def _matching(sidecars: Iterable[tuple[Entities, Path]], entities: Entities) -> Iterator[Path]:
    """Sidecars that hold for a scan, those of more files first."""
    held = [(len(known), path) for known, path in sidecars if set(known) <= set(entities)]
    return (path for _, path in sorted(held))


def _lesion_files(lesions: Path, participant_id: str, label: str) -> tuple[list[Path], list[str]]:
    """Lesion masks of a visit in a derivatives folder, by name, and names of other images of it there."""
    visit = lesions / participant_id / f"ses-{label}"
    start = f"{participant_id}_ses-{label}_"
    masks: list[Path] = []
    others: list[Path] = []
    for folder in (visit / "anat", visit, lesions / participant_id, lesions):
        for entry in _entries(folder):
            if entry.name.startswith(start) and entry.name.endswith(SCAN_ENDINGS):
                (masks if is_lesion_mask(entry.name) else others).append(Path(entry.path))
        if masks:
            break
    return sorted(masks, key=lambda path: rank_lesion_mask(path.name)), sorted(path.name for path in others)
