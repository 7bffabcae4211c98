import numpy as np
import pytest
import toyhead
from toyhead import affine_of, centred, places

from pipeline.algorithms.structures import STRUCTURES, label_structures, normalize_intensities

SHAPE = (60, 66, 56)


def _threshold_network(image: np.ndarray) -> np.ndarray:
    """Stands for the network: bright is white matter, everything else is outside."""
    logits = np.zeros((1, len(STRUCTURES), *image.shape[2:]), np.float32)
    logits[0, STRUCTURES.index("white_matter")] = 20 * (image[0, 0] - 0.8)
    return logits


def test_probabilities_lie_where_the_head_lies_in_every_orientation(orientation):
    affine = centred(affine_of(orientation, (1.6, 1.6, 1.6)), SHAPE)
    points = places(affine, SHAPE)
    white = toyhead.fractions(points)[0]
    found = label_structures(white * 900 + 100 * toyhead.masks(points)[1], affine, predict=_threshold_network)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    label = found[STRUCTURES.index("white_matter")] > 0.5
    truth = white > 0.8
    # seen at 2 mm and brought back to 1.6 mm
    assert 2 * (label & truth).sum() / (label.sum() + truth.sum()) > 0.93


@pytest.mark.parametrize("unit", [1.0, 250.0, 4000.0])
def test_unit_of_the_intensities_does_not_matter(unit):
    image = np.random.default_rng(0).gamma(2.0, 1.0, (20, 20, 20))
    np.testing.assert_allclose(normalize_intensities(image * unit), normalize_intensities(image), rtol=1e-4)


def test_empty_image_stays_empty():
    assert not normalize_intensities(np.zeros((4, 4, 4))).any()
