"""Synthesize T1w-like heads of random contrast from label maps, with the structures they show.

Every sample is new: the label map is turned, scaled and warped, each label gets an intensity of its own, and
bias, texture, noise, resolution, cropping and defacing are drawn anew (the way of SynthStrip,
https://doi.org/10.1016/j.neuroimage.2022.119474, narrowed to contrasts in which white matter is brightest).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numba
import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from graytrace.algorithms.structures import STRUCTURES
from graytrace.phantoms.anatomy import LABELS, draw_head

CORTEX = (3, 42)
CEREBELLAR_CORTEX = (8, 47)
DEEP_GRAY = (10, 11, 12, 13, 17, 18, 26, 49, 50, 51, 52, 53, 54, 58)
WHITE_MATTER = (2, 41, 7, 46, 77, 78, 79, 85, 192)
BRAINSTEM = (16, 28, 60)
VENTRICLES = (4, 43, 5, 44, 14, 15, 72, 31, 63)
OUTER_CSF = (24, 30, 62, 25, 57)
MEMBERS = dict(
    zip(
        STRUCTURES[1:],
        (CORTEX, CEREBELLAR_CORTEX, DEEP_GRAY, WHITE_MATTER, BRAINSTEM, VENTRICLES, OUTER_CSF),
        strict=True,
    )
)
THALAMUS, PALLIDUM = (10, 49), (13, 52)


@dataclass(frozen=True)
class Head:
    """A label map prepared for sampling: compact indices, and what each index means."""

    indices: np.ndarray  # (X, Y, Z) uint8 into `labels`
    labels: np.ndarray  # (N,) FreeSurfer numbers
    structures: np.ndarray  # (N,) uint8 into STRUCTURES
    center: np.ndarray  # (3,) voxel at the middle of the brain


def load_head(path: Path) -> Head:
    """Read a 1 mm label map and crop it to the head."""
    image = nib.as_closest_canonical(nib.load(path))
    volume = np.asanyarray(image.dataobj).astype(np.int16)
    box = tuple(slice(max(0, int(a.min()) - 2), int(a.max()) + 3) for a in np.nonzero(volume))
    labels, indices = np.unique(volume[box], return_inverse=True)
    structures = np.zeros(len(labels), np.uint8)
    for number, name in enumerate(STRUCTURES):
        structures[np.isin(labels, MEMBERS.get(name, ()))] = number
    indices = indices.reshape(volume[box].shape).astype(np.uint8)
    brain = np.argwhere(structures[indices] > 0)
    return Head(indices, labels, structures, (brain.min(0) + brain.max(0)) / 2.0)


def draw_phantom_head(seed: int) -> Head:
    """A head of the project's own phantoms, whose brain comes from the MNI152 maps."""
    anatomy = draw_head(seed, voxel_mm=1.0)
    structures = np.array([STRUCTURES.index(n) if n in STRUCTURES else 0 for n in LABELS], np.uint8)
    numbers = np.array([0 if n == "air" else 1000 + i for i, n in enumerate(LABELS)])
    filled = anatomy.labels > 0
    box = tuple(slice(int(a.min()), int(a.max()) + 1) for a in np.nonzero(filled))
    labels = anatomy.labels[box]
    brain = np.argwhere(structures[labels] > 0)
    return Head(labels, numbers, structures, (brain.min(0) + brain.max(0)) / 2.0)


