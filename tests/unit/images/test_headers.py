import nibabel as nib
import numpy as np
import pytest

from graytrace.errors import ImageError
from graytrace.images.headers import choose_affine
from graytrace.images.reading import read_scan


def chosen(path):
    image = nib.load(path)
    return choose_affine(image.header, image.shape)


def turned(affine, degrees):
    angle = np.deg2rad(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ affine


@pytest.mark.parametrize("directions", ["RAS", "LAS", "LPS", "PIR"])
def test_every_orientation_is_kept(save, ball, affine, directions):
    turn = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(directions), ball.shape)
    path = save(ball, sform=affine @ turn, qform=affine @ turn)
    voxel_to_ras, flags = chosen(path)
    assert "".join(nib.aff2axcodes(voxel_to_ras)) == "".join(nib.aff2axcodes(affine @ turn))
    assert flags == []


def test_an_oblique_grid_is_kept(save, ball, affine):
    path = save(ball, sform=turned(affine, 20), qform=turned(affine, 20))
    voxel_to_ras, flags = chosen(path)
    np.testing.assert_allclose(voxel_to_ras, turned(affine, 20), atol=1e-4)
    assert flags == []


def test_rounding_between_the_forms_is_no_contradiction(save, ball, affine):
    voxel_to_ras, flags = chosen(save(ball, qform=turned(affine, 0.02)))
    np.testing.assert_allclose(voxel_to_ras, affine)
    assert flags == []


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (2, 0), (0, 4)])
def test_the_only_form_with_a_code_counts(save, ball, affine, codes):
    sform_code, qform_code = codes
    other = turned(affine, 40)
    forms = {"sform": affine, "qform": other} if sform_code else {"sform": other, "qform": affine}
    voxel_to_ras, flags = chosen(save(ball, **forms, sform_code=sform_code, qform_code=qform_code))
    np.testing.assert_allclose(voxel_to_ras, affine, atol=1e-4)
    assert flags == []


def test_without_codes_axes_are_taken_as_stored_with_a_sentence(save, ball):
    _, flags = chosen(save(ball, sform_code=0, qform_code=0))
    assert [flag.code for flag in flags] == ["header_repaired"]


def test_a_singular_sform_gives_way_to_the_qform_with_a_sentence(save, ball, affine):
    broken = affine.copy()
    broken[:3, 2] = 0
    voxel_to_ras, flags = chosen(save(ball, sform=broken))
    np.testing.assert_allclose(voxel_to_ras, affine, atol=1e-4)
    assert "sform is singular" in flags[0].message


def test_a_sheared_sform_gives_way_to_the_qform_with_a_sentence(save, ball, affine):
    sheared = affine.copy()
    sheared[:3, 0] = (4, 3, 0)
    _, flags = chosen(save(ball, sform=sheared))
    assert "sform shears" in flags[0].message


def test_the_same_voxels_elsewhere_are_repaired_with_a_sentence(save, ball, affine):
    moved = turned(affine, 10)
    voxel_to_ras, flags = chosen(save(ball, sform=moved))
    np.testing.assert_allclose(voxel_to_ras, affine, atol=1e-4)
    assert [flag.code for flag in flags] == ["header_repaired"]
    assert "the qform is used" in flags[0].message


def test_forms_that_swap_left_and_right_are_refused(save, ball, affine):
    with pytest.raises(ImageError, match="qform's axes are RAS, the sform's LAS") as caught:
        chosen(save(ball, sform=np.diag([-1.0, 1, 1, 1]) @ affine))
    assert caught.value.code == "header_contradiction"


def test_forms_that_differ_in_voxel_size_are_refused(save, ball, affine):
    with pytest.raises(ImageError, match="size of a voxel") as caught:
        chosen(save(ball, sform=affine @ np.diag([1.1, 1, 1, 1])))
    assert caught.value.code == "header_contradiction"


def test_an_sform_that_contradicts_pixdim_is_refused_even_alone(save, ball):
    with pytest.raises(ImageError, match="pixdim says"):
        chosen(save(ball, qform_code=0, pixdim=(1, 1, 1)))


@pytest.mark.parametrize("sizes", [(0, 5, 5), (np.nan, 5, 5)])
def test_voxels_without_a_size_are_refused(save, ball, sizes):
    with pytest.raises(ImageError):
        read_scan(save(ball, sform_code=0, qform_code=0, pixdim=sizes))


@pytest.mark.parametrize("scale", [0.005, 60.0])
def test_voxel_sizes_of_no_scanner_are_refused(save, ball, affine, scale):
    strange = affine @ np.diag([scale, scale, scale, 1])
    with pytest.raises(ImageError) as caught:
        read_scan(save(ball, sform=strange, qform=strange))
    assert caught.value.code in {"header_invalid", "too_small"}


@pytest.mark.parametrize(("code", "factor"), [(1, 0.001), (3, 1000.0)])
@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 1), (0, 0)])
def test_lengths_in_another_unit_are_taken_in_mm(tmp_path, ball, affine, code, factor, codes):
    image = nib.Nifti1Image(ball, np.diag([factor, factor, factor, 1]) @ affine)
    image.header["qform_code"], image.header["sform_code"] = codes
    image.header["xyzt_units"] = code
    path = tmp_path / "scan.nii.gz"
    nib.Nifti1Image(ball, None, image.header).to_filename(path)
    scan = read_scan(path)
    np.testing.assert_allclose(np.abs(scan.volume.voxel_to_ras[:3, :3]), np.abs(affine[:3, :3]), rtol=1e-5)
    assert scan.is_repaired
    assert scan.flags[0].code == "units_repaired"


def test_a_unit_that_cannot_be_right_gives_way_to_mm(tmp_path, ball, affine):
    image = nib.Nifti1Image(ball, affine)
    image.header["xyzt_units"] = 1
    nib.Nifti1Image(ball, affine, image.header).to_filename(tmp_path / "scan.nii.gz")
    scan = read_scan(tmp_path / "scan.nii.gz")
    np.testing.assert_allclose(scan.volume.voxel_to_ras, affine)
    assert scan.flags[0].code == "units_repaired"


def test_lengths_in_meters_that_pass_for_mm_are_no_singular_affine(save, ball, affine):
    tiny = affine.copy()
    tiny[:3] /= 1000
    with pytest.raises(ImageError, match=r"Voxels of 0\.005 x 0\.005 x 0\.005 mm.*another unit"):
        read_scan(save(ball, sform=tiny, qform=tiny, pixdim=(0.005,) * 3))
