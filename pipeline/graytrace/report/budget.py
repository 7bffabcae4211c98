"""What limits a patient's number: the error budget of its change as a bar and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from graytrace.algorithms.precision import ErrorBudget
from graytrace.report.plots import as_data_uri

# a word for the bar's key, the same in a sentence, and a color that those who see no red or no green can tell
_PARTS = {
    "noise": ("noise", "the noise of both scans", "#56B4E9"),
    "blocks": ("parts of the brain", "parts of the brain that changed differently", "#0072B2"),
    "geometry": ("geometry", "the scanner's length scale", "#D55E00"),
    "movement": ("movement", "the head's movement while one of the scans was taken", "#332288"),
    "sharpness": ("sharpness", "the different sharpness of both scans", "#CC79A7"),
    "shading": ("shading", "the different shading of both scans", "#F0E442"),
    "contrast": ("contrast", "a contrast of gray and white matter that may have changed", "#882255"),
    "model": ("model", "loss that registration sees only in part", "#009E73"),
    "agreement": ("agreement", "the gap to the plain difference of the two volumes", "#E69F00"),
    "texture": ("texture", "what the signal varies by itself", "#999999"),
}
_MOST = 0.5  # of the variance
_MOST_NAMED = 3  # more parts in one sentence tell nothing
_SHOWN = 0.01  # of the variance: less is no line in the bar
_WIDTH, _HEIGHT = 600, 16  # drawing units


@dataclass(frozen=True)
class Part:
    """A part of the budget.

    Parameters
    ----------
    label : str
    points : float
        Its standard error, percentage points.
    share : float
        Of the variance, 0 to 1.
    color : str
    """

    label: str
    points: float
    share: float
    color: str


@dataclass(frozen=True)
class Budget:
    """An error budget as the card shows it.

    Parameters
    ----------
    what : str
        Whose error it is: ``change of gray matter``.
    parts : sequence of Part
        Largest first.
    picture : str
        An SVG as the source of an image.
    limits : str
        What limits the number, as a sentence.
    """

    what: str
    parts: Sequence[Part]
    picture: str
    limits: str


def read_budget(measures: Mapping[str, object], stem: str) -> dict[str, float]:
    """Standard errors of the parts, largest first; empty where the engine of change tells no budget.

    Parameters
    ----------
    measures : mapping
        Of `measure_change`.
    stem : str
        The change's name without its unit: ``gm_change``.

    Returns
    -------
    dict
        Name of the part to percentage points.
    """
    found = {}
    for part in fields(ErrorBudget):
        points = measures.get(f"{stem}_se_{part.name}_points")
        if not isinstance(points, int | float):
            return {}
        found[part.name] = float(points)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def describe_budget(points: Mapping[str, float], what: str, *, is_widened: bool = False) -> Budget | None:
    """The bar, its key, and what limits the number.

    Parameters
    ----------
    points : mapping
        From `read_budget`.
    what : str
        Whose error it is.
    is_widened : bool
        Whether the interval is that of the study's own scanner, which is wider than the budget.

    Returns
    -------
    Budget or None
        None without a budget or without any error.

    Examples
    --------
    >>> describe_budget({"geometry": 0.2, "noise": 0.1, "model": 0.0}, "change of the brain").limits
    "Most of the uncertainty comes from the scanner's length scale (80 % of the variance)."
    """
    whole = sum(value**2 for value in points.values())
    if not whole > 0:
        return None
    shares = {name: value**2 / whole for name, value in points.items()}
    parts = [
        Part(_PARTS[name][0], points[name], share, _PARTS[name][2])
        for name, share in shares.items()
        if round(share, 2) >= _SHOWN
    ]
    limits = f"{_name_most(shares)}."
    if is_widened:
        limits = (
            "What limits this number is the repeatability of the study's own scanner; the error that was measured on "
            f"the pair itself is smaller. {limits}"
        )
    return Budget(what, parts, as_data_uri(draw_budget(parts)), limits)


def _name_most(shares: Mapping[str, float]) -> str:
    """The largest parts that are half of the variance together, at most three of them, with their share."""
    named: list[str] = []
    together = 0.0
    for name, share in shares.items():
        named.append(_PARTS[name][1])
        together += share
        if together >= _MOST or len(named) == _MOST_NAMED:
            break
    much = "Most of the uncertainty comes from" if together >= _MOST else "The largest parts of the uncertainty are"
    *first, last = named
    words = f"{', '.join(first)} and {last}" if first else last
    return f"{much} {words} ({'together ' if first else ''}{100 * together:.0f} % of the variance)"


def name_largest(points: Mapping[str, float]) -> str:
    """The part with the largest standard error, in words."""
    return _PARTS[max(points, key=lambda name: points[name])][1]


def draw_budget(parts: Sequence[Part]) -> str:
    """A stacked bar as SVG, each part as long as its share of the variance, in the order given."""
    shapes, start = [], 0.0
    for part in parts:
        width = _WIDTH * part.share
        shapes.append(f'<rect x="{start:.1f}" width="{width:.1f}" height="{_HEIGHT}" fill="{part.color}"/>')
        start += width
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(shapes)}</svg>'


def judge_size(change: float | None, half: float | None, smallest: float | None) -> str:
    """Whether a change is larger than what can be detected; empty where it is, or where no error is known.

    Parameters
    ----------
    change : float or None
        Percent of baseline.
    half : float or None
        Half of its 95 % interval, percentage points.
    smallest : float or None
        Smallest detectable change on the study's own scanner, percentage points.
    """
    if change is None:
        return ""
    if smallest is not None and abs(change) <= smallest:
        return (
            f"The change is within the smallest detectable change on the study's own scanner ({smallest:.2f} points): "
            "two scans between which nothing changed differ as much."
        )
    if half is not None and abs(change) <= half:
        return "The 95 % interval has zero in it: this measurement alone cannot tell the change from none."
    return ""
