"""A small phantom study in which one thing is put wrong at a time, and what Graytrace then says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import yaml
from run import commit

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pipeline"
TARGET, LESIONED, EXCLUDED = "sub-P01", "sub-P02", "sub-P03"
BASELINE, FOLLOWUP = "BL", "M24"
CONFIG: Mapping[str, Any] = {
    "study": {
        "baseline": BASELINE,
        "followup": FOLLOWUP,
        "lesions": "derivatives/lesions",
        "exclusions": "exclusions.tsv",
    },
    "statistics": {"covariates": ["age", "sex"]},
}
EXCLUSIONS = (
    "participant_id\tvisit\treason\twho\twhen\n"
    f"{EXCLUDED}\tn/a\tconsent_withdrawn\tA. Reader\t2024-05-02\n"
)  # fmt: skip


@dataclass(frozen=True)
class Slot:
    """A study that a fault is put into.

    Files are hard links to those of the clean study: they are replaced, never written into.
    """

    root: Path

    @property
    def bids(self) -> Path:
        """The data set."""
        return self.root / "bids"

    @property
    def results(self) -> Path:
        """The folder of results."""
        return self.root / "results"

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.root / "my.yaml"

    @property
    def package(self) -> Path:
        """Where Python finds Graytrace: a copy in the slot where a fault made one."""
        own = self.root / "pipeline"
        return own if own.is_dir() else PACKAGE

    def t1w(self, visit: str = FOLLOWUP, participant: str = TARGET) -> Path:
        """A T1w scan."""
        return self.bids / participant / f"ses-{visit}" / "anat" / f"{participant}_ses-{visit}_T1w.nii.gz"

    def mask(self, visit: str = FOLLOWUP, participant: str = LESIONED) -> Path:
        """A lesion mask."""
        folder = self.bids / "derivatives" / "lesions" / participant / f"ses-{visit}" / "anat"
        return folder / f"{participant}_ses-{visit}_space-T1w_label-lesion_mask.nii.gz"

    def record(self, step: str, visits: str = f"ses-{FOLLOWUP}", participant: str = TARGET) -> Path:
        """The record of a step."""
        return self.results / "records" / participant / visits / f"{step}.json"

    def write(self, path: Path, content: str | bytes) -> None:
        """Put a file in another's place."""
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def edit(self, path: Path, change: Callable[[str], str]) -> None:
        """Replace a text file by a changed one."""
        before = path.read_text()
        after = change(before)
        if after == before:
            raise AssertionError(f"{path}: the fault changes nothing")
        self.write(path, after)

    def choose(self, section: str, **choices: Any) -> None:
        """Write choices into the configuration."""
        content = yaml.safe_load(self.config.read_text())
        content.setdefault(section, {}).update(choices)
        self.write(self.config, yaml.safe_dump(content))

    def load(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Voxels and affine of an image."""
        image = nib.load(path)
        return np.asarray(image.dataobj, dtype=np.float32), np.asarray(image.affine)

    def save(
        self,
        path: Path,
        data: np.ndarray,
        affine: np.ndarray,
        *,
        kind: Any = np.int16,
        header: Callable[[nib.Nifti1Header], None] | None = None,
    ) -> None:
        """Put an image in another's place; `header` has the last word on its header."""
        image = nib.Nifti1Image(np.rint(data).astype(kind) if kind == np.int16 else data.astype(kind), affine)
        image.set_sform(affine, 1)
        image.set_qform(affine, 1)
        image.header.set_xyzt_units("mm", "sec")
        path.unlink(missing_ok=True)
        if header is None:
            nib.save(image, path)
            return
        changed = image.header
        header(changed)
        voxels = image.dataobj if data.dtype.fields is None else data
        plain = nib.Nifti1Image(voxels, None, changed)
        plain.header["srow_x"], plain.header["srow_y"], plain.header["srow_z"] = (
            changed[row].copy() for row in ("srow_x", "srow_y", "srow_z")
        )
        nib.save(plain, path)

    def change(self, visit: str, alter: Callable[[np.ndarray], np.ndarray], **how: Any) -> None:
        """Alter the voxels of the target's scan."""
        data, affine = self.load(self.t1w(visit))
        self.save(self.t1w(visit), alter(data), affine, **how)


@dataclass(frozen=True)
class Fault:
    """One way in which a study is wrong.

    Parameters
    ----------
    group, what : str
        What it is about; what was done, in words.
    do : callable
        Does it to a slot.
    how : {"check", "deep", "run"}
        What is called: ``graytrace check``, the same with ``--deep``, or the whole workflow.
    who : str
        Whose row is looked at.
    """

    group: str
    what: str
    do: Callable[[Slot], None]
    how: str = "check"
    who: str = TARGET


@dataclass(frozen=True)
class Said:
    """What came of a command."""

    code: int
    text: str

    @property
    def has_traceback(self) -> bool:
        """Whether Python's own words reached the user."""
        return "Traceback (most recent call last)" in self.text


def environment(slot: Slot) -> dict[str, str]:
    """Environment in which commands find the package of this checkout."""
    return {**os.environ, "PYTHONPATH": str(slot.package), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}


def graytrace(slot: Slot, *arguments: str | Path) -> Said:
    """Call ``graytrace``."""
    command = [sys.executable, "-m", "graytrace", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=slot.root, env=environment(slot), capture_output=True, text=True, errors="replace", check=False
    )
    return Said(done.returncode, done.stdout + done.stderr)


def run_study(slot: Slot, cores: int, *more: str) -> Said:
    """The workflow up to its tables, as a user runs it."""
    arguments = ["run", slot.bids, slot.results, "participant", "--config", slot.config, "--cores", str(cores)]
    return graytrace(slot, *arguments, "--", "--quiet", "rules", "progress", "--until", "aggregate_atrophy", *more)


def check_study(slot: Slot, *, deep: bool = False) -> Said:
    """``graytrace check``."""
    return graytrace(slot, "check", slot.bids, "--config", slot.config, *(["--deep"] if deep else []))


def make_clean(work: Path, cores: int, *, voxel_mm: float) -> None:
    """Make the clean study in its slot, run it, and keep it beside; a finished one is brought to this commit."""
    kept = work / "clean"
    done = kept / "done"
    if done.exists():
        if done.read_text() != commit():
            _keep(restore(work, 0), kept, cores)
        return
    slot = Slot(work / "slot-0")
    for folder in (slot.root, kept):
        shutil.rmtree(folder, ignore_errors=True)
    slot.root.mkdir(parents=True)
    made = graytrace(slot, "phantom", slot.bids, "--patients", "3", "--voxel-mm", str(voxel_mm), "--jobs", str(cores))
    if made.code:
        raise SystemExit(made.text)
    slot.write(slot.root / "exclusions.tsv", EXCLUSIONS)
    slot.write(slot.config, yaml.safe_dump(dict(CONFIG)))
    _keep(slot, kept, cores)


def _keep(slot: Slot, kept: Path, cores: int) -> None:
    """Run a study without a fault and keep it as the clean one."""
    said = run_study(slot, cores)
    if said.code:
        raise SystemExit(said.text)
    shutil.rmtree(kept, ignore_errors=True)
    _copy(slot.root, kept)
    (kept / "done").write_text(commit())


def restore(work: Path, number: int) -> Slot:
    """The clean study in a slot, the data as links, the results as copies.

    Snakemake's own notes stay behind, as when a run is resumed from another folder: they know the clean study's place.
    """
    slot = Slot(work / f"slot-{number}")
    shutil.rmtree(slot.root, ignore_errors=True)
    _copy(work / "clean", slot.root)
    shutil.rmtree(slot.results / ".snakemake", ignore_errors=True)
    return slot


def _copy(source: Path, target: Path) -> None:
    """Data as hard links, what is written to as copies with their times."""
    target.mkdir(parents=True)
    for entry in source.iterdir():
        if entry.name in {"bids", "bids-truth"}:
            shutil.copytree(entry, target / entry.name, copy_function=os.link)
        elif entry.is_dir():
            shutil.copytree(entry, target / entry.name, symlinks=True)
        else:
            shutil.copy2(entry, target / entry.name)
