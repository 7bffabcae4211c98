"""Where the Snakefile and what belongs to it lie: in a checkout, or in the package that a wheel installed."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
_CARRIED = PACKAGE / "project"  # made by pyproject.toml's force-include; a checkout has none
PROJECT = _CARRIED if _CARRIED.is_dir() else PACKAGE.parents[1]
SNAKEFILE = PROJECT / "Snakefile"
DEFAULTS = PROJECT / "config.yaml"
PROFILES = PROJECT / "profiles"
CONTAINERS = PROJECT / "containers"


def find_caption(name: str) -> str:
    """Path of the text that Snakemake's own report shows with a result."""
    return str(PACKAGE / "report" / "captions" / f"{name}.rst")
