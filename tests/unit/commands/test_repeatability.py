import csv
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from graytrace.cli import main
from graytrace.tables import write_table

WSD = 0.12
SD_OF_CHANGE = WSD * np.sqrt(2)
ENGINES = "skull_strip=embedded; segmentation=embedded; change=embedded"


def row_of(patient, change, *, visits=("BL", "RT"), days=3, se=None, **more):
    """A measured row of atrophy.tsv; its interval is 1.96 `se` to each side."""
    cells = {
        "participant_id": f"sub-{patient}",
        "status": "ok",
        "visit_baseline": visits[0],
        "visit_followup": visits[1],
        "interval_days": days,
        "gm_volume_baseline_ml": 600.0 + len(str(patient)),
        "gm_volume_followup_ml": 600.5,
        "gm_change_percent": float(change),
        "brain_change_percent": float(change) / 2,
        "engines": ENGINES,
        "version": "1.2.3",
        **more,
    }
    if se is not None:
        ends = {"gm_change_low_percent": change - 1.96 * se, "gm_change_high_percent": change + 1.96 * se}
        cells |= {"gm_change_se_points": float(se), **{name: float(value) for name, value in ends.items()}}
    return cells


@pytest.fixture
def results(tmp_path):
    def write(rows, name="results"):
        folder = tmp_path / name
        write_table(folder, "atrophy", rows)
        return folder

    return write


def simulated(count, *, se=SD_OF_CHANGE, seed=1):
    rng = np.random.default_rng(seed)
    return [row_of(f"{n:03}", change, se=se) for n, change in enumerate(rng.normal(0, SD_OF_CHANGE, count))]


def read(folder, kind="pairs"):
    with (folder / "repeatability.tsv").open(newline="") as file:
        return {row["measure"]: row for row in csv.DictReader(file, delimiter="\t") if row["kind"] == kind}


def test_a_known_spread_is_found_with_intervals_that_hold_it(results, tmp_path, capsys):
    folder = results(simulated(200))
    assert main(["repeatability", str(folder), "--output", str(tmp_path / "out")]) == 0
    row = read(tmp_path / "out")["gm_change_percent"]
    assert (row["patients"], row["pairs"], row["degrees_of_freedom"]) == ("200", "200", "200")
    assert float(row["wsd_points"]) == pytest.approx(WSD, rel=0.1)
    assert float(row["wsd_low_points"]) < WSD < float(row["wsd_high_points"])
    assert float(row["rc_points"]) == pytest.approx(2.77 * float(row["wsd_points"]), rel=1e-3)
    assert float(row["sdc_points"]) == pytest.approx(float(row["rc_points"]), rel=0.01)
    assert float(row["bias_low_points"]) < 0 < float(row["bias_high_points"])
    assert float(row["coverage_low_percent"]) < 95 < float(row["coverage_high_percent"])
    assert float(row["error_ratio"]) == pytest.approx(1, abs=0.1)
    assert (row["engines"], row["version"], row["selection"]) == (ENGINES, "1.2.3", "visits at most 14 days apart")
    said = capsys.readouterr().out
    assert "Scan-rescan pairs (visits at most 14 days apart): 200, of 200 patients." in said
    assert "that agrees with 95 %" in said
    assert "no bias is seen" in said


def test_each_measure_of_the_table_has_a_row_and_the_others_none(results):
    folder = results(simulated(10))
    assert main(["repeatability", str(folder)]) == 0
    rows = read(folder / "repeatability")
    assert set(rows) == {"gm_change_percent", "brain_change_percent"}
    assert rows["brain_change_percent"]["intervals"] == "0"
    assert rows["brain_change_percent"]["coverage_percent"] == "n/a"
    assert float(rows["brain_change_percent"]["wsd_points"]) == pytest.approx(
        float(rows["gm_change_percent"]["wsd_points"]) / 2, abs=1e-4
    )


def test_intervals_that_are_too_narrow_are_told(results, capsys):
    folder = results(simulated(60, se=0.05))
    assert main(["repeatability", str(folder)]) == 0
    assert "they are too narrow" in capsys.readouterr().out
    assert float(read(folder / "repeatability")["gm_change_percent"]["error_ratio"]) > 2.5


