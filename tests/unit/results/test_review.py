import pytest

from graytrace.errors import ScanTableError
from graytrace.results.review import (
    REVIEW_NAME,
    Review,
    Verdict,
    add_rows,
    compare_readers,
    describe_agreement,
    merge_reviews,
    read_review,
    write_review,
)

PATIENTS = ["B7", "C3", "D9"]
HEAD = "reader\tpatient\tverdict\treason\twhen\n"


def read(tmp_path, *rows):
    path = tmp_path / REVIEW_NAME
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    return read_review(path, PATIENTS)


def test_the_template_has_an_empty_row_for_every_reader_and_patient(tmp_path):
    write_review(tmp_path, add_rows(Review(), ["R2", "R1"], PATIENTS))
    lines = (tmp_path / REVIEW_NAME).read_text().splitlines()
    assert lines[0] + "\n" == HEAD
    assert lines[1:] == [f"{reader}\t{patient}\tn/a\tn/a\tn/a" for reader in ("R1", "R2") for patient in PATIENTS]
    review = read_review(tmp_path / REVIEW_NAME, PATIENTS)
    assert len(review.lacking(PATIENTS)) == 6


def test_what_is_filled_stays_when_rows_are_added(tmp_path):
    review = read(tmp_path, "R1\tB7\treject\tmask in the orbit\t2026-03-04")
    more = add_rows(review, ["R2"], PATIENTS)
    assert more.of("R1")["B7"].reason == "mask in the orbit"
    assert len(more.rows) == 6


def test_one_reader_is_not_enough(tmp_path):
    review = read(tmp_path, *(f"R1\t{patient}\taccept\tn/a\t2026-03-04" for patient in PATIENTS))
    assert review.lacking(PATIENTS) == [("reader 2", patient) for patient in PATIENTS]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("R1\tB7\tgood\tn/a\t2026-01-01", "verdict 'good' is not one of accept, doubt, reject"),
        ("R1\tB7\tdoubt\tn/a\t2026-01-01", "verdict doubt needs a reason"),
        ("R1\tB7\taccept\tn/a\tn/a", "when is empty"),
        ("R1\tB7\taccept\tn/a\t04.03.2026", "when: '04.03.2026' is not a date"),
        ("R1\tsub-01\taccept\tn/a\t2026-01-01", "sub-01 has no pictures to read"),
        ("\tB7\taccept\tn/a\t2026-01-01", "reader is empty"),
        ("R1\tB7\tn/a\tblurred\tn/a", "reason is filled, verdict is not"),
    ],
)
def test_each_fault_is_told_with_its_line(tmp_path, row, said):
    with pytest.raises(ScanTableError, match=r"review.tsv cannot be used:") as caught:
        read(tmp_path, "R1\tC3\taccept\tn/a\t2026-01-01", row)
    assert f"line 3: {said}" in str(caught.value)


def test_two_rows_of_one_reader_and_patient_are_refused(tmp_path):
    row = "R1\tB7\taccept\tn/a\t2026-01-01"
    with pytest.raises(ScanTableError, match="R1 has a row for B7 in line 2 already"):
        read(tmp_path, row, row)


def test_all_faults_come_at_once(tmp_path):
    with pytest.raises(ScanTableError) as caught:
        read(tmp_path, "R1\tB7\tgood\tn/a\tn/a", "R1\tX\taccept\tn/a\tn/a")
    assert str(caught.value).count("\n  line ") == 4


def test_agreement_and_disagreements_are_told(tmp_path):
    verdicts = {"R1": ["accept", "reject", "accept"], "R2": ["accept", "reject", "doubt"]}
    rows = [
        f"{reader}\t{patient}\t{verdict}\t{'n/a' if verdict == 'accept' else 'why'}\t2026-01-01"
        for reader, said in verdicts.items()
        for patient, verdict in zip(PATIENTS, said, strict=True)
    ]
    (found,) = compare_readers(read(tmp_path, *rows))
    assert [(one.patient, one.verdict, other.verdict) for one, other in found.disagreements] == [
        ("D9", "accept", "doubt")
    ]
    # 2 of 3 alike; by chance (2/3)(1/3) + (1/3)(1/3) = 1/3: kappa = (2/3 - 1/3) / (2/3)
    assert "the same verdict on 2 of 3: Cohen's kappa 0.50 (95 % interval" in describe_agreement(found)


def test_readers_without_a_common_patient_are_told(tmp_path):
    (found,) = compare_readers(read(tmp_path, "R1\tB7\taccept\tn/a\t2026-01-01", "R2\tC3\taccept\tn/a\t2026-01-01"))
    assert describe_agreement(found) == "R1 and R2 have no patient in common yet."


def test_files_filled_apart_are_taken_in_and_contradictions_refused():
    empty = add_rows(Review(), ["R1", "R2"], PATIENTS)
    filled = Verdict("R1", "B7", "accept", None, "2026-01-01")
    merged = merge_reviews(empty, {"r1.tsv": Review((filled,)), "r2.tsv": Review((Verdict("R2", "C3"),))})
    assert merged.of("R1") == {"B7": filled}
    assert len(merged.rows) == 6
    other = Verdict("R1", "B7", "reject", "blurred", "2026-01-02")
    with pytest.raises(ScanTableError, match=r"r3\.tsv: R1 on B7: reject, but accept is there"):
        merge_reviews(merged, {"r3.tsv": Review((other,))})
