"""Every orientation that scanners write."""

import pytest


@pytest.fixture(params=["RAS", "LAS", "LPS", "PSR", "oblique"])
def orientation(request: pytest.FixtureRequest) -> str:
    return str(request.param)
