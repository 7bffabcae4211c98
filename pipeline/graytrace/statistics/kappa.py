"""How far two readers agree beyond what chance would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.inter_rater import cohens_kappa


@dataclass(frozen=True)
class ReaderAgreement:
    """Agreement of two readers on the same patients.

    Parameters
    ----------
    patients : int
        Whom both have judged.
    alike : int
        Who got one verdict from both.
    kappa : float or None
        Cohen's kappa: 1 is perfect, 0 what chance gives; None where both used one verdict only.
    low, high : float or None
        Its 95 % interval; None where it cannot be told from these patients.
    """

    patients: int
    alike: int
    kappa: float | None = None
    low: float | None = None
    high: float | None = None


def compute_kappa(first: Sequence[str], second: Sequence[str], verdicts: Sequence[str]) -> ReaderAgreement:
    """Cohen's kappa of two readers with its 95 % interval.

    Parameters
    ----------
    first, second : sequence of str
        Verdicts on the same patients in the same order.
    verdicts : sequence of str
        All that there are.

    Returns
    -------
    ReaderAgreement

    Raises
    ------
    ValueError
        Other numbers of verdicts.

    Notes
    -----
    Unweighted kappa (Cohen 1960, https://doi.org/10.1177/001316446002000104) with the large-sample standard error of
    Fleiss, Cohen and Everitt 1969 (https://doi.org/10.1037/h0028106), as statsmodels has it. With few patients it is
    rough; where both agree on everybody it would be zero, and no interval is told.

    Examples
    --------
    >>> first, second = ["accept"] * 3 + ["reject"], ["accept"] * 2 + ["reject"] * 2
    >>> found = compute_kappa(first, second, ["accept", "reject"])
    >>> found.alike, round(found.kappa, 2), round(found.low, 2), found.high
    (3, 0.5, -0.23, 1.0)
    """
    if len(first) != len(second):
        raise ValueError(f"expected as many verdicts of both readers, got {len(first)} and {len(second)}")
    places = {verdict: place for place, verdict in enumerate(verdicts)}
    table = np.zeros((len(verdicts), len(verdicts)), dtype=int)
    for one, other in zip(first, second, strict=True):
        table[places[one], places[other]] += 1
    patients, alike = len(first), int(np.trace(table))
    if not patients or np.count_nonzero(table.sum(0) + table.sum(1)) < 2:
        return ReaderAgreement(patients, alike)
    found = cohens_kappa(table)
    if alike == patients:
        return ReaderAgreement(patients, alike, 1.0)
    low, high = max(float(found.kappa_low), -1.0), min(float(found.kappa_upp), 1.0)
    return ReaderAgreement(patients, alike, float(found.kappa), low, high)
