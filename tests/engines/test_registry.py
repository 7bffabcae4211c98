import importlib

import pytest

from pipeline.engines.registry import STAGES, TASKS, check_engines, code_behind, interface_of
from pipeline.errors import ConfigError
from pipeline.provenance import _source_path


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("engine", ["fsl", "ants", "freesurfer"])
def test_an_engine_of_a_later_version_is_refused_with_those_that_are_there(stage, engine):
    with pytest.raises(
        ConfigError, match=rf"engines\.{stage}: {engine} is not available in this version; available: embedded"
    ):
        interface_of(stage, engine)


def test_a_misspelled_engine_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean embedded"):
        check_engines({"skull_strip": "embeded", "segmentation": "embedded", "change": "embedded"})


@pytest.mark.parametrize("task", TASKS)
def test_the_code_behind_a_task_exists(task):
    module, *_ = code_behind(task, "embedded")
    assert _source_path(module)


@pytest.mark.parametrize("task", TASKS)
def test_an_interface_offers_what_its_task_wants_and_describes_every_trait(task):
    module, _, name = interface_of(task, "embedded").partition(":")
    interface = getattr(importlib.import_module(module), name)()
    outputs = interface.output_spec().copyable_trait_names()
    assert {*TASKS[task].images, *TASKS[task].optional} <= set(outputs)
    if TASKS[task].grid_of:
        assert TASKS[task].grid_of in interface.inputs.copyable_trait_names()
    for spec in (interface.inputs, interface.output_spec()):
        for trait in spec.copyable_trait_names():
            assert spec.trait(trait).desc, f"{name}.{trait}"
