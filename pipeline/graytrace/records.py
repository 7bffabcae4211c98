"""A record: what one step did for one scan or pair, as a small JSON file that is written last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from graytrace import __version__
from graytrace.errors import PipelineError
from graytrace.files import file_sha256, text_sha256, write_json, write_text
from graytrace.findings import Flag, Reason

# digests of the tables that run.json does not tell of
TABLE_DIGESTS = "records/tables.json"
# in names of files of a pair of other visits than the baseline, before that visit
BETWEEN = "_from-"
# between a record and its own digest
_SEAL = ',\n  "sha256": "'


class Output(NamedTuple):
    """A file that a step wrote, relative to the output folder, and the digest of its bytes."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Record:
    """What a step did. No dates or durations: the same input gives the same bytes.

    Parameters
    ----------
    step, participant_id : str
    visits : mapping
        ``{"visit": …}`` for a scan, ``{"baseline": …, "followup": …}`` for a pair.
    status : {"ok", "failed"}
    reason : Reason or None
        The first cause when failed, also when an earlier step found it.
    measures : mapping
        Numbers, with the unit in the name.
    provenance : mapping
        Version, code (digest of code and options), engine, tool_versions, inputs (name to SHA-256).
    """

    step: str
    participant_id: str
    visits: Mapping[str, str]
    status: Literal["ok", "failed"]
    reason: Reason | None = None
    flags: tuple[Flag, ...] = ()
    outputs: Mapping[str, Output] = field(default_factory=dict)
    measures: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def open_output(self, name: str, output_dir: Path) -> Path:
        """Path of a file that this step wrote, after a check that it is still the one it wrote.

        Raises
        ------
        PipelineError
            The file is gone or has other bytes.
        """
        output = self.outputs[name]
        path = output_dir / output.path
        if not path.resolve().is_relative_to(output_dir.resolve()):
            raise PipelineError(f"{path} is outside of {output_dir}: the record of {self.step} was changed.")
        if not path.is_file() or file_sha256(path) != output.sha256:
            record = record_path(output_dir, self.participant_id, self.visits, self.step)
            raise PipelineError(
                f"{path} is not the file that {self.step} wrote for {self.participant_id}: it was removed or changed. "
                f"Delete {record} and run again to recompute it."
            )
        return path


def record_path(output_dir: Path, participant_id: str, visits: Mapping[str, str], step: str) -> Path:
    """Where the record of a step is: ``records/sub-X/ses-Y/step.json``, a pair's under ``ses-Y_ses-Z``."""
    folder = "_".join(f"ses-{visit}" for visit in visits.values())
    return output_dir / "records" / participant_id / folder / f"{step}.json"


def file_signature(path: Path) -> list[int] | None:
    """What a file's system says of it without reading it; None where it is not there.

    The time of its last change of status counts as well: ``cp -p`` and ``touch -d`` can't set it.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _sources_path(record: Path) -> Path:
    return record.with_name(f".{record.stem}.sources")


def remember_sources(record: Path, sources: Mapping[str, Path]) -> None:
    """Keep, beside a record, the signatures of the files that a step is about to read.

    Records themselves hold no times, so that the same input gives the same bytes.
    """
    if sources:
        write_json(_sources_path(record), {name: [str(path), file_signature(path)] for name, path in sources.items()})


def is_source_unchanged(record: Path, name: str, path: Path) -> bool:
    """Whether a file surely is the one that a step read, by its signature alone: False means that it must be read."""
    try:
        kept = json.loads(_sources_path(record).read_text(encoding="utf-8"))[name]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    signature = file_signature(path)
    return signature is not None and kept == [str(path), signature]


def write_record(path: Path, record: Record) -> None:
    """Write a record whole or not at all; its last line is the digest of what stands above it."""
    content = {
        "step": record.step,
        "participant_id": record.participant_id,
        **record.visits,
        "status": record.status,
        "reason": record.reason._asdict() if record.reason else None,
        "flags": [flag._asdict() for flag in record.flags],
        "outputs": {name: output._asdict() for name, output in record.outputs.items()},
        "measures": dict(record.measures),
        "provenance": {"version": __version__, **record.provenance},
    }
    body = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).removesuffix("\n}")
    write_text(path, f'{body}{_SEAL}{text_sha256(body)}"\n}}\n')


def _check_place(path: Path, record: Record) -> None:
    """Refuse a record that lies in another one's place: where it lies says whose it is."""
    folders = path.parts[-4:]
    if folders[0] != "records":
        return
    # a study has thousands: parts of a name are cheaper than paths
    folder = "ses-" + "_ses-".join(record.visits.values())
    if folders[1:] != (record.participant_id, folder, f"{record.step}.json"):
        whose = f"{record.step} of {record.participant_id} ({', '.join(record.visits.values())})"
        raise PipelineError(f"{path} is the record of {whose}. Delete it and run again.")


def read_record(path: Path) -> Record:
    """Read a record.

    Raises
    ------
    PipelineError
        The file is no record, was changed since it was written, or is another job's.
    """
    record = _parse_record(path)
    _check_place(path, record)
    return record


def _parse_record(path: Path) -> Record:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
        body, _, seal = text.rpartition(_SEAL)
        if content["sha256"] != text_sha256(body) or seal != f'{content["sha256"]}"\n}}\n':
            raise PipelineError(f"{path} was changed since it was written. Delete it and run again to recompute it.")
        return Record(
            step=content["step"],
            participant_id=content["participant_id"],
            visits={key: content[key] for key in ("visit", "baseline", "followup") if key in content},
            status=content["status"],
            reason=Reason(**content["reason"]) if content["reason"] else None,
            flags=tuple(Flag(**flag) for flag in content["flags"]),
            outputs={name: Output(**output) for name, output in content["outputs"].items()},
            measures=content["measures"],
            provenance=content["provenance"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{path} is not a record of Graytrace ({error}). Delete it and run again.") from error
