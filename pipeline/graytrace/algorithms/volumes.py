"""Volumes in ml from fractions and affines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from graytrace.algorithms.grids import voxel_volume_mm3
from graytrace.arrays import Affine, Fractions, Mask

MM3_PER_ML = 1000.0  # by definition
LEAST_ML = 1.0  # by hand: of less than a cube of 1 cm, percents say nothing


def tissue_volume_ml(fraction: Fractions | Mask, voxel_to_ras: Affine) -> float:
    """Volume of a tissue: sum of its fractions times the volume of a voxel.

    Parameters
    ----------
    fraction : (X, Y, Z) array-like
        Fraction of the tissue in each voxel, in [0, 1]; a boolean mask counts as 0 and 1.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS millimeters; sheared and oblique grids are right, since the determinant is taken.

    Returns
    -------
    float
        ml.

    Examples
    --------
    >>> tissue_volume_ml(np.ones((10, 10, 10)), np.diag([1.0, 1.0, 3.0, 1.0]))
    3.0
    """
    return float(np.sum(fraction, dtype=np.float64)) * voxel_volume_mm3(voxel_to_ras) / MM3_PER_ML


def volume_change_percent(before_ml: float, after_ml: float) -> float | None:
    """Change of a volume in percent of the first one.

    Parameters
    ----------
    before_ml, after_ml : float
        ml.

    Returns
    -------
    float or None
        Percent; None where the first volume is below 1 ml or one of both is no number: a percent of it says nothing.

    Examples
    --------
    >>> volume_change_percent(600.0, 594.0), volume_change_percent(0.1, 0.2)
    (-1.0, None)
    """
    if not LEAST_ML <= before_ml < np.inf or not 0 <= after_ml < np.inf:
        return None
    return 100 * (after_ml / before_ml - 1)


def list_volume_changes(before_ml: Mapping[str, float], after_ml: Mapping[str, float]) -> dict[str, float]:
    """Changes of all tissues that both visits have, by the names of our columns.

    Parameters
    ----------
    before_ml, after_ml : mapping
        Tissue (``gm``, ``wm``, ``brain`` and parts of gray matter) to ml.

    Returns
    -------
    dict
        Percent; a part of gray matter of which the first visit has less than 1 ml is left out.

    Raises
    ------
    ValueError
        The first visit has no gray matter, white matter or brain to speak of.

    Examples
    --------
    >>> list_volume_changes({"gm": 600.0, "deep_gm": 0.1}, {"gm": 594.0, "deep_gm": 0.2})
    {'gm_change_percent': -1.0}
    """
    changes = {}
    for name in sorted(before_ml.keys() & after_ml.keys()):
        change = volume_change_percent(before_ml[name], after_ml[name])
        if change is not None:
            changes[f"{name}_change_percent"] = change
        elif not name.endswith("_gm"):
            raise ValueError(f"the first visit has no {name} to speak of: {before_ml[name]:.2g} ml")
    return changes
