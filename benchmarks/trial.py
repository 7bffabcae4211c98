"""The trial's question on phantoms: a dose-response that is there shall be found, one that is not shall not.

    python benchmarks/trial.py [--patients 12] [--voxel-mm 2] [--seed 1] [--null-trials 1000] [--work DIR] [--cores 2]

Makes a phantom trial (four doses, loss falls with dose), runs the whole workflow on it and sets its answer beside that
of the true changes. Then draws tables of trials without effect, with the spread and the errors that were measured, and
counts how often the same question finds one. Writes benchmarks/results/phantom-trial.tsv and
docs/images/phantom-trial.svg and renews the text between its marks in docs/validation.md.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from run import commit, renew_document, run_workflow

from graytrace.phantoms.cohort import draw_patients, write_cohort
from graytrace.statistics.association import Association, associate
from graytrace.statistics.intervals import HALF_INTERVAL_SES

ROOT = Path(__file__).resolve().parent.parent
MARK = "phantom-trial"
LEVELS = (0.05, 0.01)
SECTION = """\
## A phantom trial: is the dose found?

Phantoms at four doses (`graytrace phantom`: 3 % noise, 40 % shading, every third with lesions) lose about 2.5 % of
their gray matter in two years at the lowest dose and 0.5 % at the highest, with a spread of 0.4 between patients. The
whole workflow measures them as they come. The trials without effect are tables with the same doses, the same spread
between patients and the errors of measurement of this trial."""


@dataclass(frozen=True)
class Patient:
    """A phantom patient: the true change and what was measured, in percent and percentage points."""

    participant_id: str
    dose: float
    years: float
    true_change: float
    measured_change: float
    standard_error: float

    @property
    def error(self) -> float:
        """Measured minus true."""
        return self.measured_change - self.true_change

    @property
    def holds(self) -> bool:
        """Whether the 95 % interval of the measurement holds the truth."""
        return abs(self.error) <= HALF_INTERVAL_SES * self.standard_error


def read_rows(path: Path) -> dict[str, dict[str, str]]:
    """Rows of a table by participant."""
    with path.open(newline="", encoding="utf-8") as lines:
        return {row["participant_id"]: row for row in csv.DictReader(lines, delimiter="\t")}


def read_patients(cohort: Path, results: Path) -> list[Patient]:
    """Every patient of the trial with truth and measurement; all must have been measured."""
    truth = read_rows(cohort.with_name(cohort.name + "-truth") / "truth.tsv")
    doses, measured = read_rows(cohort / "participants.tsv"), read_rows(results / "atrophy.tsv")
    lost = [name for name in truth if measured[name]["gm_change_percent"] == "n/a"]
    if lost:
        sys.exit(f"{', '.join(lost)} were not measured: see the column reason of {results / 'atrophy.tsv'}")
    return [
        Patient(
            name,
            float(doses[name]["dose"]),
            float(measured[name]["interval_years"]),
            float(row["gm_change_percent"]),
            float(measured[name]["gm_change_percent"]),
            float(measured[name]["gm_change_se_points"]),
        )
        for name, row in truth.items()
    ]


def ask(doses: Sequence[float], changes_per_year: Sequence[float], *, resamples: int = 9_999) -> Association:
    """The trial's question of one table."""
    return associate(np.array(doses), np.array(changes_per_year), resamples=resamples)


def check_table(results: Path, found: Association) -> None:
    """Stop where the run's own dose_response.tsv says something else."""
    with (results / "dose_response.tsv").open(newline="", encoding="utf-8") as lines:
        row = next(csv.DictReader(lines, delimiter="\t"))
    if (
        abs(float(row["spearman_rho"]) - found.spearman.value) > 0.01
        or abs(float(row["slope"]) - found.slope.value) > 0.01
    ):
        sys.exit(f"{results / 'dose_response.tsv'} says {row['spearman_rho']} and {row['slope']}, expected {found}")


def count_false_findings(patients: Sequence[Patient], trials: int, jobs: int) -> dict[str, float]:
    """How often trials without effect show one: rate of each p at each level, and of the slope's interval without 0.

    Each trial's patients have the measured patients' doses; their changes are drawn from one normal distribution with
    the spread that is left in the true changes when the dose's line is taken out, each with an error of measurement.
    """
    doses = np.array([patient.dose for patient in patients])
    years = np.array([patient.years for patient in patients])
    true = np.array([patient.true_change for patient in patients])
    spread = float(np.std(true - np.polyval(np.polyfit(doses, true, 1), doses), ddof=2))
    errors = np.array([patient.standard_error for patient in patients])
    rng = np.random.default_rng(20_240_301)
    tables = (
        true.mean() + rng.normal(0, spread, (trials, true.size)) + rng.normal(0, errors, (trials, true.size))
    ) / years
    with ProcessPoolExecutor(jobs) as pool:
        found = list(pool.map(partial(ask, doses), tables, chunksize=20))
    rates = {
        f"{name} p at most {level}": float(np.mean([getattr(one, f"{name}_p") <= level for one in found]))
        for name in ("spearman", "pearson")
        for level in LEVELS
    }
    rates["slope's 95 % interval without 0"] = float(
        np.mean([not one.slope.low <= 0 <= one.slope.high for one in found])
    )
    return rates


