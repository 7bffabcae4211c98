"""Accuracy and cost on a cohort whose change is known: make it, run the whole workflow, score it, keep the figures.

    python benchmarks/run.py [--benchmark DIR] [--spec dev.tsv] [--seed 1] [--work DIR] [--cores 2]

DIR holds `cohort.py` and `realistic.py` (make a cohort, by the columns of the spec), `score.py` (scores a run) and
`labels/`; GRAYTRACE_BENCHMARK names another.
Writes benchmarks/results/SPEC-seedN.tsv, one row a patient with errors, seconds and peak memory and the commit, and
renews the table between the marks of that cohort in docs/validation.md, and the plot of all cohorts' errors.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from plots import draw_errors, read_results

ROOT = Path(__file__).resolve().parent.parent
CONDITIONS = ("noise", "bias", "slice_mm", "drift", "lesions")
# a spec with these is for `realistic.py`, which puts real scanners' faults in
FAULTS = (
    "acq",
    "noise",
    "scalp",
    "neck",
    "drift",
    "distort",
    "zshift",
    "contrast",
    "regional",
    "blur",
    "motion",
    "swap",
)
COLUMNS = {
    "true_change": "true GM change (%)",
    "change_error": "GM change error (points)",
    "jacobian_error": "Jacobian part alone, error (points)",
    "difference_error": "plain difference error (points)",
    "brain_change_error": "brain change error (points)",
    "volume_error_percent": "GM volume error (%)",
    "icv_error_percent": "ICV error (%)",
    "gm_dice": "GM Dice",
    "brain_dice": "brain Dice",
    "seconds": "seconds, all jobs",
    "peak_mb": "peak memory (MB)",
}


def commit() -> str:
    """The commit that is checked out, marked where the tree differs from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude", "*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return described.stdout.strip()


def is_realistic(spec: Path) -> bool:
    """Whether a spec has the columns of real scanners' faults."""
    with spec.open() as lines:
        return set(FAULTS[:4]) <= set(lines.readline().split())


def make_cohort(benchmark: Path, labels: Path, spec: Path, seed: int, cohort: Path) -> None:
    """Render the cohort unless a finished one is there."""
    if (cohort.with_name(cohort.name + "-truth") / "truth.tsv").exists():
        return
    maker = benchmark / ("realistic.py" if is_realistic(spec) else "cohort.py")
    command = [sys.executable, maker, cohort, "--labels", labels, "--spec", spec]
    subprocess.run([str(c) for c in (*command, "--seed", seed, "--jobs", 2)], check=True)


def run_workflow(cohort: Path, results: Path, cores: int) -> None:
    """The main job, as a user runs it."""
    lesions = cohort / "derivatives" / "lesions"
    study = {"bids_dir": str(cohort), "output_dir": str(results), "lesions": str(lesions) if lesions.exists() else None}
    config = results.with_suffix(".config.yaml")
    config.write_text(json.dumps({"study": study}, indent=1))  # JSON is YAML
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", str(config), "--quiet", "progress"],
        cwd=ROOT,
        check=True,
    )


def costs(results: Path) -> dict[str, dict[str, float]]:
    """Seconds of all jobs and the largest job's memory of each patient, from Snakemake's benchmark files."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: {"seconds": 0.0, "peak_mb": 0.0})
    for path in (results / "benchmarks").rglob("*.tsv"):
        patient = next((part for part in path.relative_to(results).parts if part.startswith("sub-")), None)
        if patient is None:
            continue
        with path.open() as lines:
            row = list(csv.DictReader(lines, delimiter="\t"))[-1]
        found[patient]["seconds"] += float(row["s"])
        if row["max_rss"] not in ("-", "NA"):
            found[patient]["peak_mb"] = max(found[patient]["peak_mb"], float(row["max_rss"]))
    return found


def jacobian_part(results: Path, patient: str) -> float | None:
    """The change that Jacobian integration alone gives, from the patient's change file."""
    for path in (results / patient / "change").glob("*_desc-change.json"):
        found = json.loads(path.read_text()).get("gm_jacobian_percent")
        return None if found is None else float(found)
    return None


