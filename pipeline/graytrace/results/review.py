"""The review file: what readers say of each patient's pictures, and how far they agree."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graytrace.errors import ScanTableError
from graytrace.schemas import load_schema
from graytrace.study.dates import parse_date
from graytrace.tables import TableRow, columns, read_rows, write_table

if TYPE_CHECKING:
    from graytrace.statistics.kappa import ReaderAgreement

REVIEW_NAME = "review.tsv"
LEAST_READERS = 2
VERDICTS: tuple[str, ...] = tuple(load_schema("review")["properties"]["verdict"]["levels"])
ACCEPT = VERDICTS[0]


@dataclass(frozen=True)
class Verdict:
    """A row: what a reader says of a patient; `verdict` is None where nothing is said yet."""

    reader: str
    patient: str
    verdict: str | None = None
    reason: str | None = None
    when: str | None = None


@dataclass(frozen=True)
class Review:
    """A review file.

    Parameters
    ----------
    rows : tuple of Verdict
        In the order of the file.
    """

    rows: tuple[Verdict, ...] = ()

    @property
    def readers(self) -> list[str]:
        """Everybody who reads, by name."""
        return sorted({row.reader for row in self.rows})

    def of(self, reader: str) -> dict[str, Verdict]:
        """What a reader has said, by patient."""
        return {row.patient: row for row in self.rows if row.reader == reader and row.verdict is not None}

    def lacking(self, patients: Collection[str]) -> list[tuple[str, str]]:
        """Reader and patient of each verdict that is not there; of nobody where there are fewer than two readers."""
        readers = [*self.readers, *(f"reader {place + 1}" for place in range(len(self.readers), LEAST_READERS))]
        return [(reader, patient) for reader in readers for patient in sorted(set(patients) - self.of(reader).keys())]


@dataclass(frozen=True)
class Comparison:
    """Two readers: how far they agree, and on whom they do not."""

    first: str
    second: str
    agreement: ReaderAgreement
    disagreements: tuple[tuple[Verdict, Verdict], ...]


def read_review(path: Path, patients: Collection[str]) -> Review:
    """Read a review file and hold it against the patients.

    Parameters
    ----------
    path : Path
    patients : collection of str
        Codes, or participants in a study that is not blinded.

    Raises
    ------
    ScanTableError
        With every fault of the file at once.
    """
    known, rows, faults = frozenset(patients), [], []
    lines: dict[tuple[str, str], int] = {}
    for row in read_rows(path, required=columns("review")):
        verdict, found = _read_row(row, known)
        key = verdict.reader, verdict.patient
        if all(key) and key in lines:
            found.append(f"{key[0]} has a row for {key[1]} in line {lines[key]} already")
        lines.setdefault(key, row.line)
        faults += [f"  line {row.line}: {fault}" for fault in found]
        rows.append(verdict)
    if faults:
        raise ScanTableError("\n".join([f"{path} cannot be used:", *faults]))
    return Review(tuple(rows))


def _read_row(row: TableRow, known: Collection[str]) -> tuple[Verdict, list[str]]:
    """A row, and what is wrong with it."""
    found = Verdict(
        reader=row.get("reader") or "",
        patient=row.get("patient") or "",
        **{name: row.get(name) for name in ("verdict", "reason", "when")},
    )
    faults = [f"{name} is empty" for name in ("reader", "patient") if not getattr(found, name)]
    if found.patient and found.patient not in known:
        faults.append(f"{found.patient} has no pictures to read; is it a code of another key, or an ID without code?")
    if found.verdict is None:
        faults += [f"{name} is filled, verdict is not" for name in ("reason", "when") if getattr(found, name)]
        return found, faults
    if found.verdict not in VERDICTS:
        faults.append(f"verdict {found.verdict!r} is not one of {', '.join(VERDICTS)}")
    elif found.verdict != ACCEPT and not found.reason:
        faults.append(f"verdict {found.verdict} needs a reason")
    if found.when is None:
        faults.append("when is empty: write the day of the verdict, YYYY-MM-DD")
    else:
        try:
            parse_date(found.when)
        except ValueError as error:
            faults.append(f"when: {error}")
    return found, faults


def write_review(folder: Path, review: Review) -> None:
    """Write a review file, by reader and patient."""
    ordered = sorted(review.rows, key=lambda row: (row.reader, row.patient))
    write_table(folder, Path(REVIEW_NAME).stem, [row.__dict__ for row in ordered])


def add_rows(review: Review, readers: Iterable[str], patients: Iterable[str]) -> Review:
    """A review with an empty row for every reader and patient who have none; what is filled stays."""
    there = {(row.reader, row.patient) for row in review.rows}
    every = itertools.product(sorted({*review.readers, *readers}), sorted(patients))
    return Review((*review.rows, *(Verdict(*key) for key in every if key not in there)))


def merge_reviews(review: Review, others: Mapping[str, Review]) -> Review:
    """A review with the verdicts of files that readers filled apart from each other.

    Parameters
    ----------
    review : Review
    others : mapping
        Name of each file to what it says.

    Raises
    ------
    ScanTableError
        Two files, or a file and the review, say different things of one patient in one reader's name.
    """
    merged = {(row.reader, row.patient): row for row in review.rows}
    faults = []
    for name, other in others.items():
        for row in other.rows:
            known = merged.get((row.reader, row.patient))
            if row.verdict is None or row == known:
                merged.setdefault((row.reader, row.patient), row)
            elif known is None or known.verdict is None:
                merged[row.reader, row.patient] = row
            else:
                faults.append(f"  {name}: {row.reader} on {row.patient}: {row.verdict}, but {known.verdict} is there")
    if faults:
        raise ScanTableError("\n".join(["Verdicts contradict each other; nothing was taken:", *faults]))
    return Review(tuple(merged.values()))


def compare_readers(review: Review) -> list[Comparison]:
    """Every two readers: agreement on the patients whom both have judged."""
    from graytrace.statistics.kappa import compute_kappa  # noqa: PLC0415 - the start of a run reads reviews without it

    found = []
    for first, second in itertools.combinations(review.readers, 2):
        one, other = review.of(first), review.of(second)
        both = sorted(one.keys() & other.keys())
        apart = tuple((one[name], other[name]) for name in both if one[name].verdict != other[name].verdict)
        said = [[str(side[name].verdict) for name in both] for side in (one, other)]
        found.append(Comparison(first, second, compute_kappa(said[0], said[1], VERDICTS), apart))
    return found


def describe_agreement(found: Comparison) -> str:
    """How far two readers agree, in a sentence."""
    agreement = found.agreement
    if not agreement.patients:
        return f"{found.first} and {found.second} have no patient in common yet."
    words = f"{found.first} and {found.second} gave the same verdict on {agreement.alike} of {agreement.patients}"
    if agreement.kappa is None:
        return f"{words}; kappa is not defined, because both gave one verdict only."
    if agreement.low is None:
        return f"{words}: Cohen's kappa {agreement.kappa:.2f}; without a disagreement no interval can be told."
    interval = f"95 % interval {agreement.low:.2f} to {agreement.high:.2f}"
    return f"{words}: Cohen's kappa {agreement.kappa:.2f} ({interval})."


def list_readable(quality: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """Whom readers can judge: patients with two measured scans or more, and these visits, as quality.tsv has them."""
    visits: dict[str, list[str]] = {}
    for row in quality:
        if row["kind"] == "scan" and row["status"] in {"ok", "flagged"}:
            visits.setdefault(row["participant_id"], []).append(row["visit"])
    return {name: labels for name, labels in visits.items() if len(labels) > 1}
