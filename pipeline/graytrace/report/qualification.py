"""The page of a qualification: as HTML for the screen and as PDF to print and sign, from the same content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import jinja2
from fpdf.enums import Align, TableBordersLayout
from fpdf.fonts import FontFace

from graytrace.report.content import typeset
from graytrace.report.sheet import INK, MUTED, RULE, Sheet, line_height
from graytrace.results.qualification import PARTS, SIGNERS, Check, Qualification

MEANING = (
    "Signed by the site on paper or in its own system: this program holds no electronic signatures. The page states "
    "what was checked on this machine and claims no compliance with any regulation."
)
_TEMPLATES = Path(__file__).parent / "templates"
_VERDICT_COLORS = {"pass": (0, 105, 76), "fail": (161, 0, 60)}
_SIZE = 7.2
_CHECK_HEAD = ("No.", "What", "Limit", "Found", "Verdict")
_CHECK_WIDTHS = (11, 45, 52, 62, 16)
_PACKAGE_HEAD = ("Package", "Pinned", "Installed", "Files with a digest", "Changed")
_PACKAGE_WIDTHS = (60, 32, 32, 36, 26)
_SIGN_HEIGHT = 11.0


def _title(found: Qualification) -> str:
    return f"Qualification of Graytrace {found.version}"


def _verdict(found: Qualification) -> str:
    return "PASS" if found.is_passed else "FAIL"


def _summary(found: Qualification) -> str:
    judged = [check for check in found.checks if check.is_passed is not None]
    told = f"{len(judged) - len(found.failed)} of {len(judged)} checks passed"
    failed = ", ".join(check.code for check in found.failed)
    told += f"; failed: {failed}." if failed else "."
    size = "three phantom patients of 1 mm" if found.extent == "full" else "two phantom patients of 2 mm (--quick)"
    return f"{told} Measured: {size}, and one with a damaged scan."


def _facts(found: Qualification, digest: str) -> list[tuple[str, str]]:
    """Words above the checks; the digest ties a signed paper to its file."""
    return [("Begun", found.date), *found.machine.items(), ("SHA-256 of qualification.json", digest)]


def _parts(found: Qualification) -> Iterator[tuple[str, list[Check]]]:
    for code, heading in PARTS.items():
        yield heading, [check for check in found.checks if check.code.startswith(code)]


def render_html(found: Qualification, *, digest: str) -> str:
    """The page as HTML.

    Parameters
    ----------
    found : Qualification
    digest : str
        SHA-256 of qualification.json.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: typeset(value) if type(value) is str else value,
    )
    return environment.get_template("qualification.html.j2").render(
        title=_title(found),
        verdict=_verdict(found),
        summary=_summary(found),
        facts=_facts(found, digest),
        parts=list(_parts(found)),
        meaning=MEANING,
        signers=SIGNERS,
        packages=found.packages,
    )


def render_pdf(found: Qualification, *, digest: str) -> bytes:
    """The page as a PDF file's bytes.

    Parameters
    ----------
    found : Qualification
    digest : str
        SHA-256 of qualification.json.

    Returns
    -------
    bytes
        The same for the same content.
    """
    sheet = Sheet(f"{_title(found)}: {_verdict(found)}", foot=f"{_title(found)}, begun {found.date}: {_verdict(found)}")
    sheet.add_page()
    sheet.write_line(_title(found), size=15, bold=True)
    sheet.write_line(_verdict(found), size=14, bold=True, color=_VERDICT_COLORS[_verdict(found).lower()])
    sheet.write_line(_summary(found), size=8.5)
    sheet.ln(1.5)
    for name, text in _facts(found, digest):
        y = sheet.get_y()
        sheet.write_line(name, size=_SIZE, color=MUTED, width=48)
        sheet.set_xy(sheet.l_margin + 49, y)
        sheet.write_line(text, size=_SIZE)
        sheet.set_x(sheet.l_margin)
    for heading, checks in _parts(found):
        _head(sheet, heading)
        rows = [(one.code, one.what, one.expected, one.found, one.verdict) for one in checks]
        _table(sheet, _CHECK_HEAD, rows, _CHECK_WIDTHS)
    _sign(sheet)
    if found.packages:
        _head(sheet, "Packages")
        told = [(one.name, one.pinned, one.version, str(one.files), str(one.changed)) for one in found.packages]
        _table(sheet, _PACKAGE_HEAD, told, _PACKAGE_WIDTHS)
    return sheet.as_bytes()


def _head(sheet: Sheet, text: str) -> None:
    sheet.ln(3)
    if sheet.will_page_break(20):
        sheet.add_page()
    sheet.write_line(text, size=9.5, bold=True)


def _table(sheet: Sheet, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> None:
    """A table whose last column, if it is a verdict, has its color; its head stands on each page."""
    sheet.set_font("sans", "", _SIZE)
    sheet.set_draw_color(*RULE)
    sheet.set_line_width(0.15)
    with sheet.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        col_widths=tuple(widths),
        headings_style=FontFace(emphasis="BOLD", color=INK),
        line_height=line_height(_SIZE),
        padding=(0.6, 1.2, 0.6, 0),
        text_align=Align.L,
    ) as table:
        table.row([*head])
        for row in rows:
            cells = table.row()
            for cell in row[:-1]:
                cells.cell(typeset(cell))
            color = _VERDICT_COLORS.get(row[-1].lower())
            cells.cell(row[-1], style=FontFace(emphasis="BOLD", color=color) if color else None)


def _sign(sheet: Sheet) -> None:
    """Place for names, dates and signatures, on one page."""
    sheet.ln(3)
    if sheet.will_page_break(_SIGN_HEIGHT * len(SIGNERS) + 22):
        sheet.add_page()
    sheet.write_line("Signatures", size=9.5, bold=True)
    sheet.write_line(MEANING, size=_SIZE, color=MUTED)
    sheet.ln(1.5)
    for signer in SIGNERS:
        y = sheet.get_y()
        base = y + _SIGN_HEIGHT - 3.5
        sheet.set_y(base - line_height(_SIZE))
        sheet.write_line(signer, size=_SIZE, width=26)
        sheet.set_draw_color(*MUTED)
        sheet.set_line_width(0.2)
        for x, width, word in ((28, 62, "Name"), (94, 30, "Date"), (128, 58, "Signature")):
            left = sheet.l_margin + x
            sheet.line(left, base, left + width, base)
            sheet.set_xy(left, base + 0.3)
            sheet.write_line(word, size=5.8, color=MUTED, width=width)
        sheet.set_xy(sheet.l_margin, y + _SIGN_HEIGHT)
