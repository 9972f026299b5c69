"""Numbers as strips of tinted cells: a value, and under it its gradient.

A strip is an HTML-like table of at most 4 rows and 8 columns. A matrix has a cell for each element, a vector is one
row; of more axes all but the last are rows. What is larger is shown by the means of equal blocks, and its true size
belongs beside its name then (`is_pooled`): with a batch of more than four sequences, a row is the mean of several.
Integers are shown as they are, and only the first of many: the mean of indices says nothing. What is no number looks
like none.

Usage: ``strip(values(array), numbers=True)`` for a value; ``strip(gradients(array, largest), height=THIN)`` for what
is under it, with the ``width`` that `cell_width` tells of the first if both are to be as wide. Each is a table as text,
to be put into a cell of an `Html` label.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .dot import escaped
from .theme import SURFACES, TEXTS, heat, ink

__all__ = ["THIN", "Cell", "cell_width", "gradients", "is_pooled", "largest", "mean", "short", "strip", "values"]

ROWS, COLUMNS = 4, 8
"""So many cells a strip has at most."""

SQUARE, WIDE, TALL, THIN = 13, 34, 16, 8
"""Points: the side of a cell, the width and height of one with a number, the height of one of a gradient."""

LETTERS = {".": 3, "−": 8, "∞": 8, "…": 9, "N": 7}
"""How wide characters of 9 points are that are not 6 points wide, as a digit is."""


class Cell(NamedTuple):
    """A place in a strip: its tint from −1 to 1, or None if it holds no number; its text, and if that always stands."""

    tint: float | None
    text: str
    always: bool = False


def short(value: float) -> str:
    """Return a number in about five characters, with a true minus sign.

    >>> short(-0.951), short(12.34), short(0.00012), short(-40000.0), short(float("nan"))
    ('−0.95', '12.3', '1e−4', '−4e4', 'NaN')
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    size = abs(value)
    if value == 0:
        return "0"
    if not 0.005 <= size < 10000:
        digits, exponent = f"{value:.0e}".split("e")
        return f"{digits}e{int(exponent)}".replace("-", "−")
    decimals = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{value:.{decimals}f}".replace("-", "−")


def is_pooled(shape: tuple[int, ...]) -> bool:
    """Tell whether something of this shape has too many elements for a strip.

    >>> is_pooled((2, 2, 8)), is_pooled((9,))
    (False, True)
    """
    columns = shape[-1] if shape else 1
    return columns > COLUMNS or math.prod(shape[:-1]) > ROWS


def values(array: Any) -> list[list[Cell]]:
    """Return the rows of cells of a value: an array on the host, or a number; tinted as it is between −1 and 1."""
    kind = getattr(getattr(array, "dtype", None), "kind", "f")
    if kind in "iu":
        return [[Cell(0.0, text, always=True) for text in row] for row in _first(array)]
    if kind == "b" and not is_pooled(array.shape):
        return [[Cell(x, str(int(x))) for x in row] for row in _pooled(array)]
    return [[_cell(x, x) for x in row] for row in _pooled(array)]


def gradients(array: Any, largest: float) -> list[list[Cell]]:
    """Return the rows of cells of a gradient.

    Its tint is the root of its share of the ``largest`` one in the picture, with its sign: else all but the last steps
    of a recurrence would look white.
    """
    rows = _pooled(array)
    return [[_cell(x, math.copysign(math.sqrt(abs(x) / largest), x) if largest else 0.0) for x in row] for row in rows]


def largest(array: Any) -> float:
    """Return the largest absolute value that a strip of an array would show, 0 if there is none."""
    return max((abs(x) for row in _pooled(array) for x in row if math.isfinite(x)), default=0.0)


def _cell(value: float, tint: float) -> Cell:
    return Cell(tint if math.isfinite(value) else None, short(value))


def _matrix(array: Any) -> Any:
    """Return an array as a matrix; a number is one of one element."""
    if not hasattr(array, "reshape"):
        return [[array]]
    if array.size == 0:
        return []
    return array.reshape(-1, array.shape[-1] if array.ndim else 1)


