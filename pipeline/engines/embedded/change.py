"""Measures how much tissue was lost between two visits."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import File, traits

from pipeline.algorithms.change import ChangeMeasure, VisitTissue, measure_change
from pipeline.algorithms.midway import MidwayAlignment
from pipeline.algorithms.structures import STRUCTURES, label_structures
from pipeline.engines.embedded.alignment import VisitsInputSpec, read_visit
from pipeline.engines.embedded.interface import EmbeddedInterface, MeasuresOutputSpec
from pipeline.engines.network import load_network
from pipeline.images.grids import Volume
from pipeline.images.reading import read_volume
from pipeline.images.writing import write_volume

_GRAY = ("cortex", "cerebellar_cortex", "deep_gray")


class MeasureChangeInputSpec(VisitsInputSpec):
    """Both visits of a patient, their tissues, and the way of each to midway space."""

    baseline_gm_fraction = File(exists=True, mandatory=True, desc="gray-matter fraction of the first visit")
    followup_gm_fraction = File(exists=True, mandatory=True, desc="gray-matter fraction of the second visit")
    baseline_wm_fraction = File(exists=True, mandatory=True, desc="white-matter fraction of the first visit")
    followup_wm_fraction = File(exists=True, mandatory=True, desc="white-matter fraction of the second visit")
    baseline_csf_fraction = File(exists=True, mandatory=True, desc="CSF fraction of the first visit")
    followup_csf_fraction = File(exists=True, mandatory=True, desc="CSF fraction of the second visit")
    baseline_to_midway = traits.List(
        traits.List(traits.Float), mandatory=True, desc="4 x 4 matrix: RAS mm of the first visit to midway space"
    )
    followup_to_midway = traits.List(
        traits.List(traits.Float), mandatory=True, desc="4 x 4 matrix: RAS mm of the second visit to midway space"
    )
    scale_percent = traits.Float(
        mandatory=True, desc="scanner's length scale of the second visit against the first, percent"
    )


class MeasureChangeOutputSpec(MeasuresOutputSpec):
    """Both visits in midway space and what changed between them."""

    baseline_midway = File(exists=True, desc="first visit in midway space, white matter 1")
    followup_midway = File(exists=True, desc="second visit in midway space, white matter 1")
    change_map = File(exists=True, desc="local change of volume in midway space, percent of the first visit")


class MeasureChange(EmbeddedInterface):
    """Register the visits in midway space and measure what the tissues lost."""

    input_spec = MeasureChangeInputSpec
    output_spec = MeasureChangeOutputSpec
    distributions = ("numpy", "scipy", "nibabel", "numba", "onnxruntime")

    def _calculate(self, folder: Path) -> dict[str, Any]:
        visits = [self._read_tissue(name) for name in ("baseline", "followup")]
        change = measure_change(visits[0], visits[1], self._alignment())
        images = change.images
        maps = {
            "baseline_midway": images.baseline,
            "followup_midway": images.followup,
            "change_map": 100 * np.expm1(images.log_jacobian),
        }
        for trait, data in maps.items():
            write_volume(self._keep(trait, folder / f"{trait}.nii.gz"), Volume(data, images.grid_to_ras))
        return _measures(change)

    def _read_tissue(self, name: str) -> VisitTissue:
        visit = read_visit(self.inputs, name)
        gm, wm = (read_volume(Path(getattr(self.inputs, f"{name}_{kind}_fraction"))).data for kind in ("gm", "wm"))
        predict = load_network(self.inputs.num_threads)
        structures = label_structures(visit.image, visit.voxel_to_ras, predict=predict)
        gray = structures[[STRUCTURES.index(structure) for structure in _GRAY]].sum(0)
        deep_share = structures[STRUCTURES.index("deep_gray")] / np.maximum(gray, 1e-6)
        return VisitTissue(visit.image, visit.voxel_to_ras, gm, wm, gm * deep_share, visit.intracranial_mask)

    def _alignment(self) -> MidwayAlignment:
        return MidwayAlignment(
            np.array(self.inputs.baseline_to_midway),
            np.array(self.inputs.followup_to_midway),
            scale=1 + self.inputs.scale_percent / 100,
            correlation=math.nan,
            shell_correlation=math.nan,
        )


def _measures(change: ChangeMeasure) -> dict[str, float]:
    """The numbers of a change by the names of our tables; what cannot be computed is left out."""
    if not math.isfinite(change.gm_change_percent):
        raise ValueError("there is no gray matter that both visits have in common")
    numbers = {field.name: float(getattr(change, field.name)) for field in fields(change) if field.name != "images"}
    numbers["deep_gm_change_percent"] = numbers.pop("subcortical_gm_change_percent")
    numbers["midway_noise_percent"] = 100 * numbers.pop("noise_sd")
    numbers["residual_percent"] = 100 * numbers.pop("residual_sd")
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
