"""antsBrainExtraction.sh extracts the brain on a template (Avants et al. 2011, 10.1007/s12021-011-9109-y)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nipype.interfaces import ants
from nipype.interfaces.base import File, isdefined

from graytrace.engines.outputs import check_image
from graytrace.engines.stages import SkullStripOutputSpec, ToolSkullStripInputSpec
from graytrace.engines.tool import ToolInterface, image_ending, one_file
from graytrace.errors import ToolError

_SCRIPT = "antsBrainExtraction.sh"
# on stdout, with exit code 0; the script writes it without an apostrophe
_ABSENT = re.compile(r"we can'?t find the (\S+) program")


class AntsBrainInputSpec(ToolSkullStripInputSpec):
    """A head and a template."""

    template = File(exists=True, mandatory=True, desc="T1-weighted template of a whole head")
    template_brain_probability = File(exists=True, mandatory=True, desc="brain probability on the template's grid")
    template_registration_mask = File(exists=True, desc="where the template is matched with the scan")


class BrainExtraction(ants.BrainExtraction):
    """nipype's, which looks for other words than those that the script says where it misses a program."""

    def _run_interface(self, runtime: Any, correct_return_codes: tuple[int, ...] = (0,)) -> Any:
        ended = super()._run_interface(runtime, correct_return_codes)
        if absent := _ABSENT.search(getattr(ended, "stdout", None) or ""):
            program = absent.group(1)
            raise ToolError(f"{_SCRIPT} did not find {program}, which it calls. Install {program}, or repair ANTs.")
        return ended


class AntsBrain(ToolInterface):
    """Registration to a template, then Atropos; the template decides what belongs to the brain."""

    input_spec = AntsBrainInputSpec
    output_spec = SkullStripOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = Path(self.inputs.in_file)
        extraction = BrainExtraction(
            dimension=3,
            anatomical_image=link_plainly(scan, folder / "scan"),
            brain_template=link_plainly(Path(self.inputs.template), folder / "template"),
            brain_probability_mask=link_plainly(Path(self.inputs.template_brain_probability), folder / "probability"),
            out_prefix="ants_",
            use_random_seeding=0,  # with one thread the same scan gives the same mask
        )
        if isdefined(self.inputs.template_registration_mask):
            mask = Path(self.inputs.template_registration_mask)
            extraction.inputs.extraction_registration_mask = link_plainly(mask, folder / "registration_mask")
        path = one_file(self._call(extraction, folder), "BrainExtractionMask", _SCRIPT)
        return self._keep_masks(folder, check_image(path, "mask", tool=_SCRIPT, output="brain mask", grid=scan), None)


def link_plainly(image: Path, link: Path) -> str:
    """Link to an image under a name with its own ending: the script takes a blank in a path for its end."""
    named = link.with_name(link.name + image_ending(image))
    named.symlink_to(image)
    return str(named)
