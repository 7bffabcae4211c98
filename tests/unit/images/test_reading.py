import gzip
import struct

import nibabel as nib
import numpy as np
import pytest

from graytrace.errors import ImageError
from graytrace.images import reading
from graytrace.images.reading import read_mask, read_scan, read_volume


def refused(path):
    with pytest.raises(ImageError) as caught:
        read_scan(path)
    return caught.value


def flags(scan):
    return [flag.code for flag in scan.flags]


def test_a_sound_scan_is_read_as_it_is(save, ball, affine):
    scan = read_scan(save(ball))
    np.testing.assert_array_equal(scan.volume.data, ball)
    np.testing.assert_allclose(scan.volume.voxel_to_ras, affine)
    assert scan.volume.data.dtype == np.float32
    assert not scan.is_repaired
    assert scan.measures()["orientation"] == "RAS"
    assert scan.measures()["voxel_volume_mm3"] == pytest.approx(125)


def test_scaled_integers_are_read_in_their_own_unit(save, ball, tmp_path):
    path = save(ball.astype(np.int16))
    image = nib.load(path)
    image.header.set_slope_inter(0.5, 3)
    nib.save(nib.Nifti1Image(ball, image.affine, image.header), tmp_path / "scaled.nii.gz")
    np.testing.assert_allclose(read_scan(tmp_path / "scaled.nii.gz").volume.data, ball, atol=0.5)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused(save, ball, name, kept):
    noisy = ball + np.random.default_rng(1).normal(0, 5, ball.shape).astype(np.float32)
    path = save(noisy, name)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    error = refused(path)
    assert error.code == "truncated"
    assert name in str(error)


@pytest.mark.parametrize("content", [b"", b"no image", gzip.compress(b"no image", mtime=0), b"\x1f\x8b"])
def test_what_is_no_image_is_refused(tmp_path, content):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(content)
    assert refused(path).code in {"unreadable", "truncated"}


def test_a_file_that_is_gone_is_refused(tmp_path):
    assert refused(tmp_path / "scan.nii.gz").code == "unreadable"


def test_a_fourth_axis_of_length_one_is_dropped(save, ball):
    scan = read_scan(save(ball[..., None]))
    assert scan.volume.data.shape == ball.shape
    assert scan.is_repaired, "other programs would see four axes"


@pytest.mark.parametrize("repeat", [2, 5])
def test_a_real_fourth_axis_is_refused(save, ball, repeat):
    error = refused(save(np.repeat(ball[..., None], repeat, axis=3)))
    assert error.code == "not_3d"
    assert str((20, 22, 24, repeat)) in str(error)


def test_a_single_slice_is_refused(save, ball):
    assert refused(save(ball[:, :, 0])).code in {"not_3d", "too_small"}


@pytest.mark.parametrize("value", [0, 17])
def test_an_image_without_contrast_is_refused(save, ball, value):
    assert refused(save(np.full_like(ball, value))).code == "empty"


def test_an_image_that_is_nearly_all_zero_is_refused(save, ball):
    speck = np.zeros_like(ball)
    speck[10, 10, 10] = 5
    assert refused(save(speck)).code == "empty"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_few_voxels_that_are_not_finite_take_their_neighbors_mean(save, ball, value):
    ball[10, 11, 12] = value
    scan = read_scan(save(ball))
    assert scan.volume.data[10, 11, 12] == pytest.approx(700)
    assert flags(scan)[0] == "not_finite_repaired"
    assert scan.is_repaired


def test_many_voxels_that_are_not_finite_are_refused(save, ball):
    ball[:5] = np.nan
    assert refused(save(ball)).code == "not_finite"


def test_a_few_negative_voxels_are_clipped_with_a_sentence(save, ball):
    ball[0, 0, :3] = -4
    scan = read_scan(save(ball))
    assert scan.volume.data.min() == 0
    assert flags(scan)[0] == "negative_clipped"
    assert "3 voxels" in scan.flags[0].message


def test_standardized_intensities_are_refused(save, ball):
    assert refused(save((ball - ball.mean()) / ball.std())).code == "negative"


def test_thick_slices_are_flagged_but_nothing_is_repaired(save, ball):
    scan = read_scan(save(ball))
    assert flags(scan) == ["thick_slices"]
    assert not scan.is_repaired


def test_giant_images_are_refused_before_their_voxels_are_read(save, ball, monkeypatch):
    monkeypatch.setattr(reading, "MAX_VOXELS", ball.size - 1)
    monkeypatch.setattr(reading, "_data", lambda *_: pytest.fail("voxels were read"))
    assert refused(save(ball)).code == "too_large"


def test_complex_voxels_are_refused(save, ball):
    assert refused(save(ball.astype(np.complex64))).code == "unreadable"


