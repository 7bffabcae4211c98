"""Reading images with one map in each channel."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np

from graytrace.arrays import Affine, Channels
from graytrace.errors import ImageError


def read_channels(path: Path) -> tuple[Channels, Affine]:
    """Read a 4D NIfTI image.

    Parameters
    ----------
    path : Path

    Returns
    -------
    channels : (X, Y, Z, C) float32 ndarray
        As the file has them, any unit.
    voxel_to_ras : (4, 4) ndarray
        In mm.

    Raises
    ------
    ImageError
        ``unreadable`` or ``truncated``.
    """
    if not path.is_file():
        raise ImageError("unreadable", f"{path} is not there.")
    try:
        image = nib.Nifti1Image.from_filename(path)
        data = np.asarray(image.dataobj, dtype=np.float32)
    except (EOFError, OSError, ValueError, zlib.error, gzip.BadGzipFile) as error:
        raise ImageError("truncated", f"{path.name} is damaged or ends too early: {error}.") from error
    except Exception as error:  # nibabel raises whatever its readers meet
        raise ImageError("unreadable", f"{path.name} is no NIfTI file: {error}.") from error
    if data.ndim != 4:
        raise ImageError("unreadable", f"{path.name} has shape {data.shape}: expected four axes.")
    return data, np.asarray(image.affine, dtype=float)
