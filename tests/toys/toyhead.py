"""A ball of a head in RAS millimeters: analytic, so that any grid can look at it; and grids in every orientation."""

import numpy as np

WHITE, GRAY, FLUID = 1.0, 0.66, 0.2
WHITE_MM, GRAY_MM, SKULL_MM, SCALP_MM = 26.0, 31.0, 38.0, 44.0


def _inside(radius, limit, blur_mm=1.0):
    return 1 / (1 + np.exp(np.clip((radius - limit) / (0.5 * blur_mm), -60, 60)))


def radius_of(points, shrink_mm=0.0):
    """Distance from the middle; folds make it more than a ball, `shrink_mm` moves the cortex inwards."""
    x, y, z = points
    r = np.sqrt((x / 1.05) ** 2 + (y / 1.2) ** 2 + (z / 0.95) ** 2) + 1e-6
    folds = 1.5 * np.sin(x / 5.0) * np.cos(y / 6.0 + z / 7.0)
    return r, r + folds + shrink_mm


def fractions(points, shrink_mm=0.0):
    """White, gray and fluid fractions at RAS points (3, ...)."""
    r, folded = radius_of(points, shrink_mm)
    inside = _inside(r, SKULL_MM)
    brain = _inside(folded, GRAY_MM) * inside
    white = _inside(folded, WHITE_MM + shrink_mm) * brain
    return white, brain - white, inside - brain


def intensity(points, shrink_mm=0.0):
    """T1w intensity: brain, dark skull, bright textured scalp."""
    white, gray, fluid = fractions(points, shrink_mm)
    r, _ = radius_of(points)
    scalp = _inside(r, SCALP_MM) - _inside(r, SKULL_MM + 2.5)
    x, y, z = points
    texture = 1 + 0.3 * np.sin(x / 4.0) * np.sin(y / 5.0) + 0.2 * np.cos(z / 3.0)
    return WHITE * white + GRAY * gray + FLUID * fluid + 0.8 * scalp * texture


def masks(points):
    """Brain and intracranial masks."""
    r, folded = radius_of(points)
    return folded < GRAY_MM, r < SKULL_MM


def affine_of(orientation: str, voxel_mm: tuple[float, float, float] = (2.0, 2.0, 2.0)) -> np.ndarray:
    """Voxel to RAS of a grid whose axes point as `orientation` says; "oblique" is RAS turned about two axes."""
    if orientation == "oblique":
        a, b = np.deg2rad([17.0, -11.0])
        about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
        directions = about_z @ about_x
    else:
        directions = np.zeros((3, 3))
        for axis, letter in enumerate(orientation):
            row = "RLAPSI".index(letter) // 2
            directions[row, axis] = 1 if letter in "RAS" else -1
    affine = np.eye(4)
    affine[:3, :3] = directions @ np.diag(voxel_mm)
    return affine


def centered(affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The same grid with RAS zero in its middle."""
    affine = affine.copy()
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def places(affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """RAS coordinates (3, X, Y, Z) of a grid."""
    index = np.indices(shape, dtype=float)
    return np.tensordot(affine[:3, :3], index, 1) + affine[:3, 3][:, None, None, None]
