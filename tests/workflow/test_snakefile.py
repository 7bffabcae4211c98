"""What the workflow says before anything is measured."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]


def test_lint_has_no_complaint():
    command = [sys.executable, "-m", "snakemake", "--lint"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_snakefile_is_a_table_of_contents():
    lines = (PROJECT / "Snakefile").read_text().splitlines()
    assert len(lines) < 80
    assert not any(line.lstrip().startswith("def ") for line in lines)
    for rules in (PROJECT / "pipeline" / "rules").glob("*.smk"):
        assert len(rules.read_text().splitlines()) <= 200


def test_a_dry_run_plans_what_is_there_and_nothing_else(run_workflow, config, tmp_path):
    code, messages = run_workflow(config, "--dry-run")
    assert code == 0, messages
    jobs = {
        line.split()[0]: int(line.split()[1])
        for line in messages.splitlines()
        if len(line.split()) == 2 and line.split()[1].isdigit()
    }
    assert jobs["inspect"] == jobs["gray_matter_volume"] == 3
    assert jobs["align_visits"] == jobs["measure_change"] == 1
    assert not {"find_lesions", "join_lesions", "fill_lesions"} & jobs.keys()
    assert not (tmp_path / "out").exists(), "a dry run writes nothing"


def test_lesions_of_both_visits_are_joined_and_both_are_filled(run_workflow, config):
    anat = Path(config["study"]["bids_dir"]) / "sub-01"
    for visit in ("BL", "M24"):
        (anat / f"ses-{visit}" / "anat" / f"sub-01_ses-{visit}_FLAIR.nii.gz").write_bytes(b"flair")
    code, messages = run_workflow(config, "--dry-run")
    assert code == 0, messages
    started = re.findall(r"^rule (\w+):", messages, flags=re.MULTILINE)
    counts = {rule: started.count(rule) for rule in ("find_lesions", "join_lesions", "fill_lesions")}
    assert counts == {"find_lesions": 2, "join_lesions": 1, "fill_lesions": 2}
    filling = re.findall(r"^rule fill_lesions:\n    input: (.*)$", messages, flags=re.MULTILINE)
    assert all("join_lesions.json" in inputs for inputs in filling)


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("study", {"bidsdir": "x"}, "study.bidsdir: no such key. Did you mean study.bids_dir?"),
        ("engines", {"change": "ants"}, "engines.change: ants does not do this stage; available: embedded, difference"),
        ("engines", {"skull_strip": "ants"}, "ants.template is not set"),
        ("study", {"bids_dir": "nowhere"}, "study.bids_dir: there is no folder"),
        ("study", {"baseline": 1}, "study.baseline: expected string, got 1. Write it in quotes."),
    ],
)
def test_a_wrong_choice_is_one_message_without_traceback(run_workflow, config, tmp_path, section, values, message):
    config.setdefault(section, {}).update(values)
    code, messages = run_workflow(config)
    assert code == 1
    assert message in messages
    assert "Traceback" not in messages
    assert 'File "' not in messages
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(shutil.which("siena") is not None, reason="SIENA is here")
def test_a_missing_tool_is_found_before_the_first_job(run_workflow, config, tmp_path):
    config["engines"] = {"change": "fsl"}
    code, messages = run_workflow(config)
    assert code == 1
    assert "engines.change: fsl: siena is not installed (not on PATH). To have it: install FSL" in messages
    assert "build containers/fsl.sif and call snakemake with --sdm apptainer" in messages
    assert "Traceback" not in messages
    assert not (tmp_path / "out").exists()


def test_broken_machinery_fails_the_run_but_everyone_has_a_row(run_workflow, config, tmp_path):
    run_workflow(config, "--until", "inspect")
    record = tmp_path / "out" / "records" / "sub-01" / "ses-BL" / "inspect.json"
    record.write_text(record.read_text()[:-20])
    # who has Snakemake look at times alone is not helped: the damaged record is used, and the step says what is wrong
    code, messages = run_workflow(config, "--retries", "0", "--rerun-triggers", "mtime")
    assert code == 1
    assert "inspect.json is not a record of Graytrace" in messages
    table = (tmp_path / "out" / "atrophy.tsv").read_text().splitlines()
    assert [line.split("\t")[:2] for line in table[1:]] == [["sub-01", "failed"], ["sub-02", "missing"]]
    assert "2 patients: 0 ok, 0 flagged, 0 excluded, 1 missing, 1 failed." in messages


def test_a_damaged_record_is_recomputed(run_workflow, config, tmp_path):
    run_workflow(config, "--until", "inspect")
    record = tmp_path / "out" / "records" / "sub-01" / "ses-BL" / "inspect.json"
    whole = record.read_bytes()
    record.write_bytes(whole[:-20])
    code, messages = run_workflow(config, "--until", "inspect")
    assert code == 0
    assert "Changed or removed since they were written, and made anew: records/sub-01/ses-BL/inspect.json" in messages
    assert json.loads(record.read_text())["step"] == "inspect"


def test_what_is_finished_is_not_done_again(run_workflow, config):
    first, said = run_workflow(config, "--until", "inspect")
    assert first == 0, said
    second, said = run_workflow(config, "--until", "inspect")
    assert second == 0
    assert re.search(r"total\s+0\n", said), said


def _planned(messages):
    """Jobs of a dry run by rule."""
    return {rule: int(count) for rule, count in re.findall(r"^(?!total)(\w+) +(\d+)$", messages, re.MULTILINE)}


def test_results_of_other_code_or_options_are_recomputed_wherever_snakemake_is_started(run_in, small, tmp_path):
    """The folder where Snakemake is started, with all that it remembers, is a new one each time."""
    out = tmp_path / "out"
    code, said = run_in("first", small, out)
    assert code == 0, said
    code, said = run_in("elsewhere", small, out, "--dry-run")
    assert code == 0, said
    assert "Nothing to be done" in said
    assert "recomputed" not in said

    record = out / "records" / "sub-02" / "ses-BL" / "segment_tissue.json"
    content = json.loads(record.read_text())
    old = content["provenance"]["code"]
    content["provenance"]["code"] = "0123456789abcdef"
    times = record.stat().st_atime_ns, record.stat().st_mtime_ns
    record.write_text(json.dumps(content, indent=2))
    os.utime(record, ns=times)
    code, said = run_in("other-code", small, out, "--dry-run")
    assert code == 0, said
    jobs = _planned(said)
    assert "1 steps were done by another version of Graytrace" in said
    assert jobs["segment_tissue"] == jobs["gray_matter_volume"] == jobs["aggregate_atrophy"] == jobs["report"] == 1
    assert not {"inspect", "skull_strip", "correct_bias"} & set(jobs)
    code, said = run_in("other-code", small, out, "--dry-run", "--rerun-triggers", "mtime")
    assert "Nothing to be done" in said, "who tells Snakemake to look at times alone has that"

    code, said = run_in("again", small, out)
    assert code == 0, said
    assert json.loads(record.read_text())["provenance"]["code"] == old

    small["study"]["window_months"] = [20, 28]
    code, said = run_in("other-window", small, out, "--dry-run")
    assert code == 0, said
    assert set(_planned(said)) == {"all", "scan_table", "aggregate_atrophy", "dose_response", "report"}


def test_a_change_of_the_plan_hides_no_change_of_a_scan(run_in, small, tmp_path):
    out = tmp_path / "out"
    code, said = run_in("one", small, out)
    assert code == 0, said
    scan = next(tmp_path.glob("bids/sub-02/*/anat/*_T1w.nii.gz"))
    scan.write_bytes(scan.read_bytes()[:-1] + b"\x01")
    small["study"]["window_months"] = [20, 28]
    code, said = run_in("one", small, out, "--dry-run")
    assert code == 0, said
    jobs = _planned(said)
    assert {"scan_table", "inspect", "skull_strip", "aggregate_atrophy"} <= set(jobs)


COUNT_TIMERS = """
import sys
from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler
set_timer, timers = JobScheduler._schedule_reevalutation, []
def counted(self, delay):
    timers.append(delay)
    set_timer(self, delay)
JobScheduler._schedule_reevalutation = counted
try:
    main(sys.argv[1:])
finally:
    print("timers:", len(timers), flush=True)
"""


@pytest.mark.parametrize(("asked", "has_timers"), [([], False), (["--max-jobs-per-timespan", "50/1s"], True)])
def test_finished_jobs_leave_no_timers_behind(config, tmp_path, asked, has_timers):
    """With Snakemake's default limit of job starts each selection of jobs sets a timer for one more, without end."""
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-c", COUNT_TIMERS, "--snakefile", str(PROJECT / "Snakefile"), "--cores", "2"]
    command += ["--directory", str(tmp_path), "--configfile", str(tmp_path / "my.yaml"), "--until", "inspect", *asked]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stdout + done.stderr
    assert (int(re.search(r"timers: (\d+)", done.stdout)[1]) > 0) is has_timers
