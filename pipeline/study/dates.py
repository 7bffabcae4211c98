"""Dates of visits and the time between them."""

from __future__ import annotations

from datetime import date, datetime

DAYS_PER_YEAR = 365.25


def parse_date(text: str) -> date:
    """Day of a BIDS date or date with time. Years before 1925 are normal where dates were shifted.

    Parameters
    ----------
    text : str
        ``YYYY-MM-DD``, with or without ``Thh:mm:ss``, fractions of seconds and time zone.

    Raises
    ------
    ValueError
        The text is no date of the calendar.

    Examples
    --------
    >>> parse_date("1911-02-28T09:30:00.250000")
    datetime.date(1911, 2, 28)
    """
    text = text.strip()
    if len(text) < len("YYYY-MM-DD") or text[4] != "-" or text[7] != "-":
        raise ValueError(f"{text!r} is not a date of the form YYYY-MM-DD or YYYY-MM-DDThh:mm:ss")
    try:
        return datetime.fromisoformat(text).date()
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date of the calendar ({error})") from error


def interval_days(baseline: date, followup: date) -> int:
    """Whole days from one visit to the other, negative when the follow-up came first."""
    return (followup - baseline).days


def interval_years(days: int) -> float:
    """Days as years of 365.25 days."""
    return days / DAYS_PER_YEAR
