import pytest

from graytrace.steps.segment_tissue import _flags


@pytest.mark.parametrize("measures", [{}, {"gray_islands_ml": 0.0}, {"gray_islands_ml": 0.05}])
def test_other_engines_and_a_few_voxels_suspect_nothing(measures):
    assert not _flags(measures, 0.001)


def test_islands_are_flagged_with_their_volume_and_what_to_do():
    (flag,) = _flags({"gray_islands_ml": 1.26}, 0.001)
    assert flag.code == "lesions_suspected"
    assert "1.3 ml" in flag.message
    assert "FLAIR" in flag.message


def test_a_few_thick_voxels_are_no_lesions():
    measures = {"gray_islands_ml": 0.13}
    assert _flags(measures, 0.001)
    assert not _flags(measures, 2.5**3 / 1000), "eight voxels of 2.5 mm"
    assert _flags({"gray_islands_ml": 0.4}, 2.5**3 / 1000)
