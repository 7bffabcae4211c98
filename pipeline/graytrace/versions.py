"""Versions of installed packages, as results tell them."""

from __future__ import annotations

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
