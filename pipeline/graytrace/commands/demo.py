"""`graytrace demo`: phantom patients made, measured and set beside the truth, each as soon as it is done."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from graytrace import __version__
from graytrace.commands.truth import Comparison, compare_with_truth, format_comparison, read_truth
from graytrace.engines.processes import end_children
from graytrace.errors import PipelineError
from graytrace.files import write_text
from graytrace.results.collection import collect_results
from graytrace.study.config import Config
from graytrace.study.plan import Plan, plan_study
from graytrace.workflow.choices import load_choices
from graytrace.workflow.fingerprint import code_fingerprint
from graytrace.workflow.freshness import code_of_steps
from graytrace.workflow.project import PACKAGE, SNAKEFILE
from graytrace.workflow.watching import Screen, TimeLeft, format_left, last_lines, look_at

_LOOK_EVERY_SECONDS = 1.0
_VOXEL_MM = 1.5  # three fifths of the time that 1 mm takes; changes are read less exactly (docs/scale.md)
_FEW_CORES = 3  # of which one patient keeps all busy
_PHANTOM_SHARE = 0.1  # of a patient's CPU time
_LOG_LINES, _JOB_LOG_LINES = 15, 5
_FAILED_JOB = re.compile(r"^Error in rule (\w+):$(?:\n .*$)*?\n +log: (.+) \(check log", re.MULTILINE)
_LESIONS = "derivatives/lesions"
_MEASURED = frozenset({"ok", "flagged"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `graytrace demo`."""
    parser.add_argument("out", type=Path, nargs="?", default=Path("demo"), help="folder for all of it (default: demo)")
    parser.add_argument("--patients", type=_positive, default=3, help="how many (default: 3)")
    voxels = f"side of the voxels (default: {_VOXEL_MM:g})"
    parser.add_argument("--voxel-mm", type=float, default=_VOXEL_MM, help=voxels)
    parser.add_argument("--cores", type=_positive, default=os.cpu_count() or 1, help="cores to use (default: all)")


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return number


@dataclass
class _Demo:
    """The folder of a demonstration, what was asked for and what was said."""

    out: Path
    patients: int
    voxel_mm: float
    cores: int
    screen: Screen = field(default_factory=lambda: Screen(sys.stdout))
    left: TimeLeft = field(default_factory=TimeLeft)
    start: float = field(default_factory=time.monotonic)
    told: set[str] = field(default_factory=set)

    @property
    def phantoms(self) -> Path:
        return self.out / "phantoms"

    @property
    def truth(self) -> Path:
        return self.out / "phantoms-truth"

    @property
    def results(self) -> Path:
        return self.out / "results"

    @property
    def log(self) -> Path:
        return self.out / "demo.log"

    @property
    def study(self) -> Path:
        return self.out / "study.yaml"

    def made(self) -> list[str]:
        """Participants whose scans are there, in the order in which they are made."""
        return list(read_truth(self.truth)) if (self.truth / "truth.tsv").is_file() else []

    def seconds(self) -> float:
        return time.monotonic() - self.start


def run(args: argparse.Namespace) -> None:
    """Make the phantoms, measure them, say what came out; whatever is done already is kept.

    Raises
    ------
    PipelineError
        A step failed, or a patient was not measured.
    """
    demo = _Demo(args.out.absolute(), args.patients, args.voxel_mm, args.cores)
    demo.out.mkdir(parents=True, exist_ok=True)
    write_text(demo.log, "")
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    demo.screen.say(
        f"{demo.patients} phantom patients with known change, {demo.voxel_mm:g} mm, on {demo.cores} cores. "
        f"What every step says goes to {_shown(demo.log)}"
    )
    try:
        code = _work(demo)
    except KeyboardInterrupt:
        demo.screen.clear()
        raise PipelineError("stopped. The same command goes on where it stopped.") from None
    finally:
        end_children()
    demo.screen.clear()
    _conclude(demo, code)


