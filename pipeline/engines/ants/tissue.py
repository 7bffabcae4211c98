"""N4 and Atropos separate the tissues (10.1109/TMI.2010.2046908; Avants et al. 2011, 10.1007/s12021-011-9109-y)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces import ants

from pipeline.engines.outputs import check_image
from pipeline.engines.stages import SegmentationOutputSpec, ToolInterface, ToolSegmentationInputSpec, one_file
from pipeline.errors import ToolError
from pipeline.images.reading import read_volume

# in a T1-weighted scan CSF is darkest and white matter brightest
_BY_BRIGHTNESS = ("csf_fraction", "gm_fraction", "wm_fraction")


class AtroposTissue(ToolInterface):
    """Three classes within the brain mask, started by k-means, smoothed by a Markov random field."""

    input_spec = ToolSegmentationInputSpec
    output_spec = SegmentationOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        scan = Path(self.inputs.in_file)
        even = self._correct(folder)
        outputs = self._call(self._atropos(even), folder)
        paths = [Path(path) for path in outputs.get("posteriors") or []]
        if len(paths) != len(_BY_BRIGHTNESS):
            raise ToolError(f"Atropos should write three posteriors, it wrote {len(paths)}.", code="output_missing")
        posteriors = [check_image(path, "fraction", tool="Atropos", output=path.name, grid=scan) for path in paths]
        order = order_by_brightness(read_volume(even).data, [posterior.data for posterior in posteriors])
        self._keep_fractions(folder, dict(zip(_BY_BRIGHTNESS, (posteriors[index] for index in order), strict=True)))
        return {}

    def _correct(self, folder: Path) -> Path:
        """The scan once more through N4, now with the weight of the brain alone."""
        correction = ants.N4BiasFieldCorrection(
            dimension=3,
            input_image=self.inputs.in_file,
            mask_image=self.inputs.brain_mask,
            output_image=str(folder / "n4.nii.gz"),
            shrink_factor=3,
            n_iterations=[50, 50, 30, 20],
            convergence_threshold=1e-6,
            bspline_fitting_distance=200,
        )
        path = one_file(self._call(correction, folder), "output_image", "N4BiasFieldCorrection")
        check_image(path, "image", tool="N4BiasFieldCorrection", output="image", grid=Path(self.inputs.in_file))
        return path

    def _atropos(self, image: Path) -> ants.Atropos:
        return ants.Atropos(
            dimension=3,
            intensity_images=[str(image)],
            mask_image=self.inputs.brain_mask,
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
        )


def order_by_brightness(image: np.ndarray, weights: list[np.ndarray]) -> list[int]:
    """Which class is darkest, next and so on, by the mean of the image weighted with each.

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
