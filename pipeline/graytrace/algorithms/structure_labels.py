"""Which structure each voxel belongs to: what tissue it holds is seen, which structure that is says the atlas.

A fitted atlas alone is off by a millimeter at any border.  The borders of structures with another tissue are those of
the tissues' fractions instead; only where two structures of one tissue meet does the atlas draw the border.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from graytrace.algorithms.atlas_fit import AtlasFit, fit_atlas
from graytrace.algorithms.grids import affine_of_part, box_around
from graytrace.algorithms.resampling import resample
from graytrace.algorithms.smoothing import gaussian
from graytrace.algorithms.splines import sample_spline, spline_coefficients
from graytrace.algorithms.structure_atlas import LABELS, STRUCTURES, TISSUES, Atlas, Tissue, members, parts_of
from graytrace.algorithms.volumes import tissue_volume_ml
from graytrace.arrays import Affine, Fractions, Labels, Mask, Probabilities, ScalarField, VectorField

WEIGHTS: Mapping[Tissue, float] = {"deep": 2.0, "cortex": 1.0, "white": 1.0, "fluid": 1.0}
_SEEN = 0.02  # of a voxel: less of a tissue is rounding, and belongs to no structure
_KNOWN = 0.05  # sum of probabilities: where the atlas expects less of a tissue, what it says nearby is asked
_NEARBY_VOXELS = 3.0  # of the atlas
_NEARBY_WEIGHT = 1e-2
_HALF = 0.5
_MARGIN_VOXELS = 2  # around what holds tissue
# gray matter within the brainstem is brainstem; the pallidum is as bright as white matter and is mostly taken for it
_ALSO: Mapping[Tissue, str] = {"cortex": "Brainstem", "white": "Pallidum"}
_UNSEEN = "Pallidum"


@dataclass(frozen=True)
class StructureLabels:
    """The structures of a scan.

    Parameters
    ----------
    labels : (X, Y, Z) uint8
        Number of the structure that has most of each voxel, 0 where no tissue has a half.
    volumes_ml : mapping
        Name of each part (``Thalamus_left``, ``Thalamus_both``, ``Brainstem``) to its volume, the sum of its fractions.
    """

    labels: Labels
    volumes_ml: Mapping[str, float]


@dataclass(frozen=True)
class _Seen:
    """The part of a scan that holds tissue, and the way from its voxels to the atlas."""

    to_atlas: Affine
    displacement: VectorField

    @classmethod
    def through(cls, fit: AtlasFit, voxel_to_ras: Affine, shape: tuple[int, ...]) -> _Seen:
        """Voxels of a scan, each carried by the fit's inverse."""
        to_atlas = np.linalg.inv(fit.atlas_to_ras) @ voxel_to_ras
        moved = np.stack([resample(u, to_atlas, shape) for u in fit.from_scan])
        back = np.linalg.inv(to_atlas[:3, :3])
        return cls(to_atlas, np.tensordot(back, moved, 1).astype(np.float32))

    def probability(self, coefficients: ScalarField, where: Mask) -> ScalarField:
        """A plane of the atlas in the scan."""
        return np.maximum(sample_spline(coefficients, self.to_atlas, self.displacement, where), 0)


def split_tissues(
    gm: Fractions, wm: Fractions, csf: Fractions, subcortical_gm: Fractions | None
) -> dict[Tissue, Fractions]:
    """Fractions by the tissues that structures are made of.

    Parameters
    ----------
    gm, wm, csf : (X, Y, Z) array-like
        In [0, 1].
    subcortical_gm : (X, Y, Z) array-like or None
        The part of `gm` in deep nuclei; None where the engine does not tell it: all gray matter is then "cortex".

    Returns
    -------
    dict
        "deep" only with `subcortical_gm`.
    """
    gm, wm, csf = (np.asarray(f, np.float32) for f in (gm, wm, csf))
    if subcortical_gm is None:
        return {"cortex": gm, "white": wm, "fluid": csf}
    deep = np.minimum(np.asarray(subcortical_gm, np.float32), gm)
    return {"deep": deep, "cortex": gm - deep, "white": wm, "fluid": csf}


