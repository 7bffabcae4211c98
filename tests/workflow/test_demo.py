"""`graytrace demo` from nothing to the table, and what it says when something breaks on the way."""

import os
import subprocess
import sys

COMMAND = [sys.executable, "-m", "graytrace", "demo", "out", "--patients", "1", "--voxel-mm", "3", "--cores", "2"]


def demonstrate(folder):
    """Exit code, what is printed, what is complained of."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(  # noqa: S603 - our own command
        COMMAND, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_what_breaks_is_told_and_the_same_command_goes_on_to_the_row_beside_the_truth(tmp_path):
    in_the_way = tmp_path / "out" / "results" / "records"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    code, printed, complaint = demonstrate(tmp_path)
    assert code == 1
    assert "\ndemo: " in f"\n{complaint}"
    assert "All that was said: out/demo.log. The same command goes on where it stopped." in complaint
    assert "Traceback" not in printed
    scan = next(tmp_path.glob("out/phantoms/sub-P01/ses-BL/anat/*_T1w.nii.gz"))
    made = scan.stat().st_mtime_ns

    in_the_way.unlink()
    code, printed, complaint = demonstrate(tmp_path)
    assert (code, complaint) == (0, "")
    assert scan.stat().st_mtime_ns == made, "phantoms that are there are not made again"
    lines = printed.splitlines()
    early = next(line for line in lines if line.startswith("sub-P01 (1 of 1, after "))
    row = next(line.split() for line in lines if line.startswith("sub-P01  "))
    assert f"gray matter {row[2]} %, true {row[3]} %, error {row[4]}" in early
    assert "Report:  out/results/report.html" in lines
    assert (tmp_path / "out" / "results" / "report.html").is_file()
    assert not {"\r", "\x1b"} & set(printed), "no control character in a log"
    assert "rule skull_strip" not in printed
    assert "rule skull_strip" in (tmp_path / "out" / "demo.log").read_text()
