"""The command line: ``graytrace STEP …``, the same as ``python -m graytrace STEP …``; one sub-command per step."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
import tempfile
from collections.abc import Sequence

from graytrace import __version__
from graytrace.catalog import STEPS
from graytrace.engines.processes import end_with_parent, keep_memory
from graytrace.errors import PipelineError

_FREE = "Free some space (results, or temporary files: TMPDIR says where)"
_PERMIT = "Get the right to write there"
_MACHINE_FAULTS = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: _FREE,
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f)",
    errno.EROFS: _PERMIT,
    errno.EACCES: _PERMIT,
    errno.EPERM: _PERMIT,
    errno.EMFILE: "Raise the limit on open files (ulimit -n)",
    errno.EIO: "The disk or the network file system does not work: repair it",
}
COMMANDS = {
    **{name: (f"graytrace.steps.{name}", step.help) for name, step in STEPS.items()},
    "audit": ("graytrace.commands.audit", "verify the audit trail of results and print it"),
    "check": ("graytrace.commands.check", "say what a data set lacks before anything is measured"),
    "compare": ("graytrace.commands.compare", "set several engines side by side on the same patients"),
    "export": ("graytrace.commands.export", "write results as rows like those of SDTM"),
    "pages": ("graytrace.commands.pages", "write a PDF page for each patient, for the clinic"),
    "demo": ("graytrace.commands.demo", "make phantom patients, measure them and set them beside the truth"),
    "lock": ("graytrace.commands.lock", "lock the plan of a study, so that each run says how it departs from it"),
    "phantom": ("graytrace.commands.phantom", "make a data set of phantom heads with known change"),
    "power": ("graytrace.commands.power", "say how many patients a trial needs"),
    "qualify": ("graytrace.commands.qualify", "say whether this installation works, on phantoms with known truth"),
    "repeatability": (
        "graytrace.commands.repeatability",
        "say how far two scans of an unchanged patient differ, and whether stated intervals held",
    ),
    "review": ("graytrace.commands.review", "make, check and compare the verdicts of two readers"),
    "run": ("graytrace.commands.run", "measure a whole study, in the manner of BIDS Apps"),
    "unblind": ("graytrace.commands.unblind", "lift the blinding of a study, and write down who did and why"),
    "truth": ("graytrace.commands.truth", "set what was measured on phantoms beside what is true"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; the exit code is 0 unless something broke."""
    argv = sys.argv[1:] if argv is None else list(argv)
    wanted = os.environ.get("GRAYTRACE_VERSION", __version__)
    if wanted != __version__:
        sys.stderr.write(
            f"This is Graytrace {__version__}, but the workflow that called it is {wanted}. In a container: build the "
            "image again from this checkout (containers/README.md).\n"
        )
        return 1
    if "GRAYTRACE_VERSION" in os.environ:
        end_with_parent()
    chosen = next((word for word in argv if not word.startswith("-")), None)
    argv, after_dashes = _split_at_dashes(argv) if chosen == "run" else (argv, [])
    _limit_threads(argv)
    parser = argparse.ArgumentParser(prog="graytrace", description="Gray-matter loss between two MRI visits.")
    parser.add_argument("--version", action="version", version=f"Graytrace {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module_name, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"Graytrace: {text}.")
        if name == chosen:  # only what is asked for is imported: some steps take seconds
            module = importlib.import_module(module_name)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    args = parser.parse_args(argv, argparse.Namespace(after_dashes=after_dashes))
    try:
        args.run(args)
    except PipelineError as error:
        sys.stderr.write(f"{args.command}: {error}\n")
        return 1
    except OSError as error:
        if error.errno not in _MACHINE_FAULTS:
            raise
        sys.stderr.write(f"{args.command}: {_machine_fault(error)}\n")
        return 1
    return 0


def _split_at_dashes(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before and after a lone ``--``."""
    at = argv.index("--") if "--" in argv else len(argv)
    return list(argv[:at]), list(argv[at + 1 :])


def _machine_fault(error: OSError) -> str:
    """A sentence for a full disk and its like; nothing is damaged, because files are written whole or not at all."""
    where = error.filename2 or error.filename or tempfile.gettempdir()
    return (
        f"{where}: {error.strerror}. {_MACHINE_FAULTS[error.errno or 0]}, then run the same command again: "
        "what is finished is kept."
    )


def _limit_threads(argv: Sequence[str]) -> None:
    """Tell numerical libraries how many cores a step may use; they look when they are imported."""
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument("--threads", type=int, default=0)
    threads = peek.parse_known_args(list(argv))[0].threads
    if threads > 0:
        from graytrace.engines.environment import thread_environment  # noqa: PLC0415 - must come before numpy

        os.environ.update(thread_environment(threads))
        keep_memory()
