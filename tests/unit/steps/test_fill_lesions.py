"""Lesions of two visits from record to record: both are filled alike, and a visit that broke costs the other none."""

import numpy as np
import pytest

from graytrace.cli import main
from graytrace.files import file_sha256
from graytrace.findings import Reason
from graytrace.images.grids import Volume
from graytrace.images.reading import read_mask, read_volume
from graytrace.images.writing import write_mask, write_volume
from graytrace.records import Output, Record, read_record, record_path, write_record

SHAPE = (24, 24, 24)
PAIR = {"baseline": "BL", "followup": "M24"}
STILL = np.eye(4).tolist()


def ball(center, radius=3.0):
    return np.linalg.norm(np.indices(SHAPE) - np.array(center)[:, None, None, None], axis=0) < radius


OLD, NEW = ball((8, 8, 8)), ball((15, 15, 15))


class Results:
    """A folder of results with both visits of a patient as far as lesions need them."""

    def __init__(self, folder):
        self.folder = folder
        for visit in ("BL", "M24"):
            white = np.random.default_rng(1).normal(100, 2, SHAPE).astype(np.float32)
            white[:, :, :4] = 20
            white[:, :, 4:6] = 60
            white[OLD] = 66
            if visit == "M24":
                white[NEW] = 66
            self.keep("correct_bias", visit, "image", Volume(white, np.eye(4)))
            self.keep("skull_strip", visit, "brain_mask", Volume(np.ones(SHAPE, bool), np.eye(4)))

    def keep(self, step, visit, name, volume=None, measures=None):
        outputs = {}
        if volume is not None:
            path = self.folder / f"{visit}_{name}.nii.gz"
            (write_mask if volume.data.dtype == bool else write_volume)(path, volume)
            outputs[name] = Output(path.name, file_sha256(path))
        self.record(step, {"visit": visit}, outputs=outputs, measures=measures or {})

    def path(self, step, visits):
        return record_path(self.folder, "sub-01", visits, step)

    def record(self, step, visits, status="ok", **more):
        write_record(self.path(step, visits), Record(step, "sub-01", visits, status, **more))

    def lesions(self, visit, mask):
        volume = None if mask is None else Volume(mask, np.eye(4))
        self.keep("find_lesions", visit, "lesion_mask", volume, {} if mask is None else {"lesion_volume_ml": 1.0})

    def join(self):
        self.record("align_visits", PAIR, measures={f"{name}_to_midway": STILL for name in PAIR})
        command = ["join_lesions", "--participant", "01", "--baseline", "BL", "--followup", "M24"]
        for name, visit in PAIR.items():
            for step in ("correct_bias", "find_lesions"):
                command += [f"--{name}-{step}".replace("_", "-"), str(self.path(step, {"visit": visit}))]
        command += ["--align-visits", str(self.path("align_visits", PAIR))]
        assert main([*command, "--record", str(self.path("join_lesions", PAIR))]) == 0
        return read_record(self.path("join_lesions", PAIR))

    def fill(self, visit):
        command = ["fill_lesions", "--participant", "01", "--visit", visit]
        for step in ("skull_strip", "correct_bias", "find_lesions"):
            command += [f"--{step.replace('_', '-')}", str(self.path(step, {"visit": visit}))]
        command += ["--joined", str(self.path("join_lesions", PAIR))]
        assert main([*command, "--record", str(self.path("fill_lesions", {"visit": visit}))]) == 0
        return read_record(self.path("fill_lesions", {"visit": visit}))


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path.resolve())


def filled_region(results, visit):
    return read_mask(results.fill(visit).open_output("filled_mask", results.folder)).data > 0


def test_both_visits_are_filled_alike_and_a_new_lesion_is_white_matter_at_both(results):
    results.lesions("BL", OLD)
    results.lesions("M24", OLD | NEW)
    joined = results.join()
    assert (joined.measures["lesions_new"], joined.measures["lesions_stable"]) == (1, 1)
    before, after = (filled_region(results, visit) for visit in ("BL", "M24"))
    np.testing.assert_array_equal(before, OLD | NEW)
    np.testing.assert_array_equal(after, before)
    record = results.fill("M24")
    image = read_volume(record.open_output("image", results.folder)).data
    assert image[OLD | NEW].mean() == pytest.approx(100, abs=2)
    assert record.measures["lesion_volume_ml"] == 1.0, "of the visit itself"
    assert record.measures["lesion_filled_ml"] == pytest.approx((OLD | NEW).sum() / 1000)


def test_a_flair_of_no_use_at_one_visit_leaves_the_lesions_of_the_other_for_both(results):
    results.lesions("BL", None)
    results.lesions("M24", OLD)
    assert "lesions_new" not in results.join().measures, "what one visit cannot show is not new"
    np.testing.assert_array_equal(filled_region(results, "BL"), OLD)


def test_a_visit_that_cannot_be_measured_leaves_the_other_its_own_lesions(results):
    results.lesions("BL", OLD)
    results.record("join_lesions", PAIR, "failed", reason=Reason("truncated", "Too short."))
    np.testing.assert_array_equal(filled_region(results, "BL"), OLD)


def test_no_lesions_anywhere_change_no_scan(results):
    results.lesions("BL", None)
    results.lesions("M24", None)
    assert results.join().outputs == {}
    record = results.fill("BL")
    assert "filled_mask" not in record.outputs
    assert record.outputs["image"].sha256 == file_sha256(results.folder / "BL_image.nii.gz")
