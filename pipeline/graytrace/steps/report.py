"""Write the page that people open first, and the methods of a paper."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from graytrace.errors import PipelineError
from graytrace.files import write_text
from graytrace.records import Record, read_record
from graytrace.report.content import Study
from graytrace.report.methods import write_methods
from graytrace.report.page import render_page, write_gallery
from graytrace.steps.arguments import add_config_argument, config_of
from graytrace.study.config import Config
from graytrace.study.questions import read_predictors
from graytrace.tables import read_rows

_TABLES = ("atrophy", "volumes", "quality", "dose_response", "trend")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_config_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write report.html and methods.md; both are made from the tables and records only."""
    config = config_of(args)
    folder = config.output_dir
    tables = {name: [row.cells for row in read_rows(folder / f"{name}.tsv", required=[])] for name in _TABLES}
    tables |= {
        name: [row.cells for row in read_rows(path, required=[])]
        for name, path in config.trajectory_tables.items()
        if name != "pairs"
    }
    study = Study(**tables, run=json.loads((folder / "run.json").read_text(encoding="utf-8")))
    methods = write_methods(study, _records(folder))
    write_gallery(study, folder)
    write_text(folder / "methods.md", methods.as_markdown())
    predictors = {predictor.name: predictor.values for predictor in read_predictors(config) if predictor.values}
    page = render_page(study, methods, folder=folder, title=_title(config), predictors=predictors)
    write_text(folder / "report.html", page)


def _records(folder: Path) -> Iterator[Record]:
    """Every record that can be read; what is damaged already stands in the tables."""
    for path in sorted(folder.glob("records/*/*/*.json")):
        try:
            yield read_record(path)
        except PipelineError:
            continue


def _title(config: Config) -> str:
    """Name of the data set, or of its folder."""
    root = config.require_data()
    try:
        name = json.loads((root / "dataset_description.json").read_text(encoding="utf-8"))["Name"]
    except (OSError, ValueError, KeyError, TypeError):
        name = None
    return f"Graytrace: {name}" if isinstance(name, str) and name.strip() else f"Graytrace: {root.name}"
