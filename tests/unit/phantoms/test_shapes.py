import numpy as np
import pytest

from graytrace.phantoms.shapes import FAR_OUTSIDE_MM, Ellipsoid, Grid, Tube, both_sides, draw_depth, soften

VOLUME_TOLERANCE = 0.01  # of a shape drawn with soft edges on a 1 mm grid
GRID = Grid((40, 50, 60), 1.0, (-20.0, -25.0, -30.0))


def test_depth_in_a_sphere_is_exact():
    depth = draw_depth(GRID, [Ellipsoid((0, 0, 0), (10, 10, 10))])
    assert depth[20 + 4, 25, 30] == pytest.approx(6)
    assert depth[20 + 13, 25, 30] == pytest.approx(-3)


@pytest.mark.parametrize(
    ("shape", "volume_mm3"),
    [
        (Ellipsoid((1.3, -2.2, 0.4), (12, 9, 15)), 4 / 3 * np.pi * 12 * 9 * 15),
        (Tube(((0, -10, 0, 8), (0, 10, 0, 8))), np.pi * 8**2 * 20 + 4 / 3 * np.pi * 8**3),
    ],
)
def test_a_soft_shape_has_its_volume(shape, volume_mm3):
    assert soften(draw_depth(GRID, [shape]), 1.0).sum() == pytest.approx(volume_mm3, rel=VOLUME_TOLERANCE)


def test_a_tube_tapers_along_its_path():
    depth = draw_depth(GRID, [Tube(((0, -20, 0, 2), (0, 20, 0, 6)))])
    assert depth[20, 5, 30] == pytest.approx(2)
    assert depth[20, 25, 30] == pytest.approx(4)


def test_a_mirrored_shape_is_on_the_other_side():
    right, left = both_sides(Ellipsoid((12, 3, -4), (3, 4, 5)))
    odd = Grid((41, 50, 60), 1.0, (-20.0, -25.0, -30.0))
    np.testing.assert_allclose(draw_depth(odd, [right]), draw_depth(odd, [left])[::-1], atol=1e-4)


def test_beyond_the_margin_is_far_outside():
    assert draw_depth(GRID, [Ellipsoid((0, 0, 0), (3, 3, 3))], margin_mm=2.0)[0, 0, 0] == FAR_OUTSIDE_MM


def test_a_shape_outside_the_grid_draws_nothing():
    assert (draw_depth(GRID, [Ellipsoid((300, 0, 0), (3, 3, 3))]) == FAR_OUTSIDE_MM).all()


def test_the_grid_knows_where_its_voxels_are():
    grid = Grid((3, 4, 5), 2.0, (-2.0, 1.0, 7.0))
    assert (grid.voxel_to_ras @ [1, 2, 3, 1])[:3].tolist() == [0.0, 5.0, 13.0]
    assert [axis.ravel()[1] for axis in grid.axes_mm()] == [0.0, 3.0, 9.0]
