"""What a qualification looks at, part by part; tests/workflow/test_qualify.py does a whole one."""

import base64
import hashlib
import json
import sys

import pytest

from graytrace.cli import main
from graytrace.commands import qualify
from graytrace.commands.qualification import installation, operation, performance
from graytrace.commands.qualification.installation import inspect_package, qualify_installation, read_pins
from graytrace.commands.qualification.operation import PhantomStudy, digest_files
from graytrace.commands.qualification.performance import qualify_performance
from graytrace.errors import ConfigError, PipelineError
from graytrace.files import file_sha256, write_text
from graytrace.phantoms.cohort import draw_patients
from graytrace.records import file_signature
from graytrace.report.qualification import MEANING, render_html, render_pdf
from graytrace.report.sheet import Sheet
from graytrace.results.qualification import LIMITS, PARTS, SIGNERS, Check, Limits, Package, Qualification

PASSED = [Check(f"{part}-1", "What", "expected", "found", True) for part in PARTS]


def found(*checks, **more):
    machine = {"Machine": "here", "Python": "3.11"}
    return Qualification("1.2.3", "quick", "2026-01-02T03:04:05Z", machine, [*PASSED, *checks], **more)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """An installed package of one module, with its record: the module's path."""
    module, info = tmp_path / "toy_of_a_test.py", tmp_path / "toy_of_a_test-1.0.dist-info"
    module.write_text("ONE = 1\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(module.read_bytes()).digest()).rstrip(b"=").decode()
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-of-a-test\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"toy_of_a_test.py,sha256={digest},8\n{info.name}/RECORD,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return module


@pytest.mark.usefixtures("toy")
def test_a_package_as_it_was_installed_is_sound():
    assert inspect_package("toy-of-a-test", "1.0") == Package("toy-of-a-test", "1.0", "1.0", 1, 0)


def test_a_changed_file_of_a_package_is_found(toy, monkeypatch, tmp_path):
    toy.write_text("ONE = 2\n")
    assert inspect_package("toy-of-a-test", "1.0").changed == 1
    toy.unlink()
    assert inspect_package("toy-of-a-test", "1.0").changed == 1
    pins = tmp_path / "pins.txt"
    pins.write_text("toy-of-a-test==1.0 \\\n    --hash=sha256:0\n")
    monkeypatch.setattr(installation, "PINS", pins)
    checks, packages = qualify_installation()
    verdicts = {check.code: check for check in checks}
    assert verdicts["IQ-2"].is_passed is True
    assert verdicts["IQ-3"].is_passed is False
    assert "toy-of-a-test: 1 of 1" in verdicts["IQ-3"].found
    assert [one.name for one in packages] == ["toy-of-a-test"]


@pytest.mark.usefixtures("toy")
def test_another_version_than_pinned_fails(monkeypatch, tmp_path):
    pins = tmp_path / "pins.txt"
    pins.write_text("toy-of-a-test==1.1 \\\n    --hash=sha256:0\nnot-there-at-all==3 ; sys_platform == 'linux' \\\n")
    monkeypatch.setattr(installation, "PINS", pins)
    checks, _ = qualify_installation()
    (check,) = (one for one in checks if one.code == "IQ-2")
    assert check.is_passed is False
    assert check.found == "toy-of-a-test 1.0, pinned 1.1; not-there-at-all not installed, pinned 3"


def test_without_pins_nothing_is_judged(monkeypatch, tmp_path):
    monkeypatch.setattr(installation, "PINS", tmp_path / "none.txt")
    checks, packages = qualify_installation()
    assert {one.code: one.is_passed for one in checks if one.code in {"IQ-2", "IQ-3"}} == {"IQ-2": None, "IQ-3": None}
    assert packages == []


def test_pins_of_other_systems_do_not_count(tmp_path):
    pins = tmp_path / "pins.txt"
    pins.write_text("one==1 ; python_full_version < '3' \\\n    --hash=sha256:0\ntwo==2.5 \\\n    # via one\n")
    assert read_pins(pins) == {"two": "2.5"}
    pins.write_text("one of them\n")
    with pytest.raises(ConfigError, match="'one of them' is no pinned package"):
        read_pins(pins)


def test_the_pins_of_this_project_can_all_be_read():
    pins = read_pins(installation.PINS)
    assert {"numpy", "snakemake", "fpdf2"} <= set(pins)
    assert all(version[0].isdigit() for version in pins.values())


def test_other_weights_fail(monkeypatch, tmp_path):
    other = tmp_path / "structures.onnx"
    other.write_bytes(b"other weights")
    assert installation._check_own()[1].is_passed is True
    monkeypatch.setattr(installation, "WEIGHTS", other)
    check = installation._check_own()[1]
    assert check.is_passed is False
    assert check.found == file_sha256(other)


def test_the_digest_of_a_package_tells_a_change_of_any_file(tmp_path):
    (tmp_path / "room" / "__pycache__").mkdir(parents=True)
    (tmp_path / "room" / "module.py").write_text("ONE = 1\n")
    first = installation.digest_package(tmp_path)
    (tmp_path / "room" / "__pycache__" / "module.pyc").write_bytes(b"compiled")
    assert installation.digest_package(tmp_path) == first
    (tmp_path / "room" / "module.py").write_text("ONE = 2\n")
    assert installation.digest_package(tmp_path) != first


@pytest.fixture
def study(tmp_path):
    """A finished study of a phantom and a damaged one, as tables only."""
    good = draw_patients(1)
    name = good[0].participant_id
    results, truth = tmp_path / "results", tmp_path / "phantoms-truth"
    results.mkdir()
    truth.mkdir()
    (results / "atrophy.tsv").write_text(
        "participant_id\tstatus\treason\tvisit_baseline\tvisit_followup\tengines\tgm_volume_baseline_ml\t"
        "gm_change_percent\tbrain_change_percent\tgm_change_low_percent\tgm_change_high_percent\n"
        f"{name}\tok\tn/a\tBL\tM24\tembedded\t707\t-1.9\t-1.2\t-2.1\t-1.7\n"
        "sub-P04\tfailed\ttruncated: It ends too early.\tBL\tM24\tembedded\tn/a\tn/a\tn/a\tn/a\tn/a\n"
    )
    (truth / "truth.tsv").write_text(
        "participant_id\tgm_baseline_ml\tgm_change_percent\tbrain_change_percent\n"
        f"{name}\t700\t-2\t-1.25\nsub-P04\t700\t-1\t-0.5\n"
    )
    return PhantomStudy(tmp_path, good, "sub-P04", 2)


def test_numbers_within_their_limits_pass(study):
    checks = {check.code: check for check in qualify_performance(study, Limits(1.0, 0.11, 1.1))}
    assert [checks[f"PQ-{n}"].is_passed for n in (1, 2, 3)] == [True, True, True]
    assert checks["PQ-1"].found == "sub-P01 +0.10"
    assert checks["PQ-3"].found == "sub-P01 +1.00"
    assert (checks["PQ-4"].found, checks["PQ-4"].is_passed) == ("1 of 1", None)
    assert (checks["PQ-5"].found, checks["PQ-6"].found) == ("not known", "not known")


def test_an_error_beyond_its_limit_fails(study):
    checks = {check.code: check.is_passed for check in qualify_performance(study, Limits(1.0, 0.09, 0.9))}
    assert (checks["PQ-1"], checks["PQ-2"], checks["PQ-3"]) == (False, True, False)


def test_a_good_patient_who_was_not_measured_fails(study):
    table = study.results / "atrophy.tsv"
    table.write_text(table.read_text().replace("\t-1.9\t", "\tn/a\t"))
    checks = {check.code: check for check in qualify_performance(study, LIMITS["full"])}
    assert checks["PQ-1"].is_passed is False
    assert checks["PQ-1"].found == "sub-P01 not measured"


def test_time_and_memory_are_told(study):
    folder = study.results / "benchmarks" / "sub-P01" / "ses-BL"
    folder.mkdir(parents=True)
    (folder / "segment_tissue.tsv").write_text("s\tmax_rss\n90.0\t1500.0\n")
    (folder / "inspect.tsv").write_text("s\tmax_rss\n30.0\t200.0\n")
    checks = {check.code: check.found for check in performance._tell_costs(study)}
    assert checks == {"PQ-5": "2.0 minutes of 2 jobs; most of it segment_tissue, 90 s each", "PQ-6": "1500 MB"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("failed\ttruncated", "failed\tanother_head"),
        ("sub-P04\tfailed", "sub-P04\tok"),
        ("sub-P01\tok", "sub-P01\tfailed"),
        ("sub-P04", "sub-P05"),
    ],
)
def test_a_damaged_scan_that_is_not_told_or_stops_another_fails(study, before, after):
    assert operation._check_damaged(study).is_passed is True
    table = study.results / "atrophy.tsv"
    assert before in table.read_text()
    table.write_text(table.read_text().replace(before, after))
    assert operation._check_damaged(study).is_passed is False


