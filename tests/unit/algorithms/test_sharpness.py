import numpy as np
import pytest
import toyhead
from toyhead import affine_of, centered, places

from graytrace.algorithms.sharpness import Border, blur, estimate_sharpness_difference, match_sharpness
from graytrace.algorithms.slopes import steepness

SHAPE = (90, 98, 84)


def _pair(variance: tuple[float, float, float], noise: float = 0.02, shrink_mm: float = 0.0, seed: int = 3):
    """Two registered visits with voxels of 1 mm, the second blurred by a variance along each axis and then noisy."""
    points = places(centered(affine_of("RAS", (1.0, 1.0, 1.0)), SHAPE), SHAPE)
    white, gray, _ = toyhead.fractions(points)
    rng = np.random.default_rng(seed)
    first = toyhead.intensity(points)
    second = blur(toyhead.intensity(points, shrink_mm), np.array(variance))
    images = (image + rng.normal(0, noise, SHAPE) for image in (first, second))
    return *(i.astype(np.float32) for i in images), gray.astype(np.float32), white.astype(np.float32)


def _estimate(pair) -> np.ndarray:
    inside = toyhead.masks(places(centered(affine_of("RAS", (1.0, 1.0, 1.0)), SHAPE), SHAPE))[1]
    first, second, gray, white = pair
    gm, wm = (part if isinstance(part, tuple) else (part, part) for part in (gray, white))
    fluid = [np.where(inside, 1 - g - w, 0).astype(np.float32) for g, w in zip(gm, wm, strict=True)]
    border = Border.of(gm, wm, (steepness(fluid[0]), steepness(fluid[1])), inside, 1.0)
    return estimate_sharpness_difference(first, second, border)


def test_a_wider_point_spread_is_found_along_each_axis():
    found = _estimate(_pair((0.05, 0.0, 0.15)))
    # voxels squared; a ball's border tells the sum of the axes better than each of them
    np.testing.assert_allclose(found, [0.05, 0.0, 0.15], atol=0.04)
    assert found.sum() == pytest.approx(0.2, abs=0.04)


def test_fractions_that_follow_the_noise_of_their_visit_hide_nothing():
    clean = _pair((0.1, 0.1, 0.1), noise=0.0)
    found = []
    for seed in range(4):  # the sum has a standard deviation of 0.05 at this noise
        first, second, gray, white = _pair((0.1, 0.1, 0.1), noise=0.05, seed=seed)
        own = [0.5 * (noisy - plain) for noisy, plain in zip((first, second), clean[:2], strict=True)]
        grays, whites = (
            tuple(np.clip(part + sign * noise, 0, 1).astype(np.float32) for noise in own)
            for part, sign in ((gray, -1), (white, 1))
        )
        found.append(_estimate((first, second, grays, whites)).sum())
    assert np.mean(found) == pytest.approx(0.3, abs=0.06)


def test_swapped_visits_swap_the_sign():
    first, second, gray, white = _pair((0.1, 0.1, 0.1))
    np.testing.assert_allclose(
        _estimate((first, second, gray, white)), -_estimate((second, first, gray, white)), atol=1e-6
    )


def test_lost_cortex_is_not_taken_for_blur():
    assert np.abs(_estimate(_pair((0, 0, 0), shrink_mm=0.1))).max() < 0.03


def test_cortex_that_is_lost_darkens_what_lies_within_without_seeming_blurred():
    """A real point spread carries the loss of the outer surface to the inner one of a cortex three voxels thin."""
    first, second, gray, white = _pair((0, 0, 0), noise=0.0, shrink_mm=0.15)
    spread = np.full(3, 0.3)
    found = _estimate((blur(first, spread), blur(second, spread), gray, white))
    assert abs(found.mean()) < 0.005


def test_too_little_border_says_nothing():
    nothing = np.zeros((8, 8, 8), np.float32)
    border = Border.of((nothing, nothing), (nothing, nothing), (nothing, nothing), nothing > 0, 1.0)
    found = estimate_sharpness_difference(nothing, nothing, border)
    np.testing.assert_array_equal(found, 0)


@pytest.mark.parametrize("variance", [0.01, 0.2, 0.7, 2.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_blur_damps_each_frequency_as_a_gaussian_does(variance, axis):
    shape = [1, 1, 1]
    shape[axis] = 160
    for frequency in (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4):  # radians per voxel
        wave = np.cos(frequency * np.arange(160)).reshape(shape)
        blurred = blur(wave, np.eye(3)[axis] * variance)
        assert blurred.shape == wave.shape
        damped = wave * np.exp(-variance * frequency**2 / 2)
        middle = tuple(slice(60, 100) if n > 1 else slice(None) for n in shape)  # edges are repeated, not continued
        np.testing.assert_allclose(blurred[middle], damped[middle], atol=2e-3)


@pytest.mark.parametrize("variance", [0.01, 0.2, 0.7, 2.0])
def test_blur_has_the_variance_that_was_asked_for(variance):
    place = np.arange(41) - 20
    point = np.exp(-(place**2) / (2 * 1.5**2))[None, None]  # a single voxel holds frequencies that no scan has
    blurred = blur(point, np.array([0, 0, variance]))[0, 0].astype(float)
    assert blurred.sum() / point.sum() == pytest.approx(1, abs=1e-6)
    assert (blurred * place**2).sum() / blurred.sum() == pytest.approx(1.5**2 + variance, rel=1e-4)


def test_no_blur_changes_nothing():
    image = np.random.default_rng(1).normal(size=(5, 6, 7)).astype(np.float32)
    np.testing.assert_array_equal(blur(image, np.array([0, -0.1, 0])), image)


def test_only_the_sharper_visit_is_blurred_along_its_own_axes():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 12, 12, 12)).astype(np.float32)
    turned = np.array([[0, 1.0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    matched = match_sharpness(first, second, np.array([0.2, 0, 0]), (turned, np.eye(4)))
    np.testing.assert_array_equal(matched[1], second)
    np.testing.assert_allclose(matched[0], blur(first, np.array([0, 0.2, 0])), atol=1e-6)


def test_where_slices_are_too_thick_to_tell_the_outer_surface_nothing_around_is_fitted():
    first, second, gray, white = _pair((0.1, 0.1, 0.1))
    inside = toyhead.masks(places(centered(affine_of("RAS", (1.0, 1.0, 1.0)), SHAPE), SHAPE))[1]
    border = Border.of((gray, gray), (white, white), None, inside, 1.0)
    assert len(border.others[0]) == 3
    assert estimate_sharpness_difference(first, second, border).sum() == pytest.approx(0.3, abs=0.06)
