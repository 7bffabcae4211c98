import numpy as np
import pytest
from toyhead import affine_of, centered, masks, places

from graytrace.algorithms.headspace import surround_brain

SHAPE = (50, 54, 48)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "oblique"])
def test_the_surroundings_hold_the_brain_and_a_rim_of_two_millimeters(orientation):
    affine = centered(affine_of(orientation), SHAPE)
    brain, skull = masks(places(affine, SHAPE))
    around = surround_brain(brain, affine)
    assert around[brain].all()
    assert 1.05 < around.sum() / brain.sum() < 1.4
    assert (around & ~skull).sum() < 0.01 * around.sum()


def test_a_deep_sulcus_is_closed():
    brain = np.zeros((40, 40, 40), bool)
    brain[10:30, 10:30, 10:30] = True
    brain[18:21, 10:25, 10:30] = False
    assert surround_brain(brain, np.diag([2.0, 2, 2, 1]))[19, 14, 20]


def test_a_brain_at_the_edge_of_the_field_of_view_is_no_fault():
    brain = np.ones((6, 7, 8), bool)
    assert surround_brain(brain, np.eye(4)).all()
