"""Which of FreeSurfer's structures are gray matter, white matter and CSF here."""

from __future__ import annotations

from collections.abc import Mapping

# label of FreeSurferColorLUT.txt -> name; ours is the last column: cortex, deep gray, white matter, CSF
_LEFT_RIGHT = (
    (2, 41, "Cerebral-White-Matter", "wm"),
    (3, 42, "Cerebral-Cortex", "cortex"),
    (4, 43, "Lateral-Ventricle", "csf"),
    (5, 44, "Inf-Lat-Vent", "csf"),
    (7, 46, "Cerebellum-White-Matter", "wm"),
    (8, 47, "Cerebellum-Cortex", "cortex"),
    (10, 49, "Thalamus", "deep"),
    (11, 50, "Caudate", "deep"),
    (12, 51, "Putamen", "deep"),
    (13, 52, "Pallidum", "deep"),
    (17, 53, "Hippocampus", "deep"),
    (18, 54, "Amygdala", "deep"),
    (26, 58, "Accumbens-area", "deep"),
    (28, 60, "VentralDC", "wm"),
    (31, 63, "choroid-plexus", "csf"),
)
_MIDDLE = (
    (14, "3rd-Ventricle", "csf"),
    (15, "4th-Ventricle", "csf"),
    (16, "Brain-Stem", "wm"),
    (24, "CSF", "csf"),
    (72, "5th-Ventricle", "csf"),
    (77, "WM-hypointensities", "wm"),
)

TISSUE_OF_LABEL: Mapping[int, str] = {
    **{label: tissue for left, right, _, tissue in _LEFT_RIGHT for label in (left, right)},
    **{label: tissue for label, _, tissue in _MIDDLE},
}
TISSUE_OF_NAME: Mapping[str, str] = {
    **{f"{side}-{name}": tissue for _, _, name, tissue in _LEFT_RIGHT for side in ("Left", "Right")},
    **{name: tissue for _, name, tissue in _MIDDLE},
    "Left-Thalamus-Proper": "deep",  # the name before FreeSurfer 7.2
    "Right-Thalamus-Proper": "deep",
}
# without these a list of structures is not a whole brain
ESSENTIAL_NAMES = frozenset(
    f"{side}-{name}" for side in ("Left", "Right") for name in ("Cerebral-Cortex", "Cerebral-White-Matter")
)
# our maps and the tissues that each holds
MAPS: Mapping[str, tuple[str, ...]] = {
    "gm_fraction": ("cortex", "deep"),
    "wm_fraction": ("wm",),
    "csf_fraction": ("csf",),
    "subcortical_gm_fraction": ("deep",),
}
