"""The coarse grid finds what the fine grid finds, but for detail."""

import numpy as np
import pytest
from scipy import ndimage

from graytrace.algorithms.coarse_registration import register_coarsely
from graytrace.algorithms.midway import MidwayAlignment
from graytrace.algorithms.scene import open_scene, register
from graytrace.algorithms.visits import VisitTissue

SHAPE = (60, 64, 58)
STILL = MidwayAlignment(np.eye(4), np.eye(4), 1.0, 1.0, 1.0)


def _visit(shift: float, voxel_mm: float) -> VisitTissue:
    """A textured ball whose right half lies `shift` voxels further to the right."""
    rng = np.random.default_rng(2)
    place = np.indices(SHAPE).astype(float)
    moved = place.copy()
    moved[0] -= shift * ndimage.gaussian_filter((place[0] > SHAPE[0] / 2).astype(float), 6)
    texture = 0.6 + 0.4 * ndimage.gaussian_filter(rng.normal(size=SHAPE), 2.5) / 0.06
    radius = np.sqrt(sum((p - n / 2) ** 2 for p, n in zip(moved, SHAPE, strict=True)))
    image = ndimage.map_coordinates(
        np.where(radius < 24, np.clip(texture, 0.2, 1), 0.1), moved, order=1, mode="nearest"
    )
    inside = radius < 26
    gm, wm = (image > 0.3) & (image < 0.7) & inside, (image >= 0.7) & inside
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    parts = (gm.astype(np.float32), wm.astype(np.float32), np.zeros(SHAPE, np.float32))
    return VisitTissue(image.astype(np.float32), affine, *parts, inside)


def test_the_coarse_flow_is_near_the_fine_one():
    opening = open_scene((_visit(0.0, 1.0), _visit(1.0, 1.0)), STILL)
    coarse = register_coarsely(opening).velocity
    fine = register(opening.scene, opening.halves, 4).velocity
    inside = ndimage.binary_erosion(opening.scene.inside, iterations=3)
    right = inside & (np.indices(inside.shape)[0] > 0.7 * inside.shape[0])
    left = inside & (np.indices(inside.shape)[0] < 0.3 * inside.shape[0])
    assert coarse[0][right].mean() == pytest.approx(1.0, abs=0.2)
    assert coarse[0][left].mean() == pytest.approx(0.0, abs=0.1)
    assert np.corrcoef(coarse[0][inside], fine[0][inside])[0, 1] > 0.9


def test_a_coarse_scan_is_not_made_coarser():
    opening = open_scene((_visit(0.0, 2.0), _visit(1.0, 2.0)), STILL)
    assert register_coarsely(opening) is opening.halves
