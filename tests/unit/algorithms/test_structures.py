import numpy as np
import pytest
import toyhead
from toyhead import affine_of, centered, places

from graytrace.algorithms.structures import STRUCTURES, label_structures, normalize_intensities

SHAPE = (60, 66, 56)


def _threshold_network(image: np.ndarray) -> np.ndarray:
    """Stands for the network: bright is white matter, everything else is outside."""
    logits = np.zeros((1, len(STRUCTURES), *image.shape[2:]), np.float32)
    logits[0, STRUCTURES.index("white_matter")] = 20 * (image[0, 0] - 0.8)
    return logits


def test_probabilities_lie_where_the_head_lies_in_every_orientation(orientation):
    affine = centered(affine_of(orientation, (1.6, 1.6, 1.6)), SHAPE)
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


def test_a_face_as_bright_as_brain_does_not_move_the_window():
    shape = (70, 80, 110)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    x, y, z = np.indices(shape) * 2.0
    brain = ((x - 70) / 55) ** 2 + ((y - 75) / 65) ** 2 + ((z - 160) / 50) ** 2 < 1
    face = ((x - 70) / 40) ** 2 + ((y - 130) / 25) ** 2 + ((z - 50) / 45) ** 2 < 1
    head = ((x - 70) / 66) ** 2 + ((y - 78) / 76) ** 2 < 1
    image = 100.0 * head * (z < 214) + 800 * (brain | face)
    seen = []

    def network(window):
        seen.append(window.shape)
        logits = np.full((1, len(STRUCTURES), *window.shape[2:]), -20, np.float32)
        logits[0, STRUCTURES.index("white_matter")] = 20 * (window[0, 0] - 0.6)
        logits[0, 0] = -logits[0, STRUCTURES.index("white_matter")]
        return logits

    found = label_structures(image, affine, predict=network)
    label = found[STRUCTURES.index("white_matter")] > 0.5
    assert (label & brain).sum() > 0.9 * brain.sum()
    # the window is the size of training: the lower half of the face is out of the picture
    assert not label[:, :, :20].any()
    assert seen[-1][2:] == (80, 96, 80)


def test_a_known_brain_spares_the_first_look():
    affine = centered(affine_of("RAS", (1.6, 1.6, 1.6)), SHAPE)
    points = places(affine, SHAPE)
    image = toyhead.fractions(points)[0] * 900 + 100 * toyhead.masks(points)[1]
    looks = []

    def network(window):
        looks.append(window.shape)
        return _threshold_network(window)

    first = label_structures(image, affine, predict=network)
    count = len(looks)
    second = label_structures(image, affine, predict=network, brain_mask=toyhead.masks(points)[0])
    assert len(looks) - count < count
    white = STRUCTURES.index("white_matter")
    assert ((first[white] > 0.5) == (second[white] > 0.5)).mean() > 0.99
