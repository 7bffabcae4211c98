"""Deformations of a grid: flows of stationary velocities, their Jacobian determinants, images seen through them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np

from graytrace.arrays import Affine, Image, Mask, ScalarField, VectorField

_SQUARINGS = 3  # velocities are a few voxels at most: an eighth of half of that is well under half a voxel
_POLE_REACH = 16  # rows: what lies further away weighs less than rounding
_SPLINE_REACH = 10  # voxels: what lies further away weighs less than a millionth


@numba.njit(parallel=True, cache=True)
def _compose(u, where, out):
    """out(x) = u(x) + u(x + u(x)), linear interpolation, borders repeated; twice u(x) outside of `where`."""
    nx, ny, nz = u.shape[1:]
    for plane in numba.prange(nx):
        i = np.int64(plane)
        for j in range(ny):
            for k in range(nz):
                if not where[i, j, k]:
                    for n in range(3):
                        out[n, i, j, k] = 2 * u[n, i, j, k]
                    continue
                px = min(max(i + u[0, i, j, k], np.float32(0)), np.float32(nx - 1.001))
                py = min(max(j + u[1, i, j, k], np.float32(0)), np.float32(ny - 1.001))
                pz = min(max(k + u[2, i, j, k], np.float32(0)), np.float32(nz - 1.001))
                a, c, d = int(px), int(py), int(pz)
                fx, fy, fz = px - a, py - c, pz - d
                for n in range(3):
                    v00 = u[n, a, c, d] * (1 - fx) + u[n, a + 1, c, d] * fx
                    v10 = u[n, a, c + 1, d] * (1 - fx) + u[n, a + 1, c + 1, d] * fx
                    v01 = u[n, a, c, d + 1] * (1 - fx) + u[n, a + 1, c, d + 1] * fx
                    v11 = u[n, a, c + 1, d + 1] * (1 - fx) + u[n, a + 1, c + 1, d + 1] * fx
                    low = v00 * (1 - fy) + v10 * fy
                    high = v01 * (1 - fy) + v11 * fy
                    out[n, i, j, k] = u[n, i, j, k] + low * (1 - fz) + high * fz


def exponential(velocity: VectorField, where: Mask | None = None, time: float = 1.0) -> VectorField:
    """Displacement of the flow of a stationary velocity, by scaling and squaring.

    Parameters
    ----------
    velocity : (3, X, Y, Z) ndarray
        Voxels.
    where : (X, Y, Z) bool ndarray, optional
        Where the flow matters; elsewhere the velocity itself, its first order, stands for it.
    time : float
        For which it flows.

    Returns
    -------
    (3, X, Y, Z) float32 ndarray
        Voxels.
    """
    where = np.ones(velocity.shape[1:], bool) if where is None else where
    u = np.multiply(velocity, time / 2**_SQUARINGS, dtype=np.float32)
    for _ in range(_SQUARINGS):
        out = np.empty_like(u)
        _compose(u, where, out)
        u = out
    return np.asarray(u)


@dataclass(frozen=True)
class Halves:
    """A stationary velocity from baseline to follow-up and the displacements of its two halves.

    What was seen through them once is kept: one flow shows the same images to several questions.

    Parameters
    ----------
    velocity : (3, X, Y, Z) float32
        Voxels of the midway grid.
    to_baseline, to_followup : (3, X, Y, Z) float32
        From midway space to the visits, voxels.
    _seen : dict
        Coefficients, by their identity, with the (X, Y, Z) image that `see` has made of them.
    """

    velocity: VectorField
    to_baseline: VectorField
    to_followup: VectorField
    _seen: dict[int, tuple[ScalarField, ScalarField]] = field(default_factory=dict, repr=False, compare=False)

    def see(
        self, coefficients: tuple[ScalarField, ScalarField], to_voxel: tuple[Affine, Affine], where: Mask
    ) -> tuple[ScalarField, ScalarField]:
        """An image of each visit in midway space.

        Parameters
        ----------
        coefficients : two (A, B, C) float32
            Of baseline and follow-up, from `spline_coefficients`.
        to_voxel : two (4, 4) float
            Midway grid to voxels of each visit; of one flow always the same.
        where : (X, Y, Z) bool
            Where the images are wanted; of one flow always the same.

        Returns
        -------
        baseline, followup : (X, Y, Z) float32 ndarrays
            In the images' unit, not to be written into.
        """
        images = []
        for one, matrix, warp in zip(coefficients, to_voxel, (self.to_baseline, self.to_followup), strict=True):
            if id(one) not in self._seen:  # what it is of is kept beside it, so that nothing else takes its place
                self._seen[id(one)] = (one, sample_spline(one, matrix, warp, where))
            images.append(self._seen[id(one)][1])
        return images[0], images[1]

    @classmethod
    def of(cls, velocity: VectorField, where: Mask | None = None) -> Halves:
        """The halves of the flow of a velocity.

        Parameters
        ----------
        velocity : (3, X, Y, Z) ndarray
            Voxels.
        where : (X, Y, Z) bool ndarray, optional
            Where the flow matters.

        Returns
        -------
        Halves
        """
        return cls(velocity, exponential(velocity, where, -0.5), exponential(velocity, where, 0.5))


@numba.njit(parallel=True, cache=True)
def _determinant(cx, cy, cz):
    """Jacobian determinant from the displacement's spline coefficients along each axis."""
    nx, ny, nz = cx.shape[1:]
    out = np.ones((nx, ny, nz), np.float32)
    for plane in numba.prange(1, nx - 1):
        i = np.int64(plane)
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                h = np.float32(0.5)  # slope of a cubic B-spline at a voxel: half the difference of its neighbors
                a00 = 1 + h * (cx[0, i + 1, j, k] - cx[0, i - 1, j, k])
                a01 = h * (cy[0, i, j + 1, k] - cy[0, i, j - 1, k])
                a02 = h * (cz[0, i, j, k + 1] - cz[0, i, j, k - 1])
                a10 = h * (cx[1, i + 1, j, k] - cx[1, i - 1, j, k])
                a11 = 1 + h * (cy[1, i, j + 1, k] - cy[1, i, j - 1, k])
                a12 = h * (cz[1, i, j, k + 1] - cz[1, i, j, k - 1])
                a20 = h * (cx[2, i + 1, j, k] - cx[2, i - 1, j, k])
                a21 = h * (cy[2, i, j + 1, k] - cy[2, i, j - 1, k])
                a22 = 1 + h * (cz[2, i, j, k + 1] - cz[2, i, j, k - 1])
                out[i, j, k] = (
                    a00 * (a11 * a22 - a12 * a21) - a01 * (a10 * a22 - a12 * a20) + a02 * (a10 * a21 - a11 * a20)
                )
    return out


