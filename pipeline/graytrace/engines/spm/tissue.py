"""SPM's unified segmentation under GNU Octave (Ashburner and Friston 2005, https://doi.org/10.1016/j.neuroimage.2005.02.018)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nipype.interfaces import spm
from nipype.interfaces.base import traits
from nipype.interfaces.matlab import MatlabCommand, MatlabInputSpec

from graytrace.engines.environment import tool_environment
from graytrace.engines.outputs import check_image
from graytrace.engines.stages import SegmentationOutputSpec, ToolSegmentationInputSpec
from graytrace.engines.tool import ToolInterface
from graytrace.errors import ToolError
from graytrace.images.reading import read_volume
from graytrace.images.writing import write_volume

# what SPM12's own batch sets: Gaussians of each class of its map of tissue probability, and which classes we want
_GAUSSIANS = (1, 1, 2, 3, 4, 2)
_CLASSES = ("gm_fraction", "wm_fraction", "csf_fraction")
_BIAS = (0.001, 60.0, (False, False))
_WARPING = [0.0, 0.001, 0.5, 0.05, 0.2]
_SAMPLING_MM = 3.0


class OctaveInputSpec(MatlabInputSpec):
    """Inputs of Octave: nipype's for MATLAB with Octave's options."""

    script = traits.Str(argstr='--eval "%s;exit"', mandatory=True, position=-1, desc="code to run")
    nodesktop = traits.Bool(True, argstr="--no-gui", usedefault=True, desc="no window")
    nosplash = traits.Bool(True, argstr="--quiet", usedefault=True, desc="no greeting")
    single_comp_thread = traits.Bool(desc="no option of Octave; the environment tells it how many cores to use")
    norc = traits.Bool(True, argstr="--norc", usedefault=True, desc="no settings of the user's own")


class OctaveCommand(MatlabCommand):
    """nipype's MatlabCommand with GNU Octave instead of MATLAB, which needs a license."""

    _cmd = "octave-cli"
    input_spec = OctaveInputSpec


class OctaveSegment(spm.NewSegment):
    """nipype's NewSegment of SPM12, run by Octave; the original asks a MATLAB for SPM's version when it is made."""

    _jobtype = "spatial"
    _jobname = "preproc"

    def __init__(self, **inputs: Any) -> None:
        spm.base.SPMCommand.__init__(self, **inputs)

    def _matlab_cmd_update(self) -> None:
        self.mlab = OctaveCommand(resource_monitor=False)
        self.mlab.inputs.script_file = "octave_segment.m"
        folder = str(spm_folder()).replace("'", "''")
        self.mlab.inputs.prescript = [f"try, addpath('{folder}');"]


class SpmTissue(ToolInterface):
    """Posteriors of SPM12's unified segmentation of the whole head."""

    input_spec = ToolSegmentationInputSpec
    output_spec = SegmentationOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = Path(self.inputs.in_file)
        plain = folder / "scan.nii"  # SPM reads no compressed images
        write_volume(plain, read_volume(scan))
        tissue_map = str(spm_folder() / "tpm" / "TPM.nii")
        segment = OctaveSegment(
            channel_files=[str(plain)],
            channel_info=_BIAS,
            tissues=[
                ((tissue_map, number), gaussians, (number <= len(_CLASSES), False), (False, False))
                for number, gaussians in enumerate(_GAUSSIANS, start=1)
            ],
            affine_regularization="mni",
            warping_regularization=_WARPING,
            sampling_distance=_SAMPLING_MM,
            write_deformation_fields=[False, False],
        )
        segment.mlab.inputs.environ = tool_environment(self.inputs.num_threads)
        outputs = self._call(segment, folder)
        written = [paths[0] for paths in outputs["native_class_images"] if paths]
        self._keep_fractions(
            folder,
            {
                trait: check_image(Path(path), "fraction", tool="SPM", output=Path(path).name, grid=scan)
                for trait, path in zip(_CLASSES, written, strict=True)
            },
        )
        return {}


def spm_folder() -> Path:
    """SPM's folder, from ``$SPM_HOME``.

    Raises
    ------
    ToolError
        ``tool_absent``: the variable is not set.
    """
    folder = os.environ.get("SPM_HOME")
    if not folder:
        raise ToolError("SPM is not installed: SPM_HOME does not name its folder.", code="tool_absent")
    return Path(folder)
