import io
import itertools
from pathlib import Path

import pytest
import yaml

from graytrace.catalog import STEPS
from graytrace.records import Record, write_record
from graytrace.study.config import load_config
from graytrace.study.plan import plan_study
from graytrace.workflow.freshness import unfinished_records
from graytrace.workflow.watching import COSTS, Screen, TimeLeft, format_left, last_lines, look_at

DEFAULTS = yaml.safe_load((Path(__file__).resolve().parents[3] / "config.yaml").read_text())
CODES = dict.fromkeys(STEPS, "0123456789abcdef")


@pytest.fixture
def plan(bids, tmp_path):
    """Two patients to be measured and one without a follow-up."""
    bids.patient("01")
    bids.patient("02")
    bids.scan("03", "BL")
    study = {**DEFAULTS["study"], "bids_dir": str(bids.root), "output_dir": str(tmp_path / "out")}
    return plan_study(load_config({**DEFAULTS, "study": study}))


def do(plan, *, participant, code=CODES["inspect"], but=()):
    """Write the records of a participant as the steps would."""
    for step, path in unfinished_records(plan, CODES):
        name, visits = path.relative_to(plan.output_dir / "records").parts[:2]
        if name == participant and step not in but:
            labels = [visit.removeprefix("ses-") for visit in visits.split("_")]
            keys = ("visit",) if len(labels) == 1 else ("baseline", "followup")
            record = Record(step, name, dict(zip(keys, labels, strict=True)), "ok", provenance={"code": code})
            write_record(path, record)


def test_every_step_has_a_cost():
    assert set(COSTS) == set(STEPS)


def test_nothing_is_done_at_first(plan):
    progress = look_at(plan, CODES)
    assert (progress.done, progress.share, progress.finished) == (0, 0, frozenset())


def test_a_patient_is_finished_with_the_last_record_not_before(plan):
    do(plan, participant="sub-01", but=["check_pair"])
    almost = look_at(plan, CODES)
    assert almost.finished == frozenset()
    do(plan, participant="sub-01")
    progress = look_at(plan, CODES)
    assert progress.finished == {"sub-01"}, "who has no follow-up is not measured"
    assert progress.done == almost.done + 1
    assert progress.total == almost.total
    assert almost.share < progress.share < 1


def test_what_other_code_made_is_still_to_be_done(plan):
    do(plan, participant="sub-01", code="another")
    assert look_at(plan, CODES).done == 0
    assert look_at(plan, CODES).finished == frozenset()


def test_tables_are_left_when_all_patients_are_done(plan):
    for name in plan.participants:
        do(plan, participant=name)
    progress = look_at(plan, CODES)
    assert progress.total - progress.done == 4
    assert 0.9 < progress.share < 1


def test_the_time_left_follows_the_speed_so_far_and_is_counted_down_in_between():
    now = [100.0]
    left = TimeLeft(clock=lambda: now[0])
    assert left.estimate(0.0) is None
    now[0] += 60
    assert left.estimate(0.25) == pytest.approx(180)
    now[0] += 30
    assert left.estimate(0.25) == pytest.approx(150)
    now[0] += 300
    assert left.estimate(0.25) == 0, "late, but never negative"
    assert left.estimate(0.5) == pytest.approx(390)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "about 10 s left"), (59, "about 60 s left"), (61, "about 2 min left"), (600, "about 10 min left")],
)
def test_the_time_left_is_said_no_more_exactly_than_it_is_known(seconds, words):
    assert format_left(seconds) == words


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_one_line_is_written_over_and_the_others_stay(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    screen = Screen(stream)
    screen.show("1 of 3 steps, about 10 minutes left")
    screen.say("sub-01 is done")
    screen.show("2 of 3 steps")
    screen.clear()
    assert stream.getvalue() == "1 of 3 steps, about\r\x1b[Ksub-01 is done\n2 of 3 steps\r\x1b[K"


def test_in_a_log_there_are_plain_lines_and_few_of_them():
    stream, clock = io.StringIO(), itertools.count(step=10)
    screen = Screen(stream, clock=lambda: next(clock))
    for step in range(1, 13):
        screen.show(f"{step} of 12 steps")
    screen.say("sub-01 is done")
    screen.clear()
    lines = stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
    assert lines[-1] == "sub-01 is done"
    assert 2 <= len(lines) - 1 <= 5


def test_the_last_lines_of_a_log_are_those_that_say_something(tmp_path):
    log = tmp_path / "some.log"
    assert last_lines(log, 2) == []
    log.write_bytes(b"one\n\ntwo \xff\n\nthree\n\n")
    assert last_lines(log, 2) == ["two \N{REPLACEMENT CHARACTER}", "three"]
