"""How a scan was taken, from its JSON sidecar, and whether two visits were scanned alike."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from graytrace.findings import Flag
from graytrace.study.dates import parse_scanner_date

MAX_SIDECAR_BYTES = 1 << 20
MAX_TEXT = 160
_SHOWN = 40  # characters of a value
RELATIVE_TOLERANCE = 0.01  # times and angles as scanners round them
FIELD_TOLERANCE = 0.05  # 1.494 T and 1.5 T are one field, 1.5 T and 3 T are not
# what a scanner can do, in BIDS's units: a value in milliseconds or radians, or a slip of the keyboard, lies outside
POSSIBLE = {
    "MagneticFieldStrength": (0.0, 25.0, "tesla"),
    "RepetitionTime": (0.0, 60.0, "seconds"),
    "EchoTime": (0.0, 1.0, "seconds"),
    "InversionTime": (0.0, 30.0, "seconds"),
    "FlipAngle": (0.0, 360.0, "degrees"),
}
_DATES = ("AcquisitionDateTime", "AcquisitionDate")


@dataclass(frozen=True)
class Protocol:
    """How a scan was taken; None is not known.

    Parameters
    ----------
    scanner, scanner_id : str or None
        Manufacturer and model; serial number or station.
    sequence : str or None
        Name of the pulse sequence.
    repetition_time_s, echo_time_s, inversion_time_s, flip_angle_deg : float or None
    distortion_correction : str or None
        ``none``, ``2D``, ``3D`` or ``yes``: of gradient nonlinearity.
    contrast_agent : str or None
    """

    scanner: str | None = None
    scanner_id: str | None = None
    software: str | None = None
    field_strength_t: float | None = None
    sequence: str | None = None
    repetition_time_s: float | None = None
    echo_time_s: float | None = None
    inversion_time_s: float | None = None
    flip_angle_deg: float | None = None
    distortion_correction: str | None = None
    contrast_agent: str | None = None


UNKNOWN = Protocol()


@dataclass(frozen=True)
class Sidecar:
    """What a scan's sidecars say together, and which files they are."""

    protocol: Protocol = UNKNOWN
    day: date | None = None
    flags: tuple[Flag, ...] = ()
    files: tuple[Path, ...] = ()


NOTHING_SAID = Sidecar()


def read_sidecar(paths: Iterable[Path]) -> Sidecar:
    """Read the sidecars of a scan, later ones over earlier ones; what cannot be read becomes a flag."""
    content: dict[str, Any] = {}
    flags = []
    files = tuple(paths)
    for path in files:
        try:
            content.update(_load(path))
        except (OSError, ValueError, RecursionError) as error:
            flags.append(Flag("sidecar_unreadable", f"{path.name} cannot be read: {str(error)[:MAX_TEXT]}."))
    day = None
    text = next((text for name in _DATES if (text := _text(content.get(name)))), None)
    if text:
        try:
            day = parse_scanner_date(text)
        except ValueError as error:
            flags.append(Flag("date_unreadable", f"The date in the sidecar cannot be read: {error}."))
    impossible = _impossible(content)
    if impossible:
        message = f"A value of the sidecar is impossible and is not used: {'; '.join(impossible.values())}."
        flags.append(Flag("sidecar_value_impossible", message))
        content = {name: value for name, value in content.items() if name not in impossible}
    return Sidecar(_protocol(content), day, tuple(flags), files)


def _impossible(content: Mapping[str, Any]) -> dict[str, str]:
    """Numbers of a sidecar that no scanner has, in words, by their keys."""
    found = {}
    for name, (low, high, unit) in POSSIBLE.items():
        value, number = content.get(name), _number(content.get(name))
        is_said = isinstance(value, int | float | str) and value != ""  # a list of echo times is none of one scan
        if is_said and (number is None or not low <= number <= high):
            found[name] = f"{name} is {str(value)[:_SHOWN]}, expected {low:g} to {high:g} {unit}"
    return found


def _load(path: Path) -> Mapping[str, Any]:
    size = path.stat().st_size
    if size > MAX_SIDECAR_BYTES:
        raise ValueError(f"{size} bytes, expected at most {MAX_SIDECAR_BYTES}")
    content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_refuse_twice)
    if not isinstance(content, dict):
        raise ValueError(f"expected keys and values, got {type(content).__name__}")  # noqa: TRY004 - a fault of the file
    return content


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keys and values, each key once: of two values nobody knows which one counts."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the key {twice[:MAX_TEXT]!r} twice")
    return content


