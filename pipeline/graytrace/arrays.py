"""Names for the arrays that the package passes around: what one holds, its shape, its unit and its range.

mypy tells floats, booleans and integers apart by them.  The shape is a promise to the reader: numpy's types cannot hold
it.  X, Y, Z are the axes of a grid in the order of its affine; a grid's own voxels need not be cubes.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.floating[Any]]
"""(X, Y, Z) float: intensities, finite and not negative; in the scan's unit, or white matter = 1 where it says so."""

Fractions: TypeAlias = NDArray[np.floating[Any]]
"""(X, Y, Z) float in [0, 1]: the part of each voxel that is one tissue; gm, wm and csf sum to one within the skull."""

Probabilities: TypeAlias = NDArray[np.floating[Any]]
"""(C, X, Y, Z) float in [0, 1]: how likely each of C structures is in each voxel; they sum to one over C."""

Mask: TypeAlias = NDArray[np.bool_]
"""(X, Y, Z) bool: the voxels that belong to something."""

Voxels: TypeAlias = NDArray[Any]
"""(X, Y, Z) of any type: what a file holds, an image, fractions or a mask; the one who asks for it knows which."""

Channels: TypeAlias = NDArray[np.floating[Any]]
"""(X, Y, Z, C) float: several maps of one grid, as tools write them; probabilities in [0, 1] where it says so."""

Labels: TypeAlias = NDArray[np.integer[Any]]
"""(X, Y, Z) int: the number of the part that each voxel belongs to, 0 for none."""

ScalarField: TypeAlias = NDArray[np.floating[Any]]
"""(X, Y, Z) float: a number for each voxel that is no intensity: a distance in mm, a gain, a weight, a determinant."""

VectorField: TypeAlias = NDArray[np.floating[Any]]
"""(3, X, Y, Z) float: a vector for each voxel along the grid's axes; displacements and velocities in voxels."""

Plane: TypeAlias = NDArray[np.floating[Any]]
"""(A, B) float: a slice of an image or of a field."""

TensorField: TypeAlias = NDArray[np.floating[Any]]
"""(6, X, Y, Z) float: a symmetric 3 x 3 matrix for each voxel: xx, yy, zz, xy, xz, yz."""

Affine: TypeAlias = NDArray[np.floating[Any]]
"""(4, 4) float, last row 0 0 0 1: `a_to_b` carries places in a to places in b, in voxel indices or RAS mm."""

Vector: TypeAlias = NDArray[np.floating[Any]]
"""(3,) or (N,) float: voxel edges in mm, a place in mm, parameters of a model, one number for each voxel of a mask."""

Matrix: TypeAlias = NDArray[np.floating[Any]]
"""(M, N) float: a design with a row for each parameter, coordinates (3, N) in mm, a value for each voxel and class."""

Points: TypeAlias = NDArray[np.floating[Any]]
"""(N, 3) float: places in RAS mm."""

Indices: TypeAlias = NDArray[np.integer[Any]]
"""(N,) or (N, K) int: numbers of voxels, of classes or of blocks."""
