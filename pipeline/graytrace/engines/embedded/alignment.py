"""Registers two visits to midway space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces.base import BaseInterfaceInputSpec, File

from graytrace.algorithms.midway import Visit, align_visits
from graytrace.engines.interface import EngineInterface, MeasuresOutputSpec
from graytrace.images.reading import read_mask, read_volume


class VisitsInputSpec(BaseInterfaceInputSpec):
    """Both visits of a patient."""

    baseline_file = File(exists=True, mandatory=True, desc="bias-corrected T1-weighted scan of the first visit")
    followup_file = File(exists=True, mandatory=True, desc="bias-corrected T1-weighted scan of the second visit")
    baseline_intracranial_mask = File(exists=True, mandatory=True, desc="intracranial mask of the first visit")
    followup_intracranial_mask = File(exists=True, mandatory=True, desc="intracranial mask of the second visit")


def read_visit(inputs: Any, name: str) -> Visit:
    """Read one visit's scan and intracranial mask from an interface's inputs.

    Parameters
    ----------
    inputs : traits
        Of an interface with `VisitsInputSpec`.
    name : str
        ``baseline`` or ``followup``.

    Returns
    -------
    Visit

    Raises
    ------
    ImageError
        As `read_volume` and `read_mask`.
    """
    scan = read_volume(Path(getattr(inputs, f"{name}_file")))
    intracranial = read_mask(Path(getattr(inputs, f"{name}_intracranial_mask")), like=scan)
    return Visit(scan.data, scan.voxel_to_ras, intracranial.data)


class AlignVisits(EngineInterface):
    """Find the similarity transform between two visits and its two halves; only numbers come out."""

    input_spec = VisitsInputSpec
    output_spec = MeasuresOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        alignment = align_visits(read_visit(self.inputs, "baseline"), read_visit(self.inputs, "followup"))
        return {
            "baseline_to_midway": alignment.baseline_to_midway.tolist(),
            "followup_to_midway": alignment.followup_to_midway.tolist(),
            "scale_percent": 100 * (alignment.scale - 1),
            "alignment_similarity": float(alignment.correlation),
            "shell_similarity": float(alignment.shell_correlation),
            "scale_se_percent": 100 * alignment.scale_se,
            "axis_scales_percent": [100 * (scale - 1) for scale in alignment.axis_scales],
            "stretch_percent": 100 * (max(alignment.axis_scales) - min(alignment.axis_scales)),
            "has_skull": alignment.has_skull,
        }
