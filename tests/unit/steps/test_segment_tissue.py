import pytest

from graytrace.steps.segment_tissue import _flags


@pytest.mark.parametrize("measures", [{}, {"gray_islands_ml": 0.0}, {"gray_islands_ml": 0.15}])
def test_other_engines_and_a_few_voxels_suspect_nothing(measures):
    assert not _flags(measures)


def test_islands_are_flagged_with_their_volume_and_what_to_do():
    (flag,) = _flags({"gray_islands_ml": 1.26})
    assert flag.code == "lesions_suspected"
    assert "1.3 ml" in flag.message
    assert "FLAIR" in flag.message
