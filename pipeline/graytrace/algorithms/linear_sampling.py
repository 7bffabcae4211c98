"""The compiled kernel of linear resampling, apart from what steps import that don't resample."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(parallel=True, cache=True)
def sample_linearly(volume, matrix, offset, outside, out) -> None:
    """Trilinear interpolation of `volume` at matrix x + offset, `outside` where that leaves it."""
    nx, ny, nz = out.shape
    sx, sy, sz = volume.shape
    for plane in numba.prange(nx):
        i = np.int64(plane)
        for j in range(ny):
            for k in range(nz):
                px = matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k + offset[0]
                py = matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k + offset[1]
                pz = matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k + offset[2]
                if px < 0 or py < 0 or pz < 0 or px > sx - 1 or py > sy - 1 or pz > sz - 1:
                    out[i, j, k] = outside
                    continue
                a, b, c = int(px), int(py), int(pz)
                fx, fy, fz = np.float32(px - a), np.float32(py - b), np.float32(pz - c)
                a1, b1, c1 = min(a + 1, sx - 1), min(b + 1, sy - 1), min(c + 1, sz - 1)
                near = (volume[a, b, c] * (1 - fz) + volume[a, b, c1] * fz) * (1 - fy) + (
                    volume[a, b1, c] * (1 - fz) + volume[a, b1, c1] * fz
                ) * fy
                far = (volume[a1, b, c] * (1 - fz) + volume[a1, b, c1] * fz) * (1 - fy) + (
                    volume[a1, b1, c] * (1 - fz) + volume[a1, b1, c1] * fz
                ) * fy
                out[i, j, k] = near * (1 - fx) + far * fx
