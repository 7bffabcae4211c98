"""What the step says of a pair beside its numbers."""

from graytrace.steps.measure_change import _flags

STILL = {"covered_percent": 100.0, "displaced_mm": 0.02, "sharpness_effect_points": 0.1}


def test_a_pair_that_lay_still_has_no_flag():
    assert not _flags(STILL)


def test_a_head_that_moved_is_told_with_its_distance_and_its_effect():
    (flag,) = _flags({**STILL, "displaced_mm": 0.44, "movement_effect_points": -0.42})
    assert flag.code == "head_moved"
    assert "0.4 mm elsewhere" in flag.message
    assert "-0.42 points" in flag.message


def test_movement_and_sharpness_are_told_both():
    flags = _flags({**STILL, "movement_effect_points": 0.2, "sharpness_effect_points": -0.5})
    assert [flag.code for flag in flags] == ["head_moved", "sharpness_differs"]
