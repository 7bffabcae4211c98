"""Which engines' programs this machine has."""

import shutil

from graytrace.engines.registry import STAGES, TASKS
from graytrace.engines.suites import SUITES


def present(task):
    """Engines with programs of their own, all on PATH, whose suite tells its version: Octave alone is no SPM."""
    return [
        name
        for name, engine in TASKS[task].engines.items()
        if engine.commands and all(map(shutil.which, engine.commands)) and SUITES[engine.suite].find_version()
    ]


def absent_line():
    """One line that names the engines whose real programs were not tried."""
    absent = [
        f"{name} ({engine.commands[0]})"
        for task in STAGES
        for name, engine in TASKS[task].engines.items()
        if engine.commands and name not in present(task)
    ]
    return f"Not on this machine, so only stand-ins were tried: {', '.join(absent)}." if absent else ""
