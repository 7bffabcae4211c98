"""From records to tables, the trial's answer and the page of a study that joins all visits."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from six_visits import MONTHS, Trial

from graytrace.steps import aggregate_atrophy, dose_response, report
from graytrace.study.config import load_config
from graytrace.tables import columns, read_rows

PROJECT = Path(__file__).resolve().parents[3]
NAMES = [f"sub-{number:02}" for number in range(1, 13)]
TABLES = ("pairs", "trajectory", "slopes")


@pytest.fixture
def study(content, bids):
    """Twelve patients, three on each of four doses, who lose less with more of it; the third has no M6."""
    whole = yaml.safe_load((PROJECT / "config.yaml").read_text())
    whole["study"] |= content["study"] | {"followup": list(MONTHS)[1:], "window_months": None, "visits": "all"}
    whole["quality"]["limits"] = {}
    trial = Trial(whole, bids)
    for name in NAMES:
        trial.patient(name[4:], *(visit for visit in MONTHS if (name, visit) != ("sub-03", "M6")))
    doses = "".join(f"{name}\t{place // 3}\n" for place, name in enumerate(NAMES))
    (bids.root / "participants.tsv").write_text(f"participant_id\tdose\n{doses}")
    trial.finish(dict(zip(NAMES, np.linspace(-0.02, 0.002, 12), strict=True)), shared=0.1, own=0.1)
    trial.finish_pair("sub-07", "M6", "M12", -0.04)
    return trial


def run(study, **statistics):
    """The folder of results after all steps on the whole study."""
    study.content["statistics"] |= statistics
    config = load_config(study.content)
    folder = config.output_dir
    arguments = argparse.Namespace(config=config.as_json(), made_with="", atrophy=folder / "atrophy.tsv", blind=False)
    for step in (aggregate_atrophy, dose_response, report):
        step.run(arguments)
    return folder


def rows(folder, table):
    return [row.cells for row in read_rows(folder / f"{table}.tsv", required=[])]


def test_tables_have_a_row_for_everybody_and_a_description_of_each_column(study):
    folder = run(study)
    assert [row["participant_id"] for row in rows(folder, "slopes")] == NAMES
    assert len(rows(folder, "trajectory")) == 12 * len(MONTHS)
    assert len(rows(folder, "pairs")) == 11 * 9 + 7 + 1, "M6 of one is missing: its row in atrophy.tsv stays"
    assert len(rows(folder, "atrophy")) == 12 * 5
    for table in TABLES:
        described = json.loads((folder / f"{table}.json").read_text())
        assert list(described) == columns("atrophy" if table == "pairs" else table)
    assert set(json.loads((folder / "run.json").read_text())["tables"]) > {f"{table}.tsv" for table in TABLES}
    assert "slopes.tsv" in (folder / ".bidsignore").read_text().splitlines()


def test_the_same_records_give_the_same_bytes(study):
    folder = run(study)
    names = [*(f"{table}.tsv" for table in TABLES), "report.html", "methods.md", "run.json"]
    first = {name: (folder / name).read_bytes() for name in names}
    run(study)
    assert {name: (folder / name).read_bytes() for name in names} == first


def test_the_page_shows_every_visit_and_says_whose_loops_are_open(study):
    folder = run(study)
    page = (folder / "report.html").read_text()
    assert "Every visit" in page
    assert page.count("data:image/svg+xml") >= 3
    assert "pairs that close loops disagree: gray matter" in page
    assert "Without M6 (missing)." in page
    assert "12 patients had a slope, of 5 to 6 visits." in (folder / "methods.md").read_text()


def test_a_slope_may_be_the_outcome_of_the_trial(study):
    folder = run(study, outcome="gm_slope_percent_per_year", primary_test="jonckheere_terpstra")
    first = rows(folder, "dose_response")[0]
    assert (first["outcome"], first["visit_followup"], first["n"]) == ("gm_slope_percent_per_year", "all", "12")
    assert float(first["spearman_rho"]) > 0.8
    weighted = next(row for row in rows(folder, "trend") if row["item"] == "precision_weighted")
    errors = [float(row["gm_slope_se_points_per_year"]) for row in rows(folder, "slopes")]
    assert f"standard errors {min(errors):.2g} to {max(errors):.2g}" in weighted["note"]
    page = (folder / "report.html").read_text()
    assert "lose less gray matter through all visits from BL on?" in page
    assert "12 of 12 planned patients were measured." in page
    assert "Nobody: every planned patient is in the result above." in page


def test_who_has_no_slope_is_withheld_from_that_answer(study):
    study.patient("13", "M3")
    folder = run(study, outcome="gm_slope_percent_per_year")
    page = (folder / "report.html").read_text()
    assert "1 of 13 is in no number of the result above" in page
    assert "A slope needs two visits" in page


def test_tables_of_a_run_that_joined_all_visits_do_not_outlive_it(study):
    folder = run(study)
    study.content["study"]["visits"] = "baseline"
    assert run(study) == folder
    assert not [path.name for table in TABLES for path in folder.glob(f"{table}.*")]
    assert "Every visit" not in (folder / "report.html").read_text()
    assert "slopes.tsv" not in (folder / ".bidsignore").read_text()
