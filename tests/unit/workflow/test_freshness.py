from pathlib import Path

import pytest
import yaml

from graytrace.catalog import STEPS
from graytrace.study.config import load_config
from graytrace.workflow import freshness

DEFAULTS = yaml.safe_load((Path(__file__).resolve().parents[3] / "config.yaml").read_text())


def _codes(**sections):
    config = {**DEFAULTS, **{name: {**DEFAULTS[name], **values} for name, values in sections.items()}}
    return freshness.code_of_steps(load_config(config))


def test_every_step_of_the_workflow_has_a_code_of_its_own():
    codes = _codes()
    assert set(codes) == set(STEPS)
    assert len(set(codes.values())) == len(codes)


@pytest.mark.parametrize(
    ("section", "values", "changed"),
    [
        ("engines", {"segmentation": "fsl"}, {"segment_tissue"}),
        ("engines", {"change": "difference"}, {"measure_change"}),
        ("engines", {"skull_strip": "fsl"}, {"skull_strip"}),
        ("fsl", {"bet_fraction": 0.4}, set()),
    ],
)
def test_another_engine_changes_the_code_of_its_step_alone(section, values, changed):
    before, after = _codes(), _codes(**{section: values})
    assert {step for step in before if before[step] != after[step]} == changed


def test_an_option_counts_for_the_engine_that_has_it():
    chosen = {"engines": {"skull_strip": "fsl"}}
    before, after = _codes(**chosen), _codes(**chosen, fsl={"bet_fraction": 0.4})
    assert {step for step in before if before[step] != after[step]} == {"skull_strip"}
