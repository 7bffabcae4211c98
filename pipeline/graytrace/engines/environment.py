"""Environment variables of every tool. Imports nothing: they must be set before numerical libraries load."""

from __future__ import annotations

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
# images of FSL have one ending, the one that we read
OUTPUT_TYPE = {"FSLOUTPUTTYPE": "NIFTI_GZ"}
# nipype and what it uses ask the network for newer versions unless told not to
QUIET = {"NO_ET": "1", "NIPYPE_NO_ET": "1"}


def thread_environment(threads: int) -> dict[str, str]:
    """Variables that tell numerical libraries how many cores they may use."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


def tool_environment(threads: int) -> dict[str, str]:
    """Variables of a command-line tool's process."""
    return {**thread_environment(threads), **QUIET, **OUTPUT_TYPE}
