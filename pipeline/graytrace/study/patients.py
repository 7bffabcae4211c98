"""The plan for one participant: a status for each scan and pair, from dates, exclusions and what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from graytrace.files import LINK_WITHOUT_CONTENT, is_link_without_content
from graytrace.findings import Flag, Reason
from graytrace.study.bids import LABEL
from graytrace.study.config import Config
from graytrace.study.dates import interval_days, interval_months
from graytrace.study.exclusions import Exclusions
from graytrace.study.links import choose_links
from graytrace.study.names import compare_names
from graytrace.study.planned import Patient, PlannedPair, PlannedScan
from graytrace.study.protocol import NOT_ALIKE, compare_protocols
from graytrace.study.schedule import Window
from graytrace.study.sources import CHOICE_RULE, ScanFile, Source, Visit, choose_scans


def plan_patient(config: Config, source: Source, exclusions: Exclusions, participant_id: str) -> Patient:
    """Plan a participant's scans and pairs; nothing here depends on anybody else's data.

    Parameters
    ----------
    participant_id : str
        With ``sub-``.
    """
    labels = config.planned_labels
    flags = source.participant_flags(participant_id)
    if LABEL.fullmatch(participant_id.removeprefix("sub-")):
        visits = [source.visit(participant_id, label) for label in labels]
        chosen = choose_scans([visit.scans for visit in visits])
        flairs = choose_scans([visit.flairs for visit in visits])
        scans = [_plan_scan(participant_id, *each) for each in zip(labels, visits, chosen, flairs, strict=True)]
    else:
        message = f"{participant_id!r} is no BIDS name: letters and digits only after sub-."
        scans = [PlannedScan(participant_id, label, "failed", Reason("invalid_name", message)) for label in labels]
    scans = [_exclude(scan, exclusions.of_scan(participant_id, scan.visit)) for scan in scans]
    by_label = dict(zip(labels, scans, strict=True))
    baseline, followups = by_label[config.baseline], [by_label[label] for label in config.followups]
    start = _find_start(source, config, baseline)
    shortest = config.quality.get("shortest_interval_days", 90)
    pairs = [
        _plan_pair(
            baseline,
            followup,
            flags,
            expected=_Expected(config.window(followup.visit), start, config.first_visit),
            shortest_days=shortest,
            excluded=exclusions.of_pair(participant_id, baseline.visit, followup.visit),
        )
        for followup in followups
    ]
    if config.rebaseline and not baseline.is_measured:
        pairs = [_without_reference(pair) for pair in pairs]
    chosen_links = choose_links(scans, config.baseline, earlier=config.earlier) if config.joins_all_visits else []
    links = [
        _plan_pair(
            first,
            second,
            flags,
            shortest_days=shortest,
            excluded=exclusions.of_pair(participant_id, first.visit, second.visit, in_any_order=True),
        )
        for first, second in chosen_links
    ]
    return Patient(tuple(scans), tuple(pairs), tuple(links))


@dataclass(frozen=True)
class _Expected:
    """When a visit is expected: the window after the study's first visit, and that visit's date where it is known."""

    window: Window | None = None
    start: date | None = None
    first_visit: str = ""


def _find_start(source: Source, config: Config, baseline: PlannedScan) -> date | None:
    """Date of the study's first visit, from which windows count."""
    if not config.earlier or not LABEL.fullmatch(baseline.participant_id.removeprefix("sub-")):
        return baseline.day
    return source.visit(baseline.participant_id, config.first_visit).day


def _without_reference(pair: PlannedPair) -> PlannedPair:
    """A pair whose first visit was named to take the baseline's place and is not there, with a reason that says so."""
    if pair.status == "excluded" or pair.reason is None:
        return pair
    message = f"{pair.reason.message} ses-{pair.baseline.visit} was to be the reference (study.rebaseline)."
    return replace(pair, reason=Reason(pair.reason.code, message))


def _plan_scan(
    participant_id: str, label: str, visit: Visit, scan: ScanFile | None, flair: ScanFile | None
) -> PlannedScan:
    if scan is None:
        return PlannedScan(participant_id, label, "missing", visit.missing, visit.flags, visit.day)
    flags = list(visit.flags)
    if len(visit.scans) > 1:
        message = f"{len(visit.scans)} T1w scans at ses-{label}; {scan.path.name} is used ({CHOICE_RULE})."
        flags.append(Flag("several_scans", message))
    if scan.contrast_agent:
        flags.append(Flag("contrast_agent", f"{scan.path.name} was taken with contrast agent."))
    masks = visit.lesion_masks
    if len(masks) > 1:
        message = f"{len(masks)} lesion masks at ses-{label}; {masks[0].name} is used."
        flags.append(Flag("several_lesion_masks", message))
    uses_flair = flair is not None and not masks
    if len(visit.flairs) > 1 and flair is not None and uses_flair:
        message = f"{len(visit.flairs)} FLAIR scans at ses-{label}; {flair.path.name} is used ({CHOICE_RULE})."
        flags.append(Flag("several_flair", message))
    paths = [scan.path, *masks[:1], *([flair.path] if flair is not None and uses_flair else [])]
    fault = next((reason for path in paths if (reason := _fault_of(path, label))), None)
    if fault:
        return PlannedScan(participant_id, label, "failed", fault, tuple(flags), visit.day)
    return PlannedScan(
        participant_id,
        label,
        "flagged" if flags else "ok",
        flags=tuple(flags),
        day=visit.day,
        t1w=scan.path,
        lesion_mask=masks[0] if masks else None,
        flair=flair.path if flair else None,
        protocol=scan.protocol,
        t1w_entities=scan.entities,
        flair_entities=flair.entities if flair else (),
        sidecars=(*scan.sidecar.files, *(flair.sidecar.files if flair else ())),
    )