def _candidates(tissue: Tissue, *, knows_deep: bool) -> list[int]:
    """Places in `LABELS` of what a tissue may belong to."""
    found = [*members(tissue), *(n for n, label in enumerate(LABELS) if label.structure.name == _ALSO.get(tissue))]
    return found if knows_deep or tissue != "cortex" else [*members("deep"), *found]


def _shares(seen: _Seen, atlas: Atlas, places: list[int], where: Mask) -> Probabilities:
    """How a tissue is divided among the structures at `places`; sums to one over them in `where`."""
    found = np.stack([seen.probability(spline_coefficients(atlas.probability[p]), where) for p in places])
    unknown = where & (found.sum(0) < _KNOWN)
    for row, place in enumerate(places):
        nearby = gaussian(atlas.probability[place], _NEARBY_VOXELS) * _NEARBY_WEIGHT + 1e-9
        found[row] += seen.probability(nearby, unknown)
    total = found.sum(0)
    return np.asarray(found / np.where(total > 0, total, 1))


def label_structures(fractions: Mapping[Tissue, Fractions], voxel_to_ras: Affine, atlas: Atlas) -> StructureLabels:
    """Find the structures of a scan.

    Parameters
    ----------
    fractions : mapping
        Tissue to its fraction (X, Y, Z) in each voxel, from `split_tissues`.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.
    atlas : Atlas

    Returns
    -------
    StructureLabels

    Raises
    ------
    ValueError
        There is hardly any tissue.
    """
    voxel_to_ras = np.asarray(voxel_to_ras, dtype=float)
    known = [tissue for tissue in TISSUES if tissue in fractions]
    shape = next(iter(fractions.values())).shape
    labels = np.zeros(shape, np.uint8)
    total = np.asarray(sum(fractions[t] for t in known))
    if not np.any(total > _HALF):
        raise ValueError("there is no tissue")
    box = box_around(total > _SEEN, _MARGIN_VOXELS)
    inside = {tissue: np.ascontiguousarray(fractions[tissue][box]) for tissue in known}
    to_ras = affine_of_part(voxel_to_ras, box)
    has_deep = "deep" in fractions
    expected = [atlas.tissue(t) for t in known]
    if not has_deep:
        expected[known.index("cortex")] = expected[known.index("cortex")] + atlas.tissue("deep")
    fit = fit_atlas(
        expected,
        atlas.grid_to_mm,
        list(inside.values()),
        to_ras,
        weights=[WEIGHTS[tissue] for tissue in known],
        certain=1 - sum(atlas.probability[n] for n, label in enumerate(LABELS) if label.structure.name == _UNSEEN),
    )
    seen = _Seen.through(fit, to_ras, inside[known[0]].shape)
    volumes = np.zeros(len(LABELS))
    most = np.zeros(inside[known[0]].shape, np.float32)
    found = np.zeros(most.shape, np.uint8)
    for tissue in known:
        where = inside[tissue] > _SEEN
        places = _candidates(tissue, knows_deep=has_deep)
        for share, place in zip(_shares(seen, atlas, places, where), places, strict=True):
            part = share * inside[tissue]
            index = LABELS[place].index
            volumes[place] += tissue_volume_ml(part, voxel_to_ras)
            larger = part > most
            found[larger], most[larger] = index, part[larger]
    # a voxel belongs to the structure that has most of it, if the scan shows a brain there at all
    labels[box] = np.where(sum(inside.values()) > _HALF, found, 0)
    parts = {name: rows for s in STRUCTURES if s.is_reported for name, rows in parts_of(s).items()}
    return StructureLabels(labels, {name: float(volumes[rows].sum()) for name, rows in parts.items()})
