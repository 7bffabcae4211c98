"""Is it the same head, the same way round? What shows that two images are not two T1w scans of one head.

Nothing here measures change; it says whether change can be measured. Each number is made to have a wide gap between
what pairs of one head give and what any other pair gives.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from graytrace.algorithms.grids import cubic_affine, voxel_sizes_mm
from graytrace.algorithms.midway import Visit, align_visits
from graytrace.algorithms.quality import MidwayView
from graytrace.algorithms.smoothing import gaussian
from graytrace.arrays import Image, Mask, ScalarField, Vector

Permutation: TypeAlias = NDArray[np.integer[Any]]
"""(3, 3) int: signed permutation of the axes right, front and top; one entry of 1 or -1 in each row and column."""

# "by hand" here: set while the check was written, with no comparison of values on record
_DETAIL_MM = 3.0  # by hand: sulci, which are each head's own
_GRID_MM = 2.0  # of a `MidwayView`
_COARSE_MM = 8.0  # by hand: enough to tell front from back
_COARSE_BLUR = 0.4  # by hand: sigma of the smoothing before, for a voxel of that grid, against aliasing
_CUBE_MM = 200.0  # as long as a head
_ENOUGH_VOXELS = 500  # by hand: for a correlation
_HALVED_BELOW_MM = 1.5  # halved voxels of 3 mm at most still show what aligns two heads
DOUBTFUL_SIMILARITY = 0.95  # pairs of one head have more
_AXES = ("right", "left"), ("front", "back"), ("top", "bottom")


def measure_detail_similarity(view: MidwayView) -> float | None:
    """Correlation of fine detail (finer than 3 mm) of both visits inside the skull. 1: the same scan.

    Two scans of one head differ by noise at least (0.97 to 0.99 on simulated pairs with their loss), those of two
    heads in every sulcus (0.1 to 0.25).

    Parameters
    ----------
    view : MidwayView

    Returns
    -------
    float or None
        -1 to 1; None without brain in both fields of view.
    """
    inside = view.intracranial & view.seen
    if np.count_nonzero(inside) < _ENOUGH_VOXELS:
        return None
    sigma = _DETAIL_MM / _GRID_MM / 2
    fine = [(image - gaussian(image, sigma))[inside] for image in (view.baseline, view.followup)]
    if min(float(np.ptp(values)) for values in fine) == 0:
        return None
    return float(np.corrcoef(fine[0], fine[1])[0, 1])


@dataclass(frozen=True)
class Turn:
    """How a follow-up would have to be turned to look like the baseline, and how alike they then are.

    Parameters
    ----------
    matrix : (3, 3) ndarray of int
        Signed permutation of right, front and top; the identity where it lies the right way round.
    similarity : float
        As `alignment_similarity`, after the turn.
    """

    matrix: Permutation
    similarity: float

    @property
    def is_mirror(self) -> bool:
        """Whether it makes a left hand of a right one: no way to lie in a scanner does."""
        return bool(np.linalg.det(self.matrix) < 0)

    def describe(self) -> str:
        """The turn in words."""
        words = []
        for row in range(3):
            axis = int(np.flatnonzero(self.matrix[row])[0])
            if axis != row or self.matrix[row, axis] < 0:
                words.append(f"its {_AXES[axis][int(self.matrix[row, axis] < 0)]} is {_AXES[row][0]}")
        return ", ".join(words) or "as it should be"


def find_turn(baseline: Visit, followup: Visit) -> Turn:
    """Try the 48 ways in which a header can name the axes of the follow-up, on a coarse grid; align best and mirror.

    Parameters
    ----------
    baseline, followup : Visit
        (X, Y, Z) arrays, each on its own grid.

    Returns
    -------
    Turn
        Of the follow-up.

    Raises
    ------
    ValueError
        An intracranial mask is empty.
    """
    first, second = _coarse_cube(baseline), _coarse_cube(followup)
    ranked = sorted(_turns(), key=lambda matrix: -_correlate(first, _turn_cube(second, matrix)))
    mirror = np.diag([-1, 1, 1])
    tried = [ranked[0], *([] if np.array_equal(ranked[0], mirror) else [mirror])]
    small = _halve(baseline), _halve(followup)
    found = [Turn(matrix, align_visits(small[0], _turn_visit(small[1], matrix)).correlation) for matrix in tried]
    return max(found, key=lambda turn: turn.similarity)


def _turns() -> list[Permutation]:
    """Every signed permutation of three axes."""
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            matrix = np.zeros((3, 3), dtype=int)
            for row, (axis, sign) in enumerate(zip(order, signs, strict=True)):
                matrix[row, axis] = sign
            found.append(matrix)
    return found


def _middle(visit: Visit) -> Vector:
    """Middle of the intracranial space, RAS mm; of the grid where there is none."""
    there = np.argwhere(visit.intracranial_mask)
    middle = there.mean(0) if there.size else (np.array(visit.image.shape) - 1) / 2
    return np.asarray(visit.voxel_to_ras[:3, :3] @ middle + visit.voxel_to_ras[:3, 3])


def _coarse_cube(visit: Visit) -> Image:
    """The head around its middle, along right, front and top, on a coarse grid."""
    side = int(_CUBE_MM / _COARSE_MM)
    grid = cubic_affine(_COARSE_MM, _middle(visit) - _COARSE_MM * (side - 1) / 2)
    voxel_mm = voxel_sizes_mm(visit.voxel_to_ras)
    smooth = gaussian(visit.image, _COARSE_BLUR * _COARSE_MM / voxel_mm)
    matrix = np.linalg.inv(visit.voxel_to_ras) @ grid
    return np.asarray(ndimage.affine_transform(smooth, matrix[:3, :3], matrix[:3, 3], (side,) * 3, order=1))


def _turn_cube(cube: Image, matrix: Permutation) -> Image:
    order = [int(np.flatnonzero(matrix[row])[0]) for row in range(3)]
    turned = cube.transpose(order)
    for row, axis in enumerate(order):
        if matrix[row, axis] < 0:
            turned = np.flip(turned, row)
    return turned


def _correlate(first: Image, second: Image) -> float:
    a, b = first - first.mean(), second - second.mean()
    power = float((a * a).sum() * (b * b).sum())
    return float((a * b).sum()) / np.sqrt(power) if power > 0 else -1.0


def _turn_visit(visit: Visit, matrix: Permutation) -> Visit:
    """The visit as if its header named the axes otherwise; its middle stays."""
    middle = _middle(visit)
    turn = np.eye(4)
    turn[:3, :3] = matrix
    turn[:3, 3] = middle - matrix @ middle
    return replace(visit, voxel_to_ras=turn @ visit.voxel_to_ras)


def _halve(visit: Visit) -> Visit:
    """Means of 2 x 2 x 2 voxels where these are finer than 1.5 mm: enough for the question, an eighth of the time."""
    if voxel_sizes_mm(visit.voxel_to_ras).max() > _HALVED_BELOW_MM:
        return visit
    half = [side // 2 for side in visit.image.shape]

    def mean(data: Image | Mask) -> ScalarField:
        cut = np.asarray(data, dtype=np.float32)[: 2 * half[0], : 2 * half[1], : 2 * half[2]]
        return np.asarray(cut.reshape(half[0], 2, half[1], 2, half[2], 2).mean((1, 3, 5)))

    affine = visit.voxel_to_ras.copy()
    affine[:3, 3] += affine[:3, :3] @ np.full(3, 0.5)
    affine[:3, :3] *= 2
    return Visit(mean(visit.image), affine, mean(visit.intracranial_mask) > 0.5)