def describe(found: Association, true: Association) -> str:
    """The answer of the measured table beside that of the true one: Markdown."""
    lines = [
        "| | from what was measured | from the true changes |",
        "| --- | --- | --- |",
    ]
    for words, name in (
        ("Spearman's rank correlation (95 % interval)", "spearman"),
        ("Pearson's correlation (95 % interval)", "pearson"),
        ("slope, points a year for each unit of dose (95 % interval)", "slope"),
    ):
        cells = [
            f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
            for one in (getattr(found, name), getattr(true, name))
        ]
        lines.append(f"| {words} | {cells[0]} | {cells[1]} |")
    lines.append(f"| permutation p of the rank correlation | {found.spearman_p:.4f} | {true.spearman_p:.4f} |")
    return "\n".join(lines)


def list_patients(patients: Sequence[Patient]) -> str:
    """A row a patient: Markdown."""
    lines = [
        "| patient | dose | true GM change (%) | measured (%) | error (points) | 95 % interval | holds the truth |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {one.participant_id} | {one.dose:g} | {one.true_change:.3f} | {one.measured_change:.3f} | "
        f"{one.error:+.3f} | ±{HALF_INTERVAL_SES * one.standard_error:.3f} | {'yes' if one.holds else 'no'} |"
        for one in patients
    ]
    return "\n".join(lines)


def draw(patients: Sequence[Patient], found: Association, path: Path) -> None:
    """Change per year of each patient over dose, measured with its interval and true."""
    with mpl.rc_context({"svg.hashsalt": "graytrace", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        axes = figure.subplots()
        doses = np.array([one.dose for one in patients])
        seen: dict[float, int] = {}
        for one in patients:
            place = one.dose + 0.09 * seen.setdefault(one.dose, 0)
            seen[one.dose] += 1
            half = HALF_INTERVAL_SES * one.standard_error / one.years
            axes.errorbar(
                place, one.measured_change / one.years, half, fmt="o", color="#0072B2", markersize=4, capsize=2
            )
            axes.plot(place, one.true_change / one.years, "D", color="#D55E00", markerfacecolor="none", markersize=6)
        measured = np.array([one.measured_change / one.years for one in patients])
        intercept = np.median(measured) - found.slope.value * np.median(doses)
        ends = np.array([doses.min(), doses.max()])
        axes.plot(ends, intercept + found.slope.value * ends, "--", color="black", linewidth=1)
        axes.plot([], [], "o", color="#0072B2", label="measured, 95 % interval of the measurement")
        axes.plot([], [], "D", color="#D55E00", markerfacecolor="none", label="true")
        axes.plot([], [], "--", color="black", label="Theil and Sen's line")
        axes.legend(frameon=False, fontsize=8)
        axes.set_xlabel("dose")
        axes.set_ylabel("change of gray matter (% per year)")
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None, "Creator": None})


def keep(patients: Sequence[Patient], path: Path) -> None:
    """The figures as a table, with the commit."""
    columns = ("participant_id", "dose", "years", "true_change", "measured_change", "error", "standard_error", "commit")
    at = commit()
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        for one in patients:
            numbers = (one.dose, one.years, one.true_change, one.measured_change, one.error, one.standard_error)
            writer.writerow([one.participant_id, *(f"{number:.4f}" for number in numbers), at])


def describe_null(rates: Mapping[str, float], trials: int) -> str:
    """How often nothing was taken for something: Markdown."""
    rows = [f"| {words} | {100 * rate:.1f} |" for words, rate in rates.items()]
    return "\n".join([f"| among {trials:,} trials without effect | share (%) |", "| --- | ---: |", *rows])


def main() -> None:
    """Make, run, compare, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--voxel-mm", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--null-trials", type=int, default=1_000)
    parser.add_argument("--work", type=Path, default=ROOT / "bench-work")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    cohort, results = (args.work / MARK).resolve(), (args.work / f"{MARK}-results").resolve()
    if not (cohort.with_name(cohort.name + "-truth") / "truth.tsv").exists():
        planned = draw_patients(args.patients, seed=args.seed)
        write_cohort(cohort, planned, voxel_mm=args.voxel_mm, seed=args.seed, jobs=args.cores)
    run_workflow(cohort, results, args.cores)
    patients = read_patients(cohort, results)
    doses = [one.dose for one in patients]
    found = ask(doses, [one.measured_change / one.years for one in patients])
    true = ask(doses, [one.true_change / one.years for one in patients])
    check_table(results, found)
    keep(patients, ROOT / "benchmarks" / "results" / f"{MARK}.tsv")
    draw(patients, found, ROOT / "docs" / "images" / f"{MARK}.svg")
    rates = count_false_findings(patients, args.null_trials, args.cores)
    command = (
        f"python benchmarks/trial.py --patients {args.patients} --voxel-mm {args.voxel_mm:g} --seed {args.seed} "
        f"--null-trials {args.null_trials}"
    )
    held = sum(one.holds for one in patients)
    text = "\n\n".join(
        [
            SECTION,
            f"Commit `{commit()}`, `{command}`:",
            describe(found, true),
            "![Change of gray matter over dose, measured and true](images/phantom-trial.svg)",
            list_patients(patients),
            f"The interval of the measurement holds the truth in {held} of {len(patients)} patients.",
            describe_null(rates, args.null_trials),
        ]
    )
    renew_document(ROOT / "docs" / "validation.md", MARK, text)
    print(text)


if __name__ == "__main__":
    main()
