"""Spread that outliers do not move."""

from __future__ import annotations

import numpy as np

from graytrace.arrays import Vector

# 1 / (normal quantile of 3/4): the standard deviation of normal data over their median absolute deviation,
# Rousseeuw and Croux 1993, https://doi.org/10.1080/01621459.1993.10476408
SD_OF_MAD = 1.4826


def estimate_sd(values: Vector) -> float:
    """Standard deviation estimated from the median absolute deviation about the median.

    Parameters
    ----------
    values : (N,) array-like
        Finite, N at least 1.

    Returns
    -------
    float
        In the unit of the values.

    Examples
    --------
    >>> round(estimate_sd(np.array([1.0, 2.0, 3.0, 4.0, 500.0])), 4)
    1.4826
    """
    return float(SD_OF_MAD * np.median(np.abs(values - np.median(values))))