def _work(demo: _Demo) -> int:
    """Phantoms and runs of Snakemake: the exit code of the last one.

    On few cores the first patient is measured alone, while the phantoms of the others are made in what it leaves idle:
    a step that wants two cores would wait for both of them until nothing else of anybody is left to do.
    """
    maker = _start_phantoms(demo)
    while maker is not None and maker.poll() is None and not demo.made():
        _tell(demo)
        time.sleep(_LOOK_EVERY_SECONDS)
    _tell(demo)  # who is done since an earlier start
    first = next(iter(demo.made()), None)
    if first and first not in demo.told and demo.patients > 1 and demo.cores <= _FEW_CORES:
        _measure(demo, alone=first)
    while maker is not None and maker.poll() is None:
        _tell(demo)
        time.sleep(_LOOK_EVERY_SECONDS)
    if maker is not None and maker.returncode:
        demo.screen.clear()
        raise PipelineError(f"the phantoms could not be made.{_quote(demo.log, _LOG_LINES)}")
    _note_phantoms(demo, is_whole=True)
    return _measure(demo)


def _start_phantoms(demo: _Demo) -> subprocess.Popen[bytes] | None:
    """Begin to make the phantoms; None where they are there, made by this code with these options."""
    note = _read_note(demo)
    if demo.phantoms.exists() and note is None:
        raise PipelineError(f"{demo.phantoms} was not made by this command: remove it, or name another folder.")
    if note == _wanted_note(demo, is_whole=True) and len(demo.made()) == demo.patients:
        return None
    for folder in (demo.phantoms, demo.truth):
        shutil.rmtree(folder, ignore_errors=True)
    _note_phantoms(demo, is_whole=False)
    demo.study.unlink(missing_ok=True)  # of other phantoms
    words = [sys.executable, "-m", "graytrace", "phantom", str(demo.phantoms), "--patients", str(demo.patients)]
    words += ["--voxel-mm", str(demo.voxel_mm), "--jobs", str(min(demo.cores, demo.patients))]
    # in the background of what is measured meanwhile
    return _start(demo, [*(["nice"] if shutil.which("nice") else []), *words])


def _wanted_note(demo: _Demo, *, is_whole: bool) -> dict[str, Any]:
    code = code_fingerprint("graytrace.commands.phantom")
    return {"patients": demo.patients, "voxel_mm": demo.voxel_mm, "code": code, "is_whole": is_whole}


def _note_phantoms(demo: _Demo, *, is_whole: bool) -> None:
    write_text(demo.out / "phantoms.json", json.dumps(_wanted_note(demo, is_whole=is_whole), indent=2) + "\n")


