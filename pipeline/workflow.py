"""What the Snakefile asks of Python: configuration, plan, the code behind a rule, the last lines of a run."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.engines.registry import EMBEDDED, check_engines, code_behind
from pipeline.errors import PipelineError
from pipeline.provenance import code_fingerprint
from pipeline.study import results
from pipeline.study.config import Config, load_config
from pipeline.study.exclusions import Exclusions
from pipeline.study.plan import Plan, plan_study


def open_study(content: Mapping[str, Any], workflow: Any) -> tuple[Config, Plan]:
    """The configuration and the plan of a study.

    Parameters
    ----------
    content : mapping
        Snakemake's merged configuration.
    workflow : snakemake.workflow.Workflow
        Says from which files it was merged, and what this process is for: where nothing can run (``snakemake --lint``)
        the plan is empty, and a job on a cluster plans its own patient only.

    Raises
    ------
    SystemExit
        With the words of our own error and exit code 1: anything else Snakemake would print with a traceback.
    """
    config_files = [Path(workflow.basedir) / "config.yaml", *workflow.overwrite_configfiles]
    try:
        config = load_config(content, config_files)
        check_engines(config.engines)
        can_run = workflow.check_envvars
        plan = plan_study(config, whole=not workflow.remote_exec) if can_run else Plan(config, None, Exclusions())
    except PipelineError as error:
        sys.exit(f"Graytrace: {error}")
    return config, plan


def code_of(step: str, task: str | None = None, engine: str = EMBEDDED) -> str:
    """Digest of the code behind a step, for its rule's ``params``: another code, another result.

    Parameters
    ----------
    step : str
        The rule.
    task, engine : str
        What the step asks of which engine.
    """
    behind = code_behind(task, engine) if task else ()
    return code_fingerprint(f"pipeline.steps.{step}", *behind)


def job_environment(project: Path | str) -> str:
    """Shell text before each job: outside a container, this Snakemake's Python and this checkout's package."""
    bin_dir, root = shlex.quote(str(Path(sys.executable).parent)), shlex.quote(str(project))
    inside = '[ -n "${APPTAINER_CONTAINER:-}${SINGULARITY_CONTAINER:-}" ]'
    text = f"{inside} || export PATH={bin_dir}:$PATH PYTHONPATH={root}; "
    return text.replace("{", "{{").replace("}", "}}")  # Snakemake fills in what stands in single braces


def container_image(engine: str) -> str:
    """The image of an engine, from containers/images.yaml: published, or built at the site."""
    folder = Path(__file__).resolve().parent.parent / "containers"
    image = yaml.safe_load((folder / "images.yaml").read_text(encoding="utf-8"))[engine]
    return str(image["reference"] or folder / image["local"])


def summarize_run(config: Config, *, unfinished: bool = False) -> str:
    """The last lines of a run; after an error the tables are made from what there is."""
    if unfinished:
        command = [sys.executable, "-m", "pipeline", "aggregate_atrophy", "--config", config.as_json()]
        root = Path(__file__).resolve().parent.parent
        subprocess.run(command, check=False, cwd=root)  # noqa: S603 - our own command, no shell
    return results.summarize_run(config.output_dir)
