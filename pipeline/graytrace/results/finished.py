"""The tables of a finished run, as other programs and pages take them: whole, and as the run wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graytrace.errors import PipelineError
from graytrace.files import file_sha256
from graytrace.tables import read_rows

Row = Mapping[str, str]


@dataclass(frozen=True)
class Finished:
    """Tables by name, every cell as text, and run.json."""

    tables: Mapping[str, Sequence[Row]]
    run: Mapping[str, Any]


def read_finished(folder: Path, names: Sequence[str]) -> Finished:
    """Read tables of a finished run after a check that they are those that the run wrote.

    Parameters
    ----------
    folder : Path
        What the workflow wrote.
    names : sequence of str
        Tables without ``.tsv``.

    Returns
    -------
    Finished

    Raises
    ------
    PipelineError
        A table is not there, or was changed since run.json told its digest.
    """
    lacking = [name for name in ("run.json", *(f"{one}.tsv" for one in names)) if not (folder / name).is_file()]
    if lacking:
        raise PipelineError(f"{folder} has no {', '.join(lacking)}. Name the folder of results of a finished run.")
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        digests = dict(run["tables"])
        config = run["config"]["study"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{folder / 'run.json'} is not what a run writes ({error!r}). Run the study again."
        raise PipelineError(message) from error
    if not isinstance(config, dict):
        raise PipelineError(f"{folder / 'run.json'} has no configuration of a study. Run the study again.")
    for name in names:
        path = folder / f"{name}.tsv"
        if digests.get(path.name, file_sha256(path)) != file_sha256(path):
            raise PipelineError(
                f"{path} was changed since the run wrote it: its digest is not the one in run.json. The same command "
                "that ran the study writes it again."
            )
    return Finished(
        {name: [row.cells for row in read_rows(folder / f"{name}.tsv", required=[])] for name in names}, run
    )
