"""SAMSEG names the structures of a head, of one visit or of several together.

Puonti et al. 2016, https://doi.org/10.1016/j.neuroimage.2016.09.011; several visits: Cerri et al. 2023,
https://doi.org/10.1016/j.nicl.2023.103354, on a template that favors neither (Reuter et al. 2012,
https://doi.org/10.1016/j.neuroimage.2012.02.084).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import Directory, File, InputMultiPath, OutputMultiPath, TraitedSpec, traits
from nipype.interfaces.freesurfer import RobustTemplate
from nipype.interfaces.freesurfer.base import FSCommand, FSTraitedSpec

from graytrace.engines.freesurfer.structures import ESSENTIAL_NAMES, MAPS, TISSUE_OF_NAME
from graytrace.engines.freesurfer.synthstrip import set_subjects_dir
from graytrace.engines.outputs import check_volume, read_report
from graytrace.engines.stages import (
    MeasuresOutputSpec,
    SegmentationOutputSpec,
    ToolChangeInputSpec,
    ToolSegmentationInputSpec,
)
from graytrace.engines.tool import ToolInterface, one_file
from graytrace.errors import ImageError, ToolError
from graytrace.images.freesurfer import read_mgh
from graytrace.images.grids import Volume
from graytrace.images.reading import read_volume

_MEASURE = re.compile(r"^#\s*Measure\s+([^,]+?)\s*,\s*([-+0-9.eE]+|nan|inf)\s*,\s*mm\^3\s*$", re.MULTILINE)


def parse_samseg_stats(text: str) -> dict[str, float]:
    r"""Volumes in mm3 by structure, from ``samseg.stats`` or ``sbtiv.stats``.

    Raises
    ------
    ToolError
        ``output_damaged``: there is no volume in it, or one that is not finite.

    Examples
    --------
    >>> parse_samseg_stats("# Measure Left-Amygdala, 1570.250000, mm^3\n")
    {'Left-Amygdala': 1570.25}
    """
    volumes = {name: float(value) for name, value in _MEASURE.findall(text)}
    if not volumes or not np.isfinite(list(volumes.values())).all():
        raise ToolError("SAMSEG's table has no finite volumes.", code="output_damaged")
    return volumes


class _OptionsInputSpec(FSTraitedSpec):
    """Options that run_samseg and run_samseg_long share."""

    out_dir = Directory("samseg", usedefault=True, argstr="--output %s", hash_files=False, desc="output directory")
    save_posteriors = traits.Bool(argstr="--save-posteriors", desc="write the posterior of each structure")
    pallidum_separate = traits.Bool(argstr="--pallidum-separate", desc="model pallidum apart from white matter")
    lesions = traits.Bool(argstr="--lesion", desc="also find white-matter lesions")
    num_threads = traits.Int(argstr="--threads %d", desc="cores to use")


class SamsegInputSpec(_OptionsInputSpec):
    """Inputs of run_samseg."""

    in_files = InputMultiPath(
        File(exists=True), mandatory=True, argstr="--input %s", desc="images of one head on the same grid"
    )
    atlas = Directory(exists=True, argstr="--atlas %s", desc="other atlas")
    options = File(exists=True, argstr="--options %s", desc="advanced options, JSON")


class SamsegOutputSpec(TraitedSpec):
    """Outputs of run_samseg."""

    out_dir = Directory(exists=True, desc="output directory")
    segmentation = File(exists=True, desc="segmentation, seg.mgz")
    stats = File(exists=True, desc="volumes of structures, samseg.stats")
    icv_stats = File(exists=True, desc="intracranial volume, sbtiv.stats")
    posteriors = OutputMultiPath(File(exists=True), desc="posteriors, where asked for, named by structure")


class Samseg(FSCommand):
    """Whole-brain segmentation with an atlas mesh."""

    _cmd = "run_samseg"
    input_spec = SamsegInputSpec
    output_spec = SamsegOutputSpec

    def _list_outputs(self) -> dict[str, Any]:
        outputs = self.output_spec().get()
        folder = Path(self.inputs.out_dir).absolute()
        outputs["out_dir"] = str(folder)
        outputs["segmentation"] = str(folder / "seg.mgz")
        outputs["stats"] = str(folder / "samseg.stats")
        outputs["icv_stats"] = str(folder / "sbtiv.stats")
        if self.inputs.save_posteriors:
            outputs["posteriors"] = sorted(str(path) for path in (folder / "posteriors").glob("*.mgz"))
        return outputs


class SamsegLongitudinalInputSpec(_OptionsInputSpec):
    """Inputs of run_samseg_long."""

    in_files = traits.List(
        File(exists=True),
        minlen=2,
        mandatory=True,
        argstr="--timepoint %s...",
        desc="one image for each time point, aligned on one grid",
    )
    force_different_resolutions = traits.Bool(
        argstr="--force-different-resolutions", desc="go on where time points have different voxels"
    )


class SamsegLongitudinalOutputSpec(TraitedSpec):
    """Outputs of run_samseg_long."""

    out_dir = Directory(exists=True, desc="output directory")
    stats = OutputMultiPath(File(exists=True), desc="volumes of structures at each time point")
    segmentations = OutputMultiPath(File(exists=True), desc="segmentation of each time point")


class SamsegLongitudinal(FSCommand):
    """Whole-brain segmentation of several time points together."""

    _cmd = "run_samseg_long"
    input_spec = SamsegLongitudinalInputSpec
    output_spec = SamsegLongitudinalOutputSpec

    def _list_outputs(self) -> dict[str, Any]:
        outputs = self.output_spec().get()
        folder = Path(self.inputs.out_dir).absolute()
        points = [folder / f"tp{number:03d}" for number in range(1, len(self.inputs.in_files) + 1)]
        outputs["out_dir"] = str(folder)
        outputs["stats"] = [str(point / "samseg.stats") for point in points]
        outputs["segmentations"] = [str(point / "seg.mgz") for point in points]
        return outputs


class SamsegTissue(ToolInterface):
    """SAMSEG's posteriors, summed by tissue; they are on the scan's own grid."""

    input_spec = ToolSegmentationInputSpec
    output_spec = SegmentationOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        set_subjects_dir(folder)
        samseg = Samseg(in_files=[self.inputs.in_file], out_dir=str(folder / "samseg"), save_posteriors=True)
        outputs = self._call(samseg, folder)
        paths = {Path(path).stem: Path(path) for path in outputs.get("posteriors") or []}
        lacking = sorted(ESSENTIAL_NAMES - paths.keys())
        if lacking:
            raise ToolError(f"SAMSEG wrote no posterior of {', '.join(lacking)}.", code="output_missing")
        self._keep_fractions(folder, self._sum(paths))
        icv = parse_samseg_stats(
            read_report(one_file(outputs, "icv_stats", "SAMSEG"), tool="SAMSEG", output="sbtiv.stats")
        ).get("Intra-Cranial")
        return {} if icv is None else {"samseg_icv_ml": icv / 1000}

    def _sum(self, paths: Mapping[str, Path]) -> dict[str, Volume]:
        """Tissue maps; one posterior is in memory at a time."""
        scan = read_volume(Path(self.inputs.in_file))
        totals = {trait: np.zeros_like(scan.data, dtype=np.float32) for trait in MAPS}
        for name, path in paths.items():
            tissue = TISSUE_OF_NAME.get(name)
            if tissue is None:
                continue
            try:
                posterior = read_mgh(path)
            except ImageError as error:
                raise ToolError(f"SAMSEG wrote a damaged {path.name}: {error}", code="output_damaged") from error
            if posterior.data.any():  # a structure may have nothing
                check_volume(posterior, "fraction", tool="SAMSEG", output=path.name, like=scan)
                for trait, tissues in MAPS.items():
                    if tissue in tissues:
                        totals[trait] += posterior.data
        maps = {trait: Volume(np.clip(total, 0, 1), scan.voxel_to_ras) for trait, total in totals.items()}
        for trait, volume in maps.items():
            check_volume(volume, "fraction", tool="SAMSEG", output=trait, like=scan)
        return maps


class SamsegChange(ToolInterface):
    """Both visits segmented together on a template half-way between them."""

    input_spec = ToolChangeInputSpec
    output_spec = MeasuresOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        set_subjects_dir(folder)
        aligned = self._align(folder)
        samseg = SamsegLongitudinal(in_files=[str(path) for path in aligned], out_dir=str(folder / "samseg"))
        stats = [Path(path) for path in self._call(samseg, folder).get("stats") or []]
        if len(stats) != 2:
            raise ToolError(f"SAMSEG should write volumes of two visits, it wrote {len(stats)}.", code="output_missing")
        visits = [
            tissue_volumes(parse_samseg_stats(read_report(path, tool="SAMSEG", output=path.name))) for path in stats
        ]
        return {f"{name}_change_percent": 100 * (visits[1][name] / visits[0][name] - 1) for name in visits[0]}

    def _align(self, folder: Path) -> list[Path]:
        """Both visits on the grid of a template that favors neither."""
        aligned = [folder / f"{visit}_aligned.mgz" for visit in ("baseline", "followup")]
        template = RobustTemplate(
            in_files=[self.inputs.baseline_file, self.inputs.followup_file],
            out_file=str(folder / "template.mgz"),
            auto_detect_sensitivity=True,
            average_metric="median",
            initial_timepoint=1,  # random otherwise
            args="--mapmov " + " ".join(map(str, aligned)),  # nipype's interface has no trait for it
        )
        self._call(template, folder)
        for path in aligned:
            try:
                volume = read_mgh(path)
            except ImageError as error:
                code = "output_damaged" if path.is_file() else "output_missing"
                raise ToolError(f"mri_robust_template wrote no sound {path.name}: {error}", code=code) from error
            check_volume(volume, "image", tool="mri_robust_template", output=path.name, like=None)
        return aligned


def tissue_volumes(structures: Mapping[str, float]) -> dict[str, float]:
    """Volumes by the names of our columns from volumes by structure, the same unit.

    Raises
    ------
    ToolError
        ``output_missing``: a hemisphere's cortex or white matter is not among them.
    """
    lacking = sorted(ESSENTIAL_NAMES - structures.keys())
    if lacking:
        raise ToolError(f"SAMSEG's table has no volume of {', '.join(lacking)}.", code="output_missing")
    parts = dict.fromkeys(("cortex", "deep", "wm", "csf"), 0.0)
    for name, volume in structures.items():
        if name in TISSUE_OF_NAME:
            parts[TISSUE_OF_NAME[name]] += volume
    volumes = {
        "gm": parts["cortex"] + parts["deep"],
        "cortical_gm": parts["cortex"],
        "deep_gm": parts["deep"],
        "wm": parts["wm"],
        "brain": parts["cortex"] + parts["deep"] + parts["wm"],
    }
    empty = [name for name, volume in volumes.items() if volume <= 0]
    if empty:
        raise ToolError(f"SAMSEG found no {', '.join(empty)}.", code="output_empty", about_data=True)
    return volumes
