"""Three visits of one phantom through the whole workflow: every pair by the same rules, one trajectory, one slope."""

import numpy as np
import pytest

# 2 mm voxels, as in the tests of a whole run: 0.4 points over two years
SLOPE_TOLERANCE_PERCENT_PER_YEAR = 0.2


def test_every_pair_of_three_visits_is_measured_by_the_same_rules(three_visits):
    run, _ = three_visits
    assert run.returncode == 0, run.messages
    assert "1 more pairs join all visits." in run.messages
    pairs = {(row["visit_baseline"], row["visit_followup"]): row for row in run.table("pairs")}
    assert set(pairs) == {("BL", "M12"), ("BL", "M24"), ("M12", "M24")}
    assert all(row["gm_change_se_points"] != "n/a" for row in pairs.values())
    for visits in pairs:
        folder = run.output_dir / "records" / "sub-P01" / "_".join(f"ses-{visit}" for visit in visits)
        assert {path.stem for path in folder.glob("*.json")} == {"align_visits", "measure_change", "check_pair"}
    assert [row["visit_followup"] for row in run.table("atrophy")] == ["M12", "M24"]


def test_pairs_that_end_at_one_visit_have_files_of_their_own(three_visits):
    run, _ = three_visits
    change = run.output_dir / "sub-P01" / "change"
    assert (change / "sub-P01_ses-M24_desc-change.json").is_file()
    assert (change / "sub-P01_ses-M24_from-M12_desc-change.json").is_file()
    figures = run.output_dir / "sub-P01" / "figures"
    assert (figures / "sub-P01_ses-M24_from-M12_space-midway_desc-change_T1w.jpg").is_file()


def test_the_slope_is_that_of_the_phantom_and_the_loop_closes(three_visits):
    run, volumes = three_visits
    (slope,) = run.table("slopes")
    true = 100 * np.expm1(np.log(volumes["M24"] / volumes["BL"]) / (731 / 365.25))
    assert float(slope["gm_slope_percent_per_year"]) == pytest.approx(true, abs=SLOPE_TOLERANCE_PERCENT_PER_YEAR)
    low, high = (float(slope[f"gm_slope_{end}_percent_per_year"]) for end in ("low", "high"))
    assert low < true < high
    assert (slope["visits_used"], slope["pairs"], slope["loops"]) == ("BL; M12; M24", "3", "1")
    assert float(slope["gm_loop_p"]) > 0.01
    changes = [float(row["gm_change_percent"]) for row in run.table("trajectory")]
    assert changes[0] == 0 > changes[1] > changes[2]


def test_the_report_shows_every_visit(three_visits):
    run, _ = three_visits
    page = (run.output_dir / "report.html").read_text()
    assert "Every visit" in page
    assert "BL, M12, M24" in page
    assert "joined by generalized least squares" in (run.output_dir / "methods.md").read_text()
