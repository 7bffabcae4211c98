"""Scans and pairs that cannot be measured although their steps ended well: numbers withheld, with a reason."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graytrace.algorithms.same_scan import SAMPLE_COUNT, Samples, find_same_voxels
from graytrace.errors import PipelineError
from graytrace.findings import Reason
from graytrace.records import read_record, record_path
from graytrace.results.limits import Metric, list_metrics
from graytrace.schemas import load_schema
from graytrace.study.plan import Plan
from graytrace.study.planned import PlannedScan

_TURN_GAIN = 0.03
_TURN_LEAST = 0.9  # another head is a little more alike mirrored or turned by chance
_WORDS = {
    "another_head": "The two scans do not show the same head, or one lies the wrong way round. Look at both",
    "same_scan": "Both visits are the same scan. Find the other visit's scan",
    "not_t1w": "This is not a T1w scan: the order of its tissues is another. Put the T1w scan in its place",
    "skull_stripped_one_visit": "One visit is skull-stripped and the other is not. Take both as the scanner made them",
    "field_of_view_cut": "The part of the brain that both visits show is too small",
}


def find_reason(measures: Mapping[str, Any], withheld: Mapping[str, Any]) -> Reason | None:
    """Why the numbers of a scan or pair are withheld, None where they stand.

    Parameters
    ----------
    measures : mapping
        All that the steps have found.
    withheld : mapping
        ``quality.withheld`` of the configuration.
    """
    turned = _find_turn(measures)
    if turned is not None:
        return turned
    fields = load_schema("quality")["properties"]
    for metric in list_metrics():
        value, limit = measures.get(metric.name), withheld.get(metric.name) or {}
        low, high = limit.get("min"), limit.get("max")
        if value is None or not ((low is not None and value < low) or (high is not None and value > high)):
            continue
        code = str(fields[metric.name]["reason"])
        return Reason(code, f"{_WORDS[code]} ({_beside(metric, value, low, high)}).")
    return None


def _beside(metric: Metric, value: float, low: float | None, high: float | None) -> str:
    bound = f"at least {low:g}" if low is not None and value < low else f"at most {high:g}"
    return f"{metric.label}: {metric.shown(value)}, expected {bound}"


def _find_turn(measures: Mapping[str, Any]) -> Reason | None:
    """A follow-up that looks like the baseline only when it is mirrored or turned."""
    similarity, turned = measures.get("alignment_similarity"), measures.get("turned_similarity")
    turn = measures.get("turn") or {}
    if similarity is None or turned is None or turned < max(_TURN_LEAST, similarity + _TURN_GAIN) or not turn:
        return None
    shown = f"similarity {turned:.3f} after it, {similarity:.3f} as the header has it"
    if turn["is_mirror"]:
        message = f"The follow-up is mirrored against the baseline: {turn['words']} ({shown})."
        return Reason("mirrored", f"{message} Find out which header is wrong and convert that scan again.")
    message = f"One header names the axes wrongly: at the follow-up {turn['words']} ({shown})."
    return Reason("orientation_differs", f"{message} Convert that scan again.")


def find_same_scans(plan: Plan) -> dict[tuple[str, str], Reason]:
    """Scans whose voxels are those of another one in the study: (participant, visit) to the reason."""
    scans = [scan for scan in plan.scans if scan.is_measured]
    samples = {number: found for number, scan in enumerate(scans) if (found := _read_samples(plan, scan)) is not None}
    known = sorted(samples)
    if len(known) < 2:
        return {}
    reasons: dict[tuple[str, str], Reason] = {}
    for first, second in find_same_voxels(np.stack([samples[number] for number in known])):
        pair = scans[known[first]], scans[known[second]]
        for scan, other in (pair, pair[::-1]):
            reasons.setdefault((scan.participant_id, scan.visit), _same(scan, other))
    return reasons


def _same(scan: PlannedScan, other: PlannedScan) -> Reason:
    if scan.participant_id == other.participant_id:
        message = (
            f"ses-{scan.visit} and ses-{other.visit} are the same scan, voxel for voxel. Find the other visit's scan."
        )
        return Reason("same_scan", message)
    message = (
        f"ses-{scan.visit} has the voxels of {other.participant_id} ses-{other.visit}: one of them is somebody else's. "
        "Find out whose scan it is."
    )
    return Reason("same_scan_twice", message)


def _read_samples(plan: Plan, scan: PlannedScan) -> Samples | None:
    try:
        record = read_record(record_path(plan.output_dir, scan.participant_id, {"visit": scan.visit}, "inspect"))
        text = record.measures["voxel_samples"]
        samples = np.frombuffer(base64.b64decode(text), dtype="<u2")
    except (OSError, PipelineError, KeyError, TypeError, ValueError):
        return None
    return samples if samples.size == SAMPLE_COUNT else None  # another number of them would stop everybody's comparison


def choose_shown(measures: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of quality that a withheld row still shows: nothing that tells of volumes or of their change."""
    hidden = {
        "change_percent",
        "volume_gap_points",
        "icv_difference_percent",
        "lesion_change_ml",
        "lesion_volume_ml",
        "gm_of_icv_percent",
    }
    fields: Sequence[str] = list(load_schema("quality")["properties"])
    return {name: measures[name] for name in fields if name in measures and name not in hidden}
