"""The structures that are told apart, and the atlas that says where each of them lies in a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from graytrace.algorithms.grids import cubic_affine
from graytrace.arrays import Affine, Fractions, Probabilities

Tissue = Literal["deep", "cortex", "white", "fluid"]
TISSUES: tuple[Tissue, ...] = ("deep", "cortex", "white", "fluid")
SPACING_MM = 2.0  # of the atlas' grid


@dataclass(frozen=True)
class Structure:
    """A structure on both sides or in the middle.

    Parameters
    ----------
    name : str
        As in the tables.
    tissue : {"deep", "cortex", "white", "fluid"}
        Of what it is made: gray matter of nuclei, other gray matter, white matter, CSF.
    left, right : int
        Numbers in label images, those of FreeSurfer; the same where there is only one.
    is_reported : bool
        Whether tables name it.
    """

    name: str
    tissue: Tissue
    left: int
    right: int
    is_reported: bool = True

    @property
    def is_paired(self) -> bool:
        """Whether there is one on each side."""
        return self.left != self.right


PAIRED = (
    Structure("Thalamus", "deep", 10, 49),
    Structure("Caudate", "deep", 11, 50),
    Structure("Putamen", "deep", 12, 51),
    Structure("Pallidum", "deep", 13, 52),
    Structure("Hippocampus", "deep", 17, 53),
    Structure("Amygdala", "deep", 18, 54),
    Structure("Accumbens", "deep", 26, 58),
    Structure("CerebralCortex", "cortex", 3, 42),
    Structure("CerebellarCortex", "cortex", 8, 47),
    Structure("LateralVentricle", "fluid", 4, 43),
    Structure("CerebralWhiteMatter", "white", 2, 41),
    Structure("CerebellarWhiteMatter", "white", 7, 46),
)
SINGLE = (
    Structure("ThirdVentricle", "fluid", 14, 14),
    Structure("FourthVentricle", "fluid", 15, 15),
    Structure("Brainstem", "white", 16, 16),
    Structure("OuterCSF", "fluid", 24, 24, is_reported=False),
)
STRUCTURES = PAIRED + SINGLE


@dataclass(frozen=True)
class Label:
    """One structure on one side: a plane of the atlas, a number of label images."""

    structure: Structure
    side: Literal["left", "right"] | None
    index: int


LABELS = (
    *(Label(s, "left", s.left) for s in PAIRED),
    *(Label(s, "right", s.right) for s in PAIRED),
    *(Label(s, None, s.left) for s in SINGLE),
)


@dataclass(frozen=True)
class Atlas:
    """Probability of each of `LABELS` on a grid in RAS mm around the middle of a head.

    Parameters
    ----------
    probability : (L, X, Y, Z) float32
        In [0, 1]; X mirrors left and right, its middle is the head's.
    """

    probability: Probabilities

    @classmethod
    def mirrored(cls, half: Probabilities) -> Atlas:
        """The atlas of both sides from one of left and single structures.

        Parameters
        ----------
        half : (16, X, Y, Z) uint8
            Probabilities of `STRUCTURES`, of which 255 is one; of pairs the left.

        Returns
        -------
        Atlas
        """
        left = np.asarray(half, dtype=np.float32) / 255
        paired = left[: len(PAIRED)]
        return cls(np.concatenate([paired, paired[:, ::-1], left[len(PAIRED) :]]))

    @property
    def grid_to_mm(self) -> Affine:
        """(4, 4) matrix of the grid's indices to mm from the middle."""
        sides = np.array(self.probability.shape[1:])
        return cubic_affine(SPACING_MM, -SPACING_MM * (sides - 1) / 2)

    def tissue(self, tissue: Tissue) -> Fractions:
        """Fraction of a tissue.

        Parameters
        ----------
        tissue : {"deep", "cortex", "white", "fluid"}

        Returns
        -------
        (X, Y, Z) float32 ndarray
        """
        return np.asarray(self.probability[members(tissue)].sum(0))


def members(tissue: Tissue) -> list[int]:
    """Places in `LABELS` of the structures of a tissue.

    Parameters
    ----------
    tissue : {"deep", "cortex", "white", "fluid"}

    Returns
    -------
    list of int
    """
    return [number for number, label in enumerate(LABELS) if label.structure.tissue == tissue]


def parts_of(structure: Structure) -> dict[str, list[int]]:
    """What of a structure is measured: either side and both, or the one in the middle.

    Parameters
    ----------
    structure : Structure

    Returns
    -------
    dict
        Name of each part to its places in `LABELS`.

    Examples
    --------
    >>> parts_of(STRUCTURES[0]), parts_of(STRUCTURES[-2])
    ({'Thalamus_left': [0], 'Thalamus_right': [12], 'Thalamus_both': [0, 12]}, {'Brainstem': [26]})
    """
    places = {label.side: n for n, label in enumerate(LABELS) if label.structure == structure}
    if not structure.is_paired:
        return {structure.name: list(places.values())}
    found = {f"{structure.name}_{side}": [place] for side, place in places.items()}
    return {**found, f"{structure.name}_both": list(places.values())}
