"""The inner loop of a matrix product: a tile of the result stays in registers while the sums run.

A tile has up to `ROWS` rows and `WIDTH` columns. Its sums are independent of each other, so that the units for products
and sums never wait, and each number that is loaded serves a whole row or column of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import types

from .caching import compiled
from .lanes import FLOAT, FUSED, INT, LANES, SIZE, VECTOR, emitted, lanes_below, load, splat, store

__all__ = ["ROWS", "WIDTH", "beside", "stacked"]

VECTORS = 2
WIDTH = VECTORS * LANES
ROWS = 6 if LANES == 8 else 8  # AVX has 16 registers, AVX-512 and NEON have 32


class Arguments(NamedTuple):
    """What a tile is made of, ``c = first + a @ w``: addresses, the distances between rows in bytes, and lengths.

    Of ``a`` there are ``depth`` columns; ``w`` is a panel, (depth, WIDTH); of ``first`` and ``c``, ``columns`` are
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


def _emit_tile(builder: Any, rows: int, is_stacked: bool, given: Arguments) -> None:
    """Emit the loop for so many rows."""
    masks = [lanes_below(builder, given.columns, v * LANES) for v in range(VECTORS)]
    begin = [load(builder, *place) for place in _places(builder, given.first, given.first_row, rows, masks)]
    step = INT(rows * SIZE if is_stacked else SIZE)
    starts = [
        builder.add(given.a, INT(r * SIZE) if is_stacked else builder.mul(given.a_row, INT(r))) for r in range(rows)
    ]
    before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(INT)
    sums = [builder.phi(VECTOR) for _ in begin]
    panel = builder.add(given.w, builder.mul(k, INT(WIDTH * SIZE)))
    vectors = [_at(builder, builder.add(panel, INT(v * LANES * SIZE)), VECTOR) for v in range(VECTORS)]
    offset = builder.mul(k, step)
    done: list[Any] = []
    for start in starts:
        number = splat(builder, _at(builder, builder.add(start, offset), FLOAT), VECTOR)
        done += [
            builder.fadd(sums[len(done) + v], builder.fmul(number, vectors[v], flags=FUSED), flags=FUSED)
            for v in range(VECTORS)
        ]
    following = builder.add(k, INT(1))
    for phi, first, later in zip([k, *sums], [INT(0), *begin], [following, *done], strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, loop)
    builder.cbranch(builder.icmp_signed("<", following, given.depth), loop, after)
    builder.position_at_end(after)
    for result, place in zip(done, _places(builder, given.c, given.c_row, rows, masks), strict=True):
        store(builder, result, *place)


def _places(builder: Any, base: Any, row: Any, rows: int, masks: list[Any]) -> list[tuple[Any, Any]]:
    """Emit the address of each vector of a tile, with its mask."""
    starts = [builder.add(base, builder.mul(row, INT(r))) for r in range(rows)]
    return [(builder.add(start, INT(v * LANES * SIZE)), mask) for start in starts for v, mask in enumerate(masks)]


def _at(builder: Any, address: Any, kind: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=SIZE)


def _tile(is_stacked: bool) -> Any:
    @emitted
    def run(context: Any, rows: Any, arguments: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            rows, given = values[0], Arguments(*(builder.extract_value(values[1], n) for n in range(9)))
            end = builder.append_basic_block()
            cases = builder.switch(rows, end)
            for count in range(1, ROWS + 1):
                block = builder.append_basic_block()
                cases.add_case(INT(count), block)
                builder.position_at_end(block)
                _emit_tile(builder, count, is_stacked, given)
                builder.branch(end)
            builder.position_at_end(end)
            return context.get_dummy_value()

        return types.void(types.intp, types.UniTuple(types.intp, 9)), emit

    return run


_beside, _stacked = _tile(False), _tile(True)


@compiled
def beside(
    rows: int, a: int, a_row: int, w: int, first: int, first_row: int, c: int, c_row: int, depth: int, columns: int
) -> None:
    """Compute a tile of which the rows of ``a`` stand at such distances, each of one piece."""
    _beside(rows, (a, a_row, w, first, first_row, c, c_row, depth, columns))


@compiled
def stacked(rows: int, a: int, w: int, c: int, c_row: int, depth: int, columns: int) -> None:
    """Add to a tile, where ``a`` is (depth, rows): the numbers that are needed together stand together."""
    _stacked(rows, (a, 0, w, c, c_row, c, c_row, depth, columns))
