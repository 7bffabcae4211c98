"""Finds white-matter lesions on FLAIR, and fills them so that they are not taken for gray matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces.base import BaseInterfaceInputSpec, File

from graytrace.algorithms.lesion_detection import bring_flair, find_lesions
from graytrace.algorithms.lesions import fill_lesions
from graytrace.algorithms.structures import label_structures
from graytrace.engines.embedded.network import load_network
from graytrace.engines.interface import EngineInterface, MeasuresOutputSpec
from graytrace.images.grids import Volume
from graytrace.images.reading import read_mask, read_scan, read_volume
from graytrace.images.writing import write_mask, write_volume


class _BrainInputSpec(BaseInterfaceInputSpec):
    """A head and its brain."""

    in_file = File(exists=True, mandatory=True, desc="bias-corrected T1-weighted scan, 3D NIfTI")
    brain_mask = File(exists=True, mandatory=True, desc="brain mask on the scan's grid")


class FindLesionsInputSpec(_BrainInputSpec):
    """A head, its brain and its FLAIR scan."""

    flair_file = File(exists=True, mandatory=True, desc="FLAIR scan of the same session, on any grid")


class FindLesionsOutputSpec(MeasuresOutputSpec):
    """Where the lesions are."""

    lesion_mask = File(exists=True, desc="white-matter lesions on the scan's grid; 0 and 1")


class FindLesions(EngineInterface):
    """Find what is brighter on FLAIR than normal tissue, in white matter."""

    input_spec = FindLesionsInputSpec
    output_spec = FindLesionsOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = read_volume(Path(self.inputs.in_file))
        flair = read_scan(Path(self.inputs.flair_file)).volume
        brain = read_mask(Path(self.inputs.brain_mask), like=scan)
        on_grid = bring_flair(flair.data, flair.voxel_to_ras, scan.data, scan.voxel_to_ras)
        structures = label_structures(scan.data, scan.voxel_to_ras, predict=load_network(), brain_mask=brain.data)
        lesions = find_lesions(on_grid, structures, brain.data, scan.voxel_to_ras)
        write_mask(self._keep("lesion_mask", folder / "lesions.nii.gz"), Volume(lesions, scan.voxel_to_ras))
        return {}


class FillLesionsInputSpec(_BrainInputSpec):
    """A head, its brain and its lesions."""

    lesion_mask = File(exists=True, mandatory=True, desc="lesion mask on the scan's grid")


class FillLesionsOutputSpec(MeasuresOutputSpec):
    """The scan without lesions."""

    out_file = File(exists=True, desc="scan in which lesions look like the white matter around them")


class FillLesions(EngineInterface):
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
