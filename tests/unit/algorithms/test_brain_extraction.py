import numpy as np
import pytest
import toyhead
from toyhead import affine_of, centered, places

from graytrace.algorithms.brain_extraction import (
    BrainExtraction,
    close_mask,
    largest_component,
    main_body,
    masks_from_structures,
    refine_brain,
)
from graytrace.algorithms.structures import STRUCTURES


def _ball(shape, center, radius):
    index = np.indices(shape, dtype=float)
    return np.linalg.norm(index - np.array(center, float)[:, None, None, None], axis=0) < radius


def test_largest_component_is_kept_and_its_holes_filled():
    mask = _ball((40, 40, 40), (15, 15, 15), 10) & ~_ball((40, 40, 40), (15, 15, 15), 3)
    found = largest_component(mask | _ball((40, 40, 40), (35, 35, 35), 4))
    np.testing.assert_array_equal(found, _ball((40, 40, 40), (15, 15, 15), 10))


def test_what_hangs_on_a_thin_neck_is_left():
    brain, orbit = _ball((70, 40, 40), (20, 20, 20), 15), _ball((70, 40, 40), (50, 20, 20), 9)
    bridge = np.zeros((70, 40, 40), bool)
    bridge[20:50, 19:22, 19:22] = True
    found = main_body(brain | orbit | bridge, 4.0, np.ones(3))
    assert not (found & orbit).any()
    assert (found & brain).sum() > 0.97 * brain.sum()


@pytest.mark.parametrize("slice_mm", [1.0, 3.0])
def test_closing_is_in_millimeters(slice_mm):
    voxel_mm = np.array([1.0, 1.0, slice_mm])
    mask = np.ones((30, 30, int(30 / slice_mm)), bool)
    mask[:, 14:17, 3:] = False  # a sulcus three millimeters wide
    assert close_mask(mask, 2.5, voxel_mm)[15, 15, 5]
    assert not close_mask(mask, 1.0, voxel_mm)[15, 15, 5]


def test_masks_hold_what_they_say():
    structures = np.zeros((len(STRUCTURES), 60, 60, 60), np.float32)
    inside, brain = _ball((60, 60, 60), (30, 30, 30), 27), _ball((60, 60, 60), (30, 30, 30), 24)
    structures[STRUCTURES.index("outer_csf")][inside & ~brain] = 1
    structures[STRUCTURES.index("white_matter")][brain] = 1
    structures[0][~inside] = 1
    found = masks_from_structures(structures, np.diag([2.0, 2.0, 2.0, 1.0]))
    np.testing.assert_array_equal(found.brain_mask, brain)
    np.testing.assert_array_equal(found.intracranial_mask, inside)


def test_no_brain_is_an_error_with_its_volume():
    structures = np.zeros((len(STRUCTURES), 20, 20, 20), np.float32)
    structures[0] = 1
    with pytest.raises(ValueError, match="only 0 ml"):
        masks_from_structures(structures, np.eye(4))


def test_bright_marrow_beside_the_brain_is_no_brain():
    shape = (60, 66, 56)
    affine = centered(affine_of("RAS", (1.6, 1.6, 1.6)), shape)
    points = places(affine, shape)
    white, gray, fluid = toyhead.fractions(points)
    brain, inside = toyhead.masks(points)
    marrow = inside & ~brain & (points[0] > 30)
    image = 800 * np.where(marrow, 2.0, toyhead.intensity(points))
    structures = np.zeros((len(STRUCTURES), *shape), np.float32)
    for name, truth in (("white_matter", white), ("cortex", gray), ("outer_csf", fluid)):
        structures[STRUCTURES.index(name)] = truth
    structures[0] = np.clip(1 - structures.sum(0), 0, 1)
    found = refine_brain(image, affine, structures, BrainExtraction(brain | marrow, inside))
    assert not (found.brain_mask & marrow).any()
    assert 2 * (found.brain_mask & brain).sum() / (found.brain_mask.sum() + brain.sum()) > 0.97


def test_eye_as_gray_as_cortex_and_broadly_joined_to_it_is_no_brain():
    shape = (60, 66, 56)
    affine = centered(affine_of("RAS", (1.6, 1.6, 1.6)), shape)
    points = places(affine, shape)
    eye = np.linalg.norm(points - np.array([0.0, 40.0, 0.0])[:, None, None, None], axis=0) < 9
    white, gray, fluid = toyhead.fractions(points)
    brain, inside = toyhead.masks(points)
    image = 800 * np.where(eye & ~brain, toyhead.GRAY, toyhead.intensity(points))
    structures = np.zeros((len(STRUCTURES), *shape), np.float32)
    for name, truth in (("white_matter", white), ("cortex", np.where(eye & ~brain, 1, gray)), ("outer_csf", fluid)):
        structures[STRUCTURES.index(name)] = np.where(eye & ~brain & (name != "cortex"), 0, truth)
    structures[0] = np.clip(1 - structures.sum(0), 0, 1)
    found = refine_brain(image, affine, structures, BrainExtraction(brain | eye, inside | eye))
    assert (found.brain_mask & eye & ~brain).sum() < 0.15 * (eye & ~brain).sum()
    assert (found.brain_mask & brain).sum() > 0.96 * brain.sum()
