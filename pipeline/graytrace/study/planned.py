"""What is known of a scan or pair before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from graytrace.catalog import STEPS, names_of
from graytrace.findings import Flag, Reason
from graytrace.study.dates import interval_years
from graytrace.study.names import Entities
from graytrace.study.protocol import UNKNOWN, Protocol

SCAN_STEPS = names_of("scan")
PAIR_STEPS = names_of("pair")


@dataclass(frozen=True)
class PlannedScan:
    """A scan that the study should have.

    Parameters
    ----------
    status : {"ok", "flagged", "excluded", "missing", "failed"}
        What is known before its image is opened; with "ok" and "flagged" it is measured.
    t1w_entities, flair_entities : tuple
        What the names of the files say.
    sidecars : tuple of Path
        JSON files that say how T1w and FLAIR were taken.
    """

    participant_id: str
    visit: str
    status: str
    reason: Reason | None = None
    flags: tuple[Flag, ...] = ()
    day: date | None = None
    t1w: Path | None = None
    lesion_mask: Path | None = None
    flair: Path | None = None
    protocol: Protocol = UNKNOWN
    t1w_entities: Entities = ()
    flair_entities: Entities = ()
    sidecars: tuple[Path, ...] = ()

    @property
    def is_measured(self) -> bool:
        """Whether there is a file to measure, and nobody excluded it."""
        return self.status in {"ok", "flagged"}

    @property
    def shows_lesions(self) -> bool:
        """Whether there is a lesion mask, or a FLAIR scan to find lesions on."""
        return bool(self.lesion_mask or self.flair)

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that it goes through; lesions are filled only where something says where they are."""
        return tuple(step for step in SCAN_STEPS if not STEPS[step].with_lesions or self.shows_lesions)


@dataclass(frozen=True)
class PlannedPair:
    """Two visits of a patient: a baseline and one follow-up, or any two for a trajectory through all.

    Parameters
    ----------
    reason : Reason or None
        Why the change is not measured although both scans may be there.
    interval_days : int or None
        None where a date is unknown.
    protocol_flags : tuple of Flag
        Those of `flags` that say how the visits were scanned differently.
    """

    participant_id: str
    baseline: PlannedScan
    followup: PlannedScan
    status: str
    reason: Reason | None
    flags: tuple[Flag, ...]
    interval_days: int | None
    protocol_flags: tuple[Flag, ...] = ()

    @property
    def is_measured(self) -> bool:
        """Whether the change between the scans is measured."""
        return self.status in {"ok", "flagged"}

    @property
    def shows_lesions(self) -> bool:
        """Whether something says where the lesions of both scans are."""
        return self.baseline.shows_lesions and self.followup.shows_lesions

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that it goes through; lesions are joined only where something tells of them at both visits."""
        return tuple(step for step in PAIR_STEPS if not STEPS[step].with_lesions or self.shows_lesions)

    @property
    def interval_years(self) -> float | None:
        """The interval in years of 365.25 days."""
        return None if self.interval_days is None else interval_years(self.interval_days)


@dataclass(frozen=True)
class Patient:
    """A participant's scans, a pair with the baseline for each follow-up, and pairs of other visits."""

    scans: tuple[PlannedScan, ...]
    pairs: tuple[PlannedPair, ...]
    links: tuple[PlannedPair, ...] = ()
