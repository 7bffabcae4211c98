"""BET extracts the brain (Smith 2002, https://doi.org/10.1002/hbm.10062)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces import fsl
from nipype.interfaces.base import CommandLine, traits

from graytrace.engines.fsl.scripts import check_script, copy_scan
from graytrace.engines.outputs import check_image
from graytrace.engines.stages import SkullStripOutputSpec, ToolSkullStripInputSpec
from graytrace.engines.tool import ToolInterface, one_file


class BET(fsl.BET):
    """nipype's BET, judged by its exit code and its shell: the original takes any text on stderr for a failure."""

    def _run_interface(self, runtime: Any, correct_return_codes: tuple[int, ...] = (0,)) -> Any:
        ended = CommandLine._run_interface(self, runtime, correct_return_codes)  # noqa: SLF001 - skips fsl.BET's own
        check_script(ended, "BET")
        return ended


class BetBrainInputSpec(ToolSkullStripInputSpec):
    """A head and where to cut."""

    bet_fraction = traits.Range(
        low=0.0, high=1.0, value=0.5, usedefault=True, desc="fractional intensity threshold; smaller: larger brain"
    )


class BetBrain(ToolInterface):
    """BET with robust estimation of the brain's center; it finds no inner skull."""

    input_spec = BetBrainInputSpec
    output_spec = SkullStripOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = Path(self.inputs.in_file)
        bet = BET(
            in_file=str(copy_scan(scan, folder, "scan")),
            out_file=str(folder.resolve() / "bet.nii.gz"),
            frac=self.inputs.bet_fraction,
            robust=True,
            mask=True,
        )
        path = one_file(self._call(bet, folder), "mask_file", "BET")
        return self._keep_masks(folder, check_image(path, "mask", tool="BET", output="brain mask", grid=scan), None)
