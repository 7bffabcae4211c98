"""Find the structures of a scan: nuclei, cortex, ventricles, left and right."""

from __future__ import annotations

import argparse
from pathlib import Path

from graytrace.engines.registry import EMBEDDED
from graytrace.errors import ImageError, ToolError
from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import job_of
from graytrace.steps.record import Outcome, Upstream, perform, run_stage
from graytrace.steps.segment_tissue import FRACTIONS

LABELS = "structures"  # the output's name in the record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this step."""
    add_step_arguments(parser, "label_structures")


def run(args: argparse.Namespace) -> None:
    """Label the structures of a scan."""
    job = job_of("label_structures", args)

    def work(upstream: Upstream, folder: Path) -> Outcome:
        tissue = upstream["segment_tissue"]
        names = sorted(tissue.outputs.keys() & {*FRACTIONS, "subcortical_gm_fraction"})
        inputs = {name: tissue.open_output(name, job.output_dir) for name in names}
        digests = {name: tissue.outputs[name].sha256 for name in names}
        try:
            images, measures, versions = run_stage("structures", EMBEDDED, inputs, folder=folder, job=job)
        except (ImageError, ToolError) as error:
            if isinstance(error, ToolError) and not error.about_data:
                raise
            # the tissues stand without their structures
            return Outcome(measures={"structures_note": str(error)}, inputs=digests)
        return Outcome(files={LABELS: images["labels"]}, measures=measures, inputs=digests, tool_versions=versions)

    outputs = {LABELS: job.scan_image("seg-structures_dseg")}
    perform(job, work, upstream=upstream_of("label_structures", args), outputs=outputs)