def test_the_figure_shows_every_pair_and_is_the_same_in_any_run(results, tmp_path):
    folder = results(simulated(12, se=0.05))
    for name in ("one", "two"):
        assert main(["repeatability", str(folder), "--output", str(tmp_path / name)]) == 0
    text = (tmp_path / "one" / "repeatability.svg").read_text()
    assert text == (tmp_path / "two" / "repeatability.svg").read_text()
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own figure
    assert "Gray matter, 12 pairs" in text
    assert "Brain (gray and white matter), 12 pairs" in text
    assert "pair, in the order of patients" in text  # the table has no volume of the brain
    assert {path.name for path in (tmp_path / "one").iterdir()} == {
        "repeatability.tsv",
        "repeatability.json",
        "repeatability.svg",
    }


def test_visits_far_apart_are_no_rescans_unless_a_table_names_them(results, tmp_path, capsys):
    rows = [row_of(n, 0.1, days=5) for n in range(4)] + [row_of(n, -2.0, days=700) for n in range(4, 8)]
    rows += [row_of(8, 5.0, days=None)]
    folder = results(rows)
    assert main(["repeatability", str(folder)]) == 0
    assert read(folder / "repeatability")["gm_change_percent"]["pairs"] == "4"
    assert "Left out without dates: 1 pair; name them with --pairs." in capsys.readouterr().out
    table = tmp_path / "rescans.tsv"
    table.write_text(
        "participant_id\tvisit_baseline\tvisit_followup\n"
        + "".join(f"{n}\tses-BL\tRT\n" for n in (5, 6, 8))
        + "sub-0\tBL\tRT\nsub-99\tBL\tRT\n"
    )
    assert main(["repeatability", str(folder), "--pairs", str(table)]) == 0
    row = read(folder / "repeatability")["gm_change_percent"]
    assert (row["pairs"], row["selection"]) == ("4", "named in rescans.tsv")
    assert "Named, but not measured: 1 pair (sub-99 BL RT)." in capsys.readouterr().out


def test_what_was_not_measured_does_not_count(results):
    rows = simulated(5)
    rows.append({**row_of("failed", 9.0), "status": "failed"})
    folder = results(rows)
    assert main(["repeatability", str(folder)]) == 0
    assert read(folder / "repeatability")["gm_change_percent"]["pairs"] == "5"


def test_several_rescans_of_a_patient_are_pooled_within_the_patient(results):
    rows = [row_of("1", value, visits=("BL", f"R{n}")) for n, value in enumerate((0.3, 0.3, 0.3))]
    folder = results(rows)
    assert main(["repeatability", str(folder)]) == 0
    row = read(folder / "repeatability")["gm_change_percent"]
    # one baseline reads low, three rescans agree: 0, 0.3, 0.3, 0.3 about their mean, not 0.3 three times
    assert float(row["wsd_points"]) == pytest.approx(np.std([0, 0.3, 0.3, 0.3], ddof=1), abs=1e-4)
    assert row["degrees_of_freedom"] == "3"
    assert row["bias_points"] == "n/a"  # of one patient


def loop_rows(count, noise, rng):
    first_run, second_run = [], []
    for n in range(count):
        ab, bc = -rng.uniform(0, 2, 2)
        ac = 100 * ((1 + ab / 100) * (1 + bc / 100) - 1)
        ab, bc, ac = (x + rng.normal(0, noise) for x in (ab, bc, ac))
        first_run += [
            row_of(n, ab, visits=("M0", "M12"), days=365, se=noise),
            row_of(n, ac, visits=("M0", "M24"), days=730, se=noise),
        ]
        second_run.append(row_of(n, bc, visits=("M12", "M24"), days=365, se=noise))
    return first_run, second_run


def test_loops_over_two_runs_give_the_error_whatever_the_patients_lost(results, capsys):
    first, second = loop_rows(80, 0.2, np.random.default_rng(2))
    folders = [results(first, "from-M0"), results(second, "from-M12")]
    assert main(["repeatability", *map(str, folders)]) == 0
    row = read(folders[0] / "repeatability", "loops")["gm_change_percent"]
    assert (row["pairs"], row["degrees_of_freedom"]) == ("80", "80")
    assert float(row["wsd_points"]) == pytest.approx(0.2 / np.sqrt(2), rel=0.2)
    assert float(row["coverage_low_percent"]) < 95 < float(row["coverage_high_percent"])
    assert read(folders[0] / "repeatability") == {}
    said = capsys.readouterr().out
    assert "Loops of three visits: 80, of 80 patients." in said
    assert "closed the loop in" in said


