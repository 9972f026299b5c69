"""Arithmetic on vectors, written as formulas and emitted as LLVM's instructions.

Numba vectorises a loop if it can prove that its arrays do not overlap, and a loop over gates has too many of them. Here
nothing is left to proof: `elementwise` makes of a formula a function that compiled code can call, and a formula is a
plain function of `Lanes`. Memory is named by addresses, as integers; whoever passes one keeps its memory alive. What
lies there is said by ``kind``, any number of that type.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .caching import piece
from .machine import BYTES

__all__ = [
    "BYTES",
    "INT",
    "Lanes",
    "Registers",
    "address",
    "allocate",
    "elementwise",
    "emitted",
    "flag",
    "kind_of",
    "lanes_below",
    "lanes_of",
    "load",
    "nothing",
    "registers",
    "release",
    "size_of",
    "splat",
    "store",
    "transpose",
]


INT = ir.IntType(64)
FUSED = ("contract",)


class Registers(NamedTuple):
    """What vectors of a type are: the type of a number, its bytes, and how many make a vector."""

    number: Any
    size: int
    lanes: int

    @property
    def vector(self) -> Any:
        """The type of a vector."""
        return ir.VectorType(self.number, self.lanes)

    @property
    def suffix(self) -> str:
        """How LLVM's functions name the type."""
        return f"v{self.lanes}f{8 * self.size}"


@cache
def registers(kind: types.Float) -> Registers:
    """Return what vectors of one of Numba's types are."""
    size = kind.bitwidth // 8
    return Registers(ir.FloatType() if size == 4 else ir.DoubleType(), size, BYTES // size)


class Lanes:
    """A vector in the making: operators emit instructions, numbers stand for vectors of themselves."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    @property
    def is_single(self) -> bool:
        """Whether the numbers are of single precision."""
        return isinstance(self.value.type.element, ir.FloatType)

    def _other(self, other: Lanes | float) -> Any:
        kind = self.value.type
        return other.value if isinstance(other, Lanes) else ir.Constant(kind, [float(other)] * kind.count)

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


def splat(builder: Any, number: Any, lanes: int) -> Any:
    """Emit a vector of one number."""
    vector = ir.VectorType(number.type, lanes)
    undefined, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
    one = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, undefined, zeros)


def lanes_below(builder: Any, lanes: int, count: Any, first: int = 0) -> Any:
    """Emit the mask of the lanes whose number, counted from ``first``, is below a count."""
    numbers = ir.Constant(ir.VectorType(INT, lanes), list(range(first, first + lanes)))
    return builder.icmp_signed("<", numbers, splat(builder, count, lanes))


def load(builder: Any, form: Registers, address: Any, mask: Any = None) -> Any:
    """Emit the load of a vector; lanes outside the mask are 0, and their memory is not touched."""
    place = builder.inttoptr(address, form.vector.as_pointer())
    if mask is None:
        return builder.load(place, align=form.size)
    kind = ir.FunctionType(form.vector, [place.type, ir.IntType(32), mask.type, form.vector])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.{form.suffix}.p0")
    return builder.call(function, [place, ir.Constant(ir.IntType(32), form.size), mask, ir.Constant(form.vector, None)])


def store(builder: Any, form: Registers, value: Any, address: Any, mask: Any = None) -> None:
    """Emit the store of a vector, or of its lanes within the mask."""
    place = builder.inttoptr(address, form.vector.as_pointer())
    if mask is None:
        builder.store(value, place, align=form.size)
        return
    kind = ir.FunctionType(ir.VoidType(), [form.vector, place.type, ir.IntType(32), mask.type])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.{form.suffix}.p0")
    builder.call(function, [value, place, ir.Constant(ir.IntType(32), form.size), mask])


def elementwise(formula: Callable[..., Any]) -> Any:
    """Return a function for compiled code: ``run(kind, inputs, outputs, count)``, addresses in tuples.

    The formula is called with a `Lanes` for each input, and returns one for each output. An output may be an input.
    """

    @emitted
    def run(context: Any, kind: Any, inputs: Any, outputs: Any, count: Any) -> Any:
        form = registers(kind)

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            sources, targets = (cgutils.unpack_tuple(builder, arguments[n]) for n in (1, 2))
            count, lanes = arguments[3], INT(form.lanes)

            def emit_vector(at: Any, mask: Any) -> None:
                offset = builder.mul(at, INT(form.size))
                vectors = [Lanes(builder, load(builder, form, builder.add(a, offset), mask)) for a in sources]
                for result, a in zip(formula(*vectors), targets, strict=True):
                    store(builder, form, result.value, builder.add(a, offset), mask)

            left = builder.srem(count, lanes)
            full = builder.sub(count, left)
            with cgutils.for_range_slice(builder, INT(0), full, lanes) as (at, _):
                emit_vector(at, None)
            with cgutils.if_unlikely(builder, builder.icmp_signed(">", left, INT(0))):
                emit_vector(full, lanes_below(builder, form.lanes, left))
            return context.get_dummy_value()

        return types.void(kind, inputs, outputs, types.intp), emit

    return run


@emitted
def transpose(context: Any, kind: Any, source: Any, row: Any, rows: Any, target: Any, column: Any, columns: Any) -> Any:
    """Write the transpose of a block of as many rows as a vector is long, or fewer, and columns likewise.

    ``row`` is the distance in bytes between the source's rows, ``column`` that between the target's; rows that are
    missing are taken for zeros.
    """
    form = registers(kind)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, source, row, rows, target, column, columns = arguments
        within, nothing = lanes_below(builder, form.lanes, columns), INT(0)
        vectors = []
        for n in range(form.lanes):
            has = builder.icmp_signed("<", INT(n), rows)
            count = builder.select(has, columns, nothing)
            mask = within if n == 0 else lanes_below(builder, form.lanes, count)
            vectors.append(load(builder, form, builder.add(source, builder.mul(row, INT(n))), mask))
        for n, vector in enumerate(_transposed(builder, vectors)):
            with cgutils.if_likely(builder, builder.icmp_signed("<", INT(n), columns)):
                store(builder, form, vector, builder.add(target, builder.mul(column, INT(n))))
        return context.get_dummy_value()

    return types.void(kind, *(types.intp,) * 6), emit


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Emit the transpose of a square: blocks off the diagonal change places, at half the distance each time."""
    n = len(rows)
    distance = n // 2
    while distance:
        low = [lane if not lane & distance else lane - distance + n for lane in range(n)]
        high = [lane + distance if not lane & distance else lane + n for lane in range(n)]
        for k in range(n):
            if not k & distance:
                pair = rows[k], rows[k + distance]
                rows[k], rows[k + distance] = (
                    builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(ir.IntType(32), n), lanes))
                    for lanes in (low, high)
                )
        distance //= 2
    return rows


