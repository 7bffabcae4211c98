import numpy as np
import pytest

from graytrace.algorithms.grids import (
    affine_of_part,
    box_around,
    cubic_affine,
    surround_corners,
    voxel_sizes_mm,
    voxel_volume_mm3,
)

OBLIQUE = np.array([[0.8, -0.6, 0, 5], [0.6, 0.8, 0, -3], [0, 0, 2, 1], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("affine", [np.diag([1, 1, 2, 1.0]), np.diag([-1, -1, 2, 1.0]), OBLIQUE])
def test_sizes_and_volume_do_not_depend_on_how_the_axes_lie(affine):
    np.testing.assert_allclose(voxel_sizes_mm(affine), [1, 1, 2], rtol=1e-12)
    assert voxel_volume_mm3(affine) == pytest.approx(2, rel=1e-12)


def test_the_volume_of_a_sheared_voxel_is_that_of_its_determinant():
    sheared = np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    assert voxel_volume_mm3(sheared) == pytest.approx(1, rel=1e-12)
    assert voxel_sizes_mm(sheared).prod() > 1.1


def test_a_cubic_grid_reaches_both_corners():
    low, high = np.array([-3.2, 0.0, 4.5]), np.array([3.0, 0.0, 9.9])
    grid = surround_corners(low, high, 2.0)
    last = grid.voxel_to_mm @ np.array([*(side - 1 for side in grid.shape), 1])
    np.testing.assert_array_equal(grid.voxel_to_mm[:3, 3], low)
    assert (last[:3] >= high).all()
    assert (last[:3] < high + 2).all()


def test_a_cubic_affine_has_its_first_voxel_where_it_is_asked_for():
    np.testing.assert_array_equal(cubic_affine(1.5, (1, 2, 3)) @ [0, 0, 0, 1], [1, 2, 3, 1])


def test_a_box_holds_the_mask_and_its_margin_within_the_grid():
    mask = np.zeros((10, 9, 8), bool)
    mask[1, 4:6, 7] = True
    box = box_around(mask, (2.0, 1.2, 3.0))
    assert box == (slice(0, 4), slice(2, 8), slice(4, 8))
    assert mask[box].sum() == mask.sum()


def test_a_part_lies_where_it_lay():
    affine = np.array([[0.0, -2, 0, 5], [1, 0, 0, -3], [0, 0, 3, 7], [0, 0, 0, 1]])
    part = affine_of_part(affine, (slice(2, 5), slice(0, 4), slice(1, 9)))
    np.testing.assert_allclose(part @ [1, 2, 3, 1], affine @ [3, 2, 4, 1])
