import numpy as np
import pytest
from scipy import ndimage

from graytrace.algorithms.distance import distance_to, nearest_label


@pytest.mark.parametrize("limit_mm", [1.2, 2.5, 6.0, 50.0])
@pytest.mark.parametrize("voxel_mm", [(1.0, 1.0, 1.0), (0.7, 1.2, 3.0), (3.0, 0.8, 0.8)])
def test_distances_are_those_of_scipy_up_to_the_limit(voxel_mm, limit_mm):
    mask = np.random.default_rng(2).random((14, 17, 11)) > 0.97
    expected = ndimage.distance_transform_edt(~mask, sampling=voxel_mm)
    expected[expected > limit_mm + 1e-5] = np.inf
    np.testing.assert_allclose(distance_to(mask, voxel_mm, limit_mm), expected, atol=1e-5)


@pytest.mark.parametrize("edge_mm", [0.1, 0.3, 0.7, 1.1])
def test_a_distance_that_is_the_limit_is_within_it(edge_mm):
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True
    found = distance_to(mask, (edge_mm, edge_mm, edge_mm), 3 * edge_mm)
    assert np.isfinite(found[[1, 7, 4, 4, 4, 4], [4, 4, 1, 7, 4, 4], [4, 4, 4, 4, 1, 7]]).all()
    assert np.isinf(found[[0, 8, 4, 4, 4, 4], [4, 4, 0, 8, 4, 4], [4, 4, 4, 4, 0, 8]]).all()


def test_nothing_is_infinitely_far_and_everything_is_here():
    assert np.isinf(distance_to(np.zeros((4, 5, 6), bool), (1, 1, 1), 5.0)).all()
    assert not distance_to(np.ones((4, 5, 6), bool), (1, 1, 1), 5.0).any()


@pytest.mark.parametrize("voxel_mm", [(1.0, 1.0, 1.0), (0.7, 1.2, 2.0)])
def test_the_nearest_label_is_that_of_scipy_up_to_the_limit(voxel_mm):
    rng = np.random.default_rng(4)
    labels = (rng.integers(1, 6, (15, 12, 13)) * (rng.random((15, 12, 13)) > 0.97)).astype(np.uint8)
    distance = ndimage.distance_transform_edt(labels == 0, sampling=voxel_mm)
    found = nearest_label(labels, voxel_mm, 3.1)
    np.testing.assert_array_equal(found > 0, distance <= 3.1)
    # of labels that are equally near any may be taken
    others = [distance_to(labels == label, voxel_mm, 3.1) for label in range(1, 6)]
    np.testing.assert_allclose(np.choose(np.maximum(found, 1) - 1, others)[found > 0], distance[found > 0], atol=1e-5)
    np.testing.assert_array_equal(found[labels > 0], labels[labels > 0])
