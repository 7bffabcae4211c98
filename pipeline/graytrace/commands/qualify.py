"""``graytrace qualify``: whether this installation works on this machine, on phantoms with known truth."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from graytrace import __version__
from graytrace.commands.qualification.installation import qualify_installation
from graytrace.commands.qualification.operation import make_study, qualify_operation
from graytrace.commands.qualification.performance import qualify_performance
from graytrace.errors import ConfigError, PipelineError
from graytrace.files import file_sha256, whole_file, write_json, write_text
from graytrace.report.qualification import render_html, render_pdf
from graytrace.results.qualification import LIMITS, Qualification

_CPUINFO = Path("/proc/cpuinfo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="folder for the page, the phantoms and their results: new or empty"
    )
    parser.add_argument("--quick", action="store_true", help="fewer and coarser phantoms, with wider limits")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="cores to use (default: all)")


def run(args: argparse.Namespace) -> None:
    """Check the installation, run the phantoms, write the page.

    Raises
    ------
    ConfigError
        The folder has something in it, or the number of cores is none.
    PipelineError
        A check failed; the page is written all the same.
    """
    out: Path = args.out.absolute()
    if args.cores < 1:
        raise ConfigError(f"--cores: expected a whole number from 1, got {args.cores}.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty. Name a new folder: what an earlier run left must not count.")
    date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    extent = "quick" if args.quick else "full"
    limits = LIMITS[extent]
    _say("installation: Python, packages, files, weights")
    checks, packages = qualify_installation()
    _say(f"phantoms of {limits.voxel_mm:g} mm")
    study = make_study(out, extent, cores=args.cores)
    _say(f"operation: a run that is killed, goes on and is repeated; what it says stands in {study.log}")
    checks += qualify_operation(study)
    checks += qualify_performance(study, limits)
    found = Qualification(__version__, extent, date, describe_machine(), checks, packages)
    write_qualification(out, found)
    for check in checks:
        sys.stdout.write(f"{check.verdict:<4}  {check.code}  {check.what}: {check.found}\n")
    sys.stdout.write(f"Page to sign: {out / 'qualification.pdf'}\n")
    if not found.is_passed:
        raise PipelineError(_describe_failure(found, out))


def write_qualification(out: Path, found: Qualification) -> None:
    """Write qualification.json, and the page as HTML and PDF with its digest."""
    write_json(out / "qualification.json", found.as_dict())
    digest = file_sha256(out / "qualification.json")
    write_text(out / "qualification.html", render_html(found, digest=digest))
    with whole_file(out / "qualification.pdf") as part:
        part.write_bytes(render_pdf(found, digest=digest))


def describe_machine() -> dict[str, str]:
    """What this runs on, in words."""
    names = [line.partition(":")[2].strip() for line in _lines(_CPUINFO) if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    return {
        "Machine": platform.node() or "unnamed",
        "System": platform.platform(),
        "Processor": f"{processor}, {os.cpu_count() or 1} cores",
        "Python": f"{platform.python_version()} at {sys.executable}",
    }


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def _describe_failure(found: Qualification, out: Path) -> str:
    failed = ", ".join(f"{check.code} ({check.what})" for check in found.failed) or "a part has no check that passed"
    return (
        f"The qualification failed: {failed}. {out / 'qualification.html'} has what was expected and found; do not use "
        "this installation for a study before its cause is known."
    )


def _say(text: str) -> None:
    sys.stderr.write(f"qualify: {text}\n")
    sys.stderr.flush()
