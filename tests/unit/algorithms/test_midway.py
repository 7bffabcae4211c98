import numpy as np
import pytest
import toyhead
from toyhead import affine_of, centered, places

from graytrace.algorithms.midway import Visit, affine_matrix, align_visits

SHAPE = (52, 60, 50)


def similarity(parameters: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Three rotations, three translations and one logarithmic scale for all axes."""
    return affine_matrix(np.concatenate([parameters[:6], np.repeat(parameters[6], 3), np.zeros(3)]), center)


def _visit(orientation: str, parameters: np.ndarray, seed: int) -> Visit:
    """The toy head moved by a similarity, seen through a gain and a bias field of its own."""
    affine = centered(affine_of(orientation), SHAPE)
    moved = np.linalg.inv(similarity(parameters, np.zeros(3)))
    ras = places(affine, SHAPE)
    points = np.tensordot(moved[:3, :3], ras, 1) + moved[:3, 3][:, None, None, None]
    rng = np.random.default_rng(seed)
    bias = np.exp(0.1 * np.sin(ras[0] / 60 + seed))
    image = 700 * (1 + seed) * (toyhead.intensity(points) * bias + rng.normal(0, 0.01, SHAPE))
    return Visit(image.astype(np.float32), affine, toyhead.masks(points)[1])


def test_known_motion_and_scale_come_back_in_every_orientation(orientation):
    motion = np.array([0.05, -0.08, 0.1, 3.0, -4.0, 2.0, 0.004])
    still, moved = _visit("RAS", np.zeros(7), 0), _visit(orientation, motion, 1)
    found = align_visits(still, moved)
    corner = np.array([20.0, 25.0, -20.0, 1.0])
    meet = [
        found.baseline_to_midway @ corner,
        found.followup_to_midway @ similarity(motion, np.zeros(3)) @ corner,
    ]
    # a fifth of a millimeter on 2 mm voxels with noise and bias
    np.testing.assert_allclose(meet[0], meet[1], atol=0.2)
    assert found.scale == pytest.approx(np.exp(0.004), abs=1e-3)


def test_swapped_visits_swap_the_transforms():
    first, second = _visit("RAS", np.zeros(7), 0), _visit("LPS", np.array([0, 0, 0.06, 2, 0, -1, 0]), 1)
    there, back = align_visits(first, second), align_visits(second, first)
    np.testing.assert_allclose(there.baseline_to_midway, back.followup_to_midway, atol=2e-3)
    assert there.scale * back.scale == pytest.approx(1, abs=2e-4)


def test_halves_meet_in_the_middle():
    found = align_visits(_visit("RAS", np.zeros(7), 0), _visit("RAS", np.array([0, 0, 0, 4.0, 0, 0, 0]), 1))
    np.testing.assert_allclose(found.baseline_to_midway @ found.followup_to_midway, np.eye(4), atol=1e-9)
    assert found.baseline_to_midway[0, 3] == pytest.approx(2, abs=0.1)


def test_large_turn_is_found():
    turned = _visit("RAS", np.array([0, 0, np.deg2rad(18), 6, -5, 8, 0]), 1)
    found = align_visits(_visit("RAS", np.zeros(7), 0), turned)
    assert found.correlation > 0.95


def test_empty_mask_is_refused():
    visit = _visit("RAS", np.zeros(7), 0)
    empty = Visit(visit.image, visit.voxel_to_ras, np.zeros(SHAPE, bool))
    with pytest.raises(ValueError, match="baseline"):
        align_visits(empty, visit)


def test_a_thicker_scalp_is_no_scale(monkeypatch):
    thin = _visit("RAS", np.zeros(7), 0)
    monkeypatch.setattr(toyhead, "SCALP_MM", toyhead.SCALP_MM + 1.5)
    found = align_visits(thin, _visit("RAS", np.zeros(7), 1))
    # 1.5 mm on a ball of 44 mm are 3 %; what is left is a thirtieth of it, on a head half as large as a real one
    assert found.scale == pytest.approx(1, abs=1e-3)


def test_a_drift_of_one_gradient_is_found_along_its_axis():
    drift = np.array([0.0, 0.0, 0.006])
    still = _visit("RAS", np.zeros(7), 0)
    moved = _visit("RAS", np.zeros(7), 1)
    # the same voxels, but the scanner writes them 0.6 % further apart along z
    stretched = affine_matrix(np.concatenate([np.zeros(6), drift, np.zeros(3)]), np.zeros(3)) @ moved.voxel_to_ras
    found = align_visits(still, Visit(moved.image, stretched, moved.intracranial_mask))
    np.testing.assert_allclose(np.log(found.axis_scales), drift, atol=1.5e-3)
    assert found.scale_se < 1e-3


def test_without_a_skull_nothing_is_corrected_and_that_is_told():
    visits = [_visit("RAS", np.zeros(7), 0), _visit("RAS", np.array([0, 0, 0, 0, 0, 0, 0.004]), 1)]
    stripped = [Visit(v.image * v.intracranial_mask, v.voxel_to_ras, v.intracranial_mask) for v in visits]
    found = align_visits(*stripped)
    assert not found.has_skull
    assert found.scale == 1
    assert align_visits(*visits).has_skull
    assert not align_visits(stripped[0], visits[1]).has_skull