def _read_note(demo: _Demo) -> Any:
    try:
        return json.loads((demo.out / "phantoms.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _start(demo: _Demo, command: Sequence[str]) -> subprocess.Popen[bytes]:
    packages = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    with demo.log.open("ab") as log:
        log.write(f"\n$ {' '.join(command)}\n".encode())
        log.flush()
        return subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": packages},
        )


def _open(demo: _Demo) -> tuple[Config, Plan]:
    """The study as Snakemake will plan it."""
    config = load_choices(demo.study, {})
    return config, plan_study(config)


def _study(demo: _Demo) -> dict[str, str | None]:
    """The study's section of the configuration; a folder of masks of which none is used would be refused."""
    has_lesions = any((demo.phantoms / _LESIONS / name).is_dir() for name in demo.made())
    lesions = (Path("phantoms") / _LESIONS).as_posix() if has_lesions else None
    return {"bids_dir": "phantoms", "output_dir": "results", "lesions": lesions}


def _measure(demo: _Demo, *, alone: str | None = None) -> int:
    """Run Snakemake to its end, on everybody or one patient alone: its exit code."""
    write_text(demo.study, yaml.safe_dump({"study": _study(demo)}, sort_keys=False))
    plan = _open(demo)[1]
    last = {name: _last_records(plan, name) for name in demo.made() if name in plan.participants}
    waiting = next((name for name in last if name not in demo.told), None)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--directory", str(demo.results)]
    command += ["--cores", str(demo.cores), "--configfile", str(demo.study)]
    command += ["--prioritize", *last[waiting]] if waiting and not alone else []
    command += ["--", *last[alone]] if alone else []
    demo.results.mkdir(parents=True, exist_ok=True)
    process = _start(demo, command)
    while process.poll() is None:
        _tell(demo)
        time.sleep(_LOOK_EVERY_SECONDS)
    _tell(demo)
    return process.returncode


def _last_records(plan: Plan, participant_id: str) -> list[str]:
    """Records with which a patient is done."""
    folder = plan.output_dir / "records" / participant_id
    both = (*plan.records(), *plan.records(checks=True))
    return [path for path in both if Path(path).is_relative_to(folder)]


def _tell(demo: _Demo) -> None:
    """A line for each patient who is done and was not told of, and how far all of it is."""
    made = demo.made()
    if not made:
        demo.screen.show("making the phantoms")
        return
    if not demo.study.is_file():
        return
    try:
        config, plan = _open(demo)
    except PipelineError:
        return  # a patient is just being made; what is wrong for good, Snakemake says
    progress = look_at(plan, code_of_steps(config))
    for name in [one for one in made if one in progress.finished and one not in demo.told]:
        demo.told.add(name)
        rows = collect_results(plan, config.engines, __version__, quality=config.quality).atrophy
        demo.screen.say(_line(demo, next(row for row in rows if row["participant_id"] == name)))
    part = len(made) / demo.patients  # those that are not made yet are not planned yet
    share = part * (_PHANTOM_SHARE + (1 - _PHANTOM_SHARE) * progress.share)
    left = format_left(demo.left.estimate(share))
    total = round(progress.total / part)
    demo.screen.show(f"{progress.done} of {total} steps, {len(demo.told)} of {demo.patients} patients, {left}")


def _line(demo: _Demo, row: Mapping[str, Any]) -> str:
    """What was measured of a patient beside what is true."""
    head = f"{row['participant_id']} ({len(demo.told)} of {demo.patients}, after {_clock(demo.seconds())})"
    measured = row.get("gm_change_percent")
    if measured is None:
        return f"{head}: {row['status']}: {row.get('reason')}"
    true = read_truth(demo.truth)[row["participant_id"]]
    gray = Comparison(float(measured), float(true["gm_change_percent"]))
    interval = [row.get(f"gm_change_{end}_percent") for end in ("low", "high")]
    words = f"{head}: gray matter {gray.measured:+.2f} %, true {gray.true:+.2f} %, error {gray.error:+.2f}"
    return words if None in interval else f"{words}, 95 % interval {interval[0]:+.2f} to {interval[1]:+.2f}"


def _conclude(demo: _Demo, code: int) -> None:
    """The table and where to look, or what failed."""
    rows = compare_with_truth(demo.results, demo.truth) if (demo.results / "atrophy.tsv").is_file() else []
    if rows:
        demo.screen.say(f"\n{format_comparison(rows)}\n")
    if code:
        raise PipelineError(_what_failed(demo))
    demo.screen.say(
        f"Report:  {_shown(demo.results / 'report.html')}\nResults: {_shown(demo.results / 'atrophy.tsv')}\n"
        f"Truth:   {_shown(demo.truth / 'truth.tsv')}\nTook {_clock(demo.seconds())}."
    )
    lost = [f"{row.participant_id} ({row.status})" for row in rows if row.status not in _MEASURED]
    if lost:
        raise PipelineError(
            f"not measured: {', '.join(lost)}. The reason stands in {_shown(demo.results / 'atrophy.tsv')}."
        )


def _what_failed(demo: _Demo) -> str:
    """Which steps failed, with the end of what they and Snakemake said."""
    text = demo.log.read_text(encoding="utf-8", errors="replace")
    failed = dict.fromkeys(_FAILED_JOB.findall(text))
    steps = [f"{step} failed.{_quote(Path(log), _JOB_LOG_LINES)}" for step, log in failed]
    told = steps or [f"the run failed.{_quote(demo.log, _LOG_LINES)}"]
    return "\n".join([*told, f"All that was said: {_shown(demo.log)}. The same command goes on where it stopped."])


def _quote(log: Path, count: int) -> str:
    lines = last_lines(log, count)
    return "".join([f" The end of {_shown(log)}:", *(f"\n    {line}" for line in lines or ["(nothing)"])])


def _shown(path: Path) -> str:
    """A path as somebody in this folder would type it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
