import numpy as np
import pytest
import toyhead
from toyhead import affine_of, centered, places

from graytrace.algorithms.intensity import compare_contrast, even_out, match_visits

SHAPE = (60, 66, 56)


def test_gain_and_bias_between_visits_drop_out():
    affine = centered(affine_of("RAS", (1.6, 1.6, 1.6)), SHAPE)
    points = places(affine, SHAPE)
    clean, inside = toyhead.intensity(points), toyhead.masks(points)[1]
    baseline = (400 * clean).astype(np.float32)
    followup = (900 * clean * np.exp(0.12 * np.sin(points[2] / 40))).astype(np.float32)
    matched = match_visits(baseline, followup, inside, 1.6)
    ratio = (followup * matched.followup_gain / (baseline * matched.baseline_gain))[inside & (clean > 0.5)]
    # the field bends within the kernel of 15 mm on a head of a third of a real one's size
    assert ratio.std() < 0.02
    assert ratio.mean() == pytest.approx(1, abs=0.005)


def test_no_tissue_is_refused():
    nothing = np.zeros((8, 8, 8), np.float32)
    with pytest.raises(ValueError, match="no signal"):
        match_visits(nothing, nothing, np.ones((8, 8, 8), bool), 1.0)


def test_shading_that_is_left_is_taken_out_by_halves():
    place = np.indices((40, 40, 40))
    shading = 0.02 * np.sin(place[0] / 9)
    pure = np.random.default_rng(4).random((40, 40, 40)) > 0.4
    baseline = np.where(pure, 1.0, 0.8).astype(np.float32)
    # what is not pure changes for real and must not be taken for shading
    followup = np.where(pure, np.exp(shading), 0.5).astype(np.float32)
    factors = even_out(baseline, followup, pure, 1.6)
    left = np.log(followup * factors[1] / (baseline * factors[0]))[pure]
    assert left.std() < 0.3 * shading.std()
    np.testing.assert_allclose(factors[0] * factors[1], 1, rtol=1e-5)


def _two_contrasts(gray_of_followup: float) -> tuple[np.ndarray, ...]:
    points = places(centered(affine_of("RAS", (1.6, 1.6, 1.6)), SHAPE), SHAPE)
    white, gray, fluid = (part.astype(np.float32) for part in toyhead.fractions(points))
    baseline = white + 0.66 * gray + 0.2 * fluid
    followup = white + gray_of_followup * gray + 0.21 * fluid
    return baseline, followup, fluid, gray, white


def test_other_contrast_is_found_and_mixtures_stay_what_they_are():
    baseline, followup, *fractions = _two_contrasts(0.69)
    contrast = compare_contrast(baseline, followup, tuple(fractions))
    assert contrast.differs
    # "pure" voxels hold up to 5 percent of a neighbor
    np.testing.assert_allclose(contrast.followup / contrast.baseline, [0.21 / 0.2, 0.69 / 0.66, 1], atol=0.01)
    even = [
        contrast.even_out(image, own) for image, own in ((baseline, contrast.baseline), (followup, contrast.followup))
    ]
    mixed = (fractions[1] > 0.2) & (fractions[1] < 0.8)
    before, after = (np.abs(b - a)[mixed].mean() for a, b in ((baseline, followup), even))
    assert after < 0.1 * before


def test_same_contrast_is_left_alone():
    baseline, _, *fractions = _two_contrasts(0.66)
    assert not compare_contrast(baseline, 0.999 * baseline, tuple(fractions)).differs


def test_contrast_needs_all_three_tissues():
    baseline, followup, fluid, gray, white = _two_contrasts(0.69)
    assert compare_contrast(baseline, followup, (0 * fluid, gray, white)) is None
    assert compare_contrast(baseline, followup, (white, gray, fluid)) is None  # not the order of a T1w scan
