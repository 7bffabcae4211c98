from dataclasses import replace

import numpy as np
import pytest
import toyhead
from scipy import ndimage
from toyhead import affine_of, centered, places

from graytrace.algorithms.intensity import compare_contrast, even_out, match_visits
from graytrace.algorithms.slopes import steepness

SHAPE = (60, 66, 56)
NO_NUCLEI = np.zeros(SHAPE, bool)


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


def _pure(fractions) -> tuple[np.ndarray, ...]:
    return tuple(fraction > 0.95 for fraction in fractions)


def test_other_contrast_is_found_and_mixtures_stay_what_they_are():
    baseline, followup, *fractions = _two_contrasts(0.69)
    contrast = compare_contrast(baseline, followup, _pure(fractions), NO_NUCLEI, 1.6)
    # "pure" voxels hold up to 5 percent of a neighbor
    np.testing.assert_allclose(contrast.followup / contrast.baseline, [0.21 / 0.2, 0.69 / 0.66, 1], atol=0.01)
    even = [
        contrast.even_out(image, own) for image, own in ((baseline, contrast.baseline), (followup, contrast.followup))
    ]
    mixed = (fractions[1] > 0.2) & (fractions[1] < 0.8)
    before, after = (np.abs(b - a)[mixed].mean() for a, b in ((baseline, followup), even))
    assert after < 0.1 * before


def test_the_coil_is_no_contrast():
    baseline, _, *fractions = _two_contrasts(0.66)
    radius = np.linalg.norm((np.indices(SHAPE).T - (np.array(SHAPE) - 1) / 2).T, axis=0) / max(SHAPE)
    # gray matter lies further out than white: as a whole it is 0.6 % brighter against it
    shaded = (baseline * (1 + 0.05 * radius**2)).astype(np.float32)
    contrast = compare_contrast(baseline, shaded, _pure(fractions), NO_NUCLEI, 1.6)
    assert contrast.followup[1] / contrast.baseline[1] == pytest.approx(1, abs=0.002)


def test_a_contrast_fades_where_blocks_of_the_brain_disagree():
    baseline, _, *fractions = _two_contrasts(0.66)
    texture = 0.01 * np.sign(np.sin(np.indices(SHAPE).sum(0) / 6))
    followup = (baseline * (1 + texture * fractions[1])).astype(np.float32)
    contrast = compare_contrast(baseline, followup, _pure(fractions), NO_NUCLEI, 1.6)
    assert contrast.followup[1] / contrast.baseline[1] == pytest.approx(1, abs=0.002)


def test_a_contrast_grows_without_a_jump():
    found = []
    for percent in np.arange(0, 0.6, 0.1):
        baseline, followup, *fractions = _two_contrasts(0.66 * (1 + percent / 100))
        contrast = compare_contrast(baseline, followup, _pure(fractions), NO_NUCLEI, 1.6)
        found.append(100 * (contrast.followup[1] / contrast.baseline[1] - 1))
    assert np.diff(found).max() < 0.15
    assert found[-1] == pytest.approx(0.5, abs=0.1)


def test_what_a_contrast_has_left_is_found_and_added():
    baseline, followup, *fractions = _two_contrasts(0.70)  # 6 %
    whole = compare_contrast(baseline, followup, _pure(fractions), NO_NUCLEI, 1.6)
    half = replace(whole, followup=(whole.baseline + whole.followup) / 2)
    left = [half.even_out(image, own) for image, own in ((baseline, half.baseline), (followup, half.followup))]
    added = compare_contrast(*left, _pure(fractions), NO_NUCLEI, 1.6, evened=half)
    differences = [contrast.followup - contrast.baseline for contrast in (whole, added)]
    np.testing.assert_allclose(differences[1], differences[0], atol=0.003)
    assert differences[1][1] > 1.8 * (half.followup - half.baseline)[1]


def test_same_contrast_is_left_alone():
    baseline, _, *fractions = _two_contrasts(0.66)
    contrast = compare_contrast(baseline, 0.999 * baseline, _pure(fractions), NO_NUCLEI, 1.6)
    assert contrast.followup[1] / contrast.baseline[1] == pytest.approx(1, abs=1e-4)


def test_contrast_needs_all_three_tissues():
    baseline, followup, fluid, gray, white = _two_contrasts(0.69)
    assert compare_contrast(baseline, followup, _pure((0 * fluid, gray, white)), NO_NUCLEI, 1.6) is None
    # not the order of a T1w scan
    assert compare_contrast(baseline, followup, _pure((white, gray, fluid)), NO_NUCLEI, 1.6) is None


def test_cortex_and_nuclei_that_disagree_are_doubted_and_nuclei_weigh_more():
    baseline, _, *fractions = _two_contrasts(0.66)
    nuclei = np.zeros(SHAPE, bool)
    nuclei[SHAPE[0] // 2 :] = True  # one half of the gray matter: as many voxels as the other
    percent = np.where(nuclei, 0.0, -1.0)
    followup = (baseline * (1 + percent / 100 * fractions[1])).astype(np.float32)
    contrast = compare_contrast(baseline, followup, _pure(fractions), nuclei, 1.6)
    found = 100 * (contrast.followup[1] / contrast.baseline[1] - 1)
    assert found == pytest.approx(-0.2, abs=0.1)
    assert 100 * contrast.gray_se / contrast.baseline[1] > 0.38  # 0.4 by weights of 1 and 4
    moved = contrast.moved(0.01)
    assert moved.followup[1] - moved.baseline[1] == pytest.approx(contrast.followup[1] - contrast.baseline[1] + 0.01)


def test_what_darkens_beside_the_outer_surface_is_no_contrast():
    baseline, _, *fractions = _two_contrasts(0.66)
    outer = steepness(fractions[0].astype(np.float32))
    lost = 0.03 * ndimage.gaussian_filter(outer, 1.5 / 1.6)  # of cortex, seen through the point spread
    pure, followup = _pure(fractions), (baseline * (1 - lost * (fractions[1] > 0.5))).astype(np.float32)
    seems, known = (compare_contrast(baseline, followup, pure, NO_NUCLEI, 1.6, by) for by in (None, outer))
    percent = [100 * (contrast.followup[1] / contrast.baseline[1] - 1) for contrast in (seems, known)]
    assert percent[0] < -0.2
    assert percent[1] == pytest.approx(0, abs=0.05)
    # a contrast beside it is still found
    darker = compare_contrast(
        baseline, (followup * (1 - 0.01 * fractions[1])).astype(np.float32), pure, NO_NUCLEI, 1.6, outer
    )
    assert 100 * (darker.followup[1] / darker.baseline[1] - 1) == pytest.approx(-1, abs=0.15)
