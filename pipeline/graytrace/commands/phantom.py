"""`graytrace phantom`: make a cohort from the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from graytrace.phantoms.acquisition import ORIENTATIONS
from graytrace.phantoms.cohort import draw_patients, write_cohort

HELP = "write phantom patients with known gray-matter change as a BIDS data set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `graytrace phantom`."""
    parser.add_argument("out", type=Path, help="folder of the data set; the truth is written to OUT-truth beside it")
    parser.add_argument("--patients", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--voxel-mm", type=float, default=1.0, help="side of the voxels (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same patients (default: 1)")
    parser.add_argument("--slice-mm", type=float, help="slice thickness, a multiple of the voxel (default: the voxel)")
    parser.add_argument("--orientation", choices=ORIENTATIONS, default="RAS", help="stored axes (default: RAS)")
    parser.add_argument("--noise-percent", type=float, default=3.0, help="of white matter (default: 3)")
    parser.add_argument("--bias-percent", type=float, default=40.0, help="peak-to-peak bias field (default: 40)")
    parser.add_argument("--drift-percent", type=float, default=0.0, help="length error at follow-up (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    """Write the cohort and say where it is."""
    patients = draw_patients(
        arguments.patients,
        seed=arguments.seed,
        slice_mm=arguments.slice_mm,
        orientation=arguments.orientation,
        noise_percent=arguments.noise_percent,
        bias_percent=arguments.bias_percent,
        drift_percent=arguments.drift_percent,
    )
    truth_dir = write_cohort(
        arguments.out, patients, voxel_mm=arguments.voxel_mm, seed=arguments.seed, jobs=arguments.jobs
    )
    print(f"{len(patients)} phantom patients in {arguments.out}, their truth in {truth_dir}")  # noqa: T201
    return 0
