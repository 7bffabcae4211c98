"""Writing NIfTI files whole or not at all, the same bytes for the same image."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from graytrace.files import whole_file
from graytrace.images.grids import Volume

_SCANNER = 1


def write_volume(path: Path, volume: Volume, dtype: type[np.generic] = np.float32) -> None:
    """Write an image; sform and qform say the same.

    Parameters
    ----------
    path : Path
        Ends with ``.nii.gz`` or ``.nii``.
    volume : Volume
        Any unit; `voxel_to_ras` in mm.
    dtype : type
        Of the voxels in the file; there is no scaling.
    """
    image = nib.Nifti1Image(np.ascontiguousarray(volume.data, dtype=dtype), volume.voxel_to_ras)
    image.header.set_xyzt_units("mm")
    image.set_sform(volume.voxel_to_ras, _SCANNER)
    image.set_qform(volume.voxel_to_ras, _SCANNER, strip_shears=True)
    with whole_file(path) as part:
        nib.save(image, part)


def write_mask(path: Path, volume: Volume) -> None:
    """Write a mask as 0 and 1.

    Parameters
    ----------
    path : Path
        Ends with ``.nii.gz`` or ``.nii``.
    volume : Volume
        bool.
    """
    write_volume(path, volume, np.uint8)
