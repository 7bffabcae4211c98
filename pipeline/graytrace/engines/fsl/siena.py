"""SIENA measures change of the whole brain, SIENAX its size (Smith et al. 2002, https://doi.org/10.1006/nimg.2002.1040)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nipype.interfaces.base import Directory, File, TraitedSpec, traits
from nipype.interfaces.fsl.base import FSLCommand, FSLCommandInputSpec

from graytrace.engines.fsl.scripts import check_script, copy_scan
from graytrace.engines.outputs import read_report
from graytrace.engines.stages import MeasuresOutputSpec, ToolChangeInputSpec
from graytrace.engines.tool import ToolInterface, one_file
from graytrace.errors import ToolError

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_DIRECTION = re.compile(rf"^\s*PBVC\s+{_NUMBER}\s*%", re.MULTILINE)
_FINAL = re.compile(rf"^\s*finalPBVC\s+{_NUMBER}\s*%", re.MULTILINE)
_CALIBRATION = re.compile(rf"^\s*corr1={_NUMBER} +corr2={_NUMBER} +corr={_NUMBER}\s*$", re.MULTILINE)
# siena_cal measures a scan against itself scaled by 1.002 and divides the true change by what it measured; where that
# measurement failed, dc has nothing to divide by and siena_cal ends well with the true change itself
_CALIBRATION_PERCENT = 100 * (1.002**6 - 1)
_CALIBRATION_ROUNDING = 1e-5
# SIENA's edges move by fractions of a voxel; far beyond this the two directions contradict each other
_PLAUSIBLE_PERCENT = 50.0


@dataclass(frozen=True)
class SienaReport:
    """Percentage brain volume change (PBVC); loss is negative.

    Parameters
    ----------
    backward_percent, forward_percent : float
        From the second to the first time point as SIENA reports it (gain where the patient lost), and from the first
        to the second.
    pbvc_percent : float
        Mean of both directions, as change from first to second. SIENA's own mean is not taken: its shell cannot read
        a change so small that it stands there with an exponent (``2.3e-05``), and makes several percent of it.
    """

    backward_percent: float
    forward_percent: float
    pbvc_percent: float


def parse_siena_report(text: str) -> SienaReport:
    r"""Numbers of a ``report.siena``.

    SIENA measures the second time point against the first before the first against the second, and ends with the mean.

    Raises
    ------
    ToolError
        ``output_damaged``: the report ends too early, a calibration failed or a number makes no sense.

    Examples
    --------
    >>> text = "corr1=1.1 corr2=1.2 corr=1.15\nPBVC  0.75 %\nPBVC  -0.25 %\nfinalPBVC -.5 %\n"
    >>> parse_siena_report(text).pbvc_percent
    -0.5
    """
    directions = [float(value) for value in _DIRECTION.findall(text)]
    final = _FINAL.search(text)
    if len(directions) != 2 or final is None:
        raise ToolError(
            f"report.siena has {len(directions)} lines PBVC and {'a' if final else 'no'} line finalPBVC: "
            "expected two and one. SIENA broke off on the way.",
            code="output_damaged",
        )
    _check_calibration(text)
    backward, forward = directions
    report = SienaReport(backward, forward, (forward - backward) / 2)
    if not math.isfinite(report.pbvc_percent) or abs(report.pbvc_percent) > _PLAUSIBLE_PERCENT:
        raise ToolError(
            f"SIENA reports a brain volume change of {report.pbvc_percent:g} %: the visits were not matched.",
            code="output_range",
            about_data=True,
        )
    return report


def _check_calibration(text: str) -> None:
    """Make sure that SIENA measured both scans against themselves: the factor scales every change that it reports."""
    found = _CALIBRATION.search(text)
    factors = [float(factor) for factor in found.groups()] if found else []
    if not factors or any(abs(factor - _CALIBRATION_PERCENT) < _CALIBRATION_ROUNDING for factor in factors[:2]):
        line = found.group().strip() if found else "no line with corr1, corr2 and corr"
        raise ToolError(
            f"SIENA went on although its calibration failed ({line}): its changes would be on a wrong scale. "
            "The log tells which program failed, perhaps for want of memory.",
            code="output_damaged",
        )


class _OptionsInputSpec(FSLCommandInputSpec):
    """Options that siena and sienax share."""

    bet_options = traits.Str(argstr='-B "%s"', desc='options for BET, for example "-f 0.3"')
    two_class = traits.Bool(argstr="-2", desc="do not separate gray and white matter (poor contrast)")
    t2_weighted = traits.Bool(argstr="-t2", desc="the images are T2-weighted (T1-weighted otherwise)")
    ignore_above = traits.Float(argstr="-t %f", desc="ignore from this many mm upwards in MNI152 space")
    ignore_below = traits.Float(argstr="-b %f", desc="ignore from this many mm downwards in MNI152 space")
    debug = traits.Bool(argstr="-d", desc="keep intermediate files")


class SienaInputSpec(_OptionsInputSpec):
    """Inputs of siena."""

    in_file = File(exists=True, mandatory=True, position=0, argstr="%s", desc="first time point, whole head")
    in_file2 = File(exists=True, mandatory=True, position=1, argstr="%s", desc="second time point, whole head")
    out_dir = Directory("siena", usedefault=True, argstr="-o %s", hash_files=False, desc="output directory")
    standard_space_mask = traits.Bool(argstr="-m", desc="mask in standard space as well as with BET")
    siena_diff_options = traits.Str(argstr='-S "%s"', desc='options for siena_diff, for example "-s -i 20"')
    ventricles = traits.Bool(argstr="-V", desc="analyze the ventricles as well (VIENA)")
    ventricle_mask = File(exists=True, argstr="-v %s", desc="ventricle mask in MNI152 space for VIENA")


class SienaOutputSpec(TraitedSpec):
    """Outputs of siena."""

    out_dir = Directory(exists=True, desc="output directory")
    report = File(exists=True, desc="text report, report.siena")
    pbvc = traits.Float(desc="percentage brain volume change from first to second, mean of both directions")
    pbvc_forward = traits.Float(desc="percentage brain volume change, first to second time point")
    pbvc_backward = traits.Float(desc="percentage brain volume change, second to first time point")


class Siena(FSLCommand):
    """Two-timepoint estimation of brain volume change.

    Examples
    --------
    >>> siena = Siena()
    >>> siena.inputs.bet_options = "-f 0.3"
    >>> siena.inputs.get_traitsfree()["bet_options"]
    '-f 0.3'
    """

    _cmd = "siena"
    input_spec = SienaInputSpec
    output_spec = SienaOutputSpec

    def _run_interface(self, runtime: Any, correct_return_codes: tuple[int, ...] = (0,)) -> Any:
        ended = super()._run_interface(runtime, correct_return_codes)
        check_script(ended, "SIENA", report=Path(ended.cwd, self.inputs.out_dir, "report.siena"))
        return ended

    def _list_outputs(self) -> dict[str, Any]:
        outputs = self.output_spec().get()
        folder = Path(self.inputs.out_dir).absolute()
        outputs["out_dir"] = str(folder)
        outputs["report"] = str(folder / "report.siena")
        report = parse_siena_report(read_report(folder / "report.siena", tool="siena", output="report.siena"))
        outputs["pbvc"] = report.pbvc_percent
        outputs["pbvc_forward"] = report.forward_percent
        outputs["pbvc_backward"] = report.backward_percent
        return outputs


@dataclass(frozen=True)
class SienaxReport:
    """Volumes of a ``report.sienax`` in mm3.

    Parameters
    ----------
    scaling : float
        Factor from the head to the standard head (a volume).
    volumes_mm3, normalized_mm3 : dict
        ``GREY``, ``WHITE``, ``BRAIN``, and with regional masks ``pgrey`` and ``vcsf``; as scanned, and scaled.
    """

    scaling: float
    volumes_mm3: dict[str, float]
    normalized_mm3: dict[str, float]


def parse_sienax_report(text: str) -> SienaxReport:
    """Numbers of a ``report.sienax``: lines of name, normalized and unnormalized volume.

    Raises
    ------
    ToolError
        ``output_damaged``.
    """
    scaling = re.search(rf"^\s*VSCALING\s+{_NUMBER}", text, re.MULTILINE)
    rows = re.findall(rf"^\s*(pgrey|vcsf|GREY|WHITE|BRAIN)\s+{_NUMBER}\s+{_NUMBER}", text, re.MULTILINE)
    if scaling is None or "BRAIN" not in {row[0] for row in rows}:
        raise ToolError("report.sienax has no VSCALING or no line BRAIN: SIENAX broke off.", code="output_damaged")
    return SienaxReport(
        float(scaling.group(1)),
        {name: float(volume) for name, _, volume in rows},
        {name: float(normalized) for name, normalized, _ in rows},
    )


class SienaxInputSpec(_OptionsInputSpec):
    """Inputs of sienax."""

    in_file = File(exists=True, mandatory=True, position=0, argstr="%s", desc="whole head")
    out_dir = Directory("sienax", usedefault=True, argstr="-o %s", hash_files=False, desc="output directory")
    regional = traits.Bool(argstr="-r", desc="also peripheral gray matter and ventricular CSF")
    lesion_mask = File(exists=True, argstr="-lm %s", desc="lesion mask, to correct mislabeled gray matter")
    fast_options = traits.Str(argstr='-S "%s"', desc="options for FAST")


class SienaxOutputSpec(TraitedSpec):
    """Outputs of sienax."""

    out_dir = Directory(exists=True, desc="output directory")
    report = File(exists=True, desc="text report, report.sienax")
    scaling = traits.Float(desc="volumetric scaling from the head to standard space")
    gray_matter_volume = traits.Float(desc="gray-matter volume as scanned, mm3")
    white_matter_volume = traits.Float(desc="white-matter volume as scanned, mm3")
    brain_volume = traits.Float(desc="brain volume as scanned, mm3")


class Sienax(FSLCommand):
    """Cross-sectional brain volume, normalized for head size."""

    _cmd = "sienax"
    input_spec = SienaxInputSpec
    output_spec = SienaxOutputSpec

    def _run_interface(self, runtime: Any, correct_return_codes: tuple[int, ...] = (0,)) -> Any:
        ended = super()._run_interface(runtime, correct_return_codes)
        check_script(ended, "SIENAX", report=Path(ended.cwd, self.inputs.out_dir, "report.sienax"))
        return ended

    def _list_outputs(self) -> dict[str, Any]:
        outputs = self.output_spec().get()
        folder = Path(self.inputs.out_dir).absolute()
        outputs["out_dir"] = str(folder)
        outputs["report"] = str(folder / "report.sienax")
        report = parse_sienax_report(read_report(folder / "report.sienax", tool="sienax", output="report.sienax"))
        outputs["scaling"] = report.scaling
        names = {"GREY": "gray_matter_volume", "WHITE": "white_matter_volume", "BRAIN": "brain_volume"}
        outputs |= {names[key]: value for key, value in report.volumes_mm3.items() if key in names}
        return outputs


class SienaChangeInputSpec(ToolChangeInputSpec):
    """Both visits and where to cut."""

    bet_fraction = traits.Range(
        low=0.0, high=1.0, value=0.5, usedefault=True, desc="fractional intensity threshold of BET; smaller: larger"
    )


class SienaChange(ToolInterface):
    """Change of the whole brain by SIENA; it knows nothing of gray matter."""

    input_spec = SienaChangeInputSpec
    output_spec = MeasuresOutputSpec

    def _calculate(self, folder: Path) -> dict[str, Any]:
        siena = Siena(
            in_file=str(copy_scan(Path(self.inputs.baseline_file), folder, "baseline")),
            in_file2=str(copy_scan(Path(self.inputs.followup_file), folder, "followup")),
            out_dir=str(folder.resolve() / "siena"),
            bet_options=f"-R -f {self.inputs.bet_fraction:g}",
        )
        report = parse_siena_report(
            read_report(one_file(self._call(siena, folder), "report", "SIENA"), tool="SIENA", output="report.siena")
        )
        return {
            "brain_change_percent": report.pbvc_percent,
            "siena_forward_percent": report.forward_percent,
            "siena_backward_percent": report.backward_percent,
        }