def test_a_resumed_run_must_have_been_killed_and_keeps_what_was_finished(study):
    records = [study.results / f"{n}.json" for n in range(4)]
    for path in records:
        path.write_text("record")
    known = {path: (file_sha256(path), file_signature(path)) for path in records}
    before = operation._Interrupted(was_running=True, finished=known)
    assert operation._check_resumed(study, before, 0).is_passed is True
    assert operation._check_resumed(study, before, 1).is_passed is False
    ended = operation._Interrupted(was_running=False, finished=known)
    assert operation._check_resumed(study, ended, 0).found == "the run ended before it could be killed"
    assert operation._check_resumed(study, ended, 0).is_passed is False
    for path in records[:2]:  # as many as there are cores may have been cut off
        write_text(path, "record")
    assert operation._check_resumed(study, before, 0).is_passed is True
    write_text(records[2], "record")
    assert operation._check_resumed(study, before, 0).is_passed is False


def test_a_record_with_other_bytes_after_a_kill_fails(study):
    record = study.results / "one.json"
    record.write_text("record")
    before = operation._Interrupted(was_running=True, finished={record: (file_sha256(record), file_signature(record))})
    record.write_text("another")
    check = operation._check_resumed(study, before, 0)
    assert check.is_passed is False
    assert "1 with other bytes" in check.found


