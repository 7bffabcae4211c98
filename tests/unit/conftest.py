"""A small BIDS tree of empty files: the study reads names and tables, never images."""

from __future__ import annotations

from pathlib import Path

import pytest


class BidsTree:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.participants: list[str] = []
        root.mkdir()

    def scan(self, participant: str, visit: str, name: str | None = None) -> Path:
        anat = self.root / f"sub-{participant}" / f"ses-{visit}" / "anat"
        anat.mkdir(parents=True, exist_ok=True)
        path = anat / (name or f"sub-{participant}_ses-{visit}_T1w.nii.gz")
        path.touch()
        return path

    def dates(self, participant: str, **visits: str) -> None:
        folder = self.root / f"sub-{participant}"
        folder.mkdir(exist_ok=True)
        rows = "".join(f"ses-{visit}\t{date}\n" for visit, date in visits.items())
        (folder / f"sub-{participant}_sessions.tsv").write_text(f"session_id\tacq_time\n{rows}")

    def patient(self, participant: str, baseline: str = "2019-03-04", followup: str = "2021-03-08") -> None:
        for visit in ("BL", "M24"):
            self.scan(participant, visit)
        self.dates(participant, BL=baseline, M24=followup)

    def list_participants(self, *names: str) -> None:
        (self.root / "participants.tsv").write_text("participant_id\n" + "".join(f"{name}\n" for name in names))


@pytest.fixture
def bids(tmp_path):
    return BidsTree(tmp_path / "bids")


@pytest.fixture
def content(tmp_path):
    """A complete configuration, as Snakemake merges it."""
    return {
        "study": {
            "bids_dir": str(tmp_path / "bids"),
            "scans": None,
            "output_dir": str(tmp_path / "out"),
            "baseline": "BL",
            "followup": "M24",
            "window_months": [18, 30],
            "lesions": None,
            "dates": None,
            "exclusions": None,
        },
        "engines": {"skull_strip": "embedded", "segmentation": "embedded", "change": "embedded"},
        "quality": {"outlier_z": 5, "limits": {}},
        "statistics": {
            "dose_column": "dose",
            "columns": [],
            "covariates": [],
            "outcome": "gm_change_percent_per_year",
        },
    }