@numba.njit(cache=True)
def _prefilter_rows(rows, pole) -> None:
    """Cubic B-spline coefficients across rows, in place: mirrored about the first and the last row.

    A causal and an anticausal recursive filter (https://doi.org/10.1109/79.799930).
    """
    count, length = rows.shape
    if count == 1:
        return
    for j in range(count):
        row = rows[j]
        for k in range(length):
            row[k] *= np.float32(6)
    first, power = rows[0].copy(), pole
    for distance in range(1, _POLE_REACH):
        at = distance % (2 * count - 2)
        row = rows[at if at < count else 2 * count - 2 - at]
        for k in range(length):
            first[k] += power * row[k]
        power *= pole
    rows[0] = first
    for j in range(1, count):
        before, row = rows[j - 1], rows[j]
        for k in range(length):
            row[k] += pole * before[k]
    before, last = rows[count - 2], rows[count - 1]
    scale = pole / (pole * pole - np.float32(1))
    for k in range(length):
        last[k] = scale * (pole * before[k] + last[k])
    for j in range(count - 2, -1, -1):
        row, after = rows[j], rows[j + 1]
        for k in range(length):
            row[k] = pole * (after[k] - row[k])


@numba.njit(cache=True)
def _prefilter(volume, axis) -> None:
    """The same along an axis of a volume, in place."""
    nx, ny, nz = volume.shape
    pole = np.float32(np.sqrt(3.0) - 2.0)
    if axis == 0:
        rows = np.empty((nx, nz), np.float32)
        for j in range(ny):
            for i in range(nx):
                rows[i] = volume[i, j]
            _prefilter_rows(rows, pole)
            for i in range(nx):
                volume[i, j] = rows[i]
    elif axis == 1:
        for i in range(nx):
            _prefilter_rows(volume[i], pole)
    else:
        turned = np.empty((nz, ny), np.float32)
        for i in range(nx):
            for j in range(ny):
                for k in range(nz):
                    turned[k, j] = volume[i, j, k]
            _prefilter_rows(turned, pole)
            for j in range(ny):
                for k in range(nz):
                    volume[i, j, k] = turned[k, j]


def _coefficients_along(u: VectorField, axis: int) -> VectorField:
    """Cubic B-spline coefficients along one axis, slopes going on straight beyond the borders."""
    pad = [(_SPLINE_REACH, _SPLINE_REACH) if a == axis else (0, 0) for a in range(u.ndim)]
    inner = tuple(slice(_SPLINE_REACH, -_SPLINE_REACH) if a == axis else slice(None) for a in range(u.ndim))
    wide = np.pad(u, pad, mode="reflect", reflect_type="odd")
    for part in wide:
        _prefilter(part, axis - 1)
    return np.ascontiguousarray(wide[inner])


def jacobian_determinant(u: VectorField) -> ScalarField:
    """det(1 + grad u) of a displacement.

    The derivatives are those of cubic splines through the voxels: plain central differences lose a quarter of what
    changes within five voxels, and sulci widen on that scale.

    Parameters
    ----------
    u : (3, X, Y, Z) float32
        Voxels.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        Volume of a voxel after over before, positive where nothing folds; one on the outermost voxels.
    """
    return np.asarray(_determinant(*(_coefficients_along(u, axis) for axis in (1, 2, 3))))


