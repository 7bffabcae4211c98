"""N4 and Atropos separate the tissues (10.1109/TMI.2010.2046908; Avants et al. 2011, 10.1007/s12021-011-9109-y)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces import ants

from graytrace.arrays import Fractions, Image, Mask
from graytrace.engines.outputs import check_image
from graytrace.engines.stages import SegmentationOutputSpec, ToolSegmentationInputSpec
from graytrace.engines.tool import ToolInterface, one_file
from graytrace.errors import ImageError, ToolError
from graytrace.images.grids import Volume
from graytrace.images.reading import read_mask, read_volume
from graytrace.images.writing import write_mask, write_volume

_BRAIN_MEAN = 100.0  # Atropos takes a variance below 1e-6 for a failure, whatever the scan's unit
_TELL = "--verbose 1"  # without it they end with exit code 1 and do not say why
# in a T1-weighted scan CSF is darkest and white matter brightest
_BY_BRIGHTNESS = ("csf_fraction", "gm_fraction", "wm_fraction")


class AtroposTissue(ToolInterface):
    """Three classes within the skull, started by k-means, smoothed by a Markov random field.

    The brain mask alone holds too little CSF to make a class of: one of the three would take dim gray matter instead.
    """

    input_spec = ToolSegmentationInputSpec
    output_spec = SegmentationOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = Path(self.inputs.in_file)
        brain, skull_inside = self._read_masks()
        scaled, within = folder / "scaled.nii.gz", folder / "within.nii.gz"
        write_volume(scaled, Volume(scale_by_brain(read_volume(scan).data, brain.data), brain.voxel_to_ras))
        write_mask(within, skull_inside)
        even = self._correct(scaled, within, folder)
        outputs = self._call(self._atropos(even, within), folder)
        paths = [Path(path) for path in outputs.get("posteriors") or []]
        if len(paths) != len(_BY_BRIGHTNESS):
            raise ToolError(f"Atropos should write three posteriors, it wrote {len(paths)}.", code="output_missing")
        posteriors = [check_image(path, "fraction", tool="Atropos", output=path.name, grid=scan).data for path in paths]
        order = order_by_brightness(read_volume(even).data, posteriors)
        weights = dict(zip(_BY_BRIGHTNESS, (posteriors[index] for index in order), strict=True))
        self._keep_fractions(
            folder,
            {
                trait: Volume(fraction, brain.voxel_to_ras)
                for trait, fraction in end_at_brain(weights, brain.data).items()
            },
        )
        return {}

    def _read_masks(self) -> tuple[Volume, Volume]:
        """The brain, and the space within the skull with the brain in it, which two runs of a tool do not promise."""
        scan = read_volume(Path(self.inputs.in_file))
        brain, around = (
            read_mask(Path(mask), like=scan) for mask in (self.inputs.brain_mask, self.inputs.intracranial_mask)
        )
        return brain, Volume(brain.data | around.data, scan.voxel_to_ras)

    def _correct(self, image: Path, within: Path, folder: Path) -> Path:
        """The scan once more through N4 within the skull, now with the weight of the brain alone."""
        correction = ants.N4BiasFieldCorrection(
            dimension=3,
            input_image=str(image),
            mask_image=str(within),  # N4 leaves what is outside as it was
            weight_image=self.inputs.brain_mask,
            output_image=str(folder / "n4.nii.gz"),
            shrink_factor=3,
            n_iterations=[50, 50, 30, 20],
            convergence_threshold=1e-6,
            bspline_fitting_distance=200,
            args=_TELL,
        )
        path = one_file(self._call(correction, folder), "output_image", "N4BiasFieldCorrection")
        check_image(path, "image", tool="N4BiasFieldCorrection", output="image", grid=image)
        return path

    def _atropos(self, image: Path, within: Path) -> ants.Atropos:
        return ants.Atropos(
            dimension=3,
            intensity_images=[str(image)],
            mask_image=str(within),
            initialization="KMeans",
            number_of_tissue_classes=3,
            likelihood_model="Gaussian",
            mrf_smoothing_factor=0.1,
            mrf_radius=[1, 1, 1],
            n_iterations=5,
            convergence_threshold=0.0,
            posterior_formulation="Socrates",
            use_mixture_model_proportions=True,
            use_random_seed=False,  # the same scan gives the same classes
            save_posteriors=True,
            out_classified_image_name="atropos.nii.gz",
            args=_TELL,
        )


def scale_by_brain(image: Image, brain_mask: Mask) -> Image:
    """A multiple of an image whose mean in the brain is 100.

    Parameters
    ----------
    image : (X, Y, Z) float
        Any unit.
    brain_mask : (X, Y, Z) bool

    Returns
    -------
    (X, Y, Z) float32 ndarray

    Raises
    ------
    ImageError
        ``not_measurable``: there is no signal in the brain mask.
    """
    mean = float(image[brain_mask].mean()) if brain_mask.any() else 0.0
    if not mean > 0:
        raise ImageError("not_measurable", f"The scan's mean in the brain mask is {mean:g}: expected more than 0.")
    return np.asarray(image * (_BRAIN_MEAN / mean), np.float32)


def end_at_brain(weights: Mapping[str, Fractions], brain_mask: Mask) -> dict[str, Fractions]:
    """Count gray and white matter outside the brain as CSF: dura and vessels are as bright as they.

    Parameters
    ----------
    weights : mapping
        ``csf_fraction``, ``gm_fraction`` and ``wm_fraction`` to (X, Y, Z) arrays in [0, 1].
    brain_mask : (X, Y, Z) bool array

    Returns
    -------
    dict
        The same names to (X, Y, Z) arrays in [0, 1] with the same sum.
    """
    tissue = {name: np.where(brain_mask, weights[name], 0) for name in ("gm_fraction", "wm_fraction")}
    outside = np.where(brain_mask, 0, weights["gm_fraction"] + weights["wm_fraction"])
    return {"csf_fraction": weights["csf_fraction"] + outside, **tissue}


def order_by_brightness(image: Image, weights: list[Fractions]) -> list[int]:
    """Which class is darkest, next and so on, by the mean of the image weighted with each.

    Parameters
    ----------
    image : (X, Y, Z) float
        Any unit.
    weights : list of (X, Y, Z) float
        Of each class, in [0, 1].

    Returns
    -------
    list of int
        Indices of the classes, darkest first.

    Raises
    ------
    ToolError
        ``output_empty``: a class has no weight.
    """
    totals = [float(weight.sum()) for weight in weights]
    if min(totals) <= 0:
        raise ToolError(
            "Atropos found fewer than three tissues: a class is empty.", code="output_empty", about_data=True
        )
    means = [float((image * weight).sum()) / total for weight, total in zip(weights, totals, strict=True)]
    return [int(index) for index in np.argsort(means)]
