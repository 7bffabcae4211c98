"""In which other ways could chance have given the patients their doses? All of them where they can be listed.

A permutation test asks how many of these arrangements show as much as the trial did. Twelve patients on four doses have
369,600 of them, which takes no second to list; where there are too many, random ones are drawn with a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

MAX_ARRANGEMENTS = 1_000_000  # listed; 15 patients on three doses of five have 756,756
RANDOM_ARRANGEMENTS = 9_999
SEED = 20_240_229
_BLOCK_ROWS = 4_000
_BLOCK_CELLS = 2_000_000  # of one block: a few megabytes, whatever the number of patients
Groups: TypeAlias = NDArray[np.integer[Any]]
"""(N,) int from 0: the group of each patient; (K, N) for many arrangements of the patients."""


@dataclass(frozen=True)
class Arrangements:
    """The ways in which chance could have put patients into groups, within strata that chance does not cross.

    Parameters
    ----------
    groups : (N,) ndarray of int
        The group of each patient as it was, from 0.
    strata : (N,) ndarray of int
        The stratum of each patient, from 0.
    seed : int
        Of random arrangements.
    resamples : int
        How many random ones are drawn where they cannot be listed.
    most : int
        How many are listed at most.
    """

    groups: Groups
    strata: Groups
    seed: int = SEED
    resamples: int = RANDOM_ARRANGEMENTS
    most: int = MAX_ARRANGEMENTS

    @property
    def possible(self) -> int:
        """How many there are."""
        return math.prod(_count(self.groups[members]) for members in self.members)

    @property
    def is_exact(self) -> bool:
        """Whether all of them are listed."""
        return self.possible <= self.most

    @property
    def tried(self) -> int:
        """How many `blocks` gives."""
        return self.possible if self.is_exact else self.resamples

    @property
    def members(self) -> list[Groups]:
        """Places of each stratum's patients."""
        return [np.flatnonzero(self.strata == stratum) for stratum in np.unique(self.strata)]

    def p_value(self, count: float) -> float:
        """The p-value when so many of the arrangements show as much as the trial did.

        A listed arrangement is the trial's own; random ones have it added, so that no p is 0 (Phipson and Smyth 2010,
        https://doi.org/10.2202/1544-6115.1585).

        Parameters
        ----------
        count : float
            Of those that `blocks` gives.

        Returns
        -------
        float
            In (0, 1].
        """
        return float(count) / self.tried if self.is_exact else (float(count) + 1) / (self.tried + 1)

    def error(self, p: float) -> float:
        """Standard error of a p-value, which random arrangements leave; 0 where all are listed."""
        return 0.0 if self.is_exact else math.sqrt(p * (1 - p) / self.tried)

    def blocks(self) -> Iterator[Groups]:
        """Groups of the patients in every arrangement, some thousand at a time.

        Returns
        -------
        iterator of (K, N) ndarray of int
        """
        rows = max(1, min(_BLOCK_ROWS, _BLOCK_CELLS // self.groups.size))
        yield from self._listed(rows) if self.is_exact else self._drawn(rows)

    def _listed(self, rows: int) -> Iterator[Groups]:
        members = self.members
        tables = [list_arrangements(self.groups[places]) for places in members]
        for start in range(0, self.possible, rows):
            numbers = np.arange(start, min(start + rows, self.possible))
            block = np.empty((numbers.size, self.groups.size), dtype=np.intp)
            for places, table, own in zip(
                members, tables, np.unravel_index(numbers, [len(table) for table in tables]), strict=True
            ):
                block[:, places] = table[own]
            yield block

    def _drawn(self, rows: int) -> Iterator[Groups]:
        rng = np.random.default_rng(self.seed)
        for start in range(0, self.resamples, rows):
            count = min(rows, self.resamples - start)
            block = np.tile(self.groups.astype(np.intp), (count, 1))
            for places in self.members:
                block[:, places] = rng.permuted(block[:, places], axis=1)
            yield block


def _count(groups: Groups) -> int:
    sizes = np.unique(groups, return_counts=True)[1]
    return math.factorial(groups.size) // math.prod(math.factorial(int(size)) for size in sizes)


def list_arrangements(groups: Groups) -> Groups:
    """All different orders of the patients' groups.

    Parameters
    ----------
    groups : (N,) array-like of int
        The group of each patient, from 0.

    Returns
    -------
    (K, N) ndarray of int
        Sorted, each once: K is N! over the product of the factorials of the groups' sizes.

    Examples
    --------
    >>> list_arrangements([0, 1, 1]).tolist()
    [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    """
    left = np.bincount(np.asarray(groups, dtype=np.intp)).astype(np.int16)[np.newaxis]
    rows = np.empty((1, 0), dtype=np.int16)
    for _ in range(len(groups)):
        before, group = np.nonzero(left)
        rows = np.column_stack([rows[before], group.astype(np.int16)])
        left = left[before]
        left[np.arange(len(left)), group] -= 1
    return rows
