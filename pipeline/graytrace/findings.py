"""What is said of a scan or pair besides numbers: a status, flags, the reason why there is no result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Status = Literal["ok", "flagged", "excluded", "missing", "failed"]
_BETWEEN = " | "
STATUSES: tuple[Status, ...] = ("ok", "flagged", "excluded", "missing", "failed")


class Flag(NamedTuple):
    """A result stands but needs review: one word for tables, one sentence for people."""

    code: str
    message: str


class Reason(NamedTuple):
    """Why there is no result: one word for tables, one sentence for people."""

    code: str
    message: str


def join_messages(messages: Iterable[str]) -> str | None:
    """What is said of a scan or pair as one cell, each message once; None for nothing.

    Examples
    --------
    >>> join_messages(["There is no ses-M24. There are only: ses-BL.", "A visit has no date."])
    'There is no ses-M24. There are only: ses-BL. | A visit has no date.'
    """
    plain = (" ".join(message.replace("|", "/").split()) for message in messages)
    return _BETWEEN.join(dict.fromkeys(message for message in plain if message)) or None


def split_messages(cell: str) -> list[str]:
    """The messages of a cell that `join_messages` wrote.

    Examples
    --------
    >>> split_messages("There is no ses-M24. There are only: ses-BL. | A visit has no date.")
    ['There is no ses-M24. There are only: ses-BL.', 'A visit has no date.']
    """
    return [message for part in cell.split(_BETWEEN.strip()) if (message := part.strip())]
