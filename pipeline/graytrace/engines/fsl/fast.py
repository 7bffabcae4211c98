"""FAST separates the tissues (Zhang et al. 2001, https://doi.org/10.1109/42.906424)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces import fsl

from graytrace.engines.outputs import check_image
from graytrace.engines.stages import SegmentationOutputSpec, ToolSegmentationInputSpec
from graytrace.engines.tool import ToolInterface
from graytrace.errors import ToolError
from graytrace.images.grids import Volume
from graytrace.images.reading import read_mask, read_volume
from graytrace.images.writing import write_volume

# FAST numbers its classes by intensity: in a T1-weighted scan the darkest first
_CLASSES = ("csf_fraction", "gm_fraction", "wm_fraction")


class FastTissue(ToolInterface):
    """Partial volumes of FAST within the brain mask."""

    input_spec = ToolSegmentationInputSpec
    output_spec = SegmentationOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = Path(self.inputs.in_file)
        brain = write_brain(scan, Path(self.inputs.brain_mask), folder / "brain.nii.gz")
        fast = fsl.FAST(in_files=[str(brain)], out_basename="fast", number_classes=3, img_type=1)
        outputs = self._call(fast, folder)
        files = partial_volumes([Path(path) for path in outputs.get("partial_volume_files") or []])
        fractions = {
            trait: check_image(path, "fraction", tool="FAST", output=path.name, grid=scan)
            for trait, path in files.items()
        }
        self._keep_fractions(folder, fractions)
        return {}


def write_brain(scan: Path, brain_mask: Path, path: Path) -> Path:
    """Write a scan with zeros outside the brain."""
    volume = read_volume(scan)
    mask = read_mask(brain_mask, like=volume)
    write_volume(path, Volume(np.where(mask.data, volume.data, 0).astype(np.float32), volume.voxel_to_ras))
    return path


def partial_volumes(paths: Sequence[Path]) -> dict[str, Path]:
    """Which of FAST's partial-volume files is which tissue, by their names ``*_pve_0`` to ``*_pve_2``.

    Raises
    ------
    ToolError
        ``output_missing``: there are not exactly three.
    """
    numbered = {}
    for path in paths:
        found = re.search(r"_pve_(\d+)\.nii(?:\.gz)?$", path.name)
        if found:
            numbered[int(found.group(1))] = path
    if set(numbered) != set(range(len(_CLASSES))):
        names = ", ".join(path.name for path in paths) or "none"
        raise ToolError(f"FAST should write *_pve_0 to *_pve_2; it wrote: {names}.", code="output_missing")
    return {_CLASSES[number]: path for number, path in sorted(numbered.items())}
