import dataclasses

import pytest

from graytrace.algorithms.precision import SHARES, Evidence, budget_error, interval

QUIET = Evidence(
    change_percent=-1.0,
    noise_points=0.01,
    block_points=0.03,
    scale_se_percent=0.004,
    movement_points=0.0,
    sharpness_points=0.0,
    shading_points=0.0,
    contrast_points=0.0,
    difference_percent=-1.0,
    longest_voxel_mm=1.0,
)


def _se(tissue: str = "gm", **changed: float | None) -> float:
    return budget_error(dataclasses.replace(QUIET, **changed), SHARES[tissue]).se


@pytest.mark.parametrize("tissue", SHARES)
@pytest.mark.parametrize(
    "worse",
    [
        {"noise_points": 0.5},
        {"block_points": 0.5},
        {"scale_se_percent": 0.2},
        {"scale_se_percent": None},
        {"movement_points": 1.0},
        {"sharpness_points": -3.0},
        {"shading_points": 3.0},
        {"contrast_points": 0.5},
        {"difference_percent": 3.0},
        {"longest_voxel_mm": 3.0},
        {"change_percent": -5.0, "difference_percent": -5.0},
    ],
    ids=str,
)
def test_what_makes_a_number_less_sure_widens_its_error(tissue, worse):
    assert _se(tissue, **worse) > 1.2 * _se(tissue)


def test_parts_add_in_squares():
    budget = budget_error(QUIET, SHARES["gm"])
    assert budget.se**2 == pytest.approx(sum(part**2 for part in dataclasses.astuple(budget)))


def test_a_brain_of_a_single_block_has_an_error_all_the_same():
    assert 0 < _se(block_points=float("nan")) < 1


def test_interval_lies_around_the_change():
    low, high = interval(-1.0, 0.1)
    assert low < -1.0 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.1)
