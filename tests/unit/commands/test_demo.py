import io

import pytest

from graytrace.cli import main
from graytrace.commands import demo
from graytrace.errors import PipelineError
from graytrace.workflow.watching import Screen

FAILED = """\
[Fri Jan  1 10:00:00 2021]
Error in rule inspect:
    message: None
    jobid: 3
    input: /study/sub-01_T1w.nii.gz
    output: {out}/records/sub-01/ses-BL/inspect.json
    log: {log} (check log file(s) for error details)
    shell:
        python -m graytrace inspect
        (command exited with non-zero exit code)
Logfile {log}:
"""


@pytest.fixture
def folder(tmp_path):
    """A demonstration in a folder whose patients are measured, and one that is not."""
    truth, results = tmp_path / "phantoms-truth", tmp_path / "results"
    truth.mkdir()
    results.mkdir()
    (truth / "truth.tsv").write_text(
        "participant_id\tgm_baseline_ml\tgm_change_percent\tbrain_change_percent\n"
        "sub-P01\t700\t-2\t-1.25\nsub-P02\t710\t-1\t-0.5\n"
    )
    (results / "atrophy.tsv").write_text(
        "participant_id\tstatus\tgm_volume_baseline_ml\tgm_change_percent\tbrain_change_percent\n"
        "sub-P01\tok\t701.5\t-1.90\t-1.2\nsub-P02\tfailed\tn/a\tn/a\tn/a\n"
    )
    return demo._Demo(tmp_path, 2, 1.0, 2, screen=Screen(io.StringIO()))


def said(folder):
    return folder.screen._stream.getvalue()


def test_a_patients_line_has_what_was_measured_what_is_true_and_the_interval(folder):
    folder.told.add("sub-P01")
    row = {"participant_id": "sub-P01", "status": "ok", "gm_change_percent": -1.9}
    interval = {"gm_change_low_percent": -2.2, "gm_change_high_percent": -1.6}
    line = demo._line(folder, {**row, **interval})
    assert line.startswith("sub-P01 (1 of 2, after ")
    assert line.endswith("gray matter -1.90 %, true -2.00 %, error +0.10, 95 % interval -2.20 to -1.60")
    assert demo._line(folder, row).endswith("error +0.10"), "an engine without an interval"


def test_a_patient_that_is_not_measured_has_the_reason(folder):
    row = {"participant_id": "sub-P02", "status": "failed", "reason": "no_head: nothing is seen"}
    assert demo._line(folder, row).endswith("failed: no_head: nothing is seen")


def test_at_the_end_stand_the_table_and_where_to_look_and_an_unmeasured_patient_is_an_error(folder):
    with pytest.raises(PipelineError, match=r"not measured: sub-P02 \(failed\)"):
        demo._conclude(folder, 0)
    lines = said(folder).splitlines()
    assert [line.split()[0] for line in lines if line.startswith("sub-")] == ["sub-P01", "sub-P02"]
    assert f"Report:  {folder.results / 'report.html'}" in lines


def test_a_failure_names_the_step_ends_with_its_last_lines_and_tells_the_log(folder, tmp_path):
    log = tmp_path / "inspect.log"
    log.write_text("first\n" + "\n".join(f"line {number}" for number in range(5)) + "\n")
    folder.log.write_text(2 * FAILED.format(out=tmp_path, log=log))
    with pytest.raises(PipelineError) as caught:
        demo._conclude(folder, 1)
    message = str(caught.value)
    assert message.count("inspect failed. The end of") == 1, "tried twice, told once"
    assert "    line 0\n" in message
    assert "first" not in message
    assert str(folder.log) in message


def test_a_failure_before_any_step_ends_with_the_last_lines_of_all(folder):
    folder.log.write_text("\n".join(f"line {number}" for number in range(40)))
    with pytest.raises(PipelineError) as caught:
        demo._conclude(folder, 1)
    assert "    line 25\n" in str(caught.value)
    assert "line 24" not in str(caught.value)
    assert "line 39" in str(caught.value)


def test_a_data_set_of_somebody_else_is_not_touched(tmp_path, capsys):
    theirs = tmp_path / "out" / "phantoms" / "mine"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    assert main(["demo", str(tmp_path / "out")]) == 1
    assert "was not made by this command: remove it, or name another folder" in capsys.readouterr().err
    assert theirs.exists()


def test_lesion_masks_are_named_once_somebody_whose_scans_are_there_has_some(folder):
    assert folder.made() == ["sub-P01", "sub-P02"]
    assert demo._study(folder)["lesions"] is None
    (folder.phantoms / "derivatives" / "lesions" / "sub-P03").mkdir(parents=True)
    assert demo._study(folder)["lesions"] is None, "sub-P03 is still being made"
    (folder.phantoms / "derivatives" / "lesions" / "sub-P02").mkdir()
    assert demo._study(folder)["lesions"] == "phantoms/derivatives/lesions"


@pytest.mark.parametrize("option", ["--patients", "--cores"])
def test_a_number_that_is_none_is_refused(option, capsys):
    with pytest.raises(SystemExit):
        main(["demo", option, "0"])
    assert "expected a whole number from 1" in capsys.readouterr().err
