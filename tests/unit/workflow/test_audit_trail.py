"""The chain: what is written can be verified, and every way to change it afterwards is told."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from graytrace.errors import PipelineError
from graytrace.workflow import audit_trail
from graytrace.workflow.audit_trail import HEAD_NAME, TRAIL_NAME, append_entry, read_trail


@pytest.fixture
def trail(tmp_path):
    """Five entries; the version of a package changes in the third."""
    for number in range(1, 6):
        packages = {"scipy": "1.17.0" if number < 3 else "1.16.1", "numpy": "2.2"}
        append_entry(tmp_path, f"event {number}", {"packages": packages}, {"note": number})
    return tmp_path / TRAIL_NAME


def lines(path):
    return path.read_bytes().splitlines(keepends=True)


def faults(path):
    return list(read_trail(path.parent).faults)


def test_an_unchanged_chain_holds_and_tells_who_when_and_what_changed(trail):
    found = read_trail(trail.parent)
    assert found.faults == ()
    assert [entry.number for entry in found.entries] == [1, 2, 3, 4, 5]
    third = found.entries[2]
    assert [change.describe() for change in third.changes] == ["package scipy: 1.17.0 -> 1.16.1"]
    assert third.content["when"].endswith("+00:00")
    assert third.content["user"]
    assert third.content["host"] == os.uname().nodename
    assert found.entries[3].changes == []
    assert found.inventory == {"packages": {"scipy": "1.16.1", "numpy": "2.2"}}


def test_each_line_holds_the_digest_of_the_line_before(trail):
    import hashlib  # noqa: PLC0415 - the test computes the promise by itself

    before = "0" * 64
    for line in lines(trail):
        assert json.loads(line)["previous"] == before
        before = hashlib.sha256(line.rstrip(b"\n")).hexdigest()
    assert json.loads((trail.parent / HEAD_NAME).read_text()) == {"entries": 5, "sha256": before}


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
def test_an_edited_line_is_told_with_its_place(trail, place):
    kept = lines(trail)
    kept[place - 1] = kept[place - 1].replace(b'"note":', b'"Note":')
    trail.write_bytes(b"".join(kept))
    found = faults(trail)
    assert len(found) == 1
    assert found[0].startswith(f"line {place} was edited")


def test_an_edited_number_in_a_line_that_is_no_entry_any_more_is_told(trail):
    kept = lines(trail)
    kept[2] = kept[2][:-20] + b"\n"
    trail.write_bytes(b"".join(kept))
    assert faults(trail)[0] == "line 3 was edited: it is no entry any more."


@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_a_removed_line_is_told(trail, place):
    kept = lines(trail)
    del kept[place - 1]
    trail.write_bytes(b"".join(kept))
    assert faults(trail) == [f"entry {place} was removed before line {place}."]


def test_moved_and_copied_lines_are_told(trail):
    kept = lines(trail)
    trail.write_bytes(b"".join([kept[0], kept[2], kept[1], *kept[3:]]))
    assert faults(trail) == ["line 3 was moved or copied: it is entry 2 behind entry 3."]
    trail.write_bytes(b"".join([*kept[:3], kept[1], *kept[3:]]))
    assert faults(trail) == ["line 4 was moved or copied: it is entry 2 behind entry 3."]


def test_lines_cut_off_at_the_end_are_told_by_the_digest_kept_apart(trail):
    trail.write_bytes(b"".join(lines(trail)[:3]))
    assert faults(trail) == [f"entries 4 to 5 were cut off at the end: {HEAD_NAME} knows of them."]
    trail.unlink()
    assert faults(trail) == [f"entries 1 to 5 were cut off at the end: {HEAD_NAME} knows of them."]


def test_what_was_cut_off_does_not_vanish_behind_later_entries(trail):
    trail.write_bytes(b"".join(lines(trail)[:3]))
    append_entry(trail.parent, "later")
    append_entry(trail.parent, "later still")
    found = faults(trail)
    assert "entries 4 to 5 were removed before line 4." in found
    assert any(fault.startswith("told by entry 6: entries 4 to 5 were cut off") for fault in found)
    assert len(found) == len(set(found))


def test_without_the_digest_kept_apart_it_is_said_that_the_end_is_not_known(trail):
    (trail.parent / HEAD_NAME).unlink()
    assert faults(trail) == [f"{HEAD_NAME} is not there: whether entries were cut off at the end is not known."]
    (trail.parent / HEAD_NAME).write_text("{}")
    assert faults(trail) == [f"{HEAD_NAME} was edited: it tells no last entry any more."]


@pytest.mark.parametrize("kept", [1, 40, -2])
def test_a_line_that_a_crash_cut_short_is_told_and_does_no_harm(trail, kept):
    whole = trail.read_bytes()
    last = lines(trail)[-1]
    trail.write_bytes(whole + last[:kept])
    found = read_trail(trail.parent)
    assert (found.faults, found.torn) == ((), (6,))
    append_entry(trail.parent, "after the crash", {"packages": {"scipy": "1"}})
    found = read_trail(trail.parent)
    assert (found.faults, found.torn) == ((), (6,))
    assert found.entries[-1].number == 6
    assert trail.read_bytes().startswith(whole)


def test_a_line_whose_end_alone_is_missing_is_whole(trail):
    trail.write_bytes(trail.read_bytes()[:-1])
    append_entry(trail.parent, "after the crash")
    found = read_trail(trail.parent)
    assert (found.faults, found.torn, len(found.entries)) == ((), (), 6)


def test_a_torn_line_that_was_edited_afterwards_is_told(trail):
    trail.write_bytes(trail.read_bytes() + b'{"number":6,"pre')
    append_entry(trail.parent, "after the crash")
    kept = lines(trail)
    kept[5] = b'{"number":6,"pra\n'
    trail.write_bytes(b"".join(kept))
    assert faults(trail)[0] == "line 6 was edited: it is no entry any more."


def test_a_crash_between_line_and_digest_is_no_fault(trail):
    before = (trail.parent / HEAD_NAME).read_text()
    append_entry(trail.parent, "crashed here")
    (trail.parent / HEAD_NAME).write_text(before)
    assert faults(trail) == []
    append_entry(trail.parent, "next")
    assert faults(trail) == []


def test_many_processes_at_once_make_one_chain(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom graytrace.workflow.audit_trail import append_entry\n"
        "for number in range(8):\n    append_entry(Path(sys.argv[1]), sys.argv[2], "
        "{'packages': {sys.argv[2]: str(number)}})"
    )

    def work(name):
        return subprocess.run([sys.executable, "-c", code, str(tmp_path), name], check=True)  # noqa: S603 - our own code

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, "abcd"))
    found = read_trail(tmp_path)
    assert found.faults == ()
    assert [entry.number for entry in found.entries] == list(range(1, 33))


def test_a_folder_that_cannot_be_written_ends_in_a_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audit_trail.os, "write", full)
    with pytest.raises(PipelineError, match=r"audit.jsonl cannot be written \(No space left on device\)"):
        append_entry(tmp_path, "run started")


def test_any_bytes_in_the_place_of_lines_are_told_without_an_error(trail):
    kept = lines(trail)
    for bad in (
        b"\xff\xfe\n",
        b"[]\n",
        b"null\n",
        b'{"number": "x", "previous": ""}\n',
        b'{"number":1e999}\n',
        b'{"number":3,"previous":"","changes":[[1,2]]}\n',
        b"[" * 9999 + b"\n",
    ):
        trail.write_bytes(b"".join([*kept[:2], bad, *kept[3:]]))
        assert faults(trail)[0] == "line 3 was edited: it is no entry any more."
