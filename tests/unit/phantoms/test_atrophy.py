import dataclasses

import numpy as np
import pytest

from graytrace.phantoms.acquisition import ScanSettings
from graytrace.phantoms.atrophy import TissueLoss, draw_displacement
from graytrace.phantoms.cohort import PhantomPatient, render_pair

FIRST_ORDER_PERCENT = 0.15  # the weights are solved to first order; interpolation between 2 mm voxels adds its own
TURNED = ScanSettings(rotation_deg=(3.0, -2.0, 4.0), shift_mm=(0.7, -1.1, 2.3))  # so that both visits are interpolated


def test_no_loss_needs_no_displacement(coarse_head):
    assert draw_displacement(coarse_head, TissueLoss()) is None


@pytest.mark.parametrize("loss", [TissueLoss(-2.0, -3.0, -0.5), TissueLoss(1.0, 0.0, 0.0)])
def test_what_is_asked_for_is_rendered(loss):
    truth = render_pair(PhantomPatient("sub-P07", loss=loss, baseline=TURNED, followup=TURNED), voxel_mm=2.0).truth()
    rendered = [truth[f"{name}_change_percent"] for name in ("cortex", "deep", "wm")]
    asked = dataclasses.astuple(loss)
    assert rendered == pytest.approx(asked, abs=FIRST_ORDER_PERCENT)


def test_nothing_moves_at_the_skull(coarse_head):
    displacement = draw_displacement(coarse_head, TissueLoss(-3.0, -3.0, -1.0))
    outside = coarse_head.fractions[(slice(None), *coarse_head.box)].sum(0) == 0
    assert np.abs(displacement[:, outside]).max() == 0


def test_a_small_loss_moves_less_than_a_voxel(coarse_head):
    assert np.abs(draw_displacement(coarse_head, TissueLoss(-2.0, -2.0, -0.5))).max() < 1.0
