"""What a study of many patients costs before and after the measuring.

    python benchmarks/scale.py WORK --patients 1000 [--out benchmarks/results/scale.tsv]

makes a data set of that many patients whose scans are empty files, checks it (`graytrace check`), plans it (dry run),
writes the records that the steps would have written, and measures what is left for Snakemake and the tables: a
resumed run with nothing to do, the tables, and the report without pictures. Snakemake's own notes on these files are
not there, as when a run is resumed from another folder; with them, reading the notes comes on top.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import yaml

from graytrace.findings import Flag
from graytrace.records import Record, record_path, write_record
from graytrace.study.config import load_config, read_config
from graytrace.study.plan import Plan, plan_study
from graytrace.study.planned import PAIR_STEPS, PlannedPair, PlannedScan
from graytrace.workflow.freshness import code_of_steps, study_digest

PROJECT = Path(__file__).resolve().parents[1]
SCAN_MEASURES = {
    "inspect": {
        "shape": [176, 240, 256],
        "voxel_sizes_mm": [1.0, 1.0, 1.0],
        "voxel_volume_mm3": 1.0,
        "slice_thickness_mm": 1.0,
        "orientation": "RAS",
        "voxel_to_ras": [[1.0, 0, 0, -88], [0, 1.0, 0, -120], [0, 0, 1.0, -128], [0, 0, 0, 1]],
        "is_repaired": False,
    },
    "gray_matter_volume": {
        "gm_volume_ml": 700.0,
        "wm_volume_ml": 500.0,
        "csf_volume_ml": 300.0,
        "brain_volume_ml": 1200.0,
        "icv_ml": 1500.0,
    },
}
PAIR_MEASURES = {
    "align_visits": {"scale_percent": 0.01},
    "measure_change": {
        "gm_change_percent": -1.2,
        "cortical_gm_change_percent": -1.2,
        "deep_gm_change_percent": -1.1,
        "wm_change_percent": -0.7,
        "brain_change_percent": -1.0,
    },
}


def write_data_set(root: Path, patients: int) -> None:
    """Patients with two visits: empty scans, sidecars, dates."""
    root.mkdir(parents=True)
    names = [f"sub-{number:05d}" for number in range(1, patients + 1)]
    rows = "".join(f"{name}\t{20 + number % 50}\t{number % 4}\n" for number, name in enumerate(names))
    (root / "participants.tsv").write_text(f"participant_id\tage\tdose\n{rows}")
    sidecar = '{"Manufacturer": "Siemens", "ManufacturersModelName": "Prisma_fit", "MagneticFieldStrength": 3}\n'
    for number, name in enumerate(names):
        days = {"BL": date(2015, 1, 1) + timedelta(days=number % 700)}
        days["M24"] = days["BL"] + timedelta(days=731)
        for visit in days:
            anat = root / name / f"ses-{visit}" / "anat"
            anat.mkdir(parents=True)
            (anat / f"{name}_ses-{visit}_T1w.nii.gz").touch()
            (anat / f"{name}_ses-{visit}_T1w.json").write_text(sidecar)
        lines = "".join(f"ses-{visit}\t{day}\n" for visit, day in days.items())
        (root / name / f"{name}_sessions.tsv").write_text(f"session_id\tacq_time\n{lines}")


def write_records(plan: Plan, codes: Mapping[str, str]) -> None:
    """Records like those of finished steps; one patient in ten has a flag."""
    for number, name in enumerate(plan.participants):
        patient = plan.patient(name)
        flags = (Flag("thick_slices", "Slices are 3.00 mm thick."),) if number % 10 == 0 else ()
        for scan in patient.scans:
            for step in (*scan.steps, "check_scan"):
                seen = flags if step == "inspect" else ()
                _record(plan, scan, step, codes[step], SCAN_MEASURES.get(step, {}), seen)
        for pair in patient.pairs:
            for step in (*PAIR_STEPS, "check_pair"):
                _record(plan, pair, step, codes[step], PAIR_MEASURES.get(step, {}), ())


def _record(
    plan: Plan,
    planned: PlannedScan | PlannedPair,
    step: str,
    code: str,
    measures: dict[str, object],
    flags: tuple[Flag, ...],
) -> None:
    visits = (
        {"visit": planned.visit}
        if isinstance(planned, PlannedScan)
        else {"baseline": planned.baseline.visit, "followup": planned.followup.visit}
    )
    path = record_path(plan.output_dir, planned.participant_id, visits, step)
    provenance = {"code": code, "engine": "embedded", "tool_versions": {}, "inputs": {"image": "0" * 64}}
    write_record(
        path, Record(step, planned.participant_id, visits, "ok", None, flags, {}, measures, provenance=provenance)
    )


def measure(name: str, command: list[str], folder: Path) -> dict[str, object]:
    """Wall time and peak memory of a command."""
    log = folder / f"{name}.log"
    start = time.monotonic()
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=file, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{name} failed: see {log}")
    cpu_seconds = usage.ru_utime + usage.ru_stime  # what wall time would be if nobody else used the machine
    peak_mb = usage.ru_maxrss / 1024
    print(f"{name:24} {seconds:8.1f} s {cpu_seconds:8.1f} s CPU {peak_mb:8.0f} MB", flush=True)
    return {"what": name, "seconds": round(seconds, 1), "cpu_seconds": round(cpu_seconds, 1), "peak_mb": round(peak_mb)}


def run(work: Path, patients: int) -> list[dict[str, object]]:
    """All measurements for a study of that many patients."""
    shutil.rmtree(work, ignore_errors=True)
    write_data_set(work / "bids", patients)
    content = read_config(PROJECT / "config.yaml")
    content["study"].update(bids_dir=str(work / "bids"), output_dir=str(work / "out"))
    (work / "my.yaml").write_text(yaml.safe_dump(content))
    config = load_config(content)
    snakemake = [sys.executable, "-m", "snakemake", "--directory", str(work), "--configfile", str(work / "my.yaml")]
    snakemake += ["--cores", "2", "--quiet", "rules", "progress"]
    step = [sys.executable, "-m", "graytrace"]
    rows = [measure("check", [*step, "check", str(work / "bids"), "--config", str(work / "my.yaml")], work)]
    rows.append(measure("dry run", [*snakemake, "--dry-run"], work))
    plan = plan_study(config)
    rows.append(measure("scan table", [*step, "scan_table", "--config", config.as_json()], work))
    codes = code_of_steps(config)
    write_records(plan, codes)
    made_with = ["--made-with", study_digest(config, plan, codes)]
    rows.append(measure("tables", [*step, "aggregate_atrophy", "--config", config.as_json(), *made_with], work))
    atrophy = ["--atrophy", str(config.output_dir / "atrophy.tsv")]
    rows.append(measure("dose and change", [*step, "dose_response", "--config", config.as_json(), *atrophy], work))
    rows.append(measure("report", [*step, "report", "--config", config.as_json()], work))
    rows.append(measure("nothing to do", snakemake, work))
    if "Nothing to be done" not in (work / "nothing to do.log").read_text():
        print("warning: the resumed run had something to do")
    rows.append(measure("one patient's job", _remote_job(snakemake, plan), work))
    return rows


def _remote_job(snakemake: list[str], plan: Plan) -> list[str]:
    """What a cluster job does before its work starts: here its record is there, so nothing but that."""
    record = record_path(plan.output_dir, plan.participants[0], {"visit": "BL"}, "inspect")
    return [*snakemake, "--mode", "remote", "--nolock", "--allowed-rules", "inspect", "--", str(record)]


def main() -> None:
    """Measure and, with ``--out``, add the rows to a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    rows = run(args.work.resolve(), args.patients)
    if args.out:
        commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, text=True).strip()
        is_new = not args.out.exists()
        with args.out.open("a", newline="") as file:
            writer = csv.DictWriter(
                file,
                ["commit", "patients", "what", "seconds", "cpu_seconds", "peak_mb"],
                delimiter="\t",
                lineterminator="\n",
            )
            if is_new:
                writer.writeheader()
            writer.writerows({"commit": commit, "patients": args.patients, **row} for row in rows)


if __name__ == "__main__":
    main()
