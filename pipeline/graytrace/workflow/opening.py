"""Opening, watching and closing a run: configuration, plan, what is outdated, the last lines."""

from __future__ import annotations

import atexit
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graytrace import __version__
from graytrace.engines.registry import check_engines
from graytrace.errors import PipelineError
from graytrace.files import remove_parts
from graytrace.results import collection
from graytrace.study import questions
from graytrace.study.config import Config, load_config
from graytrace.study.exclusions import Exclusions
from graytrace.study.plan import Plan, plan_study
from graytrace.workflow.freshness import (
    STUDY_FILES,
    changed_results,
    changed_tables,
    code_of_steps,
    is_study_outdated,
    missing_records,
    outdated_records,
    replaced_sources,
    study_digest,
)
from graytrace.workflow.lock import lock_folder
from graytrace.workflow.oversight import end_trail, lacks_blinded_page
from graytrace.workflow.project import DEFAULTS, PACKAGE

_DEFAULT_JOB_STARTS = (100, 1.0)  # and within how many seconds


def open_study(content: Mapping[str, Any], workflow: Any) -> tuple[Config, Plan, dict[str, str]]:
    """The configuration and the plan of a study, and the code of each step from `freshness.code_of_steps`.

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
    config_files = [DEFAULTS, *workflow.overwrite_configfiles]
    try:
        config = load_config(content, config_files)
        check_engines(config.engines, config.suites)
        can_run = workflow.check_envvars
        if can_run:
            questions.check_questions(config)
        plan = plan_study(config, whole=not workflow.remote_exec) if can_run else Plan(config, None, Exclusions())
    except PipelineError as error:
        sys.exit(f"Graytrace: {error}")
    return config, plan, code_of_steps(config)


def lift_start_limit(workflow: Any) -> None:
    """Take Snakemake's default limit of 100 job starts a second away; one that a user sets stays.

    With a limit, Snakemake 9 sets a timer of a second whenever it selected jobs; each timer selects again and sets the
    next. So every finished job adds one selection a second to the rest of the run: a fifth of a core after 100 jobs.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
        About to run: its settings and its scheduler do not exist earlier.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit is not None and (limit.max_jobs, limit.timespan) == _DEFAULT_JOB_STARTS:
        workflow.scheduler.job_rate_limiter = None


def planned_records(config: Config, plan: Plan, codes: Mapping[str, str], workflow: Any) -> list[str]:
    """Last records of every scan and pair; what other code, engines or options made is marked to be recomputed.

    It is marked while Snakemake makes its graph, in the way that ``--forcerun`` marks files, for a whole run only. New
    code and options count only where Snakemake itself would look at parameters (``--rerun-triggers``), other content of
    the data set's files always.

    Parameters
    ----------
    codes : mapping
        From `graytrace.workflow.freshness.code_of_steps`.
    workflow : snakemake.workflow.Workflow
    """
    if workflow.is_main_process and not workflow.remote_exec:
        looks = "params" in {str(trigger) for trigger in workflow.dag_settings.rerun_triggers}
        again = outdated_records(plan, codes) if looks else []
        if again:
            print(  # noqa: T201 - Snakemake's own messages go there
                f"{len(again)} steps were done by another version of Graytrace, another engine or with other options: "
                "they are recomputed.",
                file=sys.stderr,
            )
        replaced = [path for path in replaced_sources(plan) if path not in again]
        if replaced:
            print(  # noqa: T201 - as above
                f"{len(replaced)} steps were done on files with other content than now: they are done anew.",
                file=sys.stderr,
            )
        again += replaced
        found = [*changed_results(plan), *changed_tables(plan)] if looks else []
        changed = [path for path in found if path not in again]
        if changed:
            names = questions.name_some([str(Path(path).relative_to(config.output_dir)) for path in changed])
            print(  # noqa: T201 - as above
                f"Changed or removed since they were written, and made anew: {names}.",
                file=sys.stderr,
            )
        again += [*changed, *missing_records(plan)]
        if looks and is_study_outdated(config.output_dir, study_digest(config, plan, codes)):
            again += [str(config.output_dir / name) for name in STUDY_FILES.values()]
        if lacks_blinded_page(config):
            again.append(str(config.output_dir / STUDY_FILES["report"]))
        workflow.dag.forcefiles.update(again)
    return plan.records()


def asked_tables(config: Config) -> list[str]:
    """The data set's tables that the trial's question is asked of, where they are there."""
    return [str(path) for path in questions.asked_tables(config) if path.is_file()]


def job_environment() -> str:
    """Shell text before each job: outside a container, this Snakemake's Python and package.

    In a container its own Python and package count; the version to expect goes with the job, and the command compares.
    """
    bin_dir, packages = shlex.quote(str(Path(sys.executable).parent)), shlex.quote(str(PACKAGE.parent))
    inside = '[ -n "${APPTAINER_CONTAINER:-}${SINGULARITY_CONTAINER:-}" ]'
    ours = f"export PATH={bin_dir}:$PATH PYTHONPATH={packages}"
    text = f"export GRAYTRACE_VERSION={__version__}; if {inside}; then unset PYTHONPATH; else {ours}; fi; "
    return text.replace("{", "{{").replace("}", "}}")  # Snakemake fills in what stands in single braces


def begin_run(config: Config, plan: Plan, workflow: Any) -> None:
    """Take the results' folder for this run, tidy up after one that was killed, say what is planned, show progress.

    Raises
    ------
    SystemExit
        Another run works there, or the folder cannot be written.
    """
    from graytrace.workflow.progress import show_progress  # noqa: PLC0415 - the processes of single jobs do not need it

    try:
        lock = lock_folder(config.output_dir)
    except PipelineError as error:
        sys.exit(f"Graytrace: {error}")
    atexit.register(lock.release)
    if lock.is_after_crash:
        remove_parts(config.output_dir)
    lift_start_limit(workflow)
    joins = [] if config.blind else questions.describe_joins(config, plan.participants)  # they name doses
    lines = [plan.summary(), *plan.notes(), *joins]
    print("\n".join(lines), file=sys.stderr)  # noqa: T201 - Snakemake's own messages go there
    show_progress(workflow)


def end_run(config: Config, *, unfinished: bool = False, is_blind: bool = False) -> None:
    """Print the last lines of a run; after an error the tables are made from what there is.

    Parameters
    ----------
    config : Config
    unfinished : bool
        Whether something broke.
    is_blind : bool
        Whether doses, IDs and the order of visits are hidden.
    """
    from graytrace.workflow.progress import hide_progress  # noqa: PLC0415 - the processes of single jobs do not need it

    hide_progress()
    if unfinished:
        atrophy = ["--atrophy", str(config.output_dir / "atrophy.tsv")]
        blind = ["--blind"] if is_blind else []
        for step, more in (("aggregate_atrophy", []), ("dose_response", [*atrophy, *blind]), ("report", blind)):
            command = [sys.executable, "-m", "graytrace", step, "--config", config.as_json(), *more]
            if subprocess.run(command, check=False, cwd=PACKAGE.parent).returncode:  # noqa: S603 - our own command, no shell
                break
    print(  # noqa: T201 - Snakemake's own messages go there
        f"{collection.summarize_run(config.output_dir)}\n{end_trail(config, is_whole=not unfinished)}", file=sys.stderr
    )
