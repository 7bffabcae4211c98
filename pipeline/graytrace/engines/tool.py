"""What the interfaces around command-line tools have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces.base import BaseInterfaceInputSpec, isdefined, traits

from graytrace.algorithms.headspace import surround_brain
from graytrace.engines.command import run_command
from graytrace.engines.interface import EngineInterface
from graytrace.errors import ToolError
from graytrace.images.grids import Volume
from graytrace.images.writing import write_mask, write_volume


class ToolInputSpec(BaseInterfaceInputSpec):
    """What every interface around a command-line tool takes."""

    num_threads = traits.Int(1, usedefault=True, desc="cores that the tool may use")
    time_limit_hours = traits.Float(desc="hours after which the tool is ended")


class ToolInterface(EngineInterface):
    """Maps a stage to a command-line tool; a subclass says how in `_calculate`."""

    def _call(self, command: Any, folder: Path) -> dict[str, Any]:
        """Outputs of a tool's own interface, run in `folder`; see `run_command` for what can go wrong."""
        limit = self.inputs.time_limit_hours
        return run_command(
            command,
            cwd=folder,
            threads=self.inputs.num_threads,
            time_limit_hours=limit if isdefined(limit) else None,
        )

    def _keep_masks(self, folder: Path, brain: Volume, intracranial: Volume | None) -> dict[str, Any]:
        """Write the masks of a stage; without an intracranial one the brain's surroundings stand in for it."""
        around = intracranial or Volume(surround_brain(brain.data > 0, brain.voxel_to_ras), brain.voxel_to_ras)
        for trait, mask in (("brain_mask", brain), ("intracranial_mask", around)):
            write_mask(self._keep(trait, folder / f"stage_{trait}.nii.gz"), Volume(mask.data > 0, mask.voxel_to_ras))
        return {"has_intracranial_volume": intracranial is not None}

    def _keep_fractions(self, folder: Path, fractions: dict[str, Volume]) -> None:
        """Write the tissue maps of a stage."""
        for trait, volume in fractions.items():
            write_volume(self._keep(trait, folder / f"stage_{trait}.nii.gz"), volume)


def image_ending(image: Path) -> str:
    """Ending of an image's name, by which tools choose the format: ``.nii.gz`` is one."""
    return ".nii.gz" if image.name.endswith(".nii.gz") else image.suffix


def one_file(outputs: dict[str, Any], trait: str, tool: str) -> Path:
    """A file among a tool's outputs.

    Raises
    ------
    ToolError
        The tool's interface names none.
    """
    value = outputs.get(trait)
    if not isinstance(value, str):
        raise ToolError(f"{tool} ended well but wrote no {trait}.", code="output_missing")
    return Path(value)
