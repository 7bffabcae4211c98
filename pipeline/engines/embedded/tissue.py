"""Separates gray matter, white matter and CSF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces.base import BaseInterfaceInputSpec, File

from pipeline.algorithms.structures import label_structures
from pipeline.algorithms.tissue import segment_tissue
from pipeline.engines.embedded.interface import EmbeddedInterface, MeasuresOutputSpec
from pipeline.engines.network import load_network
from pipeline.images.grids import Volume
from pipeline.images.reading import read_mask, read_volume
from pipeline.images.writing import write_volume

_TRAITS = {
    "gm_fraction": "gm",
    "wm_fraction": "wm",
    "csf_fraction": "csf",
    "subcortical_gm_fraction": "subcortical_gm",
}


class SegmentTissueInputSpec(BaseInterfaceInputSpec):
    """A head, its brain and its skull's inside."""

    in_file = File(exists=True, mandatory=True, desc="bias-corrected (and lesion-filled) T1-weighted scan")
    brain_mask = File(exists=True, mandatory=True, desc="brain mask on the scan's grid")
    intracranial_mask = File(exists=True, mandatory=True, desc="intracranial mask on the scan's grid")


class SegmentTissueOutputSpec(MeasuresOutputSpec):
    """Three maps that sum to one within the skull."""

    gm_fraction = File(exists=True, desc="part of each voxel that is gray matter, 0 to 1")
    wm_fraction = File(exists=True, desc="part of each voxel that is white matter, 0 to 1")
    csf_fraction = File(exists=True, desc="part of each voxel that is CSF, 0 to 1")
    subcortical_gm_fraction = File(exists=True, desc="part of each voxel that is gray matter of deep nuclei, 0 to 1")


class SegmentTissue(EmbeddedInterface):
    """Fit a mixture of tissues with partial volume."""

    input_spec = SegmentTissueInputSpec
    output_spec = SegmentTissueOutputSpec
    distributions = ("numpy", "scipy", "nibabel", "onnxruntime")

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = read_volume(Path(self.inputs.in_file))
        brain = read_mask(Path(self.inputs.brain_mask), like=scan)
        intracranial = read_mask(Path(self.inputs.intracranial_mask), like=scan)
        predict = load_network()
        structures = label_structures(scan.data, scan.voxel_to_ras, predict=predict, brain_mask=brain.data)
        tissue = segment_tissue(scan.data, scan.voxel_to_ras, brain.data, intracranial.data, structures)
        for trait, name in _TRAITS.items():
            path = self._keep(trait, folder / f"{trait}.nii.gz")
            write_volume(path, Volume(getattr(tissue, name), scan.voxel_to_ras))
        contrast = tissue.means["white_matter"] - tissue.means["cortex"]
        return {
            "tissue_means": {name: float(value) for name, value in tissue.means.items()},
            "noise_percent": float(100 * tissue.noise_sd / tissue.means["white_matter"]),
            "gm_wm_contrast_to_noise": float(contrast / tissue.noise_sd),
        }
