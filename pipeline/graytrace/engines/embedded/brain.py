"""Extracts the brain and the intracranial space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graytrace.algorithms.brain_extraction import extract_brain
from graytrace.engines.embedded.network import load_network
from graytrace.engines.interface import EngineInterface
from graytrace.engines.stages import SkullStripInputSpec, SkullStripOutputSpec
from graytrace.images.grids import Volume
from graytrace.images.reading import read_volume
from graytrace.images.writing import write_mask


class ExtractBrain(EngineInterface):
    """Extract the brain with a small network and the scan's own intensities."""

    input_spec = SkullStripInputSpec
    output_spec = SkullStripOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = read_volume(Path(self.inputs.in_file))
        predict = load_network()
        brain = extract_brain(scan.data, scan.voxel_to_ras, predict=predict)
        for trait in ("brain_mask", "intracranial_mask"):
            mask = Volume(getattr(brain, trait), scan.voxel_to_ras)
            write_mask(self._keep(trait, folder / f"{trait}.nii.gz"), mask)
        return {}
