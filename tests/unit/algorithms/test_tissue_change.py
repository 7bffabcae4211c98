"""Volumes of a tissue add up, and blocks that disagree make its change less sure."""

import numpy as np
import pytest

from graytrace.algorithms.tissue_change import TissueChange

SHAPE = (100, 100, 100)
SPACING_MM = 1.0


def _change(loss: np.ndarray | float) -> TissueChange:
    fraction = np.full(SHAPE, 0.5, np.float32)
    return TissueChange(fraction, fraction, fraction * np.float32(1) * (1 - loss), np.zeros(SHAPE, np.float32))


def _blocks(seed: int, sd: float) -> np.ndarray:
    """A loss that differs from block to block of 25 mm."""
    blocks = np.random.default_rng(seed).normal(0, sd, (4, 4, 4))
    return np.kron(blocks, np.ones((25, 25, 25)))


def test_the_same_loss_everywhere_has_no_spread():
    change = _change(0.02)
    assert change.percent == pytest.approx(-2)
    assert change.jacobian_percent == pytest.approx(-2)
    assert change.block_se_points(SPACING_MM) == pytest.approx(0, abs=1e-3)


def test_the_spread_of_blocks_is_the_standard_error_of_their_mean():
    found = [_change(_blocks(seed, 0.02)).block_se_points(SPACING_MM) for seed in range(8)]
    assert np.mean(found) == pytest.approx(100 * 0.02 / np.sqrt(64), rel=0.1)


def test_what_was_left_undone_counts_half_at_either_visit():
    change = _change(0.0)
    undone = np.full(SHAPE, -0.005, np.float32)
    change = TissueChange(change.fraction, change.before, change.after, undone)
    assert change.jacobian_percent == pytest.approx(0)
    assert change.percent == pytest.approx(100 * (0.4975 / 0.5025 - 1))


def test_tissues_add_up():
    one, other = _change(0.02), _change(0.04)
    assert one.plus(other).percent == pytest.approx(-3, abs=1e-4)
    assert one.plus(other).plus(other, -1).percent == pytest.approx(-2, abs=1e-4)


def test_no_tissue_has_no_change():
    nothing = np.zeros(SHAPE, np.float32)
    change = TissueChange(nothing, nothing, nothing, nothing)
    assert np.isnan(change.percent)
    assert np.isnan(change.block_se_points(SPACING_MM))


def test_blocks_at_the_edge_count_by_what_they_hold():
    loss = np.zeros(SHAPE)
    change = _change(loss)
    assert change.block_se_points(30.0) >= 0  # a block may be one voxel wide
