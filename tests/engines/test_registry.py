import importlib

import pytest

from graytrace.engines.registry import STAGES, TASKS, check_engines, code_behind, engine_of, stage_options
from graytrace.engines.suites import SUITES
from graytrace.errors import ConfigError
from graytrace.workflow.fingerprint import _source_path

EVERY = [(task, name) for task, content in TASKS.items() for name in content.engines]
EMBEDDED = dict.fromkeys(STAGES, "embedded")


@pytest.mark.parametrize(
    ("stage", "engine", "available"),
    [
        ("skull_strip", "samseg", "embedded, fsl, ants, freesurfer, deepbet"),
        ("segmentation", "deepbet", "embedded, fsl, ants, freesurfer, samseg, spm"),
        ("change", "ants", "embedded, difference, fsl, freesurfer"),
    ],
)
def test_an_engine_that_does_another_stage_is_refused_with_those_that_do_this_one(stage, engine, available):
    with pytest.raises(
        ConfigError, match=rf"engines\.{stage}: {engine} does not do this stage; available: {available}"
    ):
        engine_of(stage, engine)


def test_a_misspelled_engine_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean embedded"):
        check_engines({**EMBEDDED, "skull_strip": "embeded"}, {})


def test_an_engine_without_an_option_that_it_needs_is_refused_before_anything_runs():
    engines = {**EMBEDDED, "skull_strip": "ants"}
    with pytest.raises(ConfigError, match=r"ants\.template is not set"):
        check_engines(engines, {"ants": {"template": None}})
    check_engines(engines, {"ants": {"template": "t.nii", "template_brain_probability": "p.nii"}})


def test_a_stage_gets_the_options_of_its_own_engine_and_no_others():
    sections = {"fsl": {"bet_fraction": 0.4, "time_limit_hours": None}, "ants": {"template": "t.nii"}}
    assert stage_options("skull_strip", "fsl", sections) == {"bet_fraction": 0.4}
    assert stage_options("skull_strip", "embedded", sections) == {}
    assert stage_options("segmentation", "fsl", sections) == {}


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_the_code_behind_a_task_exists(task, name):
    module, *_ = code_behind(task, name)
    assert _source_path(module)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_an_interface_offers_what_its_task_wants_and_describes_every_trait(task, name):
    engine = engine_of(task, name)
    module, _, class_name = engine.interface.partition(":")
    interface = getattr(importlib.import_module(module), class_name)()
    outputs = set(interface.output_spec().copyable_trait_names())
    inputs = set(interface.inputs.copyable_trait_names())
    assert set(TASKS[task].images) - set(engine.without) <= outputs
    assert not set(engine.without) & outputs
    assert set(engine.options) <= inputs
    if TASKS[task].grid_of:
        assert TASKS[task].grid_of in inputs
    for spec in (interface.inputs, interface.output_spec()):
        for trait in spec.copyable_trait_names():
            assert spec.trait(trait).desc, f"{class_name}.{trait}"


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_an_engine_of_another_suite_names_its_programs_and_can_be_ended(task, name):
    engine = engine_of(task, name)
    if engine.suite == "embedded":
        assert not engine.commands
    else:
        assert engine.suite in SUITES
        assert engine.commands
        assert "time_limit_hours" in engine.options
