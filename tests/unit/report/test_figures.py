import matplotlib.image
import numpy as np
import pytest

from graytrace.report.figures import COLUMNS, PANEL_PIXELS, Slice, draw_borders, draw_change, draw_planes

MAX_BYTES = 400_000  # many of them stand on one page


@pytest.fixture
def head():
    grid = np.indices((30, 34, 20)) - np.array([15, 17, 10])[:, None, None, None]
    radius = np.sqrt((grid * np.array([1, 1, 1.6])[:, None, None, None]) ** 2).sum(0)
    return np.clip(20 - radius, 0, 10).astype(np.float32)


@pytest.mark.parametrize(
    "axes",
    [np.diag([3.0, 3, 5, 1]), np.diag([-3.0, -3, 5, 1]), np.diag([3.0, 3, 5, 1])[[1, 2, 0, 3]]],
    ids=["RAS", "LPS", "PIR"],
)
def test_a_scans_picture_has_a_fixed_size_in_any_orientation(tmp_path, head, axes):
    path = tmp_path / "scan.jpg"
    draw_borders(path, head, axes, brain_mask=head > 5, gm_fraction=head / 20, wm_fraction=head / 20)
    picture = matplotlib.image.imread(path)
    assert picture.shape == (3 * PANEL_PIXELS, COLUMNS * PANEL_PIXELS, 3)
    assert picture.std() > 0
    assert path.stat().st_size < MAX_BYTES


def test_borders_are_drawn_in_color(tmp_path, head):
    def colorfulness(mask):
        path = tmp_path / "scan.jpg"
        draw_borders(path, head, np.eye(4), brain_mask=mask, gm_fraction=head * 0, wm_fraction=head * 0)
        return matplotlib.image.imread(path).astype(int).std(axis=2).max()

    assert colorfulness(head > 5) > 30 > colorfulness(np.zeros_like(head))


def slices_of(head):
    return [
        Slice(head[15], 0),
        Slice(head[:, 17], 1),
        Slice(head[:, :, 8], 2),
        Slice(head[:, :, 10], 2),
        Slice(head[12], 0),
    ]


def test_loss_is_blue_and_gain_is_orange(tmp_path, head):
    planes = slices_of(head)
    for name, sign in (("loss", -10.0), ("gain", 10.0)):
        draw_change(tmp_path / name, planes, [np.full(plane.values.shape, sign) for plane in planes], top=10.0)
    loss, gain = (
        matplotlib.image.imread(tmp_path / name, format="jpg").astype(int).sum((0, 1)) for name in ("loss", "gain")
    )
    assert loss[2] > loss[0]
    assert gain[0] > gain[2]


def test_both_visits_pictures_have_the_same_frame(tmp_path, head):
    planes = slices_of(head)
    shown = []
    for name, factor in (("a.jpg", 1.0), ("b.jpg", 0.9)):
        draw_planes(tmp_path / name, [Slice(factor * plane.values, plane.axis) for plane in planes], top=10.0)
        shown.append(matplotlib.image.imread(tmp_path / name).astype(float))
    assert shown[0].shape == shown[1].shape == (2 * PANEL_PIXELS, COLUMNS * PANEL_PIXELS, 3), "five slices are two rows"
    edges = [np.flatnonzero(picture.mean(2).max(0) > 20)[[0, -1]] for picture in shown]
    assert abs(edges[0] - edges[1]).max() <= 2


def test_the_same_arrays_give_the_same_bytes(tmp_path, head):
    for name in ("a.jpg", "b.jpg"):
        draw_planes(tmp_path / name, slices_of(head), top=10.0)
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()


def test_an_empty_mask_or_map_still_gives_a_picture(tmp_path, head):
    empty = np.zeros_like(head)
    draw_borders(tmp_path / "a.jpg", head, np.eye(4), brain_mask=empty, gm_fraction=empty, wm_fraction=empty)
    draw_change(tmp_path / "b.jpg", [Slice(head[15], 0)] * 3, [empty[15]] * 3, top=0.0)
    assert (tmp_path / "a.jpg").exists()
    assert (tmp_path / "b.jpg").exists()
