"""Results as records of SDTM's domain NV with supplemental qualifiers; `schemas/sdtm.json` is the mapping.

Standard: CDISC SDTM Implementation Guide 3.4; Dataset-JSON 1.1. Whether a submission conforms, its sponsor checks.
"""

from __future__ import annotations

import functools
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graytrace import __version__
from graytrace.results.finished import Finished, Row
from graytrace.schemas import SCHEMAS
from graytrace.tables import MISSING, stem_of

Record = dict[str, Any]
_NOT_GIVEN = "The engine that was used does not give this number."
_CHANGE = "atrophy"
_CATEGORIES = {"volumes": "VOLUME", _CHANGE: "CHANGE BETWEEN VISITS"}
_UNITS = {"volumes": "mL", _CHANGE: "%"}
_UNMEASURED = frozenset({"failed", "missing", "excluded"})


@dataclass(frozen=True)
class Exported:
    """Records of both data sets, in their order."""

    nv: list[Record] = field(default_factory=list)
    suppnv: list[Record] = field(default_factory=list)


@functools.cache
def load_mapping() -> dict[str, Any]:
    """The mapping: data sets with their variables, tests, qualifiers; not to be changed."""
    mapping: dict[str, Any] = json.loads((SCHEMAS / "sdtm.json").read_text(encoding="utf-8"))
    return mapping


def number_visits(run: Mapping[str, Any]) -> dict[str, int]:
    """VISITNUM of each visit of the configuration: the baseline is 1, follow-ups count on in their order.

    Examples
    --------
    >>> number_visits({"config": {"study": {"baseline": "BL", "followup": ["M12", "M24"]}}})
    {'BL': 1, 'M12': 2, 'M24': 3}
    """
    study = run["config"]["study"]
    followups = [study["followup"]] if isinstance(study["followup"], str) else study["followup"]
    return {visit: number for number, visit in enumerate((study["baseline"], *followups), start=1)}


def export_records(finished: Finished, *, study_id: str, subjects: Mapping[str, str]) -> Exported:
    """Make the records of NV and SUPPNV.

    Parameters
    ----------
    finished : Finished
        With the tables volumes and atrophy.
    study_id : str
        STUDYID.
    subjects : mapping
        participant_id to USUBJID, of everybody in the tables.

    Returns
    -------
    Exported
        Sorted by USUBJID, VISITNUM and the order of the tests; NVSEQ counts within a subject.
    """
    visits = number_visits(finished.run)
    dates = {(row["participant_id"], row["visit"]): row["acq_date"] for row in finished.tables["volumes"]}
    found: list[tuple[str, int, int, Record, list[tuple[str, str]]]] = []
    for order, (code, test) in enumerate(load_mapping()["tests"].items()):
        for row in finished.tables[test["table"]]:
            if test.get("optional") and (row[test["column"]] == MISSING):
                continue  # lesions where nothing says where they are, structures where the engines find none
            visit = row["visit_followup"] if test["table"] == _CHANGE else row["visit"]
            number = visits.get(visit, len(visits) + 1)
            record = _record(row, code, test) | {
                "STUDYID": study_id,
                "USUBJID": subjects[row["participant_id"]],
                "VISITNUM": number,
                "VISIT": visit,
                "NVDTC": _text(dates.get((row["participant_id"], visit))),
            }
            found.append((record["USUBJID"], number, order, record, list(_qualifiers(row, test, dates))))
    return _number(sorted(found, key=lambda one: one[:3]))


def _number(found: Sequence[tuple[str, int, int, Record, list[tuple[str, str]]]]) -> Exported:
    """Records with NVSEQ, and their qualifiers pointing at it."""
    exported, counts = Exported(), dict.fromkeys((one[0] for one in found), 0)
    labels: Mapping[str, Any] = load_mapping()["qualifiers"]
    for subject, _, _, record, qualifiers in found:
        counts[subject] += 1
        whole = {**record, "NVSEQ": counts[subject]}
        exported.nv.append({name: whole[name] for name in variables("NV")})
        for name, value in qualifiers:
            told = labels[name.rstrip("0123456789")]
            exported.suppnv.append(
                {
                    "STUDYID": record["STUDYID"],
                    "RDOMAIN": "NV",
                    "USUBJID": subject,
                    "IDVAR": "NVSEQ",
                    "IDVARVAL": str(counts[subject]),
                    "QNAM": name,
                    "QLABEL": told["label"],
                    "QVAL": value,
                    "QORIG": told["origin"],
                }
            )
    return exported


def variables(dataset: str) -> Mapping[str, Mapping[str, str]]:
    """Variables of a data set in their order."""
    found: Mapping[str, Mapping[str, str]] = load_mapping()["datasets"][dataset]["variables"]
    return found


def _record(row: Row, code: str, test: Mapping[str, str]) -> Record:
    """The cells of a record of NV that follow from a row and a test."""
    table, value = test["table"], row[test["column"]]
    names = ("visit_baseline", "visit_followup") if table == _CHANGE else ("visit",)
    is_done = value != MISSING and row["status"] not in _UNMEASURED
    result = value if is_done else ""
    unit = _UNITS[table] if is_done else ""
    reason = "" if is_done else _reason(row)[1]
    return {
        "DOMAIN": "NV",
        "NVSPID": "_".join((row["participant_id"], *(f"ses-{row[name]}" for name in names))),
        "NVTESTCD": code,
        "NVTEST": test["name"],
        "NVCAT": _CATEGORIES[table],
        "NVORRES": result,
        "NVORRESU": unit,
        "NVSTRESC": result,
        "NVSTRESN": float(result) if is_done else None,
        "NVSTRESU": unit,
        "NVSTAT": "" if is_done else "NOT DONE",
        "NVREASND": _split(reason)[0],
        "NVLOC": "BRAIN",
        "NVMETHOD": "MRI",
        "NVANMETH": f"GRAYTRACE {row['version'] if row['version'] != MISSING else __version__}",
    }


