import numpy as np
import pytest
import toyhead
from toyhead import affine_of, centred, places

from pipeline.algorithms.intensity import match_visits

SHAPE = (60, 66, 56)


def test_gain_and_bias_between_visits_drop_out():
    affine = centred(affine_of("RAS", (1.6, 1.6, 1.6)), SHAPE)
    points = places(affine, SHAPE)
    clean, inside = toyhead.intensity(points), toyhead.masks(points)[1]
    baseline = (400 * clean).astype(np.float32)
    followup = (900 * clean * np.exp(0.12 * np.sin(points[2] / 40))).astype(np.float32)
    matched = match_visits(baseline, followup, inside, 1.6)
    ratio = (followup * matched.followup_gain / (baseline * matched.baseline_gain))[inside & (clean > 0.5)]
    # the field bends within the kernel of 15 mm on a head of a third of a real one's size
    assert ratio.std() < 0.02
    assert ratio.mean() == pytest.approx(1, abs=0.005)


def test_no_tissue_is_refused():
    nothing = np.zeros((8, 8, 8), np.float32)
    with pytest.raises(ValueError, match="no signal"):
        match_visits(nothing, nothing, np.ones((8, 8, 8), bool), 1.0)
