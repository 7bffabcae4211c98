import itertools
import stat

import pytest

from graytrace.errors import ConfigError
from graytrace.study import blinding
from graytrace.study.blinding import KEY_NAME, keep_key, make_codes, order_visits, read_key

NAMES = [f"sub-{number:04}" for number in range(2000)]
KEY, OTHER = b"k" * 32, b"l" * 32


def test_codes_are_unique_the_same_for_a_key_and_others_for_another():
    codes = make_codes(KEY, NAMES)
    assert len(set(codes.values())) == len(NAMES)
    assert make_codes(KEY, NAMES[::-1]) == codes
    other = make_codes(OTHER, NAMES)
    assert sum(codes[name] == other[name] for name in NAMES) == 0


def test_who_joins_changes_nobody_elses_code():
    assert make_codes(KEY, NAMES[:50]).items() <= make_codes(KEY, NAMES).items()


def test_two_patients_never_share_a_code_however_few_there_are(monkeypatch):
    monkeypatch.setattr(blinding, "_CODE_LENGTH", 1)
    codes = make_codes(KEY, NAMES[:20])
    assert len(set(codes.values())) == 20


def test_the_order_of_codes_says_nothing_of_the_order_of_names():
    codes = make_codes(KEY, NAMES)
    ranks = {code: rank for rank, code in enumerate(sorted(codes.values()))}
    ups = sum(ranks[codes[one]] < ranks[codes[two]] for one, two in itertools.pairwise(NAMES))
    assert ups == pytest.approx(1000, abs=80)  # about six standard errors of a fair permutation


def test_each_visit_is_as_often_a_as_b():
    first = sum(order_visits(KEY, name, ["BL", "M24"])[0] == "BL" for name in NAMES)
    assert first == pytest.approx(1000, abs=135)  # six standard errors of a fair coin
    assert order_visits(KEY, "sub-1", ["M24", "BL"]) == order_visits(KEY, "sub-1", ["BL", "M24"])


def test_a_key_is_drawn_once_and_only_its_owner_may_read_it(tmp_path):
    key = keep_key(tmp_path)
    assert keep_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / KEY_NAME).stat().st_mode) == 0o600


def test_a_key_of_ones_own_is_taken_and_a_short_one_refused(tmp_path):
    (tmp_path / KEY_NAME).write_text("a key that the site has drawn\n")
    assert keep_key(tmp_path) == b"a key that the site has drawn"
    (tmp_path / KEY_NAME).write_text("short\n")
    with pytest.raises(ConfigError, match="5 characters are too few"):
        keep_key(tmp_path)
    assert read_key(tmp_path / "nowhere") is None
