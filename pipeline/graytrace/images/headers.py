"""Which affine of a NIfTI header to believe.

The rule: where qform and sform agree, the sform counts. Where only one can be right (the other is singular, sheared or
not finite), that one counts, with a sentence. Where both could be right and only place the same voxels elsewhere (no
axis changes its direction), volumes do not depend on the choice: the qform, which scanners write, counts, with a
sentence. Where they disagree about voxel sizes or directions the scan is refused: a human has to say which is right.
"""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np

from graytrace.algorithms.grids import voxel_sizes_mm, voxel_volume_mm3
from graytrace.arrays import Affine, Vector
from graytrace.errors import ImageError
from graytrace.findings import Flag
from graytrace.images.grids import corner_distance_mm, orientation

# Single precision, and the qform is a quaternion: corners of real scans differ by up to 0.05 mm.
ROUNDING_MM = 0.1
# Rounded voxel sizes in pixdim (0.91 for 0.9102) are no contradiction.
SIZE_TOLERANCE = 0.01
# NIfTI's codes of units other than mm, and how many mm each has
_UNITS = {1: ("meters", 1000.0), 3: ("microns", 0.001)}
_EDGE_MM = (0.1, 12.0)
_SINGULAR = 1e-6  # of the volume that perpendicular edges would have


@dataclass(frozen=True)
class Form:
    """One of a header's two affines.

    Parameters
    ----------
    name : str
        ``qform`` or ``sform``.
    code : int
        NIfTI's, 0 where it is not set.
    affine : (4, 4) ndarray or None
        Voxel indices to RAS mm; None where it cannot be computed.
    """

    name: str
    code: int
    affine: Affine | None

    def fault(self, pixdim_mm: Vector) -> str | None:
        """Why this affine cannot be right.

        Parameters
        ----------
        pixdim_mm : (3,) ndarray
            Voxel edges that the header gives beside it.

        Returns
        -------
        str or None
            None when it can be right.
        """
        if self.affine is None or not np.isfinite(self.affine).all():
            return f"the {self.name} is not a finite matrix"
        sizes = voxel_sizes_mm(self.affine)
        if sizes.min() <= 0 or voxel_volume_mm3(self.affine) < _SINGULAR * sizes.prod():
            return f"the {self.name} is singular"
        if not np.allclose(sizes, pixdim_mm, rtol=SIZE_TOLERANCE):
            return f"the {self.name} gives voxels of {_mm(sizes)}, pixdim says {_mm(pixdim_mm)}"
        axes = self.affine[:3, :3] / sizes
        if abs(np.linalg.det(axes)) < 1 - SIZE_TOLERANCE:
            return f"the {self.name} shears the voxels"
        return None


def choose_affine(header: nib.Nifti1Header, shape: tuple[int, ...]) -> tuple[Affine, list[Flag]]:
    """Voxel-to-RAS affine of a header, by this module's rule.

    Parameters
    ----------
    header : Nifti1Header
        Lengths in mm, meters or microns.
    shape : 3 ints
        Of the image.

    Returns
    -------
    voxel_to_ras : (4, 4) ndarray
        Voxel indices to RAS mm.
    flags : list of Flag
        A sentence for what was wrong and what was done.

    Raises
    ------
    ImageError
        ``header_contradiction`` or ``header_invalid``.
    """
    header, unit_flags = _in_mm(header)
    affine, flags = _choose(header, shape)
    return affine, [*unit_flags, *flags]


def _in_mm(header: nib.Nifti1Header) -> tuple[nib.Nifti1Header, list[Flag]]:
    """A header whose lengths are in mm, with a sentence where they were in meters or microns.

    A header that claims another unit for sizes that only millimeters make possible has mm, and a sentence as well.
    """
    unit = _UNITS.get(int(header["xyzt_units"]) & 7)
    if unit is None:
        return header, []
    name, factor = unit
    sizes = np.abs(np.asarray(header["pixdim"][1:4], dtype=float))
    words = f"The header gives lengths in {name}"
    if _is_plausible(sizes) and not _is_plausible(factor * sizes):
        message = f"{words}, but its voxels of {_mm(sizes).removesuffix(' mm')} can only be mm: they are taken as mm."
        return header, [Flag("units_repaired", message)]
    scaled = header.copy()
    scaled["pixdim"][1:4] = factor * header["pixdim"][1:4]
    for row in ("srow_x", "srow_y", "srow_z"):
        scaled[row] = factor * header[row]
    for offset in ("qoffset_x", "qoffset_y", "qoffset_z"):
        scaled[offset] = factor * header[offset]
    return scaled, [Flag("units_repaired", f"{words}: they are taken times {factor:g}, in mm.")]


