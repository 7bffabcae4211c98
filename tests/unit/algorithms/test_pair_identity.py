import numpy as np
import pytest
from toyhead import affine_of, centered, intensity, masks, places

from graytrace.algorithms import head_quality, pair_identity, same_scan
from graytrace.algorithms.midway import Visit
from graytrace.algorithms.quality import view_midway

SHAPE = (60, 64, 58)
SIZES = np.array([2.0, 2.0, 2.0])
# a ball of 31 mm has less depth than a brain, and its rim more cortex
RIM_OF_THE_TOY = 0.7
# of what surrounds the brain; real heads have 60 to 90, skull-stripped ones 0 to 3
WHOLE_PERCENT = 30.0


def visit(*, orientation="RAS", seed=1, noise=0.02, bump=0.0):
    """The toy head with noise; `bump` brightens its left front, which makes it one-sided."""
    affine = centered(affine_of(orientation), SHAPE)
    points = places(affine, SHAPE)
    x, y, z = points
    image = intensity(points)
    image = image + bump * np.exp(-((x + 15) ** 2 + (y - 12) ** 2 + (z - 8) ** 2) / 150)
    image = image + noise * np.random.default_rng(seed).normal(size=SHAPE)
    return Visit(np.maximum(image, 0).astype(np.float32), affine, masks(points)[0])


def view(first, second):
    return view_midway(
        (first.image, second.image),
        (first.intracranial_mask, second.intracranial_mask),
        (first.voxel_to_ras, second.voxel_to_ras),
    )


def samples(one, factor=1.0):
    return same_scan.sample_voxels(factor * one.image, one.voxel_to_ras)


@pytest.mark.parametrize("factor", [1.0, 1.7, 400.0])
@pytest.mark.parametrize("flip", [(), (0,), (1, 2)])
def test_the_same_voxels_are_known_again_however_they_are_written(factor, flip):
    one = visit()
    affine = one.voxel_to_ras.copy()
    for axis in flip:
        affine[:3, 3] += affine[:3, axis] * (SHAPE[axis] - 1)
        affine[:3, axis] *= -1
    again = same_scan.sample_voxels(factor * np.flip(one.image, flip), affine)
    other = samples(visit(seed=2))
    assert same_scan.find_same_voxels(np.stack([samples(one), other, again])) == [(0, 2)]


def test_levels_of_eight_bits_are_the_same_voxels_still():
    one = visit()
    levels = np.round(255 * one.image / one.image.max())
    found = np.stack([samples(one), same_scan.sample_voxels(levels, one.voxel_to_ras)])
    assert same_scan.find_same_voxels(found) == [(0, 1)]


def test_two_scans_of_a_head_that_did_not_move_are_two_scans():
    found = np.stack([samples(visit(seed=seed, noise=0.01)) for seed in range(6)])
    assert same_scan.find_same_voxels(found) == []


def test_fine_detail_is_the_same_only_in_the_same_scan():
    one = visit()
    assert pair_identity.measure_detail_similarity(view(one, one)) == pytest.approx(1, abs=1e-6)
    assert pair_identity.measure_detail_similarity(view(one, visit(seed=2))) < 0.999


@pytest.mark.parametrize(
    "matrix",
    [
        np.eye(3, dtype=int),
        np.diag([-1, 1, 1]),
        np.diag([1, -1, -1]),
    ],
)
def test_a_mirrored_or_turned_followup_is_found(matrix):
    baseline, followup = visit(bump=1.0), visit(bump=1.0, seed=2)
    turned = pair_identity._turn_visit(followup, matrix)
    found = pair_identity.find_turn(baseline, turned)
    assert found.matrix.tolist() == matrix.T.tolist()
    assert found.is_mirror is bool(np.linalg.det(matrix) < 0)
    assert found.similarity > 0.9


def test_a_scan_without_skull_has_nothing_outside(orientation):
    one = visit(orientation=orientation)
    whole = head_quality.measure_head_outside_percent(one.image, one.intracranial_mask, SIZES)
    stripped = head_quality.measure_head_outside_percent(
        one.image * one.intracranial_mask, one.intracranial_mask, SIZES
    )
    assert whole > WHOLE_PERCENT
    assert stripped == 0


def test_a_t1w_scan_is_dark_at_the_rim_and_an_inverted_one_is_not(orientation):
    one = visit(orientation=orientation)
    assert head_quality.measure_rim_ratio(one.image, one.intracranial_mask, SIZES) < RIM_OF_THE_TOY
    assert head_quality.measure_rim_ratio(1.3 - one.image, one.intracranial_mask, SIZES) > 1
