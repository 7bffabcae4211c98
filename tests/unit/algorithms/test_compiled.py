"""Compiled code gives the same bits when fresh, from the cache, on one thread or two, for one processor or another."""

import os
import subprocess
import sys
from pathlib import Path

RUN_ALL = """
import hashlib
import numpy as np
from graytrace.algorithms import (
    deformation, distance, intensity, mean_field, multigrid, resampling, slopes, smoothing, splines
)

rng = np.random.default_rng(1)
shape = (24, 25, 26)
u = (0.3 * rng.normal(size=(3, *shape))).astype(np.float32)
h = np.stack([u[a] * u[b] for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))])
inside = rng.random(shape) > 0.1
x = rng.normal(0.8, 0.2, np.count_nonzero(inside)).astype(np.float32)
density, gray, white = rng.random((3, 2, 201), np.float32)
settled = mean_field.settle_fractions(
    x, rng.random((x.size, 2), np.float32), mean_field.ClassTable(density, gray, white, 0.0, 0.01),
    mean_field.neighbors_of(inside), np.ones(3), pull=4.0, sweeps=3,
)
coefficients = splines.spline_coefficients(rng.normal(size=shape))
found = {
    "mean field": settled.posterior, "multigrid": multigrid.solve_membrane(h, u, 5.0),
    "exponential": deformation.exponential(u), "Jacobian": deformation.jacobian_determinant(u),
    "coefficients": coefficients, "samples": splines.sample_spline(coefficients, np.eye(4), u),
    "linear samples": resampling.resample(coefficients, 0.7 * np.eye(4), shape),
    "Gaussian": smoothing.gaussian(coefficients, (0.8, 1.5, 2.2)),
    "distance": distance.distance_to(~inside, (0.7, 1, 1.3), 3.0),
    "nearest label": distance.nearest_label((~inside).astype(np.uint8), (0.7, 1, 1.3), 3.0),
    "wide Gaussian": smoothing.smooth_widely(coefficients, 9.0),
    "normal equations": np.concatenate(slopes.normal_equations(*u[:2], np.abs(u[2]), u, 5.0)),
    "levers": slopes.levers(*u[:2], np.abs(u[2]), 0.01), "slope along": slopes.slope_along(coefficients, u),
    "steepness": slopes.steepness(coefficients),
    "contrast": intensity.Contrast(np.array([0.2, 0.6, 1.0]), np.array([0.2, 0.7, 1.0])).even_out(
        coefficients, np.array([0.2, 0.6, 1.0])
    ),
}
for name, values in found.items():
    print(name, hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest())
"""


def _bits(cache: Path, *, threads: int, **environment: str) -> str:
    variables = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "NUMBA_NUM_THREADS": str(threads), **environment}
    command = [sys.executable, "-c", RUN_ALL]
    run = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    return run.stdout


def test_the_same_bits_fresh_from_the_cache_and_for_another_processor(tmp_path):
    fresh = _bits(tmp_path / "here", threads=2)
    assert fresh.count("\n") == 16
    assert _bits(tmp_path / "here", threads=1) == fresh
    assert _bits(tmp_path / "there", threads=2, NUMBA_CPU_NAME="generic") == fresh
