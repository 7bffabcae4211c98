"""Which program suites the engines need, whether they are there, and in which version.

Nothing here imports nipype: the plan of a study asks before any job runs.  nipype's own look-ups read the environment
once, when they are imported, and one of them raises where a variable is not set.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graytrace.engines.environment import QUIET
from graytrace.errors import ToolError
from graytrace.versions import package_version

_VERSION = re.compile(r"\d+(?:\.\d+)+")
_SHEBANG_BYTES = 512
_ASK_SECONDS = 60.0  # a program on a slow network disk; it only has to say its version


@dataclass(frozen=True)
class Suite:
    """Programs that are installed together and have one version.

    Parameters
    ----------
    title : str
        Name for people and tables.
    find_version : callable
        The version as the suite tells it, None where it tells none.
    at_least : tuple of int
        Oldest version that our interfaces were written for.
    install : str
        What a user can do to have it.
    tells : str
        Where the version is looked for.
    """

    title: str
    find_version: Callable[[], str | None]
    at_least: tuple[int, ...]
    install: str
    tells: str


def first_version(text: str) -> str | None:
    """The first thing in a text that looks like a version.

    >>> first_version("freesurfer-linux-ubuntu22_x86_64-7.4.1-20230614-7eb8460")
    '7.4.1'
    >>> first_version("no version")
    """
    found = _VERSION.search(text)
    return found.group() if found else None


def _in_file(variable: str, *parts: str) -> str | None:
    """Version in a file of a suite whose folder an environment variable names."""
    folder = os.environ.get(variable)
    if not folder:
        return None
    path = Path(folder, *parts)
    try:
        return first_version(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None


def fsl_version() -> str | None:
    """FSL's version, from ``$FSLDIR/etc/fslversion``."""
    return _in_file("FSLDIR", "etc", "fslversion")


def freesurfer_version() -> str | None:
    """FreeSurfer's version, from ``$FREESURFER_HOME/build-stamp.txt``."""
    return _in_file("FREESURFER_HOME", "build-stamp.txt")


def ants_version() -> str | None:
    """Version that ``antsRegistration --version`` tells."""
    program = shutil.which("antsRegistration")
    said = _ask([program, "--version"]) if program else ""
    return first_version(" ".join(line for line in said.splitlines() if "version" in line.lower()))


def spm_version() -> str | None:
    """SPM's version and revision, from ``$SPM_HOME/Contents.m``; None where Octave could not use it."""
    folder = os.environ.get("SPM_HOME")
    if not folder or not Path(folder, "spm_bsplinc.mex").is_file() or not Path(folder, "tpm", "TPM.nii").is_file():
        return None
    try:
        said = Path(folder, "Contents.m").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"Version (\d+) \(SPM(\d+)\)", said)
    return f"{found.group(2)}.{found.group(1)}" if found else None


def deepbet_version() -> str | None:
    """Version of the Python package deepbet, here or in the environment that its program belongs to."""
    version = package_version("deepbet")
    if version != "unknown":
        return version
    program = shutil.which("deepbet-cli")
    if program is None:
        return None
    with Path(program).open("rb") as file:
        python = file.readline(_SHEBANG_BYTES).decode(errors="replace").removeprefix("#!").strip()
    if not Path(python).is_file():
        return None
    return first_version(_ask([python, "-c", "from importlib import metadata; print(metadata.version('deepbet'))"]))


def _ask(command: Sequence[str]) -> str:
    """What a program answers; nothing where it does not."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        asked = subprocess.run(  # noqa: S603 - a program found on PATH, no shell
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_ASK_SECONDS,
            env={**environment, **QUIET},
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout


SUITES: Mapping[str, Suite] = {
    "fsl": Suite(
        "FSL",
        fsl_version,
        (6, 0),
        "install FSL (free for non-commercial use; https://fsl.fmrib.ox.ac.uk) and set FSLDIR and PATH",
        "$FSLDIR/etc/fslversion",
    ),
    "ants": Suite(
        "ANTs",
        ants_version,
        (2, 3),
        "install ANTs (https://github.com/ANTsX/ANTs) and put its programs and scripts on PATH",
        "antsRegistration --version",
    ),
    "freesurfer": Suite(
        "FreeSurfer",
        freesurfer_version,
        (7, 4),
        "install FreeSurfer (https://surfer.nmr.mgh.harvard.edu) and source its SetUpFreeSurfer.sh",
        "$FREESURFER_HOME/build-stamp.txt",
    ),
    "spm": Suite(
        "SPM",
        spm_version,
        (12,),
        "install GNU Octave, and SPM12 (https://www.fil.ion.ucl.ac.uk/spm) with its functions compiled for Octave "
        "(make -C src PLATFORM=octave install), and set SPM_HOME to SPM's folder",
        "$SPM_HOME/Contents.m, spm_bsplinc.mex and tpm/TPM.nii",
    ),
    "deepbet": Suite(
        "deepbet",
        deepbet_version,
        (1, 0),
        "pip install 'graytrace[deepbet]' (it brings PyTorch)",
        "the Python package deepbet",
    ),
}


def require_programs(suite: str, commands: Sequence[str]) -> dict[str, str]:
    """Make sure that programs are there, in a version that we know how to call.

    Parameters
    ----------
    suite : str
        Key of `SUITES`.
    commands : sequence of str
        Programs that must be on PATH.

    Returns
    -------
    dict
        Title of the suite to its version.

    Raises
    ------
    ToolError
        ``tool_absent``, ``tool_version_unknown`` or ``tool_too_old``.
    """
    wanted = SUITES[suite]
    for command in commands:
        find_command(command, remedy=f"To have it: {wanted.install}.")
    version = wanted.find_version()
    if version is None:
        raise ToolError(
            f"{wanted.title} is there ({', '.join(commands)}) but tells no version: looked at {wanted.tells}. "
            f"Its numbers could not be reported with a version. To repair it: {wanted.install}.",
            code="tool_version_unknown",
        )
    if version_key(version) < wanted.at_least:
        needed = ".".join(map(str, wanted.at_least))
        raise ToolError(
            f"{wanted.title} {version} is too old: expected {needed} or later. To have it: {wanted.install}.",
            code="tool_too_old",
        )
    return {wanted.title: version}


def version_key(version: str) -> tuple[int, ...]:
    """Numbers of a version, to compare: ``6.0.7.4`` is (6, 0, 7, 4)."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def find_command(name: str, *, remedy: str = "") -> str:
    """Path of a program.

    Raises
    ------
    ToolError
        ``tool_absent``: it is not on PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise ToolError(f"{name} is not installed (not on PATH). {remedy}".rstrip(), code="tool_absent")
    return found
