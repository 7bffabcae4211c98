import numpy as np
import pytest
from scipy import ndimage
from toyhead import affine_of, centered, fractions, intensity, masks, places

from graytrace.algorithms.head_quality import (
    measure_edge_contact_mm2,
    measure_entropy_focus,
    measure_ghosting_percent,
)
from graytrace.algorithms.quality import (
    Tissues,
    measure_contrast_to_noise,
    measure_edge_width_mm,
    measure_face_difference_ml,
    measure_gray_white_ratio,
    measure_joint_variation,
    measure_noise_percent,
    measure_skull_residual_mm,
    view_midway,
    white_matter_intensity,
)

SHAPE = (60, 64, 58)
SIZES = np.array([2.0, 2.0, 2.0])
NOISE_PERCENT = 4.0
# a few thousand voxels of white matter, whose border voxels are not pure
NOISE_TOLERANCE_PERCENT = 0.4
# the border's own blur of 1 mm and the toy's folds add to a shift of 1 mm
SHIFT_TOLERANCE_MM = 0.25


def scan(*, noise=0.0, orientation="RAS", shift_mm=0.0, seed=1):
    """Image, white, gray and affine of the toy head; `shift_mm` moves the head to the right."""
    affine = centered(affine_of(orientation), SHAPE)
    points = places(affine, SHAPE) - np.array([shift_mm, 0, 0])[:, None, None, None]
    white, gray, _ = fractions(points)
    image = intensity(points) + noise * np.random.default_rng(seed).normal(size=SHAPE)
    return image.astype(np.float32), white, gray, affine


def tissues(image, white, gray):
    return Tissues(image / white_matter_intensity(image, white), gray, white, SIZES)


def test_noise_is_the_spread_that_was_added(orientation):
    image, white, gray, _ = scan(noise=NOISE_PERCENT / 100, orientation=orientation)
    assert measure_noise_percent(tissues(image, white, gray)) == pytest.approx(
        NOISE_PERCENT, abs=NOISE_TOLERANCE_PERCENT
    )


def test_shading_hardly_counts_as_noise():
    image, white, gray, affine = scan(noise=NOISE_PERCENT / 100)
    shading = 1 + 0.15 * places(affine, SHAPE)[0] / 30
    noise = measure_noise_percent(tissues(image * shading, white, gray))
    assert noise == pytest.approx(NOISE_PERCENT, abs=2 * NOISE_TOLERANCE_PERCENT)


def test_gain_changes_no_metric():
    image, white, gray, _ = scan(noise=0.02)
    one, two = tissues(image, white, gray), tissues(750 * image, white, gray)
    for measure in (
        measure_noise_percent,
        measure_gray_white_ratio,
        measure_joint_variation,
        measure_edge_width_mm,
    ):
        assert measure(two) == pytest.approx(measure(one), rel=1e-4)


def test_more_noise_lowers_contrast_and_raises_joint_variation():
    quiet, loud = (tissues(*scan(noise=noise)[:3]) for noise in (0.02, 0.06))
    assert measure_joint_variation(loud) > measure_joint_variation(quiet)
    contrasts = [
        measure_contrast_to_noise(measure_gray_white_ratio(one), measure_noise_percent(one)) for one in (quiet, loud)
    ]
    assert contrasts[0] > 2 * contrasts[1]


def test_blur_widens_the_border_and_noise_hardly_does():
    image, white, gray, _ = scan()
    sharp = measure_edge_width_mm(tissues(image, white, gray))
    noisy = measure_edge_width_mm(tissues(*scan(noise=0.04)[:3]))
    blurred = measure_edge_width_mm(tissues(ndimage.gaussian_filter(image, 1.0), white, gray))
    assert noisy == pytest.approx(sharp, rel=0.1)
    assert blurred > 1.2 * sharp


@pytest.fixture(scope="module")
def in_air():
    """A head in noisy air, its intracranial mask, and the way to RAS mm."""
    image, white, gray, _ = scan(noise=0.01)
    image, mask = np.abs(np.pad(image, 14)), np.pad(white + gray > 0.5, 14)
    image += 0.01 * np.abs(np.random.default_rng(2).normal(size=image.shape)).astype(np.float32)
    return image, mask, np.diag([*SIZES, 1.0])


