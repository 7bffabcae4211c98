import numpy as np
import pytest
import toyhead
from scipy import ndimage
from toyhead import affine_of, centered, places

from graytrace.algorithms.structures import STRUCTURES
from graytrace.algorithms.tissue import segment_tissue

SHAPE = (60, 66, 56)


def _scan(orientation: str = "RAS", voxel: float = 1.6):
    """Image, affine, masks, blurred structure priors as a network would give, and true fractions."""
    affine = centered(affine_of(orientation, (voxel, voxel, voxel)), SHAPE)
    points = places(affine, SHAPE)
    white, gray, fluid = toyhead.fractions(points)
    noise = np.random.default_rng(3).normal(0, 0.03, SHAPE)
    image = 800 * (white + 0.66 * gray + 0.2 * fluid + noise)
    priors = np.zeros((len(STRUCTURES), *SHAPE), np.float32)
    for name, truth in (("white_matter", white), ("cortex", gray), ("outer_csf", fluid)):
        priors[STRUCTURES.index(name)] = ndimage.gaussian_filter(truth, 1.2)
    priors[0] = np.clip(1 - priors.sum(0), 0, 1)
    return image.astype(np.float32), affine, *toyhead.masks(points), priors, (white, gray, fluid)


@pytest.fixture(scope="module")
def segmented():
    image, affine, brain, inside, priors, truth = _scan()
    return segment_tissue(image, affine, brain, inside, priors), inside, truth


def test_fractions_sum_to_one_inside_and_to_nothing_outside(segmented):
    found, inside, _ = segmented
    total = found.gm + found.wm + found.csf
    np.testing.assert_allclose(total[inside], 1, atol=1e-5)
    assert not total[~inside].any()
    assert found.gm.min() >= 0
    assert found.gm.max() <= 1


def test_gray_matter_has_its_volume_and_place(segmented):
    found, inside, (_, gray, _) = segmented
    # the cortex of the toy head is three voxels thick: all of it borders on something else
    assert found.gm.sum() == pytest.approx(gray[inside].sum(), rel=0.05)
    a, b = found.gm > 0.5, (gray > 0.5) & inside
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.93


def test_means_are_those_of_the_tissues(segmented):
    found, _, _ = segmented
    assert found.means["cortex"] == pytest.approx(0.66, abs=0.03)
    assert found.means["csf"] == pytest.approx(0.2, abs=0.05)
    assert found.noise_sd == pytest.approx(0.03, abs=0.015)


def test_orientation_of_the_grid_does_not_matter(orientation, segmented):
    image, affine, brain, inside, priors, _ = _scan(orientation)
    found = segment_tissue(image, affine, brain, inside, priors)
    assert found.gm.sum() == pytest.approx(segmented[0].gm.sum(), rel=0.01)


def test_deep_gray_nearly_as_bright_as_white_matter_is_gray():
    image, affine, brain, inside, priors, _ = _scan()
    nucleus = np.linalg.norm(places(affine, SHAPE), axis=0) < 8
    image = np.where(nucleus, 800 * 0.82, image)
    soft = ndimage.gaussian_filter(nucleus.astype(np.float32), 1.0)
    priors = priors * (1 - soft)
    priors[STRUCTURES.index("deep_gray")] = soft
    found = segment_tissue(image.astype(np.float32), affine, brain, inside, priors)
    assert found.gm[nucleus].mean() > 0.85
    assert found.subcortical_gm[nucleus].mean() > 0.85


def test_ventricle_has_no_rim_of_gray_matter():
    image, affine, brain, inside, priors, _ = _scan()
    distance = np.linalg.norm(places(affine, SHAPE), axis=0)
    fluid = 1 / (1 + np.exp((distance - 9) / 0.8))
    image = image * (1 - fluid) + 800 * 0.2 * fluid
    blurred = ndimage.gaussian_filter(fluid, 1.2)
    priors = priors * (1 - blurred)
    priors[STRUCTURES.index("ventricles")] = blurred
    found = segment_tissue(image.astype(np.float32), affine, brain, inside, priors)
    assert found.gm[(distance > 6) & (distance < 12)].mean() < 0.05


def test_cavity_that_the_network_does_not_know_has_no_rim_of_gray_matter():
    image, affine, brain, inside, priors, _ = _scan(voxel=1.4)
    distance = np.linalg.norm(places(affine, SHAPE), axis=0)
    fluid = 1 / (1 + np.exp((distance - 9) / 0.4))
    image = image * (1 - fluid) + 800 * 0.2 * fluid
    near = ndimage.gaussian_filter((distance < 11).astype(np.float32), 1.2)
    priors = priors * (1 - near)
    for name, part in (("white_matter", 0.65), ("cortex", 0.3), ("outer_csf", 0.05)):
        priors[STRUCTURES.index(name)] += part * near
    found = segment_tissue(image.astype(np.float32), affine, brain, inside, priors)
    assert found.gm[(distance > 6) & (distance < 12)].mean() < 0.08
    assert found.csf[distance < 7].mean() > 0.95


def test_mask_too_small_for_a_brain_is_refused():
    image, affine, _, _, priors, _ = _scan()
    with pytest.raises(ValueError, match="too few"):
        segment_tissue(image, affine, np.zeros(SHAPE, bool), np.zeros(SHAPE, bool), priors)
