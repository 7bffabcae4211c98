"""How many of something there are, in words."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun; `plural` where it is more than the noun with an s.

    Examples
    --------
    >>> counted(1, "patient"), counted(0, "patient"), counted(3, "entry", "entries")
    ('1 patient', '0 patients', '3 entries')
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def too_few(number: int, noun: str) -> str:
    """That so many do not suffice.

    Examples
    --------
    >>> too_few(1, "patient"), too_few(2, "patient")
    ('1 patient is too few', '2 patients are too few')
    """
    return f"{counted(number, noun)} {'is' if number == 1 else 'are'} too few"
