"""antsBrainExtraction.sh finds the brain on a template (Avants et al. 2011, 10.1007/s12021-011-9109-y)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces import ants
from nipype.interfaces.base import File, isdefined

from pipeline.engines.outputs import check_image
from pipeline.engines.stages import SkullStripOutputSpec, ToolInterface, ToolSkullStripInputSpec, one_file


class AntsBrainInputSpec(ToolSkullStripInputSpec):
    """A head and a template."""

    template = File(exists=True, mandatory=True, desc="T1-weighted template of a whole head")
    template_brain_probability = File(exists=True, mandatory=True, desc="brain probability on the template's grid")
    template_registration_mask = File(exists=True, desc="where the template is matched with the scan")


class AntsBrain(ToolInterface):
    """Registration to a template, then Atropos; the template decides what belongs to the brain."""

    input_spec = AntsBrainInputSpec
    output_spec = SkullStripOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = Path(self.inputs.in_file)
        extraction = ants.BrainExtraction(
            dimension=3,
            anatomical_image=str(scan),
            brain_template=self.inputs.template,
            brain_probability_mask=self.inputs.template_brain_probability,
            out_prefix="ants_",
            use_random_seeding=0,  # the same scan gives the same mask
        )
        if isdefined(self.inputs.template_registration_mask):
            extraction.inputs.extraction_registration_mask = self.inputs.template_registration_mask
        path = one_file(self._call(extraction, folder), "BrainExtractionMask", "antsBrainExtraction.sh")
        mask = check_image(path, "mask", tool="antsBrainExtraction.sh", output="brain mask", grid=scan)
        return self._keep_masks(folder, mask, None)
