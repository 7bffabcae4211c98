"""Versions of installed packages, as results tell them."""

from __future__ import annotations

import re
import sys
from importlib import metadata

# what Graytrace needs to run, as its authors write it, and as Python imports it
IMPORTED_AS = {
    "fpdf2": "fpdf",
    "Jinja2": "jinja2",
    "jsonschema": "jsonschema",
    "matplotlib": "matplotlib",
    "nibabel": "nibabel",
    "nilearn": "nilearn",
    "nipype": "nipype",
    "numba": "numba",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "packaging": "packaging",
    "pandas": "pandas",
    "PyYAML": "yaml",
    "rich": "rich",
    "scikit-image": "skimage",
    "scipy": "scipy",
    "SimpleITK": "SimpleITK",
    "snakemake": "snakemake",
    "statsmodels": "statsmodels",
    "threadpoolctl": "threadpoolctl",
}


def package_version(distribution: str) -> str:
    """Version of an installed distribution, ``unknown`` when it is not installed as one."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def package_versions(*distributions: str) -> dict[str, str]:
    """Versions of installed distributions by name."""
    return {name: package_version(name) for name in distributions}


def imported_versions() -> dict[str, str]:
    """Versions of what this process has imported of the packages that Graytrace needs, by name.

    A step is a process of its own, so the same step tells the same, and nobody has to keep a list.
    """
    return package_versions(*(name for name, module in IMPORTED_AS.items() if module in sys.modules))


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
