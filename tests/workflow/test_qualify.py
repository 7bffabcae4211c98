"""A whole qualification of this installation on phantoms of 2 mm, done once for all tests of this module."""

import json
import re

import pytest

from graytrace.results.qualification import LIMITS, SIGNERS

pytestmark = pytest.mark.timeout(2400)  # a study is run, killed, run and repeated before the first of them


@pytest.fixture(scope="session")
def content(qualified):
    return json.loads((qualified / "qualification.json").read_text())


def test_a_sound_installation_passes(content, shared):
    said = (shared / "qualified.said").read_text()
    wrong = [one for one in content["checks"] if one["verdict"] == "fail"]
    assert wrong == []
    assert content["verdict"] == "pass"
    assert said.startswith("0\n"), said


def test_every_part_was_looked_at(content):
    codes = [one["code"] for one in content["checks"]]
    assert codes == [
        *(f"IQ-{n}" for n in range(1, 6)),
        *(f"OQ-{n}" for n in range(1, 6)),
        *(f"PQ-{n}" for n in range(1, 7)),
    ]
    judged = {one["code"] for one in content["checks"] if one["verdict"] == "pass"}
    assert {"IQ-2", "IQ-3", "IQ-5", "OQ-1", "OQ-2", "OQ-3", "OQ-4", "OQ-5", "PQ-1", "PQ-2", "PQ-3"} <= judged


def test_the_killed_run_had_finished_something(content):
    (resumed,) = (one["found"] for one in content["checks"] if one["code"] == "OQ-1")
    kept, finished = map(int, re.search(r"(\d+) of (\d+) finished steps kept", resumed).groups())
    assert 1 <= kept <= finished


def test_the_page_has_every_check_limit_and_a_place_to_sign(qualified, content):
    page = (qualified / "qualification.html").read_text()
    for one in content["checks"]:
        assert f"<td>{one['code']}</td>" in page
    assert f"at most {LIMITS['quick'].change_error_points:g} percentage points" in page
    assert all(signer in page for signer in SIGNERS)
    assert (qualified / "qualification.pdf").read_bytes().startswith(b"%PDF")
    assert "numpy" in page
