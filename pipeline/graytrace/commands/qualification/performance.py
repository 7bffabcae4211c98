"""Performance qualification: changes and volumes beside the truth of the phantoms; time and memory are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graytrace.commands.qualification.operation import PhantomStudy
from graytrace.commands.truth import PatientComparison, compare_with_truth
from graytrace.results.comparison import cost_rows, read_run
from graytrace.results.qualification import Check, Limits
from graytrace.tables import read_number, read_rows


def qualify_performance(study: PhantomStudy, limits: Limits) -> list[Check]:
    """Set what was measured on the good patients beside what is true."""
    names = {patient.participant_id for patient in study.good}
    compared = [one for one in compare_with_truth(study.results, study.truth_dir) if one.participant_id in names]
    points, percent = limits.change_error_points, limits.volume_error_percent
    return [
        _judge("PQ-1", "Change of gray matter", compared, _gm_change, points, "percentage points"),
        _judge("PQ-2", "Change of gray and white matter", compared, _brain_change, points, "percentage points"),
        _judge("PQ-3", "Volume of gray matter", compared, _gm_volume, percent, "% of the truth"),
        _tell_intervals(study, compared),
        *_tell_costs(study),
    ]


def _gm_change(one: PatientComparison) -> float | None:
    return one.gm_change_percent.error


def _brain_change(one: PatientComparison) -> float | None:
    return one.brain_change_percent.error


def _gm_volume(one: PatientComparison) -> float | None:
    error = one.gm_baseline_ml.error
    return None if error is None else 100 * error / one.gm_baseline_ml.true


def _judge(
    code: str,
    what: str,
    compared: Sequence[PatientComparison],
    error_of: Callable[[PatientComparison], float | None],
    limit: float,
    unit: str,
) -> Check:
    """Whether each patient's error is within a limit; one who was not measured is not."""
    errors = {one.participant_id: error_of(one) for one in compared}
    told = ", ".join(f"{name} {'not measured' if e is None else format(e, '+.2f')}" for name, e in errors.items())
    return Check(
        code,
        f"{what}, measured minus true",
        f"at most {limit:g} {unit} either way, in each of {len(errors)} patients",
        told,
        bool(errors) and all(error is not None and abs(error) <= limit for error in errors.values()),
    )


def _tell_intervals(study: PhantomStudy, compared: Sequence[PatientComparison]) -> Check:
    """How many of the stated intervals hold the truth: so few patients cannot judge 95 %."""
    path = study.results / "atrophy.tsv"
    rows = {row.participant_id: row for row in read_rows(path, required=["gm_change_low_percent"])}
    holding = known = 0
    for one in compared:
        row = rows.get(one.participant_id)
        ends = [] if row is None else [read_number(row, f"gm_change_{end}_percent", path) for end in ("low", "high")]
        if len(ends) == 2 and ends[0] is not None and ends[1] is not None:
            known += 1
            holding += ends[0] <= one.gm_change_percent.true <= ends[1]
    return Check("PQ-4", "95 % intervals that hold the truth", "not judged", f"{holding} of {known}", None)


def _tell_costs(study: PhantomStudy) -> list[Check]:
    rows = {row["rule"]: row for row in cost_rows([read_run("qualification", study.results)])}
    whole = rows.pop("all", None)
    time, memory = "not known", "not known"
    if whole is not None:
        slowest = max(rows.values(), key=lambda row: float(row["seconds_total"]))
        each = slowest["seconds_total"] / slowest["jobs"]
        time = f"{whole['seconds_total'] / 60:.1f} minutes of {whole['jobs']} jobs; most of it "
        time += f"{slowest['rule']}, {each:.0f} s each"
        if whole["memory_largest_mb"]:
            memory = f"{whole['memory_largest_mb']:.0f} MB"
    return [
        Check("PQ-5", "Time", "not judged", time, None),
        Check("PQ-6", "Memory of the largest job", "not judged", memory, None),
    ]
