"""Lines between knots are numpy's."""

import numpy as np

from graytrace.algorithms.piecewise import piecewise_linear


def test_the_same_as_numpy_within_and_beyond_the_knots():
    image = np.linspace(-1, 3, 120, dtype=np.float32).reshape(4, 5, 6)
    here, there = np.array([0.0, 0.2, 0.7, 1.0, 2.0]), np.array([0.0, 0.3, 0.65, 1.0, 2.0])
    np.testing.assert_allclose(
        piecewise_linear(image, here, there), np.interp(image, here, there), rtol=1e-6, atol=1e-6
    )