def test_a_loop_that_cannot_be_closed_is_told_with_what_to_do(results, capsys):
    first, _ = loop_rows(3, 0.2, np.random.default_rng(3))
    folder = results([*first, *simulated(4)])
    assert main(["repeatability", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "Loops that cannot be closed: 3." in said
    assert "sub-0 from M12 to M24: run the study again with baseline: M12" in said


def test_a_change_that_closes_a_loop_is_no_further_measurement(results):
    rows = []
    for n in range(4):
        rows += [row_of(n, 0.2, visits=("A", "B")), row_of(n, 0.2, visits=("A", "C"))]
    more = [row_of(n, 0.0, visits=("B", "C")) for n in range(4)]
    alone, joined = results(rows, "alone"), results(more, "more")
    for folders in ([alone], [alone, joined]):
        assert main(["repeatability", *map(str, folders), "--output", str(alone.parent / "out")]) == 0
        row = read(alone.parent / "out")["gm_change_percent"]
        assert row["degrees_of_freedom"] == "8"
        assert float(row["wsd_points"]) == pytest.approx(0.2 / np.sqrt(3), abs=1e-4)


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        (
            [row_of(1, 0.1, days=700)],
            [],
            "none is a scan-rescan pair (visits at most 14 days apart; the nearest are 700",
        ),
        ([row_of(1, 0.1)], ["--within-days", "-1"], "--within-days: expected a number of days, 0 or more, got -1."),
        ([row_of(1, 0.1)], ["--within-days", "nan"], "--within-days: expected a number of days"),
        ([row_of(1, 0.1)], ["--pairs", "nowhere.tsv"], "nowhere.tsv cannot be read"),
        ([row_of(1, 0.1), row_of(2, 0.1, engines="change=fsl")], [], "made with different engines"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(results, capsys, rows, arguments, message):
    assert main(["repeatability", str(results(rows)), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_the_same_pair_in_two_folders_is_refused(results, capsys):
    folders = [results([row_of(1, 0.1)], name) for name in ("one", "two")]
    assert main(["repeatability", *map(str, folders)]) == 1
    assert "sub-1 BL RT is in" in capsys.readouterr().err


def test_a_folder_without_results_is_named(tmp_path, capsys):
    assert main(["repeatability", str(tmp_path)]) == 1
    assert "has no atrophy.tsv: name the output folder of a finished run." in capsys.readouterr().err


def test_a_cell_that_is_no_number_is_named(results, capsys):
    folder = results([row_of(1, 0.1)])
    path = folder / "atrophy.tsv"
    path.write_text(path.read_text().replace("0.1000", "0,1"))
    assert main(["repeatability", str(folder)]) == 1
    assert "line 2: column gm_change_percent has '0,1', expected a number or n/a." in capsys.readouterr().err


def test_two_pairs_are_too_few_and_it_is_said(results, capsys):
    folder = results(simulated(2))
    assert main(["repeatability", str(folder)]) == 0
    assert "too few to tell how far two scans differ; three are needed." in capsys.readouterr().out
    assert read(folder / "repeatability")["gm_change_percent"]["sdc_points"] == "n/a"


def test_a_run_that_joins_all_visits_closes_its_loops_itself(results, tmp_path, capsys):
    rng = np.random.default_rng(2)
    from_baseline, between = [], []
    for n in range(20):
        first, whole = (row_of(n, -change, visits=("BL", to), days=300) for change, to in ((1.0, "M6"), (2.0, "M12")))
        from_baseline += [first, whole]
        between.append(row_of(n, -1.0 + rng.normal(0, 0.2), visits=("M6", "M12"), days=300))
    folder = results(from_baseline)
    write_table(folder, "pairs", from_baseline + between, schema="atrophy")
    assert main(["repeatability", str(folder), "--output", str(tmp_path / "out")]) == 0, capsys.readouterr()
    assert read(tmp_path / "out", "loops")["gm_change_percent"]["pairs"] == "20"
