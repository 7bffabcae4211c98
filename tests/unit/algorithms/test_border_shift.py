"""Shifts of both surfaces of a folded sheet are told apart, whatever the noise and whichever visit comes first."""

import numpy as np
import pytest
from scipy import ndimage

from graytrace.algorithms.border_shift import Surfaces, fit_border_shifts, touching_banks
from graytrace.algorithms.sharpness import blur

SHAPE = (72, 72, 72)
SIGNALS = (0.2, 0.65, 1.0)
POINT_SPREAD = 0.5  # voxels
SHARE = 0.13  # a bare border is read by so much too large
NO_BANKS = np.zeros(SHAPE, np.float32)
NOISE = 0.025
NOISE_VOXELS = 0.01  # what noise may shift a surface by


def _sheet(outer: float, inner: float) -> tuple[np.ndarray, ...]:
    """Fluid, gray and white matter (X, Y, Z) of a ball with a shell of gray matter, radii in voxels."""
    finer = 2
    place = (np.indices([n * finer for n in SHAPE]) + 0.5) / finer
    radius = np.sqrt(sum((p - n / 2) ** 2 for p, n in zip(place, SHAPE, strict=True)))
    radius += 0.8 * np.sin(place[0] / 3) * np.sin(place[1] / 3)
    found = []
    for edge in (outer, inner):
        ball = np.clip((edge - radius) * finer + 0.5, 0, 1)
        blocks = ball.reshape(SHAPE[0], finer, SHAPE[1], finer, SHAPE[2], finer).mean((1, 3, 5))
        found.append(ndimage.gaussian_filter(blocks, POINT_SPREAD))
    return 1 - found[0], found[0] - found[1], found[1]


def _measured(first, second, noise=0.0, seed=0, blurred=0.0, told=0.0):
    """Shifts between two sheets whose images, unlike their fractions, have a variance `blurred`, `told` or not."""
    rng = np.random.default_rng(seed)
    images = [sum(s * f for s, f in zip(SIGNALS, tissue, strict=True)) for tissue in (first, second)]
    images = [blur(image, np.full(3, blurred)) for image in images]
    images = [image + noise * rng.normal(size=SHAPE) for image in images]
    common = tuple(((a + b) / 2).astype(np.float32) for a, b in zip(first, second, strict=True))
    inside = np.zeros(SHAPE, bool)
    inside[2:-2, 2:-2, 2:-2] = True
    residual = (images[1] - images[0]).astype(np.float32)
    surfaces = Surfaces.of(common, NO_BANKS, inside).widened(np.full(3, told))
    return fit_border_shifts(residual, np.ones(SHAPE, np.float32), surfaces, SIGNALS, 1.0)


@pytest.mark.parametrize(("outer", "inner"), [(-0.05, 0.0), (0.0, 0.05), (-0.05, -0.05), (0.05, 0.0)])
def test_each_surface_gives_the_volume_that_it_moved(outer, inner):
    before, after = _sheet(30, 27), _sheet(30 + outer, 27 + inner)
    true = [float((b - a).sum()) for a, b in zip(before, after, strict=True)]
    moved = max(abs(t) for t in true)
    found = _measured(before, after)
    assert found.fluid == pytest.approx(true[0], abs=SHARE * moved)
    assert found.white == pytest.approx(true[2], abs=SHARE * moved)
    assert found.gray.sum(dtype=float) == pytest.approx(-found.fluid - found.white)


def test_swapped_visits_turn_the_sign():
    before, after = _sheet(30, 27), _sheet(29.95, 27)
    there, back = _measured(before, after), _measured(after, before)
    assert back.fluid == pytest.approx(-there.fluid, rel=1e-4)
    assert back.white == pytest.approx(-there.white, rel=1e-3, abs=1)


def test_images_less_sharp_than_their_fractions_give_the_same_once_that_is_told():
    before, after = _sheet(30, 27), _sheet(29.95, 27)
    sharp, told, untold = (_measured(before, after, blurred=b, told=t).fluid for b, t in ((0, 0), (0.3, 0.3), (0.3, 0)))
    assert told == pytest.approx(sharp, rel=0.06)
    assert untold < 0.88 * sharp


def test_noise_alone_moves_nothing():
    same = _sheet(30, 27)
    found = [_measured(same, same, NOISE, seed).gray.sum() for seed in range(4)]
    surface = 4 * np.pi * 30**2
    assert np.abs(found).max() < NOISE_VOXELS * surface


def test_gray_matter_that_is_not_there():
    nothing = np.zeros(SHAPE, np.float32)
    inside = np.ones(SHAPE, bool)
    surfaces = Surfaces.of((nothing + 1, nothing, nothing), nothing, inside)
    found = fit_border_shifts(nothing, nothing + 1, surfaces, SIGNALS, 1.0)
    assert found.fluid == found.white == 0


def _fused(opening: float) -> tuple[np.ndarray, ...]:
    """A sulcus whose banks touch, `opening` voxels wide: fluid, gray and white matter (X, Y, Z)."""
    finer = 20
    x = np.abs((np.arange(SHAPE[0] * finer) + 0.5) / finer - SHAPE[0] / 2)
    parts = [x < opening / 2, (x >= opening / 2) & (x < 3), x >= 3]
    lines = [part.reshape(SHAPE[0], finer).mean(1) for part in parts]
    return tuple(
        np.broadcast_to(ndimage.gaussian_filter1d(line, POINT_SPREAD)[:, None, None], SHAPE).astype(np.float32)
        for line in lines
    )


def test_banks_that_touch_are_two_faces_of_each_voxel():
    _, gm, wm = _fused(0.0)
    area = touching_banks(gm, wm, 1.0)[:, 36, 36].sum()
    assert 1.4 < area < 2.2  # smoothing spreads it, and what is faint is no ridge


def test_a_sulcus_that_opens_unseen_is_read():
    before, after = _fused(0.0), _fused(0.1)
    images = [sum(s * f for s, f in zip(SIGNALS, tissue, strict=True)) for tissue in (before, after)]
    common = tuple(((a + b) / 2).astype(np.float32) for a, b in zip(before, after, strict=True))
    inside = np.zeros(SHAPE, bool)
    inside[2:-2, 2:-2, 2:-2] = True
    banks = touching_banks(common[1], common[2], 1.0)
    residual = (images[1] - images[0]).astype(np.float32)
    found = fit_border_shifts(residual, np.ones(SHAPE, np.float32), Surfaces.of(common, banks, inside), SIGNALS, 1.0)
    true = float((after[0] - before[0])[inside].sum())
    assert found.fluid == pytest.approx(true, rel=0.25)


def test_no_banks_touch_on_an_open_surface():
    _, gm, wm = _sheet(30, 27)
    middle = slice(12, 60)
    assert touching_banks(gm, wm, 1.0)[middle, middle, middle].sum() < 0.05 * 4 * np.pi * 30**2
