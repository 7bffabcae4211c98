"""Rows of lesions.tsv: what became of each white-matter lesion of a pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PAIR = ("participant_id", "visit_baseline", "visit_followup", "status")


def list_lesions(row: Mapping[str, Any], measures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each lesion of a pair; of a pair that was not measured one row that says so.

    Parameters
    ----------
    row : mapping
        The pair's row of atrophy.tsv.
    measures : mapping
        Of all steps of the pair, `lesions` of `join_lesions` among them; empty where the pair was not measured.

    Returns
    -------
    list of dict
        Column to cell; empty where nothing tells of lesions at both visits, or there are none.
    """
    pair = {name: row[name] for name in _PAIR}
    if row["status"] not in {"ok", "flagged"}:
        return [pair]
    rows = []
    for number, lesion in enumerate(measures.get("lesions", ()), start=1):
        x, y, z = lesion["center_mm"]
        rows.append(
            {
                **pair,
                "lesion": number,
                "kind": lesion["kind"],
                "volume_baseline_ml": lesion["baseline_ml"],
                "volume_followup_ml": lesion["followup_ml"],
                "center_x_mm": x,
                "center_y_mm": y,
                "center_z_mm": z,
            }
        )
    return rows
