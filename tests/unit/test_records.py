import json

import pytest

from graytrace.errors import PipelineError
from graytrace.files import file_sha256
from graytrace.findings import Flag, Reason
from graytrace.records import Output, Record, read_record, record_path, write_record


@pytest.fixture
def record(tmp_path):
    image = tmp_path / "sub-01" / "mask.nii.gz"
    image.parent.mkdir()
    image.write_bytes(b"image")
    return Record(
        "skull_strip",
        "sub-01",
        {"visit": "BL"},
        "ok",
        flags=(Flag("brain_at_edge", "At the edge."),),
        outputs={"brain_mask": Output("sub-01/mask.nii.gz", file_sha256(image))},
        measures={"volume_ml": 1.5},
        provenance={"version": "1", "engine": "embedded"},
    )


def test_a_record_comes_back_as_it_was(tmp_path, record):
    write_record(tmp_path / "r.json", record)
    assert read_record(tmp_path / "r.json") == record


def test_the_same_record_gives_the_same_bytes(tmp_path, record):
    write_record(tmp_path / "a.json", record)
    write_record(tmp_path / "b.json", record)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_failure_comes_back_with_its_reason(tmp_path):
    failed = Record(
        "inspect", "sub-01", {"visit": "BL"}, "failed", Reason("empty", "No image."), provenance={"version": "1"}
    )
    write_record(tmp_path / "r.json", failed)
    assert read_record(tmp_path / "r.json").reason == Reason("empty", "No image.")


def test_an_output_that_is_still_there_is_opened(tmp_path, record):
    assert record.open_output("brain_mask", tmp_path) == tmp_path / "sub-01" / "mask.nii.gz"


@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(b"other"), lambda path: path.unlink()])
def test_an_output_that_was_changed_or_removed_is_noticed(tmp_path, record, harm):
    harm(tmp_path / "sub-01" / "mask.nii.gz")
    with pytest.raises(PipelineError, match=r"records/sub-01/ses-BL/skull_strip\.json and run again"):
        record.open_output("brain_mask", tmp_path)


def test_a_pairs_record_is_named_after_both_visits(tmp_path):
    path = record_path(tmp_path, "sub-01", {"baseline": "BL", "followup": "M24"}, "align_visits")
    assert path == tmp_path / "records" / "sub-01" / "ses-BL_ses-M24" / "align_visits.json"


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"step": "inspect"}'])
def test_what_is_no_record_is_refused(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(PipelineError, match="not a record"):
        read_record(tmp_path / "r.json")


def test_a_record_that_was_changed_by_hand_is_refused(tmp_path, record):
    path = tmp_path / "r.json"
    write_record(path, record)
    path.write_text(path.read_text().replace("1.5", "2.5"))
    with pytest.raises(PipelineError, match="changed since it was written"):
        read_record(path)


def test_a_record_without_its_digest_is_none(tmp_path, record):
    path = tmp_path / "r.json"
    write_record(path, record)
    content = json.loads(path.read_text())
    del content["sha256"]
    path.write_text(json.dumps(content))
    with pytest.raises(PipelineError, match="not a record"):
        read_record(path)


def test_a_record_in_another_ones_place_is_refused(tmp_path, record):
    own = record_path(tmp_path, "sub-01", {"visit": "BL"}, "skull_strip")
    other = record_path(tmp_path, "sub-02", {"visit": "BL"}, "skull_strip")
    write_record(own, record)
    assert read_record(own) == record
    other.parent.mkdir(parents=True)
    other.write_bytes(own.read_bytes())
    with pytest.raises(PipelineError, match=r"is the record of skull_strip of sub-01 \(BL\)"):
        read_record(other)
