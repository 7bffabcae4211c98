import nibabel as nib
import numpy as np
import pytest

from graytrace.algorithms.grids import voxel_volume_mm3
from graytrace.images.grids import Volume, is_same_grid
from graytrace.images.reading import read_volume
from graytrace.images.writing import write_mask, write_volume


def oblique(affine):
    angle = np.deg2rad(25)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ affine


def test_an_image_comes_back_as_it_was(tmp_path, ball, affine):
    volume = Volume(ball, oblique(affine))
    write_volume(tmp_path / "a.nii.gz", volume)
    back = read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(back.data, ball)
    assert is_same_grid(back, volume)


def test_both_forms_say_the_same(tmp_path, ball, affine):
    write_volume(tmp_path / "a.nii.gz", Volume(ball, oblique(affine)))
    header = nib.load(tmp_path / "a.nii.gz").header
    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-4)
    assert (int(header["qform_code"]), int(header["sform_code"])) == (1, 1)


def test_the_same_image_gives_the_same_bytes(tmp_path, ball, affine):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, Volume(ball, affine))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_a_mask_is_written_as_zero_and_one(tmp_path, ball, affine):
    write_mask(tmp_path / "m.nii.gz", Volume(ball > 100, affine))
    image = nib.load(tmp_path / "m.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert set(np.unique(np.asarray(image.dataobj))) == {0, 1}


def test_a_write_that_breaks_leaves_the_old_file_and_no_other(tmp_path, ball, affine, monkeypatch):
    path = tmp_path / "a.nii.gz"
    write_volume(path, Volume(ball, affine))
    before = path.read_bytes()

    def half(_image, part):
        part.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(nib, "save", half)
    with pytest.raises(OSError, match="disk full"):
        write_volume(path, Volume(ball * 2, affine))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_voxels_volume_is_the_determinant_not_the_product_of_edges():
    sheared = np.eye(4)
    sheared[0, 1] = 0.5
    assert voxel_volume_mm3(sheared) == pytest.approx(1)
    assert voxel_volume_mm3(np.diag([-1.0, 2.0, 3.0, 1.0])) == pytest.approx(6)
