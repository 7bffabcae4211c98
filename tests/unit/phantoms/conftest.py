"""One small head for all promises about phantoms."""

import pytest

from graytrace.phantoms.anatomy import draw_head
from graytrace.phantoms.cohort import PhantomPatient, render_pair

COARSE_MM = 4.0  # half a second a pair; what depends on resolution says so and takes 2 mm


@pytest.fixture(scope="session")
def head():
    return draw_head(3, voxel_mm=2.0)


@pytest.fixture(scope="session")
def coarse_head():
    return draw_head(3, voxel_mm=COARSE_MM)


@pytest.fixture(scope="session")
def unchanged_pair():
    return render_pair(PhantomPatient("sub-P01"), voxel_mm=COARSE_MM)
