"""The tables of results: a row for every planned patient and scan, whatever happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graytrace.catalog import names_of
from graytrace.errors import PipelineError
from graytrace.findings import STATUSES, Flag, Reason, join_messages
from graytrace.records import Record, read_record, record_path
from graytrace.results.identity import choose_shown, find_reason, find_same_scans
from graytrace.results.lesions import list_lesions
from graytrace.results.limits import add_flags
from graytrace.results.possible import find_impossible, is_result
from graytrace.results.structures import list_pair_structures, list_scan_structures, take_statuses
from graytrace.results.widening import widen_intervals
from graytrace.schemas import load_schema
from graytrace.study.own_scanner import own_scanner, read_smallest_changes
from graytrace.study.plan import Plan
from graytrace.study.planned import PlannedPair, PlannedScan
from graytrace.tables import columns, read_rows

_SCAN_CHECKS, _PAIR_CHECKS = names_of("scan", checks=True), names_of("pair", checks=True)
_SAME_VOXEL_MM = 0.01
_LEAST_ML = 1.0  # of less, percents say nothing
SHORTEST_INTERVAL_DAYS = 90
Row = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """Processing status and measures of a planned scan or pair.

    Parameters
    ----------
    measures : mapping
        Those of all steps together; empty unless the last step was reached.
    messages : tuple of str
        Flags and reason as sentences.
    tool_versions : mapping
        Tool to version, of all steps together.
    shown : mapping
        Numbers of quality of what was withheld.
    """

    status: str
    reason: Reason | None
    flags: tuple[Flag, ...]
    measures: Mapping[str, Any]
    tool_versions: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)

    @property
    def messages(self) -> str | None:
        """Reason and flags as sentences."""
        sentences = [self.reason.message] if self.reason else []
        return join_messages([*sentences, *(flag.message for flag in self.flags)])

    @property
    def flag_codes(self) -> str | None:
        """Flags as words."""
        return join_codes(flag.code for flag in self.flags)


@dataclass(frozen=True)
class Results:
    """Rows of each table by its name, without ``.tsv``; `pairs` has those of `atrophy` and of all other pairs."""

    atrophy: list[Row]
    volumes: list[Row]
    quality: list[Row]
    pairs: list[Row] = field(default_factory=list)
    lesions: list[Row] = field(default_factory=list)
    structures: list[Row] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """How many rows of atrophy.tsv have each status."""
        found = Counter(row["status"] for row in self.atrophy)
        return {status: found[status] for status in STATUSES}


def collect_results(plan: Plan, engines: Mapping[str, str], version: str, *, quality: Mapping[str, Any]) -> Results:
    """Join the plan with the records of what was done.

    Parameters
    ----------
    plan : Plan
    engines : mapping
        Stage to engine.
    version : str
        Of Graytrace, for each row.
    quality : mapping
        Section ``quality`` of the configuration: limits beyond which a number is flagged, and the repeatability of the
        study's own scanner, below which no interval goes.
    """
    origin = {"engines": "; ".join(f"{stage}={engine}" for stage, engine in engines.items()), "version": version}
    results = Results([], [], [])
    withheld = quality.get("withheld") or {}
    same = find_same_scans(plan)
    smallest_changes = read_smallest_changes(own_scanner(quality), engines)
    with_lesions: list[tuple[int, Mapping[str, Any]]] = []
    for participant_id in plan.participants:
        patient = plan.patient(participant_id)
        scans = {planned.visit: measure_scan(plan.output_dir, planned) for planned in patient.scans}
        scans = {
            visit: _withhold(scan, same.get((participant_id, visit)) or find_reason(scan.measures, withheld))
            for visit, scan in scans.items()
        }
        for planned in patient.scans:
            results.volumes.append({**_volume_row(planned, scans[planned.visit]), **origin})
            scan = scans[planned.visit]
            results.quality.append(_quality_row(participant_id, planned.visit, "scan", scan))
            results.structures.extend(list_scan_structures(participant_id, planned.visit, scan.status, scan.measures))
        for pair in (*patient.pairs, *patient.links):
            both = [scans[pair.baseline.visit], scans[pair.followup.visit]]
            change = measure_pair(plan.output_dir, pair, both)
            change = _withhold(change, find_reason(change.measures or change.shown, withheld))
            shortest = quality.get("shortest_interval_days", SHORTEST_INTERVAL_DAYS)
            row = widen_intervals(_atrophy_row(pair, both, change, shortest), smallest_changes)
            results.pairs.append({**row, **origin})
            if pair in patient.pairs:
                if pair.shows_lesions:
                    with_lesions.append((len(results.atrophy), change.measures))
                results.atrophy.append(results.pairs[-1])
            visits = f"{pair.baseline.visit}_{pair.followup.visit}"
            results.quality.append(_quality_row(participant_id, visits, "pair", change))
            of_scans = (both[0].measures, both[1].measures)
            results.structures.extend(
                list_pair_structures(participant_id, visits, change.status, of_scans, change.measures)
            )
    add_flags(results.pairs, results.volumes, results.quality, quality)
    for place, measures in with_lesions:
        results.lesions.extend(list_lesions(results.atrophy[place], measures))
    take_statuses(results.structures, results.volumes, results.pairs)
    return results


def measure_scan(output_dir: Path, scan: PlannedScan) -> Measured:
    """Processing status and measures of a scan."""
    if not scan.is_measured:
        return Measured(scan.status, scan.reason, scan.flags, {})
    visits = {"visit": scan.visit}
    measured = _measured(output_dir, scan.participant_id, visits, scan.steps, scan.flags)
    paths = [record_path(output_dir, scan.participant_id, visits, step) for step in _SCAN_CHECKS]
    return _without_impossible(_checked(measured, paths))


def measure_pair(output_dir: Path, pair: PlannedPair, scans: Sequence[Measured]) -> Measured:
    """Processing status and measures of a pair; its flags are its own, the scans have theirs."""
    if not pair.is_measured:
        return Measured(pair.status, pair.reason, pair.flags, {})
    visits = {"baseline": pair.baseline.visit, "followup": pair.followup.visit}
    change = _measured(output_dir, pair.participant_id, visits, pair.steps, pair.flags)
    failed = next((scan for scan in scans if scan.status == "failed"), None)
    # a change from before its scan broke counts no more
    if failed is not None and (change.status != "failed" or failed.reason != change.reason):
        shown = choose_shown(change.measures or change.shown)
        return _without_impossible(Measured("failed", failed.reason, change.flags, {}, shown=shown))
    if change.status == "ok" and any(scan.flags for scan in scans):
        change = replace(change, status="flagged")
    paths = [record_path(output_dir, pair.participant_id, visits, step) for step in _PAIR_CHECKS]
    return _without_impossible(_checked(change, paths))


def _without_impossible(measured: Measured) -> Measured:
    """Without the numbers that cannot be: one of quality is left out with a flag, one of the result fails the row.

    A table with one of them would be refused with everybody's rows.
    """
    numbers = {**measured.shown, **measured.measures}
    impossible = find_impossible(numbers)
    if not impossible:
        return measured
    message = f"A value is impossible and is left out: {'; '.join(impossible.values())}. Look at the pictures and logs."
    possible = {name: value for name, value in numbers.items() if name not in impossible}
    if measured.status not in {"ok", "flagged"}:
        return replace(measured, shown=choose_shown(possible))
    if is_result(impossible):
        reason = Reason("value_impossible", message.replace(" and is left out", "", 1))
        return replace(measured, status="failed", reason=reason, measures={}, shown=choose_shown(possible))
    flags = (*measured.flags, Flag("value_impossible", message))
    return replace(measured, status="flagged", flags=flags, measures=possible)


def _withhold(measured: Measured, reason: Reason | None) -> Measured:
    """Take the numbers of what cannot be measured away; those of quality are still shown."""
    if reason is None or measured.status not in {"ok", "flagged", "failed"} or _is_excused(measured):
        return measured
    shown = choose_shown(measured.measures or measured.shown)
    return Measured("failed", reason, measured.flags, {}, measured.tool_versions, shown)


def _is_excused(measured: Measured) -> bool:
    """Whether a reason of before any measurement says more."""
    return measured.reason is not None and measured.reason.code in {"same_date", "dates_reversed"}


def _checked(measured: Measured, paths: Sequence[Path]) -> Measured:
    """What was measured, with its image quality metrics; a check that is not there takes no result away."""
    if measured.status not in {"ok", "flagged"}:
        return measured
    numbers: Row = {}
    for path in paths:
        why = "the job did not finish. Run again."
        try:
            record = read_record(path)
        except (FileNotFoundError, PipelineError):
            record = None
        if record is None or record.status == "failed":
            why = record.reason.message if record is not None and record.reason else why
            flag = Flag("not_checked", f"Its quality was not checked: {why}")
            return replace(measured, status="flagged", flags=(*measured.flags, flag))
        numbers |= _own_measures(record)
    return replace(measured, measures={**measured.measures, **numbers})


def _measured(
    output_dir: Path, participant_id: str, visits: Mapping[str, str], steps: Sequence[str], planned: Sequence[Flag]
) -> Measured:
    """What the records of all steps say together; without one of them the work is not finished."""
    records = []
    for step in steps:
        path = record_path(output_dir, participant_id, visits, step)
        try:
            records.append(read_record(path))
        except FileNotFoundError:
            message = f"{step} did not finish: see {output_dir / 'logs'}, then run again."
            return Measured("failed", Reason("not_finished", message), tuple(planned), {})
        except PipelineError as error:
            return Measured("failed", Reason("record_damaged", str(error)), tuple(planned), {})
    flags = (*planned, *(flag for record in records for flag in record.flags))
    measures = {name: value for record in records for name, value in _own_measures(record).items()}
    if records[-1].status == "failed":
        return Measured("failed", records[-1].reason, flags, {}, shown=choose_shown(measures))
    versions = {name: value for record in records for name, value in record.provenance.get("tool_versions", {}).items()}
    return Measured("flagged" if flags else "ok", None, flags, measures, versions)


def _own_measures(record: Record) -> dict[str, Any]:
    """A step's measures without the numbers of quality that another step makes: one column, one definition."""
    makers = {name: field.get("step") for name, field in load_schema("quality")["properties"].items()}
    return {name: value for name, value in record.measures.items() if makers.get(name) in {None, record.step}}