def _constant(of: Callable[[Registers], int]) -> Any:
    @emitted
    def run(context: Any, kind: Any) -> Any:
        return types.intp(kind), lambda context, builder, signature, arguments: INT(of(registers(kind)))

    return run


size_of = _constant(lambda form: form.size)
lanes_of = _constant(lambda form: form.lanes)


@emitted
def nothing(context: Any) -> Any:
    """Return 0 as a number like others: what is called with Python's is compiled once more for it."""
    return types.intp(), lambda context, builder, signature, arguments: INT(0)


@emitted
def kind_of(context: Any, array: Any) -> Any:
    """Return a zero of the type of an array's numbers."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(registers(array.dtype).number, 0.0)

    return array.dtype(array), emit


@emitted
def address(context: Any, array: Any) -> Any:
    """Return where an array's numbers lie, 0 if it has none."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(array)(context, builder, arguments[0])
        has_none = builder.icmp_signed("==", made.nitems, INT(0))
        return builder.select(has_none, INT(0), builder.ptrtoint(made.data, INT))

    return types.intp(array), emit


@emitted
def flag(context: Any, address: Any) -> Any:
    """Return the truth value that stands at an address."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = builder.load(builder.inttoptr(arguments[0], ir.IntType(8).as_pointer()))
        return builder.icmp_unsigned("!=", byte, ir.Constant(ir.IntType(8), 0))

    return types.boolean(types.intp), emit


@emitted
def _allocated(context: Any, count: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(context.nrt.allocate(builder, arguments[0]), INT)

    return types.intp(types.intp), emit


@piece
def allocate(count: int) -> int:
    """Return the address of so many bytes, until `release` gives them back."""
    place = _allocated(count)
    if place == 0:
        raise MemoryError("A recurrent layer: there is no memory left for its weights and derivatives.")
    return place


@emitted
def release(context: Any, place: Any) -> Any:
    """Give back what `allocate` gave."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        context.nrt.free(builder, builder.inttoptr(arguments[0], ir.IntType(8).as_pointer()))
        return context.get_dummy_value()

    return types.void(types.intp), emit
