"""Matrix products on one thread, whose callers divide the work: any of them may run beside itself.

Addresses are integers, distances are in bytes. What is multiplied by is packed into panels, (panels, depth, vectors),
each a few vectors wide: read from one end to the other, which is what a memory does best.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types
from numba.core import cgutils

from .caching import apart, piece
from .lanes import BYTES, INT, elementwise, emitted, lanes_below, lanes_of, load, registers, size_of, store, transpose
from .tile import rows_of, tile

__all__ = [
    "WIDE",
    "add_rows",
    "copy",
    "fill",
    "multiply",
    "multiply_transposed",
    "pack_panel",
    "pack_panel_transposed",
    "pack_transposed",
    "panel_product",
    "panels_in",
]

WIDE = 2
"""Vectors across a panel, unless said otherwise."""

HALF = 8
"""Rows of the tiles that `multiply_transposed` makes, which has a vector's length of them or fewer."""

copy = elementwise(lambda x: (x,))
_stacked, _half_stacked = tile(HALF, WIDE, WIDE, is_stacked=True), tile(HALF, 1, WIDE, is_stacked=True)


@emitted
def fill(context: Any, kind: Any, source: Any, target: Any, columns: Any) -> Any:
    """Write a row of a panel, `WIDE` vectors, zeros behind so many columns."""
    form = registers(kind)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, source, target, columns = arguments
        for v in range(WIDE):
            mask = lanes_below(builder, form.lanes, columns, v * form.lanes)
            vector = load(builder, form, builder.add(source, INT(v * BYTES)), mask)
            store(builder, form, vector, builder.add(target, INT(v * BYTES)))
        return context.get_dummy_value()

    return types.void(kind, types.intp, types.intp, types.intp), emit


@piece
def panels_in(kind: Any, columns: int) -> int:
    """Return how many panels there are to so many columns."""
    return (columns + WIDE * lanes_of(kind) - 1) // (WIDE * lanes_of(kind))


@piece
def pack_panel(n: int, kind: Any, w: int, row: int, depth: int, columns: int, made: int) -> None:
    """Write the n-th panel of a matrix, (depth, columns)."""
    source, target = w + n * WIDE * BYTES, made + n * depth * WIDE * BYTES
    for _ in range(depth):
        fill(kind, source, target, columns - n * WIDE * lanes_of(kind))
        source += row
        target += WIDE * BYTES


@piece
def _transpose_rows(kind: Any, source: int, row: int, rows: int, depth: int, target: int, column: int) -> None:
    """Write the transpose of rows, as many as a vector is long or fewer; ``column`` is from one vector to the next."""
    for k in range(0, depth, lanes_of(kind)):
        transpose(kind, source + k * size_of(kind), row, rows, target + k * column, column, depth - k)


@piece
def pack_panel_transposed(n: int, kind: Any, w: int, row: int, depth: int, columns: int, made: int) -> None:
    """Write the n-th panel of a matrix's transpose, from (columns, depth)."""
    target = made + n * depth * WIDE * BYTES
    for v in range(WIDE):
        unit = (n * WIDE + v) * lanes_of(kind)
        _transpose_rows(kind, w + unit * row, row, columns - unit, depth, target + v * BYTES, WIDE * BYTES)


@piece
def pack_transposed(n: int, kind: Any, w: int, depth: int, gates: int, H: int, made: int) -> None:
    """Write the n-th panel of a matrix's transpose, from (gates H, depth): a vector of units, of each gate one."""
    unit, row = n * lanes_of(kind), depth * size_of(kind)
    target = made + n * depth * gates * BYTES
    for g in range(gates):
        source = w + (g * H + unit) * row
        _transpose_rows(kind, source, row, H - unit, depth, target + g * BYTES, gates * BYTES)


@cache
def panel_product(vectors: int, across: int = 0) -> Any:
    """Return a function that writes ``first + a @ w`` to ``c``, ``w`` being one panel and so many vectors wide.

    Where the panel is wider, ``across``, they are its first ones. ``first`` may be ``c``; at a distance of 0 it is one
    row for all. Of the last two only ``columns`` are touched.
    """
    most = rows_of(vectors)
    run = tile(most, vectors, across or vectors)

    @piece
    @apart(vectors, across)
    def product(
        kind: Any, rows: int, a: int, a_row: int, depth: int, w: int, first: int, first_row: int, c: int, c_row: int,
        columns: int,
    ) -> None:  # fmt: skip
        tiles = (rows + most - 1) // most
        for left in range(tiles, 0, -1):
            some = rows // left
            run(kind, some, (a, a_row, w, first, first_row, c, c_row, depth, columns))
            a, first, c = a + some * a_row, first + some * first_row, c + some * c_row
            rows -= some

    return product


_product, _half_product = panel_product(WIDE), panel_product(1, WIDE)


@piece
def multiply(
    kind: Any, rows: int, a: int, a_row: int, depth: int, w: int, columns: int, first: int, first_row: int, c: int,
    c_row: int,
) -> None:  # fmt: skip
    """Write ``first + a @ w`` to ``c``, ``w`` being panels."""
    for n in range(panels_in(kind, columns)):
        left, panel = n * WIDE * BYTES, w + n * depth * WIDE * BYTES
        here = columns - n * WIDE * lanes_of(kind)
        if here > lanes_of(kind):
            _product(kind, rows, a, a_row, depth, panel, first + left, first_row, c + left, c_row, here)
        else:
            _half_product(kind, rows, a, a_row, depth, panel, first + left, first_row, c + left, c_row, here)


@piece
def multiply_transposed(
    kind: Any, rows: int, d: int, depth: int, w: int, w_panel: int, columns: int, first: int, first_row: int, c: int,
    c_row: int,
) -> None:  # fmt: skip
    """Write ``first + d.T @ w`` to ``c``, ``d`` being (depth, vector), of which there are so many rows, ``w`` panels.

    ``w_panel`` is the distance between panels.
    """
    for n in range(panels_in(kind, columns)):
        here = columns - n * WIDE * lanes_of(kind)
        for row in range(0, rows, HALF):
            begin, place = first + row * first_row + n * WIDE * BYTES, c + row * c_row + n * WIDE * BYTES
            given = d + row * size_of(kind), BYTES, w + n * w_panel, begin, first_row, place, c_row, depth, here
            if here > lanes_of(kind):
                _stacked(kind, min(HALF, rows - row), given)
            else:
                _half_stacked(kind, min(HALF, rows - row), given)


@emitted
def add_rows(context: Any, kind: Any, d: Any, depth: Any, c: Any, columns: Any) -> Any:
    """Add the sum over (depth, vector) to ``c``, of which only so many columns are touched."""
    form = registers(kind)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, d, depth, c, columns = arguments
        mask = lanes_below(builder, form.lanes, columns)
        total = cgutils.alloca_once_value(builder, load(builder, form, c, mask))
        with cgutils.for_range(builder, depth) as loop:
            vector = load(builder, form, builder.add(d, builder.mul(loop.index, INT(BYTES))))
            builder.store(builder.fadd(builder.load(total), vector), total)
        store(builder, form, builder.load(total), c, mask)
        return context.get_dummy_value()

    return types.void(kind, *(types.intp,) * 4), emit
