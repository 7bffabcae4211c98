"""How much each structure changed between two visits: what the registration says of its tissue, summed over it.

Volume before and after in each voxel of midway space comes from the same deformation and the same residual as that of
the tissues (`tissue_change`); which structure a voxel belongs to is said by the labels of both visits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from graytrace.algorithms.deformation import Halves
from graytrace.algorithms.distance import nearest_label
from graytrace.algorithms.precision import (
    SHARES,
    ErrorBudget,
    Evidence,
    Shares,
    budget_error,
)
from graytrace.algorithms.scene import Scene
from graytrace.algorithms.structure_atlas import LABELS, STRUCTURES, Tissue, members, parts_of
from graytrace.algorithms.tissue_change import Reading, TissueChange, delete_a_block
from graytrace.arrays import Affine, Labels, ScalarField, Vector, VectorField

_REACH_MM = 3.0  # by hand: the edge of a structure is a mixture, which no label names
_BLOCK_MM = 10.0  # by hand: half a thalamus; texture of one tissue is hardly alike beyond
_LEAST_BLOCKS = 3
_LEAST_SHARE = 0.02  # of all that a structure has: emptier blocks count for nothing alone
_LEAST_VOXELS = 1.0
# of each tissue: what part of the evidence turns into error
_SHARES: Mapping[Tissue, Shares] = {
    "deep": SHARES["deep_gm"],
    "cortex": SHARES["cortical_gm"],
    "white": SHARES["wm"],
    # no fit: shading and sharpness are read from gray matter; fluid is measured by its border alone
    "fluid": Shares(movement=0.1, sharpness=0.2, shading=0.1, model=0.03, agreement=0.1, texture=0.15),
}
_OF_TISSUE: Mapping[Tissue, str] = {"deep": "deep_gm", "cortex": "cortical_gm", "white": "wm", "fluid": "gm"}


@dataclass(frozen=True)
class StructureChange:
    """Change of a structure between two visits.

    Parameters
    ----------
    percent : float
        Of baseline.
    budget : ErrorBudget
        Its error, percentage points.
    """

    percent: float
    budget: ErrorBudget


@dataclass(frozen=True)
class VisitStructures:
    """The structures of one visit.

    Parameters
    ----------
    labels : (X, Y, Z) uint8
        Number of the structure of each voxel, from `structure_labels`.
    voxel_to_ras : (4, 4) ndarray
        Of the labels' grid, to RAS mm.
    volumes_ml : mapping
        Name of each part to its volume, ml.
    """

    labels: Labels
    voxel_to_ras: Affine
    volumes_ml: Mapping[str, float]


@dataclass(frozen=True)
class _Sums:
    """Of each label: volume before and after, by block (L, B), and the squares of what each voxel says (L,)."""

    before: ScalarField
    after: ScalarField
    squares: Vector

    def of(self, rows: list[int]) -> tuple[Vector, Vector, float]:
        """Blocks of one structure, of one side or of both."""
        return self.before[rows].sum(0), self.after[rows].sum(0), float(self.squares[rows].sum())


def _labels_in_midway(
    visits: tuple[VisitStructures, VisitStructures], to_ras: tuple[Affine, Affine], halves: Halves
) -> Labels:
    """What both visits call a voxel of midway space; 0 where they do not agree."""
    found = [
        _nearest(visit.labels, np.linalg.inv(visit.voxel_to_ras) @ matrix, displacement)
        for visit, matrix, displacement in zip(visits, to_ras, (halves.to_baseline, halves.to_followup), strict=True)
    ]
    return np.asarray(np.where(found[0] == found[1], found[0], 0))


def _nearest(labels: Labels, grid_to_voxel: Affine, displacement: VectorField) -> Labels:
    """Labels at grid_to_voxel (x + u), 0 outside."""
    shape = displacement.shape[1:]
    axes = [
        np.arange(n, dtype=np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        for axis, n in enumerate(shape)
    ]
    places, inside = [], np.ones(shape, bool)
    moved = [axis + u for axis, u in zip(axes, displacement, strict=True)]
    for row, side in zip(np.asarray(grid_to_voxel, np.float32), labels.shape, strict=False):
        place = np.rint(row[0] * moved[0] + row[1] * moved[1] + row[2] * moved[2] + row[3]).astype(np.int32)
        inside &= (place >= 0) & (place < side)
        places.append(np.clip(place, 0, side - 1))
    return np.asarray(np.where(inside, labels[tuple(places)], 0))


def _territories(labels: Labels, rows: list[int], spacing_mm: float) -> Labels:
    """Row in `LABELS` of the nearest structure of a tissue within reach, plus one; 0 where there is none."""
    lookup = np.zeros(256, np.uint8)
    for row in rows:
        lookup[LABELS[row].index] = row + 1
    return nearest_label(lookup[labels], np.full(3, spacing_mm), _REACH_MM)


def _blocks(shape: tuple[int, ...], spacing_mm: float) -> tuple[Labels, int]:
    """(X, Y, Z) number of the block that each voxel lies in, and how many there are."""
    edge = max(round(_BLOCK_MM / spacing_mm), 1)
    counts = [-(-n // edge) for n in shape]
    x, y, z = (np.arange(n) // edge for n in shape)
    number = (x[:, None, None] * counts[1] + y[None, :, None]) * counts[2] + z[None, None, :]
    return number, int(np.prod(counts))


def _sum_over(change: TissueChange, territory: Labels, spacing_mm: float) -> _Sums:
    """Sums of a tissue's volumes over the structures of a territory."""
    held = territory > 0
    number, count = _blocks(territory.shape, spacing_mm)
    rows = territory[held].astype(np.int64) - 1
    key = rows * count + number[held]
    undone = change.undone[held] / 2

    def table(values: ScalarField) -> ScalarField:
        sums = np.bincount(key, weights=values, minlength=len(LABELS) * count).astype(np.float64)
        return np.asarray(sums.reshape(len(LABELS), count))

    return _Sums(
        table(change.before[held] - undone),
        table(change.after[held] + undone),
        np.bincount(rows, weights=change.undone[held] ** 2, minlength=len(LABELS)).astype(np.float64),
    )


