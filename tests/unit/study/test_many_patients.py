"""A thousand patients cost a thousand times what one costs: no table is searched anew for each of them."""

import cProfile
import importlib.util
import pstats
from pathlib import Path

import pytest

from graytrace import __version__
from graytrace.results.collection import collect_results
from graytrace.study.config import load_config, read_config
from graytrace.study.plan import plan_study
from graytrace.workflow.freshness import code_of_steps

ROOT = Path(__file__).resolve().parents[3]
FEW, MANY = 5, 30
GROWTH = 1.05  # sorting, and parts of a table, grow a little faster than their length
CALLS = 9_000  # of Python functions for a patient; about 8,700 since each structure has its row, 4 ms


@pytest.fixture(scope="module")
def scale():
    """The benchmark of large studies, whose simulated data set this uses."""
    spec = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks" / "scale.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def study(scale, tmp_path):
    """A study of so many patients with the records of finished steps: its configuration."""

    def make(patients):
        folder = tmp_path / str(patients)
        scale.write_data_set(folder / "bids", patients)
        content = read_config(ROOT / "config.yaml")
        content["study"].update(bids_dir=str(folder / "bids"), output_dir=str(folder / "out"))
        config = load_config(content)
        scale.write_records(plan_study(config), code_of_steps(config))
        return config

    return make


def calls(work, config):
    """Function calls of some work, which do not depend on who else uses the machine."""
    profile = cProfile.Profile()
    profile.runcall(work, config)
    return pstats.Stats(profile).total_calls


def plan(config):
    """What the Snakefile asks of the plan."""
    planned = plan_study(config)
    planned.digest()
    planned.records()
    for scan in planned.scans:
        name = scan.participant_id.removeprefix("sub-")
        planned.t1w(name, scan.visit)
        planned.scan_record(name, scan.visit, "image")
        planned.pair_records(name, config.baseline, config.followups[0], steps=["inspect", "skull_strip", "image"])


def aggregate(config):
    """The tables from the records."""
    collect_results(plan_study(config), config.engines, __version__, quality=config.quality)


@pytest.mark.parametrize("work", [plan, aggregate])
def test_the_work_for_a_patient_does_not_grow_with_the_study(study, work):
    few, many = study(FEW), study(MANY)
    work(few)  # what is done once for a process
    of_few, of_many = calls(work, few) / FEW, calls(work, many) / MANY
    assert of_many < GROWTH * of_few
    assert of_many < CALLS
