"""A head of ellipsoids for which an atlas, a scan's tissues and true labels are one and the same thing."""

import numpy as np
from scipy.ndimage import gaussian_filter
from toyhead import places

from graytrace.algorithms.structure_atlas import LABELS, PAIRED, SINGLE, Atlas

SHAPE = (40, 48, 40)  # 2 mm
_PAIRS = [structure.name for structure in PAIRED]
# center and half axes in mm of the left one; what comes first lies on top
LEFT = {
    "LateralVentricle": ((-6, 0, 8), (4, 14, 5)),
    "Thalamus": ((-8, -6, -2), (6, 9, 6)),
    "Putamen": ((-18, 4, -2), (5, 11, 8)),
    "CerebralWhiteMatter": ((-13, 0, 2), (16, 32, 22)),
    "CerebralCortex": ((-13, 0, 2), (20, 37, 27)),
}
BRAINSTEM, FLUID = ((0, -10, -24), (6, 7, 9)), ((0, 0, 0), (36, 42, 34))


def _within(points, center, axes):
    return sum(((p - c) / a) ** 2 for p, c, a in zip(points, center, axes, strict=True)) < 1


def label_points(points):
    """Place in `LABELS` of RAS points (3, ...), -1 outside."""
    single = {structure.name: 2 * len(PAIRED) + number for number, structure in enumerate(SINGLE)}
    places_of = np.where(_within(points, *FLUID), single["OuterCSF"], -1)
    for name in reversed(LEFT):
        (x, y, z), axes = LEFT[name]
        for side, offset in ((1, 0), (-1, len(PAIRED))):
            own = (points[0] < 0) == (side == 1)
            places_of[_within(points, (side * x, y, z), axes) & own] = _PAIRS.index(name) + offset
    places_of[_within(points, *BRAINSTEM)] = single["Brainstem"]
    return places_of


def atlas():
    """The head as an atlas, its borders as wide as those of a mean of heads."""
    blank = Atlas(np.zeros((len(LABELS), *SHAPE), np.float32))
    found = label_points(places(blank.grid_to_mm, SHAPE))
    return Atlas(np.stack([gaussian_filter((found == n).astype(np.float32), 0.7) for n in range(len(LABELS))]))


def numbers(found):
    """Places in `LABELS` as the numbers of label images, 0 outside."""
    return np.array([*(label.index for label in LABELS), 0])[found]


def fractions(found):
    """Gray, white, fluid and deep gray fractions of labels with sharp borders."""
    tissue = np.array([*(label.structure.tissue for label in LABELS), "none"])[found]
    deep = (tissue == "deep").astype(np.float32)
    gm = deep + (tissue == "cortex")
    return gm.astype(np.float32), (tissue == "white").astype(np.float32), (tissue == "fluid").astype(np.float32), deep
