"""The inner loop of a matrix product: a tile of the result stays in registers while the sums run.

A tile is as wide as some vectors and has as many rows as there are registers for. Its sums are independent of each
other, so that the units for products and sums never wait, and each number that is loaded serves a whole row or column
of it. Where a tile has too few sums for that, each is computed in several, over every so many steps.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .lanes import BYTES, FUSED, INT, Registers, emitted, lanes_below, load, registers, splat, store

__all__ = ["rows_of", "tile"]

SUMS = 12 if BYTES == 32 else 24
"""Registers for sums: AVX has 16 in all, AVX-512 and NEON have 32.

x86 without AVX has 16 too, so that a part of its sums is kept in memory. With 12 sums, an LSTM's backward pass is some
percent faster there, and its forward pass some percent slower.
"""

AT_ONCE = 8
"""Sums that are needed to keep the units busy."""


MOST = 12
"""Rows of the tallest tile: more would not keep the units busier."""


def rows_of(vectors: int) -> int:
    """Return how many rows a tile of such a width can have."""
    return min(MOST, SUMS // vectors)


class Arguments(NamedTuple):
    """What a tile is made of, ``c = first + a @ w``: addresses, the distances between rows in bytes, and lengths.

    Of ``a`` there are ``depth`` columns; ``w`` is a panel, (depth, vectors); of ``first`` and ``c``, ``columns`` are
    touched.
    """

    a: Any
    a_row: Any
    w: Any
    first: Any
    first_row: Any
    c: Any
    c_row: Any
    depth: Any
    columns: Any


class _Tile:
    """The code of a tile of so many rows."""

    def __init__(
        self, builder: Any, form: Registers, shape: tuple[int, int], across: int, is_stacked: bool, given: Arguments
    ) -> None:
        self.builder, self.form, self.given = builder, form, given
        self.rows, self.vectors = shape
        self.across = across
        self.is_stacked = is_stacked
        self.starts = [builder.add(given.a, self._row_of_a(r)) for r in range(self.rows)]

    def _row_of_a(self, r: int) -> Any:
        return INT(r * self.form.size) if self.is_stacked else self.builder.mul(self.given.a_row, INT(r))

    def emit(self) -> None:
        builder, form = self.builder, self.form
        masks = [lanes_below(builder, form.lanes, self.given.columns, v * form.lanes) for v in range(self.vectors)]
        sums = [load(builder, form, *place) for place in self._places(self.given.first, self.given.first_row, masks)]
        ways = max(1, AT_ONCE // len(sums))
        start: Any = INT(0)
        if ways > 1:
            nothing = [ir.Constant(form.vector, None)] * (len(sums) * (ways - 1))
            end = builder.sub(self.given.depth, builder.srem(self.given.depth, INT(ways)))
            several = self._emit_sums([*sums, *nothing], start, end, ways)
            sums, start = [self._emit_total(several[n :: len(sums)]) for n in range(len(sums))], end
        sums = self._emit_sums(sums, start, self.given.depth, 1)
        for total, place in zip(sums, self._places(self.given.c, self.given.c_row, masks), strict=True):
            store(builder, form, total, *place)

    def _emit_sums(self, before: list[Any], start: Any, end: Any, ways: int) -> list[Any]:
        """Emit the loop from one step to another, ``ways`` of them at once, each with sums of its own."""
        builder = self.builder
        entry, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
        builder.cbranch(builder.icmp_signed("<", start, end), loop, after)
        builder.position_at_end(loop)
        k, sums = builder.phi(INT), [builder.phi(self.form.vector) for _ in before]
        each = len(before) // ways
        done = [s for way in range(ways) for s in self._emit_step(k, way, sums[way * each : (way + 1) * each])]
        following = builder.add(k, INT(ways))
        for phi, first, later in zip([k, *sums], [start, *before], [following, *done], strict=True):
            phi.add_incoming(first, entry)
            phi.add_incoming(later, loop)
        builder.cbranch(builder.icmp_signed("<", following, end), loop, after)
        builder.position_at_end(after)
        results = [builder.phi(self.form.vector) for _ in before]
        for phi, first, later in zip(results, before, done, strict=True):
            phi.add_incoming(first, entry)
            phi.add_incoming(later, loop)
        return results

    def _emit_step(self, k: Any, way: int, sums: list[Any]) -> list[Any]:
        """Emit what one step adds to the sums."""
        builder, form = self.builder, self.form
        k = builder.add(k, INT(way))
        panel = builder.add(self.given.w, builder.mul(k, INT(self.across * BYTES)))
        vectors = [load(builder, form, builder.add(panel, INT(v * BYTES))) for v in range(self.vectors)]
        offset = builder.mul(k, self.given.a_row if self.is_stacked else INT(form.size))
        done: list[Any] = []
        for start in self.starts:
            place = builder.inttoptr(builder.add(start, offset), form.number.as_pointer())
            number = splat(builder, builder.load(place), form.lanes)
            for vector in vectors:
                done.append(builder.fadd(sums[len(done)], builder.fmul(number, vector, flags=FUSED), flags=FUSED))
        return done

    def _emit_total(self, parts: list[Any]) -> Any:
        total, *others = parts
        for other in others:
            total = self.builder.fadd(total, other)
        return total

    def _places(self, base: Any, row: Any, masks: list[Any]) -> list[tuple[Any, Any]]:
        """Emit the address of each vector of the tile, with its mask."""
        builder = self.builder
        starts = [builder.add(base, builder.mul(row, INT(r))) for r in range(self.rows)]
        return [(builder.add(start, INT(v * BYTES)), mask) for start in starts for v, mask in enumerate(masks)]


@cache
def tile(most: int, vectors: int, across: int, is_stacked: bool = False) -> Any:
    """Return a function for compiled code, ``run(kind, rows, arguments)``, for tiles of so many rows and vectors.

    There may be fewer rows. The vectors are the first ones of a panel that is ``across`` wide. Rows of ``a`` stand
    ``a_row`` bytes apart, each of one piece; if it is stacked, (depth, rows) as memory goes, then the numbers that are
    needed together stand together, and ``a_row`` is from one step to the next.
    """

    @emitted
    def run(context: Any, kind: Any, rows: Any, arguments: Any) -> Any:
        form = registers(kind)

        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            given = Arguments(*cgutils.unpack_tuple(builder, values[2]))
            end = builder.append_basic_block()
            cases = builder.switch(values[1], end)
            for count in range(1, most + 1):
                block = builder.append_basic_block()
                cases.add_case(INT(count), block)
                builder.position_at_end(block)
                _Tile(builder, form, (count, vectors), across, is_stacked, given).emit()
                builder.branch(end)
            builder.position_at_end(end)
            return context.get_dummy_value()

        return types.void(kind, types.intp, types.UniTuple(types.intp, len(Arguments._fields))), emit

    return run
