"""The A4 sheet that every printed document is set on: fonts, blocks of facts, tables, page numbers."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal, cast

import fontpkg  # type: ignore[import-untyped] # ships no types
import msgspec
from fpdf import FPDF
from fpdf.enums import MethodReturnValue, TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace, TTFFont

from dealerflow.adapters.documents.formats import moment
from dealerflow.adapters.documents.words import words_of

FAMILY = "Fira Sans"  # Latin, Greek and Cyrillic; OFL-1.1; embedded as a subset
MARGIN_MM = 20
LINE_MM = 5.0
MAX_CELL_CHARACTERS = 400  # keeps one row of a table well below the height of a page
MAX_BLOCK_LINES = 20
PAGES_ALIAS = "{pages}"

INK = (17, 24, 39)
FAINT = (107, 114, 128)
RULE = (209, 213, 219)

Align = Literal["LEFT", "RIGHT", "CENTER"]


class Column(msgspec.Struct, frozen=True):
    """One column of a table: its heading, its width relative to the others, and how it is aligned."""

    heading: str
    width: float
    align: Align = "LEFT"


class Sheet(FPDF):
    """An A4 document in one language, on as many pages as it needs, each with `footer_text` and its number.

    `issued_at` (ms since epoch, in `timezone`) is the only time in the file, so the same input gives the
    same bytes. `fallback_fonts` are font files for scripts that the main font lacks.
    """

    def __init__(
        self,
        *,
        title: str,
        author: str,
        language: str,
        issued_at: int,
        timezone: str,
        fallback_fonts: Sequence[Path] = (),
    ) -> None:
        super().__init__(format="A4", unit="mm")
        self.footer_text = ""
        self.words = words_of(language)
        self._load_fonts(fallback_fonts)
        self.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(True, margin=MARGIN_MM + LINE_MM)
        self.alias_nb_pages(PAGES_ALIAS)
        self.set_title(printable(title))
        self.set_author(printable(author))
        self.set_creator("Dealerflow")
        self.set_lang(language)
        self.set_creation_date(moment(issued_at, timezone))
        self.add_page()

    def _load_fonts(self, fallback_fonts: Sequence[Path]) -> None:
        self.add_font("main", "", fontpkg.path(FAMILY, weight=400))
        self.add_font("main", "B", fontpkg.path(FAMILY, weight=700))
        for number, file in enumerate(fallback_fonts):
            self.add_font(f"fallback{number}", "", file)
        self._letters = frozenset(
            code for font in self.fonts.values() if isinstance(font, TTFFont) for code in font.cmap
        )
        if fallback_fonts:
            self.set_fallback_fonts([f"fallback{n}" for n in range(len(fallback_fonts))], exact_match=False)

    def footer(self) -> None:
        """Called by FPDF at the end of each page."""
        self.set_y(-MARGIN_MM + LINE_MM)
        self._font(8, color=FAINT)
        self.cell(text=self.words["page"].format(self.page_no(), PAGES_ALIAS))
        self.set_x(MARGIN_MM + self.epw / 3)
        self.cell(w=self.epw * 2 / 3, text=clip(self.shown(self.footer_text), 90), align="R")

    def heading(self, left: str, right: str) -> None:
        """The first line of the document: who it is from, and what it is."""
        top = self.get_y()
        self._font(13, bold=True)
        self.multi_cell(self.epw * 0.55, 6.5, clip(self.shown(left)), align="L", new_y=YPos.NEXT)
        bottom = self.get_y()
        self.set_xy(MARGIN_MM + self.epw * 0.55, top)
        self._font(18, bold=True)
        self.multi_cell(self.epw * 0.45, 8, self.shown(right), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_y(max(bottom, self.get_y()) + 2)
        self.rule()

    def blocks(self, blocks: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Blocks of lines side by side, each below its small heading; the first lines stand out."""
        top, lowest = self.get_y() + 3, 0.0
        width = self.epw / len(blocks)
        for number, (title, lines) in enumerate(blocks):
            self.set_xy(MARGIN_MM + number * width, top)
            self._label(title, width)
            for line, bold in self._wrapped(lines, width - 6):
                self._font(10, bold=bold)
                self._piece(MARGIN_MM + number * width, width, line)
            lowest = max(lowest, self.get_y())
        self.set_xy(MARGIN_MM, lowest + 4)

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Rows of a label and its value. A fact without a value is left out."""
        for label, value in facts:
            if not value:
                continue
            self.set_x(MARGIN_MM)
            self._font(9, color=FAINT)
            self.cell(w=42, h=LINE_MM, text=self.shown(label))
            self._font(10)
            self._piece(MARGIN_MM + 42, self.epw - 42, clip(self.shown(value)))
        self.ln(4)

    def listing(self, columns: Sequence[Column], rows: Sequence[Sequence[str]], size: float = 9) -> None:
        """A table whose headings come again on each page; a row is never torn apart."""
        self._font(size)
        self.set_draw_color(*RULE)
        with self.table(
            col_widths=tuple(column.width for column in columns),
            text_align=tuple(column.align for column in columns),
            headings_style=FontFace(emphasis="BOLD", color=INK, fill_color=(243, 244, 246)),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            line_height=size * 0.52,
            padding=(1.2, 1.5),
        ) as table:
            for cells in ([column.heading for column in columns], *rows):
                table.row([clip(self.shown(cell)) for cell in cells])
        self.set_text_color(*INK)
        self.ln(3)

    def totals(self, rows: Sequence[tuple[str, str]]) -> None:
        """Sums at the right edge; the last one stands out. They stay together on one page."""
        needed = (len(rows) + 1) * (LINE_MM + 1.5)
        if self.will_page_break(needed):
            self.add_page()
        for number, (label, amount) in enumerate(rows):
            last = number == len(rows) - 1
            self.set_x(MARGIN_MM + self.epw * 0.4)
            if last:
                self._line_above(self.epw * 0.4)
            self._font(11 if last else 9.5, bold=last)
            self.cell(w=self.epw * 0.35, h=LINE_MM + 1.5, text=self.shown(label))
            self.cell(w=self.epw * 0.25, h=LINE_MM + 1.5, text=self.shown(amount), align="R")
            self.ln()
        self.ln(4)

    def remark(self, text: str) -> None:
        """A small line of text."""
        self._font(8.5, color=FAINT)
        self._piece(MARGIN_MM, self.epw, clip(self.shown(text)))
        self._font(10)

    def signature_line(self, title: str, caption: str) -> None:
        """Room to sign by hand, kept on one page."""
        if self.will_page_break(32):
            self.add_page()
        self.ln(4)
        self._font(10, bold=True)
        self._piece(MARGIN_MM, self.epw, title)
        self.ln(14)
        self._line_above(0, width=90)
        self.remark(caption)

    def rule(self) -> None:
        """A line across the page."""
        self._line_above(0)
        self.ln(2)

    def shown(self, text: str) -> str:
        """`printable` text in which characters that no font has stand as their code points: 李明 → [U+674E U+660E].

        An empty box would lose whose document this is; from a code point anybody can find the character.
        """
        runs = groupby(printable(text), key=lambda letter: ord(letter) in self._letters)
        return "".join("".join(run) if known else _code_points(run) for known, run in runs)

    def _wrapped(self, parts: Sequence[str], width: float) -> list[tuple[str, bool]]:
        """The printed lines of a block, and whether each is bold; few enough to stay on the page."""
        lines = [clip(self.shown(line)) for part in parts for line in part.splitlines()]
        printed: list[tuple[str, bool]] = []
        for line in filter(None, lines):
            bold = not printed
            self._font(10, bold=bold)
            pieces = self.multi_cell(width, text=line, dry_run=True, output=MethodReturnValue.LINES)
            printed += [(piece, bold) for piece in cast("list[str]", pieces)]
        return printed[:MAX_BLOCK_LINES]

    def pdf(self) -> bytes:
        """The finished file."""
        return bytes(self.output())

    def _line_above(self, indent: float, width: float | None = None) -> None:
        self.set_draw_color(*RULE)
        end = MARGIN_MM + indent + width if width else MARGIN_MM + self.epw
        self.line(MARGIN_MM + indent, self.get_y(), end, self.get_y())

    def _label(self, text: str, width: float) -> None:
        self._font(8, color=FAINT)
        self.cell(w=width, h=LINE_MM, text=printable(text), new_x=XPos.LEFT, new_y=YPos.NEXT)

    def _piece(self, x: float, width: float, text: str) -> None:
        self.set_x(x)
        self.multi_cell(width, LINE_MM, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _font(self, size: float, *, bold: bool = False, color: tuple[int, int, int] = INK) -> None:
        self.set_font("main", "B" if bold else "", size)
        self.set_text_color(*color)


def printable(text: str) -> str:
    """One line of text that can be set: composed letters, blanks for line ends, nothing hidden."""
    composed = unicodedata.normalize("NFC", text)
    # What somebody is called must not be taken for the place of the page count.
    return "".join(_letter(letter) for letter in composed).replace(PAGES_ALIAS, "{ pages }").strip()


def _code_points(letters: Iterable[str]) -> str:
    return f"[{' '.join(f'U+{ord(letter):04X}' for letter in letters)}]"


def _letter(letter: str) -> str:
    category = unicodedata.category(letter)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    return "" if category in {"Cf", "Cs"} else letter  # marks of direction, halves of surrogates


def clip(text: str, longest: int = MAX_CELL_CHARACTERS) -> str:
    """The text, cut off with an ellipsis where it is longer than any real name or label."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
