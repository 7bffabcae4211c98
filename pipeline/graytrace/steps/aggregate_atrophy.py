"""Put the tables of results together, with a row for every planned patient and scan."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graytrace import __version__
from graytrace.files import file_sha256, write_json
from graytrace.results.collection import Results, collect_results
from graytrace.results.derivative import write_derivative
from graytrace.steps.arguments import add_config_argument, config_of
from graytrace.study.config import Config
from graytrace.study.plan import plan_study
from graytrace.tables import write_table
from graytrace.versions import package_versions, required_distributions

TABLES = ("quality", "lesions", "volumes", "structures", "atrophy")
_SCHEMAS = {"pairs": "atrophy"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_config_argument(parser)
    parser.add_argument("--made-with", default="", help="digest of code and configuration, to be kept in run.json")


def run(args: argparse.Namespace) -> None:
    """Write atrophy.tsv and what belongs to it; atrophy.tsv comes last."""
    config = config_of(args)
    plan = plan_study(config)
    results = collect_results(plan, config.engines, __version__, quality=config.quality)
    folder = config.output_dir
    write_derivative(folder, __version__, more_tables=config.trajectory_tables)
    tables = [*TABLES]
    if config.joins_all_visits:
        from graytrace.results.trajectory import fit_patients  # noqa: PLC0415 - other studies need no statistics here

        trajectories, slopes = fit_patients(config, plan, results.pairs, results.volumes)
        found = {"pairs": results.pairs, "trajectory": trajectories, "slopes": slopes}
        for name, rows in found.items():
            write_table(folder, name, rows, schema=_SCHEMAS.get(name))
        tables += found
    else:
        _remove_other_tables(folder)
    for name in TABLES:
        write_table(folder, name, getattr(results, name))
    write_json(folder / "run.json", _run(config, results, tables, args.made_with))


def _remove_other_tables(folder: Path) -> None:
    """Remove what an earlier run wrote that joined all visits: its numbers are of another plan."""
    for name in ("pairs", "trajectory", "slopes"):
        for ending in ("tsv", "json"):
            (folder / f"{name}.{ending}").unlink(missing_ok=True)


def _run(config: Config, results: Results, tables: Sequence[str], made_with: str) -> dict[str, Any]:
    """What made the tables: versions, configuration, digests. No dates, so that the same run gives the same bytes."""
    folder = config.output_dir
    return {
        "version": __version__,
        "made_with": made_with,
        "python": platform.python_version(),
        "packages": package_versions(*required_distributions()),
        "config": config.as_dict(),
        "patients": results.counts(),
        "tables": {f"{name}.tsv": file_sha256(folder / f"{name}.tsv") for name in sorted(tables)},
    }
