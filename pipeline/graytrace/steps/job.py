"""What one step is asked to do: for which scan or pair, and where its files belong."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graytrace.records import BETWEEN


@dataclass(frozen=True)
class Job:
    """One step for one scan (``visits = {"visit": …}``) or pair (``{"baseline": …, "followup": …}``)."""

    step: str
    participant_id: str
    visits: Mapping[str, str]
    record: Path
    threads: int = 1
    code: str = ""  # digest of what the workflow asked for, from `graytrace.workflow.freshness`
    between: bool = False  # a pair of other visits than the baseline: the follow-up alone would name several pairs

    @property
    def output_dir(self) -> Path:
        """The run's folder: a record is at records/sub-X/ses-Y/step.json in it."""
        return self.record.parents[3]

    def scan_image(self, suffix: str) -> Path:
        """Where an image of a scan belongs, for example ``desc-brain_mask``."""
        visit = self.visits["visit"]
        name = f"{self.participant_id}_ses-{visit}_{suffix}.nii.gz"
        return self.output_dir / self.participant_id / f"ses-{visit}" / "anat" / name

    def change_file(self, suffix: str) -> Path:
        """Where a file on the change of a pair belongs, for example ``desc-change.json``."""
        return self.output_dir / self.participant_id / "change" / f"{self._stem}_{suffix}"

    def figure(self, suffix: str) -> Path:
        """Where a figure belongs."""
        return self.output_dir / self.participant_id / "figures" / f"{self._stem}_{suffix}.jpg"

    @property
    def _stem(self) -> str:
        """How names begin: a pair's with its follow-up, and with the other visit where that is not the baseline."""
        visit = self.visits.get("visit", self.visits.get("followup"))
        between = f"{BETWEEN}{self.visits['baseline']}" if self.between else ""
        return f"{self.participant_id}_ses-{visit}{between}"


def job_of(step: str, args: argparse.Namespace) -> Job:
    """The job that a step's arguments describe."""
    names = ("visit",) if hasattr(args, "visit") else ("baseline", "followup")
    visits = {name: getattr(args, name) for name in names}
    between = getattr(args, "between", False)
    return Job(step, f"sub-{args.participant}", visits, args.record.absolute(), args.threads, args.code, between)
