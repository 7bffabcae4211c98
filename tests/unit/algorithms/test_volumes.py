import numpy as np
import pytest
from toyhead import affine_of, centered, places

from graytrace.algorithms.volumes import tissue_volume_ml


def test_sphere_has_its_volume_in_every_orientation(orientation):
    affine = centered(affine_of(orientation, (1.0, 1.2, 2.0)), (60, 60, 40))
    radius_mm = 20.0
    distance = np.linalg.norm(places(affine, (60, 60, 40)), axis=0)
    fraction = np.clip(0.5 + (radius_mm - distance), 0, 1)
    exact_ml = 4 / 3 * np.pi * radius_mm**3 / 1000
    # a soft edge of one millimeter adds less than a thousandth to a ball of 20 mm
    assert tissue_volume_ml(fraction, affine) == pytest.approx(exact_ml, rel=2e-3)


def test_sheared_grid_is_measured_by_its_determinant():
    affine = np.eye(4)
    affine[0, 1] = 0.5
    assert tissue_volume_ml(np.ones((10, 10, 10)), affine) == pytest.approx(1.0)
