"""Change as the plain difference of two segmentations, whichever engine made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import BaseInterfaceInputSpec, File, isdefined

from graytrace.algorithms.volumes import list_volume_changes, tissue_volume_ml
from graytrace.engines.interface import EngineInterface, MeasuresOutputSpec
from graytrace.images.grids import Volume
from graytrace.images.reading import read_volume


class DifferenceChangeInputSpec(BaseInterfaceInputSpec):
    """Tissues of both visits."""

    baseline_gm_fraction = File(exists=True, mandatory=True, desc="gray-matter fraction of the first visit")
    followup_gm_fraction = File(exists=True, mandatory=True, desc="gray-matter fraction of the second visit")
    baseline_wm_fraction = File(exists=True, mandatory=True, desc="white-matter fraction of the first visit")
    followup_wm_fraction = File(exists=True, mandatory=True, desc="white-matter fraction of the second visit")
    baseline_subcortical_gm_fraction = File(exists=True, desc="gray matter of the first visit's deep nuclei")
    followup_subcortical_gm_fraction = File(exists=True, desc="gray matter of the second visit's deep nuclei")


class DifferenceChange(EngineInterface):
    """Volumes of both visits subtracted: no alignment, no correction of the scanner's scale."""

    input_spec = DifferenceChangeInputSpec
    output_spec = MeasuresOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        return list_volume_changes(self._volumes("baseline"), self._volumes("followup"))

    def _volumes(self, visit: str) -> dict[str, float]:
        """Volumes in ml of one visit by the names of our columns."""
        gm, wm, deep = (self._read(f"{visit}_{part}_fraction") for part in ("gm", "wm", "subcortical_gm"))
        if gm is None or wm is None:
            raise ValueError(f"the {visit} visit has no gray and white matter")
        volumes = {"gm": _ml(gm), "wm": _ml(wm)}
        volumes["brain"] = volumes["gm"] + volumes["wm"]
        if deep is not None:
            volumes["deep_gm"] = _ml(deep)
            volumes["cortical_gm"] = volumes["gm"] - volumes["deep_gm"]
        return volumes

    def _read(self, trait: str) -> Volume | None:
        path = getattr(self.inputs, trait)
        return read_volume(Path(path)) if isdefined(path) else None


def _ml(volume: Volume) -> float:
    """Sum of the fractions (X, Y, Z) of a volume, ml."""
    return tissue_volume_ml(np.asarray(volume.data), volume.voxel_to_ras)
