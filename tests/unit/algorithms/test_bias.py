import numpy as np
import pytest
import toyhead
from toyhead import affine_of, centered, places

from graytrace.algorithms.bias import correct_bias

SHAPE = (60, 66, 56)


def test_smooth_field_is_taken_out(orientation):
    affine = centered(affine_of(orientation, (1.6, 1.6, 1.6)), SHAPE)
    points = places(affine, SHAPE)
    brain, _ = toyhead.masks(points)
    white = toyhead.fractions(points)[0] > 0.98
    clean = toyhead.intensity(points)
    biased = 300 * clean * np.exp(0.5 * points[1] / 40)
    corrected = correct_bias(biased, affine, brain)

    def spread(image):
        return image[white].std() / image[white].mean()

    assert spread(biased) > 0.1
    assert spread(corrected.image) < 0.25 * spread(biased)
    assert corrected.field.dtype == np.float32


def test_same_input_same_bits():
    affine = centered(affine_of("RAS", (2.0, 2.0, 2.0)), (40, 44, 38))
    points = places(affine, (40, 44, 38))
    image, mask = toyhead.intensity(points), toyhead.masks(points)[0]
    first, second = (correct_bias(image, affine, mask).image for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_empty_mask_is_refused():
    with pytest.raises(ValueError, match="empty"):
        correct_bias(np.ones((8, 8, 8)), np.eye(4), np.zeros((8, 8, 8), bool))
