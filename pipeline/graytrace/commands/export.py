"""``graytrace export``: results in the form that another system reads."""

from __future__ import annotations

import argparse
import csv
import io
import os
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from graytrace.errors import ConfigError
from graytrace.files import file_sha256, write_json, write_text
from graytrace.results.finished import Finished, read_finished
from graytrace.results.sdtm import Record, describe_export, export_records, make_dataset, variables
from graytrace.tables import read_participant, read_rows
from graytrace.workflow.oversight import refuse_blinded

TABLES = ("volumes", "atrophy")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAMED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder of a finished run")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the data sets, made where needed")
    parser.add_argument(
        "--sdtm",
        action="store_true",
        required=True,
        help="rows like those of SDTM's domain NV, as CSV and Dataset-JSON",
    )
    parser.add_argument("--study-id", metavar="ID", help="STUDYID (default: the name of the data set's folder)")
    parser.add_argument(
        "--subjects",
        type=Path,
        metavar="TABLE",
        help="participant_id and usubjid, tab-separated (default: STUDYID-ID)",
    )


def run(args: argparse.Namespace) -> None:
    """Write both data sets and what they mean.

    Raises
    ------
    ConfigError
        The study's or a subject's identifier cannot be used, or the study is blinded.
    """
    refuse_blinded(args.results)
    finished = read_finished(args.results, TABLES)
    study_id = _study_id(args.study_id, finished)
    exported = export_records(finished, study_id=study_id, subjects=_subjects(args.subjects, study_id, finished))
    made = _time_of(args.results / "atrophy.tsv")
    for name, records in (("NV", exported.nv), ("SUPPNV", exported.suppnv)):
        write_text(args.out / f"{name.lower()}.csv", _csv(name, records))
        write_json(args.out / f"{name.lower()}.json", make_dataset(name, records, study_id=study_id, made=made))
    digests = {f"{name}.tsv": file_sha256(args.results / f"{name}.tsv") for name in TABLES}
    write_json(args.out / "define.json", describe_export(study_id=study_id, digests=digests))
    undone = sum(record["NVSTAT"] == "NOT DONE" for record in exported.nv)
    people = len({record["USUBJID"] for record in exported.nv})
    sys.stdout.write(
        f"{len(exported.nv)} records of {people} subjects, {undone} of them NOT DONE, with {len(exported.suppnv)} "
        f"supplemental qualifiers: {args.out}\nWhat each variable holds: {args.out / 'define.json'}\n"
    )


def _study_id(wanted: str | None, finished: Finished) -> str:
    """STUDYID: as asked, else the name of the data set's folder."""
    study = finished.run["config"]["study"]
    name = wanted if wanted is not None else Path(study.get("bids_dir") or study.get("scans") or "").name
    if not _ID.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no identifier of a study (letters, digits, '.', '_', '-', at most 64). Name one: --study-id."
        )
    return name


def _subjects(table: Path | None, study_id: str, finished: Finished) -> dict[str, str]:
    """USUBJID of everybody in the tables."""
    people = list(dict.fromkeys(row["participant_id"] for name in TABLES for row in finished.tables[name]))
    if table is None:
        return {name: f"{study_id}-{name.removeprefix('sub-')}" for name in people}
    given: dict[str, str] = {}
    for row in read_rows(table, required=["participant_id", "usubjid"]):
        name = read_participant(row.get("participant_id"))
        if given.get(name, row.get("usubjid")) != row.get("usubjid"):
            raise ConfigError(f"{table}, line {row.line}: {name} has another usubjid in an earlier line.")
        given[name] = row.get("usubjid") or ""
    lacking = [name for name in people if not given.get(name)]
    if lacking:
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        raise ConfigError(f"{table} has no usubjid of {', '.join(lacking[:_NAMED])}{more}. Add a line for each.")
    taken = [given[name] for name in people]
    twice = sorted({one for one in taken if taken.count(one) > 1})
    if twice:
        raise ConfigError(f"{table} gives the usubjid {', '.join(twice[:_NAMED])} to several participants.")
    return {name: given[name] for name in people}


def _time_of(path: Path) -> str:
    """When the results were written: the same results give the same bytes. SOURCE_DATE_EPOCH counts before it."""
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(told) if told.isdecimal() else int(path.stat().st_mtime)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _csv(name: str, records: Iterable[Record]) -> str:
    """A data set as comma-separated text, empty for what is missing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(variables(name)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_plain(record) for record in records)
    return text.getvalue()


def _plain(record: Mapping[str, object]) -> dict[str, object]:
    """A number as the table has it, nothing for None."""
    return {name: record["NVSTRESC"] if name == "NVSTRESN" else value for name, value in record.items()}
