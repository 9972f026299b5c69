"""Arithmetic on vectors of single-precision numbers, written as formulas and emitted as LLVM's instructions.

Numba vectorises a loop if it can prove that its arrays do not overlap, and a loop over gates has too many of them. Here
nothing is left to proof: `elementwise` makes of a formula a function that Numba's code can call, and a formula is a
plain function of `Lanes`. Memory is named by addresses, as integers; whoever passes one keeps its array alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "LANES",
    "SIZE",
    "Lanes",
    "elementwise",
    "emitted",
    "flag",
    "lanes_below",
    "load",
    "splat",
    "store",
    "transpose",
]

SIZE = 4
"""Bytes of a number."""


def _width() -> int:
    """Return how many numbers the widest registers of this machine hold."""
    features = llvmlite.binding.get_host_cpu_features()
    return 16 if features.get("avx512f") else 8 if features.get("avx") else 4


LANES = _width()

FLOAT, INT = ir.FloatType(), ir.IntType(64)
VECTOR, MASK = ir.VectorType(FLOAT, LANES), ir.VectorType(ir.IntType(1), LANES)
FUSED = ("contract",)


class Lanes:
    """A vector in the making: operators emit instructions, numbers stand for vectors of themselves."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _other(self, other: Lanes | float) -> Any:
        return other.value if isinstance(other, Lanes) else ir.Constant(VECTOR, [float(other)] * LANES)

    def _made(self, value: Any) -> Lanes:
        return Lanes(self.builder, value)

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._made(self.builder.fadd(self.value, self._other(other), flags=FUSED))

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._made(self.builder.fsub(self.value, self._other(other), flags=FUSED))

    def __rsub__(self, other: float) -> Lanes:
        return self._made(self.builder.fsub(self._other(other), self.value, flags=FUSED))

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._made(self.builder.fmul(self.value, self._other(other), flags=FUSED))

    def __truediv__(self, other: Lanes) -> Lanes:
        return self._made(self.builder.fdiv(self.value, self._other(other)))

    __radd__, __rmul__ = __add__, __mul__

    def where_above(self, bound: float, this: Lanes | float, that: Lanes | float) -> Lanes:
        """Return one where this vector is above a bound, the other elsewhere, also where this is no number."""
        return self._where(">", bound, this, that)

    def clipped(self, low: float, high: float) -> Lanes:
        """Return what lies between the bounds as it is, and the nearer bound for the rest; what is no number stays."""
        return self._where(">", high, high, self).at_least(low)

    def at_least(self, low: float) -> Lanes:
        """Return a bound where this vector is below it; what is no number stays."""
        return self._where("<", low, low, self)

    def _where(self, relation: str, bound: float, this: Lanes | float, that: Lanes | float) -> Lanes:
        holds = self.builder.fcmp_ordered(relation, self.value, self._other(bound))
        return self._made(self.builder.select(holds, self._other(this), self._other(that)))


def emitted(function: Callable[..., Any]) -> Any:
    """Make of a function that returns a signature and what emits the code a function for compiled code."""
    return intrinsic(function)


def splat(builder: Any, number: Any, vector: Any) -> Any:
    """Emit a vector of one number."""
    undefined, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    one = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, undefined, zeros)


def lanes_below(builder: Any, count: Any, first: int = 0) -> Any:
    """Emit the mask of the lanes whose number, counted from ``first``, is below a count."""
    integers = ir.VectorType(INT, LANES)
    numbers = ir.Constant(integers, list(range(first, first + LANES)))
    return builder.icmp_signed("<", numbers, splat(builder, count, integers))


def load(builder: Any, address: Any, mask: Any) -> Any:
    """Emit the load of a vector; lanes outside the mask are 0, and their memory is not touched."""
    kind = ir.FunctionType(VECTOR, [VECTOR.as_pointer(), ir.IntType(32), MASK, VECTOR])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{LANES}f32.p0")
    place = builder.inttoptr(address, VECTOR.as_pointer())
    return builder.call(function, [place, ir.Constant(ir.IntType(32), SIZE), mask, ir.Constant(VECTOR, None)])


def store(builder: Any, value: Any, address: Any, mask: Any) -> None:
    """Emit the store of a vector's lanes within the mask."""
    kind = ir.FunctionType(ir.VoidType(), [VECTOR, VECTOR.as_pointer(), ir.IntType(32), MASK])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{LANES}f32.p0")
    place = builder.inttoptr(address, VECTOR.as_pointer())
    builder.call(function, [value, place, ir.Constant(ir.IntType(32), SIZE), mask])


def elementwise(formula: Callable[..., Any]) -> Any:
    """Return a function for compiled code: ``run(inputs, outputs, count)``, addresses in tuples.

    The formula is called with a `Lanes` for each input, and returns one for each output. An output may be an input.
    """

    @emitted
    def run(context: Any, inputs: Any, outputs: Any, count: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            sources, targets, count = arguments
            with cgutils.for_range_slice(builder, INT(0), count, INT(LANES)) as (at, _):
                mask = lanes_below(builder, builder.sub(count, at))
                offset = builder.mul(at, INT(SIZE))
                vectors = [
                    Lanes(builder, load(builder, builder.add(address, offset), mask))
                    for address in cgutils.unpack_tuple(builder, sources)
                ]
                results = formula(*vectors)
                for result, address in zip(results, cgutils.unpack_tuple(builder, targets), strict=True):
                    store(builder, result.value, builder.add(address, offset), mask)
            return context.get_dummy_value()

        return types.void(inputs, outputs, types.intp), emit

    return run


@emitted
def transpose(context: Any, source: Any, row: Any, rows: Any, target: Any, column: Any, columns: Any) -> Any:
    """Write the transpose of a block of as many rows as a vector is long, or fewer, and columns likewise.

    ``row`` is the distance in bytes between the source's rows, ``column`` that between the target's.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, row, rows, target, column, columns = arguments
        vectors = []
        for n in range(LANES):
            count = builder.select(builder.icmp_signed("<", INT(n), rows), columns, INT(0))
            place = builder.add(source, builder.mul(row, INT(n)))
            vectors.append(load(builder, place, lanes_below(builder, count)))
        within = lanes_below(builder, rows)
        for n, vector in enumerate(_transposed(builder, vectors)):
            with cgutils.if_likely(builder, builder.icmp_signed("<", INT(n), columns)):
                store(builder, vector, builder.add(target, builder.mul(column, INT(n))), within)
        return context.get_dummy_value()

    return types.void(*(types.intp,) * 6), emit


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Emit the transpose of a square: blocks off the diagonal change places, at half the distance each time."""
    distance = LANES // 2
    while distance:
        low = [lane + LANES - distance if lane & distance else lane for lane in range(LANES)]
        high = [lane + LANES if lane & distance else lane + distance for lane in range(LANES)]
        orders = [ir.Constant(ir.VectorType(ir.IntType(32), LANES), order) for order in (low, high)]
        for k in range(LANES):
            if not k & distance:
                pair = rows[k], rows[k + distance]
                rows[k], rows[k + distance] = (builder.shuffle_vector(*pair, order) for order in orders)
        distance //= 2
    return rows


@emitted
def flag(context: Any, address: Any) -> Any:
    """Return the truth value that stands at an address."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = builder.load(builder.inttoptr(arguments[0], ir.IntType(8).as_pointer()))
        return builder.icmp_unsigned("!=", byte, ir.Constant(ir.IntType(8), 0))

    return types.boolean(types.intp), emit
