"""What the tools write as text, in the formats of their documents."""

from pathlib import Path

import fake_programs
import numpy as np
import pytest

from graytrace.engines.freesurfer.samseg import parse_samseg_stats, tissue_volumes
from graytrace.engines.freesurfer.structures import TISSUE_OF_LABEL, TISSUE_OF_NAME
from graytrace.engines.freesurfer.synthseg import LABELS, check_channels, parse_synthseg_volumes
from graytrace.engines.fsl.fast import partial_volumes
from graytrace.engines.fsl.siena import Sienax, parse_siena_report, parse_sienax_report
from graytrace.errors import ToolError

SIENAX_REPORT = """
 SIENA - Structural Image Evaluation, using Normalization, of Atrophy
 running cross-sectional atrophy measurement: sienax version 2.6
VSCALING 1.3212
tissue             volume    unnormalised-volume
pgrey              587412.42 444604.47 (peripheral grey)
vcsf               40210.11 30434.54 (ventricular CSF)
GREY               765432.10 579346.13
WHITE              701234.50 530755.75
BRAIN              1466666.60 1110101.88
"""


def test_a_siena_report_has_two_directions_and_their_mean():
    report = parse_siena_report(fake_programs.SIENA_REPORT)
    assert (report.backward_percent, report.forward_percent) == (0.694389, -0.675195)
    assert report.pbvc_percent == pytest.approx(-0.684792)


def test_a_change_too_small_for_sienas_own_mean_is_read_where_it_was_measured():
    text = fake_programs.SIENA_REPORT.replace("-0.675195", "2.3e-05").replace("-.6847920000", "-2.8471945000")
    assert parse_siena_report(text).pbvc_percent == pytest.approx((2.3e-05 - 0.694389) / 2)


@pytest.mark.parametrize("factors", ["corr1=1.2060160200 corr2=1.1 corr=1.15300801", "corr1= corr2=1.1 corr=.55", ""])
def test_a_change_on_the_scale_of_a_failed_calibration_is_refused(factors):
    text = fake_programs.SIENA_REPORT.replace("corr1=.6917807783 corr2=.7014739015 corr=.6966273399", factors)
    with pytest.raises(ToolError, match="calibration failed") as caught:
        parse_siena_report(text)
    assert (caught.value.code, caught.value.about_data) == ("output_damaged", False)


@pytest.mark.parametrize("lines", [15, 12, 0])
def test_a_siena_report_that_ends_too_early_is_refused(lines):
    text = "\n".join(fake_programs.SIENA_REPORT.splitlines()[:lines])
    with pytest.raises(ToolError) as caught:
        parse_siena_report(text)
    assert caught.value.code == "output_damaged"


def test_a_change_that_no_brain_has_is_about_the_data():
    with pytest.raises(ToolError, match="not matched") as caught:
        parse_siena_report("corr1=1.1 corr2=1.1 corr=1.1\nPBVC  90 %\nPBVC -90 %\nfinalPBVC -90.0 %\n")
    assert caught.value.about_data


def test_a_sienax_report_has_volumes_as_scanned_and_normalized():
    report = parse_sienax_report(SIENAX_REPORT)
    assert report.scaling == 1.3212
    assert report.volumes_mm3["GREY"] == 579346.13
    assert report.normalized_mm3["pgrey"] == 587412.42
    with pytest.raises(ToolError):
        parse_sienax_report(SIENAX_REPORT.replace("BRAIN", ""))


def test_sienax_lists_what_its_report_says(tmp_path, monkeypatch):
    (tmp_path / "sienax").mkdir()
    (tmp_path / "sienax" / "report.sienax").write_text(SIENAX_REPORT)
    monkeypatch.chdir(tmp_path)
    outputs = Sienax()._list_outputs()
    assert outputs["gray_matter_volume"] == 579346.13
    assert outputs["brain_volume"] == 1110101.88
    assert Path(outputs["report"]) == tmp_path / "sienax" / "report.sienax"


def test_fasts_files_are_told_by_their_numbers():
    names = ["x_pve_2.nii.gz", "x_pve_0.nii.gz", "x_pve_1.nii.gz"]
    found = partial_volumes([Path(name) for name in names])
    assert {trait: path.name for trait, path in found.items()} == {
        "csf_fraction": "x_pve_0.nii.gz",
        "gm_fraction": "x_pve_1.nii.gz",
        "wm_fraction": "x_pve_2.nii.gz",
    }
    with pytest.raises(ToolError, match="it wrote: x_pve_2"):
        partial_volumes([Path("x_pve_2.nii.gz")])


def test_samsegs_table_is_summed_by_tissue():
    volumes = tissue_volumes(parse_samseg_stats(fake_programs.stats(fake_programs.BASELINE_ML)))
    expected = {"gm": 257, "cortical_gm": 250, "deep_gm": 7, "wm": 220, "brain": 477}
    assert volumes == pytest.approx({name: 1000 * value for name, value in expected.items()})


def test_a_table_without_a_hemisphere_is_no_brain():
    text = fake_programs.stats(fake_programs.BASELINE_ML).replace("Left-Cerebral-Cortex", "Left-Something")
    with pytest.raises(ToolError, match="no volume of Left-Cerebral-Cortex"):
        tissue_volumes(parse_samseg_stats(text))


def test_synthsegs_table_has_a_volume_for_each_name():
    assert parse_synthseg_volumes(fake_programs.SYNTHSEG_VOLUMES) == {
        "total intracranial": 1500123.5,
        "left cerebral white matter": 220000.25,
        "csf": 310000.75,
    }
    for damaged in ("", "subject,csf\n", "subject,csf\nscan\n", "subject,csf\nscan,many\n"):
        with pytest.raises(ToolError):
            parse_synthseg_volumes(damaged)


def test_synthsegs_channels_in_another_order_are_noticed():
    every, labels = fake_programs.posteriors(LABELS)
    check_channels(every, labels)
    with pytest.raises(ToolError, match="another order"):
        check_channels(every[..., [0, *range(len(LABELS) - 1, 0, -1)]], labels)
    with pytest.raises(ToolError, match="32 posteriors"):
        check_channels(every[..., 1:], labels)


def test_every_structure_of_synthseg_has_a_tissue_and_both_tables_agree():
    assert len(LABELS) == 33
    assert all(label in TISSUE_OF_LABEL for label in LABELS[1:])
    assert set(TISSUE_OF_LABEL.values()) == set(TISSUE_OF_NAME.values()) == {"cortex", "deep", "wm", "csf"}
    assert np.all(np.diff(LABELS) > 0)