def _atrophy_row(pair: PlannedPair, scans: Sequence[Measured], change: Measured, shortest_days: float) -> Row:
    baseline, followup = (scan.measures for scan in scans)
    days, years = pair.interval_days, pair.interval_years
    gm_change = change.measures.get("gm_change_percent")
    is_long = days is not None and days >= shortest_days
    row: Row = {
        "participant_id": pair.participant_id,
        "status": change.status,
        "reason": _reason(change),
        "flags": join_codes(
            [
                *(flag.code for flag in change.flags),
                *(f"{pair.baseline.visit}:{flag.code}" for flag in scans[0].flags),
                *(f"{pair.followup.visit}:{flag.code}" for flag in scans[1].flags),
            ]
        ),
        "visit_baseline": pair.baseline.visit,
        "visit_followup": pair.followup.visit,
        "interval_days": days,
        "interval_years": years,
        "protocol_differences": _protocol_differences(pair, scans),
        "gm_change_percent_per_year": gm_change / years if gm_change is not None and is_long and years else None,
        "tool_versions": _versions(*scans, change),
        **_from_measures("atrophy", pair=change.measures, baseline=baseline, followup=followup),
    }
    before, after = baseline.get("gm_volume_ml"), followup.get("gm_volume_ml")
    if before and after and before > _LEAST_ML:
        row["gm_difference_percent"] = 100 * (after / before - 1)
    return row


