import numpy as np
import pytest
from scipy import ndimage

from graytrace.algorithms.raw_quality import (
    RAW_METRICS,
    count_dark_slices,
    count_gray_levels,
    count_repeated_slices,
    measure_clipped_percent,
    measure_slice_step_percent,
)

MM = np.array([2.0, 2.0, 2.0])
LIMIT_STEP, LIMIT_CLIPPED, LIMIT_LEVELS = 8, 0.5, 64  # of config.yaml


@pytest.fixture(params=[0, 1, 2])
def axis(request):
    """The axis along which slices are."""
    return request.param


@pytest.fixture
def head():
    """A ball of 12 cm with folds of two tissues and noise, in whole numbers; its mask."""
    rng = np.random.default_rng(3)
    index = np.indices((72, 72, 72)) - 35.5
    brain = (index**2).sum(0) < 30**2
    folds = ndimage.gaussian_filter(rng.normal(size=brain.shape), 2) > 0
    image = np.where(brain, np.where(folds, 700, 480), 30) + rng.normal(0, 20, brain.shape)
    return np.rint(image).clip(0), brain


def test_a_clean_head_is_within_every_limit(head):
    found = {name: measure(*head, MM) for name, measure in RAW_METRICS.items()}
    assert found["slice_step_percent"] < LIMIT_STEP / 2
    assert found["repeated_slices"] == 0
    assert found["dark_slices"] == 0
    assert found["clipped_percent"] < LIMIT_CLIPPED / 10
    assert found["gray_levels"] > 3 * LIMIT_LEVELS


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.85, 1.2])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("is_in_mask", [True, False])
def test_slices_that_are_lost_or_dimmed_are_seen(head, axis, factor, count, is_in_mask):
    image, brain = (np.moveaxis(array.copy(), axis, 0) for array in head)
    image[30 : 30 + count] *= factor
    brain[30 : 30 + count] &= is_in_mask  # no brain is found in a black slice
    step = measure_slice_step_percent(np.moveaxis(image, 0, axis), np.moveaxis(brain, 0, axis), MM)
    assert step > LIMIT_STEP


@pytest.mark.parametrize("number", [20, 36])
def test_slices_that_stand_twice_are_counted(head, axis, number):
    twice = [np.insert(array, number, array.take(number, axis), axis) for array in head]
    assert count_repeated_slices(*twice, MM) == 1
    assert measure_slice_step_percent(*twice, MM) < LIMIT_STEP


def test_slices_doubled_along_a_whole_axis_are_counted(head, axis):
    twice = [array.repeat(2, axis) for array in head]
    assert count_repeated_slices(*twice, MM) >= 28


def test_smooth_slices_are_not_repeated_ones(head):
    image, brain = head
    assert count_repeated_slices(np.rint(ndimage.gaussian_filter(image, 2)), brain, MM) == 0


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("first", [14, 45])
def test_black_slices_are_counted_wherever_they_cut_the_brain(head, axis, count, first):
    image = np.moveaxis(head[0].copy(), axis, 0)
    image[first : first + count] = 0
    assert count_dark_slices(np.moveaxis(image, 0, axis)) == count


def test_air_and_rows_of_zeros_beyond_the_head_are_no_dark_slices(head):
    image = np.pad(np.where(head[0] > 200, head[0], 0), 9)
    assert count_dark_slices(image) == 0
    assert count_dark_slices(-image) == 0
    image[2, 40, 40] = image[-4, 40, 40] = 700  # a speck in the air
    assert count_dark_slices(image) == 0


@pytest.mark.parametrize("top", [720, 600])
@pytest.mark.parametrize("factor", [1.0, 0.37])
def test_intensities_that_were_cut_off_pile_up(head, top, factor):
    image, brain = head
    assert measure_clipped_percent(factor * np.minimum(image, top), brain) > LIMIT_CLIPPED


@pytest.mark.parametrize(("levels", "is_coarse"), [(256, False), (40, True), (8, True)])
def test_few_levels_are_counted(head, levels, is_coarse):
    image, brain = head
    step = image.max() / (levels - 1)
    assert (count_gray_levels(np.rint(image / step) * step, brain) < LIMIT_LEVELS) == is_coarse


def test_without_a_brain_nothing_is_told(head):
    image, brain = head
    speck = np.zeros_like(brain)
    speck[30, 30, 30] = True
    of_the_brain = [measure for name, measure in RAW_METRICS.items() if name != "dark_slices"]
    for mask in (np.zeros_like(brain), speck):
        assert [measure(image, mask, MM) for measure in of_the_brain] == [None] * len(of_the_brain)


def test_an_image_of_zeros_is_no_error(head):
    image, brain = head
    assert measure_slice_step_percent(0 * image, brain, MM) is None
