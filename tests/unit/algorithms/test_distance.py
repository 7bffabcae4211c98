import numpy as np
import pytest
from scipy import ndimage

from graytrace.algorithms.distance import distance_to


@pytest.mark.parametrize("voxel_mm", [(1.0, 1.0, 1.0), (0.7, 1.2, 3.0)])
def test_distances_are_those_of_scipy(voxel_mm):
    mask = np.random.default_rng(2).random((14, 17, 11)) > 0.97
    expected = ndimage.distance_transform_edt(~mask, sampling=voxel_mm)
    np.testing.assert_allclose(distance_to(mask, voxel_mm), expected, atol=1e-4)


def test_nothing_is_infinitely_far_and_everything_is_here():
    assert np.isinf(distance_to(np.zeros((4, 5, 6), bool), (1, 1, 1))).all()
    assert not distance_to(np.ones((4, 5, 6), bool), (1, 1, 1)).any()
