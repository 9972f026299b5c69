"""How large a mark will be: the size of its look as Graphviz will make it, for layouts that place marks themselves.

Texts are measured in the widths of DejaVu Sans, the widest of the fonts that are asked for. With another font a mark is
a little smaller or larger than was thought, and lines end a little before it or within.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from .dot import Html

__all__ = ["extent", "text_width"]

EM = {
    0.28: "'|", 0.3: "ijl", 0.33: " ,.:;f()[]\u00a0", 0.4: "rtIJ-", 0.53: "csz", 0.61: "aevxy?L", 0.68: "ABEFKPSTXYZ",
    0.77: "CDGHNOQRUV&", 0.84: "+−=×÷<>#", 0.98: "mMwW@…",
}  # fmt: skip
"""How wide characters are, in parts of the size of the font; all others are `OTHER`."""

OTHER = 0.64
WIDTHS = {char: width for width, chars in EM.items() for char in chars}

BOLD, LINE_HEIGHT = 1.09, 1.2
"""How much wider bold letters are; the height of a line, in parts of the size of the font."""

SIZE = 13.0
"""The size of the font of marks."""

INCH = 72.0


def text_width(text: str, size: float = SIZE, bold: bool = False) -> float:
    """Return how wide a text is, in points.

    >>> round(text_width("forget", 9))
    27
    """
    return sum(WIDTHS.get(char, OTHER) for char in text) * size * (BOLD if bold else 1)


def extent(look: Mapping[str, Any]) -> tuple[float, float]:
    """Return the width and the height of a node of some look, in points."""
    least = float(look.get("width", 0)) * INCH, float(look.get("height", 0)) * INCH
    if look.get("fixedsize") == "true" or look.get("shape") == "point":
        return least
    label = look.get("label", "")
    size = float(look.get("fontsize", SIZE))
    if isinstance(label, Html):
        width, height = _Lines(size).read(ElementTree.fromstring(f"<R>{re.sub('&nbsp;', '&#160;', label)}</R>")).size
    else:
        width, height = text_width(label, size), LINE_HEIGHT * size
    if look.get("shape") == "plain":
        return width, height
    across, along = (float(margin) * INCH for margin in (f"{look.get('margin', '0.11,0.055')}," * 2).split(",")[:2])
    width, height = width + 2 * across, height + 2 * along
    if look.get("shape") in ("ellipse", "circle"):
        width, height = width * 2**0.5, height * 2**0.5
    return max(least[0], width), max(least[1], height)


class _Lines:
    """The lines of an HTML-like text, and what is among them."""

    def __init__(self, size: float) -> None:
        self.lines: list[tuple[float, float]] = [(0.0, 0.0)]
        self.font, self.bold = size, False

    @property
    def size(self) -> tuple[float, float]:
        """The width and the height of all."""
        return max(width for width, _ in self.lines), sum(height for _, height in self.lines)

    def read(self, element: ElementTree.Element) -> _Lines:
        """Measure what is in an element."""
        font, bold = self.font, self.bold
        if element.tag == "FONT":
            self.font = float(element.get("POINT-SIZE", font))
        self.bold = bold or element.tag == "B"
        self._add(element.text)
        for child in element:
            if child.tag == "TABLE":
                self._grow(*_table(child, self.font))
            elif child.tag == "BR":
                self.lines.append((0.0, 0.0))
            else:
                self.read(child)
            self._add(child.tail)
        self.font, self.bold = font, bold
        return self

    def _add(self, text: str | None) -> None:
        if text:
            self._grow(text_width(text, self.font, self.bold), LINE_HEIGHT * self.font)

    def _grow(self, width: float, height: float) -> None:
        self.lines[-1] = self.lines[-1][0] + width, max(self.lines[-1][1], height)


def _table(table: ElementTree.Element, font: float) -> tuple[float, float]:
    """Return the width and the height of a table."""
    border, spacing = float(table.get("BORDER", 1)), float(table.get("CELLSPACING", 2))
    around = float(table.get("CELLBORDER", border)), float(table.get("CELLPADDING", 2))
    widths: list[float] = []
    height = 2 * border + spacing
    for row in table:
        if row.tag == "HR":
            height += 1
            continue
        cells = [_cell(cell, *around, font) for cell in row if cell.tag == "TD"]
        widths += [0.0] * (len(cells) - len(widths))
        for place, (width, _) in enumerate(cells):
            widths[place] = max(widths[place], width)
        height += max((cell[1] for cell in cells), default=0.0) + spacing
    width = sum(widths) + spacing * (len(widths) + 1) + 2 * border
    return _at_least(table, width, height)


def _cell(cell: ElementTree.Element, border: float, padding: float, font: float) -> tuple[float, float]:
    """Return the width and the height of a cell."""
    width, height = _Lines(font).read(cell).size
    around = 2 * (float(cell.get("BORDER", border)) + float(cell.get("CELLPADDING", padding)))
    return _at_least(cell, width + around, height + around)


def _at_least(element: ElementTree.Element, width: float, height: float) -> tuple[float, float]:
    """Return a size, or that which a table or a cell is given."""
    given = float(element.get("WIDTH", 0)), float(element.get("HEIGHT", 0))
    if element.get("FIXEDSIZE") == "TRUE":
        return given
    return max(width, given[0]), max(height, given[1])
