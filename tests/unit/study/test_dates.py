from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graytrace.study.dates import interval_days, interval_years, parse_date


@given(st.datetimes())
def test_every_date_of_the_calendar_is_read_shifted_years_included(moment):
    assert parse_date(moment.isoformat()) == moment.date()
    assert parse_date(moment.date().isoformat()) == moment.date()


@pytest.mark.parametrize(
    "text", ["1911-02-28T09:30:00.250000", "1911-02-28 09:30", "1911-02-28T09:30:00Z", "1911-02-28"]
)
def test_time_fractions_and_zones_do_not_matter(text):
    assert parse_date(text) == date(1911, 2, 28)


@pytest.mark.parametrize("text", ["1911-02-30", "notadate", "", "2010", "20100111", "11.01.2010", "2010-W02-1"])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ValueError, match="is not a date"):
        parse_date(text)


@given(st.dates(), st.dates())
def test_the_interval_flips_its_sign_with_the_visits(first, second):
    assert interval_days(first, second) == -interval_days(second, first)


def test_a_year_has_365_and_a_quarter_days():
    assert interval_years(1461) == 4
