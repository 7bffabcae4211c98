"""The scanner's geometry between two visits, estimated from the bone of the skull.

Bone is what neither atrophy nor weight, posture or hydration moves.  Scalp, neck and face do: a scalp that is 1 mm
thicker makes a head 0.9 % longer if the whole head is matched, three points of gray-matter change.  So only the few
millimeters outside the intracranial mask count, where the inner table, the diploe and the outer table lie.  What the
bias correction has left out there would pass for a radial shift, because bone brightens outwards; a smooth ratio of
the two visits is therefore estimated together with the geometry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graytrace.algorithms.robust import estimate_sd
from graytrace.arrays import Image, Indices, Mask, Matrix, Vector

BONE_MM = (1.0, 5.0)  # outside the intracranial mask: clear of CSF and dura, and of most of the scalp
# "by hand" here: set while the method was written; docs/validation.md (Geometry) tells what was tried and not kept
_GAIN_ORDER = 3  # of the polynomial ratio: shading over a head, not over a bone
_ITERATIONS = 12  # by hand: a limit, convergence ends before it as a rule
_OUTLIER_SDS = 2.0  # by hand: a residual that counts half (Cauchy weights)
_CONVERGED_MM = 1e-3  # by hand: a hundredth of a percent of length moves half a head by 0.008 mm
_HEAD_MM = 80.0  # half a head: the length that polynomials and convergence refer to
_FEWEST_VOXELS = 5000  # by hand: of 2 mm, 40 ml, a small part of the shell of 1 to 10 mm
_BRIGHT, _LEAST_BRIGHT_SHARE = 0.2, 0.3  # of white matter; half of what surrounds a brain is marrow, fat or scalp
_BLOCKS = 8  # octants
AXIS_SCALES = slice(6, 9)  # of the parameters of `midway.affine_matrix`


@dataclass(frozen=True)
class SkullFit:
    """Geometry of follow-up against baseline from bone.

    Parameters
    ----------
    parameters : (12,) ndarray
        Those of `midway.affine_matrix`: rad, mm and logarithms of scales and shears.
    scale_se : float
        Standard error of the mean logarithmic scale over the octants of the head (jackknife).
    """

    parameters: Vector
    scale_se: float


Pull = Callable[[Vector], tuple[Image, Image]]
Design = Callable[[Image], Matrix]


def shows_skull(images: tuple[Image, Image], around: Mask) -> bool:
    """Whether both visits show a head around the brain, and not a skull-stripped one.

    Parameters
    ----------
    images : two (X, Y, Z) arrays
        White matter is about one.
    around : (X, Y, Z) bool
        Some millimeters outside the intracranial mask that both visits see.

    Returns
    -------
    bool
        False, too, where `around` has hardly a voxel.
    """
    if np.count_nonzero(around) < _FEWEST_VOXELS:
        return False
    return all(float((image[around] > _BRIGHT).mean()) > _LEAST_BRIGHT_SHARE for image in images)


def _polynomials(points: Matrix, order: int) -> Matrix:
    """(K, N) products of powers of coordinates (3, N) up to `order` in all."""
    powers = [(i, j, k) for i in range(order + 1) for j in range(order + 1 - i) for k in range(order + 1 - i - j)]
    return np.stack([points[0] ** i * points[1] ** j * points[2] ** k for i, j, k in powers])


def _octants(points: Matrix) -> Indices:
    """Number (N,) of the octant that each point (3, N) lies in."""
    return np.asarray((points[0] > 0) * 4 + (points[1] > 0) * 2 + (points[2] > 0))


def _jackknife(rows: Matrix, weight: Vector, residual: Vector, block: Indices) -> float:
    """Standard error of the mean of the axis scales when one block after the other is left out."""
    whole, moment = (rows * weight) @ rows.T, (rows * weight) @ residual
    found = []
    for number in range(_BLOCKS):
        part = block == number
        inner = rows[:, part] * weight[part]
        left, right = whole - inner @ rows[:, part].T, moment - inner @ residual[part]
        found.append(float(-_solve(left, right)[AXIS_SCALES].mean()))
    spread = np.asarray(found) - np.mean(found)
    return float(np.sqrt((_BLOCKS - 1) / _BLOCKS * (spread**2).sum()))


def _solve(matrix: Matrix, right: Vector) -> Vector:
    scale = np.sqrt(np.diag(matrix)) + 1e-12  # not zero; millimeters, radians and gains: solved without units
    # 1e-9 beside ones on the diagonal: what bone does not tell stays solvable
    return np.asarray(
        np.linalg.solve(matrix / np.outer(scale, scale) + 1e-9 * np.eye(len(matrix)), right / scale) / scale
    )


def fit_skull(pull: Pull, design: Design, bone: Mask, points: Matrix, parameters: Vector) -> SkullFit:
    """Gauss-Newton on the robust difference of both visits in bone, with a smooth ratio of the two.

    Parameters
    ----------
    pull : callable
        Parameters (12,) to both visits (X, Y, Z) on the midway grid, white matter about one.
    design : callable
        Image (X, Y, Z) to its change (12, X * Y * Z) with each parameter.
    bone : (X, Y, Z) bool
        Voxels that count.
    points : (3, N) ndarray
        Their coordinates about the head's center, mm.
    parameters : (12,) ndarray
        Start, close enough for bone to overlap.

    Returns
    -------
    SkullFit
        Parameters in rad, mm and logarithms of scales, and the standard error of the mean logarithmic scale.
    """
    inside = bone.ravel()
    parameters, block = parameters.copy(), _octants(points)
    shape = _polynomials(points / _HEAD_MM, _GAIN_ORDER)
    gain = np.zeros(len(shape))
    count = len(parameters)
    for _ in range(_ITERATIONS):
        baseline, followup = pull(parameters)
        mean = (baseline + followup) / 2
        rows = np.concatenate([design(mean)[:, inside], -mean.ravel()[inside] * shape])
        residual = (followup - baseline).ravel()[inside] + gain @ rows[count:]
        limit = _OUTLIER_SDS * (estimate_sd(residual) + 1e-6)  # not zero for equal images
        weight = 1 / (1 + (residual / limit) ** 2)
        step = -_solve((rows * weight) @ rows.T, (rows * weight) @ residual)
        parameters += step[:count]
        gain += step[count:]
        if np.abs(step[3:6]).max() + _HEAD_MM * np.abs(np.delete(step[:count], slice(3, 6))).max() < _CONVERGED_MM:
            break
    return SkullFit(parameters, _jackknife(rows, weight, residual, block))
