"""Size and power of the trial's tests: how often is a relation found that is not there, and one that is.

    python benchmarks/trend_power.py [--trials 1000] [--seed 1]

Draws trials of three patients on each of four doses, normally distributed around their dose's mean with a standard
deviation of 1 between patients, and asks each with all tests. Nothing is read but these numbers. Writes
benchmarks/results/trend-power.tsv and renews the tables between the marks in docs/statistics.md. Minutes on one core.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from run import commit, renew_document

from graytrace.statistics.sensitivity import weighted_p
from graytrace.statistics.trend import TrendTests

ROOT = Path(__file__).resolve().parent.parent
MARK = "trend-power"
DOSES = np.repeat([0.7, 1.4, 2.8, 5.7], 3)
LEVEL = 0.05
ERRORS = np.array([0.3, 0.6, 1.2])  # of measurement, in patients' SDs: each dose has a good, a fair and a poor scan
TESTS = {
    "spearman": "Spearman's rank correlation",
    "jonckheere_terpstra": "Jonckheere-Terpstra",
    "max_contrast": "maximum contrast of four shapes",
    "linear_alone": "linear contrast alone (Pearson)",
    "step_alone": "top dose against the others alone",
}
SLOPES = {"least_squares": "least-squares slope", "precision_weighted": "precision-weighted slope"}
Trials = NDArray[np.floating]


def mean_of(shape: str, size: float) -> NDArray[np.floating]:
    """Mean of each patient's dose: between lowest and highest dose lie so many standard deviations of patients."""
    if shape == "linear":
        return size * (DOSES - DOSES.min()) / np.ptp(DOSES)
    return size * np.equal(DOSES, DOSES.max())


def list_effects() -> dict[str, NDArray[np.floating]]:
    """What the dose does in each set of trials."""
    effects = {"none": np.zeros(DOSES.size)}
    for shape, words in (("linear", "linear"), ("step", "top dose only")):
        for size in (1, 2):
            effects[f"{words}, {size} SD"] = mean_of(shape, size)
    return effects


def ask(trials: Trials) -> dict[str, float]:
    """Share of trials in which each test finds something."""
    exact = np.zeros(DOSES.size)
    p = TrendTests(DOSES).p_values(trials)
    p["linear_alone"] = weighted_p(DOSES, trials, exact)
    p["step_alone"] = weighted_p(np.equal(DOSES, DOSES.max()), trials, exact)
    return {name: float(np.mean(p[name] <= LEVEL)) for name in TESTS}


def ask_slopes(trials: Trials, errors: NDArray[np.floating]) -> dict[str, float]:
    """The same of the two slopes."""
    p = {
        "least_squares": weighted_p(DOSES, trials, np.zeros(DOSES.size)),
        "precision_weighted": weighted_p(DOSES, trials, errors),
    }
    return {name: float(np.mean(p[name] <= LEVEL)) for name in SLOPES}


def tabulate(tests: Mapping[str, str], shares: Mapping[str, Mapping[str, float]]) -> str:
    """Share of trials with p at most 0.05 in percent, a row for each test: Markdown."""
    lines = ["| test | " + " | ".join(shares) + " |", "| --- |" + " ---: |" * len(shares)]
    for name, words in tests.items():
        lines.append(f"| {words} | " + " | ".join(f"{100 * found[name]:.1f}" for found in shares.values()) + " |")
    return "\n".join(lines)


def keep(shares: Mapping[str, Mapping[str, float]], trials: int, path: Path) -> None:
    """The figures as a table, with the commit."""
    at = commit()
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines, delimiter="\t", lineterminator="\n")
        writer.writerow(("effect", "test", "share", "trials", "commit"))
        for effect, found in shares.items():
            writer.writerows([effect, test, f"{share:.4f}", trials, at] for test, share in found.items())


def main() -> None:
    """Draw, ask, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    at = commit()
    rng = np.random.default_rng(args.seed)
    shares = {}
    for name, effect in list_effects().items():
        shares[name] = ask(effect + rng.normal(size=(args.trials, DOSES.size)))
        print(name, shares[name], flush=True)
    slopes = {}
    for name in ("none", "linear, 2 SD"):
        errors = np.concatenate([rng.permutation(ERRORS) for _ in range(4)])
        noise = rng.normal(size=(2, args.trials, DOSES.size))
        slopes[f"{name}, with errors"] = ask_slopes(list_effects()[name] + noise[0] + errors * noise[1], errors)
        print(name, slopes, flush=True)
    keep({**shares, **slopes}, args.trials, ROOT / "benchmarks" / "results" / f"{MARK}.tsv")
    command = f"python benchmarks/trend_power.py --trials {args.trials} --seed {args.seed}"
    chance = 100 * math.sqrt(LEVEL * (1 - LEVEL) / args.trials)
    head = (
        f"Commit `{at}`, `{command}`. Share (%) of {args.trials:,} simulated trials with p at most 0.05: without "
        f"effect the size (standard error {chance:.1f}), else the power. SD: between patients of one dose."
    )
    errors_words = "The same where measurement errors of 0.3, 0.6 and 1.2 SD come on top, one of each on every dose:"
    text = "\n\n".join([head, tabulate(TESTS, shares), errors_words, tabulate(SLOPES, slopes)])
    renew_document(ROOT / "docs" / "statistics.md", MARK, text)
    print(text)


if __name__ == "__main__":
    main()