@numba.njit(cache=True, fastmath=True, nogil=True)
def _sample(indices, intensity, structure, matrix, offset, warp, image, share):
    nx, ny, nz = image.shape
    for x in range(nx):
        for y in range(ny):
            for z in range(nz):
                total = 0.0
                for sub in range(8):
                    px = x + ((sub & 1) - 0.5) * 0.5
                    py = y + ((sub >> 1 & 1) - 0.5) * 0.5
                    pz = z + ((sub >> 2 & 1) - 0.5) * 0.5
                    i = int(
                        np.floor(
                            matrix[0, 0] * px
                            + matrix[0, 1] * py
                            + matrix[0, 2] * pz
                            + offset[0]
                            + warp[0, x, y, z]
                            + 0.5
                        )
                    )
                    j = int(
                        np.floor(
                            matrix[1, 0] * px
                            + matrix[1, 1] * py
                            + matrix[1, 2] * pz
                            + offset[1]
                            + warp[1, x, y, z]
                            + 0.5
                        )
                    )
                    k = int(
                        np.floor(
                            matrix[2, 0] * px
                            + matrix[2, 1] * py
                            + matrix[2, 2] * pz
                            + offset[2]
                            + warp[2, x, y, z]
                            + 0.5
                        )
                    )
                    inside = 0 <= i < indices.shape[0] and 0 <= j < indices.shape[1] and 0 <= k < indices.shape[2]
                    label = indices[i, j, k] if inside else 0
                    total += intensity[label]
                    share[structure[label], x, y, z] += 0.125
                image[x, y, z] = total / 8


@numba.njit(cache=True, fastmath=True, nogil=True)
def _enlarge(small, out):
    """Linear interpolation of `small` over the extent of `out`."""
    nx, ny, nz = out.shape
    mx, my, mz = small.shape
    for x in range(nx):
        px = x * (mx - 1) / max(nx - 1, 1)
        i = min(int(px), mx - 2)
        for y in range(ny):
            py = y * (my - 1) / max(ny - 1, 1)
            j = min(int(py), my - 2)
            for z in range(nz):
                pz = z * (mz - 1) / max(nz - 1, 1)
                k = min(int(pz), mz - 2)
                fx, fy, fz = px - i, py - j, pz - k
                low = (small[i, j, k] * (1 - fx) + small[i + 1, j, k] * fx) * (1 - fy) + (
                    small[i, j + 1, k] * (1 - fx) + small[i + 1, j + 1, k] * fx
                ) * fy
                high = (small[i, j, k + 1] * (1 - fx) + small[i + 1, j, k + 1] * fx) * (1 - fy) + (
                    small[i, j + 1, k + 1] * (1 - fx) + small[i + 1, j + 1, k + 1] * fx
                ) * fy
                out[x, y, z] = low * (1 - fz) + high * fz


def smooth_field(shape, sigma, rng):
    """Smooth random field, (X, Y, Z), zero mean and unit standard deviation; `sigma` in voxels."""
    small = [max(4, int(np.ceil(2 * s / max(sigma, 2)))) for s in shape]
    coarse = ndimage.gaussian_filter(rng.standard_normal(small, dtype=np.float32), 1.0, mode="reflect")
    coarse = (coarse - coarse.mean()) / (coarse.std() + 1e-6)
    field = np.empty(shape, np.float32)
    _enlarge(coarse, field)
    return field * np.float32(1.2)  # interpolation between the nodes has taken some of the spread


def draw_intensities(head, rng):
    """One mean intensity for every label; white matter is 1 and brightest inside the brain."""
    gray, csf = rng.uniform(0.45, 0.85), rng.uniform(0.08, 0.4)
    values = rng.uniform(0.05, 1.25, len(head.labels))
    base = {
        "cortex": gray,
        "cerebellar_cortex": gray * rng.uniform(0.92, 1.08),
        "deep_gray": gray + 0.1 * (1 - gray),
        "white_matter": 1.0,
        "brainstem": 1 - rng.uniform(0, 0.5) * (1 - gray),
        "ventricles": csf,
        "outer_csf": csf * rng.uniform(0.8, 1.5),
    }
    for number, name in enumerate(STRUCTURES):
        if name in base:
            members = head.structures == number
            values[members] = base[name] * rng.normal(1, 0.03, members.sum())
    thalamus, pallidum = gray + rng.uniform(0.2, 0.6) * (1 - gray), gray + rng.uniform(0.4, 0.9) * (1 - gray)
    values[np.isin(head.labels, THALAMUS)] = thalamus
    values[np.isin(head.labels, PALLIDUM)] = pallidum
    values[head.labels == 0] = rng.choice([0.0, rng.uniform(0, 0.1)])
    values[(head.structures == 0) & (head.labels == 515)] *= rng.uniform(0.05, 0.5)  # cortical bone is dark
    return values.astype(np.float32)


