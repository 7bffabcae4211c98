"""One page for the clinic: a patient at one follow-up, with what the card of the report has, as a PDF."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fpdf.enums import Align

from graytrace.report.content import Card, Row, find_reason, number, show_change
from graytrace.report.figures import MAP_LIMIT_PERCENT
from graytrace.report.published import WORDS, OwnRate, PublishedRate, find_own_rate, load_published
from graytrace.report.sheet import INK, MARGIN_MM, MUTED, RULE, Sheet, line_height

NO_DIAGNOSIS = (
    "For research. Not a medical device, no diagnosis: what the numbers mean for this patient is for the treating "
    "physician to judge, with everything else that is known."
)
TOOLS_DIFFER = (
    "Tools differ: rates by SIENA, FreeSurfer, boundary shift integrals or this program cannot be compared number by "
    "number, nor can those of different scanners. The published rates are of groups; they are no limits for one "
    "person. One person's change also holds hydration, time of day and treatment: drugs against inflammation, steroids "
    "included, can shrink the brain without loss of tissue (pseudo-atrophy)."
)
_RATES_HEAD = "Beside published rates, percent per year (whole brain and cortex; none is listed for all gray matter)"
_BORDERS = "Borders: brain mask (light blue), gray matter against CSF (orange), white against gray matter (green)."
_CHANGE = (
    " Change: blue is loss of volume, orange gain (widening ventricles and sulci), full color at "
    f"{MAP_LIMIT_PERCENT:g} %."
)
_BLUE, _SOFT_BLUE, _GRAY = (0, 114, 178), (214, 232, 243), (150, 158, 168)
_STATUS = {"ok": (0, 105, 76), "flagged": (163, 68, 0), "failed": (161, 0, 60)}
_NUMBERS_WIDTH, _GAP = 96.0, 6.0
_PICTURE_WIDTH, _LEAST_PICTURE_WIDTH = 88.0, 50.0
_BELOW_PICTURES = 84.0  # names, caption, rates and foot
_ROW = 3.75
_PLACES = (60.0, 46.0)  # of a rate's group and of its drawing; the words have the rest
_LEAST_AXIS = (-2.0, 0.5)  # percent per year


@dataclass(frozen=True)
class Visit:
    """A visit as the page names it; `date` is empty where it is not known."""

    label: str
    date: str

    def __str__(self) -> str:
        """The label, with its date where it has one."""
        return f"{self.label} ({self.date})" if self.date else self.label


@dataclass(frozen=True)
class PagePicture:
    """A picture with what it is."""

    name: str
    path: Path


def render_patient_page(
    card: Card, row: Row, *, visits: tuple[Visit, Visit], pictures: Sequence[PagePicture], foot: str
) -> bytes:
    """The page as a PDF file's bytes, the same for the same content.

    Parameters
    ----------
    card : Card
        From `content.make_cards`.
    row : Row
        The same patient's row of atrophy.tsv.
    visits : (Visit, Visit)
    pictures : sequence of PagePicture
        Borders of each visit, then both visits in midway space and the local change; those that are there.
    foot : str
        Which results it was made from.

    Returns
    -------
    bytes
    """
    sheet = Sheet(f"{card.title}: change of gray matter", foot=f"{NO_DIAGNOSIS}\n{foot}")
    sheet.set_auto_page_break(auto=False)
    sheet.add_page()
    _write_head(sheet, card, row, visits)
    top = sheet.get_y()
    _write_numbers(sheet, card)
    below = sheet.get_y()
    sheet.set_xy(MARGIN_MM + _NUMBERS_WIDTH + _GAP, top)
    _write_review(sheet, card, row, bottom=max(below, top + 56))
    sheet.set_xy(MARGIN_MM, max(below, sheet.get_y()) + 1.5)
    _place_pictures(sheet, pictures)
    if number(row, "gm_change_percent") is not None:
        _write_rates(sheet, row)
    return sheet.as_bytes()


def _write_head(sheet: Sheet, card: Card, row: Row, visits: tuple[Visit, Visit]) -> None:
    sheet.write_line(f"{card.title}: change of gray matter between two MRI visits", size=13, bold=True)
    years = number(row, "interval_years")
    apart = "" if years is None else f", {years:.2f} years apart"
    sheet.write_line(f"First visit {visits[0]}, second visit {visits[1]}{apart}.", color=MUTED)
    sheet.set_y(sheet.get_y() + 1)
    sheet.rule()
    left = sheet.get_x()
    sheet.write_line(card.status, size=10, bold=True, color=_STATUS.get(card.status, MUTED), width=24)
    sheet.set_xy(left + 24, sheet.get_y() - line_height(10))
    measured = number(row, "gm_change_percent") is not None
    told = f"Gray matter {show_change(row, 'gm_change_percent')}" if measured else f"Not measured. {find_reason(row)}"
    sheet.write_line(told, size=10 if measured else 9, bold=measured)
    sheet.set_xy(left, sheet.get_y() + 0.6)
    sheet.rule()


def _write_numbers(sheet: Sheet, card: Card) -> None:
    """The card's numbers, one a line."""
    if not card.numbers:
        return
    sheet.write_line("Numbers", bold=True, width=_NUMBERS_WIDTH)
    for name, text in card.numbers:
        top = sheet.get_y()
        value = text.replace(" (95 % interval ", "\n(95 % interval ")
        sheet.write_line(name, size=7, color=MUTED, width=48)
        below = sheet.get_y()
        sheet.set_xy(MARGIN_MM + 49, top)
        sheet.write_line(value, size=7, width=_NUMBERS_WIDTH - 49)
        sheet.set_xy(MARGIN_MM, max(below, sheet.get_y()) + 0.25)


