"""Frozen numbers: what this version measures on phantoms, written down so that a later version is held against it.

    python tests/regression/freeze.py          writes numbers.json anew

A number that moves is a change for users: it stands in the changelog under "Numbers change", with its size.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from graytrace import phantom_pair, segment

NUMBERS = Path(__file__).with_name("numbers.json")
PHANTOM = {"gm_change_percent": -2.0, "voxel_mm": 2.0, "seed": 1}


def measure_phantom() -> dict[str, Any]:
    """Numbers by name: of the phantom itself, and of the segmentation of its first scan."""
    phantom = phantom_pair(**PHANTOM)
    found = segment(phantom.baseline)
    numbers = {name: value for name, value in found.measures.items() if isinstance(value, float)}
    volumes = {name: getattr(found, name) for name in ("gm_volume_ml", "wm_volume_ml", "csf_volume_ml", "icv_ml")}
    truth = {name: value for name, value in phantom.truth.items() if isinstance(value, float)}
    return {
        "truth": truth,
        "segmentation": {**volumes, **numbers, "tissue_means": dict(found.measures["tissue_means"])},
    }


if __name__ == "__main__":
    NUMBERS.write_text(json.dumps(measure_phantom(), indent=2) + "\n", encoding="utf-8")
