from dataclasses import replace

import numpy as np
import pytest
import toyhead
from toyhead import affine_of, centered, places

from graytrace.algorithms.change import measure_change
from graytrace.algorithms.midway import MidwayAlignment
from graytrace.algorithms.precision import SHARES, budget_error
from graytrace.algorithms.sharpness import blur
from graytrace.algorithms.visits import VisitTissue
from graytrace.algorithms.volumes import tissue_volume_ml

SHAPE = (60, 66, 56)
STILL = MidwayAlignment(np.eye(4), np.eye(4), 1.0, 1.0, 1.0)


def _visit(
    shrink_mm: float,
    seed: int,
    *,
    gain: float = 500.0,
    noise: float = 0.02,
    orientation: str = "RAS",
    brighter_gray: float = 0.0,
) -> VisitTissue:
    affine = centered(affine_of(orientation, (1.6, 1.6, 1.6)), SHAPE)
    points = places(affine, SHAPE)
    white, gray, _ = toyhead.fractions(points, shrink_mm)
    rng = np.random.default_rng(seed)
    bias = np.exp(0.15 * np.cos(points[1] / 70 + seed))
    signal = toyhead.intensity(points, shrink_mm) + brighter_gray * gray
    image = gain * (signal * bias + rng.normal(0, noise, SHAPE))
    inside = toyhead.masks(points)[1]
    parts = (gray.astype(np.float32), white.astype(np.float32), (0.1 * gray).astype(np.float32))
    return VisitTissue(image.astype(np.float32), affine, *parts, inside)


def _true_change(before: VisitTissue, after: VisitTissue) -> float:
    volumes = [tissue_volume_ml(v.gm, v.voxel_to_ras) for v in (before, after)]
    return 100 * (volumes[1] / volumes[0] - 1)


def test_no_change_with_other_gain_bias_and_noise_is_none():
    change = measure_change(_visit(0, 1), _visit(0, 2, gain=1300, noise=0.03), STILL)
    # a fifth of a point on a head of 60 ml of cortex; a real one has ten times as much border to average over
    assert abs(change.gm_change_percent) < 0.2
    assert abs(change.changes["brain"]) < 0.2


def test_no_change_with_other_contrast_is_none():
    change = measure_change(_visit(0, 1), _visit(0, 2, brighter_gray=0.02), STILL)
    # without evening out the contrast, 3 percent brighter gray matter reads as a point of white matter
    assert abs(change.gm_change_percent) < 0.3
    assert abs(change.changes["wm"]) < 0.3


def test_known_loss_is_found(orientation):
    before, after = _visit(0, 1), _visit(0.1, 2, orientation=orientation)
    change = measure_change(before, after, STILL)
    true = _true_change(before, after)
    assert true < -0.5
    # a tenth of what was lost and the null's own error
    assert change.gm_change_percent == pytest.approx(true, abs=0.1 * abs(true) + 0.2)


def test_residual_term_finds_what_regularization_hides():
    # the noise of a real scan: at half of it the weight of the regularization is too small to hide anything
    before, after = _visit(0, 1, noise=0.02), _visit(0.15, 2, noise=0.02)
    change, true = measure_change(before, after, STILL), _true_change(before, after)
    assert abs(change.gm_change_percent - true) < abs(change.gm_jacobian_percent - true)


def test_swapped_visits_invert_the_ratio():
    before, after = _visit(0, 1), _visit(0.1, 2)
    there, back = measure_change(before, after, STILL), measure_change(after, before, STILL)
    ratio = (1 + there.gm_change_percent / 100) * (1 + back.gm_change_percent / 100)
    assert 100 * abs(ratio - 1) < 0.002  # points: rounding in single precision


def _standard_error(noise: float) -> float:
    change = measure_change(_visit(0, 1, noise=noise), _visit(0.1, 2, noise=noise), STILL)
    return budget_error(change.evidence["gm"], SHARES["gm"]).se


def test_standard_error_grows_with_noise():
    assert 0.05 < _standard_error(0.01) < _standard_error(0.06) < 1


def test_every_tissue_comes_with_its_evidence():
    change = measure_change(_visit(0, 1), _visit(0.1, 2), STILL)
    assert tuple(change.changes) == tuple(change.evidence) == tuple(SHARES)
    for tissue, evidence in change.evidence.items():
        assert evidence.change_percent == change.changes[tissue]
        assert evidence.noise_points > 0
        assert np.isfinite([evidence.block_points, evidence.shading_points, evidence.contrast_points]).all()


def test_a_blurred_visit_is_no_change():
    sharp, blurred = _visit(0, 1), _visit(0, 2)
    blurred = replace(blurred, image=blur(blurred.image, np.full(3, (0.45 / 1.6) ** 2)))
    change = measure_change(sharp, blurred, STILL)
    # mm^2; registration takes a part of it for shifts of borders that are a few voxels of 1.6 mm thick
    assert 0.4 * 0.45**2 < np.mean(change.sharpness_difference_mm2) < 1.2 * 0.45**2
    assert abs(change.gm_change_percent) < 0.2  # as without blur


def test_same_input_same_bits():
    visits = _visit(0, 1), _visit(0.1, 2)
    first, second = (measure_change(*visits, STILL) for _ in range(2))
    assert first.gm_change_percent == second.gm_change_percent


def test_part_outside_the_field_of_view_is_told():
    cut = _visit(0, 2)
    shifted = cut.voxel_to_ras.copy()
    shifted[2, 3] += 30
    lower = VisitTissue(
        np.roll(cut.image, -18, 2),
        shifted,
        *(np.roll(f, -18, 2) for f in (cut.gm, cut.wm, cut.subcortical_gm)),
        np.roll(cut.intracranial_mask, -18, 2),
    )
    assert measure_change(_visit(0, 1), lower, STILL).covered_percent < 99


def test_visit_without_signal_is_refused():
    dark = _visit(0, 1)
    dark = VisitTissue(
        np.zeros_like(dark.image), dark.voxel_to_ras, dark.gm, dark.wm, dark.subcortical_gm, dark.intracranial_mask
    )
    with pytest.raises(ValueError, match="no signal"):
        measure_change(_visit(0, 1), dark, STILL)
