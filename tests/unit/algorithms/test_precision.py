import dataclasses

import pytest

from graytrace.algorithms.precision import budget_error, interval

QUIET = {
    "noise_points": 0.01,
    "scale_se_percent": 0.004,
    "sharpness_effect_points": 0.0,
    "difference_percent": -1.0,
    "longest_voxel_mm": 1.0,
}


def _se(change_percent: float = -1.0, **changed: float | None) -> float:
    return budget_error(change_percent, **{**QUIET, **changed}).se


@pytest.mark.parametrize(
    "worse",
    [
        {"noise_points": 0.3},
        {"scale_se_percent": 0.1},
        {"scale_se_percent": None},
        {"sharpness_effect_points": -0.5},
        {"difference_percent": 1.0},
        {"longest_voxel_mm": 3.0},
        {"change_percent": -4.0, "difference_percent": -4.0},
    ],
    ids=str,
)
def test_what_makes_a_number_less_sure_widens_its_error(worse):
    assert _se(**worse) > 1.2 * _se()


def test_parts_add_in_squares():
    budget = budget_error(-1.0, **QUIET)
    assert budget.se**2 == pytest.approx(sum(part**2 for part in dataclasses.astuple(budget)))


def test_interval_lies_around_the_change():
    low, high = interval(-1.0, 0.1)
    assert low < -1.0 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.1)
