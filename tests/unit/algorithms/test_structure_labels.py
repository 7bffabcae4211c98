"""The atlas finds its structures in heads that lie, turn and are shaped otherwise, alike on both sides."""

import numpy as np
import pytest
import toyatlas
from toyhead import affine_of, centered, places

from graytrace.algorithms.structure_atlas import LABELS, PAIRED, STRUCTURES, Atlas, members, parts_of
from graytrace.algorithms.structure_labels import label_structures, split_tissues
from graytrace.schemas import load_schema

GRID = (44, 48, 42)
DEEP = [10, 49, 12, 51]


@pytest.fixture(scope="module")
def atlas():
    return toyatlas.atlas()


def _head(affine, *, wider=0.0):
    """Places in `LABELS` of a head that lies elsewhere, is larger and bulges to the sides."""
    x, y, z = places(affine, GRID) - np.array([3.0, -4.0, 2.0])[:, None, None, None]
    bulge = 1 + wider * np.exp(-((y / 25) ** 2) - (z / 25) ** 2)
    return toyatlas.label_points(np.stack([x / bulge, y, z]) / 1.04)


def _dice(found, true, number):
    return (
        2
        * np.count_nonzero((found == number) & (true == number))
        / (np.count_nonzero(found == number) + np.count_nonzero(true == number))
    )


def _label(found, affine, atlas, *, with_deep=True):
    gm, wm, csf, deep = toyatlas.fractions(found)
    return label_structures(split_tissues(gm, wm, csf, deep if with_deep else None), affine, atlas)


def test_structures_are_found_in_every_orientation(orientation, atlas):
    affine = centered(affine_of(orientation), GRID)
    found = _head(affine)
    labels = _label(found, affine, atlas).labels
    # nuclei do not touch each other here, so that only the atlas' place can be wrong; sides meet in the middle
    for number in (*DEEP, 4, 43, 16):
        assert _dice(labels, toyatlas.numbers(found), number) > 0.95, number


def test_a_head_of_another_shape_needs_the_deformation(atlas):
    affine = centered(affine_of("RAS"), GRID)
    found = _head(affine, wider=0.25)
    labels = _label(found, affine, atlas).labels
    for number in (*DEEP, 4, 43):
        assert _dice(labels, toyatlas.numbers(found), number) > 0.93, number


def test_a_mirrored_scan_has_mirrored_structures(atlas):
    affine = centered(affine_of("RAS"), GRID)
    found = _head(affine, wider=0.1)
    mirrored = np.diag([-1.0, 1, 1, 1]) @ affine
    here, there = _label(found, affine, atlas), _label(found, mirrored, atlas)
    assert here.volumes_ml["Thalamus_left"] == pytest.approx(there.volumes_ml["Thalamus_right"], rel=1e-3)
    assert here.volumes_ml["LateralVentricle_right"] == pytest.approx(
        there.volumes_ml["LateralVentricle_left"], rel=1e-3
    )
    other_side = np.zeros(256, int)
    for label in LABELS:
        other_side[label.index] = label.structure.right if label.side == "left" else label.structure.left
    assert np.mean(other_side[here.labels] == there.labels) > 0.999


def test_volumes_are_what_the_tissues_hold(atlas):
    affine = centered(affine_of("RAS"), GRID)
    found = _head(affine)
    volumes = _label(found, affine, atlas).volumes_ml
    voxel_ml = abs(np.linalg.det(affine[:3, :3])) / 1000
    for structure in ("Thalamus", "Putamen"):
        number = toyatlas.numbers(found)
        true = sum(np.count_nonzero(number == s) for s in _sides(structure)) * voxel_ml
        assert volumes[f"{structure}_both"] == pytest.approx(true, rel=0.05)
        assert volumes[f"{structure}_both"] == pytest.approx(
            sum(volumes[f"{structure}_{s}"] for s in ("left", "right"))
        )
    deep = sum(volumes[f"{s.name}_both"] for s in PAIRED if s.tissue == "deep")
    assert deep == pytest.approx(toyatlas.fractions(found)[3].sum() * voxel_ml, rel=1e-4)


def _sides(name):
    structure = next(s for s in STRUCTURES if s.name == name)
    return structure.left, structure.right


def test_nuclei_are_found_where_the_engine_does_not_tell_them_from_cortex(atlas):
    affine = centered(affine_of("RAS"), GRID)
    found = _head(affine)
    labels = _label(found, affine, atlas, with_deep=False).labels
    for number in DEEP:
        assert _dice(labels, toyatlas.numbers(found), number) > 0.9, number


def test_a_scan_without_tissue_is_refused(atlas):
    empty = np.zeros(GRID, np.float32)
    with pytest.raises(ValueError, match="no tissue"):
        label_structures(split_tissues(empty, empty, empty, empty), np.eye(4), atlas)


def test_a_crumb_of_tissue_is_no_head(atlas):
    crumb = np.zeros(GRID, np.float32)
    crumb[20:24, 20:24, 20:24] = 1
    with pytest.raises(ValueError, match="ml of brain"):
        label_structures(split_tissues(crumb, crumb * 0, crumb * 0, crumb), np.eye(4), atlas)


def test_the_atlas_of_one_side_makes_both():
    half = np.zeros((len(STRUCTURES), 4, 2, 2), np.uint8)
    half[0, 0], half[-1, 1:3] = 255, 128
    whole = Atlas.mirrored(half)
    assert whole.probability[0, 0].min() == whole.probability[len(PAIRED), 3].min() == 1
    np.testing.assert_array_equal(whole.probability[-1], whole.probability[-1, ::-1])
    np.testing.assert_allclose(whole.grid_to_mm[:3, 3], [-3, -1, -1])


def test_every_number_is_that_of_one_structure_and_tables_name_the_same():
    indices = [label.index for label in LABELS]
    assert len(set(indices)) == len(indices)
    assert sorted(n for tissue in ("deep", "cortex", "white", "fluid") for n in members(tissue)) == list(
        range(len(LABELS))
    )
    field = load_schema("structures")["properties"]["structure"]
    assert field["numbers"] == {s.name: [s.left, s.right] for s in STRUCTURES}
    assert field["enum"] == [s.name for s in STRUCTURES if s.is_reported]
    assert field["paired"] == [s.name for s in PAIRED]
    assert set(field["levels"]) == set(field["enum"])
    assert all(len(parts_of(s)) == (3 if s.is_paired else 1) for s in STRUCTURES)
