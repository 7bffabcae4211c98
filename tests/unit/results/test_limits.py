import pytest

from graytrace.results.limits import add_flags, find_flags, list_metrics, robust_z
from graytrace.tables import columns

OFF = {"outlier_z": None, "limits": {}}


def scans(*noise):
    return [
        {"participant_id": f"sub-{n:02}", "visit": "BL", "kind": "scan", "status": "ok", "noise_percent": value}
        for n, value in enumerate(noise)
    ]


def test_every_metric_is_a_column_of_quality():
    metrics = list_metrics()
    assert {metric.name for metric in metrics} <= set(columns("quality"))
    assert {metric.better for metric in metrics} == {"lower", "higher", "zero", "none"}


def test_a_value_beyond_its_limit_is_flagged_and_shown_beside_it():
    found = find_flags(scans(3.0, 9.1), {"outlier_z": None, "limits": {"noise_percent": {"max": 8}}})
    (flag,) = found["sub-01", "BL", "scan"]
    assert flag == ("noise_percent_high", "Noise: 9.10 %, above the limit of 8.00 %.")
    assert len(found) == 1


def test_a_value_at_its_limit_is_not_flagged():
    assert find_flags(scans(8.0), {"outlier_z": None, "limits": {"noise_percent": {"max": 8}}}) == {}


def test_a_limit_of_null_flags_nothing():
    assert find_flags(scans(800.0), {"outlier_z": None, "limits": {"noise_percent": None}}) == {}


def test_the_worst_of_a_study_is_flagged_and_the_best_is_not():
    found = find_flags(scans(0.1, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 6.0), {"outlier_z": 5, "limits": {}})
    assert list(found) == [("sub-07", "BL", "scan")]
    (flag,) = found["sub-07", "BL", "scan"]
    assert flag.code == "noise_percent_unusual"
    assert "6.00 %" in flag.message
    assert "median 3.25 %" in flag.message
    assert "limit 5" in flag.message


def test_what_cannot_matter_is_not_unusual():
    assert find_flags(scans(3.0, 3.001, 3.002, 3.003, 3.004, 3.005, 3.006, 3.2), {"outlier_z": 5, "limits": {}}) == {}


def test_a_small_study_has_nobody_unusual():
    assert find_flags(scans(3.0, 3.1, 3.2, 3.3, 60.0), {"outlier_z": 5, "limits": {}}) == {}


@pytest.mark.parametrize("values", [[1.0] * 9, [1.0, 2.0]])
def test_no_z_without_spread_or_numbers(values):
    assert robust_z(5.0, values) is None


def test_a_flag_takes_no_number_away_and_reaches_all_tables():
    quality = scans(9.0)
    quality[0] |= {"flags": "thick_slices", "messages": "Slices are thick."}
    volumes = [{"participant_id": "sub-00", "visit": "BL", "status": "ok", "flags": None, "gm_volume_ml": 600.0}]
    atrophy = [
        {
            "participant_id": "sub-00",
            "visit_baseline": "BL",
            "visit_followup": "M24",
            "status": "ok",
            "flags": None,
            "gm_change_percent": -1.0,
        }
    ]
    add_flags(atrophy, volumes, quality, {"outlier_z": None, "limits": {"noise_percent": {"max": 8}}})
    assert [row["status"] for row in (atrophy[0], volumes[0], quality[0])] == ["flagged"] * 3
    assert atrophy[0]["flags"] == "BL:noise_percent_high"
    assert atrophy[0]["gm_change_percent"] == -1.0
    assert volumes[0]["gm_volume_ml"] == 600.0
    assert quality[0]["flags"] == "thick_slices; noise_percent_high"
    assert quality[0]["messages"] == "Slices are thick. | Noise: 9.00 %, above the limit of 8.00 %."


def test_a_failed_row_stays_failed():
    quality = scans(9.0)
    quality[0] |= {"status": "failed", "messages": None}
    add_flags([], [], quality, {"outlier_z": None, "limits": {"noise_percent": {"max": 8}}})
    assert quality[0]["status"] == "failed"


def test_without_choices_nothing_is_flagged():
    assert find_flags(scans(900.0), OFF) == {}


def test_values_that_differ_by_rounding_only_have_no_spread():
    values = [0.3 - 0.1, 0.5 - 0.3, 0.7 - 0.5, 0.9 - 0.7, 1.1 - 0.9, 1.3 - 1.1, 0.2, 0.2000000001]
    assert robust_z(values[-1], values) is None


def test_a_border_may_be_as_wide_as_large_voxels_make_it():
    limits = {"outlier_z": None, "limits": {"edge_width_mm": {"max": 4}}}
    rows = [
        {
            "participant_id": f"sub-{n}",
            "visit": "BL",
            "kind": "scan",
            "status": "ok",
            "edge_width_mm": width,
            "slice_thickness_mm": edge,
        }
        for n, (width, edge) in enumerate([(5.8, 3.0), (6.7, 3.0), (4.1, 1.0), (3.9, 1.0), (4.1, None)])
    ]
    found = find_flags(rows, limits)
    assert {key[0] for key in found} == {"sub-1", "sub-2", "sub-4"}
    assert {flag.code for flags in found.values() for flag in flags} == {"edge_width_mm_high"}
    assert "above the limit of 6.60 mm" in found["sub-1", "BL", "scan"][0].message