def test_colors_are_refused(save, ball):
    color = np.zeros(ball.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert refused(save(color)).code == "unreadable"


def test_a_mask_must_be_on_the_scans_grid(save, ball):
    scan = read_volume(save(ball))
    mask = save((ball > 100).astype(np.uint8), "mask.nii.gz")
    assert read_mask(mask, like=scan).data.dtype == bool
    other = save((ball[:-1] > 100).astype(np.uint8), "other.nii.gz")
    with pytest.raises(ImageError, match="not on the scan's grid") as caught:
        read_mask(other, like=scan)
    assert caught.value.code == "mask_grid"


def test_no_damaged_byte_passes(save, ball):
    noisy = ball + np.random.default_rng(1).normal(0, 5, ball.shape).astype(np.float32)
    path = save(noisy)
    whole = path.read_bytes()
    generator = np.random.default_rng(2)
    for place in generator.integers(60, len(whole), 40):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(damaged)
        assert refused(path).code in {"damaged", "truncated", "unreadable", "too_large"}


@pytest.mark.parametrize("cut", [1, 4, 8])
def test_a_compressed_file_without_its_last_bytes_is_refused(save, ball, cut):
    path = save(ball)
    path.write_bytes(path.read_bytes()[:-cut])
    assert refused(path).code == "truncated"


@pytest.mark.parametrize(
    "content", [b"/annex/objects/SHA256E-s100--abc.nii.gz\n", b"version https://git-lfs.github.com/spec/v1\n"]
)
def test_a_pointer_without_content_says_how_to_fetch_it(tmp_path, content):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(content)
    error = refused(path)
    assert error.code == "link_without_content"
    assert "datalad get" in str(error)


@pytest.mark.parametrize("value", [1e10, 3e38, -3e38, 65535])
def test_spikes_take_the_mean_of_their_neighbors(save, ball, value):
    data = ball.copy()
    data[10, 11, 12] = value
    scan = read_scan(save(data))
    assert flags(scan) == ["spikes_repaired", "thick_slices"]
    assert scan.volume.data[10, 11, 12] == pytest.approx(700)
    assert "1 voxels" in scan.flags[0].message


def test_values_near_the_largest_float_are_read_without_a_warning(save, ball):
    data = ball.astype(np.float32)
    data[::2, ::2, ::2] = 3e38  # so many that they are no spikes: ten times of them is no number
    assert read_scan(save(data)).volume.data.max() == np.float32(3e38)


def test_a_file_that_is_cut_after_it_was_read_takes_nothing_along(save, ball):
    path = save(ball.astype(np.float32), name="scan.nii")
    data = read_volume(path).data
    path.write_bytes(path.read_bytes()[:400])
    np.testing.assert_array_equal(data, ball)  # a mapped file would end the process here


def test_bright_vessels_are_no_spikes(save, ball):
    data = ball.copy()
    data[8:10, 8:10, 8:10] = 2800
    assert flags(read_scan(save(data))) == ["thick_slices"]


def test_a_mask_that_is_not_finite_is_refused(save, ball):
    data = (ball > 100).astype(np.float32)
    data[0, 0, 0] = np.nan
    with pytest.raises(ImageError, match="not finite"):
        read_mask(save(data))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "scan.nii.gz",
            gzip.decompress,
            "is an image that is not compressed: compress it (gzip), or name an image scan.nii",
        ),
        ("scan.nii.gz", gzip.compress, "is compressed twice: uncompress it once"),
        ("scan.nii", bytes, "is compressed: rename it to scan.nii.gz"),
        ("scan.nii.gz", lambda _: b"<html>Log in</html>", "is a web page or XML, no image: fetch it again"),
        ("scan.nii.gz", lambda _: b"\0" * 128 + b"DICM" + b"\0" * 999, "is a DICOM file: convert it"),
        ("scan.nii.gz", lambda _: b"abc" * 200, "is a file that is not compressed"),
    ],
)
def test_a_file_of_another_kind_than_its_name_says_what_to_do(save, ball, tmp_path, name, change, words):
    content = change(save(ball, "whole.nii.gz").read_bytes())
    (tmp_path / name).write_bytes(content)
    error = refused(tmp_path / name)
    assert error.code == "unreadable"
    assert words in str(error)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_voxels_of_no_size_are_refused(ball, affine, tmp_path, kind):
    path = tmp_path / "scan.nii"
    kind(ball, affine).to_filename(path)
    content = bytearray(path.read_bytes())
    place, letter = (76, "f") if kind is nib.Nifti1Image else (104, "d")
    struct.pack_into(f"<3{letter}", content, place + struct.calcsize(letter), 0, 5, 5)
    path.write_bytes(content)
    error = refused(path)
    assert error.code == "header_invalid"
    assert "voxels of 0 x 5 x 5 mm" in str(error)