def _from_measures(table: str, **measures: Mapping[str, Any]) -> Row:
    """Cells that are measures as they are: the column's ``from`` names whose, and which where its name is another."""
    row: Row = {}
    for column, described in load_schema(table)["properties"].items():
        whose, _, name = described.get("from", "").partition(" ")
        if whose:
            row[column] = measures[whose].get(name or column)
    return row


def _protocol_differences(pair: PlannedPair, scans: Sequence[Measured]) -> str | None:
    """How the visits were scanned differently, in words: from the sidecars and from the images."""
    sentences = [flag.message.partition(": ")[2].rstrip(".") for flag in pair.protocol_flags]
    before, after = (scan.measures.get("voxel_sizes_mm") for scan in scans)
    if (
        before
        and after
        and any(
            abs(first - second) > _SAME_VOXEL_MM for first, second in zip(sorted(before), sorted(after), strict=True)
        )
    ):
        words = [" x ".join(f"{size:.3g}" for size in sizes) for sizes in (before, after)]
        sentences.append(f"voxels (mm) {words[0]}, then {words[1]}")
    return "; ".join(sentences) or None


def _volume_row(planned: PlannedScan, scan: Measured) -> Row:
    return {
        "participant_id": planned.participant_id,
        "visit": planned.visit,
        "status": scan.status,
        "reason": _reason(scan),
        "flags": scan.flag_codes,
        "acq_date": planned.day.isoformat() if planned.day else None,
        "tool_versions": _versions(scan),
        **_from_measures("volumes", scan=scan.measures),
    }


