"""FSL's shell scripts go on without a program that they call, end with exit code 0, and break paths at blanks."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from graytrace.engines.tool import image_ending
from graytrace.errors import ToolError

# dash: "bet: 1: dc: not found"; bash: "bet: line 12: dc: command not found", "bet: line 9: /opt/x: No such file …"
_ABSENT = re.compile(r"(?:: (?:line )?\d+: )(\S+): (?:(?:command )?not found|No such file or directory)")
# they only draw pictures for siena's page
_PICTURES = {"slicer", "overlay", "pngappend", "whirlgif"}


def check_script(runtime: Any, name: str, *, report: Path | None = None) -> None:
    """Make sure that a script had every program that it called.

    Without ``dc``, for example, bet -R leaves its iterations out and still writes a mask.

    Parameters
    ----------
    runtime : nipype.interfaces.base.support.Bunch
        With what the script said on stderr.
    name : str
        The script, for the message.
    report : Path, optional
        File into which the script sends what some of its programs say on stderr.

    Raises
    ------
    ToolError
        The shell said that a program is absent.
    """
    said = getattr(runtime, "stderr", None) or ""
    if report is not None and report.is_file():
        said += report.read_text(encoding="utf-8", errors="replace")
    called = {Path(program).name for program in _ABSENT.findall(said)}
    if absent := sorted(called - _PICTURES):
        raise ToolError(
            f"{name} went on without {', '.join(absent)}, which it calls and the shell did not find: its result does "
            f"not count. Install {', '.join(absent)}, or repair FSL."
        )


def copy_scan(scan: Path, folder: Path, name: str) -> Path:
    """Copy a scan to where FSL's scripts can read it: they break a path at its blanks, and follow links.

    Raises
    ------
    ToolError
        The job's folder has a blank in its path.
    """
    copy = folder.resolve() / f"{name}{image_ending(scan)}"
    if any(character.isspace() for character in str(copy)):
        raise ToolError(
            f"FSL's scripts cannot work in {folder}: its path has a blank. Set TMPDIR to a folder without one."
        )
    shutil.copyfile(scan, copy)
    return copy
