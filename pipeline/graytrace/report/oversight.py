"""What the report says of the locked plan and of the readers' review: sentences and tables, no page layout."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graytrace.errors import PipelineError
from graytrace.results.review import ACCEPT, Review, Verdict, compare_readers, describe_agreement

DEPARTURES_NAME = "plan.departures.json"
_NAMING = frozenset({"data", "exclusions"})  # whose departures name patients
_UNUSABLE = "review.tsv cannot be used; graytrace review says why."
# where a departure is, for readers
_KINDS = {
    "plan": "the plan itself",
    "configuration": "configuration",
    "exclusions": "exclusions",
    "data": "data",
    "code": "code",
    "packages": "packages",
}


def read_departures(folder: Path) -> Mapping[str, Any] | None:
    """What the start of the run wrote of its locked plan; None where there is none.

    Raises
    ------
    PipelineError
        The file was changed.
    """
    path = folder / DEPARTURES_NAME
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {name: content[name] for name in ("plan", "departures", "packages")}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{path} is not as the run wrote it ({error!r}). Run again: it is written anew.") from error


def describe_oversight(
    told: Mapping[str, Any] | None,
    review: Review | str | None,
    patients: Sequence[str],
    names: Mapping[str, str],
    run: Mapping[str, Any],
    *,
    is_blind: bool = False,
) -> dict[str, Any]:
    """What the report page shows of plan and review.

    Parameters
    ----------
    told : mapping or None
        Content of plan.departures.json; None without a locked plan.
    review : Review, str or None
        What readers said; a sentence where the file cannot be used; None without one.
    patients : sequence of str
        Everybody who is to be read, as the review file names them.
    names : mapping
        Code to participant, where the study is not blinded any more.
    run : mapping
        Content of run.json: its packages may be those of a container or of an earlier day.
    is_blind : bool
        Whether nobody is to be named: files and exclusions are then counted.

    Returns
    -------
    dict
        ``plan``, ``departures`` and ``review`` for the templates.
    """
    plan = told["plan"] if told else None
    listed = list(told["departures"]) if told else []
    known = {one["text"] for one in listed}
    kept: Mapping[str, str] = told["packages"] if told else {}
    made = {"graytrace": run["version"], "python": run["python"], **run["packages"]}
    for name in sorted(kept.keys() & made.keys()):
        text = f"package {name}: {kept[name]} -> {made[name]}"
        if kept[name] != made[name] and text not in known:
            listed.append({"section": "packages", "text": f"{text} (in run.json)"})
    if is_blind:
        listed = _without_names(listed)
        review = _UNUSABLE if isinstance(review, str) else review
    return {
        "plan": plan,
        "departures": [{"kind": _KINDS.get(one["section"], one["section"]), "text": one["text"]} for one in listed],
        "review": _describe_review(review, patients, names),
    }


def _without_names(listed: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Departures that name no patient: of files and exclusions how many there are, the others as they are."""
    counts = Counter(one["section"] for one in listed if one["section"] in _NAMING)
    counted = [
        {"section": name, "text": f"{count} changed; plan.departures.json names them"} for name, count in counts.items()
    ]
    return [*(one for one in listed if one["section"] not in _NAMING), *counted]


def _describe_review(
    review: Review | str | None, patients: Sequence[str], names: Mapping[str, str]
) -> dict[str, Any] | None:
    if review is None:
        return None
    if isinstance(review, str):
        return {"fault": review, "readers": [], "sentences": [], "rows": []}
    found = compare_readers(review)
    apart = {row.patient for comparison in found for pair in comparison.disagreements for row in pair}
    said = {reader: review.of(reader) for reader in review.readers}
    shown = sorted(apart | {row.patient for rows in said.values() for row in rows.values() if row.verdict != ACCEPT})
    return {
        "fault": None,
        "readers": [
            f"{reader}: {len(rows.keys() & set(patients))} of {len(patients)} patients" for reader, rows in said.items()
        ],
        "sentences": [describe_agreement(one) for one in found],
        "columns": list(said),
        "rows": [
            {
                "name": f"{patient} ({names[patient]})" if patient in names else patient,
                "is_apart": patient in apart,
                "cells": [_show(rows.get(patient)) for rows in said.values()],
            }
            for patient in shown
        ],
    }


def _show(row: Verdict | None) -> str:
    if row is None:
        return "not read"
    return f"{row.verdict}: {row.reason}" if row.reason else str(row.verdict)