def score(benchmark: Path, cohort: Path, results: Path) -> list[dict[str, object]]:
    """The scorer's rows, with the cost of each patient."""
    out = results.with_suffix(".score.json")
    truth = cohort.with_name(cohort.name + "-truth")
    command = [sys.executable, str(benchmark / "score.py"), str(truth), str(results), "--json", str(out)]
    subprocess.run(command, check=True)
    spent = costs(results)
    rows: list[dict[str, object]] = json.loads(out.read_text())["patients"]
    for row in rows:
        row.update(spent.get(str(row["participant_id"]), {}))
        part = jacobian_part(results, str(row["participant_id"]))
        if part is not None:
            row["jacobian_error"] = part - float(str(row["true_change"]))
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """Markdown: a row a patient."""
    lines = ["| patient | " + " | ".join(COLUMNS.values()) + " |", "| --- |" + " ---: |" * len(COLUMNS)]
    for row in rows:
        cells = []
        for key in COLUMNS:
            value = row.get(key)
            digits = 0 if key in ("seconds", "peak_mb") else 3
            cells.append("n/a" if value is None else f"{float(str(value)):.{digits}f}")
        lines.append(f"| {row['participant_id']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def renew_document(document: Path, mark: str, text: str) -> None:
    """Replace what stands between the marks of a cohort; without marks the text goes to the end."""
    begin, end = f"<!-- begin {mark} -->", f"<!-- end {mark} -->"
    content = document.read_text()
    if begin not in content:
        content += f"\n{begin}\n{end}\n"
    head, rest = content.split(begin, 1)
    document.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}")


def main() -> None:
    """Make, run, score, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("GRAYTRACE_BENCHMARK", ROOT.parent / "shared" / "benchmark"))
    parser.add_argument("--benchmark", type=Path, default=default)
    parser.add_argument("--spec", default="dev.tsv", help="a file of the benchmark folder or a path")
    parser.add_argument("--labels", default="labels", help="folder of label maps in the benchmark folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=ROOT / "bench-work")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    spec = Path(args.spec) if Path(args.spec).exists() else args.benchmark / args.spec
    if not (args.benchmark / "cohort.py").exists() or not spec.exists():
        sys.exit(f"no benchmark at {args.benchmark} (cohort.py, score.py, labels/) or no spec {spec}")
    name = f"{spec.stem}-seed{args.seed}"
    measured_at = commit()  # now: the files that are renewed below will differ from it
    args.work.mkdir(parents=True, exist_ok=True)
    cohort, results = (args.work / name).resolve(), (args.work / f"{name}-results").resolve()
    make_cohort(args.benchmark, args.benchmark / args.labels, spec, args.seed, cohort)
    run_workflow(cohort, results, args.cores)
    rows = score(args.benchmark, cohort, results)
    with spec.open() as lines:
        conditions = {row["participant_id"]: row for row in csv.DictReader(lines, delimiter="\t")}
    realistic = is_realistic(spec)
    kept = ROOT / "benchmarks" / "results" / ("realistic" if realistic else "") / f"{name}.tsv"
    kept.parent.mkdir(parents=True, exist_ok=True)
    columns = FAULTS if realistic else CONDITIONS
    with kept.open("w") as lines:
        writer = csv.DictWriter(
            lines, ["participant_id", *columns, *COLUMNS, "commit"], delimiter="\t", extrasaction="ignore"
        )
        writer.writeheader()
        for row in rows:
            condition = conditions[str(row["participant_id"])]
            known = {column: condition.get(column, "n/a") for column in columns}
            writer.writerow({**known, **row, "commit": measured_at})
    command = f"python benchmarks/run.py --spec {spec.name} --seed {args.seed}"
    text = f"Commit `{measured_at}`, `{command}`:\n\n{table(rows)}"
    renew_document(ROOT / "docs" / "validation.md", name, text)
    if not realistic:
        draw_errors(read_results(kept.parent), ROOT / "docs" / "images" / "benchmark-errors.svg")
    print(table(rows))


if __name__ == "__main__":
    main()