def _write_review(sheet: Sheet, card: Card, row: Row, *, bottom: float) -> None:
    """What needs review, in words, as far as there is room; the report has the rest."""
    width = sheet.w - MARGIN_MM - sheet.get_x()
    sheet.write_line("Review needed" if card.whys else "Review", bold=True, width=width)
    # the reason of a failure stands above already
    whys = [why for why in card.whys if why != find_reason(row)]
    if not whys:
        told = "The reason stands above." if card.whys else "No flag. Look at the pictures all the same."
        sheet.write_line(told, size=7, width=width)
    said = [*(f"\N{BULLET} {why}" for why in whys), *([card.scanned] if card.scanned else [])]
    for at, text in enumerate(said):
        left = len(said) - at
        more = f"and {left} more: report.html" if left > 1 else "One more: report.html"
        room = bottom - sheet.get_y() - (line_height(7) if left > 1 else 0)
        if sheet.height_of(text, width=width, size=7) > room:
            sheet.write_line(more, size=7, color=MUTED, width=width)
            return
        sheet.write_line(text, size=7, width=width)


def _place_pictures(sheet: Sheet, pictures: Sequence[PagePicture]) -> None:
    """Pictures in two columns, each with its name above it."""
    if not pictures:
        return
    top = below = sheet.get_y()
    # borders are three rows of four squares, midway space two
    room = sheet.h - top - _BELOW_PICTURES
    picture_width = min(_PICTURE_WIDTH, max(room / (3 / 4 + 2 / 4), _LEAST_PICTURE_WIDTH))
    step = sheet.epw - picture_width
    for at, picture in enumerate(pictures):
        if at % 2 == 0:
            top = below
        x = MARGIN_MM + (at % 2) * step
        sheet.set_xy(x, top)
        sheet.write_line(picture.name, size=7, bold=True, width=picture_width)
        placed = sheet.image(picture.path, x=x, y=sheet.get_y(), w=picture_width, alt_text=picture.name)
        below = max(below, sheet.get_y() + float(placed.rendered_height) + 0.8)
    sheet.set_xy(MARGIN_MM, below)
    has_change = any("change" in picture.name for picture in pictures)
    sheet.write_line(f"{_BORDERS}{_CHANGE if has_change else ''} L is the patient's left.", size=6.5, color=MUTED)
    sheet.set_y(sheet.get_y() + 0.8)


