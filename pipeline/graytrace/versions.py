"""Versions of installed packages, as results tell them."""

from __future__ import annotations

import re
from importlib import metadata


def package_version(distribution: str) -> str:
    """Version of an installed distribution, ``unknown`` when it is not installed as one."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def package_versions(*distributions: str) -> dict[str, str]:
    """Versions of installed distributions by name."""
    return {name: package_version(name) for name in distributions}


def required_distributions() -> list[str]:
    """Distributions that Graytrace needs to run, as its own metadata names them, by name."""
    try:
        required = metadata.requires("graytrace") or []
    except metadata.PackageNotFoundError:
        return []
    names = [re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0] for text in required if "extra ==" not in text]
    return sorted((_own_name(name) for name in names), key=str.lower)


def _own_name(distribution: str) -> str:
    """A distribution's name as its authors write it."""
    try:
        return metadata.metadata(distribution)["Name"]
    except metadata.PackageNotFoundError:
        return distribution
