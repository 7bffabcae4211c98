"""The locked plan: what a study was to be, written before its results are looked at, and how a run departs from it.

Not to be mixed up with `graytrace.workflow.lock`, which lets one run at a time work in a folder.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graytrace.errors import ConfigError, PipelineError
from graytrace.files import file_sha256, write_json, write_text
from graytrace.workflow.inventory import Change, Inventory, find_changes

PLAN_NAME = "plan.lock.json"
LEAST_KEY_BYTES = 16
_SALT_BYTES = 16
_SCRYPT = {"n": 1 << 14, "r": 8, "p": 1}  # RFC 7914's interactive setting: 16 MiB, a tenth of a second
_METHOD = "HMAC-SHA256"


@dataclass(frozen=True)
class LockedPlan:
    """A locked plan.

    Parameters
    ----------
    path : Path
    sha256 : str
        Of the file, as it is now.
    locked : mapping
        When, by whom, on which host, and why where it replaced another.
    inventory : mapping
        What the study was to depend on.
    """

    path: Path
    sha256: str
    locked: Mapping[str, Any]
    inventory: Inventory

    def describe(self) -> str:
        """Which plan it is, in words."""
        by = f"{self.locked.get('user')} on {self.locked.get('host')}"
        return f"{self.path.name}, locked {self.locked.get('when')} by {by} (sha256 {self.sha256})"


def digest_path(plan: Path) -> Path:
    """The file with a plan's SHA-256, as ``sha256sum -c`` reads it."""
    return plan.with_name(f"{plan.name}.sha256")


def signature_path(plan: Path) -> Path:
    """The file with a plan's signature by a secret."""
    return plan.with_name(f"{plan.name}.hmac.json")


def write_plan(path: Path, inventory: Inventory, locked: Mapping[str, Any], secret: Secret | None = None) -> LockedPlan:
    """Write a plan and its signature files.

    Parameters
    ----------
    path : Path
        Of the plan; the signature files are put beside it.
    inventory : mapping
        From `graytrace.workflow.inventory.take_inventory`.
    locked : mapping
        When, by whom, on which host.
    secret : Secret, optional
        Makes an HMAC-SHA256 of it, too.
    """
    content = {"format": 1, "locked": dict(locked), **{name: dict(section) for name, section in inventory.items()}}
    write_json(path, content)
    digest = file_sha256(path)
    write_text(digest_path(path), f"{digest}  {path.name}\n")
    if secret is None:
        signature_path(path).unlink(missing_ok=True)
    else:
        write_json(signature_path(path), secret.sign(path))
    return LockedPlan(path, digest, locked, inventory)


def read_plan(path: Path) -> LockedPlan:
    """Read a locked plan.

    Raises
    ------
    ConfigError
        It is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        locked = dict(content.pop("locked"))
        content.pop("format")
        inventory = {str(name): {str(key): str(text) for key, text in part.items()} for name, part in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is no locked plan ({error!r}). Put the one that `graytrace lock` wrote back in its place, or lock "
            "the plan anew with --replace."
        ) from error
    return LockedPlan(path, file_sha256(path), locked, inventory)


def check_digest(plan: LockedPlan) -> str | None:
    """What is wrong with a plan's digest file; None for nothing."""
    path = digest_path(plan.path)
    try:
        expected = path.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return f"{path.name} is not there or cannot be read: whether {plan.path.name} was changed is not known"
    if expected[:1] == [plan.sha256]:
        return None
    return f"{plan.path.name} was changed since it was locked: its sha256 is not the one in {path.name}"


@dataclass(frozen=True)
class Secret:
    """What only those who may sign know.

    Parameters
    ----------
    text : bytes
        The content of a key file, or a passphrase in UTF-8.
    is_passphrase : bool
        Whether it is stretched by scrypt first, because people's words are few.
    """

    text: bytes
    is_passphrase: bool

    def sign(self, path: Path) -> dict[str, Any]:
        """The signature of a file, and how it was made."""
        salt = secrets.token_hex(_SALT_BYTES) if self.is_passphrase else None
        return {
            "file": path.name,
            "method": _METHOD,
            "key": f"scrypt of a passphrase (n={_SCRYPT['n']}, r=8, p=1)" if salt else "the bytes of a key file",
            **({"salt": salt} if salt else {}),
            "hmac": self._compute(path, salt),
        }

    def verifies(self, path: Path) -> bool:
        """Whether a file is the one that was signed with this secret.

        Raises
        ------
        PipelineError
            There is no signature.
        """
        signature = signature_path(path)
        try:
            content = json.loads(signature.read_text(encoding="utf-8"))
            kept, salt = str(content["hmac"]), content.get("salt")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PipelineError(
                f"{signature} is not there or is no signature: {path.name} was locked without a key, or it was removed."
            ) from error
        if (salt is not None) != self.is_passphrase:
            other = "a passphrase" if salt is not None else "a key file"
            raise PipelineError(f"{signature} was made with {other}: give that.")
        return hmac.compare_digest(kept, self._compute(path, salt))

    def _compute(self, path: Path, salt: str | None) -> str:
        key = self.text
        if salt is not None:
            key = hashlib.scrypt(key, salt=bytes.fromhex(salt), maxmem=1 << 26, **_SCRYPT)
        return hmac.new(key, path.read_bytes(), hashlib.sha256).hexdigest()


def read_secret(key_file: Path | None, passphrase: str | None) -> Secret | None:
    """The secret of a key file or a passphrase; None without either.

    Raises
    ------
    ConfigError
        It cannot be read, or is too short to be a secret.
    """
    if key_file is not None:
        try:
            text = key_file.read_bytes()
        except OSError as error:
            raise ConfigError(f"--key-file: {key_file} cannot be read: {error.strerror}.") from error
    elif passphrase is not None:
        text = passphrase.encode()
    else:
        return None
    if len(text) < LEAST_KEY_BYTES:
        what = "--key-file" if key_file is not None else "The passphrase"
        raise ConfigError(f"{what}: {len(text)} bytes are too few to be a secret: at least {LEAST_KEY_BYTES}.")
    return Secret(text, key_file is None)


def find_departures(plan: LockedPlan, now: Inventory) -> list[Change]:
    """How a run departs from the plan; a plan that was changed since it was locked is the first departure."""
    departures = find_changes(plan.inventory, {name: now.get(name, {}) for name in plan.inventory})
    fault = check_digest(plan)
    return [*([Change("plan", plan.path.name, "as locked", fault)] if fault else []), *departures]