def _protocol(content: Mapping[str, Any]) -> Protocol:
    def text(*names: str) -> str | None:
        return next((found for name in names if (found := _text(content.get(name)))), None)

    def number(name: str) -> float | None:
        return _number(content.get(name))

    maker = " ".join(part for part in (text("Manufacturer"), text("ManufacturersModelName")) if part)
    sequence = text("SequenceName", "PulseSequenceName", "PulseSequenceType", "ScanningSequence")
    return Protocol(
        scanner=maker or None,
        scanner_id=text("DeviceSerialNumber", "StationName"),
        software=text("SoftwareVersions", "SoftwareVersion"),
        field_strength_t=number("MagneticFieldStrength"),
        sequence=sequence.removeprefix("*") if sequence else None,
        repetition_time_s=number("RepetitionTime"),
        echo_time_s=number("EchoTime"),
        inversion_time_s=number("InversionTime"),
        flip_angle_deg=number("FlipAngle"),
        distortion_correction=_distortion_correction(content),
        contrast_agent=text("ContrastBolusIngredient", "ContrastBolusAgent"),
    )


def _distortion_correction(content: Mapping[str, Any]) -> str | None:
    """Whether the gradients' nonlinearity was corrected: ImageType says how, NonlinearGradientCorrection whether."""
    kinds = content.get("ImageType")
    words = {str(kind).upper() for kind in kinds} if isinstance(kinds, list) else set()
    for word, meaning in (("DIS3D", "3D"), ("DIS2D", "2D"), ("ND", "none")):
        if word in words:
            return meaning
    said = content.get("NonlinearGradientCorrection")
    return None if not isinstance(said, bool) else "yes" if said else "none"


def _text(value: Any) -> str | None:
    """A short text on one line, None for what is none."""
    if isinstance(value, list):
        value = " ".join(str(part) for part in value[:8] if isinstance(part, str | int | float))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return " ".join(str(value).split())[:MAX_TEXT] or None


def _number(value: Any) -> float | None:
    """A number, also where a converter wrote it in quotes."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


NOT_ALIKE = "The visits were not scanned alike: "
# what names tell, beside what sidecars tell
NAME_DIFFERENCES = ("name_differs", "flair_name_differs")
DIFFERENCES = (
    ("scanner_differs", ("scanner", "scanner_id")),
    ("software_differs", ("software",)),
    ("field_strength_differs", ("field_strength_t",)),
    (
        "sequence_differs",
        ("sequence", "repetition_time_s", "echo_time_s", "inversion_time_s", "flip_angle_deg"),
    ),
    ("distortion_correction_differs", ("distortion_correction",)),
    ("contrast_agent_differs", ("contrast_agent",)),
)


def compare_protocols(baseline: Protocol, followup: Protocol) -> tuple[Flag, ...]:
    """What differs between two visits. What is not known of one of them is no difference, but for contrast agent."""
    flags = []
    for code, names in DIFFERENCES:
        found = [
            f"{_words(name)} {_shown(getattr(baseline, name))}, then {_shown(getattr(followup, name))}"
            for name in names
            if _differs(name, getattr(baseline, name), getattr(followup, name))
        ]
        if found:
            flags.append(Flag(code, f"{NOT_ALIKE}{'; '.join(found)}."))
    return tuple(flags)


def _differs(name: str, before: Any, after: Any) -> bool:
    if name == "contrast_agent":
        return (before is None) != (after is None)
    if before is None or after is None:
        return False
    if isinstance(before, float):
        tolerance = FIELD_TOLERANCE if name == "field_strength_t" else RELATIVE_TOLERANCE
        return not math.isclose(before, after, rel_tol=tolerance)
    if name == "distortion_correction" and "yes" in {before, after}:  # corrected, and not said how
        return "none" in {before, after}
    return bool(before.casefold() != after.casefold())


def _shown(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _words(name: str) -> str:
    """A field's name in words, with its unit behind."""
    stem, _, unit = name.rpartition("_")
    units = {"s": "s", "t": "T", "deg": "degrees"}
    return f"{stem.replace('_', ' ')} ({units[unit]})" if unit in units else name.replace("_", " ")


PROTOCOL_COLUMNS = tuple(field.name for field in fields(Protocol))
