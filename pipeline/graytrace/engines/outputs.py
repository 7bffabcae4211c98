"""Looking at what a tool wrote before anybody measures it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from graytrace.engines.registry import ImageKind
from graytrace.errors import ImageError, ToolError
from graytrace.images.grids import Volume, describe_grid, is_same_grid
from graytrace.images.reading import read_volume

_FRACTION_SLACK = 1e-3  # single precision and a tool's own rounding


def check_image(path: Path | None, kind: ImageKind, *, tool: str, output: str, grid: Path | None) -> Volume:
    """Make sure that an image that a tool wrote can be measured.

    Parameters
    ----------
    path : Path or None
        NIfTI; None where the tool named none.
    kind : str
        ``image``, ``mask``, ``fraction`` or ``labels``: what values it may have.
    tool, output : str
        For messages.
    grid : Path or None
        NIfTI whose grid it must have.

    Returns
    -------
    Volume
        The image.

    Raises
    ------
    ToolError
        It is missing, damaged or on another grid (the machinery's fault), or empty or not finite (about the data).
    """
    if path is None or not path.is_file():
        raise ToolError(f"{tool} ended well but wrote no {output}.", code="output_missing")
    try:
        volume = read_volume(path)
    except ImageError as error:
        raise ToolError(f"{tool} wrote a damaged {output}: {error}", code="output_damaged") from error
    check_volume(volume, kind, tool=tool, output=output, like=read_volume(grid) if grid else None)
    return volume


def check_volume(volume: Volume, kind: ImageKind, *, tool: str, output: str, like: Volume | None) -> None:
    """As `check_image`, of an image in memory.

    Parameters
    ----------
    volume : Volume
        Any unit; a mask of 0 and 1, fractions in [0, 1] but for rounding.
    kind : str
        ``image``, ``mask``, ``fraction`` or ``labels``.
    tool, output : str
        For messages.
    like : Volume or None
        Whose grid it must have.

    Raises
    ------
    ToolError
        As `check_image`.
    """
    if like is not None and not is_same_grid(volume, like):
        raise ToolError(
            f"{tool} wrote {output} on another grid: {describe_grid(volume)}; expected {describe_grid(like)}.",
            code="output_grid",
        )
    data = volume.data
    if not np.isfinite(data).all():
        raise ToolError(
            f"{tool} wrote {output} with voxels that are not finite.", code="output_not_finite", about_data=True
        )
    if not data.any():
        raise ToolError(f"{tool} found nothing: {output} is empty.", code="output_empty", about_data=True)
    if kind == "mask" and not np.isin(data, (0, 1)).all():
        raise ToolError(f"{tool} wrote {output} with values other than 0 and 1.", code="output_range")
    if kind == "labels" and (data != np.rint(data)).any():
        raise ToolError(f"{tool} wrote {output} with values that are no whole numbers.", code="output_range")
    if kind == "fraction" and (data.min() < -_FRACTION_SLACK or data.max() > 1 + _FRACTION_SLACK):
        raise ToolError(f"{tool} wrote {output} with values outside 0 to 1.", code="output_range")


def read_report(path: Path | None, *, tool: str, output: str) -> str:
    """Text of a report that a tool wrote.

    Raises
    ------
    ToolError
        ``output_missing``, or ``output_damaged`` where it is no text or empty.
    """
    if path is None or not path.is_file():
        raise ToolError(f"{tool} ended well but wrote no {output}.", code="output_missing")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ToolError(f"{tool} wrote a damaged {output}: {error}", code="output_damaged") from error
    if not text.strip():
        raise ToolError(f"{tool} wrote an empty {output}.", code="output_damaged")
    return text
