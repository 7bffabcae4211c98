"""Numbers of patients in words."""

from __future__ import annotations


def patients(count: int) -> str:
    """A number of patients.

    Parameters
    ----------
    count : int

    Returns
    -------
    str

    Examples
    --------
    >>> patients(1), patients(0), patients(12)
    ('1 patient', '0 patients', '12 patients')
    """
    return "1 patient" if count == 1 else f"{count} patients"


def too_few(count: int) -> str:
    """A number of patients that does not suffice.

    Parameters
    ----------
    count : int

    Returns
    -------
    str

    Examples
    --------
    >>> too_few(1), too_few(2)
    ('1 patient is too few', '2 patients are too few')
    """
    return f"{patients(count)} {'is' if count == 1 else 'are'} too few"
