import pytest

from graytrace.steps.check_pair import _compare_scans
from graytrace.steps.check_scan import _part_percent


class Made:
    def __init__(self, **measures):
        self.measures = measures


def _upstream(*, ratio, gm_ml, icv_ml=(None, None)):
    made = {"measure_change": Made(gm_change_percent=-1.0)}
    for visit, share, volume, icv in zip(("baseline", "followup"), ratio, gm_ml, icv_ml, strict=True):
        made |= {
            f"{visit}_check_scan": Made(gray_white_ratio=share),
            f"{visit}_gray_matter_volume": Made(gm_volume_ml=volume, icv_ml=icv),
            f"{visit}_image": Made(),
        }
    return made


def test_visits_are_compared():
    found = _compare_scans(_upstream(ratio=(0.7, 0.735), gm_ml=(600.0, 594.0)))
    assert found["gray_white_ratio_change_percent"] == pytest.approx(5)
    assert found["volume_gap_points"] == pytest.approx(0)
    assert found["change_percent"] == -1.0
    assert "icv_difference_percent" not in found
    found = _compare_scans(_upstream(ratio=(0.7, 0.735), gm_ml=(600.0, 594.0), icv_ml=(1500.0, 1575.0)))
    assert found["icv_difference_percent"] == pytest.approx(5)


@pytest.mark.parametrize("ratio", [(0.0, 0.7), (1e-9, 0.7), (0.7, 0.0)])
@pytest.mark.parametrize("gm_ml", [(0.0, 1.0), (0.1, 0.2)])
def test_nothing_is_told_in_percent_of_nearly_nothing(ratio, gm_ml):
    assert not _compare_scans(_upstream(ratio=ratio, gm_ml=gm_ml))


@pytest.mark.parametrize("whole_ml", [None, 0.0, 1e-9])
def test_there_is_no_part_of_nothing(whole_ml):
    assert _part_percent(0.1, whole_ml) is None
    assert _part_percent(300.0, 1000.0) == 30
