"""Change of structures: what both visits' labels name, from the same registration as the tissues' change."""

from dataclasses import replace

import numpy as np
import pytest
import toyhead
from toyhead import affine_of, centered, places

from graytrace.algorithms.change import measure_change
from graytrace.algorithms.midway import MidwayAlignment
from graytrace.algorithms.precision import interval
from graytrace.algorithms.structure_change import VisitStructures, _block_se_points, _sum_over, _territories
from graytrace.algorithms.tissue_change import TissueChange
from graytrace.algorithms.visits import VisitTissue
from graytrace.algorithms.volumes import tissue_volume_ml

SHAPE = (60, 66, 56)
STILL = MidwayAlignment(np.eye(4), np.eye(4), 1.0, 1.0, 1.0)
CORTEX = (3, 42)


def _visit(shrink_mm, seed):
    """A visit of the toy head; its cortex and its white matter have two sides."""
    affine = centered(affine_of("RAS", (1.6, 1.6, 1.6)), SHAPE)
    points = places(affine, SHAPE)
    white, gray, _ = (f.astype(np.float32) for f in toyhead.fractions(points, shrink_mm))
    image = 500 * (toyhead.intensity(points, shrink_mm) + np.random.default_rng(seed).normal(0, 0.02, SHAPE))
    tissue = VisitTissue(image.astype(np.float32), affine, gray, white, 0 * gray, toyhead.masks(points)[1])
    left = points[0] < 0
    labels = np.select([gray > 0.5, white > 0.5], [np.where(left, *CORTEX), np.where(left, 2, 41)], 0)
    sides = {"left": left, "right": ~left, "both": np.ones(SHAPE, bool)}
    volumes = {f"CerebralCortex_{side}": tissue_volume_ml(gray * own, affine) for side, own in sides.items()}
    return tissue, VisitStructures(labels.astype(np.uint8), affine, volumes)


def _measure(before, after):
    return measure_change(before[0], after[0], STILL, structures=(before[1], after[1]))


@pytest.fixture(scope="module")
def visits():
    return _visit(0, 1), _visit(0.1, 2)


@pytest.fixture(scope="module")
def change(visits):
    return _measure(*visits)


def _true(visits, side):
    before, after = (visit[1].volumes_ml[f"CerebralCortex_{side}"] for visit in visits)
    return 100 * (after / before - 1)


@pytest.mark.parametrize("side", ["left", "right", "both"])
def test_known_loss_is_found_on_each_side(visits, change, side):
    true = _true(visits, side)
    assert true < -0.5
    # a tenth of what was lost, and the error of a head of 60 ml of cortex (test_change), more of a half of it
    assert change.structures[f"CerebralCortex_{side}"].percent == pytest.approx(true, abs=0.1 * abs(true) + 0.3)


def test_a_tissue_of_one_structure_changes_as_the_structure_does(change):
    both = change.structures["CerebralCortex_both"].percent
    # the rim of cortex further than the labels' reach has no part in the structure
    assert both == pytest.approx(change.changes["cortical_gm"], abs=0.1)


def test_the_interval_holds_the_truth_and_grows_where_the_plain_difference_disagrees(visits, change):
    found = change.structures["CerebralCortex_both"]
    low, high = interval(found.percent, found.budget.se)
    assert low < _true(visits, "both") < high
    assert found.budget.noise > 0
    wrong = {name: 1.2 * ml for name, ml in visits[1][1].volumes_ml.items()}
    other = _measure(visits[0], (visits[1][0], replace(visits[1][1], volumes_ml=wrong)))
    assert other.structures["CerebralCortex_both"].percent == found.percent
    assert other.structures["CerebralCortex_both"].budget.se > 1.5 * found.budget.se


def test_swapped_visits_invert_the_ratio(visits, change):
    back = _measure(*reversed(visits))
    for name in ("CerebralCortex_left", "CerebralWhiteMatter_right"):
        ratio = (1 + change.structures[name].percent / 100) * (1 + back.structures[name].percent / 100)
        assert 100 * abs(ratio - 1) < 0.01, name  # points: rounding in single precision


def test_structures_that_are_not_there_have_no_change(visits, change):
    assert {name.partition("_")[0] for name in change.structures} == {"CerebralCortex", "CerebralWhiteMatter"}
    assert measure_change(visits[0][0], visits[1][0], STILL).structures == {}


def test_loss_on_one_side_stays_on_that_side():
    fraction = np.zeros((20, 20, 20), np.float32)
    fraction[3:17, 5:15, 5:15] = 1
    labels = np.zeros(fraction.shape, np.uint8)
    labels[4:10, 6:14, 6:14], labels[10:16, 6:14, 6:14] = 10, 49
    after = fraction.copy()
    after[:10] *= 0.9
    territory = _territories(labels, [0, 12], 1.0)
    assert set(np.unique(territory[fraction > 0])) == {1, 13}
    assert territory[0, 0, 0] == 0, "the edge of a structure reaches three millimeters"
    sums = _sum_over(TissueChange(fraction, fraction, after, 0 * fraction), territory, 1.0)
    left, right = (sums.of([row]) for row in (0, 12))
    assert left[1].sum() / left[0].sum() == pytest.approx(0.9)
    assert right[1].sum() == right[0].sum() == 7 * 10 * 10


def test_blocks_that_disagree_make_a_change_less_sure():
    before = np.full(27, 1000.0)
    rng = np.random.default_rng(1)
    uneven = [_block_se_points(before, before * (1 + rng.normal(0, 0.02, 27))) for _ in range(20)]
    assert _block_se_points(before, 0.98 * before) == pytest.approx(0, abs=1e-9)
    assert np.mean(uneven) == pytest.approx(2 / np.sqrt(27), rel=0.15)
    assert np.isnan(_block_se_points(before[:2], before[:2])), "two blocks have no spread to speak of"
