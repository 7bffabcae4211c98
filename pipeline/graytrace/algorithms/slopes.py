"""Slopes of images on a grid, each used where it arises: three arrays of them would cost more time than they hold.

A slope is half the difference of a voxel's neighbors, at the borders of the grid the difference to the one neighbor.
"""

from __future__ import annotations

import numba
import numpy as np

from graytrace.arrays import Image, ScalarField, TensorField, VectorField


@numba.njit(cache=True, inline="always")
def _neighbors_along(size, at):
    """Indices on either side of a voxel along one axis, and what a slope is of their difference."""
    low, high = max(at - 1, 0), min(at + 1, size - 1)
    return low, high, np.float32(1 / max(high - low, 1))


@numba.njit(cache=True, inline="always")
def _gradient(image, i, j, k):
    nx, ny, nz = image.shape
    a, b, fx = _neighbors_along(nx, i)
    c, d, fy = _neighbors_along(ny, j)
    e, f, fz = _neighbors_along(nz, k)
    return (
        (image[b, j, k] - image[a, j, k]) * fx,
        (image[i, d, k] - image[i, c, k]) * fy,
        (image[i, j, f] - image[i, j, e]) * fz,
    )


@numba.njit(parallel=True, cache=True)
def _normal_equations(baseline, followup, weight, velocity, membrane, h, b):
    nx, ny, nz = weight.shape
    half = np.float32(0.5)
    for plane in numba.prange(nx):
        i = np.int64(plane)
        i0, i1 = max(i - 1, 0), min(i + 1, nx - 1)
        for j in range(ny):
            j0, j1 = max(j - 1, 0), min(j + 1, ny - 1)
            for k in range(nz):
                k0, k1 = max(k - 1, 0), min(k + 1, nz - 1)
                w = weight[i, j, k]
                gx, gy, gz = np.float32(0), np.float32(0), np.float32(0)
                if w > 0:
                    ax, ay, az = _gradient(baseline, i, j, k)
                    bx, by, bz = _gradient(followup, i, j, k)
                    gx, gy, gz = half * (ax + bx), half * (ay + by), half * (az + bz)
                h[0, i, j, k] = w * gx * gx
                h[1, i, j, k] = w * gy * gy
                h[2, i, j, k] = w * gz * gz
                h[3, i, j, k] = w * gx * gy
                h[4, i, j, k] = w * gx * gz
                h[5, i, j, k] = w * gy * gz
                pull = w * (followup[i, j, k] - baseline[i, j, k])
                for n in range(3):
                    around = (velocity[n, i0, j, k] + velocity[n, i1, j, k]) + (
                        (velocity[n, i, j0, k] + velocity[n, i, j1, k])
                        + (velocity[n, i, j, k0] + velocity[n, i, j, k1])
                    )
                    g = gx if n == 0 else gy if n == 1 else gz
                    b[n, i, j, k] = membrane * (around - np.float32(6) * velocity[n, i, j, k]) - pull * g


def normal_equations(
    baseline: Image, followup: Image, weight: ScalarField, velocity: VectorField, membrane: float
) -> tuple[TensorField, VectorField]:
    """The system of a Gauss-Newton step that brings two images together, without the membrane's own matrix.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) float32
        Registered so far, on one scale.
    weight : (X, Y, Z) float32
        Of each voxel's squared difference.
    velocity : (3, X, Y, Z) float32
        So far, voxels.
    membrane : float
        Weight of the squared slopes of the velocity.

    Returns
    -------
    h : (6, X, Y, Z) float32
        Symmetric 3 x 3 matrix of each voxel, for `multigrid.solve_membrane`.
    b : (3, X, Y, Z) float32
        Minus the gradient of the energy: data, and the membrane's pull on what is there already.
    """
    h = np.empty((6, *weight.shape), np.float32)
    b = np.empty((3, *weight.shape), np.float32)
    _normal_equations(baseline, followup, weight, velocity, np.float32(membrane), h, b)
    return h, b


@numba.njit(parallel=True, cache=True)
def _levers(baseline, followup, weight, floor, out):
    nx, ny, nz = weight.shape
    half = np.float32(0.5)
    for plane in numba.prange(nx):
        i = np.int64(plane)
        for j in range(ny):
            for k in range(nz):
                w = weight[i, j, k]
                if w == 0:
                    for n in range(3):
                        out[n, i, j, k] = 0
                    continue
                ax, ay, az = _gradient(baseline, i, j, k)
                bx, by, bz = _gradient(followup, i, j, k)
                gx, gy, gz = half * (ax + bx), half * (ay + by), half * (az + bz)
                share = w / (gx * gx + gy * gy + gz * gz + floor)
                out[0, i, j, k] = share * gx
                out[1, i, j, k] = share * gy
                out[2, i, j, k] = share * gz


def levers(baseline: Image, followup: Image, weight: ScalarField, floor: float) -> VectorField:
    """How far a border must move for a difference of one: g / (|g|^2 + floor), g the slope of the mean image.

    Parameters
    ----------
    baseline, followup : (X, Y, Z) float32
        On one scale.
    weight : (X, Y, Z) float32
        Factor of each voxel.
    floor : float
        Positive; where there is no slope, nothing moves.

    Returns
    -------
    (3, X, Y, Z) float32 ndarray
        Voxels for each unit of the images.
    """
    out = np.empty((3, *weight.shape), np.float32)
    _levers(baseline, followup, weight, np.float32(floor), out)
    return out


@numba.njit(parallel=True, cache=True)
def _slope_along(image, direction, out):
    nx, ny, nz = image.shape
    for plane in numba.prange(nx):
        i = np.int64(plane)
        for j in range(ny):
            for k in range(nz):
                gx, gy, gz = _gradient(image, i, j, k)
                out[i, j, k] = gx * direction[0, i, j, k] + gy * direction[1, i, j, k] + gz * direction[2, i, j, k]


def slope_along(image: Image, direction: VectorField) -> ScalarField:
    """Slope of an image times a vector at each voxel.

    Parameters
    ----------
    image : (X, Y, Z) float32
        Any unit.
    direction : (3, X, Y, Z) float32
        Voxels.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In the image's unit.
    """
    out = np.empty(image.shape, np.float32)
    _slope_along(image, direction, out)
    return out


@numba.njit(parallel=True, cache=True)
def _steepness(image, out):
    nx, ny, nz = image.shape
    for plane in numba.prange(nx):
        i = np.int64(plane)
        for j in range(ny):
            for k in range(nz):
                gx, gy, gz = _gradient(image, i, j, k)
                out[i, j, k] = np.sqrt(gx * gx + gy * gy + gz * gz)


def steepness(image: Image) -> ScalarField:
    """Length of an image's slope.

    Parameters
    ----------
    image : (X, Y, Z) float32
        Any unit.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In the image's unit for each voxel.
    """
    out = np.empty(image.shape, np.float32)
    _steepness(image, out)
    return out
