"""Corrects intensity non-uniformity of a scan (N4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces.base import BaseInterfaceInputSpec, File

from graytrace.algorithms.bias import correct_bias
from graytrace.engines.interface import EngineInterface, MeasuresOutputSpec
from graytrace.images.grids import Volume
from graytrace.images.reading import read_mask, read_volume
from graytrace.images.writing import write_volume


class CorrectBiasInputSpec(BaseInterfaceInputSpec):
    """A head and where its brain is."""

    in_file = File(exists=True, mandatory=True, desc="T1-weighted scan of a head, 3D NIfTI")
    brain_mask = File(exists=True, mandatory=True, desc="brain mask on the scan's grid")


class CorrectBiasOutputSpec(MeasuresOutputSpec):
    """The corrected scan."""

    out_file = File(exists=True, desc="scan divided by its bias field")


class CorrectBias(EngineInterface):
    """Estimate the bias field within the brain (N4) and divide by it."""

    input_spec = CorrectBiasInputSpec
    output_spec = CorrectBiasOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = read_volume(Path(self.inputs.in_file))
        mask = read_mask(Path(self.inputs.brain_mask), like=scan)
        corrected = correct_bias(scan.data, scan.voxel_to_ras, mask.data)
        out_file = self._keep("out_file", folder / "corrected.nii.gz")
        write_volume(out_file, Volume(corrected.image, scan.voxel_to_ras))
        inside = corrected.field[mask.data]
        return {"bias_range_percent": float(100 * (inside.max() / inside.min() - 1))}
