"""`graytrace demo` from nothing to the table, and what it says when something breaks on the way."""

import os
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "graytrace", "demo", "out", "--patients", "1", "--voxel-mm", "3", "--cores", "2"]


def demonstrate(folder):
    """Exit code, what is printed, what is complained of."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(  # noqa: S603 - our own command
        COMMAND, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A demonstration whose measuring cannot begin: its folder, what is in the way, and what the command said."""
    folder = tmp_path_factory.mktemp("demo")
    in_the_way = folder / "out" / "results" / "records"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    return folder, in_the_way, demonstrate(folder)


def test_what_breaks_is_told_with_the_last_lines_of_the_log(broken):
    _, _, (code, printed, complaint) = broken
    assert code == 1
    assert "\ndemo: " in f"\n{complaint}"
    assert "records" in complaint
    assert "All that was said: out/demo.log. The same command goes on where it stopped." in complaint
    assert "Traceback" not in printed


def test_the_same_command_goes_on_to_a_row_beside_the_truth_and_the_report(broken):
    folder, in_the_way, _ = broken
    scan = next(folder.glob("out/phantoms/sub-P01/ses-BL/anat/*_T1w.nii.gz"))
    made = scan.stat().st_mtime_ns
    in_the_way.unlink()
    code, printed, complaint = demonstrate(folder)
    assert (code, complaint) == (0, "")
    assert scan.stat().st_mtime_ns == made, "phantoms that are there are not made again"
    lines = printed.splitlines()
    early = next(line for line in lines if line.startswith("sub-P01 (1 of 1, after "))
    row = next(line.split() for line in lines if line.startswith("sub-P01  "))
    assert f"gray matter {row[2]} %, true {row[3]} %, error {row[4]}" in early
    assert "Report:  out/results/report.html" in lines
    assert (folder / "out" / "results" / "report.html").is_file()
    assert not {"\r", "\x1b"} & set(printed), "no control character in a log"
    assert "rule skull_strip" not in printed
    assert "rule skull_strip" in (folder / "out" / "demo.log").read_text()
