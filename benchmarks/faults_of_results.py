"""Faults of lesion masks and of what lies in the folder of results."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from alterations import Alter, Do, at_both, change_some, fill_part, random_numbers, shift_by
from fault_study import BASELINE, EXCLUDED, FOLLOWUP, LESIONED, PACKAGE, ROOT, TARGET, Fault, Slot, environment

from graytrace.records import read_record, write_record

PAIR = f"ses-{BASELINE}_ses-{FOLLOWUP}"


def list_faults() -> list[Fault]:
    """All of them, by group."""
    return [*_masks(), *_results()]


def _mask(alter: Alter, visit: str = FOLLOWUP, **how: Any) -> Do:
    def do(slot: Slot) -> None:
        data, affine = slot.load(slot.mask(visit))
        slot.save(slot.mask(visit), alter(data), affine, **how)

    return do


def _masks() -> Iterator[Fault]:
    faults: list[tuple[str, Do]] = [
        ("a mask on another grid", _mask(lambda data: data[:-2])),
        ("a mask moved in its header", _moved_mask),
        ("a mask with nothing in it, at one visit", _mask(np.zeros_like)),
        ("masks with nothing in them, at both visits", at_both(_mask, np.zeros_like)),
        ("another patient's mask", _mask(lambda data: np.roll(data[::-1, ::-1], 9, 2))),
        ("the masks of both visits swapped", _swapped_masks),
        ("a mask inverted", _mask(lambda data: 1 - data)),
        ("a mask of the whole brain", _brain_mask),
        ("a mask of air", _mask(lambda data: fill_part(1, (slice(0, 6),) * 3)(np.zeros_like(data)))),
        ("a mask from 0 to 0.4", _mask(lambda data: 0.4 * data, kind=np.float32)),
        ("a mask of labels 0, 1, 2", _mask(lambda data: data * (1 + (np.indices(data.shape)[0] % 2)))),
        ("a mask of 0 and 255", _mask(lambda data: 255 * data)),
        ("a mask with NaN", _mask(change_some(np.nan, 5), kind=np.float32)),
        ("a mask that is the scan", lambda slot: slot.write(slot.mask(), slot.t1w(participant=LESIONED).read_bytes())),
        ("a mask cut off", lambda slot: slot.write(slot.mask(), slot.mask().read_bytes()[:-300])),
    ]
    return (Fault("lesion masks", what, do, how="run", who=LESIONED) for what, do in faults)


def _moved_mask(slot: Slot) -> None:
    data, affine = slot.load(slot.mask())
    slot.save(slot.mask(), data, affine + shift_by(8))


def _swapped_masks(slot: Slot) -> None:
    """Each on the other scan's grid by its header, as a copy into the wrong folder leaves it."""
    first, second = (slot.load(slot.mask(visit)) for visit in (BASELINE, FOLLOWUP))
    for visit, (data, _), (_, affine) in ((BASELINE, second, first), (FOLLOWUP, first, second)):
        slot.save(slot.mask(visit), data, affine)


def _brain_mask(slot: Slot) -> None:
    path = slot.root / "bids-truth" / LESIONED / f"{LESIONED}_ses-{FOLLOWUP}_brain.nii.gz"
    slot.write(slot.mask(), path.read_bytes())


