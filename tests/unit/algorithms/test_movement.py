"""A phantom's head that moved while it was scanned, its lines of k-space taken as a scanner takes them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from graytrace.algorithms.change import measure_change
from graytrace.algorithms.midway import MidwayAlignment
from graytrace.algorithms.moved_lines import LineFit, fit_lines, take_out
from graytrace.algorithms.movement import _stands_out, even_movement
from graytrace.algorithms.scene import open_scene
from graytrace.algorithms.visits import VisitTissue
from graytrace.phantoms.acquisition import ScanSettings
from graytrace.phantoms.atrophy import TissueLoss
from graytrace.phantoms.cohort import PhantomPatient, render_pair

MM = np.full(3, 2.0)
STILL = MidwayAlignment(np.eye(4), np.eye(4), 1.0, 1.0, 1.0)
AXIS = 1
# lines on either side of the center of k-space, as blocks that a movement of some seconds takes
MOVED = np.r_[9:13, 18:22, 27:31]


def _read(scan) -> VisitTissue:
    deep, white = scan.fractions["deep_gray"], scan.fractions["white_matter"]
    gray = scan.fractions["cortex"] + deep
    return VisitTissue(scan.t1w.astype(np.float32), scan.voxel_to_ras, gray, white, deep, scan.intracranial_mask)


@pytest.fixture(scope="module")
def pair():
    """Two visits that lay still, and the change that is measured between them."""
    settings = ScanSettings(noise_percent=2.0, bias_percent=0.0)
    patient = PhantomPatient("sub-P01", TissueLoss(-1.5, -1.5, 0.0), baseline=settings, followup=settings)
    rendered = render_pair(patient, voxel_mm=2.0)
    visits = _read(rendered.baseline), _read(rendered.followup)
    return visits, measure_change(*visits, STILL)


def _taken_elsewhere(image, shift_mm, lines=MOVED):
    """An image some of whose lines were taken while the head was shifted."""
    shifted = ndimage.shift(image, np.asarray(shift_mm) / MM, order=3)
    own, others = (np.fft.rfft(i, axis=AXIS) for i in (image, shifted))
    own[:, lines] = others[:, lines]
    return np.fft.irfft(own, n=image.shape[AXIS], axis=AXIS).astype(np.float32)


def _moved(visit: VisitTissue) -> VisitTissue:
    return replace(visit, image=_taken_elsewhere(visit.image, (0.6, 1.2, -0.6)))


def _window(visit):
    return ndimage.gaussian_filter(visit.intracranial_mask.astype(np.float32), 1.5)


def test_a_shift_of_some_lines_is_found_in_those_lines(pair):
    visit = pair[0][0]
    fit = fit_lines((visit.image, _taken_elsewhere(visit.image, (0, 0.3, 0))), visit.image, _window(visit), AXIS, MM)
    shift = -fit.departures()[:, 2]  # an image that moved by d gains minus d times its slope
    near = np.concatenate([MOVED + n for n in (-2, -1, 0, 1, 2)])
    elsewhere = np.setdiff1d(np.flatnonzero(fit.told), near)
    # lines are narrower than a head's window can tell apart, and a slope of voxels is less than that of a curve
    assert np.median(shift[MOVED]) == pytest.approx(0.3, abs=0.1)
    assert np.median(np.abs(shift[elsewhere])) < 0.03


def test_what_is_taken_out_leaves_the_head_where_it_was(pair):
    visit = pair[0][0]
    moved = _taken_elsewhere(visit.image, (0.2, 0.3, -0.2))
    fit = fit_lines((visit.image, moved), visit.image, _window(visit), AXIS, MM)
    corrected = take_out(moved, fit.movement(), AXIS, MM, fit.center)
    core = ndimage.binary_erosion(visit.intracranial_mask, iterations=4)
    before, after = (float(np.std((i - visit.image)[core])) for i in (moved, corrected))
    assert after < 0.4 * before


def test_lines_that_tell_nothing_are_no_movement():
    error = np.where(np.arange(6)[:, None] < 3, 0.1, np.full((6, 9), np.inf))
    fit = LineFit(np.linspace(0.05, 0.3, 6), np.zeros((6, 9)), error, MM, 2.0)
    assert not fit.movement().any()
    assert not fit.displaced_mm().any()


def test_slices_that_are_too_thick_to_tell_are_no_movement(pair):
    visit = pair[0][0]
    thick = np.array([2.0, 30.0, 2.0])
    part = (slice(None), slice(0, None, 15), slice(None))
    image, window = visit.image[part], _window(visit)[part]
    fit = fit_lines((image, image + window), image, window, AXIS, thick)
    assert not fit.told.any()
    assert not fit.displaced_mm().size
    assert not fit.movement().any()


def test_visits_that_show_too_little_are_left_as_they_are(pair):
    rim = [
        replace(visit, intracranial_mask=visit.intracranial_mask & ~ndimage.binary_erosion(visit.intracranial_mask))
        for visit in pair[0]
    ]
    opening = open_scene((rim[0], rim[1]), STILL)
    found = even_movement(opening.scene, (rim[0], rim[1]), opening.halves)
    assert not found.is_corrected
    assert found.scene is opening.scene
    assert found.displaced_mm == 0


def test_a_head_that_moved_while_it_was_scanned_is_measured_as_if_it_had_not(pair):
    (one, two), still = pair
    there, back = measure_change(one, _moved(two), STILL), measure_change(_moved(two), one, STILL)
    assert not there.is_still
    assert abs(there.evidence["gm"].movement_points) > 0.3
    # uncorrected it is off by 0.34 points
    assert there.gm_change_percent == pytest.approx(still.gm_change_percent, abs=0.17)
    # swapped visits invert the ratio, so it does not matter which of them moved
    ratio = (1 + there.gm_change_percent / 100) * (1 + back.gm_change_percent / 100)
    assert 100 * abs(ratio - 1) < 0.005


def test_a_head_that_lay_still_is_left_as_it_is(pair):
    change = pair[1]
    assert change.is_still
    assert all(evidence.movement_points == 0 for evidence in change.evidence.values())


def test_a_visit_less_sharp_did_not_move(pair):
    one, two = pair[0]
    blurred = replace(two, image=ndimage.gaussian_filter(two.image, 0.3))
    assert measure_change(one, blurred, STILL).is_still


@pytest.mark.parametrize(
    ("displaced_mm", "longest_mm", "moved"),
    [
        ((0.02, 0.10, 0.0), 0.7, False),
        ((0.02, 0.11, 0.0), 1.0, True),
        ((0.02, 0.11, 0.0), 2.0, False),
        ((0.3, 0.1, 0.0), 2.0, True),
    ],
    ids=["little", "much", "within_a_thick_voxel", "beyond_it"],
)
def test_larger_voxels_tell_less_of_a_movement(displaced_mm, longest_mm, moved):
    assert _stands_out(np.array(displaced_mm), longest_mm) == moved
