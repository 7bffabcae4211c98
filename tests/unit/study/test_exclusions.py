import pytest

from graytrace.errors import ScanTableError
from graytrace.findings import Reason
from graytrace.study.config import load_config
from graytrace.study.exclusions import REASONS
from graytrace.study.plan import plan_study

HEADER = "participant_id\tvisit\treason\twho\twhen\tnote\n"


@pytest.fixture
def plan(bids, content, tmp_path):
    """A plan of two patients at BL, M12 and M24 with these lines of exclusions."""
    for name in ("01", "02"):
        for visit in ("BL", "M12", "M24"):
            bids.scan(name, visit)
        bids.dates(name, BL="2019-03-04", M12="2020-03-04", M24="2021-03-04")
    content["study"].update(followup=["M12", "M24"], window_months=None, exclusions=str(tmp_path / "exclusions.tsv"))

    def make(*lines):
        (tmp_path / "exclusions.tsv").write_text(HEADER + "".join(f"{line}\n" for line in lines))
        return plan_study(load_config(content))

    return make


def statuses(plan, name):
    patient = plan.patient(name)
    return [scan.status for scan in patient.scans], [pair.status for pair in patient.pairs]


def test_an_excluded_scan_excludes_its_pairs_and_nothing_else(plan):
    made = plan("sub-01\tM12\tmotion\tJ. Doe\t2024-05-01\tstripes through the cortex")
    assert statuses(made, "sub-01") == (["ok", "excluded", "ok"], ["excluded", "ok"])
    assert statuses(made, "sub-02") == (["ok"] * 3, ["ok"] * 2)
    reason = made.patient("sub-01").pairs[0].reason
    assert reason == Reason("motion", "Excluded by J. Doe on 2024-05-01: stripes through the cortex.")


def test_an_excluded_baseline_excludes_every_pair(plan):
    made = plan("01\tses-BL\tartifact\tJD\t2024-05-01")
    assert statuses(made, "sub-01") == (["excluded", "ok", "ok"], ["excluded", "excluded"])


def test_an_excluded_pair_leaves_its_scans(plan):
    made = plan("sub-01\tBL_M24\tprotocol_change\tJD\t2024-05-01\tn/a")
    assert statuses(made, "sub-01") == (["ok"] * 3, ["ok", "excluded"])


def test_an_excluded_patient_is_not_measured_at_all(plan):
    made = plan("sub-01\tn/a\tconsent_withdrawn\tJD\t2024-05-01\tn/a")
    assert statuses(made, "sub-01") == (["excluded"] * 3, ["excluded"] * 2)
    assert not any("sub-01" in record for record in made.records())


def test_an_excluded_patient_keeps_a_row_in_every_table(plan):
    made = plan("sub-01\tn/a\tconsent_withdrawn\tJD\t2024-05-01\tn/a")
    lines = [line for line in made.table().splitlines() if line.startswith("sub-01\t")]
    assert len(lines) == 3
    assert all("\texcluded\tconsent_withdrawn: Excluded by JD on 2024-05-01" in line for line in lines)


def test_a_decision_counts_more_than_a_missing_scan(plan, bids):
    (bids.root / "sub-01" / "ses-M12" / "anat" / "sub-01_ses-M12_T1w.nii.gz").unlink()
    assert statuses(plan(), "sub-01")[1] == ["missing", "ok"]
    assert statuses(plan("sub-01\tM12\tmotion\tJD\t2024-05-01"), "sub-01")[1] == ["excluded", "ok"]


def test_another_reason_is_another_plan(plan):
    first = plan("sub-01\tBL_M24\tmotion\tJD\t2024-05-01\tn/a").digest()
    assert plan("sub-01\tBL_M24\tartifact\tJD\t2024-05-01\tn/a").digest() != first


def test_all_faults_are_told_at_once(plan):
    with pytest.raises(ScanTableError) as caught:
        plan(
            "sub-03\tBL\tmotion\tJD\t2024-05-01",
            "sub-01\tM6\tmotion\tJD\t2024-05-01",
            "sub-01\tBL\tugly\t\tMay",
            "sub-01\tBL\tother\tJD\t2024-05-01",
            "\tBL\tmotion\tJD\t2024-05-01",
        )
    said = str(caught.value).splitlines()
    for expected in (
        "line 2: sub-03 is not in the study",
        "line 3: visit 'M6' is not planned; there are BL, M12, M24, BL_M12, BL_M24",
        "line 4: who is empty",
        "line 4: reason 'ugly' is not one of motion, artifact",
        "line 4: when: 'May' is not a date",
        "line 5: reason other needs a note",
        "line 6: participant_id is empty",
    ):
        assert any(expected in line for line in said), (expected, said)


def test_a_table_without_who_is_refused(plan, tmp_path, content):
    plan()
    (tmp_path / "exclusions.tsv").write_text("participant_id\tvisit\treason\twhen\n")
    with pytest.raises(ScanTableError, match="has no column who"):
        plan_study(load_config(content))


def test_every_reason_is_listed_in_the_documentation():
    from graytrace.schemas import SCHEMAS  # noqa: PLC0415 - only to find the project

    page = (SCHEMAS.parents[2] / "docs" / "excluding.md").read_text()
    assert [f"| `{code}` | {meaning} |" in page for code, meaning in REASONS.items()] == [True] * len(REASONS)
