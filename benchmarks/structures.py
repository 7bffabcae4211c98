"""How well structures are found and their change is measured, on heads that the atlas was not made of.

    python benchmarks/structures.py [--benchmark DIR] [--spec benchmarks/structures.tsv] [--seed 3] [--work DIR]

Makes the cohort of the spec with the truth of every structure (`structures_truth.py`), runs the whole workflow, writes
benchmarks/results/structures.tsv and renews the table in docs/validation.md.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import median

import nibabel as nib
import numpy as np
from run import ROOT, commit, renew_document, run_workflow
from structures_truth import make_cohort

from graytrace.algorithms.structure_atlas import STRUCTURES, Structure

# numbers of label maps that belong to a structure of ours besides its own
MORE = {2: (28, 77, 85), 41: (60,), 4: (5, 31), 43: (44, 63)}
VISITS = {"BL": "baseline_ml", "M24": "followup_ml"}
COLUMNS = (
    "structure",
    "scans",
    "dice_median",
    "dice_least",
    "volume_error_percent",
    "pairs",
    "change_error_median",
    "change_error_worst",
    "difference_error_median",
    "slope",
    "covered",
)


def dice(found: np.ndarray, truth: np.ndarray, structure: Structure) -> list[float]:
    """Dice of each side."""
    values = []
    for number in sorted({structure.left, structure.right}):
        ours, true = found == number, np.isin(truth, (number, *MORE.get(number, ())))
        values.append(
            float(2 * np.count_nonzero(ours & true) / max(np.count_nonzero(ours) + np.count_nonzero(true), 1))
        )
    return values


def true_volumes(path: Path) -> dict[int, tuple[float, float]]:
    """Label to its true volume at both visits."""
    with path.open() as lines:
        rows = csv.DictReader(lines, delimiter="\t")
        return {
            int(row["label"]): (float(row["baseline_ml"]), float(row["followup_ml"]))
            for row in rows
            if row["label"].isdigit()
        }


def true_change(volumes: dict[int, tuple[float, float]], structure: Structure) -> tuple[float, float]:
    """True volume at the first visit, both sides together, and its change in percent."""
    numbers = {n for side in (structure.left, structure.right) for n in (side, *MORE.get(side, ()))}
    before, after = (sum(volumes[n][visit] for n in numbers & volumes.keys()) for visit in (0, 1))
    return before, 100 * (after / before - 1)


def slope(true: list[float], measured: list[float]) -> float | None:
    """Slope of a line through both, None where nothing changed."""
    if len(true) < 3 or np.ptp(true) < 0.5:
        return None
    return float(np.polyfit(true, measured, 1)[0])


class Scores:
    """What was found of every structure, patient by patient."""

    def __init__(self) -> None:
        self.dice: dict[str, list[float]] = defaultdict(list)
        self.volume_errors: dict[str, list[float]] = defaultdict(list)
        self.pairs: dict[str, list[dict[str, float]]] = defaultdict(list)

    def add_scan(self, found: np.ndarray, truth: np.ndarray) -> None:
        """A scan's labels beside the true ones."""
        for structure in STRUCTURES:
            if structure.is_reported:
                self.dice[structure.name] += dice(found, truth, structure)

    def add_pair(self, rows: Iterable[dict[str, str]], truth: dict[int, tuple[float, float]]) -> None:
        """A pair's rows of structures.tsv beside the true change; cortex loses what no flow tells and is left out."""
        by_name = {row["structure"]: row for row in rows if row["side"] in ("both", "n/a")}
        for structure in STRUCTURES:
            row = by_name.get(structure.name)
            if row is None or "n/a" in (row["change_percent"], row["volume_ml"]):
                continue
            before, change = true_change(truth, structure)
            self.volume_errors[structure.name].append(100 * (float(row["volume_ml"]) / before - 1))
            if structure.tissue == "cortex":
                continue
            numbers = {name: float(row[name]) for name in row if name.endswith("_percent") and row[name] != "n/a"}
            self.pairs[structure.name].append({"true": change, **numbers})

    def rows(self) -> list[dict[str, object]]:
        """A row for each structure."""
        return [self._row(structure.name) for structure in STRUCTURES if structure.is_reported]

    def _row(self, name: str) -> dict[str, object]:
        row: dict[str, object] = dict.fromkeys(COLUMNS)
        row |= {"structure": name, "scans": len(self.dice[name]), "pairs": len(self.pairs[name])}
        if self.dice[name]:
            row |= {"dice_median": median(self.dice[name]), "dice_least": min(self.dice[name])}
        if self.volume_errors[name]:
            row["volume_error_percent"] = median(self.volume_errors[name])
        pairs = self.pairs[name]
        if pairs:
            errors = [abs(pair["change_percent"] - pair["true"]) for pair in pairs]
            covered = [pair["change_low_percent"] <= pair["true"] <= pair["change_high_percent"] for pair in pairs]
            differences = [abs(p["difference_percent"] - p["true"]) for p in pairs if "difference_percent" in p]
            row |= {
                "change_error_median": median(errors),
                "change_error_worst": max(errors),
                "difference_error_median": median(differences) if differences else None,
                "slope": slope([p["true"] for p in pairs], [p["change_percent"] for p in pairs]),
                "covered": f"{sum(covered)} of {len(covered)}",
            }
        return row


