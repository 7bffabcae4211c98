"""The plan of a study: a status for every scan and pair before anything is measured."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graytrace.catalog import last_of
from graytrace.errors import ConfigError, ScanTableError
from graytrace.files import text_sha256
from graytrace.findings import STATUSES
from graytrace.records import record_path
from graytrace.study.bids import BidsSource
from graytrace.study.config import Config
from graytrace.study.exclusions import Exclusions, read_exclusions
from graytrace.study.patients import plan_patient
from graytrace.study.planned import Patient, PlannedPair, PlannedScan
from graytrace.study.protocol import PROTOCOL_COLUMNS
from graytrace.study.questions import name_some
from graytrace.study.scan_list import ScanListSource
from graytrace.study.sources import Source, VisitDates, read_dates
from graytrace.tables import format_table


class Plan:
    """All scans and pairs of a study, by participant.

    A participant is planned when first asked for: a cluster job that is about one patient reads that patient only.

    Parameters
    ----------
    source : Source or None
        The study's data; None: a plan of nothing.
    """

    def __init__(
        self, config: Config, source: Source | None, exclusions: Exclusions, dates: VisitDates | None = None
    ) -> None:
        self._dates = dates or {}
        self.output_dir = config.output_dir
        self._config = config
        self._source = source
        self._exclusions = exclusions
        self._known = frozenset(source.participants if source else ())
        self._patients: dict[str, Patient] = {}

    @property
    def participants(self) -> Sequence[str]:
        """``sub-…`` of everyone, sorted."""
        return self._source.participants if self._source else ()

    def patient(self, participant_id: str) -> Patient:
        """The plan for a participant.

        Raises
        ------
        ScanTableError
            Nobody of that name is in the study.
        """
        if self._source is None or participant_id not in self._known:
            raise ScanTableError(f"{participant_id} is not in the study.")
        if participant_id not in self._patients:
            planned = plan_patient(self._config, self._source, self._exclusions, participant_id)
            self._patients[participant_id] = planned
        return self._patients[participant_id]

    @functools.cached_property
    def pairs(self) -> tuple[PlannedPair, ...]:
        """Every planned pair: by participant, follow-ups in the order of the configuration."""
        return tuple(pair for name in self.participants for pair in self.patient(name).pairs)

    @functools.cached_property
    def every_pair(self) -> tuple[PlannedPair, ...]:
        """Every planned pair, by participant those of the follow-ups before those of other visits."""
        patients = map(self.patient, self.participants)
        return tuple(pair for patient in patients for pair in (*patient.pairs, *patient.links))

    @functools.cached_property
    def scans(self) -> tuple[PlannedScan, ...]:
        """Every planned scan, by participant in the order of the configuration."""
        return tuple(scan for name in self.participants for scan in self.patient(name).scans)

    def scan(self, participant: str, visit: str) -> PlannedScan:
        """The scan of a participant (label without ``sub-``) at a visit."""
        found = (scan for scan in self.patient(f"sub-{participant}").scans if scan.visit == visit)
        scan = next(found, None)
        if scan is None:
            raise ScanTableError(f"No scan of sub-{participant} at ses-{visit} was planned.")
        return scan

    def t1w(self, participant: str, visit: str) -> str:
        """Path of a planned scan's T1w file."""
        return str(self.scan(participant, visit).t1w)

    def lesion_source(self, participant: str, visit: str) -> tuple[str, str]:
        """What says where a planned scan's lesions are, ``lesion-mask`` or ``flair``, and its path."""
        scan = self.scan(participant, visit)
        return ("lesion-mask", str(scan.lesion_mask)) if scan.lesion_mask else ("flair", str(scan.flair))

    def image_step(self, participant: str, visit: str) -> str:
        """The step whose image is segmented: lesions are filled where something says where they are."""
        return "fill_lesions" if self.scan(participant, visit).shows_lesions else "correct_bias"

    def scan_record(self, participant: str, visit: str, step: str) -> str:
        """Record of a step on a scan; ``image`` stands for the step whose image is segmented."""
        name = self.image_step(participant, visit) if step == "image" else step
        return str(record_path(self.output_dir, f"sub-{participant}", {"visit": visit}, name))

    def joined_records(self, participant: str, visit: str) -> list[str]:
        """Records of `join_lesions` of the measured pairs that a scan is of, where both scans show lesions."""
        found = []
        patient = self.patient(f"sub-{participant}")
        for pair in (*patient.pairs, *patient.links):
            visits = {"baseline": pair.baseline.visit, "followup": pair.followup.visit}
            if pair.is_measured and pair.shows_lesions and visit in visits.values():
                found.append(str(record_path(self.output_dir, pair.participant_id, visits, "join_lesions")))
        return found

    def pair_records(self, participant: str, baseline: str, followup: str, *, steps: Sequence[str]) -> dict[str, str]:
        """Records of steps on both scans of a pair, by ``baseline_step`` and ``followup_step``."""
        visits = {"baseline": baseline, "followup": followup}
        return {
            f"{name}_{step}": self.scan_record(participant, visit, step)
            for name, visit in visits.items()
            for step in steps
        }

    def naming(self, participant: str, baseline: str, followup: str) -> str:
        """Argument by which files of a pair of other visits than the baseline are named by both; else nothing."""
        links = self.patient(f"sub-{participant}").links
        visits = {(pair.baseline.visit, pair.followup.visit) for pair in links}
        return "--between" if (baseline, followup) in visits else ""

    def records(self, *, checks: bool = False) -> list[str]:
        """Records with which every step on every measured scan and pair is done; with `checks`, those of all checks."""
        scans = [
            (scan.participant_id, {"visit": scan.visit}, step)
            for scan in self.scans
            if scan.is_measured
            for step in last_of("scan", checks=checks)
        ]
        pairs = [
            (pair.participant_id, {"baseline": pair.baseline.visit, "followup": pair.followup.visit}, step)
            for pair in self.every_pair
            if pair.is_measured
            for step in last_of("pair", checks=checks)
        ]
        return [str(record_path(self.output_dir, *job)) for job in (*scans, *pairs)]

    def digest(self) -> str:
        """Digest of everything that the plan says: another plan, another digest."""
        scans = [repr((sorted(row.items()), scan.flags)) for row, scan in zip(self._rows(), self.scans, strict=True)]
        pairs = [repr((pair.status, pair.reason, pair.flags)) for pair in self.every_pair]
        return text_sha256("\n".join([*scans, *pairs]))[:16]

    def table(self) -> str:
        """Text of scans.tsv."""
        return format_table("scans", self._rows())

    def _rows(self) -> list[Mapping[str, Any]]:
        root = self._source.root if self._source else self.output_dir
        return [_scan_row(scan, root) for scan in self.scans]

    def notes(self) -> list[str]:
        """What is odd about the study as a whole, a sentence each: how much of a named folder or table is used."""
        notes = list(self._source.notes()) if self._source else []
        if self._config.lesions:
            used = sum(scan.lesion_mask is not None for scan in self.scans)
            there = sum(scan.t1w is not None for scan in self.scans)
            if used < there:
                notes.append(f"Lesion masks of {self._config.lesions}: for {used} of {there} scans.")
        if self._config.exclusions and not self._exclusions.entries:
            notes.append(f"{self._config.exclusions.name} has no row: nobody is left out.")
        return [*notes, *self._unused_dates()]

    def _unused_dates(self) -> list[str]:
        """Rows of the study's table of dates that are of nobody or of no planned visit."""
        if not self._config.dates:
            return []
        if not self._dates:
            return [f"{self._config.dates.name} has no row with a date: it says nothing of any visit."]
        labels = set(self._config.every_label)
        unused = [f"{who} ses-{label}" for who, label in self._dates if who not in self._known or label not in labels]
        return [f"{self._config.dates.name}: of no planned visit: {name_some(unused)}."] if unused else []

    def check_folders(self) -> None:
        """Refuse a folder or table that the study names and from which nothing is used.

        Raises
        ------
        ConfigError
            With what lies there.
        """
        folder = self._config.lesions
        if folder is not None and any(scan.t1w for scan in self.scans):
            has_masks = any(scan.lesion_mask or _is_about_mask(scan) for scan in self.scans)
            if not has_masks:
                found = sorted(
                    path.relative_to(folder).as_posix() for path in itertools.islice(folder.rglob("*.nii*"), 99)
                )
                lies = f"there lie {name_some(found)}" if found else "no image lies there"
                raise ConfigError(
                    f"study.lesions: nothing in {folder} is a lesion mask of a planned scan; {lies}. Expected "
                    "sub-X/ses-Y/anat/sub-X_ses-Y_label-lesion_mask.nii.gz. null: no lesion masks."
                )
        labels = set(self._config.every_label)
        if self._dates and not any(who in self._known and label in labels for who, label in self._dates):
            some = name_some([f"{who} ses-{label}" for who, label in self._dates])
            raise ConfigError(f"study.dates: no row of {self._config.dates} is of a planned visit; it has {some}.")

    def summary(self) -> str:
        """One sentence on what will be measured."""
        counts = Counter(pair.status for pair in self.pairs)
        words = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
        measured = sum(pair.is_measured for pair in self.pairs)
        rows = "" if len(self.pairs) == len(self.participants) else f", {len(self.pairs)} follow-ups"
        links = sum(pair.is_measured for pair in self.every_pair) - measured
        between = f" {links} more pairs join all visits." if links else ""
        return (
            f"{len(self.participants)} patients{rows} planned ({words}); {measured} with two scans to compare.{between}"
        )

    def check_visits(self) -> None:
        """Refuse a visit that nobody has when there are visits of other names: its label is probably wrong.

        Raises
        ------
        ConfigError
            With the labels that are there.
        """
        for number, label in enumerate(self._config.planned_labels):
            if self._source is None or any(self.patient(name).scans[number].t1w for name in self.participants):
                continue
            there = self._source.labels()
            if label not in there and there - set(self._config.every_label):
                key = "baseline" if label == self._config.first_visit else "followup"
                named = ", ".join(f"ses-{name}" for name in sorted(there))
                raise ConfigError(f"study.{key}: nobody has a ses-{label}; the data set has {named}.")


