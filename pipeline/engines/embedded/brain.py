"""Finds the brain and the space within the skull."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces.base import BaseInterfaceInputSpec, File

from pipeline.algorithms.brain_extraction import extract_brain
from pipeline.engines.embedded.interface import EmbeddedInterface, MeasuresOutputSpec
from pipeline.engines.network import load_network
from pipeline.images.grids import Volume
from pipeline.images.reading import read_volume
from pipeline.images.writing import write_mask


class ExtractBrainInputSpec(BaseInterfaceInputSpec):
    """A head."""

    in_file = File(exists=True, mandatory=True, desc="T1-weighted scan of a head, 3D NIfTI")


class ExtractBrainOutputSpec(MeasuresOutputSpec):
    """Two masks."""

    brain_mask = File(exists=True, desc="brain: gray and white matter and ventricles, closed over sulci; 0 and 1")
    intracranial_mask = File(exists=True, desc="everything within the skull: brain and CSF; 0 and 1")


class ExtractBrain(EmbeddedInterface):
    """Find the brain with a small network and the scan's own intensities."""

    input_spec = ExtractBrainInputSpec
    output_spec = ExtractBrainOutputSpec
    distributions = ("numpy", "scipy", "nibabel", "onnxruntime")

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = read_volume(Path(self.inputs.in_file))
        predict = load_network()
        brain = extract_brain(scan.data, scan.voxel_to_ras, predict=predict)
        for trait in ("brain_mask", "intracranial_mask"):
            mask = Volume(getattr(brain, trait), scan.voxel_to_ras)
            write_mask(self._keep(trait, folder / f"{trait}.nii.gz"), mask)
        return {}
