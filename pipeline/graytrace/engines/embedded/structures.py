"""Labels the structures of a scan by the atlas."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import BaseInterfaceInputSpec, File, isdefined

from graytrace.algorithms.structure_atlas import STRUCTURES, Atlas
from graytrace.algorithms.structure_labels import label_structures, split_tissues
from graytrace.engines.interface import EngineInterface, MeasuresOutputSpec
from graytrace.errors import ToolError
from graytrace.images.grids import Volume
from graytrace.images.reading import read_volume
from graytrace.images.writing import write_volume

ATLAS = Path(__file__).resolve().parent / "weights" / "atlas.npz"
_TISSUES = ("gm", "wm", "csf", "subcortical_gm")


def load_atlas(path: Path = ATLAS) -> Atlas:
    """Load the atlas of structures.

    Parameters
    ----------
    path : Path
        npz file with an array ``half``: probabilities of the left and the single structures, 255 is one.

    Returns
    -------
    Atlas

    Raises
    ------
    ToolError
        The file is not there or holds another atlas.
    """
    try:
        # by way of its bytes: numpy leaves a damaged file open
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as content:
            half = content["half"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ToolError(f"The atlas of structures {path} cannot be read ({error}): install Graytrace again.") from error
    if half.ndim != 4 or half.shape[0] != len(STRUCTURES):
        raise ToolError(
            f"The atlas of structures {path} holds {half.shape}, expected {len(STRUCTURES)} planes: "
            "install Graytrace again."
        )
    return Atlas.mirrored(half)


class LabelStructuresInputSpec(BaseInterfaceInputSpec):
    """Tissues of a scan."""

    gm_fraction = File(exists=True, mandatory=True, desc="part of each voxel that is gray matter, 0 to 1")
    wm_fraction = File(exists=True, mandatory=True, desc="part of each voxel that is white matter, 0 to 1")
    csf_fraction = File(exists=True, mandatory=True, desc="part of each voxel that is CSF, 0 to 1")
    subcortical_gm_fraction = File(exists=True, desc="part of each voxel that is gray matter of deep nuclei, 0 to 1")


class LabelStructuresOutputSpec(MeasuresOutputSpec):
    """Structures on the scan's own grid."""

    labels = File(exists=True, desc="number of the structure of each voxel, 0 for none")


class LabelStructures(EngineInterface):
    """Register the atlas on the tissues and divide them among the structures."""

    input_spec = LabelStructuresInputSpec
    output_spec = LabelStructuresOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        volumes = {tissue: self._read(tissue) for tissue in _TISSUES}
        gm, wm, csf, deep = (None if volume is None else volume.data for volume in volumes.values())
        if gm is None or wm is None or csf is None or volumes["gm"] is None:
            raise ToolError("LabelStructures needs gray matter, white matter and CSF.")
        to_ras = volumes["gm"].voxel_to_ras
        found = label_structures(split_tissues(gm, wm, csf, deep), to_ras, load_atlas())
        path = self._keep("labels", folder / "labels.nii.gz")
        write_volume(path, Volume(found.labels, to_ras), np.uint8)
        return {"structure_volumes_ml": dict(found.volumes_ml)}

    def _read(self, tissue: str) -> Volume | None:
        path = getattr(self.inputs, f"{tissue}_fraction")
        return read_volume(Path(path)) if isdefined(path) else None
