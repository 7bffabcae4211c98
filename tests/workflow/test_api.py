"""From Python the same numbers as from the workflow."""

import pytest

from graytrace import measure_pair

AS_PRINTED = 0.5e-4  # a table has four decimals of a percent


def test_a_pair_has_the_numbers_of_its_row(undisturbed):
    scans = [
        undisturbed.bids_dir / f"sub-P01/ses-{visit}/anat/sub-P01_ses-{visit}_T1w.nii.gz" for visit in ("BL", "M24")
    ]
    change = measure_pair(*scans, threads=2)
    row = undisturbed.row("sub-P01")
    for name in ("gm_change_percent", "gm_change_se_points", "brain_change_percent", "scale_percent"):
        assert change.measures[name] == pytest.approx(float(row[name]), abs=AS_PRINTED), name
    assert change.baseline.gm_volume_ml == pytest.approx(float(row["gm_volume_baseline_ml"]), abs=0.5e-3)
