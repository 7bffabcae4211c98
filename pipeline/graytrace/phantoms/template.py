"""The head every phantom starts from: MNI152 tissue maps with the rest of the head drawn around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template
from numpy.typing import NDArray
from scipy import ndimage

from graytrace.phantoms import landmarks
from graytrace.phantoms.shapes import Ellipsoid, Grid, draw_depth, soften

STRUCTURES = (
    "cortex",
    "cerebellar_cortex",
    "deep_gray",
    "white_matter",
    "brainstem",
    "ventricles",
    "outer_csf",
)
SURROUNDINGS = (
    "air", "muscle", "skin", "fat", "bone", "marrow", "dura", "vessel", "eye", "lens", "cord", "spinal_csf",
)  # fmt: skip
LOWEST_MM, HIGHEST_MM = (-90.0, -126.0, -134.0), (90.0, 114.0, 102.0)

_ENVELOPE_MM = 14.5  # from the inner face of the skull to the skin, before each phantom's own thickness
_SKULL_DETAIL_MM = 2.0  # the inner face of the skull is smooth: its distance need not be computed finer
_FISSURE_MM = 12.0  # how far the outline of the brain is closed over fissures
_MAP_MM = 1  # nilearn ships the maps at this resolution


@dataclass(frozen=True)
class HeadTemplate:
    """What a phantom is drawn from, all on `grid`.

    Attributes
    ----------
    priors : (7, X, Y, Z) float32 ndarray
        Probability of each of `STRUCTURES`; they sum to one inside the brain's outline and to zero far outside it.
    deep_brightness : (X, Y, Z) float32 ndarray
        In [0, 1]: how much of the way from gray to white the T1w intensity of a nucleus is.
    outside_brain_mm : (X, Y, Z) float32 ndarray
        Distance to the smooth outline of the brain, negative inside.
    below_skin_mm : (X, Y, Z) float32 ndarray
        Depth below the skin, negative in air.
    surroundings : (X, Y, Z) uint8 ndarray
        Index into `SURROUNDINGS` of what is drawn there; muscle where nothing is.
    """

    grid: Grid
    priors: NDArray[np.float32]
    deep_brightness: NDArray[np.float32]
    outside_brain_mm: NDArray[np.float32]
    below_skin_mm: NDArray[np.float32]
    surroundings: NDArray[np.uint8]


def head_grid(voxel_mm: float) -> Grid:
    """The grid of a whole head with its neck, centered like MNI152."""
    sides = [round((high - low) / voxel_mm) for low, high in zip(LOWEST_MM, HIGHEST_MM, strict=True)]
    return Grid((sides[0], sides[1], sides[2]), voxel_mm, LOWEST_MM)


@lru_cache(maxsize=2)
def load_template(voxel_mm: float) -> HeadTemplate:
    """Build the template once per process and voxel size."""
    grid = head_grid(voxel_mm)
    gray, white, t1w = (
        load(resolution=_MAP_MM) for load in (load_mni152_gm_template, load_mni152_wm_template, load_mni152_template)
    )
    brain = ndimage.binary_fill_holes(t1w.get_fdata() > 0).astype(np.float32)  # the T1w template is stripped
    gray, white = (_average_onto(grid, image.get_fdata(dtype=np.float32), image.affine) for image in (gray, white))
    brain = _average_onto(grid, brain, t1w.affine)
    outside_brain_mm = _outside_brain_mm(brain, grid)
    priors, deep_brightness = _split_structures(gray, white, brain, grid)
    below_skin_mm = _below_skin_mm(outside_brain_mm, grid)
    return HeadTemplate(grid, priors, deep_brightness, outside_brain_mm, below_skin_mm, _draw_surroundings(grid))


def _average_onto(grid: Grid, volume: NDArray[np.float32], voxel_to_ras: NDArray[np.float64]) -> NDArray[np.float32]:
    """Resample a map; a larger voxel averages, it does not pick."""
    if grid.voxel_mm > _MAP_MM:
        volume = ndimage.gaussian_filter(volume, 0.4 * np.sqrt((grid.voxel_mm / _MAP_MM) ** 2 - 1))
    grid_to_map = np.linalg.inv(voxel_to_ras) @ grid.voxel_to_ras
    return np.asarray(ndimage.affine_transform(volume, grid_to_map, output_shape=grid.shape, order=1))


def _split_structures(
    gray: NDArray[np.float32], white: NDArray[np.float32], brain: NDArray[np.float32], grid: Grid
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Name what the maps show: (7, X, Y, Z) priors and the brightness of nuclei."""
    csf = np.clip(brain - gray - white, 0, 1)
    matter = gray + white
    thalamus = soften(draw_depth(grid, landmarks.THALAMUS), 2.5)
    pallidum = soften(draw_depth(grid, landmarks.PALLIDUM), 2.5)
    nuclei = soften(draw_depth(grid, landmarks.OTHER_NUCLEI), 4.0)
    stem = soften(draw_depth(grid, landmarks.BRAINSTEM), 4.0)
    cerebellum = soften(draw_depth(grid, landmarks.CEREBELLUM), 4.0) * (1 - stem)
    lateral = draw_depth(grid, landmarks.LATERAL_VENTRICLES)
    ventricles = np.maximum(soften(lateral, 4.0), soften(draw_depth(grid, landmarks.MIDLINE_VENTRICLES), 4.0))

    # The maps call thalamus and pallidum half white because they are bright in T1w; by anatomy they are gray.
    deep = np.maximum(np.maximum(thalamus, pallidum) * matter, nuclei * gray) * (1 - stem)
    brainstem = stem * matter
    rest_gray, rest_white = (
        tissue * np.clip(1 - deep / np.maximum(matter, 1e-3), 0, 1) * (1 - stem) for tissue in (gray, white)
    )
    # Averaging CSF and white matter looks gray: no cortex lines the lateral ventricles, whatever the map says.
    lining = soften(lateral + 5, 4.0)
    rest_white += rest_gray * lining
    rest_gray *= 1 - lining
    priors = np.stack(
        [
            rest_gray * (1 - cerebellum),
            rest_gray * cerebellum,
            deep,
            rest_white,
            brainstem,
            csf * ventricles,
            csf * (1 - ventricles),
        ]
    )
    return priors, np.maximum(0.42 * thalamus, 0.68 * pallidum)


