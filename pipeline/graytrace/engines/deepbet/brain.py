"""deepbet extracts the brain (Fisch et al. 2024, https://doi.org/10.1016/j.compbiomed.2024.108845)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces.base import CommandLine, CommandLineInputSpec, File, TraitedSpec, traits

from graytrace.engines.outputs import check_image
from graytrace.engines.stages import SkullStripOutputSpec, ToolSkullStripInputSpec
from graytrace.engines.tool import ToolInterface, one_file


class DeepbetInputSpec(CommandLineInputSpec):
    """Inputs of deepbet-cli."""

    in_file = File(exists=True, mandatory=True, argstr="-i %s", desc="T1-weighted scan of a head")
    out_file = File("deepbet_brain.nii.gz", usedefault=True, argstr="-o %s", hash_files=False, desc="brain to write")
    mask_file = File("deepbet_mask.nii.gz", usedefault=True, argstr="-m %s", hash_files=False, desc="mask to write")
    threshold = traits.Range(
        low=0.0, high=1.0, value=0.5, usedefault=True, argstr="-t %g", desc="probability above which it is brain"
    )
    n_dilate = traits.Int(argstr="-d %d", desc="layers of voxels to add (or, negative, to take away)")
    no_gpu = traits.Bool(True, usedefault=True, argstr="-g", desc="use the processor only")
    skip_broken = traits.Bool(
        False,
        usedefault=True,
        argstr="-s",
        desc="pass over a damaged file without an error, as the tool does by itself",
    )


class DeepbetOutputSpec(TraitedSpec):
    """Outputs of deepbet-cli."""

    out_file = File(exists=True, desc="scan with zeros outside the brain")
    mask_file = File(exists=True, desc="brain mask, 0 and 1")


class Deepbet(CommandLine):
    """Brain extraction by a neural network; its weights come with the Python package."""

    _cmd = "deepbet-cli"
    input_spec = DeepbetInputSpec
    output_spec = DeepbetOutputSpec

    def _format_arg(self, name: str, trait_spec: Any, value: Any) -> Any:
        if name == "skip_broken" and not value:
            return "--no-skip_broken"
        return super()._format_arg(name, trait_spec, value)

    def _list_outputs(self) -> dict[str, Any]:
        outputs = self.output_spec().get()
        for name in ("out_file", "mask_file"):
            outputs[name] = str(Path(getattr(self.inputs, name)).absolute())
        return outputs


class DeepbetBrainInputSpec(ToolSkullStripInputSpec):
    """A head and where to cut."""

    threshold = traits.Range(low=0.0, high=1.0, value=0.5, usedefault=True, desc="probability above which it is brain")


class DeepbetBrain(ToolInterface):
    """deepbet's mask for both: it takes the CSF around the brain in."""

    input_spec = DeepbetBrainInputSpec
    output_spec = SkullStripOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = Path(self.inputs.in_file)
        outputs = self._call(Deepbet(in_file=str(scan), threshold=self.inputs.threshold), folder)
        path = one_file(outputs, "mask_file", "deepbet")
        mask = check_image(path, "mask", tool="deepbet", output="brain mask", grid=scan)
        return self._keep_masks(folder, mask, mask)
