"""What finished runs left: their numbers by patient, and the time and memory of their jobs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graytrace.errors import ConfigError
from graytrace.statistics.agreement import LEAST_PAIRS, measure_agreement
from graytrace.tables import read_number, read_rows

MEASURES = (
    "gm_change_percent",
    "brain_change_percent",
    "wm_change_percent",
    "gm_volume_baseline_ml",
    "brain_volume_baseline_ml",
    "icv_baseline_ml",
)
_KEYS = ("participant_id", "visit_baseline", "visit_followup")
_MEASURED = ("ok", "flagged")
Key = tuple[str, ...]
Row = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Parameters
    ----------
    name : str
        What the user calls it.
    folder : Path
        Its output folder.
    engines : str
        Which engine did which stage, from its table.
    values : mapping
        (patient, baseline, follow-up) to measure to number; only what was measured.
    statuses : mapping
        The same keys to status.
    """

    name: str
    folder: Path
    engines: str
    values: Mapping[Key, Mapping[str, float]]
    statuses: Mapping[Key, str]


def read_run(name: str, folder: Path) -> Run:
    """Read a run's results.

    Raises
    ------
    ConfigError
        The folder holds no finished results.
    """
    path = folder / "atrophy.tsv"
    if not path.is_file():
        raise ConfigError(f"{folder} has no atrophy.tsv: name the output folder of a finished run.")
    values: dict[Key, dict[str, float]] = {}
    statuses: dict[Key, str] = {}
    engines = set()
    for row in read_rows(path, required=[*_KEYS, "status", "engines"]):
        key = tuple(row.get(column) or "" for column in _KEYS)
        statuses[key] = row.get("status") or ""
        engines.add(row.get("engines") or "")
        if statuses[key] in _MEASURED:
            numbers = {measure: read_number(row, measure, path) for measure in MEASURES}
            values[key] = {measure: number for measure, number in numbers.items() if number is not None}
    return Run(name, folder, " / ".join(sorted(engines)), values, statuses)


def shared_values(first: Run, second: Run, measure: str) -> tuple[list[Key], np.ndarray, np.ndarray]:
    """Patients that both runs measured, and both runs' numbers of them."""
    keys = [
        key for key in sorted(first.values) if measure in first.values[key] and measure in second.values.get(key, {})
    ]
    both = [np.array([run.values[key][measure] for key in keys]) for run in (first, second)]
    return keys, both[0], both[1]


def agreement_rows(runs: Sequence[Run]) -> list[Row]:
    """A row for each measure and each two runs, in the order in which they were named."""
    rows = []
    for measure in MEASURES:
        for index, first in enumerate(runs):
            for second in runs[index + 1 :]:
                _, a, b = shared_values(first, second, measure)
                rows.append({"measure": measure, "first": first.name, "second": second.name, **_numbers(a, b)})
    return rows


def _numbers(first: np.ndarray, second: np.ndarray) -> Row:
    """The numbers of an agreement; only their count where there are too few."""
    if first.size < LEAST_PAIRS:
        return {"pairs": int(first.size)}
    found = measure_agreement(first, second)
    row: Row = {"pairs": found.pairs, "sd": found.sd}
    for name in ("bias", "lower", "upper", "icc_agreement", "icc_consistency"):
        interval = getattr(found, name)
        if math.isfinite(interval.value):
            row |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row


def patient_rows(runs: Sequence[Run]) -> list[Row]:
    """A row for each patient and run: status and numbers."""
    keys = sorted({key for run in runs for key in run.statuses})
    return [
        {
            **dict(zip(_KEYS, key, strict=True)),
            "run": run.name,
            "status": run.statuses.get(key, "missing"),
            **run.values.get(key, {}),
        }
        for key in keys
        for run in runs
    ]


def cost_rows(runs: Sequence[Run]) -> list[Row]:
    """A row for each run and rule, from Snakemake's benchmark files, and one for the run as a whole.

    Only jobs of patients that every run measured count, and those of the whole study: runs of other patients, or with
    files of patients excluded later, could not be compared.
    """
    rows = []
    shared = set.intersection(*({key[0] for key in run.values} for run in runs))
    for run in runs:
        found: dict[str, list[tuple[float, float | None]]] = defaultdict(list)
        benchmarks = run.folder / "benchmarks"
        for path in sorted(benchmarks.rglob("*.tsv")):
            patient = path.relative_to(benchmarks).parts[0]
            if patient.startswith("sub-") and patient not in shared:
                continue
            found[path.stem] += _benchmark(path)
        every = [job for jobs in found.values() for job in jobs]
        rows += [_cost(run.name, rule, jobs) for rule, jobs in sorted(found.items()) if jobs]
        if every:
            rows.append(_cost(run.name, "all", every))
    return rows


def _benchmark(path: Path) -> list[tuple[float, float | None]]:
    """Seconds and MB of each job in a benchmark file; a job too short to be looked at has no memory.

    A job whose seconds cannot be, as where a clock was set back, is not counted: it stops no comparison of results.
    """
    rows = [(_amount(row.get("s")), _amount(row.get("max_rss"))) for row in read_rows(path, required=["s", "max_rss"])]
    return [(seconds, memory) for seconds, memory in rows if seconds is not None]


def _amount(text: str | None) -> float | None:
    """A number that is not negative; Snakemake writes NA or - where it saw nothing."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _cost(run: str, rule: str, jobs: Sequence[tuple[float, float | None]]) -> Row:
    seconds = [job[0] for job in jobs]
    memory = [job[1] for job in jobs if job[1] is not None]
    return {
        "run": run,
        "rule": rule,
        "jobs": len(jobs),
        "seconds_total": float(sum(seconds)),
        "seconds_median": float(np.median(seconds)),
        "seconds_longest": float(max(seconds)),
        "memory_largest_mb": float(max(memory)) if memory else None,
    }
