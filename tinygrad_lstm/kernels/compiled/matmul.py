"""A product of matrices, compiled: with what the recurrences multiply, for all others.

Each factor is given in one piece, or as the transpose of what is. A stretch of the sums is done at a time: what is
multiplied by is packed, and the threads take parts of the rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...backend import Array, xp
from .caching import compiled, piece
from .lanes import BYTES, address, allocate, kind_of, lanes_of, nothing, release, size_of, transpose
from .products import WIDE, multiply, pack_panel, pack_panel_transposed, panels_in
from .sequences import aligned
from .team import bounds, shared
from .workers import NOBODY, helpers

__all__ = ["matmul"]

ROWS, DEPTH = 48, 1024
"""Rows of a part, and columns of ``a`` that are multiplied at a time: what belongs to them fits a core's caches."""

PARTS = 16
"""So many there are at least, by dividing the columns too, where there are few rows."""

LITTLE, MUCH = 1_000_000, 8_000_000
"""Products of numbers that one thread does sooner than others could help, and those for which sleepers are woken."""


class Product(NamedTuple):
    """A stretch of ``c = first + a @ w``: lengths, addresses, and the distances between rows in bytes."""

    kind: Any
    rows: int
    depth: int
    columns: int
    a: int
    a_row: int
    w: int
    first: int
    first_row: int
    c: int


@piece
def _turn(n: int, kind: Any, source: int, across: int, rows: int, depth: int, target: int, row: int) -> None:
    """Write the n-th vector of a matrix's rows, given its transpose, whose rows are ``across`` bytes apart."""
    first = n * lanes_of(kind)
    for k in range(0, depth, lanes_of(kind)):
        transpose(
            kind, source + k * across + n * BYTES, across, depth - k,
            target + first * row + k * size_of(kind), row, rows - first,
        )  # fmt: skip


@piece
def _pack(n: int, kind: Any, source: int, across: int, is_turned: bool, depth: int, columns: int, w: int) -> None:
    """Write the n-th panel."""
    if is_turned:
        pack_panel_transposed(n, kind, source, across, depth, columns, w)
    else:
        pack_panel(n, kind, source, across, depth, columns, w)


@piece
def _part(n: int, groups: int, y: Product) -> None:
    """Compute the n-th part: some rows, in one of so many groups of panels."""
    start = n // groups * ROWS
    left, right = bounds(n % groups, groups, panels_in(y.kind, y.columns))
    wide, row = WIDE * lanes_of(y.kind), y.columns * size_of(y.kind)
    here = left * WIDE * BYTES
    multiply(
        y.kind, min(ROWS, y.rows - start), y.a + start * y.a_row, y.a_row, y.depth, y.w + here * y.depth,
        min(y.columns, right * wide) - left * wide, y.first + start * y.first_row + here, y.first_row,
        y.c + start * row + here, row,
    )  # fmt: skip


_turn_all, _pack_all, _parts = shared(_turn), shared(_pack), shared(_part)


@compiled
def _matmul(words: Any, a: Any, a_is_turned: bool, b: Any, b_is_turned: bool, first: Any, c: Any) -> None:
    team, kind, (rows, columns) = address(words), kind_of(c), c.shape
    size, lanes, panels, row = size_of(kind), lanes_of(kind), panels_in(kind, columns), columns * size_of(kind)
    depth = a.shape[0] if a_is_turned else a.shape[1]
    most, turned = min(depth, DEPTH), (rows + lanes - 1) // lanes if a_is_turned else 0
    a_row = (most + lanes - 1) // lanes * BYTES if a_is_turned else depth * size
    base = allocate((panels * most * WIDE + 1) * BYTES + turned * lanes * a_row)
    w = aligned(base)
    blocks = (rows + ROWS - 1) // ROWS
    groups = max(1, min(panels, (PARTS + blocks - 1) // blocks))
    before, before_row = address(first), row if first.size > columns else nothing()
    for k in range(0, depth, DEPTH):
        some, here = min(DEPTH, depth - k), address(a) + k * size
        b_here, b_row = (address(b) + k * size, depth * size) if b_is_turned else (address(b) + k * row, row)
        _pack_all(team, panels, (kind, b_here, b_row, b_is_turned, some, columns, w))
        if a_is_turned:
            here = w + panels * most * WIDE * BYTES
            _turn_all(team, turned, (kind, address(a) + k * rows * size, rows * size, rows, some, here, a_row))
        _parts(
            team, blocks * groups,
            (groups, Product(kind, rows, some, columns, here, a_row, w, before, before_row, address(c))),
        )  # fmt: skip
        before, before_row = address(c), row
    release(base)


def matmul(a: Array, b: Array, first: Array | None = None) -> Array:
    """Return ``first + a @ b``, the first being a row for all, or as many rows as there are."""
    c = xp.empty((len(a), b.shape[1]), a.dtype)
    if first is None:
        first = xp.zeros(c.shape[1], c.dtype)
    a_is_turned, b_is_turned = not a.flags.c_contiguous, not b.flags.c_contiguous
    count = a.size * b.shape[1]
    _matmul(
        helpers(is_much=count > MUCH) if count > LITTLE else NOBODY, a.T if a_is_turned else a, a_is_turned,
        b.T if b_is_turned else b, b_is_turned, first.ravel(), c,
    )  # fmt: skip
    return c
