"""The parts of a BIDS data set that Graytrace needs: participants, visits with dates, T1w scans, lesion masks."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

from graytrace.errors import ScanTableError
from graytrace.findings import Flag, Reason
from graytrace.study.dates import parse_date
from graytrace.study.protocol import NOTHING_SAID, read_sidecar
from graytrace.study.sources import SCAN_ENDINGS, ScanFile, Visit, VisitDates, choose_day
from graytrace.tables import TableRow, read_rows

LABEL = re.compile(r"[A-Za-z0-9+]+")
# what a tool wrote into anat/ by mistake is no scan
_DERIVED_ENTITIES = frozenset({"desc", "space", "label", "res", "den"})
Entities = tuple[tuple[str, str], ...]


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
        self._has_list = table.is_file()
        if self._has_list:
            names = (row.get("participant_id") for row in read_rows(table, required=["participant_id"]))
            listed = [f"sub-{name.removeprefix('sub-')}" for name in names if name]
        self._listed = Counter(listed)
        folders = {entry.name for entry in _entries(root) if entry.name.startswith("sub-") and entry.is_dir()}
        self.participants: Sequence[str] = sorted(folders | set(listed))
        if not self.participants:
            raise ScanTableError(
                f"{root} has no participant: neither rows in participants.tsv nor folders sub-*. Is it a BIDS data set?"
            )
        self._last_table: tuple[Path, list[TableRow]] = (root, [])
        self._sidecars_above: dict[Path, list[tuple[Entities, Path]]] = {}

    def labels(self) -> set[str]:
        """Labels of all visits that anybody has."""
        return {path.name.removeprefix("ses-") for path in self.root.glob("sub-*/ses-*") if path.is_dir()}

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
        anat = self.root / participant_id / f"ses-{label}" / "anat"
        names = sorted(entry.name for entry in _entries(anat) if entry.is_file())
        own = [(entities, anat / name) for name in names if (entities := _entities(name, "T1w.json")) is not None]
        scans = []
        for name in names:
            entities = _scan_entities(name, "T1w")
            if _is_of_visit(entities, participant_id, label):
                paths = [*self._inherited(participant_id, label, entities), *_matching(own, entities)]
                scans.append(ScanFile(anat / name, entities, read_sidecar(paths) if paths else NOTHING_SAID))
        flair = next(
            (name for name in names if _is_of_visit(_scan_entities(name, "FLAIR"), participant_id, label)), None
        )
        day, flags = self._day(participant_id, label, scans)
        return Visit(
            scans=tuple(scans),
            day=day,
            flags=tuple(flags),
            lesion_masks=tuple(_lesion_masks(self._lesions, participant_id, label)) if self._lesions else (),
            flair=anat / flair if flair else None,
            missing=None if scans else self._why_missing(participant_id, label),
        )

    def _inherited(self, participant_id: str, label: str, entities: Entities) -> Iterator[Path]:
        """Sidecars in the folders above that hold for a scan, the outermost first (the inheritance principle)."""
        patient = self.root / participant_id
        for folder in (self.root, patient, patient / f"ses-{label}"):
            if folder not in self._sidecars_above:
                found = ((_entities(entry.name, "T1w.json"), Path(entry.path)) for entry in _entries(folder))
                self._sidecars_above[folder] = sorted((known, path) for known, path in found if known is not None)
            yield from _matching(self._sidecars_above[folder], entities)

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
            self._last_table = path, read_rows(path, required=[key]) if path.is_file() else []
        found = (row.get("acq_time") for row in self._last_table[1] if row.get(key) in names)
        return [text for text in found if text]

    def _why_missing(self, participant_id: str, label: str) -> Reason:
        """The first level of the data set at which the scan is not there."""
        folder = self.root / participant_id
        if not folder.is_dir():
            return Reason("no_participant_folder", f"{participant_id} is in participants.tsv but has no folder.")
        if not (folder / f"ses-{label}").is_dir():
            return Reason("no_session", f"There is no ses-{label}.")
        return Reason("no_t1w", f"ses-{label} has no file anat/{participant_id}_ses-{label}_T1w.nii.gz or .nii.")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where there is none."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _entities(name: str, ending: str) -> Entities | None:
    """Entities of a name like ``sub-01_ses-BL_T1w.json``, None for a name with another ending."""
    if name != ending and not name.endswith(f"_{ending}"):
        return None
    parts = name.removesuffix(ending).split("_")[:-1]
    return tuple((key, value) for key, _, value in (part.partition("-") for part in parts))


def _scan_entities(name: str, suffix: str) -> Entities:
    """Entities of an image's name, none for what is no such image."""
    return next((found for end in SCAN_ENDINGS if (found := _entities(name, f"{suffix}{end}")) is not None), ())


def _is_of_visit(entities: Entities, participant_id: str, label: str) -> bool:
    known = dict(entities)
    is_here = f"sub-{known.get('sub')}" == participant_id and known.get("ses") == label
    return is_here and not _DERIVED_ENTITIES & known.keys()


def _matching(sidecars: Iterable[tuple[Entities, Path]], entities: Entities) -> Iterator[Path]:
    """Sidecars that hold for a scan, those of more files first."""
    held = [(len(known), path) for known, path in sidecars if set(known) <= set(entities)]
    return (path for _, path in sorted(held))


def _lesion_masks(lesions: Path, participant_id: str, label: str) -> list[Path]:
    """Lesion masks of a visit in a derivatives folder, by name."""
    start = f"{participant_id}_ses-{label}"
    ends = tuple(f"_label-lesion_mask{end}" for end in SCAN_ENDINGS)
    anat = lesions / participant_id / f"ses-{label}" / "anat"
    return sorted(
        Path(entry.path) for entry in _entries(anat) if entry.name.startswith(start) and entry.name.endswith(ends)
    )
