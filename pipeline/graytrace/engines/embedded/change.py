"""Measures how much tissue was lost between two visits."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import File, isdefined, traits

from graytrace.algorithms.change import ChangeMeasure, measure_change
from graytrace.algorithms.midway import MidwayAlignment
from graytrace.algorithms.precision import EVIDENCE_POINTS, SHARES, budget_error, interval
from graytrace.algorithms.structure_change import StructureChange, VisitStructures
from graytrace.algorithms.visits import VisitTissue, cropped
from graytrace.arrays import Fractions
from graytrace.engines.embedded.alignment import VisitsInputSpec, read_visit
from graytrace.engines.interface import EngineInterface, MeasuresOutputSpec
from graytrace.errors import ToolError
from graytrace.images.grids import Volume
from graytrace.images.reading import read_volume
from graytrace.images.writing import write_volume

VISITS = ("baseline", "followup")
_NUMBERS = ("gm_jacobian_percent", "differential_bias_percent", "covered_percent", "displaced_mm")
_PARTS = ("cortical_gm", "deep_gm")  # of gray matter
_TISSUES = ("gm", "wm", "subcortical_gm")
# structures that have columns in atrophy.tsv
STRUCTURE_COLUMNS = {"Thalamus_both": "thalamus", "LateralVentricle_both": "lateral_ventricle"}


class MeasureChangeInputSpec(VisitsInputSpec):
    """Both visits of a patient, their tissues, and the way of each to midway space."""

    baseline_gm_fraction = File(exists=True, mandatory=True, desc="gray-matter fraction of the first visit")
    followup_gm_fraction = File(exists=True, mandatory=True, desc="gray-matter fraction of the second visit")
    baseline_wm_fraction = File(exists=True, mandatory=True, desc="white-matter fraction of the first visit")
    followup_wm_fraction = File(exists=True, mandatory=True, desc="white-matter fraction of the second visit")
    baseline_csf_fraction = File(exists=True, mandatory=True, desc="CSF fraction of the first visit")
    followup_csf_fraction = File(exists=True, mandatory=True, desc="CSF fraction of the second visit")
    baseline_subcortical_gm_fraction = File(exists=True, desc="gray matter of the first visit's deep nuclei")
    followup_subcortical_gm_fraction = File(exists=True, desc="gray matter of the second visit's deep nuclei")
    baseline_structures = File(exists=True, desc="labels of the first visit's structures")
    followup_structures = File(exists=True, desc="labels of the second visit's structures")
    baseline_structure_volumes_ml = traits.Dict(desc="each structure of the first visit to its volume in ml")
    followup_structure_volumes_ml = traits.Dict(desc="each structure of the second visit to its volume in ml")
    baseline_to_midway = traits.List(
        traits.List(traits.Float), mandatory=True, desc="4 x 4 matrix: RAS mm of the first visit to midway space"
    )
    followup_to_midway = traits.List(
        traits.List(traits.Float), mandatory=True, desc="4 x 4 matrix: RAS mm of the second visit to midway space"
    )
    scale_percent = traits.Float(
        mandatory=True, desc="scanner's length scale of the second visit against the first, percent"
    )
    scale_se_percent = traits.Float(0.0, usedefault=True, desc="standard error of that scale, percent")
    has_skull = traits.Bool(True, usedefault=True, desc="whether the scale could be estimated from a skull")


class MeasureChangeOutputSpec(MeasuresOutputSpec):
    """Both visits in midway space and what changed between them."""

    baseline_midway = File(exists=True, desc="first visit in midway space, white matter 1")
    followup_midway = File(exists=True, desc="second visit in midway space, white matter 1")
    change_map = File(exists=True, desc="local change of volume in midway space, percent of the first visit")


class MeasureChange(EngineInterface):
    """Register the visits in midway space and measure what the tissues lost."""

    input_spec = MeasureChangeInputSpec
    output_spec = MeasureChangeOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        visits = [cropped(self._read_tissue(name)) for name in VISITS]  # so that whole heads need no memory
        change = measure_change(visits[0], visits[1], self._alignment(), structures=self._read_structures())
        images = change.images
        maps = {
            "baseline_midway": images.baseline,
            "followup_midway": images.followup,
            "change_map": 100 * np.expm1(images.log_jacobian),
        }
        for trait, data in maps.items():
            write_volume(self._keep(trait, folder / f"{trait}.nii.gz"), Volume(data, images.grid_to_ras))
        parts = all(isdefined(getattr(self.inputs, f"{visit}_subcortical_gm_fraction")) for visit in VISITS)
        return _measures(change, parts=parts)

    def _read_tissue(self, name: str) -> VisitTissue:
        visit = read_visit(self.inputs, name)
        gm, wm, subcortical = (self._read_fraction(f"{name}_{tissue}_fraction") for tissue in _TISSUES)
        if gm is None or wm is None:
            raise ToolError(f"MeasureChange needs the gray and white matter of the {name} visit.")
        deep = np.zeros_like(gm) if subcortical is None else subcortical
        return VisitTissue(visit.image, visit.voxel_to_ras, gm, wm, deep, visit.intracranial_mask)

    def _read_fraction(self, trait: str) -> Fractions | None:
        path = getattr(self.inputs, trait)
        return read_volume(Path(path)).data if isdefined(path) else None

    def _read_structures(self) -> tuple[VisitStructures, VisitStructures] | None:
        """Both visits' structures, None where one of them has none."""
        found = []
        for name in VISITS:
            labels, volumes_ml = (
                getattr(self.inputs, f"{name}_{what}") for what in ("structures", "structure_volumes_ml")
            )
            if not isdefined(labels) or not isdefined(volumes_ml):
                return None
            volume = read_volume(Path(labels))
            data = np.rint(volume.data).astype(np.uint8)
            found.append(VisitStructures(data, volume.voxel_to_ras, dict(volumes_ml)))
        return found[0], found[1]

    def _alignment(self) -> MidwayAlignment:
        return MidwayAlignment(
            np.array(self.inputs.baseline_to_midway),
            np.array(self.inputs.followup_to_midway),
            scale=1 + self.inputs.scale_percent / 100,
            correlation=math.nan,
            shell_correlation=math.nan,
            scale_se=self.inputs.scale_se_percent / 100,
            has_skull=self.inputs.has_skull,
        )


