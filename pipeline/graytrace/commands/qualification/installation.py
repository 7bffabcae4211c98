"""Installation qualification: Python, packages beside their pins, installed files beside their digests, weights."""

from __future__ import annotations

import base64
import hashlib
import platform
import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from graytrace.engines.embedded.network import WEIGHTS, read_digest
from graytrace.errors import ConfigError
from graytrace.files import file_sha256, text_sha256
from graytrace.results.qualification import Check, Package
from graytrace.workflow.project import PACKAGE, PROJECT

PINS = PROJECT / "requirements" / "runtime.txt"
_NAMED = 3
_NOT_INSTALLED = "not installed"


def read_pins(path: Path) -> dict[str, str]:
    """Name and version of each pin that counts for this Python and system.

    Raises
    ------
    ConfigError
        A line cannot be read as a pin.
    """
    pins = {}
    for line in re.findall(r"^[A-Za-z0-9].*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        text = line.rstrip("\\ ").strip()
        try:
            wanted = Requirement(text)
        except InvalidRequirement as error:
            raise ConfigError(f"{path}: {text!r} is no pinned package ({error}).") from error
        if wanted.marker is None or wanted.marker.evaluate():
            pins[wanted.name] = str(wanted.specifier).removeprefix("==")
    return pins


def inspect_package(name: str, pinned: str) -> Package:
    """A package as it is installed: its version, and its files beside the digests that came with them."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return Package(name, _NOT_INSTALLED, pinned, 0, 0)
    states = list(_compare_files(distribution))
    return Package(name, distribution.version, pinned, len(states), states.count(False))


def _compare_files(distribution: metadata.Distribution) -> Iterator[bool]:
    """For each file with a digest whether it is there with those bytes.

    Scripts are left out: an installer writes the path of this machine's Python into their first line.
    """
    for file in distribution.files or []:
        if file.hash is None or file.hash.mode != "sha256" or file.parts[-2:-1] in {("bin",), ("Scripts",)}:
            continue
        path = Path(str(file.locate()))
        yield path.is_file() and _record_digest(path) == file.hash.value


def _record_digest(path: Path) -> str:
    """SHA-256 as a wheel's RECORD writes it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def qualify_installation() -> tuple[list[Check], list[Package]]:
    """Look at what is installed; nothing is changed.

    Returns
    -------
    checks : list of Check
    packages : list of Package
        One for each pin; empty where the pins are not there.
    """
    packages = [inspect_package(name, version) for name, version in read_pins(PINS).items()] if PINS.is_file() else []
    return [_check_python(), *_check_packages(packages), *_check_own()], packages


def _check_python() -> Check:
    try:
        wanted = metadata.metadata("graytrace")["Requires-Python"] or ""
    except metadata.PackageNotFoundError:
        wanted = ""
    is_right = SpecifierSet(wanted).contains(platform.python_version(), prereleases=True) if wanted else None
    return Check(
        "IQ-1", "Python", wanted or "not stated: the package is not installed", platform.python_version(), is_right
    )


def _check_packages(packages: Sequence[Package]) -> list[Check]:
    what = ("Version of each package", "Bytes of each package's files")
    if not packages:
        told = f"no pins at {PINS}: nothing to compare with"
        return [Check(code, text, "the pins", told, None) for code, text in zip(("IQ-2", "IQ-3"), what, strict=True)]
    others = [f"{one.name} {one.version}, pinned {one.pinned}" for one in packages if one.version != one.pinned]
    changed = [f"{one.name}: {one.changed} of {one.files}" for one in packages if one.changed]
    unknown = [one.name for one in packages if one.version != _NOT_INSTALLED and not one.files]
    files = sum(one.files for one in packages)
    return [
        Check(
            "IQ-2",
            what[0],
            f"the {len(packages)} pins of requirements/runtime.txt",
            _list(others) or f"all {len(packages)} as pinned",
            not others,
        ),
        Check(
            "IQ-3",
            what[1],
            "the SHA-256 of each file in the package's own RECORD",
            (_list(changed) or f"all {files} files as installed") + _without_digests(unknown),
            not changed,
        ),
    ]


def _without_digests(names: Sequence[str]) -> str:
    return f"; without digests: {_list(names)}" if names else ""


def _check_own() -> list[Check]:
    """Graytrace's own files, and the network's weights."""
    own = inspect_package("graytrace", "")
    is_wheel = PROJECT.is_relative_to(PACKAGE)  # a checkout's record has the link to it and no module
    found = f"{own.files - own.changed} of {own.files} files as installed" if is_wheel else "a checkout: no record"
    told = f"{found}; SHA-256 of all of them {digest_package(PACKAGE)}"
    is_whole = own.files > 0 and not own.changed
    expected = read_digest(WEIGHTS)
    digest = file_sha256(WEIGHTS) if WEIGHTS.is_file() else "not there"
    return [
        Check("IQ-4", "Graytrace's own files", "as released", told, is_whole if is_wheel else None),
        Check("IQ-5", "Weights of the network", f"SHA-256 {expected or 'not stated'}", digest, digest == expected),
    ]


def digest_package(folder: Path) -> str:
    """SHA-256 of the names and bytes of a package's files, without what Python compiles from them."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return text_sha256("\n".join(f"{path.relative_to(folder).as_posix()} {file_sha256(path)}" for path in files))


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "; ".join(names[:_NAMED]) + more
