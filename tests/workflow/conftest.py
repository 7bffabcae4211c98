"""One cohort of 2 mm phantoms with many faulty patients, and two runs of it that all tests look at.

`undisturbed` runs the whole cohort at once. `resumed` runs its first patient alone, in another folder, is killed with
SIGKILL on the way and started again, by the same command. Both are made once, whatever the number of test processes.
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from graytrace.images.grids import Volume
from graytrace.images.writing import write_volume
from graytrace.phantoms.acquisition import draw_coil, paint_t1w, scan_head
from graytrace.phantoms.anatomy import draw_head
from graytrace.phantoms.atrophy import TissueLoss, draw_displacement
from graytrace.phantoms.cohort import draw_patients, write_cohort
from graytrace.phantoms.lesions import draw_lesions

PROJECT = Path(__file__).resolve().parents[2]
VOXEL_MM = 2.0


@dataclass(frozen=True)
class Run:
    bids_dir: Path
    output_dir: Path
    truth_dir: Path
    returncode: int
    messages: str

    def table(self, name):
        with (self.output_dir / f"{name}.tsv").open(newline="") as file:
            return list(csv.DictReader(file, delimiter="\t"))

    def row(self, participant_id):
        return next(row for row in self.table("atrophy") if row["participant_id"] == participant_id)

    def lines(self, name, participant_id):
        """A patient's rows as they stand in a table, byte by byte."""
        text = (self.output_dir / f"{name}.tsv").read_bytes()
        return [line for line in text.splitlines() if line.startswith(participant_id.encode() + b"\t")]


def snakemake(folder, config, *arguments):
    """Start Snakemake on this project with `folder` as working directory; all it says goes to `folder`/messages."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "my.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", PROJECT / "Snakefile", "--cores", "2"]
    with (folder / "messages").open("w") as messages:
        return subprocess.Popen(  # noqa: S603 - our own command, no shell
            [*command, "--directory", folder, "--configfile", folder / "my.yaml", *arguments],
            cwd=PROJECT,
            stdout=messages,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def finish(folder, config, *arguments):
    """Run Snakemake to its end: exit code and messages."""
    code = snakemake(folder, config, *arguments).wait()
    return code, (folder / "messages").read_text()


def study(bids_dir, output_dir, **more):
    return {"study": {"bids_dir": str(bids_dir), "output_dir": str(output_dir), **more}}


@contextmanager
def once(folder, name):
    """Whether this process is the one that does a thing; the others wait until it is done."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / f"{name}.done"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not done.exists()
        done.touch()


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder that all processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "workflow"


@pytest.fixture(scope="session")
def cohort(shared):
    bids = shared / "bids"
    with once(shared, "cohort") as mine:
        if mine:
            write_cohort(bids, draw_patients(2), voxel_mm=VOXEL_MM)
            add_faulty_patients(bids)
    return bids


def t1w(bids, participant, visit, name=None):
    path = bids / participant / f"ses-{visit}" / "anat" / (name or f"{participant}_ses-{visit}_T1w.nii.gz")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def dates(bids, participant, baseline, followup):
    table = bids / participant / f"{participant}_sessions.tsv"
    table.write_text(f"session_id\tacq_time\nses-BL\t{baseline}\nses-M24\t{followup}\n")


