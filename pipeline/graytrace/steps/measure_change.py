"""Measure how much tissue was lost between a patient's two visits."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graytrace.catalog import VISITS
from graytrace.files import write_json
from graytrace.findings import Flag
from graytrace.steps.align_visits import visit_digests, visit_inputs
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import job_of
from graytrace.steps.label_structures import LABELS
from graytrace.steps.record import Outcome, Upstream, perform, run_stage
from graytrace.steps.segment_tissue import FRACTIONS

# the rest may be cut off by the outermost voxels
_COVERED_PERCENT = 99.0
_GEOMETRY = ("scale_percent", "scale_se_percent", "has_skull")
# of the change: a larger effect needs eyes on both scans
_SHARPNESS_LIMIT_POINTS = 0.3
_IMAGES = {
    "baseline_midway": "space-midway_desc-baseline_T1w.nii.gz",
    "followup_midway": "space-midway_desc-followup_T1w.nii.gz",
    "change_map": "space-midway_desc-change_map.nii.gz",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "measure_change")


def run(args: argparse.Namespace) -> None:
    """Measure the change of a patient."""
    job = job_of("measure_change", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        inputs: dict[str, Any] = {**visit_inputs(upstream, job), **args.options}
        digests = visit_digests(upstream)
        for visit in VISITS:
            tissue = upstream[f"{visit}_segment_tissue"]
            for name in sorted(tissue.outputs.keys() & {*FRACTIONS, "subcortical_gm_fraction"}):
                inputs[f"{visit}_{name}"] = tissue.open_output(name, job.output_dir)
                digests[f"{visit}_{name}"] = tissue.outputs[name].sha256
            structures = upstream[f"{visit}_label_structures"]
            if LABELS in structures.outputs:
                inputs[f"{visit}_structures"] = structures.open_output(LABELS, job.output_dir)
                inputs[f"{visit}_structure_volumes_ml"] = structures.measures["structure_volumes_ml"]
                digests[f"{visit}_structures"] = structures.outputs[LABELS].sha256
            inputs[f"{visit}_to_midway"] = upstream["align_visits"].measures[f"{visit}_to_midway"]
        inputs |= {name: upstream["align_visits"].measures[name] for name in _GEOMETRY}
        images, measures, versions = run_stage("change", args.engine, inputs, folder=folder, job=job)
        change = folder / "change.json"
        write_json(change, {"participant_id": job.participant_id, **job.visits, **measures})
        return Outcome(
            files={**images, "change": change},
            measures=measures,
            flags=_flags(measures),
            inputs=digests,
            engine=args.engine,
            tool_versions=versions,
        )

    outputs = {
        **{name: job.change_file(suffix) for name, suffix in _IMAGES.items()},
        "change": job.change_file("desc-change.json"),
    }
    perform(job, work, upstream=upstream_of("measure_change", args), outputs=outputs)


def _flags(measures: Mapping[str, Any]) -> list[Flag]:
    """Flags where a visit does not show all of the gray matter, where one moved, and where one is much less sharp."""
    flags = []
    covered = measures.get("covered_percent", 100.0)
    if covered < _COVERED_PERCENT:
        message = f"Only {covered:.1f} % of the gray matter is in both fields of view: the change is that of this part."
        flags.append(Flag("field_of_view_differs", message))
    if "movement_effect_points" in measures:
        effect, far = measures["movement_effect_points"], measures["displaced_mm"]
        message = (
            f"The head moved while one of the scans was taken: some of its lines show it {far:.1f} mm elsewhere. The "
            f"correction moved the change of gray matter by {effect:+.2f} points; a part of it may be left."
        )
        flags.append(Flag("head_moved", message))
    effect = measures.get("sharpness_effect_points", 0.0)
    if abs(effect) > _SHARPNESS_LIMIT_POINTS:
        message = (
            f"One visit is less sharp (motion, or another filter or coil): its correction moved the change of gray "
            f"matter by {effect:+.2f} points."
        )
        flags.append(Flag("sharpness_differs", message))
    return flags
