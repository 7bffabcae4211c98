"""What a qualification found: checks with what was expected and what was found, and a verdict over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PARTS = {
    "IQ": "Installation qualification: is what was installed what was released?",
    "OQ": "Operation qualification: do the steps do what they promise, also when something breaks?",
    "PQ": "Performance qualification: are the numbers right where the truth is known?",
}
SIGNERS = ("Performed by", "Reviewed by", "Approved by")


@dataclass(frozen=True)
class Limits:
    """Limits of the performance qualification.

    Parameters
    ----------
    voxel_mm : float
        Side of the phantoms' voxels.
    change_error_points : float
        Largest error of a patient's change of gray matter or brain, in percentage points either way.
    volume_error_percent : float
        Largest error of a patient's volume of gray matter, in percent of the truth either way.
    """

    voxel_mm: float
    change_error_points: float
    volume_error_percent: float


# Twice the largest error of a change, one and a half times that of a volume (docs/validation.md): another processor
# passes, a broken installation does not; voxels of 2 mm are twice as wide as a sulcus.
LIMITS = {"full": Limits(1.0, 0.25, 4.0), "quick": Limits(2.0, 0.4, 8.0)}


@dataclass(frozen=True)
class Check:
    """One check.

    Parameters
    ----------
    code : str
        ``IQ-1`` and the like.
    what, expected, found : str
        For people.
    is_passed : bool or None
        None where a number is told and not judged.
    """

    code: str
    what: str
    expected: str
    found: str
    is_passed: bool | None

    @property
    def verdict(self) -> str:
        """The verdict in a word."""
        return {True: "pass", False: "FAIL", None: "told"}[self.is_passed]


@dataclass(frozen=True)
class Package:
    """An installed package beside its pin.

    Parameters
    ----------
    name, version : str
        ``version`` is "not installed" where it is not there.
    pinned : str
        Version of the pins.
    files, changed : int
        Files with a digest in the package's own record, and those whose bytes are others.
    """

    name: str
    version: str
    pinned: str
    files: int
    changed: int


@dataclass(frozen=True)
class Qualification:
    """A whole qualification.

    Parameters
    ----------
    version : str
        Of Graytrace.
    extent : {"full", "quick"}
    date : str
        When it was begun, UTC, ISO 8601.
    machine : mapping
        What it ran on, in words.
    checks : sequence of Check
    packages : sequence of Package
    """

    version: str
    extent: str
    date: str
    machine: Mapping[str, str]
    checks: Sequence[Check]
    packages: Sequence[Package] = field(default_factory=tuple)

    @property
    def failed(self) -> list[Check]:
        """Checks that did not pass."""
        return [check for check in self.checks if check.is_passed is False]

    @property
    def is_passed(self) -> bool:
        """Whether no check failed, and each part has one that passed."""
        having = {check.code[:2] for check in self.checks if check.is_passed}
        return not self.failed and having == set(PARTS)

    def as_dict(self) -> dict[str, Any]:
        """For qualification.json."""
        return {
            "graytrace": self.version,
            "verdict": "pass" if self.is_passed else "fail",
            "extent": self.extent,
            "date": self.date,
            "machine": dict(self.machine),
            "limits": LIMITS[self.extent].__dict__,
            "checks": [{"code": one.code, "verdict": one.verdict.lower(), **_told(one)} for one in self.checks],
            "packages": [one.__dict__ for one in self.packages],
        }


def _told(check: Check) -> dict[str, str]:
    return {"what": check.what, "expected": check.expected, "found": check.found}
