import pytest

from graytrace.errors import ImageError, ToolError
from graytrace.findings import Reason
from graytrace.records import Record, read_record, write_record
from graytrace.steps.job import Job
from graytrace.steps.record import Outcome, perform


@pytest.fixture
def job(tmp_path):
    return Job(
        "skull_strip", "sub-01", {"visit": "BL"}, tmp_path / "records" / "sub-01" / "ses-BL" / "skull_strip.json"
    )


@pytest.fixture
def inspected(tmp_path):
    path = tmp_path / "inspect.json"
    write_record(path, Record("inspect", "sub-01", {"visit": "BL"}, "ok"))
    return path


def raising(error):
    def work(_upstream, _folder):
        raise error

    return work


def writing(text):
    def work(_upstream, folder):
        (folder / "m").write_text(text)
        return Outcome(files={"mask": folder / "m"}, measures={"volume_ml": 1.0})

    return work


def test_files_are_in_their_place_before_the_record_says_so(job, inspected):
    target = job.scan_image("desc-brain_mask")
    perform(job, writing("mask"), upstream={"inspect": inspected}, outputs={"mask": target})
    record = read_record(job.record)
    assert record.status == "ok"
    assert record.open_output("mask", job.output_dir).read_text() == "mask"
    assert target.name == "sub-01_ses-BL_desc-brain_mask.nii.gz"


def test_two_runs_write_the_same_bytes(job, inspected):
    outputs = {"mask": job.scan_image("desc-brain_mask")}
    perform(job, writing("mask"), upstream={"inspect": inspected}, outputs=outputs)
    before = job.record.read_bytes()
    perform(job, writing("mask"), upstream={"inspect": inspected}, outputs=outputs)
    assert job.record.read_bytes() == before


@pytest.mark.parametrize(
    "error", [ImageError("empty", "Nothing there."), ToolError("Nothing there.", code="empty", about_data=True)]
)
def test_a_fault_of_the_data_becomes_a_failed_record(job, inspected, error):
    perform(job, raising(error), upstream={"inspect": inspected}, outputs={})
    record = read_record(job.record)
    assert record.status == "failed"
    assert record.reason == Reason("empty", "ses-BL: Nothing there.")


@pytest.mark.parametrize("error", [ToolError("exit code 1"), MemoryError(), OSError("disk full"), TypeError("a bug")])
def test_broken_machinery_raises_and_leaves_no_record(job, inspected, error):
    with pytest.raises(type(error)):
        perform(job, raising(error), upstream={"inspect": inspected}, outputs={})
    assert not job.record.exists()


def test_after_a_failure_the_first_cause_is_passed_on_and_nothing_is_tried(job, tmp_path):
    upstream = tmp_path / "inspect.json"
    cause = Reason("truncated", "The file ends too early.")
    write_record(upstream, Record("inspect", "sub-01", {"visit": "BL"}, "failed", cause))
    perform(job, lambda *_: pytest.fail("tried"), upstream={"inspect": upstream}, outputs={})
    assert read_record(job.record).reason == cause


def test_a_failure_removes_what_an_earlier_run_left(job, inspected):
    target = job.scan_image("desc-brain_mask")
    perform(job, writing("mask"), upstream={"inspect": inspected}, outputs={"mask": target})
    perform(job, raising(ImageError("empty", "x")), upstream={"inspect": inspected}, outputs={"mask": target})
    assert not target.exists()


def test_records_hold_no_time(job, inspected):
    perform(job, writing("mask"), upstream={"inspect": inspected}, outputs={"mask": job.scan_image("x")})
    text = job.record.read_text()
    assert "time" not in text
    assert "date" not in text
