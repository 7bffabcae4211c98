"""Small images: a bright ball in air, big enough to pass for a head."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

SHAPE = (20, 22, 24)
VOXEL_MM = (5.0, 5.0, 5.0)


@pytest.fixture
def ball():
    grid = np.indices(SHAPE) - (np.array(SHAPE)[:, None, None, None] - 1) / 2
    return np.where((grid**2).sum(0) < 81, 700, 20).astype(np.float32)


@pytest.fixture
def affine():
    matrix = np.diag([*VOXEL_MM, 1.0])
    matrix[:3, 3] = (-50, -55, -60)
    return matrix


@pytest.fixture
def save(tmp_path, affine):
    """Write an image with the forms and voxel sizes that a test wants."""

    def write(data, name="scan.nii.gz", *, sform=affine, qform=affine, sform_code=1, qform_code=1, pixdim=None):
        image = nib.Nifti1Image(data, affine)
        image.header.set_sform(sform, sform_code)
        image.header.set_qform(qform, qform_code)
        image.header["sform_code"], image.header["qform_code"] = sform_code, qform_code
        if pixdim is not None:
            image.header["pixdim"][1:4] = pixdim
        path = tmp_path / name
        with_header = nib.Nifti1Image(data, None, image.header)
        with_header.to_filename(path)
        return path

    return write
