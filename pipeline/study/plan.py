"""The plan of a study: a status for every scan and pair before anything is measured."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, ScanTableError
from pipeline.provenance import text_sha256
from pipeline.records import Flag, Reason, record_path
from pipeline.study.bids import (
    CHOICE_RULE,
    LABEL,
    Visit,
    choose_scan,
    find_lesion_masks,
    list_participants,
    read_visit,
)
from pipeline.study.config import Config
from pipeline.study.dates import interval_days, interval_years
from pipeline.study.tables import format_table

SCAN_STEPS = ("inspect", "skull_strip", "correct_bias", "fill_lesions", "segment_tissue", "gray_matter_volume")
PAIR_STEPS = ("align_visits", "measure_change")
STATUSES = ("ok", "flagged", "excluded", "missing", "failed")


@dataclass(frozen=True)
class PlannedScan:
    """A scan that the study should have.

    Parameters
    ----------
    status : {"ok", "flagged", "missing", "failed"}
        What is known before its image is opened; with "ok" and "flagged" it is measured.
    """

    participant_id: str
    visit: str
    status: str
    reason: Reason | None
    flags: tuple[Flag, ...]
    day: date | None
    t1w: Path | None
    lesion_mask: Path | None

    @property
    def is_measured(self) -> bool:
        """Whether there is a file to measure."""
        return self.t1w is not None

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that it goes through; lesions are filled only where there is a mask."""
        return tuple(step for step in SCAN_STEPS if step != "fill_lesions" or self.lesion_mask)


@dataclass(frozen=True)
class PlannedPair:
    """A patient's two scans.

    Parameters
    ----------
    reason : Reason or None
        Why the change is not measured although both scans may be there.
    interval_days : int or None
        None where a date is unknown.
    """

    participant_id: str
    baseline: PlannedScan
    followup: PlannedScan
    status: str
    reason: Reason | None
    flags: tuple[Flag, ...]
    interval_days: int | None

    @property
    def is_measured(self) -> bool:
        """Whether the change between the scans is measured."""
        return self.status in {"ok", "flagged"}

    @property
    def interval_years(self) -> float | None:
        """The interval in years of 365.25 days."""
        return None if self.interval_days is None else interval_years(self.interval_days)


@dataclass(frozen=True)
class Plan:
    """All scans and pairs of a study, by participant."""

    bids_dir: Path
    output_dir: Path
    pairs: tuple[PlannedPair, ...]

    @property
    def scans(self) -> tuple[PlannedScan, ...]:
        """Every planned scan, baseline before follow-up."""
        return tuple(scan for pair in self.pairs for scan in (pair.baseline, pair.followup))

    def scan(self, participant: str, visit: str) -> PlannedScan:
        """The scan of a participant (label without ``sub-``) at a visit."""
        try:
            return self._scan_by_name[f"sub-{participant}", visit]
        except KeyError:
            raise ScanTableError(f"No scan of sub-{participant} at ses-{visit} was planned.") from None

    @functools.cached_property
    def _scan_by_name(self) -> dict[tuple[str, str], PlannedScan]:
        return {(scan.participant_id, scan.visit): scan for scan in self.scans}

    def t1w(self, participant: str, visit: str) -> str:
        """Path of a planned scan's T1w file."""
        return str(self.scan(participant, visit).t1w)

    def lesion_mask(self, participant: str, visit: str) -> str:
        """Path of a planned scan's lesion mask."""
        return str(self.scan(participant, visit).lesion_mask)

    def image_step(self, participant: str, visit: str) -> str:
        """The step whose image is segmented: lesions are filled where there is a mask."""
        return "fill_lesions" if self.scan(participant, visit).lesion_mask else "correct_bias"

    def scan_record(self, participant: str, visit: str, step: str) -> str:
        """Record of a step on a scan; ``image`` stands for the step whose image is segmented."""
        name = self.image_step(participant, visit) if step == "image" else step
        return str(record_path(self.output_dir, f"sub-{participant}", {"visit": visit}, name))

    def pair_records(self, participant: str, baseline: str, followup: str, *, steps: Sequence[str]) -> dict[str, str]:
        """Records of steps on both scans of a pair, by ``baseline_step`` and ``followup_step``."""
        visits = {"baseline": baseline, "followup": followup}
        return {
            f"{name}_{step}": self.scan_record(participant, visit, step)
            for name, visit in visits.items()
            for step in steps
        }

    def records(self) -> list[str]:
        """Records of the last step of everything that is measured."""
        scans = [
            record_path(self.output_dir, scan.participant_id, {"visit": scan.visit}, SCAN_STEPS[-1])
            for scan in self.scans
            if scan.is_measured
        ]
        pairs = [
            record_path(
                self.output_dir,
                pair.participant_id,
                {"baseline": pair.baseline.visit, "followup": pair.followup.visit},
                PAIR_STEPS[-1],
            )
            for pair in self.pairs
            if pair.is_measured
        ]
        return [str(path) for path in (*scans, *pairs)]

    def digest(self) -> str:
        """Digest of the plan's table: another plan, another digest."""
        return text_sha256(self.table())[:16]

    def table(self) -> str:
        """Text of scans.tsv."""
        return format_table("scans", [_scan_row(scan, self.bids_dir) for scan in self.scans])

    def summary(self) -> str:
        """One sentence on what will be measured."""
        counts = Counter(pair.status for pair in self.pairs)
        words = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
        measured = sum(pair.is_measured for pair in self.pairs)
        return f"{len(self.pairs)} patients planned ({words}); {measured} with two scans to compare."