def random_placement(head, shape, voxel_mm, rng):
    """Affine from sample voxels to label voxels (1 mm) and a smooth warp in mm."""
    turn = Rotation.from_euler("XYZ", rng.normal(0, 9, 3), degrees=True).as_matrix()
    stretch = np.diag(np.exp(rng.normal(0, 0.07, 3))) + rng.normal(0, 0.03, (3, 3)) * (1 - np.eye(3))
    matrix = turn @ stretch * voxel_mm
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    middle = (np.array(shape) - 1) / 2 + rng.normal(0, [4, 6, 9])
    offset = head.center - matrix @ middle
    warp = np.stack(
        [
            smooth_field(shape, rng.uniform(5, 14), rng) * abs(rng.normal(0, 1.8))
            + smooth_field(shape, 24, rng) * abs(rng.normal(0, 2.5))
            for _ in range(3)
        ]
    ).astype(np.float32)
    return matrix, offset, warp


def degrade(image, share, rng):
    """Bias field, blur to a coarser or thicker-sliced acquisition, Rician noise, field-of-view cuts, defacing."""
    shape = image.shape
    bias = smooth_field(shape, rng.uniform(15, 40), rng) * rng.uniform(0, 0.22)
    image = image * np.exp(bias)
    if rng.random() < 0.5:
        sigma = rng.uniform(0, 0.6, 3)
        if rng.random() < 0.5:
            sigma[rng.integers(3)] = rng.uniform(0.4, 1.1)  # slices up to about 5 mm thick
        image = ndimage.gaussian_filter(image, sigma)
    noise = rng.uniform(0, 0.08) if rng.random() < 0.8 else rng.uniform(0.08, 0.16)
    real, imaginary = (rng.standard_normal(shape, np.float32) * noise for _ in range(2))
    image = np.hypot(image + real, imaginary)
    image = image ** rng.uniform(0.8, 1.25)
    brain = share[1:].sum(0) > 0.5
    where = np.argwhere(brain)
    if rng.random() < 0.3:  # defaced: an oblique plane in front of and below the brain
        normal = np.array([0, rng.uniform(0.6, 1), -rng.uniform(0.3, 1)])
        normal /= np.linalg.norm(normal)
        level = (where @ normal).max() - rng.uniform(-3, 1)
        ramp = np.tensordot(normal, np.indices(shape), 1)
        image = np.where((ramp > level) & ~brain, 0, image)
    if rng.random() < 0.08:  # already stripped
        image = image * ndimage.binary_dilation(brain, iterations=int(rng.integers(1, 4)))
    if rng.random() < 0.3:  # neck or top outside the field of view
        cut = int(where[:, 2].min() - rng.integers(-2, 8))
        image[:, :, : max(cut, 0)] = 0
    if rng.random() < 0.05:
        image[:, :, where[:, 2].max() - int(rng.integers(0, 6)) :] = 0
    return image.astype(np.float32)


def synthesize(head, shape, voxel_mm, rng):
    """One training sample: image (X, Y, Z) and structure fractions (C, X, Y, Z), both float32."""
    matrix, offset, warp = random_placement(head, shape, voxel_mm, rng)
    image = np.zeros(shape, np.float32)
    share = np.zeros((len(STRUCTURES), *shape), np.float32)
    _sample(head.indices, draw_intensities(head, rng), head.structures, matrix, offset, warp, image, share)
    outer = share[0]
    texture = 1 + 0.4 * rng.random() * smooth_field(shape, 3, rng) + 0.3 * rng.random() * smooth_field(shape, 8, rng)
    image = image * (1 - outer) + image * outer * np.clip(texture, 0.1, None)
    image *= 1 + 0.05 * rng.random() * smooth_field(shape, 4, rng)
    if rng.random() < 0.35:  # white-matter lesions as dark as gray matter are still white matter
        blobs = smooth_field(shape, 4, rng) > rng.uniform(2.3, 3.2)
        lesion = ndimage.gaussian_filter(blobs.astype(np.float32), 0.7) * share[4]
        image *= 1 - lesion * rng.uniform(0.2, 0.5)
    return degrade(image, share, rng), share
