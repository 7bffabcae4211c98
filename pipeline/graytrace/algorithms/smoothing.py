"""Wide Gaussians at the cost of narrow ones: what is smooth over many voxels can be computed on few of them."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from graytrace.arrays import ScalarField

_BLOCKS_PER_SIGMA = 4.0  # linear interpolation between blocks of a quarter of sigma: within 0.5 % of the peak
_LARGEST_BLOCK = 8
_MARGIN = 1  # blocks: interpolation at the border looks half a block beyond it


@numba.njit(parallel=True, cache=True)
def _block_means(image, bx, by, bz, margin):
    """Means of blocks of voxels, with a margin of blocks beyond the grid, where there is nothing (0)."""
    nx, ny, nz = image.shape
    sides = (-(-nx // bx) + 2 * margin, -(-ny // by) + 2 * margin, -(-nz // bz) + 2 * margin)
    out = np.zeros(sides, np.float32)
    for plane in numba.prange(sides[0] - 2 * margin):
        a = np.int64(plane)
        total = np.zeros(sides[1:], np.float64)
        for i in range(a * bx, min((a + 1) * bx, nx)):
            for j in range(ny):
                for k in range(nz):
                    total[j // by + margin, k // bz + margin] += image[i, j, k]
        for j in range(sides[1]):
            for k in range(sides[2]):
                out[a + margin, j, k] = total[j, k] / (bx * by * bz)
    return out


@numba.njit(parallel=True, cache=True)
def _interpolate(coarse, blocks, margin, out):
    """Trilinear interpolation of block means at the voxels of the fine grid."""
    nx, ny, nz = out.shape
    for plane in numba.prange(nx):
        i = np.int64(plane)
        x = (i + 0.5) / blocks[0] - 0.5 + margin
        a = int(x)
        fx = np.float32(x - a)
        for j in range(ny):
            y = (j + 0.5) / blocks[1] - 0.5 + margin
            b = int(y)
            fy = np.float32(y - b)
            for k in range(nz):
                z = (k + 0.5) / blocks[2] - 0.5 + margin
                c = int(z)
                fz = np.float32(z - c)
                near = (coarse[a, b, c] * (1 - fx) + coarse[a + 1, b, c] * fx) * (1 - fy) + (
                    coarse[a, b + 1, c] * (1 - fx) + coarse[a + 1, b + 1, c] * fx
                ) * fy
                far = (coarse[a, b, c + 1] * (1 - fx) + coarse[a + 1, b, c + 1] * fx) * (1 - fy) + (
                    coarse[a, b + 1, c + 1] * (1 - fx) + coarse[a + 1, b + 1, c + 1] * fx
                ) * fy
                out[i, j, k] = near * (1 - fz) + far * fz


def smooth_widely(image: ArrayLike, sigma_voxels: ArrayLike) -> ScalarField:
    """Gaussian smoothing whose cost falls as sigma grows; zero beyond the grid.

    The image is averaged over blocks, smoothed there and interpolated back; the width of blocks and interpolation is
    taken off that of the Gaussian.  A sigma below eight voxels along an axis leaves that axis as it is.

    Parameters
    ----------
    image : (X, Y, Z) array-like
    sigma_voxels : float or (3,) array-like
        Standard deviation along each axis, voxels.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        Within 0.5 % of the largest value of `scipy.ndimage.gaussian_filter` (mode "constant").

    Examples
    --------
    >>> point = np.zeros((49, 49, 49)); point[24, 24, 24] = 1
    >>> wide = smooth_widely(point, 8.0)
    >>> bool(abs(wide.sum() - 1) < 0.02)
    True
    """
    image = np.asarray(image, dtype=np.float32)
    sigma = np.broadcast_to(np.asarray(sigma_voxels, dtype=float), (3,))
    blocks = [int(np.clip(s // _BLOCKS_PER_SIGMA, 1, _LARGEST_BLOCK)) for s in sigma]
    widths = []
    for s, k in zip(sigma, blocks, strict=True):
        # variances, voxels squared: a block of k voxels (k^2 - 1) / 12, linear interpolation between blocks k^2 / 6
        taken = 0.0 if k == 1 else (k**2 - 1) / 12 + k**2 / 6
        widths.append(np.sqrt(max(s**2 - taken, 0)) / k)
    means = _block_means(image, blocks[0], blocks[1], blocks[2], _MARGIN)
    coarse = ndimage.gaussian_filter(means, widths, mode="constant")
    out = np.empty(image.shape, np.float32)
    _interpolate(coarse, np.array(blocks, dtype=np.float64), _MARGIN, out)
    return out