def _pooled(array: Any) -> list[list[float]]:
    """Return an array as few enough rows of few enough numbers, means of blocks if there are more."""
    matrix = _matrix(array)
    if isinstance(matrix, list):
        return matrix
    rows, columns = (_blocks(length, most) for length, most in zip(matrix.shape, (ROWS, COLUMNS), strict=True))
    return [[mean(matrix[row, column]) for column in columns] for row in rows]


def mean(array: Any) -> float:
    """Return the mean of an array on the host, which is no number if there is one that is none, without a warning."""
    low, high = float(array.min()), float(array.max())
    if not math.isfinite(low) or not math.isfinite(high):
        return low + high
    largest = max(-low, high) or 1.0
    return float((array.astype("float64") / largest).mean()) * largest


def _blocks(length: int, most: int) -> list[slice]:
    """Return an axis cut into equal parts, no more of them than ``most``."""
    count = min(length, most)
    return [slice(part * length // count, (part + 1) * length // count) for part in range(count)]


def _first(array: Any) -> list[list[str]]:
    """Return the texts of the first integers of an array, with an ellipsis where there are more."""
    matrix = _matrix(array)
    if isinstance(matrix, list):
        return matrix
    rows = [[str(x).replace("-", "−") for x in row] for row in matrix[:ROWS, :COLUMNS].tolist()]
    if matrix.shape[1] > COLUMNS:
        rows = [[*row[:-1], "…"] for row in rows]
    if matrix.shape[0] > ROWS:
        rows[-1] = ["…"] * len(rows[-1])
    return rows


def cell_width(rows: list[list[Cell]], numbers: bool = False) -> int:
    """Return the width of the cells of a strip, in points."""
    words = [cell.text for row in rows for cell in row if numbers or cell.always]
    return max(WIDE if numbers else SQUARE, *(sum(LETTERS.get(char, 6) for char in word) + 3 for word in words), 0)


def strip(rows: list[list[Cell]], numbers: bool = False, height: int | None = None, width: int | None = None) -> str:
    """Return rows of cells as a table.

    Parameters
    ----------
    rows
        The cells, of `values` or `gradients`; none for an empty array, which is shown as a word.
    numbers
        Write the numbers into the cells.
    height, width
        The size of a cell; by default that which suits it.
    """
    if not rows:
        return f'<FONT POINT-SIZE="9" COLOR="{TEXTS["secondary"][0]}">empty</FONT>'
    width = width or cell_width(rows, numbers)
    height = height or (TALL if numbers or any(cell.always for cell in rows[0]) else SQUARE)
    table = "".join(f"<TR>{''.join(_td(cell, width, height, numbers) for cell in row)}</TR>" for row in rows)
    size = f'WIDTH="{width * len(rows[0]) + 1}" HEIGHT="{height * len(rows) + 1}"'
    return (
        f'<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="0" CELLPADDING="0" COLOR="{SURFACES["grid"][0]}" '
        f'FIXEDSIZE="TRUE" {size}>{table}</TABLE>'
    )


def _td(cell: Cell, width: int, height: int, numbers: bool) -> str:
    """Return one cell as HTML; one that holds no number says so even where numbers are not written."""
    if cell.tint is None:
        fill, colour = SURFACES["no number"][0], TEXTS["result text"][0]
        text = cell.text.replace("NaN", "NaN" if width >= WIDE else "?")
    else:
        fill, colour = heat(cell.tint), ink(cell.tint)
        text = cell.text if numbers or cell.always else ""
    points = 9 if height >= TALL else 8 if len(text) == 1 else 6
    word = f'<FONT POINT-SIZE="{points}" COLOR="{colour}">{escaped(text)}</FONT>' if text and height > THIN else ""
    return f'<TD BGCOLOR="{fill}" WIDTH="{width}" HEIGHT="{height}" FIXEDSIZE="TRUE">{word}</TD>'