def plan_study(config: Config) -> Plan:
    """Find out who has which scan.

    Raises
    ------
    ConfigError
        There is no data set, or nobody has a visit of that name.
    ScanTableError
        participants.tsv cannot be read.
    """
    bids_dir = config.require_data()
    participants, listed, duplicated = list_participants(bids_dir)
    _check_visits(config, bids_dir)
    has_list = (bids_dir / "participants.tsv").is_file()
    pairs = []
    for name in participants:
        flags = []
        if has_list and name not in listed:
            flags.append(Flag("not_in_participants", f"{name} has a folder but no row in participants.tsv."))
        if name in duplicated:
            flags.append(Flag("duplicate_participant", f"{name} has more than one row in participants.tsv."))
        pairs.append(_plan_pair(config, bids_dir, name, flags))
    return Plan(bids_dir, config.output_dir, tuple(pairs))


def _check_visits(config: Config, bids_dir: Path) -> None:
    """Refuse a visit that nobody has when there are visits of other names: its label is probably wrong."""
    there = {path.name.removeprefix("ses-") for path in bids_dir.glob("sub-*/ses-*") if path.is_dir()}
    others = sorted(there - {config.baseline, config.followup})
    for key, label in (("baseline", config.baseline), ("followup", config.followup)):
        if label not in there and others:
            named = ", ".join(f"ses-{name}" for name in sorted(there))
            raise ConfigError(f"study.{key}: nobody has a ses-{label}; the data set has {named}.")


def _plan_pair(config: Config, bids_dir: Path, participant_id: str, flags: list[Flag]) -> PlannedPair:
    labels = (config.baseline, config.followup)
    if not LABEL.fullmatch(participant_id.removeprefix("sub-")):
        message = f"{participant_id!r} is no BIDS name: letters and digits only after sub-."
        reason = Reason("invalid_name", message)
        scans = [PlannedScan(participant_id, visit, "failed", reason, (), None, None, None) for visit in labels]
    else:
        visits = [read_visit(bids_dir, participant_id, visit) for visit in labels]
        scans = [
            _plan_scan(config, bids_dir, participant_id, label, visit, other)
            for label, visit, other in zip(labels, visits, reversed(visits), strict=True)
        ]
    baseline, followup = scans
    if (baseline.lesion_mask is None) != (followup.lesion_mask is None) and baseline.t1w and followup.t1w:
        flags.append(
            Flag(
                "lesion_mask_one_visit",
                "Only one of the two visits has a lesion mask: the visits are not treated alike.",
            )
        )
    days = None
    if baseline.day and followup.day:
        days = interval_days(baseline.day, followup.day)
    elif baseline.t1w and followup.t1w:
        flags.append(Flag("interval_unknown", "A visit has no date: the change per year cannot be given."))
    status, reason_ = _pair_status(baseline, followup, days, flags)
    return PlannedPair(participant_id, baseline, followup, status, reason_, tuple(flags), days)


