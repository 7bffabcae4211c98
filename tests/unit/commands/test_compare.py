import csv

import pytest
import yaml

from graytrace.cli import main
from graytrace.commands import compare as command

HEADER = ["participant_id", "status", "visit_baseline", "visit_followup", "gm_change_percent", "gm_volume_baseline_ml"]


@pytest.fixture
def finished(tmp_path):
    """Write a finished run: patient to change, None where it failed."""

    def write(name, changes, seconds=10.0):
        folder = tmp_path / name
        folder.mkdir()
        rows = [[*HEADER, "engines"]]
        for patient, change in changes.items():
            status = "failed" if change is None else "ok"
            numbers = ["n/a", "n/a"] if change is None else [str(change), "600.5"]
            rows.append([patient, status, "BL", "M24", *numbers, f"change={name}"])
        (folder / "atrophy.tsv").write_text("\n".join("\t".join(row) for row in rows) + "\n")
        for patient in changes:
            path = folder / "benchmarks" / patient / "ses-BL_ses-M24" / "measure_change.tsv"
            path.parent.mkdir(parents=True)
            path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:10\t{100 * seconds}\n")
        return folder

    return write


def table(folder, name):
    with (folder / f"{name}.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_two_finished_runs_are_set_side_by_side(finished, tmp_path, capsys):
    changes = {"sub-1": -1.0, "sub-2": -2.0, "sub-3": -0.5, "sub-4": -3.0, "sub-5": None}
    first = finished("embedded", changes)
    second = finished("fsl", {**{name: value and value + 0.2 for name, value in changes.items()}, "sub-4": None}, 20)
    out = tmp_path / "out"
    assert main(["compare", str(out), "--results", f"own={first}", f"fsl={second}"]) == 0
    row = next(row for row in table(out, "agreement") if row["measure"] == "gm_change_percent")
    assert (row["first"], row["second"], row["pairs"], row["bias"]) == ("own", "fsl", "3", "0.2000")
    assert next(row for row in table(out, "agreement") if row["measure"] == "icv_baseline_ml")["bias"] == "n/a"
    costs = {(row["run"], row["rule"]): row for row in table(out, "costs")}
    assert costs["fsl", "measure_change"]["seconds_median"] == "20.0"
    assert costs["own", "all"]["memory_largest_mb"] == "1000"
    assert {row["jobs"] for row in costs.values()} == {"3"}  # the patients that both measured
    statuses = {(row["participant_id"], row["run"]): row["status"] for row in table(out, "compared_patients")}
    assert statuses["sub-4", "fsl"] == "failed"
    assert (out / "agreement.png").stat().st_size > 1000
    said = capsys.readouterr().out
    assert "gm_change_percent, fsl minus own, 3 patients: +0.20" in said
    assert "fsl: 3 of 5 measured; change=fsl" in said


@pytest.mark.parametrize("seconds", ["-3.0", "nan", "NA", "inf"])
def test_a_job_whose_seconds_cannot_be_stops_no_comparison(finished, tmp_path, seconds):
    changes = {"sub-1": -1.0, "sub-2": -2.0, "sub-3": -0.5}
    first, second = finished("embedded", changes), finished("fsl", changes)
    path = first / "benchmarks" / "sub-1" / "ses-BL_ses-M24" / "measure_change.tsv"
    path.write_text(path.read_text().replace("10.0\t", f"{seconds}\t"))
    out = tmp_path / "out"
    assert main(["compare", str(out), "--results", f"own={first}", f"fsl={second}"]) == 0
    assert {row["run"]: row["jobs"] for row in table(out, "costs")} == {"own": "2", "fsl": "3"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--results", "a=nowhere", "b=nowhere"], "has no atrophy.tsv"),
        (["--results", "a=nowhere"], "two runs or more"),
        (["--results", "a=x", "a=y"], "same name"),
        (["--engines", "a:", "b:change=difference"], "--configfile"),
        (["--engines", "a:", "b:color=difference"], "is not STAGE=ENGINE"),
        (["--results", "a/b=x", "c=y"], "no name for a run"),
    ],
)
def test_a_wrong_call_is_one_sentence(arguments, message, tmp_path, capsys):
    assert main(["compare", str(tmp_path / "out"), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_runs_are_made_with_the_studys_configuration_and_other_engines(finished, tmp_path, monkeypatch):
    finished_runs = {name: finished(name, {"sub-1": -1.0, "sub-2": -2.0, "sub-3": -1.5}) for name in ("own", "plain")}
    (tmp_path / "bids").mkdir()
    (tmp_path / "my.yaml").write_text("study: {bids_dir: bids, output_dir: elsewhere}\nfsl: {bet_fraction: 0.3}\n")
    out = tmp_path / "out"
    made = {}

    def run_workflow(name, path, cores):
        made[name] = yaml.safe_load(path.read_text())
        finished_runs[name].rename(out / name)
        assert cores == 2

    monkeypatch.setattr(command, "_run_workflow", run_workflow)
    engines = ["own:", "plain:change=difference"]
    arguments = ["compare", str(out), "--configfile", str(tmp_path / "my.yaml"), "--cores", "2", "--engines", *engines]
    assert main(arguments) == 0
    assert made["own"]["engines"] == {"skull_strip": "embedded", "segmentation": "embedded", "change": "embedded"}
    assert made["plain"]["engines"]["change"] == "difference"
    assert made["plain"]["study"]["output_dir"] == str(out / "plain")
    assert made["plain"]["study"]["bids_dir"] == str(tmp_path / "bids")
    assert made["plain"]["fsl"]["bet_fraction"] == 0.3
