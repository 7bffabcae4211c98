import numpy as np
import pytest

from graytrace.phantoms.anatomy import LABELS, draw_head
from graytrace.phantoms.template import LOWEST_MM, STRUCTURES, load_template

ADULT_ML = {  # of adults between 25 and 60, with room
    "cortex": (380, 720), "cerebellar_cortex": (70, 170), "deep_gray": (22, 65), "white_matter": (400, 720),
    "brainstem": (15, 50), "ventricles": (6, 70), "outer_csf": (90, 420),
}  # fmt: skip


def test_fractions_are_shares_of_a_voxel(head):
    assert head.fractions.min() >= 0
    assert head.fractions.sum(0).max() <= 1 + 1e-5
    assert head.fractions.shape == (len(STRUCTURES), *head.labels.shape)


def test_everything_intracranial_is_in_the_box(head):
    outside = head.fractions.sum(0)
    outside[head.box] = 0
    assert not outside.any()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_volumes_are_those_of_an_adult(seed):
    anatomy = draw_head(seed, voxel_mm=2.0)
    for structure, (low, high) in ADULT_ML.items():
        assert low < anatomy.volume_ml(structure) < high, structure
    assert 1200 < anatomy.volume_ml(*STRUCTURES) < 1900


def test_every_tissue_of_a_head_is_there(head):
    present = {LABELS[number] for number in np.unique(head.labels)}
    assert present >= set(LABELS) - {"lens", "vessel"}  # these are smaller than two 2 mm voxels


def test_the_same_seed_draws_the_same_head(coarse_head):
    again = draw_head(3, voxel_mm=4.0)
    np.testing.assert_array_equal(again.fractions, coarse_head.fractions)
    np.testing.assert_array_equal(again.labels, coarse_head.labels)


def test_another_seed_draws_another_head(coarse_head):
    assert (draw_head(4, voxel_mm=4.0).labels != coarse_head.labels).mean() > 0.05


def test_the_template_is_no_answer_key(head):
    """A phantom that the template's own map segments well would only test whether one has the map."""
    template = load_template(2.0)
    gray = [STRUCTURES.index(name) for name in ("cortex", "cerebellar_cortex", "deep_gray")]
    ours, theirs = head.fractions[gray].sum(0) > 0.5, template.priors[gray].sum(0) > 0.5
    assert 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) < 0.85


def test_from_the_vertex_inwards_come_skin_fat_bone_and_csf(head):
    x, y = (round(-low / head.voxel_mm) for low in LOWEST_MM[:2])
    columns = head.labels[x - 8 : x + 8, y - 8 : y + 8, ::-1].reshape(256, -1)  # one alone may miss the 2 mm of skin
    layers = ("air", "skin", "fat", "bone", "outer_csf", "cortex", "white_matter")
    found = [columns == LABELS.index(name) for name in layers]
    depths = [each.argmax(1)[each.any(1)].mean() for each in found]
    assert depths == sorted(depths)


def test_the_brain_touches_neither_air_nor_the_edge(head):
    box = head.box
    assert all(side.start > 0 and side.stop < n for side, n in zip(box, head.labels.shape, strict=True))


def test_thalamus_and_pallidum_are_gray_and_bright():
    template = load_template(2.0)
    thalamus, pallidum = (
        tuple(round((place - low) / 2) for place, low in zip(mm, LOWEST_MM, strict=True))
        for mm in ((11, -19, 7), (19, -4, 0))
    )
    for voxel in (thalamus, pallidum):
        assert STRUCTURES[template.priors[(slice(None), *voxel)].argmax()] == "deep_gray"
    assert 0 < template.deep_brightness[thalamus] < template.deep_brightness[pallidum] < 1