def _is_plausible(sizes_mm: Vector) -> bool:
    return bool(((sizes_mm >= _EDGE_MM[0]) & (sizes_mm <= _EDGE_MM[1])).all())


def _choose(header: nib.Nifti1Header, shape: tuple[int, ...]) -> tuple[Affine, list[Flag]]:
    pixdim_mm = np.abs(np.asarray(header["pixdim"][1:4], dtype=float))
    qform, sform = _qform(header), Form("sform", int(header["sform_code"]), header.get_sform())
    coded = [form for form in (qform, sform) if form.code > 0]
    if not coded:
        return _uncoded(header, pixdim_mm)
    faults = {form.name: form.fault(pixdim_mm) for form in coded}
    usable = [form for form in coded if faults[form.name] is None and form.affine is not None]
    if not usable:
        code = (
            "header_contradiction"
            if all(" gives voxels " in str(fault) for fault in faults.values())
            else "header_invalid"
        )
        raise ImageError(code, f"The header contradicts itself: {'; '.join(map(str, faults.values()))}.")
    if len(usable) == 1:
        return _only_one(usable[0], coded, faults)
    return _choose_of_two(qform, sform, shape)


def _qform(header: nib.Nifti1Header) -> Form:
    try:
        return Form("qform", int(header["qform_code"]), header.get_qform())
    except (ValueError, nib.spatialimages.HeaderDataError):  # a quaternion longer than one
        return Form("qform", int(header["qform_code"]), None)


def _uncoded(header: nib.Nifti1Header, pixdim_mm: Vector) -> tuple[Affine, list[Flag]]:
    if not np.isfinite(pixdim_mm).all() or (pixdim_mm <= 0).any():
        raise ImageError("header_invalid", f"The header has no affine and voxel sizes of {_mm(pixdim_mm)}.")
    message = (
        "The header says nothing of position and direction (qform_code and sform_code are 0): axes are taken as stored."
    )
    return header.get_base_affine(), [Flag("header_repaired", message)]


def _only_one(form: Form, coded: list[Form], faults: dict[str, str | None]) -> tuple[Affine, list[Flag]]:
    assert form.affine is not None  # noqa: S101 - usable forms have one
    if len(coded) == 1:
        return form.affine, []
    wrong = next(fault for fault in faults.values() if fault)
    if " gives voxels " in wrong and form.name == "qform":
        # the qform takes its sizes from pixdim, so its agreement proves nothing
        raise ImageError("header_contradiction", f"The header contradicts itself about the size of a voxel: {wrong}.")
    return form.affine, [Flag("header_repaired", f"The {form.name} is used because {wrong}.")]


def _choose_of_two(qform: Form, sform: Form, shape: tuple[int, ...]) -> tuple[Affine, list[Flag]]:
    assert qform.affine is not None and sform.affine is not None  # noqa: S101, PT018 - usable forms have one
    apart_mm = corner_distance_mm(qform.affine, sform.affine, shape)
    if apart_mm <= ROUNDING_MM:
        return sform.affine, []
    directions = [orientation(qform.affine), orientation(sform.affine)]
    if directions[0] != directions[1]:
        raise ImageError(
            "header_contradiction",
            f"The header contradicts itself: the qform's axes are {directions[0]}, the sform's {directions[1]}. "
            "Find out which is right (left and right may be swapped) and write it into both.",
        )
    message = (
        f"qform and sform place the scan {apart_mm:.1f} mm apart, with the same voxel sizes and directions; "
        "the qform is used."
    )
    return qform.affine, [Flag("header_repaired", message)]


def _mm(sizes: Vector) -> str:
    return " x ".join(f"{size:.4g}" for size in sizes) + " mm"
