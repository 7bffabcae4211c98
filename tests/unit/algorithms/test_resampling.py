import numpy as np
from toyhead import affine_of, centered, places

from graytrace.algorithms.resampling import resample


def test_linear_function_survives_any_orientation(orientation):
    source = centered(affine_of(orientation), (24, 24, 24))
    target = centered(affine_of("RAS", (1.5, 1.5, 1.5)), (12, 12, 12))
    weights = np.array([0.3, -0.2, 0.5])
    volume = np.tensordot(weights, places(source, (24, 24, 24)), 1)
    found = resample(volume, np.linalg.inv(source) @ target, (12, 12, 12))
    wanted = np.tensordot(weights, places(target, (12, 12, 12)), 1)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_outside_takes_the_given_value():
    shifted = np.eye(4)
    shifted[0, 3] = 10
    assert np.all(resample(np.ones((4, 4, 4)), shifted, (2, 2, 2), outside=-3) == -3)
