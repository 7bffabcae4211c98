"""FSL's shell scripts go on when a program that they call is absent, and end with exit code 0."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pipeline.errors import ToolError

# dash: "bet: 1: dc: not found"; bash: "bet: line 12: dc: command not found", "bet: line 9: /opt/x: No such file …"
_ABSENT = re.compile(r"(?:: (?:line )?\d+: )(\S+): (?:(?:command )?not found|No such file or directory)")
# they only draw pictures for siena's page
_PICTURES = {"slicer", "overlay", "pngappend", "whirlgif"}


def check_script(runtime: Any, name: str) -> None:
    """Make sure that a script had every program that it called.

    Without ``dc``, for example, bet -R leaves its iterations out and still writes a mask.

    Raises
    ------
    ToolError
        The shell said that a program is absent.
    """
    called = {Path(program).name for program in _ABSENT.findall(getattr(runtime, "stderr", None) or "")}
    if absent := sorted(called - _PICTURES):
        raise ToolError(
            f"{name} went on without {', '.join(absent)}, which it calls and the shell did not find: its result does "
            f"not count. Install {', '.join(absent)}, or repair FSL."
        )
