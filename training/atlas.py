"""Makes the atlas of structures from label maps of whole heads (FreeSurfer numbering).

    python -m training.atlas LABELS OUT.npz [--without NAME] [--rounds 3] [--jobs 1]

Each head and its mirror image are registered to the mean of all, by the code that registers the atlas to a scan; the
mean of what the flows carry is the next round's.  LABELS are those of SynthSeg (Billot et al. 2023,
https://doi.org/10.1016/j.media.2023.102789; Apache-2.0, github.com/BBillot/SynthSeg), as for the network's weights.
"""

from __future__ import annotations

import argparse
import itertools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from graytrace.algorithms.atlas_fit import COARSE, FINE, fit_atlas
from graytrace.algorithms.structure_atlas import LABELS, PAIRED, STRUCTURES, TISSUES, Atlas, members
from graytrace.algorithms.structure_labels import WEIGHTS

SHAPE = (80, 100, 88)  # 2 mm: 160 x 200 x 176 mm, a brain and the fluid around it
MARGIN = 8  # voxels around a brain
MORE = {2: (28, 77, 85), 41: (60,), 4: (5, 31), 43: (44, 63), 24: (30, 62, 72, 25, 57)}
PAIRS, NOWHERE = len(PAIRED), len(LABELS)
OTHER_SIDE = [*range(PAIRS, 2 * PAIRS), *range(PAIRS), *range(2 * PAIRS, NOWHERE)]


def plane_of_label():
    """Place in `LABELS` of each number of a label map."""
    planes = np.full(1000, NOWHERE)
    for plane, label in enumerate(LABELS):
        planes[[label.index, *MORE.get(label.index, ())]] = plane
    return planes


def read_head(path):
    """Place in `LABELS` of each voxel of a head in RAS order, and its affine."""
    image = nib.as_closest_canonical(nib.load(path))
    planes = plane_of_label()[np.asanyarray(image.dataobj).astype(np.int16)]
    box = tuple(slice(max(int(a.min()) - MARGIN, 0), int(a.max()) + MARGIN) for a in np.nonzero(planes < NOWHERE))
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [s.start for s in box]
    return planes[box].astype(np.uint8), affine


def tissues(planes):
    return [np.isin(planes, members(t)).astype(np.float32) for t in TISSUES]


def carry(head, grid_to_ras, displacement):
    """The labels of a head on the atlas' grid: what an eighth of each voxel shows."""
    planes, affine = head
    to_voxel = np.linalg.inv(affine) @ grid_to_ras
    points = np.indices(SHAPE, dtype=np.float32) + displacement
    found = np.zeros((NOWHERE + 1, *SHAPE), np.float32)
    voxels = tuple(np.indices(SHAPE))
    limits = np.array(planes.shape)[:, None, None, None] - 1
    for corner in itertools.product((-0.25, 0.25), repeat=3):
        at = np.tensordot(to_voxel[:3, :3], points + np.reshape(corner, (3, 1, 1, 1)), 1)
        at = np.rint(at + to_voxel[:3, 3].reshape(3, 1, 1, 1)).astype(int)
        plane = np.where(((at < 0) | (at > limits)).any(0), NOWHERE, planes[tuple(np.clip(at, 0, limits))])
        found[(plane, *voxels)] += 1 / 8
    return found[:NOWHERE]


def even(probability):
    """A mean whose sides mirror each other: a head's mirror image would give its mirror image."""
    return (probability + probability[:, ::-1][OTHER_SIDE]) / 2


def first_mean(heads):
    """Heads by their centers of mass and mean size."""
    still = np.zeros((3, *SHAPE), np.float32)
    grid_to_mm = Atlas(np.zeros((NOWHERE, *SHAPE), np.float32)).grid_to_mm
    total = 0
    for planes, affine in heads:
        place = grid_to_mm.copy()
        place[:3, 3] += affine[:3, :3] @ ndimage.center_of_mass(planes < NOWHERE) + affine[:3, 3]
        total = total + carry((planes, affine), place, still)
    return even(total / len(heads))


def carried(head, atlas, steps):
    """The labels of a head as the atlas' registration carries them to its grid."""
    known = [atlas.tissue(t) for t in TISSUES]
    weights = [WEIGHTS[t] for t in TISSUES]
    fit = fit_atlas(known, atlas.grid_to_mm, tissues(head[0]), head[1], weights=weights, iterations=steps)
    return carry(head, fit.atlas_to_ras, fit.to_scan)


def build(paths, rounds, jobs):
    heads = [read_head(path) for path in paths]
    atlas = Atlas(first_mean(heads).astype(np.float32))
    with ProcessPoolExecutor(jobs) as pool:
        for number in range(rounds):
            # the first means are so blurred that fine steps would be wasted
            steps = (COARSE, FINE if number == rounds - 1 else 0)
            found = pool.map(carried, heads, [atlas] * len(heads), [steps] * len(heads))
            mean = even(sum(found) / len(heads))
            atlas = Atlas(mean.astype(np.float32))
            print(f"round {number + 1}: sharpness {float((mean**2).sum() / mean.sum()):.4f}", flush=True)
    return atlas


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", default="", help="leave the heads out whose file names hold this")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    paths = [p for p in sorted(args.labels.glob("*.nii.gz")) if not args.without or args.without not in p.name]
    atlas = build(paths, args.rounds, args.jobs)
    single = atlas.probability[[*range(len(PAIRED)), *range(2 * len(PAIRED), len(LABELS))]]
    half = np.round(np.clip(single, 0, 1) * 255).astype(np.uint8)
    assert half.shape[0] == len(STRUCTURES)  # noqa: S101 - a script's own order
    np.savez_compressed(args.out, half=half)
    print(f"{len(paths)} heads, {args.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
