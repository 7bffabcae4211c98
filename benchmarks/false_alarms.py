"""How often a clean pair is flagged without cause: forty phantom pairs, whose table stands in docs/faults.md.

    python benchmarks/false_alarms.py [--work DIR] [--cores 1] [--only 1.5]

Cohorts of `graytrace phantom` with voxels of 0.7 to 3 mm, all doses (so every strength of atrophy), lesions at every
third patient, go through the workflow as a user runs it. A row counts when it is neither `ok` nor flagged for what is
so: slices of more than 2 mm are thick. What was measured stays in the work folder, and the same command goes on; pairs
that were not tried yet are told in the table. The exit code is 1 when more than one row is flagged without cause.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from fault_study import BASELINE, FOLLOWUP, ROOT, Slot, graytrace, run_study
from run import commit, renew_document

DOCUMENT = ROOT / "docs" / "faults.md"
MARK = "false alarms"
ALLOWED = 1
THICK_MM = 2.0


@dataclass(frozen=True)
class Cohort:
    """Phantoms of one kind."""

    voxel_mm: float
    patients: int
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.voxel_mm:g}mm"


# large voxels cost least, so most have them; dose, age and lesions go through the patients of each
COHORTS = (
    Cohort(3, 12, 21),
    Cohort(2.5, 10, 22),
    Cohort(2, 10, 23),
    Cohort(1.5, 5, 24),
    Cohort(1, 2, 25),
    Cohort(0.7, 1, 26),
)


@dataclass(frozen=True)
class Pair:
    """What came of a pair."""

    cohort: str
    participant_id: str
    dose: str
    age: str
    true_percent: str
    lesions: int
    status: str
    flags: str
    measured_percent: str
    commit: str

    def without_cause(self) -> list[str]:
        """Flags, or the status, for which there is no reason."""
        causes = {f"{visit}:thick_slices" for visit in (BASELINE, FOLLOWUP)} if self.is_thick else set()
        flags = [flag for flag in self.flags.split("; ") if flag not in {"n/a", *causes}]
        return flags or ([] if self.status in {"ok", "flagged"} else [self.status])

    @property
    def is_thick(self) -> bool:
        """Whether its slices are thicker than 2 mm."""
        return float(self.cohort.removesuffix("mm")) > THICK_MM


def measure_cohort(cohort: Cohort, work: Path, cores: int) -> list[Pair]:
    """Make a cohort and run it, or go on where that stopped."""
    slot = Slot(work / cohort.name)
    kept = slot.root / "pairs.json"
    if kept.exists():
        return [Pair(**pair) for pair in json.loads(kept.read_text())]
    slot.root.mkdir(parents=True, exist_ok=True)
    if not (slot.root / "made").exists():
        words = ["--patients", str(cohort.patients), "--voxel-mm", str(cohort.voxel_mm), "--seed", str(cohort.seed)]
        made = graytrace(slot, "phantom", slot.bids, *words, "--jobs", str(cores))
        if made.code:
            raise SystemExit(made.text)
        (slot.root / "made").touch()
    lesions = "derivatives/lesions"
    study = {"baseline": BASELINE, "followup": FOLLOWUP, "lesions": lesions if (slot.bids / lesions).is_dir() else None}
    slot.write(slot.config, yaml.safe_dump({"study": study, "statistics": {"covariates": ["age", "sex"]}}))
    said = run_study(slot, cores)
    if said.code:
        raise SystemExit(said.text)
    pairs = _read_pairs(cohort, slot)
    kept.write_text(json.dumps([asdict(pair) for pair in pairs], indent=1))
    return pairs


def _read_pairs(cohort: Cohort, slot: Slot) -> list[Pair]:
    truth = _rows(slot.root / "bids-truth" / "truth.tsv")
    people = _rows(slot.bids / "participants.tsv")
    measured_at = commit()
    return [
        Pair(
            cohort.name,
            name,
            people[name]["dose"],
            people[name]["age"],
            truth[name]["gm_change_percent"],
            int(truth[name]["lesions"]),
            row["status"],
            row["flags"],
            row["gm_change_percent"],
            measured_at,
        )
        for name, row in _rows(slot.results / "atrophy.tsv").items()
    ]


def _rows(path: Path) -> dict[str, Mapping[str, str]]:
    with path.open(newline="") as file:
        return {row["participant_id"]: row for row in csv.DictReader(file, delimiter="\t")}


def write_table(pairs: Sequence[Pair]) -> str:
    """The part of docs/faults.md between its marks."""
    planned = sum(cohort.patients for cohort in COHORTS)
    wrong = [pair for pair in pairs if pair.without_cause()]
    commits = ", ".join(f"`{name}`" for name in dict.fromkeys(pair.commit for pair in pairs))
    tried = f"{len(pairs)} of {planned} pairs tried; **{len(wrong)} flagged without cause**"
    lines = [
        f"Commit {commits}, `python benchmarks/false_alarms.py`: {tried}.",
        "",
        "| voxels | pairs | with lesions | true change of gray matter (%) | without cause | which |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for cohort in COHORTS:
        own = [pair for pair in pairs if pair.cohort == cohort.name]
        if not own:
            lines.append(f"| {cohort.voxel_mm:g} mm | 0 of {cohort.patients} | | | not tried | |")
            continue
        changes = [float(pair.true_percent) for pair in own]
        which = "; ".join(f"{pair.participant_id}: {', '.join(pair.without_cause())}" for pair in own if pair in wrong)
        lines.append(
            f"| {cohort.voxel_mm:g} mm | {len(own)} | {sum(pair.lesions > 0 for pair in own)} | "
            f"{min(changes):.1f} to {max(changes):.1f} | {sum(pair in wrong for pair in own)} | {which} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure the cohorts, renew the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "bench-work" / "false-alarms")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--only", type=float, metavar="MM", action="append", help="voxels of the cohorts to be tried")
    args = parser.parse_args()
    pairs: list[Pair] = []
    for cohort in COHORTS:
        is_done = (args.work / cohort.name / "pairs.json").exists()
        if is_done or not args.only or cohort.voxel_mm in args.only:
            pairs += measure_cohort(cohort, args.work.resolve(), args.cores)
    if pairs:
        renew_document(DOCUMENT, MARK, write_table(pairs))
    wrong = [pair for pair in pairs if pair.without_cause()]
    for pair in wrong:
        sys.stderr.write(f"{pair.cohort} {pair.participant_id}: {pair.status}: {', '.join(pair.without_cause())}\n")
    return int(len(wrong) > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
