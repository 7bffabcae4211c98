"""What is said of a scan or pair besides numbers: a status, flags, the reason why there is no result."""

from __future__ import annotations

from typing import Literal, NamedTuple

Status = Literal["ok", "flagged", "excluded", "missing", "failed"]
STATUSES: tuple[Status, ...] = ("ok", "flagged", "excluded", "missing", "failed")


class Flag(NamedTuple):
    """A result stands but needs review: one word for tables, one sentence for people."""

    code: str
    message: str


class Reason(NamedTuple):
    """Why there is no result: one word for tables, one sentence for people."""

    code: str
    message: str
