"""Two visits of which one moved while it was taken: found by its lines of k-space, and the same in both afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from graytrace.algorithms.deformation import Halves
from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.algorithms.moved_lines import ROUNDS, fit_lines, take_out
from graytrace.algorithms.resampling import resample
from graytrace.algorithms.scene import Scene
from graytrace.algorithms.sharpness import image_of_fractions
from graytrace.algorithms.smoothing import gaussian
from graytrace.algorithms.visits import VisitTissue, longest_voxel_mm
from graytrace.arrays import Image, ScalarField, Vector

# "by hand" here: set while the method was written; docs/validation.md (Motion) has what pairs with and without show
# a scan is taken line by line along one axis, so that axis stands out; loss, shading and blur seem movement along all
# beyond the next axis, at voxels of 1 mm and less; pairs that did not move stay below 0.04, of 2 and 3 mm below 0.085
_STANDS_OUT_MM, _STANDS_OUT_TIMES = 0.08, 1.4
_DISPLACED_PERCENTILE = 97  # a movement that lasted for a thirtieth of the scan
_ASKED_COLUMN_MM = 3.2  # whether a head moved is seen in means of columns, at a third of the time
_EDGE_VOXELS, _EDGE_SMOOTH = 2, 1.5  # by hand: the rim of the brain turns up where the bone behind it does not count


@dataclass(frozen=True)
class EvenMovement:
    """A scene whose visits hold the same movement.

    Parameters
    ----------
    scene : Scene
    visits : two VisitTissue
        Baseline and follow-up, whose images were corrected by halves.
    displaced_mm : float
        Of the head in the lines that were displaced most (97th percentile), beyond what another axis shows.
    is_corrected : bool
        Whether any line was.
    """

    scene: Scene
    visits: tuple[VisitTissue, VisitTissue]
    displaced_mm: float
    is_corrected: bool


@dataclass(frozen=True)
class _Lines:
    """Both visits on the grid of one of them: itself first.

    `own` and `other` are (X, Y, Z), white matter = 1; `model` is their anatomy without noise, `window` the brain.
    """

    own: Image
    other: Image
    model: Image
    window: ScalarField
    voxel_mm: Vector

    @classmethod
    def of(cls, scene: Scene, visits: tuple[VisitTissue, VisitTissue], halves: Halves) -> list[_Lines]:
        """Both of them; none where a tissue has hardly a pure voxel, or hardly any is seen."""
        images = scene.registered(halves)
        gm, wm = (scene.common(name, halves) for name in ("gm", "wm"))
        model = image_of_fractions((images[0] + images[1]) / 2, gm, wm, scene.inside)
        core = ndimage.binary_erosion(scene.inside, iterations=_EDGE_VOXELS)
        if model is None or not core.any():
            return []
        window = gaussian(core, _EDGE_SMOOTH)
        found = []
        for own, (visit, to_voxel) in enumerate(zip(visits, scene.to_voxel, strict=True)):
            to_grid = np.linalg.inv(to_voxel)
            here = [
                resample(image, to_grid, visit.image.shape) for image in (images[own], images[1 - own], model, window)
            ]
            found.append(cls(here[0], here[1], here[2], here[3], voxel_sizes_mm(visit.voxel_to_ras)))
        return found

    def displaced_mm(self, axis: int) -> float:
        """Displacement in the lines along an axis that were displaced most; 0 where lines tell nothing."""
        images = (self.other, self.own)
        fit = fit_lines(images, self.model, self.window, axis, self.voxel_mm, column_mm=_ASKED_COLUMN_MM)
        told = fit.displaced_mm()
        return float(np.percentile(told, _DISPLACED_PERCENTILE)) if told.size else 0.0

    def _distance(self, image: Image) -> float:
        """How far an image is from the other visit's."""
        return float(np.sum(((image - self.other) * self.window) ** 2, dtype=np.float64))

    def without_half(self, image: Image, axis: int) -> Image:
        """The visit's own image on its grid, half of what it moved against the other one taken out."""
        own, corrected = self.own, np.asarray(image, np.float32)
        for _ in range(ROUNDS):
            fit = fit_lines((self.other, own), self.model, self.window, axis, self.voxel_mm)
            movement = fit.movement()
            nearer = take_out(own, movement, axis, self.voxel_mm, fit.center)
            if self._distance(nearer) >= self._distance(own):  # it was no movement, or is known as well as can be
                break
            own, corrected = nearer, take_out(corrected, movement, axis, self.voxel_mm, fit.center)
        return np.asarray((corrected + image) / 2, np.float32)


def _stands_out(displaced_mm: Vector, longest_voxel_mm: float) -> bool:
    """Whether the lines of one axis were displaced so much more than those of the others that the head moved."""
    _, second, most = np.sort(displaced_mm)
    least_mm = _STANDS_OUT_MM * max(longest_voxel_mm, 1.0)
    return bool(most - second > least_mm and most > _STANDS_OUT_TIMES * second)


def even_movement(scene: Scene, visits: tuple[VisitTissue, VisitTissue], halves: Halves) -> EvenMovement:
    """Make both visits hold the same lines that were taken elsewhere.

    Whether lines were displaced is asked once the visits are registered; by how much, before, because a flow takes a
    part of their displacement for shifts of borders.

    Parameters
    ----------
    scene : Scene
    visits : two VisitTissue
        Baseline and follow-up, each on its own grid.
    halves : Halves
        The flow so far.

    Returns
    -------
    EvenMovement
        With the scene and the visits as they were where no line is displaced.
    """
    seen = _Lines.of(scene, visits, halves)
    if not seen:
        return EvenMovement(scene, visits, 0.0, is_corrected=False)
    displaced = np.mean([[lines.displaced_mm(axis) for axis in range(3)] for lines in seen], axis=0)
    _, second, most = np.sort(displaced)
    moved = _stands_out(displaced, longest_voxel_mm(visits))
    still = np.zeros_like(halves.velocity)
    before = _Lines.of(scene, visits, Halves(still, still, still)) if moved else []
    if before:
        axis = int(np.argmax(displaced))
        images = [lines.without_half(visit.image, axis) for lines, visit in zip(before, visits, strict=True)]
        scene = scene.showing((images[0], images[1]))
        visits = (replace(visits[0], image=images[0]), replace(visits[1], image=images[1]))
    return EvenMovement(scene, visits, float(most - second), is_corrected=bool(before))
