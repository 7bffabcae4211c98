import argparse

import pytest

from graytrace.commands.truth import add_arguments, compare_with_truth, format_comparison, run
from graytrace.errors import PipelineError


@pytest.fixture
def folders(tmp_path):
    results, truth = tmp_path / "results", tmp_path / "phantoms-truth"
    results.mkdir()
    truth.mkdir()
    (results / "atrophy.tsv").write_text(
        "participant_id\tstatus\tgm_volume_baseline_ml\tgm_change_percent\tbrain_change_percent\n"
        "sub-P01\tok\t701.5\t-1.90\t-1.2\n"
        "sub-P02\tfailed\tn/a\tn/a\tn/a\n"
    )
    (truth / "truth.tsv").write_text(
        "participant_id\tgm_baseline_ml\tgm_change_percent\tbrain_change_percent\n"
        "sub-P01\t700\t-2\t-1.25\nsub-P02\t710\t-1\t-0.5\nsub-P03\t720\t0\t0\n"
    )
    return results, truth


def test_a_measured_patient_has_an_error(folders):
    first = compare_with_truth(*folders)[0]
    assert first.gm_change_percent.error == pytest.approx(0.10)
    assert first.gm_baseline_ml.measured == 701.5


def test_a_failed_patient_has_a_truth_and_no_error(folders):
    second = compare_with_truth(*folders)[1]
    assert (second.status, second.gm_change_percent.measured, second.gm_change_percent.error) == ("failed", None, None)
    assert second.gm_change_percent.true == -1


def test_a_patient_without_a_row_is_missing(folders):
    assert [each.status for each in compare_with_truth(*folders)] == ["ok", "failed", "missing"]


def test_the_table_is_aligned(folders):
    lines = format_comparison(compare_with_truth(*folders)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split()[:5] == ["sub-P01", "ok", "-1.90", "-2.00", "+0.10"]


def test_a_missing_table_is_named(folders, tmp_path):
    with pytest.raises(PipelineError, match=r"atrophy\.tsv is not there"):
        compare_with_truth(tmp_path, folders[1])


def test_the_command_says_where_the_results_are(folders, capsys):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert run(parser.parse_args([str(folder) for folder in folders])) == 0
    assert str(folders[0] / "atrophy.tsv") in capsys.readouterr().out
