import numpy as np
import pytest
import toyhead
from toyhead import affine_of, centered, places

from graytrace.algorithms.lesion_detection import bring_flair, find_gray_islands, find_lesions
from graytrace.algorithms.structures import STRUCTURES

SHAPE = (60, 66, 56)
WHITE, GRAY, FLUID, LESION = 60.0, 75.0, 10.0, 115.0


def _head(orientation="RAS", voxel_mm=(1.6, 1.6, 1.6), shape=SHAPE, shift_mm=(0.0, 0.0, 0.0)):
    """Affine, T1w, FLAIR, structures, brain, lesions: one deep in white matter, one as bright within the cortex."""
    affine = centered(affine_of(orientation, voxel_mm), shape)
    points = places(affine, shape) - np.array(shift_mm)[:, None, None, None]
    white, gray, fluid = toyhead.fractions(points)
    ventricle = np.linalg.norm(points, axis=0) < 6
    white, fluid = np.where(ventricle, 0, white), np.where(ventricle, 1, fluid)
    deep = np.linalg.norm(points - np.array([0, 15.0, 0])[:, None, None, None], axis=0) < 4
    cortical = (np.linalg.norm(points - np.array([0, -34.0, 0])[:, None, None, None], axis=0) < 4) & (gray > 0.5)
    flair = WHITE * white + GRAY * gray + FLUID * fluid
    flair = np.where(deep | cortical, LESION, flair) + np.random.default_rng(2).normal(0, 2, shape)
    structures = np.zeros((len(STRUCTURES), *shape), np.float32)
    for name, part in (
        ("white_matter", white),
        ("cortex", gray),
        ("ventricles", ventricle),
        ("outer_csf", np.where(ventricle, 0, fluid)),
    ):
        structures[STRUCTURES.index(name)] = part
    structures[0] = np.clip(1 - structures.sum(0), 0, 1)
    t1w = toyhead.intensity(points) * ~ventricle + 0.2 * ventricle
    return affine, t1w, flair, structures, toyhead.masks(points)[0], deep


def test_lesion_in_white_matter_is_found_and_bright_cortex_is_not():
    affine, _, flair, structures, brain, deep = _head()
    found = find_lesions(flair, structures, brain, affine)
    assert 2 * (found & deep).sum() / (found.sum() + deep.sum()) > 0.75


def test_without_lesions_nothing_is_found():
    affine, _, flair, structures, brain, deep = _head()
    assert not find_lesions(np.where(deep, WHITE, flair), structures, brain, affine).any()


def test_scan_on_which_fluid_is_bright_is_refused():
    affine, _, flair, structures, brain, _ = _head()
    with pytest.raises(ValueError, match="fluid is not dark"):
        find_lesions(200 - flair, structures, brain, affine)


def test_scan_of_another_part_is_refused():
    affine, _, flair, structures, brain, _ = _head()
    with pytest.raises(ValueError, match="does not reach"):
        find_lesions(np.zeros_like(flair), structures, brain, affine)


def test_flair_on_another_grid_and_moved_comes_to_the_scan():
    affine, t1w, still, _, brain, _ = _head()
    moved = _head("LPS", (1.6, 1.6, 3.2), (60, 66, 28), shift_mm=(3.0, -2.0, 1.5))
    found = bring_flair(moved[2], moved[0], t1w, affine)
    unmoved = bring_flair(still, affine, t1w, affine)
    assert np.corrcoef(found[brain], unmoved[brain])[0, 1] > 0.85  # 0.19 where the headers put it, 0.885 at best


def test_flair_far_away_is_an_error():
    affine, t1w, flair, *_ = _head()
    away = affine.copy()
    away[:3, 3] += 1000
    with pytest.raises(ValueError, match="in common"):
        bring_flair(flair, away, t1w, affine)


def _gray(orientation="RAS", lesion_at_mm=(0.0, 15.0, 0.0), radius_mm=4.0):
    """Affine, gray and fluid fractions with a ball of gray, structures that do not know it, brain, the ball."""
    affine, _, _, structures, brain, _ = _head(orientation)
    points = places(affine, SHAPE)
    white, gray, fluid = toyhead.fractions(points)
    ball = np.linalg.norm(points - np.array(lesion_at_mm)[:, None, None, None], axis=0) < radius_mm
    ball &= white > 0.5
    return affine, np.where(ball, 1, gray).astype(np.float32), fluid.astype(np.float32), structures, brain, ball


def test_gray_island_deep_in_white_matter_is_found(orientation):
    affine, gm, csf, structures, brain, ball = _gray(orientation)
    found = find_gray_islands(gm, csf, structures, brain, affine)
    assert 2 * (found & ball).sum() / (found.sum() + ball.sum()) > 0.95


def test_gray_that_hangs_together_with_cortex_is_no_island():
    affine, gm, csf, structures, brain, ball = _gray(lesion_at_mm=(0.0, 27.0, 0.0))
    assert ball.any()
    assert not find_gray_islands(gm, csf, structures, brain, affine).any()


def test_deep_nucleus_is_no_island():
    affine, gm, csf, structures, brain, ball = _gray(radius_mm=7.0)  # 1.4 ml, more than the network takes a lesion for
    structures[STRUCTURES.index("deep_gray")] = ball
    structures[STRUCTURES.index("white_matter")] *= ~ball
    assert ball.sum() * 1.6**3 > 1000
    assert not find_gray_islands(gm, csf, structures, brain, affine).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thick_slices_tell_nothing_of_islands(axis):
    affine, gm, csf, structures, brain, _ = _gray()
    affine[:3, axis] *= 2.4 / 1.6
    assert not find_gray_islands(gm, csf, structures, brain, affine).any()


def test_no_brain_no_islands():
    affine, gm, csf, structures, brain, _ = _gray()
    assert not find_gray_islands(gm, csf, structures, np.zeros_like(brain), affine).any()
