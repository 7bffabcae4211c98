"""Dates of visits and the time between them."""

from __future__ import annotations

import re
from datetime import date, datetime

DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12
_DICOM = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2,6}(\.\d*)?)?")


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
        raise ValueError(f"{text[:40]!r} is not a date of the form YYYY-MM-DD or YYYY-MM-DDThh:mm:ss")
    try:
        return datetime.fromisoformat(text).date()
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is not a date of the calendar ({error})") from error


def parse_scanner_date(text: str) -> date:
    """Day of a date as converters write it into sidecars: `parse_date`'s forms, or DICOM's ``YYYYMMDD[hhmmss]``.

    Raises
    ------
    ValueError
        The text is no date of the calendar.

    Examples
    --------
    >>> parse_scanner_date("19110228093000.25")
    datetime.date(1911, 2, 28)
    """
    packed = _DICOM.fullmatch(text.strip())
    return parse_date("-".join(packed.groups()[:3]) if packed else text)


def interval_days(baseline: date, followup: date) -> int:
    """Whole days from one visit to the other, negative when the follow-up came first."""
    return (followup - baseline).days


def interval_years(days: int) -> float:
    """Days as years of 365.25 days."""
    return days / DAYS_PER_YEAR


def interval_months(days: int) -> float:
    """Days as months of a twelfth of 365.25 days."""
    return days / DAYS_PER_MONTH