def _edit_record(step: str, visits: str, measure: str, value: Any) -> Do:
    def do(slot: Slot) -> None:
        path = slot.record(step, visits)
        content = json.loads(path.read_text())
        content["measures"][measure] = value
        slot.write(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    return do


def _edit_sealed(step: str, visits: str, measure: str, value: float) -> Do:
    """A measure changed by somebody who sealed the record again: the step itself could have come to it."""

    def do(slot: Slot) -> None:
        path = slot.record(step, visits)
        record = read_record(path)
        path.unlink()
        write_record(path, replace(record, measures={**record.measures, measure: value}))

    return do


def _image_of(slot: Slot, suffix: str, participant: str = TARGET) -> Any:
    return slot.results / participant / f"ses-{FOLLOWUP}" / "anat" / f"{participant}_ses-{FOLLOWUP}_{suffix}.nii.gz"


def _results() -> Iterator[Fault]:
    gray = "label-GM_probseg"
    faults: list[tuple[str, Do]] = [
        ("a number changed in atrophy.tsv", _edit_table("atrophy")),
        ("a number changed in volumes.tsv", _edit_table("volumes")),
        ("a row taken out of atrophy.tsv", _without_row),
        ("atrophy.tsv deleted", lambda slot: (slot.results / "atrophy.tsv").unlink()),
        ("run.json deleted", lambda slot: (slot.results / "run.json").unlink()),
        ("a number changed in a record of change", _edit_record("measure_change", PAIR, "gm_change_percent", 5.0)),
        ("a number changed in a record of volumes", _edit_record("gray_matter_volume", f"ses-{FOLLOWUP}", "gm_volume_ml", 999.0)),
        ("a negative width in a record, sealed again", _edit_sealed("check_scan", f"ses-{FOLLOWUP}", "edge_width_mm", -1.5)),
        ("a negative volume in a record, sealed again", _edit_sealed("gray_matter_volume", f"ses-{FOLLOWUP}", "wm_volume_ml", -3.0)),
        ("a loss of more than all in a record, sealed again", _edit_sealed("measure_change", PAIR, "gm_change_percent", -130.0)),
        ("a record cut off", lambda slot: slot.write(slot.record("measure_change", PAIR), slot.record("measure_change", PAIR).read_bytes()[:200])),
        ("a record deleted", lambda slot: slot.record("segment_tissue").unlink()),
        ("another patient's record", _other_record),
        ("an image of the results deleted", lambda slot: _image_of(slot, gray).unlink()),
        ("an image of the results replaced", lambda slot: slot.write(_image_of(slot, gray), _image_of(slot, gray, LESIONED).read_bytes())),
        ("an image replaced and its step's reader to be redone", _replaced_and_redone),
        ("the scan replaced by an older file", _older_scan),
        ("killed in the middle of the run", _killed),
        ("the network's weights damaged", _weights),
    ]  # fmt: skip
    return (Fault("results", what, do, how="run") for what, do in faults)


def _edit_table(name: str) -> Do:
    def change(text: str) -> str:
        header, *rows = (line.split("\t") for line in text.splitlines())
        column = header.index({"atrophy": "gm_change_percent", "volumes": "gm_volume_ml"}[name])
        for row in rows:
            if row[0] == TARGET:
                row[column] = "7.5"
        return "\n".join("\t".join(row) for row in [header, *rows]) + "\n"

    return lambda slot: slot.edit(slot.results / f"{name}.tsv", change)


def _without_row(slot: Slot) -> None:
    slot.edit(
        slot.results / "atrophy.tsv",
        lambda text: "".join(line for line in text.splitlines(keepends=True) if not line.startswith(TARGET)),
    )


def _other_record(slot: Slot) -> None:
    slot.write(slot.record("measure_change", PAIR), slot.record("measure_change", PAIR, LESIONED).read_bytes())


def _replaced_and_redone(slot: Slot) -> None:
    slot.write(_image_of(slot, gray := "label-GM_probseg"), _image_of(slot, gray, LESIONED).read_bytes())
    slot.record("measure_change", PAIR).unlink()


def _older_scan(slot: Slot) -> None:
    data, affine = slot.load(slot.t1w(participant=EXCLUDED))
    slot.save(slot.t1w(), data + random_numbers().normal(0, 0.01 * data.max(), data.shape), affine)
    os.utime(slot.t1w(), (1_000_000_000, 1_000_000_000))


def _killed(slot: Slot) -> None:
    """Half of a patient's work is to be done; the run that does it is killed."""
    shutil.rmtree(slot.record("inspect").parent)
    command = [sys.executable, "-m", "graytrace", "run", slot.bids, slot.results, "participant"]
    command += ["--config", slot.config, "--cores", "2"]
    with (slot.root / "killed.log").open("w") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=slot.root,
            env=environment(slot),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline and not slot.record("correct_bias").exists():
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _weights(slot: Slot) -> None:
    """In a copy of the checkout, whose code is the same; the target's follow-up is to be done again."""
    for name in (PACKAGE.name, "profiles", "containers"):
        shutil.copytree(ROOT / name, slot.root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, slot.root)
    weights = max((slot.root / "pipeline").rglob("*.onnx"), key=lambda path: path.stat().st_size)
    content = bytearray(weights.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = b"\0" * 4096
    slot.write(weights, bytes(content))
    shutil.rmtree(slot.record("inspect").parent)
