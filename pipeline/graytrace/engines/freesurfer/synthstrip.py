"""SynthStrip extracts the brain (Hoopes et al. 2022, https://doi.org/10.1016/j.neuroimage.2022.119474)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nipype.interfaces.base import File, TraitedSpec, traits
from nipype.interfaces.freesurfer.base import FSCommand, FSTraitedSpec

from graytrace.engines.outputs import check_image
from graytrace.engines.stages import SkullStripOutputSpec, ToolSkullStripInputSpec
from graytrace.engines.tool import ToolInterface, one_file
from graytrace.images.grids import Volume


def set_subjects_dir(folder: Path) -> None:
    """Give FreeSurfer's interfaces a subjects folder: nipype's raise where the variable is not set."""
    os.environ.setdefault("SUBJECTS_DIR", str(folder))


class SynthStripInputSpec(FSTraitedSpec):
    """Inputs of mri_synthstrip."""

    in_file = File(exists=True, mandatory=True, argstr="-i %s", desc="image to strip")
    out_file = File(argstr="-o %s", hash_files=False, desc="stripped image to write")
    mask_file = File(
        "synthstrip_mask.nii.gz", usedefault=True, argstr="-m %s", hash_files=False, desc="brain mask to write"
    )
    use_gpu = traits.Bool(argstr="-g", desc="use the graphics processor")
    border = traits.Float(argstr="-b %g", desc="distance in mm from the brain at which the mask ends (default 1)")
    no_csf = traits.Bool(argstr="--no-csf", desc="leave the CSF around the brain out of the mask")
    model = File(exists=True, argstr="--model %s", desc="other model weights")


class SynthStripOutputSpec(TraitedSpec):
    """Outputs of mri_synthstrip."""

    out_file = File(desc="stripped image, where asked for")
    mask_file = File(exists=True, desc="brain mask, 0 and 1, on the image's grid")


class SynthStrip(FSCommand):
    """Skull-stripping of images of any contrast.

    Examples
    --------
    >>> SynthStrip(no_csf=True).inputs.no_csf
    True
    """

    _cmd = "mri_synthstrip"
    input_spec = SynthStripInputSpec
    output_spec = SynthStripOutputSpec

    def _list_outputs(self) -> dict[str, Any]:
        outputs = self.output_spec().get()
        for name in ("out_file", "mask_file"):
            value = getattr(self.inputs, name)
            if value:
                outputs[name] = str(Path(value).absolute())
        return outputs


class SynthStripBrain(ToolInterface):
    """SynthStrip twice: with the CSF around the brain, which is the space within the skull, and without it."""

    input_spec = ToolSkullStripInputSpec
    output_spec = SkullStripOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        set_subjects_dir(folder)
        intracranial = self._strip(folder, "intracranial", no_csf=False)
        brain = self._strip(folder, "brain", no_csf=True)
        # the two networks do not know of each other
        around = Volume((intracranial.data > 0) | (brain.data > 0), brain.voxel_to_ras)
        return self._keep_masks(folder, brain, around)

    def _strip(self, folder: Path, name: str, *, no_csf: bool) -> Volume:
        strip = SynthStrip(in_file=self.inputs.in_file, mask_file=str(folder / f"synthstrip_{name}.nii.gz"))
        if no_csf:
            strip.inputs.no_csf = True
        path = one_file(self._call(strip, folder), "mask_file", "SynthStrip")
        return check_image(path, "mask", tool="SynthStrip", output=f"{name} mask", grid=Path(self.inputs.in_file))
