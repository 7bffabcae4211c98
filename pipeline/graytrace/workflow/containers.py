"""Which engine and which container image each stage of a study has, and whether they are there."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from graytrace.engines.registry import EMBEDDED, STAGES, engine_of, stage_options
from graytrace.engines.suites import require_programs
from graytrace.errors import ConfigError, PipelineError, ToolError
from graytrace.study.config import Config
from graytrace.workflow.project import CONTAINERS

# Snakemake takes either
_CONTAINER_PROGRAMS = ("apptainer", "singularity")
_WITHOUTCONTAINERS = "or use what is installed: --sdm env-modules, or --profile profiles/installed after another"


@dataclass(frozen=True)
class Stage:
    """What a rule whose engine the study chooses needs to know.

    Parameters
    ----------
    engine : str
    container : str
        Image with that engine and Graytrace in it.
    options : str
        The engine's options as JSON.
    engine_mem_mb : int or None
        Memory that the engine is known to need; None where the rule knows.
    """

    engine: str
    container: str
    options: str
    engine_mem_mb: int | None

    def mem_mb(self, embedded_mb: int) -> int:
        """Memory to ask for: `embedded_mb` was measured for the embedded engine."""
        return self.engine_mem_mb or embedded_mb


def choose_stages(config: Config, workflow: Any) -> list[Stage]:
    """The stages in the order of `graytrace.engines.registry.STAGES`, after a look at whether their tools are there.

    The look is taken once, before the first job, where jobs are planned: not in the processes of single jobs, which
    check for themselves, and not for ``snakemake --lint``, which runs nothing.

    Parameters
    ----------
    config : Config
    workflow : snakemake.workflow.Workflow

    Raises
    ------
    SystemExit
        A tool or an image is absent.
    """
    methods = {str(method) for method in workflow.deployment_settings.deployment_method}
    try:
        if workflow.check_envvars and workflow.is_main_process:
            for stage in STAGES:
                check_stage(stage, config.engines[stage], contained="apptainer" in methods)
    except PipelineError as error:
        sys.exit(f"Graytrace: {error}")
    return [
        Stage(
            engine=name,
            container=container_image((engine := engine_of(stage, name)).suite),
            options=json.dumps(stage_options(stage, name, config.suites)),
            engine_mem_mb=engine.mem_mb,
        )
        for stage, name in ((stage, config.engines[stage]) for stage in STAGES)
    ]


def check_stage(stage: str, name: str, *, contained: bool) -> None:
    """Make sure that a stage's tools are there: as an image with ``--sdm apptainer``, on PATH otherwise.

    Raises
    ------
    ConfigError
        They are not, with what to install or build.
    """
    suite = engine_of(stage, name).suite
    if contained:
        if not any(map(shutil.which, _CONTAINER_PROGRAMS)):
            raise ConfigError(
                "Steps are asked to run in containers (--sdm apptainer, or software-deployment-method in the profile), "
                f"but Apptainer is not on PATH. Load or install it, {_WITHOUTCONTAINERS}."
            )
        if not _has_image(suite):
            raise ConfigError(
                f"engines.{stage}: {name} has no image in containers/images.yaml: give it a reference there, "
                f"{_WITHOUTCONTAINERS}."
            )
        image = container_image(suite)
        if "://" not in image and not Path(image).is_file():
            raise ConfigError(
                f"engines.{stage}: {name} runs in the image {image}, which is not there. Build it: "
                f"apptainer build {image} {_images()[suite]['recipe']} (see containers/README.md), "
                f"{_WITHOUTCONTAINERS}."
            )
    elif suite != EMBEDDED:
        try:
            require_programs(suite, engine_of(stage, name).commands)
        except ToolError as error:
            image = f"\nOr use its container: build containers/{_images()[suite]['local']} and call snakemake with "
            image += "--sdm apptainer (see containers/README.md)."
            message = f"engines.{stage}: {name}: {error}{image if _has_image(suite) else ''}"
            raise ConfigError(message) from error


def _images() -> Mapping[str, Mapping[str, Any]]:
    """The images of containers/images.yaml by suite."""
    content: Mapping[str, Mapping[str, Any]] = yaml.safe_load((CONTAINERS / "images.yaml").read_text(encoding="utf-8"))
    return content


def _has_image(suite: str) -> bool:
    image = _images()[suite]
    return bool(image["reference"] or image["local"])


def container_image(suite: str) -> str:
    """The image with a suite and Graytrace in it, from containers/images.yaml: published, or built at the site.

    A suite without an image has the embedded one here, which nobody enters: `choose_stages` refuses it before.
    """
    image = _images()[suite if _has_image(suite) else EMBEDDED]
    return str(image["reference"] or CONTAINERS / image["local"])
