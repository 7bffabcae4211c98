"""``graytrace check``: everything about a data set that can be known before anything is measured, in one table."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from graytrace.algorithms.same_scan import find_same_voxels, sample_voxels
from graytrace.engines.registry import STAGES, check_engines
from graytrace.errors import ConfigError, ImageError
from graytrace.images.reading import check_whole, read_scan
from graytrace.study import questions
from graytrace.study.config import Config
from graytrace.study.plan import Plan, plan_study
from graytrace.study.planned import PlannedScan
from graytrace.workflow.choices import load_choices
from graytrace.workflow.containers import check_stage
from graytrace.workflow.freshness import code_of_steps
from graytrace.workflow.oversight import describe_oversight, find_oversight

Finding = tuple[str, str, str, str]
_HEADINGS = ("patient", "visit", "what", "why and what to do")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("bids_dir", type=Path, metavar="BIDS_DIR", help="the BIDS data set; it is only read")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the study's choices, as config.yaml has them")
    parser.add_argument("--deep", action="store_true", help="read every image, too: damaged files, the same scan twice")


def run(args: argparse.Namespace) -> None:
    """Print a row for each scan and pair that needs a hand, then what is odd about the whole.

    Raises
    ------
    ConfigError
        The configuration cannot be used, or a table of the data set.
    """
    config = load_choices(args.config, {"bids_dir": str(args.bids_dir.absolute())})
    check_engines(config.engines, config.suites)
    questions.check_questions(config)
    plan = plan_study(config)
    findings = [*list_findings(plan), *(read_images(plan) if args.deep else [])]
    lines = ["\t".join(_HEADINGS), *("\t".join(finding) for finding in findings)] if findings else []
    notes = [
        plan.summary(),
        *plan.notes(),
        *questions.describe_joins(config, plan.participants),
        *_lacking_tools(config),
        *filter(None, [describe_oversight(find_oversight(config, plan, code_of_steps(config)))]),
    ]
    counts = Counter(what for _, _, what, _ in findings)
    if counts:
        notes.append("; ".join(f"{count} x {what}" for what, count in counts.most_common()) + ".")
    else:
        notes.append("Nothing needs a hand.")
    sys.stdout.write("\n".join([*lines, *notes]) + "\n")


def _lacking_tools(config: Config) -> Iterator[str]:
    """Engines whose programs are not on this machine, a sentence each: no fault where containers have them."""
    for stage in STAGES:
        try:
            check_stage(stage, config.engines[stage], contained=False)
        except ConfigError as error:
            yield f"Not on this machine: {error}"


def list_findings(plan: Plan) -> list[Finding]:
    """What names, tables, dates and sidecars say against each scan and pair."""
    findings: list[Finding] = []
    for scan in plan.scans:
        reason = () if scan.reason is None else (scan.reason,)
        findings += [(scan.participant_id, scan.visit, *said) for said in (*reason, *scan.flags, *_find_empty(scan))]
    for pair in plan.pairs:
        visits = f"{pair.baseline.visit}_{pair.followup.visit}"
        is_own = all(scan.is_measured for scan in (pair.baseline, pair.followup))
        reason = (pair.reason,) if is_own and pair.reason is not None else ()
        findings += [(pair.participant_id, visits, *said) for said in (*reason, *pair.flags)]
    return sorted(findings)


def _find_empty(scan: PlannedScan) -> Iterator[tuple[str, str]]:
    """A scan's files without a byte, as a disk that was full leaves them: seen without reading any."""
    for path in (scan.t1w, scan.lesion_mask, scan.flair):
        if scan.is_measured and path is not None and path.is_file() and not path.stat().st_size:
            yield "unreadable", f"{path.name} is an empty file. Copy it again."


def read_images(plan: Plan) -> Iterator[Finding]:
    """What is in the files: damage, headers, and scans with the same voxels."""
    scans: list[PlannedScan] = []
    samples = []
    for scan in plan.scans:
        if not scan.is_measured or scan.t1w is None:
            continue
        if any(_find_empty(scan)):  # told already
            continue
        try:
            for path in (scan.lesion_mask, scan.flair):
                if path is not None:
                    check_whole(path)
            image = read_scan(scan.t1w)
        except ImageError as error:
            yield scan.participant_id, scan.visit, error.code, str(error)
            continue
        yield from ((scan.participant_id, scan.visit, flag.code, flag.message) for flag in image.flags)
        scans.append(scan)
        samples.append(sample_voxels(image.volume.data, image.volume.voxel_to_ras))
    for first, second in find_same_voxels(np.stack(samples)) if samples else []:
        for scan, other in ((scans[first], scans[second]), (scans[second], scans[first])):
            message = f"It has the voxels of {other.participant_id} ses-{other.visit}: find out whose scan it is."
            yield scan.participant_id, scan.visit, "same_scan", message
