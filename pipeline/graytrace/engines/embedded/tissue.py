"""Separates gray matter, white matter and CSF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graytrace.algorithms.lesion_detection import find_gray_islands, whiten_islands
from graytrace.algorithms.structures import label_structures
from graytrace.algorithms.tissue import segment_tissue
from graytrace.algorithms.volumes import tissue_volume_ml
from graytrace.engines.embedded.network import load_network
from graytrace.engines.interface import EngineInterface
from graytrace.engines.stages import SegmentationInputSpec, SegmentationOutputSpec
from graytrace.images.grids import Volume
from graytrace.images.reading import read_mask, read_volume
from graytrace.images.writing import write_volume

_TRAITS = {
    "gm_fraction": "gm",
    "wm_fraction": "wm",
    "csf_fraction": "csf",
    "subcortical_gm_fraction": "subcortical_gm",
}


class SegmentTissue(EngineInterface):
    """Fit a mixture of tissues with partial volume."""

    input_spec = SegmentationInputSpec
    output_spec = SegmentationOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = read_volume(Path(self.inputs.in_file))
        brain = read_mask(Path(self.inputs.brain_mask), like=scan)
        intracranial = read_mask(Path(self.inputs.intracranial_mask), like=scan)
        predict = load_network()
        structures = label_structures(scan.data, scan.voxel_to_ras, predict=predict, brain_mask=brain.data)
        tissue = segment_tissue(scan.data, scan.voxel_to_ras, brain.data, intracranial.data, structures)
        islands = find_gray_islands(tissue.gm, tissue.csf, structures, brain.data, scan.voxel_to_ras)
        gm, wm, subcortical_gm = whiten_islands(tissue.gm, tissue.wm, tissue.subcortical_gm, islands)
        fractions = {"gm": gm, "wm": wm, "csf": tissue.csf, "subcortical_gm": subcortical_gm}
        for trait, name in _TRAITS.items():
            path = self._keep(trait, folder / f"{trait}.nii.gz")
            write_volume(path, Volume(fractions[name], scan.voxel_to_ras))
        contrast = tissue.means["white_matter"] - tissue.means["cortex"]
        return {
            "tissue_means": {name: float(value) for name, value in tissue.means.items()},
            "gray_islands_ml": tissue_volume_ml(np.where(islands, tissue.gm, 0), scan.voxel_to_ras),
            "mixture_noise_percent": float(100 * tissue.noise_sd / tissue.means["white_matter"]),
            "mixture_contrast_to_noise": float(contrast / tissue.noise_sd),
        }