def add_faulty_patients(bids):
    """Patients of every fault, beside two good ones (the second has lesions and a voxel that is not a number)."""
    good = nib.load(t1w(bids, "sub-P01", "BL"))
    data = np.asarray(good.dataobj)

    def save(participant, visit, array, *, sform=None):
        image = nib.Nifti1Image(array, good.affine, good.header if array.dtype.kind == "i" else None)
        image.set_qform(good.affine, 1)
        image.set_sform(good.affine if sform is None else sform, 1)
        nib.save(image, t1w(bids, participant, visit))

    whole = t1w(bids, "sub-P01", "BL").read_bytes()
    t1w(bids, "sub-truncated", "BL").write_bytes(whole[: len(whole) // 2])
    save("sub-truncated", "M24", np.stack([data, data], axis=-1))
    save("sub-zero", "BL", np.zeros_like(data))
    save("sub-zero", "M24", data, sform=np.diag([-1.0, 1, 1, 1]) @ good.affine)
    holes = data.astype(np.float32)
    holes[:20] = np.nan
    save("sub-holes", "BL", holes)
    save("sub-reversed", "BL", np.zeros_like(data))
    save("sub-reversed", "M24", np.zeros_like(data))
    for name in ("truncated", "zero", "holes"):
        dates(bids, f"sub-{name}", "1899-01-01", "1901-01-01")
    dates(bids, "sub-reversed", "2021-01-01", "2019-01-01")
    repaired = nib.load(t1w(bids, "sub-P02", "BL"))
    voxels = np.asarray(repaired.dataobj, dtype=np.float32)
    voxels[30, 40, 40] = np.nan
    header = repaired.header.copy()
    header.set_data_dtype(np.float32)
    nib.save(nib.Nifti1Image(voxels, repaired.affine, header), t1w(bids, "sub-P02", "BL"))
    with (bids / "participants.tsv").open("a") as table:
        width = len((bids / "participants.tsv").read_text().splitlines()[0].split("\t"))
        for name in ("truncated", "zero", "holes", "reversed", "absent"):
            table.write("\t".join([f"sub-{name}", *["n/a"] * (width - 1)]) + "\n")


def _keep(folder, code, messages):
    (folder / "returncode").write_text(str(code))
    (folder / "all-messages").write_text(messages)


def _load(bids, truth_dir, folder):
    code = int((folder / "returncode").read_text())
    return Run(bids, folder / "out", truth_dir, code, (folder / "all-messages").read_text())


@pytest.fixture(scope="session")
def undisturbed(cohort, shared):
    """All patients, good and faulty, in one go."""
    folder = shared / "undisturbed"
    with once(shared, "undisturbed") as mine:
        if mine:
            config = study(cohort, folder / "out", lesions="derivatives/lesions")
            _keep(folder, *finish(folder, config))
    return _load(cohort, cohort.with_name("bids-truth"), folder)


@pytest.fixture(scope="session")
def resumed(cohort, shared):
    """The first good patient alone, killed with SIGKILL during the run and started again."""
    folder = shared / "resumed"
    bids = folder / "bids"
    with once(shared, "resumed") as mine:
        if mine:
            shutil.copytree(cohort / "sub-P01", bids / "sub-P01")
            config = study(bids, folder / "out")
            process = snakemake(folder, config)
            while process.poll() is None and not list(folder.glob("out/records/*/*/correct_bias.json")):
                time.sleep(0.2)
            assert process.poll() is None, (folder / "messages").read_text()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _keep(folder, *finish(folder, config))
    return _load(bids, cohort.with_name("bids-truth"), folder)


@pytest.fixture(scope="session")
def qualified(shared):
    """Folder of a qualification; the exit code and all that was said lie beside it."""
    folder = shared / "qualified"
    with once(shared, "qualified") as mine:
        if mine:
            command = [sys.executable, "-m", "graytrace", "qualify", str(folder), "--quick", "--cores", "2"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
            (shared / "qualified.said").write_text(f"{done.returncode}\n{done.stdout}{done.stderr}")
    return folder


def write_three_visits(bids):
    """One phantom at three visits, a year apart, half of the loss at the second; true gray-matter volumes in ml."""
    patient = draw_patients(1)[0]
    head_rng, scan_rng = np.random.default_rng(5).spawn(2)
    anatomy = draw_head(head_rng, voxel_mm=VOXEL_MM)
    head = paint_t1w(anatomy, draw_lesions(anatomy, 0, head_rng), head_rng)
    coil = draw_coil(head, scan_rng)
    volumes, rows = {}, "session_id\tacq_time\n"
    for year, visit in enumerate(("BL", "M12", "M24")):
        loss = TissueLoss(-1.5 * year, -1.8 * year, -0.4 * year)
        settings = patient.followup if year == 1 else patient.baseline
        scan = scan_head(head, None if loss.none else draw_displacement(anatomy, loss), coil, settings, scan_rng)
        write_volume(t1w(bids, "sub-P01", visit), Volume(scan.t1w, scan.voxel_to_ras), np.int16)
        volumes[visit] = sum(scan.true_volume_ml(tissue) for tissue in ("cortex", "deep_gray"))
        rows += f"ses-{visit}\t{date(2019 + year, 3, 1)}\n"
    (bids / "sub-P01" / "sub-P01_sessions.tsv").write_text(rows)
    return volumes


@pytest.fixture(scope="session")
def three_visits(shared):
    """That phantom after a run that joins all visits, and its true volumes."""
    folder = shared / "three-visits"
    with once(shared, "three-visits") as mine:
        if mine:
            volumes = write_three_visits(folder / "bids")
            (folder / "volumes.json").write_text(json.dumps(volumes))
            more = {"followup": ["M12", "M24"], "window_months": None, "visits": "all"}
            _keep(folder, *finish(folder, study(folder / "bids", folder / "out", **more)))
    return _load(folder / "bids", None, folder), json.loads((folder / "volumes.json").read_text())


def write_balls(root):
    """Two patients whose scans hold a ball; the second has no follow-up."""
    grid = np.indices((20, 22, 24)) - np.array([10, 11, 12])[:, None, None, None]
    ball = np.where((grid**2).sum(0) < 81, 700, 20).astype(np.int16)
    for participant, visit in (("sub-01", "BL"), ("sub-01", "M24"), ("sub-02", "BL")):
        nib.save(nib.Nifti1Image(ball, np.diag([8.0, 8, 8, 1])), t1w(root, participant, visit))
    dates(root, "sub-01", "2019-01-01", "2021-01-01")
    return root


@pytest.fixture
def bids(tmp_path):
    return write_balls(tmp_path / "bids")


@pytest.fixture
def config(bids, tmp_path):
    return study(bids, tmp_path / "out")


@pytest.fixture
def run_workflow(tmp_path):
    """Run Snakemake in a folder of the test's own: exit code and messages."""

    def run(config, *arguments):
        return finish(tmp_path / "work", config, *arguments)

    return run


@pytest.fixture
def start(tmp_path):
    """Start Snakemake with results in a folder of the test's own choice: the process and the file of its messages."""
    running = []

    def begin(name, config, out, *arguments):
        there = {"study": {**config["study"], "output_dir": str(out)}}
        process = snakemake(tmp_path / f"work-{name}", there, *arguments)
        running.append(process)
        return process, tmp_path / f"work-{name}" / "messages"

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def small(bids, config):
    """A study of one scan that is no head: quick, and every step on it still writes its record."""
    shutil.rmtree(bids / "sub-01")
    return config


@pytest.fixture(scope="session")
def small_tables(shared):
    """The tables of that study after an undisturbed run: name to bytes."""
    folder = shared / "small"
    with once(shared, "small") as mine:
        if mine:
            shutil.rmtree(write_balls(folder / "bids") / "sub-01")
            code, messages = finish(folder, study(folder / "bids", folder / "out"), "--until", "aggregate_atrophy")
            assert code == 0, messages
    return {path.name: path.read_bytes() for path in (folder / "out").glob("*.tsv")}


@pytest.fixture
def run_in(start):
    def run(name, config, out, *arguments):
        process, messages = start(name, config, out, *arguments)
        return process.wait(), messages.read_text()

    return run


EXCLUSIONS = "participant_id\tvisit\treason\twho\twhen\tnote\n"


@pytest.fixture(scope="session")
def audited(shared):
    """A small study that is locked and run, and run again after all that can depart from its plan has done so.

    What each run said is in ``said-*``, the audit trail after it in ``trail-*``; the tables of the first are in
    ``first``.
    """
    folder = shared / "audited"
    with once(shared, "audited") as mine:
        if mine:
            _lock_and_run(folder)
    return folder


def _lock_and_run(folder):
    bids, out, table = folder / "bids", folder / "out", folder / "exclusions.tsv"
    shutil.rmtree(write_balls(bids) / "sub-01")
    table.write_text(EXCLUSIONS)
    config = study(bids, out, exclusions=str(table))
    (folder / "my.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "graytrace", "lock", "--config", folder / "my.yaml"]
    subprocess.run(command, check=True, cwd=PROJECT / "pipeline")  # noqa: S603 - our own command

    def go(name, *arguments):
        code, said = finish(folder / "work", config, *arguments)
        (folder / f"said-{name}").write_text(f"exit code {code}\n{said}")
        shutil.copyfile(out / "audit.jsonl", folder / f"trail-{name}")

    go("first")
    (folder / "first").mkdir()
    for path in out.iterdir():
        if path.is_file():
            shutil.copyfile(path, folder / "first" / path.name)
    go("idle")
    (out / "methods.md").write_text("changed by hand\n")
    go("touched")
    table.write_text(f"{EXCLUSIONS}sub-02\tBL_M24\tmotion\tAB\t2026-05-06\tblurred\n")
    scan = t1w(bids, "sub-02", "BL")
    image = nib.load(scan)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) + np.int16(1), image.affine), scan)
    config["study"]["window_months"] = [10, 40]
    package = folder / "site" / "nibabel-0.0.1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: nibabel\nVersion: 0.0.1\n")
    lines = (out / "audit.jsonl").read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace('"departures":0', '"departures":1')
    (out / "audit.jsonl").write_text("".join(lines))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", f"{package.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        (folder / "before-dry").write_bytes((out / "audit.jsonl").read_bytes())
        go("dry", "--dry-run")
        go("second")
