"""Does the change follow the dose, and in which shape? Tests for few patients on some doses.

Three tests share one set of arrangements (`arrangements`): how often does chance alone, within the strata of the
design, show as much as the trial did?

- The maximum-contrast test asks for several shapes of a dose-response at once (the MCP step of MCP-Mod; Bretz, Pinheiro
  and Branson 2005, https://doi.org/10.1111/j.1541-0420.2005.00344.x). For each shape the optimal contrast of the group
  means is taken: weights go with group size times (shape minus its mean). The largest one decides, and the p of each is
  how often the largest of all is as large by chance, so that having tried several shapes costs nothing.
- Jonckheere and Terpstra's test asks whether changes rise, or fall, from dose to dose, whatever the shape
  (Jonckheere 1954, https://doi.org/10.1093/biomet/41.1-2.133).
- Spearman's rank correlation.

The published contrast test divides by the spread within groups and takes normal distributions for granted. Here each
contrast is divided by its own spread over the arrangements: no distribution is assumed, and a group of one is no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.nonparametric import jonckheere_terpstra

from graytrace.counting import too_few
from graytrace.statistics.arrangements import SEED, Arrangements, Groups
from graytrace.statistics.association import MIN_PATIENTS, RESAMPLES, Values
from graytrace.statistics.shapes import SHAPES, score_shapes

MOST_FOR_PAIRS = 100  # patients: with more the normal distribution serves Jonckheere's statistic, and pairs fill memory
_ROUNDING = 1e-9  # of the largest value, as in `association`
_PAIR_CELLS = 4_000_000
Outcomes: TypeAlias = NDArray[np.floating[Any]]
"""(T, N) float: an outcome for each of N patients in each of T trials, finite."""


@dataclass(frozen=True)
class Tested:
    """A test's statistic and its two-sided p; `least_p` is the smallest p that these numbers could have given."""

    value: float
    p: float
    least_p: float = 0.0


@dataclass(frozen=True)
class Trend:
    """What the tests say.

    Parameters
    ----------
    n : int
        Patients.
    spearman, jonckheere, max_contrast : Tested
        Rank correlation; Kendall's tau-b; the largest correlation of the outcome with a shape. Positive: outcome rises.
    shapes : mapping
        Name of a shape to its correlation and its p, adjusted for all shapes that were tried.
    left_out : mapping
        Name of a shape to why it was not tried.
    arrangements : Arrangements
    """

    n: int
    spearman: Tested
    jonckheere: Tested
    max_contrast: Tested
    shapes: Mapping[str, Tested]
    left_out: Mapping[str, str]
    arrangements: Arrangements

    @property
    def jonckheere_is_approximate(self) -> bool:
        """Whether Jonckheere's p is from the normal distribution."""
        return self.n > MOST_FOR_PAIRS

    @property
    def best_shape(self) -> str:
        """The shape with the largest contrast; of equal ones the first."""
        return min(self.shapes, key=lambda name: (self.shapes[name].p, -round(abs(self.shapes[name].value), 9)))


