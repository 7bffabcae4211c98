"""Fills white-matter lesions so that they are not taken for gray matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces.base import BaseInterfaceInputSpec, File

from pipeline.algorithms.lesions import fill_lesions
from pipeline.engines.embedded.interface import EmbeddedInterface, MeasuresOutputSpec
from pipeline.images.grids import Volume
from pipeline.images.reading import read_mask, read_volume
from pipeline.images.writing import write_volume


class FillLesionsInputSpec(BaseInterfaceInputSpec):
    """A head, its brain and its lesions."""

    in_file = File(exists=True, mandatory=True, desc="bias-corrected T1-weighted scan, 3D NIfTI")
    lesion_mask = File(exists=True, mandatory=True, desc="lesion mask on the scan's grid")
    brain_mask = File(exists=True, mandatory=True, desc="brain mask on the scan's grid")


class FillLesionsOutputSpec(MeasuresOutputSpec):
    """The scan without lesions."""

    out_file = File(exists=True, desc="scan in which lesions look like the white matter around them")


class FillLesions(EmbeddedInterface):
    """Replace lesions by what normal white matter around them looks like."""

    input_spec = FillLesionsInputSpec
    output_spec = FillLesionsOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = read_volume(Path(self.inputs.in_file))
        lesions = read_mask(Path(self.inputs.lesion_mask), like=scan)
        brain = read_mask(Path(self.inputs.brain_mask), like=scan)
        filled = fill_lesions(scan.data, lesions.data, brain.data, scan.voxel_to_ras)
        write_volume(self._keep("out_file", folder / "filled.nii.gz"), Volume(filled, scan.voxel_to_ras))
        return {}
