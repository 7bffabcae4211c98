"""What several groups of faults do to a scan: other voxels, at one visit or at both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from fault_study import BASELINE, FOLLOWUP, Slot
from scipy import ndimage

Do = Callable[[Slot], None]
Alter = Callable[[np.ndarray], np.ndarray]


def change_voxels(alter: Alter, visit: str = FOLLOWUP, **how: Any) -> Do:
    """Other voxels in the target's scan."""
    return lambda slot: slot.change(visit, alter, **how)


def fill_part(value: float, part: tuple[slice, ...] | slice) -> Alter:
    """One value in a part of the image."""

    def alter(data: np.ndarray) -> np.ndarray:
        data = data.copy()
        data[part] = value
        return data

    return alter


def random_numbers(seed: int = 1) -> np.random.Generator:
    """The same numbers in every run."""
    return np.random.default_rng(seed)


def change_some(value: float, count: int) -> Alter:
    """One value in some voxels, wherever they are."""

    def alter(data: np.ndarray) -> np.ndarray:
        data = data.copy()
        data.ravel()[random_numbers().choice(data.size, count, replace=False)] = value
        return data

    return alter


def at_both(make: Callable[..., Do], *arguments: Any) -> Do:
    """The same at both visits."""

    def do(slot: Slot) -> None:
        for visit in (BASELINE, FOLLOWUP):
            make(*arguments, visit=visit)(slot)

    return do


def shift_by(mm: float) -> np.ndarray:
    """What is added to an affine to move its image along all axes."""
    moved = np.zeros((4, 4))
    moved[:3, 3] = mm
    return moved


def find_head(data: np.ndarray) -> np.ndarray:
    """Voxels that are not air."""
    return ndimage.gaussian_filter(data, 1) > 0.12 * np.percentile(data, 99)
