import numpy as np
from toyhead import affine_of, centered

from graytrace.algorithms.lesions import fill_lesions

SHAPE = (40, 40, 40)


def _white_matter_with_lesion():
    rng = np.random.default_rng(5)
    image = rng.normal(100, 3, SHAPE).astype(np.float32)
    image[:6] = rng.normal(20, 3, (6, 40, 40))
    image[6:12] = rng.normal(66, 3, (6, 40, 40))
    distance = np.linalg.norm(np.indices(SHAPE) - 24.0, axis=0)
    lesion = distance < 4
    image[lesion] = 66
    return image, lesion, centered(affine_of("LPS", (1.0, 1.0, 1.0)), SHAPE)


def test_lesion_looks_like_the_white_matter_around_it():
    image, lesion, affine = _white_matter_with_lesion()
    filled = fill_lesions(image, lesion, np.ones(SHAPE, bool), affine)
    assert abs(filled[lesion].mean() - 100) < 1.5
    assert 1.5 < filled[lesion].std() < 5


def test_nothing_changes_away_from_lesions():
    image, lesion, affine = _white_matter_with_lesion()
    filled = fill_lesions(image, lesion, np.ones(SHAPE, bool), affine)
    far = np.linalg.norm(np.indices(SHAPE) - 24.0, axis=0) > 6
    np.testing.assert_array_equal(filled[far], image[far])


def test_no_lesion_no_change():
    image, _, affine = _white_matter_with_lesion()
    np.testing.assert_array_equal(fill_lesions(image, np.zeros(SHAPE, bool), np.ones(SHAPE, bool), affine), image)
