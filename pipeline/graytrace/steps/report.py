"""Write the page that people open first, and the methods of a paper."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graytrace.errors import PipelineError, ScanTableError
from graytrace.files import write_text
from graytrace.findings import STATUSES
from graytrace.records import Record, read_record
from graytrace.report.blinded import code_patients, render_cover, write_blinded
from graytrace.report.content import Study
from graytrace.report.methods import write_methods
from graytrace.report.oversight import describe_oversight, read_departures
from graytrace.report.page import render_page, write_gallery
from graytrace.results.review import REVIEW_NAME, Review, list_readable, read_review
from graytrace.steps.arguments import add_blind_argument, add_config_argument, config_of
from graytrace.study.blinding import keep_key, read_key
from graytrace.study.config import Config
from graytrace.study.own_scanner import own_scanner, read_smallest_changes
from graytrace.study.questions import read_predictors
from graytrace.tables import read_rows

_TABLES = ("atrophy", "volumes", "quality", "dose_response", "trend")
_GALLERY = ("midway", "borders", "change")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_config_argument(parser)
    add_blind_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write report.html and methods.md; both are made from the tables and records only.

    In a blinded study the page for readers is in a folder of its own, and the report tells of no patient.
    """
    config = config_of(args)
    folder = config.output_dir
    tables: dict[str, Any] = {
        name: [row.cells for row in read_rows(folder / f"{name}.tsv", required=[])] for name in _TABLES
    }
    tables |= {
        name: [row.cells for row in read_rows(path, required=[])]
        for name, path in config.trajectory_tables.items()
        if name != "pairs"
    }
    records = list(_records(folder))
    study = Study(
        **tables,
        run=json.loads((folder / "run.json").read_text(encoding="utf-8")),
        changes={_pair(record): record.measures for record in records if record.step == "measure_change"},
        smallest_changes=read_smallest_changes(own_scanner(config.quality), config.engines),
    )
    methods = write_methods(study, records)
    if args.blind:
        write_text(folder / "methods.md", methods.as_markdown())
        _write_blinded(study, folder)
        return
    study = dataclasses.replace(study, oversight=_oversee(study, folder, read_key(folder), is_blind=False))
    write_gallery(study, folder)
    write_text(folder / "methods.md", methods.as_markdown())
    predictors = {predictor.name: predictor.values for predictor in read_predictors(config) if predictor.values}
    page = render_page(study, methods, folder=folder, title=_title(config), predictors=predictors)
    write_text(folder / "report.html", page)


def _write_blinded(study: Study, folder: Path) -> None:
    """The page for readers, and a report and a gallery that show nobody."""
    shutil.rmtree(folder / "gallery", ignore_errors=True)
    for kind in _GALLERY:
        (folder / "gallery" / kind).mkdir(parents=True)
    key = keep_key(folder)
    cards = write_blinded(study.quality, folder, key)
    counts = [(status, sum(row["status"] == status for row in study.atrophy)) for status in STATUSES]
    extra = {"oversight": _oversee(study, folder, key, is_blind=True)}
    page = render_cover(cards=len(cards), counts=counts, extra=extra, version=study.run["version"])
    write_text(folder / "report.html", page)


def _oversee(study: Study, folder: Path, key: bytes | None, *, is_blind: bool) -> dict[str, Any]:
    """What the report says of the locked plan and of the readers' review."""
    codes = code_patients(study.quality, folder, key) if key else {}
    names = {code: name for name, code in codes.items()}
    patients = list(names) if is_blind else [*names, *list_readable(study.quality)]
    review: Review | str | None = None
    try:
        review = read_review(folder / REVIEW_NAME, patients) if (folder / REVIEW_NAME).is_file() else None
    except ScanTableError as error:
        review = str(error).replace(f"{folder}/", "")
    asked = list(names) if names else patients
    shown = {} if is_blind else names
    return describe_oversight(read_departures(folder), review, asked, shown, study.run, is_blind=is_blind)


def _records(folder: Path) -> Iterator[Record]:
    """Every record that can be read; what is damaged already stands in the tables."""
    for path in sorted(folder.glob("records/*/*/*.json")):
        try:
            yield read_record(path)
        except PipelineError:
            continue


def _pair(record: Record) -> tuple[str, str, str]:
    return record.participant_id, record.visits["baseline"], record.visits["followup"]


def _title(config: Config) -> str:
    """Name of the data set, or of its folder."""
    root = config.require_data()
    try:
        name = json.loads((root / "dataset_description.json").read_text(encoding="utf-8"))["Name"]
    except (OSError, ValueError, KeyError, TypeError):
        name = None
    return f"Graytrace: {name}" if isinstance(name, str) and name.strip() else f"Graytrace: {root.name}"
