"""SynthSeg names the structures of a head at 1 mm (Billot et al. 2023, https://doi.org/10.1016/j.media.2023.102789)."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import File, TraitedSpec, traits
from nipype.interfaces.freesurfer.base import FSCommand, FSTraitedSpec

from graytrace.algorithms.resampling import resample
from graytrace.arrays import Affine, Channels, Mask, Voxels
from graytrace.engines.freesurfer.structures import MAPS, TISSUE_OF_LABEL
from graytrace.engines.freesurfer.synthstrip import set_subjects_dir
from graytrace.engines.outputs import check_volume, read_report
from graytrace.engines.stages import SegmentationOutputSpec, ToolSegmentationInputSpec
from graytrace.engines.tool import ToolInterface, one_file
from graytrace.errors import ImageError, ToolError
from graytrace.images.channels import read_channels
from graytrace.images.grids import Volume, describe_grid, is_same_grid
from graytrace.images.reading import read_mask, read_volume

# SynthSeg 2.0's structures, in ascending order of label as its posteriors are
LABELS = (0, *(label for label in sorted(TISSUE_OF_LABEL) if label not in (31, 63, 72, 77)))
_AGREEMENT = 0.9  # of voxels whose most probable channel is the label written; the tool also smooths and fills
_COVERED = 0.98  # of the brain within the tool's field of view


class SynthSegInputSpec(FSTraitedSpec):
    """Inputs of mri_synthseg."""

    in_file = File(exists=True, mandatory=True, argstr="--i %s", desc="image to segment, any contrast and resolution")
    out_file = File(
        "synthseg.nii.gz", usedefault=True, argstr="--o %s", hash_files=False, desc="segmentation to write, 1 mm"
    )
    posteriors_file = File(argstr="--post %s", hash_files=False, desc="posteriors to write, 4D, 1 mm")
    volumes_file = File(argstr="--vol %s", hash_files=False, desc="volumes to write, csv")
    qc_file = File(argstr="--qc %s", hash_files=False, desc="quality scores to write, csv")
    resampled_file = File(argstr="--resample %s", hash_files=False, desc="image at 1 mm to write")
    parcellation = traits.Bool(argstr="--parc", desc="also parcellate the cortex")
    robust = traits.Bool(argstr="--robust", desc="slower model for difficult scans")
    fast = traits.Bool(argstr="--fast", desc="leave some processing out")
    ct = traits.Bool(argstr="--ct", desc="the image is a CT scan")
    crop = traits.List(traits.Int, argstr="--crop %s", desc="only look at a patch of this size")
    keep_geometry = traits.Bool(argstr="--keepgeom", desc="segmentation on the grid of the input")
    num_threads = traits.Int(argstr="--threads %d", desc="cores to use")
    cpu = traits.Bool(argstr="--cpu", desc="do not use a graphics processor")
    version_1 = traits.Bool(argstr="--v1", desc="SynthSeg 1.0")


class SynthSegOutputSpec(TraitedSpec):
    """Outputs of mri_synthseg."""

    out_file = File(exists=True, desc="segmentation")
    posteriors_file = File(desc="posteriors, where asked for")
    volumes_file = File(desc="volumes, where asked for")
    qc_file = File(desc="quality scores, where asked for")
    resampled_file = File(desc="image at 1 mm, where asked for; absent where the image has 1 mm")


class SynthSeg(FSCommand):
    """Segmentation of brain scans of any contrast and resolution."""

    _cmd = "mri_synthseg"
    input_spec = SynthSegInputSpec
    output_spec = SynthSegOutputSpec

    def _list_outputs(self) -> dict[str, Any]:
        outputs = self.output_spec().get()
        for name in outputs:
            value = getattr(self.inputs, name)
            if value and (name != "resampled_file" or Path(value).exists()):
                outputs[name] = str(Path(value).absolute())
        return outputs


def parse_synthseg_volumes(text: str) -> dict[str, float]:
    r"""Volumes in mm3 of the first image in a csv that mri_synthseg wrote, by structure.

    Raises
    ------
    ToolError
        ``output_damaged``: no row, another number of columns, or no numbers.

    Examples
    --------
    >>> parse_synthseg_volumes("subject,total intracranial,csf\nscan,1500000.5,200000\n")["csf"]
    200000.0
    """
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if len(rows) < 2 or len(rows[0]) != len(rows[1]) or len(rows[0]) < 2:
        raise ToolError("SynthSeg's table of volumes has no row that fits its header.", code="output_damaged")
    try:
        return {name.strip(): float(value) for name, value in zip(rows[0][1:], rows[1][1:], strict=True)}
    except ValueError as error:
        raise ToolError(f"SynthSeg's table of volumes has no numbers: {error}.", code="output_damaged") from error


class SynthSegTissueInputSpec(ToolSegmentationInputSpec):
    """A head, and which model."""

    synthseg_robust = traits.Bool(False, usedefault=True, desc="slower model for difficult scans")


class SynthSegTissue(ToolInterface):
    """SynthSeg's posteriors, summed by tissue and brought back from 1 mm to the scan's grid."""

    input_spec = SynthSegTissueInputSpec
    output_spec = SegmentationOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        set_subjects_dir(folder)
        synthseg = SynthSeg(
            in_file=self.inputs.in_file,
            out_file=str(folder / "synthseg.nii.gz"),
            posteriors_file=str(folder / "synthseg_posteriors.nii.gz"),
            volumes_file=str(folder / "synthseg_volumes.csv"),
            robust=self.inputs.synthseg_robust,
            cpu=True,
        )
        outputs = self._call(synthseg, folder)
        posteriors, grid_to_ras = self._read(outputs)
        scan = read_volume(Path(self.inputs.in_file))
        brain = read_mask(Path(self.inputs.brain_mask), like=scan)
        self._keep_fractions(folder, tissues_on_grid(posteriors, grid_to_ras, scan, brain.data))
        report = read_report(one_file(outputs, "volumes_file", "SynthSeg"), tool="SynthSeg", output="table of volumes")
        total = parse_synthseg_volumes(report).get("total intracranial")
        return {} if total is None else {"synthseg_icv_ml": total / 1000}

    def _read(self, outputs: dict[str, Any]) -> tuple[Channels, Affine]:
        """Posteriors (X, Y, Z, label) and their affine, after a look at whether channels are what we take them for."""
        try:
            labels = read_volume(one_file(outputs, "out_file", "SynthSeg"))
            posteriors, grid_to_ras = read_channels(one_file(outputs, "posteriors_file", "SynthSeg"))
        except ImageError as error:
            raise ToolError(f"SynthSeg wrote a damaged file: {error}", code="output_damaged") from error
        found = Volume(posteriors[..., 0], grid_to_ras)
        if not is_same_grid(found, labels):
            raise ToolError(
                f"SynthSeg wrote posteriors on another grid ({describe_grid(found)}) than its segmentation "
                f"({describe_grid(labels)}).",
                code="output_grid",
            )
        check_channels(posteriors, labels.data)
        return posteriors, grid_to_ras


def check_channels(posteriors: Channels, labels: Voxels) -> None:
    """Make sure that channel n of the posteriors is the n-th label.

    The tool's documents and its code disagree about the order of two channels; its segmentation tells.

    Parameters
    ----------
    posteriors : (X, Y, Z, 33) ndarray in [0, 1]
    labels : (X, Y, Z) ndarray
        FreeSurfer's labels.

    Raises
    ------
    ToolError
        ``output_range``, ``output_not_finite`` or ``output_empty``.
    """
    if posteriors.shape[-1] != len(LABELS):
        raise ToolError(
            f"SynthSeg wrote {posteriors.shape[-1]} posteriors; expected {len(LABELS)}, those of SynthSeg 2.0.",
            code="output_range",
        )
    if not np.isfinite(posteriors).all():
        raise ToolError("SynthSeg wrote posteriors that are not finite.", code="output_not_finite", about_data=True)
    inside = labels > 0
    if not inside.any():
        raise ToolError("SynthSeg found nothing: its segmentation is empty.", code="output_empty", about_data=True)
    likely = np.asarray(LABELS)[posteriors[inside].argmax(-1)]
    agreement = float((likely == labels[inside]).mean())
    if agreement < _AGREEMENT:
        raise ToolError(
            f"SynthSeg's posteriors and segmentation agree in only {100 * agreement:.0f} % of the voxels: "
            "its channels are in another order than expected.",
            code="output_range",
        )


def tissues_on_grid(posteriors: Channels, grid_to_ras: Affine, scan: Volume, brain_mask: Mask) -> dict[str, Volume]:
    """Tissue maps on the scan's grid by linear interpolation.

    Parameters
    ----------
    posteriors : (X, Y, Z, 33) ndarray
    grid_to_ras : (4, 4) ndarray
        Of the posteriors, mm.
    scan : Volume
        Whose grid is wanted.
    brain_mask : bool ndarray
        On the scan's grid.

    Returns
    -------
    dict
        Name of a map to its volume, (X, Y, Z) float32 in [0, 1].

    Raises
    ------
    ToolError
        ``output_grid``: the posteriors do not cover the brain.
    """
    scan_to_grid = np.linalg.inv(grid_to_ras) @ scan.voxel_to_ras
    seen = resample(np.ones(posteriors.shape[:3], np.float32), scan_to_grid, scan.data.shape) > 0.5
    covered = float(seen[brain_mask].mean())
    if covered < _COVERED:
        raise ToolError(
            f"SynthSeg's posteriors cover only {100 * covered:.0f} % of the brain: they are on another grid.",
            code="output_grid",
        )
    tissue_of_channel = [TISSUE_OF_LABEL.get(label) for label in LABELS]
    maps = {}
    for trait, tissues in MAPS.items():
        total = posteriors[..., [tissue in tissues for tissue in tissue_of_channel]].sum(-1)
        data = np.clip(resample(total, scan_to_grid, scan.data.shape), 0, 1).astype(np.float32)
        maps[trait] = Volume(data, scan.voxel_to_ras)
        check_volume(maps[trait], "fraction", tool="SynthSeg", output=trait, like=scan)
    return maps