def _measures(change: ChangeMeasure, *, parts: bool) -> dict[str, Any]:
    """The numbers of a change by the names of our tables; what cannot be computed is left out.

    With `parts` the deep nuclei are known, and so are the changes of deep and cortical gray matter.
    """
    if not math.isfinite(change.gm_change_percent):
        raise ValueError("there is no gray matter that both visits have in common")
    numbers: dict[str, float] = {name: float(getattr(change, name)) for name in _NUMBERS}
    if not change.is_still:
        numbers["movement_effect_points"] = change.evidence["gm"].movement_points
    numbers["sharpness_effect_points"] = change.evidence["gm"].sharpness_points
    for axis, difference in zip("xyz", change.sharpness_difference_mm2, strict=True):
        numbers[f"sharpness_difference_{axis}_mm2"] = difference
    numbers["midway_noise_percent"] = 100 * change.noise_sd
    numbers["residual_percent"] = 100 * change.residual_sd
    for tissue in change.changes:
        if parts or tissue not in _PARTS:
            numbers |= _with_error(tissue, change)
    for name, column in STRUCTURE_COLUMNS.items():
        if name in change.structures:
            numbers |= _columns(column, change.structures[name])
    finite: dict[str, Any] = {name: value for name, value in numbers.items() if math.isfinite(value)}
    if change.structures:
        found = {name: _columns("", one) for name, one in change.structures.items()}
        finite["structure_changes"] = {name: c for name, c in found.items() if all(map(math.isfinite, c.values()))}
    return finite


def _columns(column: str, change: StructureChange) -> dict[str, float]:
    """The change of a structure, its interval and its standard error."""
    low, high = interval(change.percent, change.budget.se)
    numbers = {
        "change_percent": change.percent,
        "change_se_points": change.budget.se,
        "change_low_percent": low,
        "change_high_percent": high,
    }
    return {f"{column}_{name}" if column else name: value for name, value in numbers.items()}


def _with_error(tissue: str, change: ChangeMeasure) -> dict[str, float]:
    """The change of a tissue, its interval, and the budget of its error."""
    percent = change.changes[tissue]
    evidence = change.evidence[tissue]
    budget = budget_error(evidence, SHARES[tissue])
    low, high = interval(percent, budget.se)
    return {
        f"{tissue}_change_percent": percent,
        f"{tissue}_change_se_points": budget.se,
        f"{tissue}_change_low_percent": low,
        f"{tissue}_change_high_percent": high,
        **{f"{tissue}_change_se_{part}_points": value for part, value in asdict(budget).items()},
        **{f"{tissue}_{name}": getattr(evidence, name) for name in EVIDENCE_POINTS},
        f"{tissue}_plain_difference_percent": evidence.difference_percent,
    }
