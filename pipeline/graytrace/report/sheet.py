"""A PDF page as this program writes it: A4, fonts in the file, no dates: the same content has the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
from fpdf import FPDF
from fpdf.enums import Align

from graytrace import __version__
from graytrace.report.content import typeset

MARGIN_MM = 12.0
_FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"  # DejaVu Sans: has minus signs, and is there with Matplotlib
_NO_DATE = datetime.fromtimestamp(0, UTC)  # fpdf2 wants one; the same content shall have the same bytes tomorrow
_LINE = 1.32  # heights of a font
_MM_PER_POINT = 25.4 / 72
INK, MUTED, RULE = (27, 31, 36), (90, 99, 110), (213, 218, 224)


class Sheet(FPDF):
    """Pages with the program's fonts; `foot` stands at the end of each."""

    def __init__(self, title: str, *, foot: str) -> None:
        super().__init__(format="A4", unit="mm")
        self.foot = foot
        for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            self.add_font("sans", style, _FONTS / name)
        self.set_margin(MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=MARGIN_MM + 4)
        self.set_title(title)
        self.set_lang("en")
        self.set_creator(f"Graytrace {__version__}")
        self.set_creation_date(_NO_DATE)
        self.c_margin = 0
        self.set_font("sans", "", 8)
        self.set_text_color(*INK)

    def footer(self) -> None:
        """Write the foot and the page's number."""
        self.set_y(-MARGIN_MM - 1)
        self.write_line(self.foot, size=6.5, color=MUTED, width=self.epw - 20)
        self.set_xy(self.w - MARGIN_MM - 20, -MARGIN_MM - 1)
        self.write_line(f"{self.page_no()} / {{nb}}", size=6.5, color=MUTED, align=Align.R)

    def height_of(self, text: str, *, width: float, size: float = 8, bold: bool = False) -> float:
        """Height in mm of a text that is wrapped to a width in mm."""
        self.set_font("sans", "B" if bold else "", size)
        height = self.multi_cell(width, line_height(size), typeset(text), align=Align.L, dry_run=True, output="HEIGHT")
        return float(height)  # type: ignore[arg-type] # by its option

    def write_line(
        self,
        text: str,
        *,
        size: float = 8,
        bold: bool = False,
        color: tuple[int, int, int] = INK,
        width: float = 0,
        align: Align = Align.L,
    ) -> None:
        """Write a text, wrapped to a width in mm (0: to the margin), and go on below it at the same left edge."""
        left = self.get_x()
        self.set_font("sans", "B" if bold else "", size)
        self.set_text_color(*color)
        self.multi_cell(width, line_height(size), typeset(text), align=align, new_x="LEFT", new_y="NEXT")
        self.set_x(left)
        self.set_text_color(*INK)

    def rule(self) -> None:
        """Draw a thin line from margin to margin and go a little below it."""
        self.set_draw_color(*RULE)
        self.set_line_width(0.2)
        self.line(MARGIN_MM, self.get_y(), self.w - MARGIN_MM, self.get_y())
        self.set_y(self.get_y() + 1.2)

    def as_bytes(self) -> bytes:
        """The file."""
        return bytes(self.output())


def line_height(size: float) -> float:
    """Height in mm of a line of text of a size in points."""
    return size * _MM_PER_POINT * _LINE
