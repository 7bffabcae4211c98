"""Ellipsoids and tubes, drawn as depth below their surface in millimeters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FAR_OUTSIDE_MM = -20.0


@dataclass(frozen=True)
class Grid:
    """A regular grid along RAS axes: voxel (i, j, k) is at ``origin_mm + voxel_mm * (i, j, k)``."""

    shape: tuple[int, int, int]
    voxel_mm: float
    origin_mm: tuple[float, float, float]

    @property
    def voxel_to_ras(self) -> NDArray[np.float64]:
        """Voxel indices to RAS millimeters, (4, 4)."""
        affine = np.diag([self.voxel_mm, self.voxel_mm, self.voxel_mm, 1.0])
        affine[:3, 3] = self.origin_mm
        return affine

    def axes_mm(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Coordinates along x, y and z, shaped so that they broadcast to the grid."""
        x, y, z = (
            (start + self.voxel_mm * np.arange(side)).astype(np.float32)
            for start, side in zip(self.origin_mm, self.shape, strict=True)
        )
        return x[:, None, None], y[None, :, None], z[None, None, :]


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid along the axes, its center and radii in RAS millimeters."""

    center_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]

    def mirrored(self) -> Ellipsoid:
        """Return the same shape on the other side of the head."""
        x, y, z = self.center_mm
        return replace(self, center_mm=(-x, y, z))

    def bounds_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest corner."""
        center, radii = np.array(self.center_mm), np.array(self.radii_mm)
        return center - radii, center + radii

    def depth_mm(self, x: NDArray[np.float32], y: NDArray[np.float32], z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Depth below the surface, negative outside; exact on a sphere, close to it near the surface otherwise."""
        scaled = [(p - c) / r for p, c, r in zip((x, y, z), self.center_mm, self.radii_mm, strict=True)]
        radius = np.sqrt(sum(s * s for s in scaled))
        slope = np.sqrt(sum((s / r) ** 2 for s, r in zip(scaled, self.radii_mm, strict=True)))
        return np.asarray((1 - radius) * np.maximum(radius, 1e-3) / np.maximum(slope, 1e-6), dtype=np.float32)


@dataclass(frozen=True)
class Tube:
    """A tube along a path: rows of x, y, z and radius, in RAS millimeters."""

    path_mm: tuple[tuple[float, float, float, float], ...]

    def mirrored(self) -> Tube:
        """Return the same shape on the other side of the head."""
        return Tube(tuple((-x, y, z, r) for x, y, z, r in self.path_mm))

    def bounds_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest corner."""
        path = np.array(self.path_mm)
        return (path[:, :3] - path[:, 3:]).min(0), (path[:, :3] + path[:, 3:]).max(0)

    def depth_mm(self, x: NDArray[np.float32], y: NDArray[np.float32], z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Depth below the surface, negative outside."""
        depth = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), FAR_OUTSIDE_MM, np.float32)
        for start, end in zip(self.path_mm[:-1], self.path_mm[1:], strict=True):
            np.maximum(depth, _segment_depth_mm(np.array(start), np.array(end), (x, y, z)), out=depth)
        return depth


def _segment_depth_mm(
    start: NDArray[np.float64], end: NDArray[np.float64], points: tuple[NDArray[np.float32], ...]
) -> NDArray[np.float32]:
    along = (end - start)[:3]
    place = sum((p - s) * a for p, s, a in zip(points, start, along, strict=False)) / max(float(along @ along), 1e-9)
    place = np.clip(place, 0, 1)
    square = sum((p - s - place * a) ** 2 for p, s, a in zip(points, start, along, strict=False))
    return np.asarray(start[3] + place * (end[3] - start[3]) - np.sqrt(square), dtype=np.float32)


Shape = Ellipsoid | Tube


def both_sides(*shapes: Shape) -> tuple[Shape, ...]:
    """Shapes of the right side together with their mirror images."""
    return (*shapes, *(shape.mirrored() for shape in shapes))


def draw_depth(grid: Grid, shapes: Iterable[Shape], margin_mm: float = 8.0) -> NDArray[np.float32]:
    """Depth below the surface of the union of shapes.

    Parameters
    ----------
    grid : Grid
        Where to draw.
    shapes : iterable of Shape
        What to draw; an overlap belongs to the deeper one.
    margin_mm : float
        How far outside a shape its distance is still wanted.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        Millimeters, negative outside, ``FAR_OUTSIDE_MM`` beyond the margin of every shape.
    """
    depth = np.full(grid.shape, FAR_OUTSIDE_MM, np.float32)
    axes = grid.axes_mm()
    for shape in shapes:
        low, high = shape.bounds_mm()
        first = np.floor((low - margin_mm - grid.origin_mm) / grid.voxel_mm).astype(int)
        last = np.ceil((high + margin_mm - grid.origin_mm) / grid.voxel_mm).astype(int) + 1
        box = tuple(slice(max(int(a), 0), max(int(b), 0)) for a, b in zip(first, last, strict=True))
        x, y, z = axes
        inside = shape.depth_mm(x[box[0]], y[:, box[1]], z[:, :, box[2]])
        np.maximum(depth[box], inside, out=depth[box])
    return depth


def soften(depth_mm: NDArray[np.float32], width_mm: float) -> NDArray[np.float32]:
    """Membership in [0, 1]: one half at the surface, a linear ramp as wide as `width_mm`."""
    return np.asarray(np.clip(0.5 + depth_mm / width_mm, 0, 1), dtype=np.float32)
