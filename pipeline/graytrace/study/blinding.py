"""Codes that stand for patients, and the order in which a reader sees their visits: random, and the same for a key."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from graytrace.errors import ConfigError

KEY_NAME = "blinding.key"
BLINDED_NAME = "blinded"  # the folder for readers
LEAST_KEY_CHARACTERS = 16
# no vowels, so that no code is a word, and nothing that is read as something else
_LETTERS = "23456789BCDFGHJKMNPQRSTVWXZ"
_CODE_LENGTH = 6


def read_key(folder: Path) -> bytes | None:
    """The key of a results' folder, None where it has none.

    Raises
    ------
    ConfigError
        It is too short to hide anything.
    """
    path = folder / KEY_NAME
    try:
        key = path.read_bytes().strip()
    except FileNotFoundError:
        return None
    if len(key) < LEAST_KEY_CHARACTERS:
        raise ConfigError(
            f"{path}: {len(key)} characters are too few to hide anything: at least {LEAST_KEY_CHARACTERS}. Delete it, "
            "and the next run draws one (every code will be another)."
        )
    return key


def keep_key(folder: Path) -> bytes:
    """The key of a results' folder, drawn where it has none; only its owner may read the file."""
    key = read_key(folder)
    if key is not None:
        return key
    with contextlib.suppress(FileExistsError):
        handle = os.open(folder / KEY_NAME, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(32)}\n")
            file.flush()
            os.fsync(file.fileno())
    key = read_key(folder)
    if key is None:
        raise ConfigError(f"{folder / KEY_NAME} cannot be kept: the folder changes while it is used. Run again.")
    return key


def make_codes(key: bytes, participants: Iterable[str]) -> dict[str, str]:
    """A code for each patient, no two alike; who joins later changes nobody else's but in the rarest case.

    Parameters
    ----------
    key : bytes
    participants : iterable of str
        ``sub-…``.

    Examples
    --------
    >>> sorted(make_codes(b"not a secret: an example", ["sub-02", "sub-01"]).items())
    [('sub-01', 'GJRTZD'), ('sub-02', '7X2NVQ')]
    """
    codes: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(set(participants)):
        attempt = 0
        while (code := _code(key, f"code {attempt} {name}")) in taken:
            attempt += 1
        codes[name] = code
        taken.add(code)
    return codes


def order_visits(key: bytes, participant_id: str, visits: Iterable[str]) -> list[str]:
    """The visits of a patient in the order in which readers see them, as A, B and so on."""
    return sorted(visits, key=lambda visit: _digest(key, f"order {participant_id} {visit}"))


def _code(key: bytes, text: str) -> str:
    value = int.from_bytes(_digest(key, text), "big")
    letters = []
    for _ in range(_CODE_LENGTH):
        value, place = divmod(value, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters)


def _digest(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
