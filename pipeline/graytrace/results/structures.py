"""The long table of structures: a row for each of them of every planned scan and pair, whatever happened."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graytrace.schemas import load_schema

_VOLUMES, _CHANGES, _NOTE = "structure_volumes_ml", "structure_changes", "structures_note"
_OF_OTHER_ENGINE = "The change of structures is measured by the engine embedded only."


def _parts() -> Iterator[tuple[str, str | None, str]]:
    """Structure, side and the name of both among measures, in the table's order."""
    field = load_schema("structures")["properties"]["structure"]
    for structure in field["enum"]:
        if structure not in field["paired"]:
            yield structure, None, structure
            continue
        for side in ("left", "right", "both"):
            yield structure, side, f"{structure}_{side}"


def _number(value: Any, least: float) -> float | None:
    """A measure that the table can hold, None for any other: a damaged record refuses nobody else's rows."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and value >= least else None


def _mapping(measures: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = measures.get(name)
    return found if isinstance(found, Mapping) else {}


def list_scan_structures(
    participant_id: str, visit: str, status: str, measures: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Rows of a scan.

    Parameters
    ----------
    participant_id, visit, status : str
    measures : mapping
        Of the scan, empty where it has no result.

    Returns
    -------
    list of dict
        A row for each part of each structure.
    """
    volumes = _mapping(measures, _VOLUMES)
    note = measures.get(_NOTE)
    return [
        {
            "participant_id": participant_id,
            "kind": "scan",
            "visit": visit,
            "structure": structure,
            "side": side,
            "volume_ml": _number(volumes.get(part), 0),
            "status": status,
            "note": note if isinstance(note, str) else None,
        }
        for structure, side, part in _parts()
    ]


def list_pair_structures(
    participant_id: str, visits: str, status: str, scans: tuple[Mapping[str, Any], ...], measures: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Rows of a pair.

    Parameters
    ----------
    participant_id, visits, status : str
        `visits` are both labels.
    scans : two mappings
        Measures of both scans.
    measures : mapping
        Of the pair, empty where it has no result.

    Returns
    -------
    list of dict
        A row for each part of each structure.
    """
    before, after = (_mapping(scan, _VOLUMES) for scan in scans)
    changes = _mapping(measures, _CHANGES)
    note = _OF_OTHER_ENGINE if measures and before and after and not changes else None
    rows = []
    for structure, side, part in _parts():
        change = _mapping(changes, part)
        first, second = (_number(volumes.get(part), 0) if measures else None for volumes in (before, after))
        rows.append(
            {
                "participant_id": participant_id,
                "kind": "pair",
                "visit": visits,
                "structure": structure,
                "side": side,
                "volume_ml": first,
                "change_percent": _number(change.get("change_percent"), -100),
                "change_se_points": _number(change.get("change_se_points"), 0),
                "change_low_percent": _number(change.get("change_low_percent"), -math.inf),
                "change_high_percent": _number(change.get("change_high_percent"), -math.inf),
                "difference_percent": 100 * (second / first - 1) if first and second is not None else None,
                "status": status,
                "note": note,
            }
        )
    return rows


def take_statuses(
    structures: Sequence[dict[str, Any]], volumes: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]]
) -> None:
    """Give rows the status that their scan or pair has in the other tables, in place: flags of quality come last.

    Parameters
    ----------
    structures : sequence of dict
        Rows of structures.tsv.
    volumes, pairs : sequences of mappings
        Rows of volumes.tsv and of atrophy.tsv.
    """
    statuses = {(row["participant_id"], "scan", row["visit"]): row["status"] for row in volumes}
    for row in pairs:
        statuses[row["participant_id"], "pair", f"{row['visit_baseline']}_{row['visit_followup']}"] = row["status"]
    for row in structures:
        row["status"] = statuses[row["participant_id"], row["kind"], row["visit"]]