def _pair_status(
    baseline: PlannedScan, followup: PlannedScan, days: int | None, flags: list[Flag]
) -> tuple[str, Reason | None]:
    """Status of a pair and the reason why it is not measured."""
    without = [scan for scan in (baseline, followup) if not scan.is_measured]
    if without:
        reasons = [scan.reason for scan in without if scan.reason]
        message = " ".join(dict.fromkeys(reason.message for reason in reasons))
        return without[0].status, Reason(reasons[0].code, message)
    if days is not None and days <= 0:
        named = f"ses-{baseline.visit} ({baseline.day}) and ses-{followup.visit} ({followup.day})"
        if days == 0:
            return "failed", Reason("same_date", f"Both visits have the same date: {named}. Correct acq_time.")
        return "failed", Reason(
            "dates_reversed", f"The follow-up is dated before the baseline: {named}. Correct acq_time or the labels."
        )
    flagged = flags or baseline.flags or followup.flags
    return ("flagged" if flagged else "ok"), None


def _plan_scan(
    config: Config, bids_dir: Path, participant_id: str, label: str, visit: Visit, other: Visit
) -> PlannedScan:
    flags = list(visit.flags)
    if not visit.scans:
        reason = _why_missing(bids_dir, participant_id, label)
        return PlannedScan(participant_id, label, "missing", reason, tuple(flags), visit.day, None, None)
    scan = choose_scan(visit.scans, other.scans)
    if len(visit.scans) > 1:
        flags.append(
            Flag(
                "several_scans",
                f"{len(visit.scans)} T1w scans at ses-{label}; {scan.path.name} is used ({CHOICE_RULE}).",
            )
        )
    if scan.has_contrast_agent:
        flags.append(Flag("contrast_agent", f"{scan.path.name} was taken with contrast agent."))
    masks = find_lesion_masks(config.lesions, participant_id, label) if config.lesions else []
    if len(masks) > 1:
        flags.append(
            Flag("several_lesion_masks", f"{len(masks)} lesion masks at ses-{label}; {masks[0].name} is used.")
        )
    status = "flagged" if flags else "ok"
    mask = masks[0] if masks else None
    return PlannedScan(participant_id, label, status, None, tuple(flags), visit.day, scan.path, mask)


def _why_missing(bids_dir: Path, participant_id: str, visit: str) -> Reason:
    """The first level of the data set at which the scan is not there."""
    folder = bids_dir / participant_id
    if not folder.is_dir():
        return Reason("no_participant_folder", f"{participant_id} is in participants.tsv but has no folder.")
    if not (folder / f"ses-{visit}").is_dir():
        return Reason("no_session", f"There is no ses-{visit}.")
    return Reason("no_t1w", f"ses-{visit} has no file anat/{participant_id}_ses-{visit}_T1w.nii.gz or .nii.")


def _shown(path: Path | None, bids_dir: Path) -> str | None:
    """A path as tables show it: relative to the data set where it is part of it."""
    if path is None:
        return None
    return str(path.relative_to(bids_dir) if path.is_relative_to(bids_dir) else path)


def _scan_row(scan: PlannedScan, bids_dir: Path) -> Mapping[str, Any]:
    return {
        "participant_id": scan.participant_id,
        "visit": scan.visit,
        "status": scan.status,
        "reason": f"{scan.reason.code}: {scan.reason.message}" if scan.reason else None,
        "flags": "; ".join(flag.code for flag in scan.flags) or None,
        "acq_date": scan.day.isoformat() if scan.day else None,
        "t1w": _shown(scan.t1w, bids_dir),
        "lesion_mask": _shown(scan.lesion_mask, bids_dir),
    }
