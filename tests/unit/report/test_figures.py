import matplotlib.image
import numpy as np
import pytest

from pipeline.report.figures import draw_pair, draw_scan

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
def test_a_scans_figure_is_a_small_picture_in_any_orientation(tmp_path, head, axes):
    path = tmp_path / "scan.png"
    draw_scan(path, head, axes, brain_mask=head > 5, gm_fraction=head / 20, wm_fraction=head / 20, title="sub-01")
    assert matplotlib.image.imread(path).std() > 0
    assert path.stat().st_size < MAX_BYTES


def test_a_pairs_figure_is_the_same_bytes_each_time(tmp_path, head):
    for name in ("a.png", "b.png"):
        draw_pair(tmp_path / name, head, head * 0.9, head - 5, np.diag([3.0, 3, 5, 1]), title="sub-01")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_an_empty_mask_or_map_still_gives_a_figure(tmp_path, head):
    empty = np.zeros_like(head)
    affine = np.diag([3.0, 3, 5, 1])
    draw_scan(tmp_path / "a.png", head, affine, brain_mask=empty, gm_fraction=empty, wm_fraction=empty, title="")
    draw_pair(tmp_path / "b.png", head, head, empty, affine, title="")
    assert (tmp_path / "a.png").exists()
    assert (tmp_path / "b.png").exists()
