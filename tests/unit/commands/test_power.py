import pytest

from graytrace.cli import main


@pytest.fixture
def results(tmp_path):
    def write(*, errors=("0.2",) * 6, changes=(-0.2, -0.4, -0.5, -0.6, -0.8, -1.1)):
        lines = ["participant_id\tgm_change_percent_per_year\tinterval_years\tgm_change_se_points"]
        lines += [
            f"sub-{n}\t{change}\t2.0\t{error}" for n, (change, error) in enumerate(zip(changes, errors, strict=True))
        ]
        (tmp_path / "atrophy.tsv").write_text("\n".join(lines) + "\n")
        return str(tmp_path)

    return write


def test_the_sample_size_is_told_with_what_it_rests_on(results, capsys):
    assert main(["power", results(), "--effect-points", "0.3"]) == 0
    said = capsys.readouterr().out
    assert "6 patients" in said
    assert "one measurement is off by 0.200 points" in said
    # SD 0.316 a year, effect 0.3: d = 0.95, 19 patients (Cohen's table gives 17 at 1.0 and 21 at 0.9)
    assert "19 patients in each arm" in said


def test_a_longer_trial_needs_fewer_patients(results, capsys):
    def needed(*more):
        assert main(["power", results(errors=("1.0",) * 6), "--effect-points", "0.3", *more]) == 0
        return int(capsys.readouterr().out.split(" patients in each arm")[0].split()[-1])

    assert needed("--years", "4") < needed("--years", "1")


def test_doses_are_answered_with_a_slope(results, capsys):
    assert main(["power", results(), "--doses", *["1", "1", "1", "2", "2", "2", "4", "4", "4", "8", "8", "8"]]) == 0
    assert "These 12 doses find a slope of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--effect-points", "0"], "--effect-points: expected another number than 0"),
        (["--effect-points", "nan"], "--effect-points: expected a number between -100 and 100, got nan."),
        (["--effect-points", "1e-9"], "no trial can find it"),
        (["--alpha", "0.9"], "--alpha: expected less than --power (0.8), got 0.9."),
        (["--power", "1.5"], "--power: expected a number between 0 and 1, got 1.5."),
        (["--doses", "1", "1", "1", "1"], "--doses: expected one for each of at least four patients"),
    ],
)
def test_a_wrong_choice_is_one_sentence(results, capsys, more, message):
    assert main(["power", results(), *more]) == 1
    assert message in capsys.readouterr().err


def test_without_errors_in_the_table_one_has_to_be_given(results, capsys):
    folder = results(errors=("n/a",) * 6)
    assert main(["power", folder]) == 1
    assert "--error-points" in capsys.readouterr().err
    assert main(["power", folder, "--error-points", "0.2"]) == 0


def test_a_folder_without_results_is_named(tmp_path, capsys):
    assert main(["power", str(tmp_path)]) == 1
    assert "name the folder of a finished run" in capsys.readouterr().err


def test_two_patients_are_too_few(results, capsys):
    assert main(["power", results(errors=("0.2",) * 2, changes=(-0.2, -0.3))]) == 1
    assert "too few" in capsys.readouterr().err


def test_a_cell_that_is_no_number_is_named(results, capsys):
    assert main(["power", results(errors=("0.2",) * 5 + ("0,2",))]) == 1
    assert "sub-5 has '0,2' in gm_change_se_points, expected a number." in capsys.readouterr().err


def test_another_outcome_is_planned_with_its_own_error(tmp_path, capsys):
    lines = ["participant_id\tbrain_change_percent\tbrain_change_se_points\tgm_change_se_points\tinterval_years"]
    lines += [f"sub-{n}\t{change}\t0.4\t0.9\t2.0" for n, change in enumerate((-0.4, -0.8, -1.0, -1.2, -1.6, -2.2))]
    lines += ["sub-7\t-5.0\t0.4\t0.9\t0.02", "sub-8\t-5.0\t0.4\t0.9\tn/a"]
    (tmp_path / "atrophy.tsv").write_text("\n".join(lines) + "\n")
    assert main(["power", str(tmp_path), "--outcome", "brain_change_percent"]) == 0
    said = capsys.readouterr().out
    assert "6 patients, the brain -0.600 % per year on average" in said, "rescans and unknown dates are no rate"
    assert "one measurement is off by 0.400 points" in said


@pytest.mark.parametrize("outcome", ["interval_years", "status"])
def test_an_outcome_that_is_no_change_is_refused(results, capsys, outcome):
    assert main(["power", results(), "--outcome", outcome]) == 1
    assert (
        f"--outcome: expected a change such as gm_change_percent_per_year or brain_change_percent, got {outcome}."
        in (capsys.readouterr().err)
    )


def test_an_outcome_that_the_table_lacks_is_named(results, capsys):
    assert main(["power", results(), "--outcome", "wm_change_percent"]) == 1
    assert "has no column wm_change_percent" in capsys.readouterr().err
