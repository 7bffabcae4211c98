"""What a process imports before it works: at a thousand patients every second of a job's start is four hours."""

import subprocess
import sys
from pathlib import Path

import pytest

# what takes tenths of a second or more
HEAVY = {
    "nibabel.nifti1",
    "scipy.ndimage._filters",
    "scipy.stats",
    "skimage.measure",
    "SimpleITK.SimpleITK",
    "nipype.interfaces",
}
HEAVY |= {
    "numba.core",
    "pandas.core",
    "statsmodels.api",
    "matplotlib.figure",
    "PIL.Image",
    "pydicom.config",
    "jinja2.environment",
}


def imported(*arguments):
    """Heavy modules that a Python process imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    return HEAVY & {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_the_snakefile_starts_without_heavy_packages():
    assert (
        imported("-c", "import graytrace.workflow.opening, graytrace.workflow.containers, graytrace.workflow.freshness")
        == set()
    )


@pytest.mark.parametrize(
    ("step", "needed"),
    [
        ("scan_table", set()),
        ("aggregate_atrophy", set()),
        ("correct_bias", set()),
        ("inspect", {"nibabel.nifti1"}),
        ("gray_matter_volume", {"nibabel.nifti1"}),
        ("check_scan", {"nibabel.nifti1", "scipy.ndimage._filters", "matplotlib.figure", "PIL.Image"}),
    ],
)
def test_a_job_imports_only_what_its_step_needs(step, needed):
    assert imported("-m", "graytrace", step, "--help") == needed