def _quality_row(participant_id: str, visit: str, kind: str, measured: Measured) -> Row:
    return {
        "participant_id": participant_id,
        "visit": visit,
        "kind": kind,
        "status": measured.status,
        "flags": measured.flag_codes,
        "messages": measured.messages,
        **{name: value for name in columns("quality") if (value := _known(measured, name)) is not None},
    }


def _known(measured: Measured, name: str) -> Any:
    return measured.measures.get(name, measured.shown.get(name))


def _versions(*measured: Measured) -> str | None:
    """Every tool behind a row with its version, by name."""
    found = {name: version for one in measured for name, version in one.tool_versions.items()}
    return "; ".join(f"{name} {found[name]}" for name in sorted(found, key=str.lower)) or None


def _reason(measured: Measured) -> str | None:
    return f"{measured.reason.code}: {measured.reason.message}" if measured.reason else None


def join_codes(codes: Iterable[str]) -> str | None:
    """Words of a table's cell, each once, in order."""
    return "; ".join(dict.fromkeys(codes)) or None


def summarize_run(output_dir: Path) -> str:
    """The last lines of a run: how many patients have which status, and where to look."""
    path = output_dir / "atrophy.tsv"
    if not path.is_file():
        return f"No results yet in {output_dir}: see the messages above and {output_dir / 'logs'}."
    rows = read_rows(path, required=["participant_id", "status"])
    found = Counter(row.cells["status"] for row in rows)
    patients = len({row.cells["participant_id"] for row in rows})
    counts = ", ".join(f"{found[status]} {status}" for status in STATUSES)
    followups = "" if patients == len(rows) else f", {len(rows)} follow-ups"
    lines = [f"{patients} patients{followups}: {counts}.", f"Results: {path}"]
    if found["ok"] < len(rows):
        lines.append(f"Why not ok: columns reason and flags there; sentences in {output_dir / 'quality.tsv'}.")
    if any((row.get("reason") or "").startswith("not_finished") for row in rows):
        lines.append(f"Not finished: what broke stands in {output_dir / 'logs'}; run the same command again.")
    return "\n".join(lines)
