"""What each stage's interfaces take and give back, whatever tool is behind them."""

from __future__ import annotations

from nipype.interfaces.base import BaseInterfaceInputSpec, File

from graytrace.engines.interface import MeasuresOutputSpec
from graytrace.engines.tool import ToolInputSpec

TISSUES = ("gm_fraction", "wm_fraction", "csf_fraction")


class SkullStripInputSpec(BaseInterfaceInputSpec):
    """A head."""

    in_file = File(exists=True, mandatory=True, desc="T1-weighted scan of a head, 3D NIfTI")


class ToolSkullStripInputSpec(SkullStripInputSpec, ToolInputSpec):
    """A head, for a command-line tool."""


class SkullStripOutputSpec(MeasuresOutputSpec):
    """Two masks on the scan's own grid."""

    brain_mask = File(exists=True, desc="the brain as the engine finds it; 0 and 1")
    intracranial_mask = File(exists=True, desc="brain and the CSF around it; 0 and 1")


class SegmentationInputSpec(BaseInterfaceInputSpec):
    """A head, its brain and its skull's inside."""

    in_file = File(exists=True, mandatory=True, desc="bias-corrected (and lesion-filled) T1-weighted scan")
    brain_mask = File(exists=True, mandatory=True, desc="brain mask on the scan's grid")
    intracranial_mask = File(exists=True, mandatory=True, desc="intracranial mask on the scan's grid")


class ToolSegmentationInputSpec(SegmentationInputSpec, ToolInputSpec):
    """A head, its brain and its skull's inside, for a command-line tool."""


class SegmentationOutputSpec(MeasuresOutputSpec):
    """Tissues on the scan's own grid."""

    gm_fraction = File(exists=True, desc="part of each voxel that is gray matter, 0 to 1")
    wm_fraction = File(exists=True, desc="part of each voxel that is white matter, 0 to 1")
    csf_fraction = File(exists=True, desc="part of each voxel that is CSF, 0 to 1")
    subcortical_gm_fraction = File(exists=True, desc="part of each voxel that is gray matter of deep nuclei, 0 to 1")


class ToolChangeInputSpec(ToolInputSpec):
    """Both visits of a patient, as scanned, but corrected for intensity non-uniformity."""

    baseline_file = File(exists=True, mandatory=True, desc="bias-corrected T1-weighted scan of the first visit")
    followup_file = File(exists=True, mandatory=True, desc="bias-corrected T1-weighted scan of the second visit")
