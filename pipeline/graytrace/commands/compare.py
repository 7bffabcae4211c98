"""``graytrace compare``: engines side by side on the same patients."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from graytrace.engines.registry import STAGES, check_engines
from graytrace.errors import ConfigError, PipelineError
from graytrace.files import write_text
from graytrace.report.agreement import Panel, draw_agreement
from graytrace.results.comparison import Run, agreement_rows, cost_rows, patient_rows, read_run, shared_values
from graytrace.study.config import load_config, merge_configs, read_config
from graytrace.tables import write_table
from graytrace.workflow.project import DEFAULTS, SNAKEFILE

_NAME = re.compile(r"[A-Za-z0-9_+-]+")
_DRAWN = ("gm_change_percent", "brain_change_percent", "gm_volume_baseline_ml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("out", type=Path, help="folder for the tables and the figure")
    parser.add_argument(
        "--results",
        nargs="+",
        default=[],
        metavar="NAME=FOLDER",
        help="output folders of finished runs on the same patients",
    )
    parser.add_argument("--configfile", type=Path, help="configuration of the study that --engines changes and runs")
    parser.add_argument(
        "--engines",
        nargs="+",
        default=[],
        metavar="NAME:STAGE=ENGINE[,STAGE=ENGINE]",
        help="runs to make first, for example fsl:segmentation=fsl,change=difference own:",
    )
    parser.add_argument("--cores", type=int, default=1, help="for the runs to make")


def run(args: argparse.Namespace) -> None:
    """Compare runs, after making those that are asked for."""
    out: Path = args.out.absolute()
    wanted = [_parse_engines(text) for text in args.engines]
    finished = [_parse_result(text) for text in args.results]
    names = [name for name, _ in (*finished, *wanted)]
    if len(set(names)) < len(names):
        raise ConfigError(f"Two runs have the same name: {', '.join(names)}.")
    if len(names) < 2:
        raise ConfigError("A comparison needs two runs or more: name them with --results, --engines or both.")
    if wanted and args.configfile is None:
        raise ConfigError("--engines changes and runs the study of --configfile: name it.")
    configs = {name: _write_config(args.configfile, engines, out / name) for name, engines in wanted}
    for name, path in configs.items():
        _run_workflow(name, path, args.cores)
    runs = [read_run(name, folder) for name, folder in (*finished, *((name, out / name) for name in configs))]
    write_comparison(out, runs)
    sys.stdout.write(summarize(runs, out))


def _parse_result(text: str) -> tuple[str, Path]:
    name, separator, folder = text.partition("=")
    if not separator:
        name, folder = Path(text).resolve().name, text
    return _checked(name, text), Path(folder).absolute()


def _parse_engines(text: str) -> tuple[str, dict[str, str]]:
    """Name and engines of ``NAME:STAGE=ENGINE,…``; without engines it is the study as configured."""
    name, _, choices = text.partition(":")
    engines = {}
    for choice in filter(None, choices.split(",")):
        stage, separator, engine = choice.partition("=")
        if not separator or stage not in STAGES:
            raise ConfigError(f"--engines {text}: {choice!r} is not STAGE=ENGINE with one of {', '.join(STAGES)}.")
        engines[stage] = engine
    return _checked(name, text), engines


def _checked(name: str, text: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{text}: {name!r} is no name for a run (letters, digits, _, + and -).")
    return name


def _write_config(configfile: Path, engines: Mapping[str, str], folder: Path) -> Path:
    """The study's configuration with other engines and another output folder, as a file beside that folder."""
    content = merge_configs(read_config(DEFAULTS), read_config(configfile))
    content["engines"] = {**content["engines"], **engines}
    config = load_config(content, [DEFAULTS, configfile])
    check_engines(config.engines, config.suites)
    chosen = config.as_dict()
    chosen["study"]["output_dir"] = str(folder)
    path = folder.with_suffix(".yaml")
    write_text(path, yaml.safe_dump(chosen, sort_keys=False, allow_unicode=True))
    return path


def _run_workflow(name: str, configfile: Path, cores: int) -> None:
    sys.stderr.write(f"compare: running {name}\n")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--cores", str(cores)]
    done = subprocess.run(  # noqa: S603 - our own command, no shell
        [*command, "--configfile", str(configfile)], cwd=configfile.parent, check=False
    )
    if done.returncode:
        raise PipelineError(
            f"The run {name} did not finish (exit code {done.returncode}); its messages are above. The same command "
            "goes on where it stopped."
        )


def write_comparison(out: Path, runs: Sequence[Run]) -> None:
    """Write the tables and the figure."""
    write_table(out, "compared_patients", patient_rows(runs))
    write_table(out, "agreement", agreement_rows(runs))
    write_table(out, "costs", cost_rows(runs))
    panels = []
    for measure in _DRAWN:
        for index, first in enumerate(runs):
            for second in runs[index + 1 :]:
                _, a, b = shared_values(first, second, measure)
                panels.append(Panel(measure, first.name, second.name, a, b))
    draw_agreement(out / "agreement.png", panels, columns=len(runs) * (len(runs) - 1) // 2)


def summarize(runs: Sequence[Run], out: Path) -> str:
    """What was compared and found, for the terminal."""
    lines = [f"{run.name}: {len(run.values)} of {len(run.statuses)} measured; {run.engines}" for run in runs]
    lines.append("")
    for row in agreement_rows(runs):
        what = f"{row['measure']}, {row['second']} minus {row['first']}"
        if "bias" not in row:
            lines.append(f"{what}: {row['pairs']} measured by both, too few to compare")
            continue
        what += f", {row['pairs']} patients"
        icc = f", ICC(2,1) {row['icc_agreement']:.2f}" if "icc_agreement" in row else ""
        lines.append(
            f"{what}: {row['bias']:+.2f} (95 % of patients within {row['lower']:+.2f} to {row['upper']:+.2f}){icc}"
        )
    lines.append("")
    for row in cost_rows(runs):
        if row["rule"] == "all":
            memory = f", at most {row['memory_largest_mb']:.0f} MB" if row["memory_largest_mb"] else ""
            lines.append(f"{row['run']}: {row['jobs']} jobs, {row['seconds_total'] / 60:.1f} minutes together{memory}")
    lines.append(f"Tables and figure: {out}")
    return "\n".join(lines) + "\n"