def _fault_of(path: Path, label: str) -> Reason | None:
    """Why a file cannot be handed to a step, None where it can."""
    if not _is_usable(path):
        message = f"{str(path)!r} has a brace or an unprintable character in its name: rename it."
        return Reason("invalid_name", message)
    if is_link_without_content(path):
        return Reason("link_without_content", f"ses-{label}: {path.name} is a {LINK_WITHOUT_CONTENT}.")
    return None


def _is_usable(path: Path) -> bool:
    """Whether Snakemake can take a path as it is: a brace would be a wildcard to it, a line break ends a line."""
    return str(path).isprintable() and not set("{}") & set(str(path))


def _lesion_source(scan: PlannedScan) -> str:
    """What says where the lesions of a scan are, in words."""
    if scan.lesion_mask:
        return "a lesion mask"
    return "FLAIR" if scan.flair else "nowhere"


def _exclude(scan: PlannedScan, reason: Reason | None) -> PlannedScan:
    return scan if reason is None else replace(scan, status="excluded", reason=reason)


def _plan_pair(
    baseline: PlannedScan,
    followup: PlannedScan,
    patient_flags: Sequence[Flag],
    *,
    expected: _Expected = _Expected(),
    shortest_days: float,
    excluded: Reason | None,
) -> PlannedPair:
    flags = list(patient_flags)
    both_there = baseline.t1w is not None and followup.t1w is not None
    if both_there and _lesion_source(baseline) != _lesion_source(followup):
        message = (
            f"Lesions come from {_lesion_source(baseline)} at the first visit and from {_lesion_source(followup)} "
            "at the second: the visits are not treated alike."
        )
        flags.append(Flag("lesion_mask_one_visit", message))
    days = interval_days(baseline.day, followup.day) if baseline.day and followup.day else None
    if days is None and both_there:
        dateless = " and ".join(f"ses-{scan.visit}" for scan in (baseline, followup) if scan.day is None)
        message = (
            f"A visit has no date ({dateless}): the change per year cannot be given. Write acq_time in sessions.tsv."
        )
        flags.append(Flag("interval_unknown", message))
    flags += _hold_against_window(baseline, followup, expected)
    if both_there and days is not None and 0 < days < shortest_days:
        message = f"The visits are {days} days apart, fewer than {shortest_days:g}: no change per year is given."
        flags.append(Flag("interval_short", message))
    protocol_flags = _compare(baseline, followup) if both_there else ()
    flags += protocol_flags
    status, reason = _pair_status(baseline, followup, days, flags)
    if excluded is not None:
        status, reason = "excluded", excluded
    return PlannedPair(baseline.participant_id, baseline, followup, status, reason, tuple(flags), days, protocol_flags)


def _hold_against_window(baseline: PlannedScan, followup: PlannedScan, expected: _Expected) -> list[Flag]:
    """Whether a visit is when it is expected, in months after the study's first visit."""
    window, start = expected.window, expected.start
    if window is None or start is None or baseline.day is None or followup.day is None:
        return []
    months = interval_months(interval_days(start, followup.day))
    if window[0] <= months <= window[1]:
        return []
    is_start = expected.first_visit == baseline.visit
    apart = (
        "The visits are {} months apart"
        if is_start
        else f"ses-{followup.visit} is {{}} months after ses-{expected.first_visit}"
    )
    message = f"{apart.format(f'{months:.1f}')}, outside of the window of {window[0]:g} to {window[1]:g} months."
    return [Flag("outside_window", message)]


def _compare(baseline: PlannedScan, followup: PlannedScan) -> tuple[Flag, ...]:
    """How the visits were scanned differently, by sidecars and by names."""
    flags = list(compare_protocols(baseline.protocol, followup.protocol))
    words = compare_names(baseline.t1w_entities, followup.t1w_entities)
    if words:
        flags.append(Flag("name_differs", f"{NOT_ALIKE}name {'; '.join(words)}."))
    sees = [scan.flair is not None and scan.lesion_mask is None for scan in (baseline, followup)]
    words = compare_names(baseline.flair_entities, followup.flair_entities)
    if all(sees) and words:
        flags.append(Flag("flair_name_differs", f"{NOT_ALIKE}FLAIR's name {'; '.join(words)}."))
    return tuple(flags)


def _pair_status(
    baseline: PlannedScan, followup: PlannedScan, days: int | None, flags: Sequence[Flag]
) -> tuple[str, Reason | None]:
    """Status of a pair that nobody excluded, and the reason why it is not measured."""
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
