"""Matrix products on one thread, whose callers divide the work: any of them may run beside itself.

Addresses and lengths are integers, rows stand in one piece unless a distance is given in numbers. Weights are packed
once a sequence into panels of `WIDTH` columns, (panels, depth, WIDTH), the last filled up with zeros: read from one end
to the other, which is what a memory does best.
"""

from __future__ import annotations

from typing import Any

from ...backend import Array, xp
from .caching import compiled
from .lanes import LANES, SIZE, elementwise, transpose
from .tile import ROWS, WIDTH, beside, stacked

__all__ = ["DEPTH", "copy", "multiply", "multiply_transposed", "panels", "panels_of_transposed", "workspace"]

DEPTH = 256
"""How deep the blocks are that `multiply_transposed` packs: such a panel fits the first cache."""

copy = elementwise(lambda x: (x,))


def panels(w: Array) -> Array:
    """Return the panels of a matrix, (depth, columns)."""
    w, made = xp.ascontiguousarray(w), _empty_panels(*w.shape)
    _pack(w.ctypes.data, *w.shape, made)
    return made


def panels_of_transposed(w: Array) -> Array:
    """Return the panels of a matrix's transpose, from (columns, depth)."""
    made = _empty_panels(*w.shape[::-1])
    _pack_transposed(xp.ascontiguousarray(w), made)
    return made


def _empty_panels(depth: int, columns: int) -> Array:
    return xp.zeros((-(-columns // WIDTH), depth, WIDTH), "float32")


@compiled
def _pack(w: int, depth: int, columns: int, made: Any) -> None:
    pack(w, columns, depth, columns, made.ctypes.data)


@compiled
def _pack_transposed(w: Any, made: Any) -> None:
    columns, depth = w.shape
    source, target, row = w.ctypes.data, made.ctypes.data, depth * SIZE
    for n in range(0, columns, LANES):
        for k in range(0, depth, LANES):
            transpose(
                source + n * row + k * SIZE, row, columns - n,
                target + ((n // WIDTH * depth + k) * WIDTH + n % WIDTH) * SIZE, WIDTH * SIZE, depth - k,
            )  # fmt: skip


@compiled
def pack(w: int, row: int, depth: int, columns: int, made: int) -> None:
    """Write panels, all but the zeros that fill up the last."""
    for k in range(depth):
        for start in range(0, columns, WIDTH):
            target = made + (start * depth + k * WIDTH) * SIZE
            copy((w + (k * row + start) * SIZE,), (target,), min(WIDTH, columns - start))


@compiled
def multiply(a: int, rows: int, depth: int, w: int, columns: int, first: int, first_row: int, c: int) -> None:
    """Write ``first + a @ w`` to ``c``, ``w`` being panels.

    ``first`` may be ``c``; at a distance of 0 it is one row for all.
    """
    tiles = (rows + ROWS - 1) // ROWS
    for start in range(0, columns, WIDTH):
        wide = min(WIDTH, columns - start)
        row = 0
        for tile in range(tiles):
            some = (rows - row) // (tiles - tile)
            beside(
                some, a + row * depth * SIZE, depth * SIZE, w + start * depth * SIZE,
                first + (row * first_row + start) * SIZE, first_row * SIZE,
                c + (row * columns + start) * SIZE, columns * SIZE, depth, wide,
            )  # fmt: skip
            row += some


def workspace(columns: int) -> Array:
    """Return the memory that `multiply_transposed` needs."""
    return xp.zeros(DEPTH * (-(-columns // WIDTH) * WIDTH + ROWS), "float32")


@compiled
def multiply_transposed(
    d: int, d_row: int, begin: int, end: int, x: int, columns: int, depth: int, c: int, space: int
) -> None:
    """Add ``d.T @ x`` to ``c``, to its rows from ``begin`` to ``end``.

    ``d`` is (depth, d_row) and ``x`` (depth, columns).
    """
    across = (columns + WIDTH - 1) // WIDTH
    few = space + across * DEPTH * WIDTH * SIZE
    for start in range(0, depth, DEPTH):
        deep = min(DEPTH, depth - start)
        pack(x + start * columns * SIZE, columns, deep, columns, space)
        for row in range(begin, end, ROWS):
            some = min(ROWS, end - row)
            for k in range(deep):
                copy((d + ((start + k) * d_row + row) * SIZE,), (few + k * some * SIZE,), some)
            for n in range(across):
                left = n * WIDTH
                stacked(
                    some, few, space + left * deep * SIZE, c + (row * columns + left) * SIZE, columns * SIZE,
                    deep, min(WIDTH, columns - left),
                )  # fmt: skip