def _outside_brain_mm(brain: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """Signed distance to the outline of the brain, closed over fissures, smooth as a skull is."""
    step = max(round(_SKULL_DETAIL_MM / grid.voxel_mm), 1)
    coarse_mm = step * grid.voxel_mm
    reach = int(np.ceil(_FISSURE_MM / coarse_mm)) + 1
    mask = np.pad(brain[::step, ::step, ::step] > 0.5, reach)
    near = ndimage.distance_transform_edt(~mask) * coarse_mm < _FISSURE_MM
    closed = ndimage.distance_transform_edt(near) * coarse_mm > _FISSURE_MM
    closed = closed[(slice(reach, -reach),) * 3]
    distance = (ndimage.distance_transform_edt(~closed) - ndimage.distance_transform_edt(closed)) * coarse_mm
    distance = ndimage.gaussian_filter(distance.astype(np.float32), 1.0)
    if step == 1:
        return np.asarray(distance)
    matrix = np.full(3, 1 / step)
    return np.asarray(ndimage.affine_transform(distance, matrix, output_shape=grid.shape, order=1, mode="nearest"))


def _below_skin_mm(outside_brain_mm: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    below = draw_depth(grid, landmarks.HEAD_BELOW_THE_SKULL, margin_mm=20.0)
    np.maximum(below, _ENVELOPE_MM - outside_brain_mm, out=below)
    return np.asarray(ndimage.gaussian_filter(below, 4.0 / grid.voxel_mm, mode="nearest"))


def _draw_surroundings(grid: Grid) -> NDArray[np.uint8]:
    """Face and neck, later ones drawn over earlier ones."""
    code = {name: number for number, name in enumerate(SURROUNDINGS)}
    drawn = np.full(grid.shape, code["muscle"], np.uint8)
    # between the muscles of neck and face lies fat
    between = draw_depth(grid, (Ellipsoid((0, 0, -130), (90, 120, 95)),), margin_mm=0) > 0
    drawn[between] = code["fat"]
    layers = (
        ("muscle", landmarks.NECK_MUSCLES, 0.0),
        ("bone", landmarks.FACE_BONES, 0.0),
        ("marrow", landmarks.FACE_BONES, 2.0),
        ("bone", landmarks.VERTEBRAE, 0.0),
        ("marrow", landmarks.VERTEBRAE, 1.5),
        ("spinal_csf", landmarks.SPINAL_CANAL, 0.0),
        ("cord", landmarks.SPINAL_CORD, 0.0),
        ("bone", landmarks.AIR, -1.5),
        ("air", landmarks.AIR, 0.0),
        ("fat", landmarks.ORBITAL_FAT, 0.0),
        ("muscle", landmarks.OPTIC_NERVES, 0.0),
        ("skin", landmarks.EYES, -1.2),
        ("eye", landmarks.EYES, 0.0),
        ("lens", landmarks.LENSES, 0.0),
        ("vessel", landmarks.VENOUS_SINUSES, 0.0),
    )
    for name, shapes, from_depth_mm in layers:
        drawn[draw_depth(grid, shapes, margin_mm=4.0) > from_depth_mm] = code[name]
    return drawn