def plan_study(config: Config, *, whole: bool = True) -> Plan:
    """Find out who has which scan.

    Parameters
    ----------
    whole : bool
        Whether everybody is planned and checked at once; without, each participant when first asked for.

    Raises
    ------
    ConfigError
        There is no data set, or nobody has a visit of that name.
    ScanTableError
        participants.tsv, or a table of the study's own, cannot be used.
    """
    root = config.require_data()
    dates = read_dates(config.dates) if config.dates else {}
    source: Source = (
        ScanListSource(config.scans, dates=dates)
        if config.scans
        else BidsSource(root, lesions=config.lesions, dates=dates)
    )
    exclusions = Exclusions()
    if config.exclusions:
        exclusions = read_exclusions(
            config.exclusions,
            participants=source.participants,
            baseline=config.baseline,
            followups=config.followups,
            earlier=config.earlier,
            joins_all=config.joins_all_visits,
        )
    plan = Plan(config, source, exclusions, dates)
    if whole:
        plan.check_visits()
        plan.check_folders()
    return plan


def _is_about_mask(scan: PlannedScan) -> bool:
    """Whether a scan failed already, perhaps because of its mask."""
    return scan.status == "failed"


def _shown(path: Path | None, root: Path) -> str | None:
    """A path as tables show it: relative to the data set where it is part of it."""
    if path is None:
        return None
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _scan_row(scan: PlannedScan, root: Path) -> Mapping[str, Any]:
    return {
        "participant_id": scan.participant_id,
        "visit": scan.visit,
        "status": scan.status,
        "reason": f"{scan.reason.code}: {scan.reason.message}" if scan.reason else None,
        "flags": "; ".join(flag.code for flag in scan.flags) or None,
        "acq_date": scan.day.isoformat() if scan.day else None,
        "t1w": _shown(scan.t1w, root),
        "lesion_mask": _shown(scan.lesion_mask, root),
        "flair": _shown(scan.flair, root),
        **{name: getattr(scan.protocol, name) for name in PROTOCOL_COLUMNS},
    }