def _write_rates(sheet: Sheet, row: Row) -> None:
    """The patient's changes per year beside published ones, drawn on one axis."""
    sheet.rule()
    sheet.write_line(_RATES_HEAD, bold=True)
    own = {column: rate for column in WORDS if (rate := find_own_rate(row, column)) is not None}
    if not own:
        sheet.write_line("No change per year is given: a date is not known, or the visits are too near.", size=7)
    else:
        published = {column: load_published()[column] for column in own}
        _draw_rates(sheet, own, published)
    sheet.set_y(sheet.get_y() + 0.6)
    sheet.write_line(TOOLS_DIFFER, size=6.8)
    dois = {one.source: one.doi for rates in load_published().values() for one in rates}
    sources = "; ".join(f"{source}, doi:{doi}" for source, doi in dois.items())
    sheet.write_line(f"Sources: {sources}.", size=5.8, color=MUTED)


def _draw_rates(sheet: Sheet, own: Mapping[str, OwnRate], published: Mapping[str, Sequence[PublishedRate]]) -> None:
    low, high = _axis(own)
    left, width = MARGIN_MM + _PLACES[0], _PLACES[1]

    def place(value: float) -> float:
        return left + width * (min(max(value, low), high) - low) / (high - low)

    top = sheet.get_y()
    for column, rate in own.items():
        y = sheet.get_y()
        half = rate.half or 0.0
        sheet.set_fill_color(*_SOFT_BLUE)
        band = max(place(rate.value + half) - place(rate.value - half), 0.3)
        sheet.rect(place(rate.value - half), y, band, _ROW * (1 + len(published[column])), style="F")
        told = f"{rate.value:+.2f}" + ("" if rate.half is None else f", 95 % interval ± {rate.half:.2f}")
        _write_rate(sheet, f"{WORDS[column]}: this patient", told, bold=True)
        for one in published[column]:
            _write_rate(sheet, one.group, f"{one.spread}; {one.method}; {one.source}")
            _draw_bar(sheet, place, one)
        sheet.set_draw_color(*_BLUE)
        sheet.set_line_width(0.5)
        sheet.line(place(rate.value), y, place(rate.value), sheet.get_y())
    bottom = sheet.get_y()
    sheet.set_draw_color(*RULE)
    sheet.set_line_width(0.15)
    for tick in range(int(2 * low), int(2 * high) + 1):
        x = place(tick / 2)
        sheet.set_draw_color(*(MUTED if tick == 0 else RULE))
        sheet.line(x, top, x, bottom)
        sheet.set_xy(x - 5, bottom)
        sheet.write_line(f"{tick / 2:g}", size=6, color=MUTED, width=10, align=Align.C)
    sheet.set_xy(MARGIN_MM, bottom + line_height(6))


def _axis(own: Mapping[str, OwnRate]) -> tuple[float, float]:
    """Ends of the axis at half percents, so that the patient's intervals and all published rates are inside."""
    ends = [rate.value + sign * (rate.half or 0.0) for rate in own.values() for sign in (-1, 1)]
    low, high = min(_LEAST_AXIS[0], *ends), max(_LEAST_AXIS[1], *ends)
    return math.floor(2 * low) / 2, math.ceil(2 * high) / 2


def _write_rate(sheet: Sheet, group: str, told: str, *, bold: bool = False) -> None:
    y = sheet.get_y()
    sheet.set_y(y + 0.35)
    sheet.write_line(group, size=6.6, bold=bold, width=_PLACES[0], color=_BLUE if bold else INK)
    sheet.set_xy(MARGIN_MM + sum(_PLACES) + 2, y + 0.35)
    sheet.write_line(told, size=5.8, bold=bold, color=_BLUE if bold else MUTED)
    sheet.set_xy(MARGIN_MM, y + _ROW)


def _draw_bar(sheet: Sheet, place: Callable[[float], float], one: PublishedRate) -> None:
    y = sheet.get_y() - _ROW / 2
    sheet.set_draw_color(*_GRAY)
    sheet.set_line_width(0.9)
    if one.low is not None and one.high is not None:
        sheet.line(place(one.low), y, place(one.high), y)
    if one.mean is not None:
        sheet.set_fill_color(*INK)
        sheet.circle(place(one.mean), y, 0.65, style="F")
