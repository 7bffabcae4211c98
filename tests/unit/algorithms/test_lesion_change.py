"""Lesions of two visits: the same region for both, each lesion named by what became of it, however the heads lay."""

import numpy as np
import pytest
from toyhead import affine_of, centered

from graytrace.algorithms.lesion_change import compare_lesions, join_lesions, name_kind

SHAPE = (56, 56, 56)
STILL = np.eye(4)


def ball(center, radius):
    return np.linalg.norm(np.indices(SHAPE) - np.array(center)[:, None, None, None], axis=0) < radius


def turn(degrees, shift_mm):
    angle = np.deg2rad(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = shift_mm
    return matrix


BEFORE = ball((14, 14, 14), 4) | ball((40, 40, 40), 3) | ball((14, 40, 14), 4) | ball((40, 14, 40), 5)
AFTER = ball((14, 14, 14), 4) | ball((40, 40, 40), 5) | ball((40, 40, 14), 3) | ball((40, 14, 40), 3.5)
KINDS = ["enlarging", "new", "shrinking", "stable", "vanished"]


@pytest.mark.parametrize("orientation", ["RAS", "LAS", "LPS"])
def test_each_lesion_has_its_kind_however_the_head_lay(orientation):
    affine = centered(affine_of(orientation, (1.0, 1.0, 1.0)), SHAPE)
    moved = turn(6, (5, -3, 2))
    found = compare_lesions(BEFORE, AFTER, affine, moved @ affine, STILL, np.linalg.inv(moved))
    assert sorted(one.kind for one in found) == KINDS
    sizes = [max(one.baseline_ml, one.followup_ml) for one in found]
    assert sizes == sorted(sizes, reverse=True)


def test_volume_and_center_are_those_of_the_lesion_in_the_baseline_scan():
    affine = centered(affine_of("LPS", (1.0, 1.0, 1.0)), SHAPE)
    (found,) = compare_lesions(ball((14, 20, 30), 4), ball((14, 20, 30), 4), affine, affine, STILL, STILL)
    assert found.center_mm == pytest.approx(tuple(affine[:3, :3] @ [14, 20, 30] + affine[:3, 3]), abs=0.1)
    assert found.baseline_ml == pytest.approx(ball((14, 20, 30), 4).sum() / 1000)


def test_swapped_visits_swap_the_kinds():
    swapped = compare_lesions(AFTER, BEFORE, STILL, STILL, STILL, STILL)
    kinds = {"new": "vanished", "vanished": "new", "enlarging": "shrinking", "shrinking": "enlarging"}
    forward = compare_lesions(BEFORE, AFTER, STILL, STILL, STILL, STILL)
    assert sorted(kinds.get(one.kind, one.kind) for one in swapped) == sorted(one.kind for one in forward)


def test_what_is_shorter_than_three_millimeters_is_no_lesion():
    speck, rod = np.zeros((2, *SHAPE), bool)
    speck[20:22, 20:22, 20] = True
    rod[20:23, 30, 30] = True
    found = compare_lesions(speck | rod, speck | rod, STILL, STILL, STILL, STILL)
    assert [one.baseline_ml for one in found] == [pytest.approx(0.003)]


def test_a_new_lesion_beside_an_old_one_enlarges_it():
    old, new = ball((20, 20, 20), 4), ball((27, 20, 20), 4)
    assert [one.kind for one in compare_lesions(old, old | new, STILL, STILL, STILL, STILL)] == ["enlarging"]


def test_without_a_lesion_there_is_none():
    assert compare_lesions(np.zeros(SHAPE, bool), np.zeros(SHAPE, bool), STILL, STILL, STILL, STILL) == []


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (0.010, 0.0149, "stable"),  # below the ratio
        (0.004, 0.0065, "stable"),  # beyond it, but a rim of 0.17 mm
        (0.100, 0.151, "stable"),  # 0.41 mm
        (0.300, 0.460, "enlarging"),
        (0.460, 0.300, "shrinking"),
    ],
)
def test_a_lesion_grows_by_a_ratio_and_by_a_rim(before, after, kind):
    assert name_kind(before, after) == kind


def test_both_visits_get_one_region():
    affine = centered(affine_of("LAS", (1.0, 1.0, 1.0)), SHAPE)
    moved = turn(6, (5, -3, 2))
    followup_to_ras = moved @ affine
    of_baseline = join_lesions(BEFORE, AFTER, affine, followup_to_ras, moved)
    of_followup = join_lesions(AFTER, BEFORE, followup_to_ras, affine, np.linalg.inv(moved))
    np.testing.assert_array_equal(of_baseline, BEFORE | AFTER)
    np.testing.assert_array_equal(of_followup, of_baseline)


def test_lesions_outside_of_the_other_field_of_view_stay_where_they_are_seen():
    far = turn(0, (500, 0, 0))
    np.testing.assert_array_equal(join_lesions(BEFORE, AFTER, STILL, STILL, far), BEFORE)
