import numpy as np
import pytest
from toyhead import affine_of, centered

from graytrace.algorithms.lesions import (
    fill_lesions,
    list_lesion_cells,
    measure_lesion_outside_percent,
    measure_lesion_overlap_percent,
)

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


def _ball(center, radius):
    return np.linalg.norm(np.indices(SHAPE) - np.array(center)[:, None, None, None], axis=0) < radius


def _turn(degrees, shift_mm):
    angle = np.deg2rad(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = shift_mm
    return matrix


@pytest.mark.parametrize("orientation", ["RAS", "LAS", "LPS"])
def test_lesions_that_grew_lie_at_the_same_place_however_the_head_lay(orientation):
    first = _ball((14, 20, 20), 3) | _ball((28, 24, 18), 5)
    second = first | _ball((20, 30, 30), 4)
    affine = centered(affine_of(orientation, (1.0, 1.0, 1.0)), SHAPE)
    moved = _turn(7, (6, -4, 3)) @ affine
    overlap = measure_lesion_overlap_percent(
        list_lesion_cells(first, affine),
        list_lesion_cells(second, moved),
        np.eye(4),
        np.linalg.inv(_turn(7, (6, -4, 3))),
    )
    assert overlap == 100


def test_lesions_of_another_head_lie_elsewhere():
    affine = centered(affine_of("RAS", (1.0, 1.0, 1.0)), SHAPE)
    first, second = (list_lesion_cells(_ball(place, 7), affine) for place in ((12, 12, 12), (28, 28, 28)))
    assert measure_lesion_overlap_percent(first, second, np.eye(4), np.eye(4)) == 0


def test_lesions_at_one_visit_only_do_not_overlap_and_hardly_any_tell_nothing():
    affine = centered(affine_of("RAS", (1.0, 1.0, 1.0)), SHAPE)
    nothing, large, small = (list_lesion_cells(_ball((20, 20, 20), radius), affine) for radius in (0, 8, 3))
    assert nothing.shape == (0, 3)
    assert measure_lesion_overlap_percent(nothing, large, np.eye(4), np.eye(4)) == 0
    assert measure_lesion_overlap_percent(nothing, small, np.eye(4), np.eye(4)) is None


def test_the_part_of_a_mask_outside_the_brain():
    brain = _ball((20, 20, 20), 15)
    assert measure_lesion_outside_percent(_ball((20, 20, 20), 5), brain) == 0
    assert measure_lesion_outside_percent(~brain, brain) == 100
    assert measure_lesion_outside_percent(np.zeros(SHAPE, bool), brain) is None
