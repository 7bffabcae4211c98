import numpy as np

from graytrace.algorithms.grids import cubic_affine
from graytrace.algorithms.slices import surround_slices

SLICES = ((0, 0.5), (1, 0.25), (2, 0.0))


def ball():
    there = np.zeros((20, 30, 25), bool)
    there[5:15, 5:25, 5:20] = True
    return there, cubic_affine(2.0, (-20, -30, -25))


def test_a_slice_is_one_voxel_thick_and_shows_everything():
    there, affine = ball()
    for (axis, _), grid in zip(SLICES, surround_slices(there, affine, SLICES, margin_mm=4, pixels=100), strict=True):
        assert grid.shape[axis] == 1
        corner = grid.voxel_to_mm @ np.array([*(side - 1 for side in grid.shape), 1])
        others = [other for other in range(3) if other != axis]
        first, last = affine @ [5, 5, 5, 1], affine @ [14, 24, 19, 1]
        assert (grid.voxel_to_mm[others, 3] <= first[others]).all()
        assert (corner[others] >= last[others]).all()


def test_a_slice_lies_where_it_is_asked_for():
    there, affine = ball()
    grids = surround_slices(there, affine, SLICES, margin_mm=4, pixels=100)
    first, last = affine @ [5, 5, 5, 1], affine @ [14, 24, 19, 1]
    for (axis, at), grid in zip(SLICES, grids, strict=True):
        assert np.isclose(grid.voxel_to_mm[axis, 3], first[axis] + at * (last[axis] - first[axis]))


def test_nothing_to_be_seen_has_no_slices():
    there, affine = ball()
    assert surround_slices(np.zeros_like(there), affine, SLICES, margin_mm=4, pixels=100) is None
