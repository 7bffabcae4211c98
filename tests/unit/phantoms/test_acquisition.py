import dataclasses

import numpy as np
import pytest

from graytrace.phantoms.acquisition import ORIENTATIONS, ScanSettings, draw_coil, paint_t1w, rotation_matrix, scan_head
from graytrace.phantoms.lesions import draw_lesions

RESAMPLING_TOLERANCE = 0.005  # of a volume, from one trilinear interpolation and what a slab cuts off
QUIET = ScanSettings(noise_percent=0.0, bias_percent=0.0)


@pytest.fixture(scope="session")
def painted(coarse_head):
    return paint_t1w(coarse_head, np.zeros(coarse_head.labels.shape, np.float32), np.random.default_rng(1))


def _scan(painted, settings=QUIET, seed=1):
    coil = draw_coil(painted, np.random.default_rng(9))
    return scan_head(painted, None, coil, settings, np.random.default_rng(seed))


def _gray_ml(scan):
    return scan.true_volume_ml("cortex") + scan.true_volume_ml("deep_gray")


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("slice_mm", [None, 8.0])
def test_volume_depends_neither_on_orientation_nor_on_slices(painted, orientation, slice_mm):
    scan = _scan(painted, dataclasses.replace(QUIET, orientation=orientation, slice_mm=slice_mm))
    assert _gray_ml(scan) == pytest.approx(_gray_ml(_scan(painted)), rel=RESAMPLING_TOLERANCE)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation_changes_the_storage_not_the_place(painted, orientation):
    scan = _scan(painted, dataclasses.replace(QUIET, orientation=orientation))
    centroids = [
        (each.voxel_to_ras @ [*np.argwhere(each.brain_mask).mean(0), 1])[:3] for each in (scan, _scan(painted))
    ]
    assert np.abs(centroids[0] - centroids[1]).max() < 0.25 * painted.anatomy.voxel_mm


def test_a_stored_code_is_what_the_affine_says(painted):
    affine = _scan(painted, dataclasses.replace(QUIET, orientation="PSR")).voxel_to_ras
    np.testing.assert_allclose(np.sign(affine[:3, :3]), [[0, 0, 1], [-1, 0, 0], [0, 1, 0]])


def test_thick_slices_average_and_keep_their_place(painted):
    thick, thin = (_scan(painted, dataclasses.replace(QUIET, slice_mm=mm)) for mm in (8.0, None))
    assert np.linalg.norm(thick.voxel_to_ras[:3, :3], axis=0).tolist() == [4.0, 4.0, 8.0]
    first_two = thin.voxel_to_ras @ [0, 0, 0.5, 1]
    np.testing.assert_allclose(thick.voxel_to_ras @ [0, 0, 0, 1], first_two)
    pairs = thin.fractions["cortex"][..., : 2 * thick.t1w.shape[2]]
    np.testing.assert_allclose(thick.fractions["cortex"], (pairs[..., ::2] + pairs[..., 1::2]) / 2, atol=1e-5)


def test_scanner_drift_enlarges_the_image_and_not_the_truth(painted):
    drifted = _scan(painted, dataclasses.replace(QUIET, scale_percent=2.0))
    assert drifted.intracranial_mask.sum() > 1.03 * _scan(painted).intracranial_mask.sum()
    assert _gray_ml(drifted) == pytest.approx(_gray_ml(_scan(painted)), rel=RESAMPLING_TOLERANCE)


def test_noise_in_air_is_rayleigh(painted):
    noisy, clean = _scan(painted, dataclasses.replace(QUIET, noise_percent=3.0)), _scan(painted)
    air = np.zeros(noisy.t1w.shape, bool)
    air[:4, :, -4:] = True
    white = clean.fractions["white_matter"] > 0.99
    ratio = noisy.t1w[air].mean() / noisy.t1w[white].mean()
    air_signal, white_signal = 0.01, 1.0
    expected = np.hypot(0.03 * np.sqrt(np.pi / 2), air_signal) / white_signal
    assert ratio == pytest.approx(expected, rel=0.1)


def test_tissue_contrast_is_that_of_a_t1w_image(painted):
    scan = _scan(painted)
    signal = {
        name: np.median(scan.t1w[painted_fraction > 0.95])
        for name, painted_fraction in scan.fractions.items()
        if name != "deep_gray"
    }
    csf = scan.intracranial_mask & (sum(scan.fractions.values()) < 0.05)
    assert np.median(scan.t1w[csf]) < 0.5 * signal["cortex"]
    assert signal["cortex"] < 0.8 * signal["white_matter"]


def test_brain_lies_inside_the_skull(painted):
    scan = _scan(painted)
    assert not (scan.brain_mask & ~scan.intracranial_mask).any()


def test_a_rotation_is_proper():
    turn = rotation_matrix((10.0, -20.0, 30.0))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_lesions_are_in_white_matter_and_dark(head):
    lesions = draw_lesions(head, 8, np.random.default_rng(4))
    volume_ml = lesions.sum() * head.voxel_mm**3 / 1000
    assert 0.3 < volume_ml < 10
    assert (lesions <= head.fraction("white_matter") + 1e-6).all()
    bright, dark = (paint_t1w(head, each, np.random.default_rng(1)).signal for each in (0 * lesions, lesions))
    inside = lesions > 0.9
    assert 0.6 < (dark[inside] / bright[inside]).mean() < 0.8


def test_no_lesions_when_none_are_wanted(coarse_head):
    assert not draw_lesions(coarse_head, 0, np.random.default_rng(1)).any()
