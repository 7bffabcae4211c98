"""A finished run's tables and pictures, written as a run writes them, without running anything."""

import numpy as np
import pytest
import yaml
from PIL import Image

from graytrace.files import file_sha256, write_json
from graytrace.tables import write_table
from graytrace.workflow.project import DEFAULTS

CHANGES = ("gm_change", "cortical_gm_change", "deep_gm_change", "wm_change", "brain_change")
BASE = {"flags": None, "engines": "segmentation=embedded; change=embedded", "tool_versions": None, "version": "0.2.0"}
PICTURES = (
    ("BL_desc-borders", 3), ("M24_desc-borders", 3), ("M24_space-midway_desc-baseline", 2),
    ("M24_space-midway_desc-followup", 2), ("M24_space-midway_desc-change", 2),
)  # fmt: skip


def measured(name, change, **more):
    row = {
        **BASE, "participant_id": name, "status": "ok", "visit_baseline": "BL", "visit_followup": "M24",
        "interval_days": 730, "interval_years": 2.0, "gm_volume_baseline_ml": 700.0, "gm_volume_followup_ml": 690.0,
        "gm_change_percent_per_year": change / 2, "gm_difference_percent": change, "icv_baseline_ml": 1500.0,
    }  # fmt: skip
    for part in CHANGES:
        ends = {"percent": change, "se_points": 0.1, "low_percent": change - 0.2, "high_percent": change + 0.2}
        row.update({f"{part}_{end}": value for end, value in ends.items()})
    return {**row, **more}


def failed(name, status, reason, **more):
    return {
        **BASE, "participant_id": name, "status": status, "reason": reason, "visit_baseline": "BL",
        "visit_followup": "M24", **more,
    }  # fmt: skip


def scan(row, visit, **more):
    own = {**BASE, "participant_id": row["participant_id"], "visit": visit, "status": row["status"]}
    if row["status"] in {"ok", "flagged"}:
        volumes = ("gm_volume_ml", "wm_volume_ml", "csf_volume_ml", "brain_volume_ml", "icv_ml")
        own.update({volume: 100.25 * at for at, volume in enumerate(volumes, start=1)})
    else:
        own["reason"] = row["reason"]
    return {**own, "acq_date": "2019-03-04" if visit == "BL" else "2021-03-04", **more}


@pytest.fixture
def finish(tmp_path):
    """Write a finished run of some rows of atrophy.tsv: its folder."""

    def write(*rows, messages=None, followup="M24"):
        folder = tmp_path / "results"
        quality = []
        for row in rows:
            for visit, kind in (("BL", "scan"), ("M24", "scan"), ("BL_M24", "pair")):
                told = messages if kind == "pair" else None
                quality.append(
                    {"participant_id": row["participant_id"], "visit": visit, "kind": kind, "status": row["status"],
                     "flags": None, "messages": told}
                )  # fmt: skip
        tables = {
            "atrophy": rows,
            "volumes": [scan(row, visit) for row in rows for visit in ("BL", "M24")],
            "quality": quality,
        }
        for name, content in tables.items():
            write_table(folder, name, list(content))
        config = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
        config["study"].update({"bids_dir": "/data/TRIAL-7", "followup": followup})
        digests = {f"{name}.tsv": file_sha256(folder / f"{name}.tsv") for name in tables}
        write_json(folder / "run.json", {"version": "0.2.0", "config": config, "tables": digests})
        for row in rows:
            if row["status"] in {"ok", "flagged"}:
                draw(folder, row["participant_id"])
        return folder

    return write


def draw(folder, name):
    """Pictures as small as they can be, of the right proportions."""
    figures = folder / name / "figures"
    figures.mkdir(parents=True)
    for stem, rows in PICTURES:
        pixels = np.zeros((rows * 20, 80, 3), np.uint8)
        Image.fromarray(pixels).save(figures / f"{name}_ses-{stem}_T1w.jpg")


@pytest.fixture
def rows():
    """Makers of rows: of a measured patient and of one who was not."""
    return measured, failed