@numba.njit(cache=True, inline="always")
def _weigh(f, w) -> None:
    """Weights of a cubic B-spline's four coefficients at the fraction `f` of a step."""
    g = 1 - f
    third = np.float32(1 / 6)
    w[0] = g * g * g * third
    w[1] = (4 + f * f * (3 * f - 6)) * third
    w[2] = (4 + g * g * (3 * g - 6)) * third
    w[3] = f * f * f * third


@numba.njit(cache=True)
def _sum_at_border(coefficients, a, c, d, wx, wy, wz):
    """Weighted sum of the coefficients around a place, mirrored about the first and last voxel."""
    sx, sy, sz = coefficients.shape
    total = np.float32(0)
    for p in range(4):
        ia = abs(a - 1 + p)
        ia = ia if ia < sx else 2 * (sx - 1) - ia
        for q in range(4):
            ic = abs(c - 1 + q)
            ic = ic if ic < sy else 2 * (sy - 1) - ic
            for r in range(4):
                ie = abs(d - 1 + r)
                ie = ie if ie < sz else 2 * (sz - 1) - ie
                total += wx[p] * wy[q] * wz[r] * coefficients[ia, ic, ie]
    return total


@numba.njit(parallel=True, cache=True)
def _sample_spline(coefficients, matrix, offset, u, where, out):
    """Cubic B-spline of `coefficients` at matrix (x + u) + offset; zero outside of the image and of `where`."""
    nx, ny, nz = out.shape
    sx, sy, sz = coefficients.shape
    flat = coefficients.ravel()
    for plane in numba.prange(nx):
        i = np.int64(plane)
        wx = np.empty(4, np.float32)
        wy = np.empty(4, np.float32)
        wz = np.empty(4, np.float32)
        for j in range(ny):
            for k in range(nz):
                if not where[i, j, k]:
                    out[i, j, k] = 0
                    continue
                x = i + u[0, i, j, k]
                y = j + u[1, i, j, k]
                z = k + u[2, i, j, k]
                px = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + offset[0]
                py = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + offset[1]
                pz = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + offset[2]
                if px < 0 or py < 0 or pz < 0 or px > sx - 1 or py > sy - 1 or pz > sz - 1:
                    out[i, j, k] = 0
                    continue
                a, c, d = int(px), int(py), int(pz)
                _weigh(np.float32(px - a), wx)
                _weigh(np.float32(py - c), wy)
                _weigh(np.float32(pz - d), wz)
                if 0 < a < sx - 2 and 0 < c < sy - 2 and 0 < d < sz - 2:
                    s0 = s1 = s2 = s3 = np.float32(0)
                    for p in range(4):
                        for q in range(4):
                            first = np.uintp(((a - 1 + p) * sy + c - 1 + q) * sz + d - 1)
                            w = wx[p] * wy[q]
                            s0 += w * flat[first]
                            s1 += w * flat[first + np.uintp(1)]
                            s2 += w * flat[first + np.uintp(2)]
                            s3 += w * flat[first + np.uintp(3)]
                    out[i, j, k] = (wz[0] * s0 + wz[1] * s1) + (wz[2] * s2 + wz[3] * s3)
                else:
                    out[i, j, k] = _sum_at_border(coefficients, a, c, d, wx, wy, wz)


def spline_coefficients(image: Image) -> ScalarField:
    """Cubic B-spline coefficients of an image, mirrored at the borders.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Any unit.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In the image's unit.
    """
    coefficients = np.array(image, np.float32, order="C")
    for axis in range(3):
        _prefilter(coefficients, axis)
    return coefficients


def sample_spline(
    coefficients: ScalarField, grid_to_voxel: Affine, u: VectorField, where: Mask | None = None
) -> ScalarField:
    """Image with `coefficients` on a displaced grid: at grid_to_voxel applied to (x + u(x)), zero outside.

    Parameters
    ----------
    coefficients : (A, B, C) float32
        From `spline_coefficients`.
    grid_to_voxel : (4, 4) ndarray
        Indices of the grid to voxel indices of the image.
    u : (3, X, Y, Z) float32
        Displacement in voxels of the grid.
    where : (X, Y, Z) bool ndarray, optional
        Where the image is wanted; zero elsewhere.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        In the image's unit; a spline overshoots its range at sharp borders.
    """
    where = np.ones(u.shape[1:], bool) if where is None else where
    out = np.empty(u.shape[1:], np.float32)
    matrix = np.ascontiguousarray(grid_to_voxel[:3, :3], dtype=np.float64)
    _sample_spline(coefficients, matrix, np.ascontiguousarray(grid_to_voxel[:3, 3], dtype=np.float64), u, where, out)
    return out
