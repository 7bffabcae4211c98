"""Whether the intervals of simulated pairs hold the truth, and what their shares should be.

    python benchmarks/calibrate.py TRUTH_DIR RESULTS [TRUTH_DIR RESULTS ...] [--fit]

TRUTH_DIR holds truth.tsv of a simulated cohort, RESULTS what the workflow made of it.  For each tissue: how many pairs,
how often the 95 % interval held the truth (with the exact interval of that share), the root mean square of error over
standard error, the rank correlation of the size of the error with the interval's half-width, the median half-width of
scans of 1 mm, and the quantile that split conformal prediction would take instead of 1.96
(https://doi.org/10.1561/2200000101).  With --fit the shares of `precision.SHARES` that are likeliest for these pairs,
with errors that are normal.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint

from graytrace.algorithms.precision import (
    EVIDENCE_POINTS,
    SHARES,
    Evidence,
    Shares,
    budget_error,
)
from graytrace.statistics.intervals import HALF_INTERVAL_SES

_TRUTH = {
    "gm": "gm_change_percent",
    "cortical_gm": "cortex_change_percent",
    "deep_gm": "deep_change_percent",
    "wm": "wm_change_percent",
    "brain": "brain_change_percent",
}
_CLASS_MM = 1.3  # scans of the 1 mm class
_LEVEL = 0.95
# a fit on some dozen pairs is held to what is plausible: medians of the shares, and the spread of their logarithms
_PRIOR_LOG_SD = 0.7


@dataclass(frozen=True)
class Pair:
    """A tissue of a pair: its evidence and the error that it turned out to have."""

    evidence: Evidence
    error_points: float


def _table(path: Path) -> dict[str, dict[str, str]]:
    with path.open() as lines:
        return {row["participant_id"]: row for row in csv.DictReader(lines, delimiter="\t")}


def _longest_mm(results: Path, participant: str) -> float:
    records = (results / "records" / participant).glob("*/inspect.json")
    return max(max(json.loads(path.read_text())["measures"]["voxel_sizes_mm"]) for path in records)


def _scale_se_percent(results: Path, participant: str, visits: str) -> float | None:
    """Standard error of the scanner's scale; None where no skull tells it."""
    found = json.loads((results / "records" / participant / visits / "align_visits.json").read_text())["measures"]
    return float(found["scale_se_percent"]) if found["has_skull"] else None


def read_pairs(truth_dir: Path, results: Path) -> dict[str, list[Pair]]:
    """Every tissue's pairs of a cohort that were measured."""
    pairs: dict[str, list[Pair]] = {tissue: [] for tissue in SHARES}
    for participant, true in _table(truth_dir / "truth.tsv").items():
        for path in sorted((results / participant / "change").glob("*_desc-change.json")):
            measured = json.loads(path.read_text())
            visits = f"ses-{measured['baseline']}_ses-{measured['followup']}"
            for tissue, column in _TRUTH.items():
                if f"{tissue}_change_percent" not in measured or true.get(column) in {None, "", "n/a"}:
                    continue
                evidence = Evidence(
                    change_percent=measured[f"{tissue}_change_percent"],
                    scale_se_percent=_scale_se_percent(results, participant, visits),
                    difference_percent=measured[f"{tissue}_plain_difference_percent"],
                    longest_voxel_mm=_longest_mm(results, participant),
                    **{name: measured.get(f"{tissue}_{name}", math.nan) for name in EVIDENCE_POINTS},
                )
                pairs[tissue].append(Pair(evidence, evidence.change_percent - float(true[column])))
    return pairs


def describe(pairs: list[Pair], shares: Shares) -> dict[str, float]:
    """How well the intervals by some shares fit the errors."""
    error = np.array([pair.error_points for pair in pairs])
    se = np.array([budget_error(pair.evidence, shares).se for pair in pairs])
    fine = np.array([pair.evidence.longest_voxel_mm < _CLASS_MM for pair in pairs])
    held = int((np.abs(error) <= HALF_INTERVAL_SES * se).sum())
    low, high = proportion_confint(held, len(pairs), method="beta")
    score = np.sort(np.abs(error) / se)
    rank = math.ceil(_LEVEL * (len(score) + 1))
    return {
        "pairs": len(pairs),
        "median_error": float(np.median(np.abs(error))),
        "p95_error": float(np.percentile(np.abs(error), 95)),
        "worst_error": float(np.abs(error).max()),
        "held_percent": 100 * held / len(pairs),
        "held_low_percent": 100 * float(low),
        "held_high_percent": 100 * float(high),
        "rms_z": float(np.sqrt(np.mean((error / se) ** 2))),
        "rank_correlation": float(stats.spearmanr(np.abs(error), se).statistic),
        "median_half_width_1mm": float(np.median(HALF_INTERVAL_SES * se[fine])) if fine.any() else math.nan,
        "conformal_quantile": float(score[rank - 1]) if rank <= len(score) else math.inf,
    }


def fit(pairs: list[Pair], start: Shares) -> Shares:
    """The likeliest shares for normal errors, held near `start` by a lognormal prior."""
    names = [field.name for field in fields(Shares)]
    prior = np.log([getattr(start, name) for name in names])
    error = np.array([pair.error_points for pair in pairs])

    def cost(logs: np.ndarray) -> float:
        shares = Shares(**dict(zip(names, np.exp(logs).tolist(), strict=True)))
        se = np.array([budget_error(pair.evidence, shares).se for pair in pairs])
        likelihood = np.log(se).sum() + ((error / se) ** 2).sum() / 2
        return float(likelihood + (((logs - prior) / _PRIOR_LOG_SD) ** 2).sum() / 2)

    found = optimize.minimize(cost, prior, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-3})
    return Shares(**{name: round(float(value), 3) for name, value in zip(names, np.exp(found.x), strict=True)})


def main() -> int:
    """Print the table, and the shares where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohorts", nargs="+", type=Path, metavar="TRUTH_DIR RESULTS")
    parser.add_argument("--fit", action="store_true", help="find the shares that fit these pairs")
    args = parser.parse_args()
    if len(args.cohorts) % 2:
        parser.error("TRUTH_DIR and RESULTS belong together")
    pairs: dict[str, list[Pair]] = {tissue: [] for tissue in SHARES}
    for truth_dir, results in zip(args.cohorts[::2], args.cohorts[1::2], strict=True):
        for tissue, found in read_pairs(truth_dir, results).items():
            pairs[tissue] += found
    header: list[str] = []
    for tissue in SHARES:
        row = describe(pairs[tissue], SHARES[tissue])
        if not header:
            header = list(row)
            print("| tissue | " + " | ".join(name.replace("_", " ") for name in header) + " |")
            print("| --- |" + " ---: |" * len(header))
        print(f"| {tissue} | " + " | ".join(f"{row[name]:.3g}" for name in header) + " |")
    if args.fit:
        for tissue in SHARES:
            print(tissue, asdict(fit(pairs[tissue], SHARES[tissue])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