def find_trend(
    doses: Values,
    outcome: Values,
    *,
    strata: Groups | None = None,
    shapes: Sequence[str] = SHAPES,
    half_dose: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Trend:
    """Ask whether the outcome follows the dose, and in which shape.

    Parameters
    ----------
    doses, outcome : (N,) array-like
        Of the same patients, finite.
    strata : (N,) array-like of int, optional
        Stratum of each patient, from 0: chance gives doses within strata only, and outcomes are compared within them.
    shapes : sequence of str
        Tried by the maximum-contrast test.
    half_dose : float, optional
        See `score_shapes`.
    resamples : int
        Random arrangements, where there are too many to list.
    seed : int
        Of those.

    Returns
    -------
    Trend

    Raises
    ------
    ValueError
        Fewer than six patients, a dose or an outcome that is the same for all, or nothing that chance could have done
        otherwise within the strata.
    """
    y = np.asarray(outcome, dtype=float)
    if y.size < MIN_PATIENTS:
        raise ValueError(f"{too_few(y.size, 'patient')}: {MIN_PATIENTS} are needed")
    tests = TrendTests(doses, strata=strata, shapes=shapes, half_dose=half_dose, resamples=resamples, seed=seed)
    if tests.is_constant(y):
        raise ValueError("all patients have the same value")
    return tests.examine(y)


class TrendTests:
    """The tests for one set of doses, for any number of outcomes at once.

    Parameters
    ----------
    doses : (N,) array-like
        Finite.
    strata : (N,) array-like of int, optional
    shapes, half_dose, resamples, seed
        See `find_trend`.

    Raises
    ------
    ValueError
        A dose that is the same for all, or for all within each stratum.
    """

    def __init__(
        self,
        doses: Values,
        *,
        strata: Groups | None = None,
        shapes: Sequence[str] = SHAPES,
        half_dose: float | None = None,
        resamples: int = RESAMPLES,
        seed: int = SEED,
    ) -> None:
        doses = np.asarray(doses, dtype=float)
        if np.ptp(doses) <= _ROUNDING * np.abs(doses).max():
            raise ValueError("all patients have the same value")
        different, groups, sizes = np.unique(doses, return_inverse=True, return_counts=True)
        strata = np.zeros(doses.size, dtype=np.intp) if strata is None else np.asarray(strata)
        self.arrangements = Arrangements(groups, strata, seed=seed, resamples=resamples)
        if self.arrangements.possible == 1:
            raise ValueError("all patients of a stratum have the same value")
        scores, self.left_out = score_shapes(different, sizes, shapes=shapes, half_dose=half_dose)
        self.shapes = tuple(scores) or ("linear",)
        # a row for each shape, and the ranks as the last one; each group has one rank
        ranks = np.cumsum(sizes) - (sizes - 1) / 2
        self._scores = np.stack([*(scores.values() if scores else [different]), ranks])
        self._scores -= self._scores.mean(1, keepdims=True)
        self._scores /= np.abs(self._scores).max(1, keepdims=True)
        self._pairs = self._pairs_within_strata() if doses.size <= MOST_FOR_PAIRS else None

    def is_constant(self, y: Values) -> bool:
        """Whether an outcome is the same for all patients of each stratum, but for arithmetic.

        Parameters
        ----------
        y : (N,) ndarray
            Finite.

        Returns
        -------
        bool
        """
        return bool(np.abs(self._center(y[np.newaxis])).max() <= _ROUNDING * np.abs(y).max())

    def examine(self, outcome: Values) -> Trend:
        """All tests of one outcome.

        Parameters
        ----------
        outcome : (N,) ndarray
            Finite, not constant.

        Returns
        -------
        Trend
        """
        correlations, spearman, tau = (found[0] for found in self.statistics(outcome[np.newaxis]))
        shapes, least = self._count(outcome[np.newaxis])
        tested = {
            name: Tested(float(correlations[place]), float(shapes[0, place])) for place, name in enumerate(self.shapes)
        }
        best = min(tested.values(), key=lambda one: (one.p, -round(abs(one.value), 9)))
        names = len(self.shapes)
        return Trend(
            n=outcome.size,
            spearman=Tested(float(spearman), float(shapes[0, names]), float(least[0, 1])),
            jonckheere=Tested(float(tau), float(shapes[0, names + 1]), float(least[0, 2])),
            max_contrast=Tested(best.value, best.p, float(least[0, 0])),
            shapes=tested,
            left_out=self.left_out,
            arrangements=self.arrangements,
        )

    def p_values(self, outcomes: Outcomes) -> dict[str, Values]:
        """Two-sided p of each test in many trials with the same doses.

        Parameters
        ----------
        outcomes : (T, N) ndarray
            Finite, none constant.

        Returns
        -------
        dict of (T,) ndarray
            ``max_contrast``, ``spearman``, ``jonckheere_terpstra``, and each shape's, adjusted.
        """
        p = self._count(outcomes)[0]
        names = len(self.shapes)
        found = {name: p[:, place] for place, name in enumerate(self.shapes)}
        return found | {
            "max_contrast": p[:, :names].min(1),
            "spearman": p[:, names],
            "jonckheere_terpstra": p[:, names + 1],
        }

    def statistics(self, outcomes: Outcomes) -> tuple[Outcomes, Values, Values]:
        """Correlation with each shape, rank correlation and Kendall's tau-b, within strata.

        Parameters
        ----------
        outcomes : (T, N) ndarray
            Finite, none constant.

        Returns
        -------
        shapes : (T, M) ndarray
        spearman, tau : (T,) ndarray
            In [-1, 1]; positive: the outcome rises with the dose.
        """
        own = self.arrangements.groups[np.newaxis]
        scores = self._center(self._scores[:, self.arrangements.groups])
        length = np.sqrt((scores**2).sum(1))
        centered, ranks = self._outcomes(outcomes)
        shapes = [
            one @ centered.T / (np.where(size > 0, size, 1) * np.sqrt((centered**2).sum(1)))
            for one, size in zip(scores[:-1], length[:-1], strict=True)
        ]
        spearman = scores[-1] @ ranks.T / (length[-1] * np.sqrt((ranks**2).sum(1)))
        return np.stack(shapes, axis=1), spearman, self._tau(own, outcomes)

    def _outcomes(self, outcomes: Outcomes) -> tuple[Outcomes, Outcomes]:
        """Outcomes and their ranks without the strata's means, in a unit whose squares are numbers."""
        unit = np.abs(outcomes).max(1, keepdims=True)
        return self._center(outcomes / unit), self._center(stats.rankdata(_rounded(outcomes), axis=1))

    def _center(self, rows: Outcomes) -> Outcomes:
        centered = np.array(rows, dtype=float)
        for places in self.arrangements.members:
            centered[:, places] -= centered[:, places].mean(1, keepdims=True)
        return centered

    def _spread(self, rows: Outcomes, outcomes: Outcomes) -> Outcomes:
        """Standard deviation of scores times outcomes over the arrangements: (M, T)."""
        variance = np.zeros((len(rows), len(outcomes)))
        for places in self.arrangements.members:
            if places.size > 1:
                squares = [(part[:, places] ** 2).sum(1) for part in (rows, outcomes)]
                variance += np.outer(*squares) / (places.size - 1)
        return np.sqrt(variance)

    def _count(self, outcomes: Outcomes) -> tuple[Outcomes, Outcomes]:
        """The p of each shape, of Spearman and of Jonckheere; the least possible of the three tests."""
        centered, ranks = self._outcomes(outcomes)
        own = self._center(self._scores[:, self.arrangements.groups])
        spread = np.concatenate([self._spread(own[:-1], centered), self._spread(own[-1:], ranks)])
        spread[spread <= _ROUNDING] = np.inf  # a shape that is flat within every stratum says nothing
        observed = np.abs(self._standardized(self.arrangements.groups[np.newaxis], centered, ranks, spread))[:, 0]
        tails = [_Tail(observed[:-1]), _Tail(observed[-1:])]
        signs = self._signs(outcomes)
        if signs is not None:
            tails.append(_Tail(np.abs(self._concordance(self.arrangements.groups[np.newaxis], signs))))
        for groups in self.arrangements.blocks():
            found = np.abs(self._standardized(groups, centered, ranks, spread))
            tails[0].add(found[:-1].max(0))
            tails[1].add(found[-1])
            if signs is not None:
                tails[2].add(np.abs(self._concordance(groups, signs)))
        p = [np.vectorize(self.arrangements.p_value, otypes=[float])(tail.counts) for tail in tails]
        least = [np.vectorize(self.arrangements.p_value, otypes=[float])(tail.peak_counts) for tail in tails]
        if signs is None:
            p.append(self._approximate(outcomes)[np.newaxis])
            least.append(np.zeros(len(outcomes)))
        return np.concatenate(p).T, np.stack(least, axis=1)

    def _standardized(self, groups: Groups, centered: Outcomes, ranks: Outcomes, spread: Outcomes) -> Any:
        """Contrasts of arrangements in units of their spread: (M + 1, K, T)."""
        parts = [score[groups] @ centered.T for score in self._scores[:-1]]
        parts.append(self._scores[-1][groups] @ ranks.T)
        return np.stack(parts) / spread[:, np.newaxis]

    def _pairs_within_strata(self) -> tuple[Groups, Groups]:
        first, second = np.triu_indices(self.arrangements.groups.size, k=1)
        together = self.arrangements.strata[first] == self.arrangements.strata[second]
        return first[together], second[together]

    def _signs(self, outcomes: Outcomes) -> Any:
        """Which of two patients has the larger outcome: (pairs, T) of -1, 0, 1."""
        if self._pairs is None:
            return None
        rounded = _rounded(outcomes)
        return np.sign(rounded[:, self._pairs[1]] - rounded[:, self._pairs[0]]).astype(np.float32).T

    def _concordance(self, groups: Groups, signs: Any) -> Outcomes:
        """Jonckheere's statistic less its mean, doubled: pairs in the order of the doses less pairs against it."""
        if self._pairs is None:
            raise ValueError("pairs are not compared among so many patients")
        rows = max(1, _PAIR_CELLS // max(1, self._pairs[0].size))
        parts = [
            np.sign(part[:, self._pairs[1]] - part[:, self._pairs[0]]).astype(np.float32) @ signs
            for part in (groups[start : start + rows] for start in range(0, len(groups), rows))
        ]
        return np.concatenate(parts)

    def _tau(self, own: Groups, outcomes: Outcomes) -> Values:
        signs = self._signs(outcomes)
        if signs is None or self._pairs is None:
            found = [stats.kendalltau(own[0], one).statistic for one in _rounded(outcomes)]
            return np.array(found)
        differs = np.count_nonzero(own[0][self._pairs[1]] != own[0][self._pairs[0]])
        pairs = differs * np.count_nonzero(signs, axis=0)
        return np.asarray(self._concordance(own, signs)[0] / np.sqrt(np.maximum(pairs, 1)))

    def _approximate(self, outcomes: Outcomes) -> Values:
        """Jonckheere's two-sided p by the normal distribution, the strata's statistics and variances added."""
        found = []
        for one in _rounded(outcomes):
            total, variance = 0.0, 0.0
            for places in self.arrangements.members:
                groups, values = self.arrangements.groups[places], one[places]
                samples = [values[groups == group] for group in np.unique(groups)]
                if len(samples) > 1 and np.ptp(values) > 0:
                    result = jonckheere_terpstra(samples, alternative="two-sided")
                    total += result.concordant_minus_discordant
                    variance += 4 * result.var_null
            found.append(2 * stats.norm.sf(abs(total) / np.sqrt(variance)) if variance > 0 else 1.0)
        return np.array(found)


class _Tail:
    """Counts arrangements that show as much as was observed, and those that show most of all."""

    def __init__(self, observed: Outcomes) -> None:
        self._bar = observed - _ROUNDING * np.maximum(observed, 1)
        self.counts = np.zeros(observed.shape)
        self._peak = np.full(observed.shape[1:], -np.inf)
        self.peak_counts = np.zeros(observed.shape[1:])

    def add(self, found: Outcomes) -> None:
        self.counts += (found >= self._bar[:, np.newaxis]).sum(1)
        peak = np.maximum(self._peak, found.max(0))
        near = peak - _ROUNDING * np.maximum(peak, 1)
        self.peak_counts = np.where(self._peak >= near, self.peak_counts, 0) + (found >= near).sum(0)
        self._peak = peak


def _rounded(outcomes: Outcomes) -> Outcomes:
    """Outcomes without differences that are those of arithmetic, so that ties are ties."""
    unit = np.abs(outcomes).max(1, keepdims=True)
    return np.asarray(np.round(outcomes / unit, 12))