def score(cohort: Path, results: Path) -> Scores:
    """The whole run beside its truth; patients without a row of numbers are left out."""
    truth = cohort.with_name(cohort.name + "-truth")
    with (results / "structures.tsv").open() as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    scores = Scores()
    for folder in sorted(truth.glob("sub-*")):
        for visit in VISITS:
            stem = f"{folder.name}_ses-{visit}"
            ours = results / folder.name / f"ses-{visit}" / "anat" / f"{stem}_seg-structures_dseg.nii.gz"
            if ours.exists():
                images = (nib.load(ours), nib.load(folder / f"{stem}_structures.nii.gz"))
                scores.add_scan(*(np.asanyarray(image.dataobj) for image in images))
        own = [row for row in rows if row["participant_id"] == folder.name and row["kind"] == "pair"]
        scores.add_pair(own, true_volumes(folder / "volumes.tsv"))
    return scores


def table(rows: list[dict[str, object]]) -> str:
    """Markdown: a row a structure."""
    heads = (
        "structure",
        "sides of scans",
        "Dice, median",
        "Dice, least",
        "volume error (%), median",
        "pairs",
        "change error (points), median",
        "worst",
        "plain difference error, median",
        "slope",
        "interval holds the truth",
    )
    digits = {"dice_median": 3, "dice_least": 3, "volume_error_percent": 1}
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for row in rows:
        cells = []
        for name in COLUMNS:
            value = row[name]
            is_number = isinstance(value, float)
            cells.append("n/a" if value is None else f"{value:.{digits.get(name, 2)}f}" if is_number else str(value))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Make, run, score, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("GRAYTRACE_BENCHMARK", ROOT.parent / "shared" / "benchmark"))
    parser.add_argument("--benchmark", type=Path, default=default)
    parser.add_argument("--spec", type=Path, default=ROOT / "benchmarks" / "structures.tsv")
    parser.add_argument("--labels", default="labels", help="folder of label maps in the benchmark folder")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--work", type=Path, default=ROOT / "bench-work")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    measured_at = commit()
    cohort, results = ((args.work / f"structures{end}").resolve() for end in ("", "-results"))
    make_cohort(args.benchmark, args.benchmark / args.labels, args.spec, args.seed, cohort)
    run_workflow(cohort, results, args.cores)
    rows = score(cohort, results).rows()
    with (ROOT / "benchmarks" / "results" / "structures.tsv").open("w") as lines:
        writer = csv.DictWriter(lines, [*COLUMNS, "commit"], delimiter="\t")
        writer.writeheader()
        writer.writerows({**row, "commit": measured_at} for row in rows)
    text = f"Commit `{measured_at}`, `python benchmarks/structures.py --seed {args.seed}`:\n\n{table(rows)}"
    renew_document(ROOT / "docs" / "validation.md", "structures", text)
    print(table(rows))


if __name__ == "__main__":
    main()