def _reason(row: Row) -> tuple[str, str]:
    """Code and sentence of why there is no result."""
    if row["reason"] == MISSING:
        return "not_given", _NOT_GIVEN
    code, separator, sentence = row["reason"].partition(": ")
    return (code, sentence) if separator else (row["reason"], row["reason"].replace("_", " "))


def _qualifiers(row: Row, test: Mapping[str, str], dates: Mapping[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    """Names and values of what else is told of a record; a long text in several."""
    yield "NVSTATUS", row["status"]
    yield from _parts("NVFLAG", _text(row["flags"]))
    if row[test["column"]] == MISSING or row["status"] in _UNMEASURED:
        code, sentence = _reason(row)
        yield "NVREASCD", code
        yield from ((f"NVREAS{at}", part) for at, part in enumerate(_split(sentence)[1:], start=1))
    elif test["table"] == _CHANGE:
        stem = stem_of(test["column"])
        for name, ending in (("NVSE", "se_points"), ("NVCILO", "low_percent"), ("NVCIHI", "high_percent")):
            if _text(row.get(f"{stem}_{ending}")):
                yield name, row[f"{stem}_{ending}"]
        if stem in row["widened_intervals"].split("; "):
            yield "NVWIDE", "Y"
    if test["table"] == _CHANGE:
        yield "NVREFVIS", row["visit_baseline"]
        date = _text(dates.get((row["participant_id"], row["visit_baseline"])))
        if date:
            yield "NVREFDTC", date
        yield from _parts("NVPROT", _text(row["protocol_differences"]))
    yield from _parts("NVENG", _text(row["engines"]))


def _parts(name: str, text: str) -> Iterator[tuple[str, str]]:
    """A text in pieces of at most 200 characters: the first under the name, the others with a number behind it."""
    for at, part in enumerate(_split(text)):
        if part:
            yield (f"{name}{at}" if at else name), part


def _split(text: str) -> list[str]:
    """Pieces of a text that are short enough for a variable, at least one."""
    return textwrap.wrap(text, load_mapping()["longest_text"], break_on_hyphens=False) or [""]


def _text(cell: str | None) -> str:
    return "" if cell in {None, MISSING} else str(cell)


def make_dataset(name: str, records: Sequence[Record], *, study_id: str, made: str) -> dict[str, Any]:
    """A data set in the form of Dataset-JSON 1.1.

    Parameters
    ----------
    name : {"NV", "SUPPNV"}
    records : sequence of Record
    study_id : str
    made : str
        Date and time of the results, ISO 8601: the same results give the same bytes.

    Returns
    -------
    dict
        To be written as JSON.
    """
    described = load_mapping()["datasets"][name]
    columns = []
    for variable, told in described["variables"].items():
        column = {
            "itemOID": f"IT.{name}.{variable}",
            "name": variable,
            "label": told["label"],
            "dataType": told["type"],
        }
        if told["type"] == "string":
            column["length"] = max([1, *(len(record[variable]) for record in records)])
        if variable in described["keys"]:
            column["keySequence"] = described["keys"].index(variable) + 1
        columns.append(column)
    return {
        "datasetJSONCreationDateTime": made,
        "datasetJSONVersion": "1.1.0",
        "fileOID": f"graytrace.{study_id}.{name}",
        "dbLastModifiedDateTime": made,
        "sourceSystem": {"name": "Graytrace", "version": __version__},
        "studyOID": study_id,
        "metaDataRef": "define.json",
        "itemGroupOID": f"IG.{name}",
        "records": len(records),
        "name": name,
        "label": described["label"],
        "columns": columns,
        "rows": [[record[variable] for variable in described["variables"]] for record in records],
    }


def describe_export(*, study_id: str, digests: Mapping[str, str]) -> dict[str, Any]:
    """What the data sets hold and where it comes from, as define.json has it.

    Parameters
    ----------
    study_id : str
    digests : mapping
        Tables that the records come from to the SHA-256 of their bytes.
    """
    mapping = load_mapping()
    codes = {
        code: {
            "NVTEST": test["name"],
            "NVORRESU": _UNITS[test["table"]],
            "source": f"{test['table']}.tsv, column {test['column']}",
        }
        for code, test in mapping["tests"].items()
    }
    return {
        "note": "Like Define-XML in content, not in form. It claims no conformance: the sponsor checks it.",
        "standard": mapping["standard"],
        "study": study_id,
        "madeBy": f"Graytrace {__version__}",
        "madeFrom": dict(digests),
        "datasets": {
            name: {**described, "file": f"{name.lower()}.csv", "datasetJSON": f"{name.lower()}.json"}
            for name, described in mapping["datasets"].items()
        },
        "codelists": {"NVTESTCD": codes, "QNAM": mapping["qualifiers"], "NVSTAT": {"NOT DONE": "no result"}},
        "leftOut": mapping["left_out"],
    }
