"""Is a tool there, in a version that we know how to call."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from graytrace.engines.registry import STAGES, TASKS
from graytrace.engines.suites import (
    ants_version,
    first_version,
    fsl_version,
    require_programs,
    spm_version,
    version_key,
)
from graytrace.errors import ToolError
from graytrace.workflow import containers

PROJECT = Path(containers.__file__).parents[3]


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A folder on PATH with a program that says what it is told to."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(name, says=""):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho '{says}'\n")
        path.chmod(0o755)

    return write


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("6.0.7.4\n", "6.0.7.4"),
        ("6.0.5:9e026117", "6.0.5"),
        ("freesurfer-linux-centos7_x86_64-7.4.1-20230614-7eb8460", "7.4.1"),
        ("freesurfer-macOS-darwin_x86_64-8.0.0-20250228-1234567", "8.0.0"),
        ("nothing", None),
    ],
)
def test_a_version_is_found_in_what_suites_say(text, version):
    assert first_version(text) == version


def test_versions_are_compared_as_numbers():
    assert version_key("6.0.10") > version_key("6.0.9")
    assert version_key("6.0") >= (6, 0)


def test_antss_version_is_asked_from_the_program(program):
    program("antsRegistration", "ANTs Version: 2.5.4.post1-g0123abc")
    assert ants_version() == "2.5.4"
    program("antsRegistration", "usage")
    assert ants_version() is None


def test_a_suite_without_its_folder_has_no_version(monkeypatch, tmp_path):
    monkeypatch.delenv("FSLDIR", raising=False)
    assert fsl_version() is None
    monkeypatch.setenv("FSLDIR", str(tmp_path))
    assert fsl_version() is None


@pytest.mark.parametrize(
    ("says", "code"), [("ANTs Version: 2.1.0", "tool_too_old"), ("no idea", "tool_version_unknown")]
)
def test_a_version_that_is_too_old_or_unknown_is_refused(program, says, code):
    program("Atropos")
    program("antsRegistration", says)
    with pytest.raises(ToolError, match="install ANTs") as caught:
        require_programs("ants", ["Atropos", "antsRegistration"])
    assert caught.value.code == code
    assert not caught.value.about_data


def test_spm_has_a_version_only_where_octave_can_use_it(monkeypatch, tmp_path):
    monkeypatch.delenv("SPM_HOME", raising=False)
    assert spm_version() is None
    monkeypatch.setenv("SPM_HOME", str(tmp_path))
    (tmp_path / "Contents.m").write_text("% Statistical Parametric Mapping\n% Version 7771 (SPM12) 13-Jan-20\n")
    assert spm_version() is None
    (tmp_path / "tpm").mkdir()
    for name in ("spm_bsplinc.mex", "tpm/TPM.nii"):
        (tmp_path / name).touch()
    assert spm_version() == "12.7771"


def study(*, methods=(), runs=True, main=True, **engines):
    config = SimpleNamespace(
        engines={**dict.fromkeys(STAGES, "embedded"), **engines}, suites={"fsl": {"bet_fraction": 0.3}}
    )
    run = SimpleNamespace(
        check_envvars=runs, is_main_process=main, deployment_settings=SimpleNamespace(deployment_method=set(methods))
    )
    return config, run


def test_a_missing_tool_is_found_with_what_to_install_and_which_container_to_use(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        containers.choose_stages(*study(skull_strip="fsl"))
    assert "engines.skull_strip: fsl: bet is not installed" in str(caught.value)
    assert "install FSL" in str(caught.value)
    assert "containers/fsl.sif" in str(caught.value)


@pytest.mark.parametrize("where", [{"runs": False}, {"main": False}])
def test_only_the_process_that_plans_looks_for_tools(tmp_path, monkeypatch, where):
    monkeypatch.setenv("PATH", str(tmp_path))
    stages = containers.choose_stages(*study(skull_strip="fsl", **where))
    assert [stage.engine for stage in stages] == ["fsl", "embedded", "embedded"]
    assert stages[0].options == '{"bet_fraction": 0.3}'
    assert stages[0].container.endswith("fsl.sif")
    assert stages[1].container.endswith("embedded.sif")


def test_containers_without_apptainer_are_refused_with_a_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"Apptainer is not on PATH\. .* --profile profiles/installed"):
        containers.choose_stages(*study(methods=["apptainer"]))
    assert containers.choose_stages(*study(methods=["env-modules"]))


def test_with_containers_the_image_is_looked_for_not_the_tool(program, tmp_path, monkeypatch):
    program("apptainer")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(containers, "container_image", lambda suite: str(tmp_path / f"{suite}.sif"))
    (tmp_path / "embedded.sif").touch()
    config, run = study(methods=["apptainer"], change="fsl")
    with pytest.raises(SystemExit, match=r"fsl runs in the image .*fsl\.sif, which is not there\. Build it: apptainer"):
        containers.choose_stages(config, run)
    (tmp_path / "fsl.sif").touch()
    assert containers.choose_stages(config, run)[2].engine == "fsl"


def test_a_suite_without_an_image_is_refused_with_containers(program, tmp_path, monkeypatch):
    program("apptainer")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(containers, "container_image", lambda suite: str(tmp_path / f"{suite}.sif"))
    (tmp_path / "embedded.sif").touch()
    config, run = study(methods=["apptainer"], segmentation="spm")
    with pytest.raises(SystemExit, match="spm has no image"):
        containers.choose_stages(config, run)


def test_every_suite_has_an_image_with_a_license():
    images = containers._images()
    used = {engine.suite for task in TASKS.values() for engine in task.engines.values()}
    assert set(images) == used
    for suite, image in images.items():
        assert image["license"], suite
        assert image["recipe"] is None or (PROJECT / image["recipe"]).is_file(), suite
        assert (image["local"] is None) == (image["recipe"] is None), suite


def test_memory_is_the_rules_own_unless_the_engine_says_more():
    stages = containers.choose_stages(*study(main=False, segmentation="freesurfer"))
    assert stages[0].mem_mb(2200) == 2200
    assert stages[1].mem_mb(2200) == 16000
