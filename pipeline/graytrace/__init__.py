"""Graytrace: gray-matter loss between two MRI visits, for every patient of a trial.

The functions for use from Python are in `graytrace.api`; they are imported when first asked for, because every job of
the workflow imports this package.
"""

import importlib
from typing import Any

__version__ = "0.2.0"
__all__ = ["__version__", "measure_pair", "phantom_pair", "segment"]


def __getattr__(name: str) -> Any:
    """A function of `graytrace.api`."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.api"), name)
