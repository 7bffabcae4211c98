import pytest

from graytrace.statistics.kappa import compute_kappa

VERDICTS = ("accept", "doubt", "reject")


def expand(table):
    """Verdicts of two readers from their table."""
    pairs = [
        (VERDICTS[row], VERDICTS[column])
        for row, cells in enumerate(table)
        for column, count in enumerate(cells)
        for _ in range(count)
    ]
    return [first for first, _ in pairs], [second for _, second in pairs]


def test_a_textbook_table_gives_its_kappa_and_interval():
    # Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, table 18.1: 100 patients, three
    # diagnoses; there kappa is 0.676 and its standard error 0.088
    found = compute_kappa(*expand([[75, 1, 4], [5, 4, 1], [0, 0, 10]]), VERDICTS)
    assert (found.patients, found.alike) == (100, 89)
    assert found.kappa == pytest.approx(0.676, abs=0.0005)
    assert found.low == pytest.approx(0.676 - 1.96 * 0.088, abs=0.002)
    assert found.high == pytest.approx(0.676 + 1.96 * 0.088, abs=0.002)


def test_readers_who_agree_on_everybody_get_no_interval():
    found = compute_kappa(*expand([[5, 0, 0], [0, 0, 0], [0, 0, 3]]), VERDICTS)
    assert (found.kappa, found.low, found.high) == (1.0, None, None)


@pytest.mark.parametrize("table", [[[0, 0, 0]] * 3, [[7, 0, 0], [0, 0, 0], [0, 0, 0]]])
def test_one_verdict_only_has_no_kappa(table):
    found = compute_kappa(*expand(table), VERDICTS)
    assert (found.kappa, found.low, found.high) == (None, None, None)


def test_chance_gives_about_zero_and_the_interval_stays_within_its_range():
    assert compute_kappa(*expand([[10, 10, 0], [10, 10, 0], [0, 0, 0]]), VERDICTS).kappa == pytest.approx(0)
    few = compute_kappa(*expand([[1, 1, 0], [0, 0, 0], [0, 0, 1]]), VERDICTS)
    assert -1 <= few.low <= few.kappa <= few.high <= 1


def test_other_numbers_of_verdicts_are_refused():
    with pytest.raises(ValueError, match="got 1 and 2"):
        compute_kappa(["accept"], ["accept", "doubt"], VERDICTS)