def _block_se_points(before: Vector, after: Vector) -> float:
    """Standard error by what blocks say differently; not a number where there are too few."""
    kept = before > _LEAST_SHARE * before.sum()
    return delete_a_block(before[kept], after[kept]) if np.count_nonzero(kept) >= _LEAST_BLOCKS else float("nan")


def _plain_differences(visits: tuple[VisitStructures, VisitStructures]) -> dict[str, float]:
    """Change of each part by its two volumes alone, percent of baseline."""
    before, after = (visit.volumes_ml for visit in visits)
    return {name: 100 * (after[name] / before[name] - 1) for name in before if before[name] > 0 and name in after}


def change_structures(
    scene: Scene,
    halves: Halves,
    reading: Reading,
    changes: Mapping[str, TissueChange],
    evidence: Mapping[str, Evidence],
    visits: tuple[VisitStructures, VisitStructures],
    to_ras: tuple[Affine, Affine],
) -> dict[str, StructureChange]:
    """Change of each structure between two visits.

    Parameters
    ----------
    scene : Scene
    halves : Halves
        The flow.
    reading : Reading
        What the registration says.
    changes : mapping
        TissueChange of `cortical_gm`, `deep_gm` and `wm`.
    evidence : mapping
        Of the same tissues and `gm`: what corrections did to them.
    visits : two VisitStructures
        Baseline and follow-up.
    to_ras : two (4, 4) ndarrays
        Indices of the midway grid to RAS mm of each visit, before the flow.

    Returns
    -------
    dict
        Name of each part (``Thalamus_left``, ``Thalamus_both``, ``Brainstem``) to its change, without those that are
        not there.
    """
    midway = _labels_in_midway(visits, to_ras, halves)
    differences = _plain_differences(visits)
    solid = changes["cortical_gm"].fraction + changes["deep_gm"].fraction + changes["wm"].fraction
    fluid = np.where(scene.inside, np.clip(1 - solid, 0, 1), 0).astype(np.float32)
    tissues: dict[Tissue, TissueChange] = {
        "deep": changes["deep_gm"],
        "cortex": changes["cortical_gm"],
        "white": changes["wm"],
        "fluid": reading.tissue(fluid),
    }
    found: dict[str, StructureChange] = {}
    for tissue, change in tissues.items():
        territory = _territories(midway, members(tissue), scene.spacing)
        sums = _sum_over(change, territory, scene.spacing)
        for structure in STRUCTURES:
            if structure.tissue == tissue and structure.is_reported:
                for name, rows in parts_of(structure).items():
                    one = _one_change(sums.of(rows), tissue, evidence, differences.get(name))
                    if one is not None:
                        found[name] = one
    return found


def _one_change(
    sums: tuple[Vector, Vector, float],
    tissue: Tissue,
    evidence: Mapping[str, Evidence],
    difference_percent: float | None,
) -> StructureChange | None:
    before, after, squares = sums
    if before.sum() < _LEAST_VOXELS or after.sum() < _LEAST_VOXELS:
        return None
    percent = 100 * (float(after.sum()) / float(before.sum()) - 1)
    whole = evidence[_OF_TISSUE[tissue]]
    own = Evidence(
        change_percent=percent,
        # each voxel's residual part is noise of its own size (White 1980, https://doi.org/10.2307/1912934)
        noise_points=100 * float(np.sqrt(squares)) / float(before.sum()),
        block_points=_block_se_points(before, after),
        scale_se_percent=whole.scale_se_percent,
        movement_points=whole.movement_points,
        sharpness_points=whole.sharpness_points,
        shading_points=whole.shading_points,
        contrast_points=whole.contrast_points,
        difference_percent=percent if difference_percent is None else difference_percent,
        longest_voxel_mm=whole.longest_voxel_mm,
    )
    return StructureChange(percent, budget_error(own, _SHARES[tissue]))
