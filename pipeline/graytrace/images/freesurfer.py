"""Reading FreeSurfer's own image format."""

from __future__ import annotations

import zlib
from pathlib import Path

import nibabel as nib
import numpy as np

from graytrace.errors import ImageError
from graytrace.images.grids import Volume


def read_mgh(path: Path) -> Volume:
    """Read a 3D image in ``.mgz`` or ``.mgh`` format, float32.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Volume
        As the file has it, any unit.

    Raises
    ------
    ImageError
        ``unreadable``, ``truncated`` or ``not_3d``.
    """
    if not path.is_file():
        raise ImageError("unreadable", f"{path} is not there.")
    try:
        image = nib.freesurfer.MGHImage.from_filename(path)
        data = np.asarray(image.dataobj, dtype=np.float32)
    except (EOFError, zlib.error, OSError) as error:
        raise ImageError("truncated", f"{path.name} is damaged or ends too early: {error}.") from error
    except Exception as error:  # nibabel raises whatever its readers meet
        raise ImageError("unreadable", f"{path.name} is no image of FreeSurfer: {error}.") from error
    if data.ndim != 3:
        raise ImageError("not_3d", f"{path.name} has shape {data.shape}: expected three axes.")
    return Volume(data, np.asarray(image.affine, dtype=float))