def test_a_step_without_a_record_fails(study):
    check = operation._check_records(study)
    assert check.is_passed is False
    assert "inspect.json: no record" in check.found


def test_only_results_count_as_results(tmp_path):
    for name in (
        "atrophy.tsv",
        "logs/a.log",
        "benchmarks/b.tsv",
        ".snakemake/c",
        "records/sub-1/.x.sources",
        "records/sub-1/x.json",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert sorted(digest_files(tmp_path)) == ["atrophy.tsv", "records/sub-1/x.json"]


def test_a_part_without_a_check_that_passed_is_no_pass():
    assert found().is_passed
    assert not Qualification("1", "quick", "now", {}, PASSED[:2]).is_passed
    assert not Qualification("1", "quick", "now", {}, [*PASSED[:2], Check("PQ-1", "", "", "", None)]).is_passed
    assert not found(Check("PQ-9", "", "", "", False)).is_passed


def test_both_pages_say_the_same(monkeypatch):
    texts = []
    write = Sheet.write_line
    monkeypatch.setattr(
        Sheet, "write_line", lambda self, text, **more: (texts.append(text), write(self, text, **more))[1]
    )
    bad = Check("PQ-2", "Change of <b>gray</b> matter", "at most 0.25", "+0.90", False)
    whole = found(bad, packages=[Package("numpy", "2.0", "2.1", 900, 3)])
    pdf, html = render_pdf(whole, digest="d" * 64), render_html(whole, digest="d" * 64)
    assert pdf.startswith(b"%PDF")
    assert pdf == render_pdf(whole, digest="d" * 64)
    for text in ("FAIL", "3 of 4 checks passed; failed: PQ-2.", "2026-01-02T03:04:05Z", "d" * 64, MEANING, *SIGNERS):
        assert any(text in one for one in texts), text
        assert text in html, text
    assert "<b>gray" not in html
    for text in ("+0.90", "at most 0.25", "numpy", "900"):
        assert text in html


def test_a_long_list_of_packages_goes_over_pages():
    packages = [Package(f"package-{n}", "1.0", "1.0", n, 0) for n in range(120)]
    pdf = render_pdf(found(packages=packages), digest="d" * 64)
    assert pdf.count(b"/Type /Page\n") > 2


@pytest.fixture
def machinery(monkeypatch, study):
    """Stand-ins for the minutes of work, so that the way from checks to page and exit code is looked at alone."""
    checks = list(PASSED)
    monkeypatch.setattr(qualify, "qualify_installation", lambda: ([checks[0]], []))
    monkeypatch.setattr(qualify, "make_study", lambda *_, **__: study)
    monkeypatch.setattr(qualify, "qualify_operation", lambda _: [checks[1]])
    monkeypatch.setattr(qualify, "qualify_performance", lambda *_: checks[2:])
    return checks


def test_a_failed_check_is_an_exit_code_of_one_and_a_page(machinery, tmp_path, capsys):
    machinery.append(Check("PQ-2", "Change", "at most 0.25", "+0.90", False))
    out = tmp_path / "qualification"
    assert main(["qualify", str(out)]) == 1
    told = capsys.readouterr()
    assert "The qualification failed: PQ-2 (Change)." in told.err
    assert "FAIL  PQ-2  Change: +0.90" in told.out
    content = json.loads((out / "qualification.json").read_text())
    assert content["verdict"] == "fail"
    assert content["checks"][-1] == {
        "code": "PQ-2", "verdict": "fail", "what": "Change", "expected": "at most 0.25", "found": "+0.90",
    }  # fmt: skip
    page = (out / "qualification.html").read_text()
    assert ">FAIL<" in page
    assert file_sha256(out / "qualification.json") in page
    assert (out / "qualification.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.usefixtures("machinery")
def test_without_a_failed_check_the_exit_code_is_zero(tmp_path, capsys):
    assert main(["qualify", str(tmp_path / "new"), "--quick"]) == 0
    assert "qualification.pdf" in capsys.readouterr().out
    content = json.loads((tmp_path / "new" / "qualification.json").read_text())
    assert (content["verdict"], content["extent"]) == ("pass", "quick")
    assert content["machine"]["Python"].endswith(sys.executable)


def test_a_folder_with_something_in_it_is_refused(tmp_path, capsys):
    (tmp_path / "old").write_text("")
    assert main(["qualify", str(tmp_path)]) == 1
    assert "is not empty. Name a new folder" in capsys.readouterr().err
    assert main(["qualify", str(tmp_path / "new"), "--cores", "0"]) == 1
    assert "--cores: expected a whole number from 1, got 0" in capsys.readouterr().err


def test_a_study_that_comes_to_no_table_names_the_log(study):
    (study.results / "atrophy.tsv").unlink()
    with pytest.raises(PipelineError, match=r"came to no table \(exit code 1\).*run\.log says why"):
        operation.qualify_operation(study)
    assert "study.yaml" in study.log.read_text(), "Snakemake said what it lacks"
