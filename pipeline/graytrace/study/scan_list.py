"""The second door into a study: a plain table with a row for each scan, for those who have no BIDS data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from graytrace.errors import ScanTableError
from graytrace.findings import Flag, Reason
from graytrace.study.bids import LABEL
from graytrace.study.dates import parse_date
from graytrace.study.names import SCAN_ENDINGS
from graytrace.study.protocol import read_sidecar
from graytrace.study.sources import ScanFile, Visit, VisitDates, choose_day
from graytrace.tables import TableRow, read_rows, read_visit

COLUMNS = ("participant_id", "visit", "date", "t1w", "flair", "lesion_mask")
REQUIRED = ("participant_id", "visit", "t1w")
_IMAGES = ("t1w", "flair", "lesion_mask")


@dataclass(frozen=True)
class _Listed:
    """A row of the table, checked."""

    line: int
    day: date | None
    t1w: Path | None
    flair: Path | None
    lesion_mask: Path | None


class ScanListSource:
    """A study's data in a plain table: participant_id, visit, date, t1w, flair, lesion_mask.

    Parameters
    ----------
    path : Path
        The table; paths in it are relative to its folder.
    dates : mapping
        Dates of the study's own table, which count where this one and the sidecars have none.

    Raises
    ------
    ScanTableError
        With every fault of the table at once.
    """

    def __init__(self, path: Path, *, dates: VisitDates | None = None) -> None:
        self.root = path.parent
        self._path = path
        self._dates = dates or {}
        self._rows: dict[tuple[str, str], _Listed] = {}
        rows = read_rows(path, required=REQUIRED)
        faults = [] if rows else ["  it has no rows"]
        for row in rows:
            faults += [f"  line {row.line}: {fault}" for fault in self._add(row)]
        listed = [scan.t1w for scan in self._rows.values() if scan.t1w]
        if listed and not any(scan.is_file() for scan in listed):
            faults.append(f"  none of its {len(listed)} T1w files is there, for example {listed[0]}")
        if faults:
            raise ScanTableError("\n".join([f"{path} cannot be used:", *faults]))
        self.participants: Sequence[str] = sorted({participant for participant, _ in self._rows})

    def _add(self, row: TableRow) -> list[str]:
        """Take a row in; what is wrong with it comes back."""
        faults = [f"no column {name!r} is known" for name in row.cells if name not in COLUMNS and row.line == 2]
        participant = row.participant_id.removeprefix("sub-")
        label = read_visit(row.get("visit"))
        for name, text in (("participant_id", participant), ("visit", label)):
            if not LABEL.fullmatch(text):
                faults.append(f"{name} {text!r}: expected letters and digits only")
        key = f"sub-{participant}", label
        if key in self._rows:
            faults.append(f"{key[0]} has ses-{label} in line {self._rows[key].line} already")
        day = None
        if written := row.get("date"):
            try:
                day = parse_date(written)
            except ValueError as error:
                faults.append(f"date: {error}")
        for name in _IMAGES:
            value = row.get(name)
            if value and not value.endswith(SCAN_ENDINGS):
                faults.append(f"{name} {value!r}: expected a file .nii.gz or .nii (convert DICOM first)")
        if not faults:
            paths = {name: self.root / image if (image := row.get(name)) else None for name in _IMAGES}
            self._rows[key] = _Listed(row.line, day, **paths)
        return faults

    def labels(self) -> set[str]:
        """Labels of all visits that anybody has."""
        return {label for _, label in self._rows}

    def notes(self) -> list[str]:
        """Nothing: what is odd about the table is an error."""
        return []

    def participant_flags(self, participant_id: str) -> list[Flag]:  # noqa: ARG002 - the other door has some
        """Nothing: a table that can be read says all there is."""
        return []

    def visit(self, participant_id: str, label: str) -> Visit:
        """What the table has of a visit."""
        row = self._rows.get((participant_id, label))
        if row is None:
            return Visit(missing=Reason("no_session", f"{self._path.name} has no row for ses-{label}."))
        scans: tuple[ScanFile, ...] = ()
        missing: Reason | None = None
        flags: list[Flag] = []
        if row.t1w is None:
            missing = Reason("no_t1w", f"Line {row.line} of {self._path.name} names no T1w file.")
        elif not row.t1w.is_file() and not row.t1w.is_symlink():
            missing = Reason("no_t1w", f"Line {row.line} of {self._path.name} names {row.t1w}, which is not there.")
        else:
            beside = row.t1w.with_name(f"{row.t1w.name.removesuffix('.gz').removesuffix('.nii')}.json")
            sidecar = read_sidecar([beside] if beside.is_file() else [])
            scans = (ScanFile(row.t1w, sidecar=sidecar),)
            flags += sidecar.flags
        said = [(row.day, self._path.name)] if row.day else []
        said += [(scan.sidecar.day, "sidecar") for scan in scans if scan.sidecar.day]
        if in_table := self._dates.get((participant_id, label)):
            said.append((in_table, "table of dates"))
        day, disagreement = choose_day(label, said)
        mask = row.lesion_mask
        if mask is not None and not mask.is_file() and not mask.is_symlink():
            flags.append(Flag("lesion_mask_missing", f"{mask} is not there: lesions of ses-{label} are not filled."))
            mask = None
        flair = row.flair
        if flair is not None and not flair.is_file() and not flair.is_symlink():
            flags.append(Flag("flair_missing", f"{flair} is not there: no lesions are looked for at ses-{label}."))
            flair = None
        return Visit(
            scans=scans,
            day=day,
            flags=(*flags, *disagreement),
            lesion_masks=(mask,) if mask else (),
            flairs=(ScanFile(flair),) if flair else (),
            missing=missing,
        )