def test_a_clean_head_has_no_ghost(in_air):
    assert abs(measure_ghosting_percent(*in_air)) < 0.2


@pytest.mark.parametrize("strength", [0.05, 0.2, 0.6])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_ghost_is_seen_however_strong(in_air, axis, strength):
    image, mask, affine = in_air
    ghost = image + strength * np.roll(image, image.shape[axis] // 2, axis=axis)
    assert measure_ghosting_percent(ghost, mask, affine) > 20 * strength


def test_ghosts_are_sought_above_the_face_whichever_way_the_scan_is_stored(in_air):
    image, mask, affine = in_air
    ghost = image + 0.1 * np.roll(image, image.shape[1] // 2, axis=1)
    as_stored = measure_ghosting_percent(ghost, mask, affine)
    turned = np.diag([1.0, 1.0, -1.0, 1.0]) @ affine
    assert measure_ghosting_percent(ghost[:, :, ::-1], mask[:, :, ::-1], turned) == pytest.approx(as_stored, rel=0.05)


def test_air_that_was_set_to_zero_tells_nothing_of_ghosts(in_air):
    image, mask, affine = in_air
    assert measure_ghosting_percent(np.where(image > 0.1, image, 0), mask, affine) is None
    assert measure_ghosting_percent(image, np.zeros_like(mask), affine) is None


def test_spread_energy_raises_the_entropy_focus():
    image, *_ = scan()
    focus = measure_entropy_focus(image)
    assert 0 < focus < measure_entropy_focus(image + 0.1 * np.roll(image, 9, axis=0)) < 1
    assert measure_entropy_focus(np.zeros((4, 4, 4))) is None


def test_contact_with_the_edge_is_an_area_in_square_millimeters():
    mask = np.zeros((10, 10, 10), bool)
    assert measure_edge_contact_mm2(mask, np.array([1, 2, 3])) == 0
    mask[4:6, 4:6, -1] = True
    assert measure_edge_contact_mm2(mask, np.array([1, 2, 3])) == 4 * 2


def test_without_tissue_nothing_is_computed():
    empty = np.zeros((8, 8, 8), np.float32)
    nothing = Tissues(empty, empty, empty, SIZES)
    assert white_matter_intensity(empty, empty) is None
    for measure in (measure_noise_percent, measure_gray_white_ratio, measure_joint_variation, measure_edge_width_mm):
        assert measure(nothing) is None
    assert measure_contrast_to_noise(None, None) is None


def midway(first, second, *, mask_affine=None):
    images = (first[0], second[0])
    inside = tuple(masks(places(one[3], SHAPE))[1] for one in (first, second))
    return view_midway(images, inside, (first[3], second[3] if mask_affine is None else mask_affine))


@pytest.mark.parametrize("shift_mm", [0.0, 1.0, 2.0])
def test_the_distance_at_the_skull_is_the_shift_that_was_left(shift_mm):
    residual = measure_skull_residual_mm(midway(scan(), scan(shift_mm=shift_mm)))
    # a shift along x has a mean square of a third of it along all borders of a ball, more in a long one
    assert residual == pytest.approx(shift_mm / np.sqrt(3), abs=SHIFT_TOLERANCE_MM * max(shift_mm, 0.2))


def test_the_distance_does_not_depend_on_how_a_scan_lies_in_memory(orientation):
    first, second = scan(shift_mm=1.0), scan(orientation=orientation)
    residual = measure_skull_residual_mm(midway(first, second))
    assert residual == pytest.approx(measure_skull_residual_mm(midway(first, scan())), abs=SHIFT_TOLERANCE_MM)


def test_a_face_cut_off_at_one_visit_is_a_volume_with_a_sign():
    whole, cut = scan(), scan()
    _, y, z = places(cut[3], SHAPE)
    removed = (y > 20) & (z < -5)
    cut = (np.where(removed, 0, cut[0]).astype(np.float32), *cut[1:])
    lost = measure_face_difference_ml(midway(whole, cut))
    assert lost > 5
    assert measure_face_difference_ml(midway(cut, whole)) == -lost
    assert measure_face_difference_ml(midway(whole, whole)) == 0
