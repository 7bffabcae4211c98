"""Ask the trial's question: whether the change goes with the dose, or with another number of the patients."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from graytrace.files import file_sha256, write_json
from graytrace.records import TABLE_DIGESTS
from graytrace.results.trend import analyze_trend
from graytrace.results.trial import analyze_trial, label_slopes
from graytrace.steps.arguments import add_blind_argument, add_config_argument, config_of
from graytrace.study.schedule import is_slope
from graytrace.tables import read_rows, write_table

_QUESTIONS = {"dose_response": analyze_trial, "trend": analyze_trend}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_config_argument(parser)
    parser.add_argument("--atrophy", required=True, type=Path, help="atrophy.tsv")
    add_blind_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write dose_response.tsv and trend.tsv; in a blinded study without rows, and without a look at doses."""
    config = config_of(args)
    folder = args.atrophy.parent
    if is_slope(config.outcome):
        slopes = read_rows(folder / "slopes.tsv", required=["participant_id", "status", config.outcome])
        cells: Sequence[Mapping[str, str]] = label_slopes([row.cells for row in slopes], config.baseline)
    else:
        rows = read_rows(args.atrophy, required=["participant_id", "status", "visit_followup", config.outcome])
        cells = [row.cells for row in rows]
    tables = {name: [] if args.blind else ask(config, cells) for name, ask in _QUESTIONS.items()}
    for name, found in tables.items():
        write_table(folder, name, found)
    digests = {f"{name}.tsv": file_sha256(folder / f"{name}.tsv") for name in tables}
    write_json(folder / TABLE_DIGESTS, {"tables": digests})
