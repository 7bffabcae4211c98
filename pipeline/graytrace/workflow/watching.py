"""A run seen from outside, by the records that it leaves: who is done, and how long the rest may take."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from graytrace.catalog import STEPS, names_of
from graytrace.study.plan import Plan
from graytrace.workflow.freshness import unfinished_records

# seconds of CPU of each step on a phantom of 1 mm: only their ratios count, and only for the time left
COSTS: Mapping[str, float] = {
    "inspect": 1,
    "skull_strip": 16,
    "correct_bias": 5,
    "find_lesions": 2,
    "fill_lesions": 3,
    "segment_tissue": 13,
    "label_structures": 10,
    "gray_matter_volume": 1,
    "check_scan": 5,
    "align_visits": 12,
    "join_lesions": 2,
    "measure_change": 45,
    "check_pair": 5,
    "scan_table": 1,
    "aggregate_atrophy": 1,
    "dose_response": 3,
    "report": 5,
}
_LINE_EVERY_SECONDS = 30.0  # where a line cannot be written over
_MINUTE = 60
_ROUND_SECONDS = 10  # nobody can say it more exactly
_LEAST_SHARE = 0.05  # of the work done, before which nothing is known of its speed


@dataclass
class Progress:
    """What of a study is done.

    Parameters
    ----------
    done, total : int
        Steps.
    share : float
        0 to 1, of the work.
    finished : frozenset of str
        Participants of whom every record is there.
    """

    done: int
    total: int
    share: float
    finished: frozenset[str]


def look_at(plan: Plan, codes: Mapping[str, str]) -> Progress:
    """What of a plan is done; tables of the whole study count as not done.

    Parameters
    ----------
    plan : Plan
    codes : mapping
        From `graytrace.workflow.freshness.code_of_steps`: what was made with others is still to be done.
    """
    left = unfinished_records(plan, codes)
    open_steps = Counter(step for step, _ in left)
    planned = _planned_steps(plan)
    study = names_of("study")
    cost = sum(COSTS[step] * count for step, count in planned.items())
    cost_left = sum(COSTS[step] * count for step, count in open_steps.items())
    records = plan.output_dir / "records"
    busy = {path.relative_to(records).parts[0] for _, path in left}
    measured = {pair.participant_id for pair in plan.pairs if pair.is_measured}
    return Progress(
        done=planned.total() - len(left),
        total=planned.total() + len(study),
        share=(cost - cost_left) / (cost + sum(COSTS[step] for step in study)),
        finished=frozenset(measured - busy),
    )


def _planned_steps(plan: Plan) -> Counter[str]:
    """How many times each step on a scan or pair is planned."""
    nothing_made = dict.fromkeys(STEPS, "")
    return Counter(step for step, _ in unfinished_records(plan, nothing_made))


@dataclass
class TimeLeft:
    """Seconds that are left, told again whenever something is done and counted down in between."""

    clock: Callable[[], float] = time.monotonic
    _share: float = 0.0
    _end: float | None = None
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.clock()

    def estimate(self, share: float) -> float | None:
        """Seconds left when `share` (0 to 1) of the work is done; None as long as nobody can know."""
        now = self.clock()
        if share != self._share and share >= _LEAST_SHARE:
            self._share, self._end = share, now + (now - self._start) * (1 / share - 1)
        return None if self._end is None else max(self._end - now, 0.0)


def format_left(seconds: float | None) -> str:
    """Words for a time left.

    Examples
    --------
    >>> format_left(44), format_left(95), format_left(None)
    ('about 50 s left', 'about 2 min left', 'time left not known yet')
    """
    if seconds is None:
        return "time left not known yet"
    rounded = _ROUND_SECONDS * int(seconds // _ROUND_SECONDS + 1)
    return f"about {rounded} s left" if rounded <= _MINUTE else f"about {-(-int(seconds) // _MINUTE)} min left"


class Screen:
    """Lines that stay, and below them, on a terminal, one that is written over.

    Elsewhere (a log file) that one is an ordinary line, at most twice a minute, without any control character.

    Parameters
    ----------
    stream : text file
    clock : callable
        Seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._shown = ""
        self._last = clock()

    def say(self, text: str) -> None:
        """A line, or lines, that stay."""
        self._write(f"{self._erased()}{text}\n")
        self._last = self._clock()

    def show(self, text: str) -> None:
        """The line that is written over."""
        if self._stream.isatty():
            fitting = text[: max(shutil.get_terminal_size().columns - 1, 1)]
            if fitting != self._shown:
                self._write(f"{self._erased()}{fitting}")
                self._shown = fitting
        elif text != self._shown and self._clock() - self._last >= _LINE_EVERY_SECONDS:
            self.say(text)
            self._shown = text

    def clear(self) -> None:
        """Take the line that is written over away."""
        self._write(self._erased())

    def _erased(self) -> str:
        is_drawn = bool(self._shown) and self._stream.isatty()
        self._shown = ""
        return "\r\x1b[K" if is_drawn else ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a text file that say anything; none where there is no file."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if line.strip()][-count:]
