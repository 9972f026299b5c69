"""Comparisons, logic and bits: constants, all of them, with no derivative.

The operators ``& | ^ ~ << >>`` work on bits, which for bools are the same as `logical_and` and its kin.
"""

from __future__ import annotations

from typing import Any

from ..backend import Array, xp
from ..primitive import binary, unary
from ..tensor import Operand, Tensor, method
from .dtypes import common_dtype

__all__ = [
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "equal",
    "greater", "greater_equal", "isfinite", "isinf", "isnan", "less", "less_equal", "logical_and", "logical_not",
    "logical_or", "logical_xor", "not_equal",
]  # fmt: skip

# fmt: off
_equal, _not_equal          = binary("equal", xp.equal), binary("not_equal", xp.not_equal)
_less, _less_equal          = binary("less", xp.less), binary("less_equal", xp.less_equal)
_greater, _greater_equal    = binary("greater", xp.greater), binary("greater_equal", xp.greater_equal)
_and, _or                   = binary("logical_and", xp.logical_and), binary("logical_or", xp.logical_or)
_xor, _not                  = binary("logical_xor", xp.logical_xor), unary("logical_not", xp.logical_not)
_isnan, _isinf, _isfinite   = unary("isnan", xp.isnan), unary("isinf", xp.isinf), unary("isfinite", xp.isfinite)

_bitwise_and, _bitwise_or   = binary("bitwise_and", xp.bitwise_and), binary("bitwise_or", xp.bitwise_or)
_bitwise_xor                = binary("bitwise_xor", xp.bitwise_xor)
_bitwise_invert             = unary("bitwise_invert", xp.invert)
_left_shift, _right_shift   = binary("bitwise_left_shift", xp.left_shift), binary("bitwise_right_shift", xp.right_shift)
# fmt: on


@method("__eq__")
def equal(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the elements are equal; nothing is equal to NaN.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([1, 2]) == tg.asarray([1.0, 3.0])
    Tensor([ True, False])
    """
    return _equal(x1, x2)


@method("__ne__")
def not_equal(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the elements differ; NaN differs from everything.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, tg.nan])
    >>> x != x
    Tensor([False,  True])
    """
    return _not_equal(x1, x2)


@method("__lt__")
def less(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the first is smaller.

    >>> import tinygrad_lstm as tg
    >>> lengths = tg.asarray([1, 3])
    >>> tg.arange(3)[:, None] < lengths
    Tensor([[ True,  True],
            [False,  True],
            [False,  True]])
    """
    return _less(x1, x2)


@method("__le__")
def less_equal(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the first is smaller or equal.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([1.0, 2.0, tg.nan]) <= 2
    Tensor([ True,  True, False])
    """
    return _less_equal(x1, x2)


@method("__gt__")
def greater(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the first is greater.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([1.0, 2.0, tg.inf]) > 2
    Tensor([False, False,  True])
    """
    return _greater(x1, x2)


@method("__ge__")
def greater_equal(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the first is greater or equal.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([1, 2, 3]) >= tg.asarray([3, 2, 1])
    Tensor([False,  True,  True])
    """
    return _greater_equal(x1, x2)


def logical_and(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether both are true; of numbers, all but 0 are.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([-1.0, 0.5, 2.0])
    >>> tg.logical_and(x > 0, x < 1)
    Tensor([False,  True, False])
    """
    return _and(x1, x2)


def logical_or(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether either is true; of numbers, all but 0 are.

    >>> import tinygrad_lstm as tg
    >>> tg.logical_or(tg.asarray([0, 0, 2]), tg.asarray([False, True, True]))
    Tensor([False,  True,  True])
    """
    return _or(x1, x2)


def logical_xor(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether exactly one is true; of numbers, all but 0 are.

    >>> import tinygrad_lstm as tg
    >>> tg.logical_xor(tg.asarray([0, 0, 2]), tg.asarray([False, True, True]))
    Tensor([False,  True, False])
    """
    return _xor(x1, x2)


def logical_not(x: Tensor | Array, /) -> Tensor:
    """Return whether the elements are false; of numbers, only 0 is.

    >>> import tinygrad_lstm as tg
    >>> tg.logical_not(tg.asarray([0, 2]))
    Tensor([ True, False])
    """
    return _not(x)


def isnan(x: Tensor | Array, /) -> Tensor:
    """Return whether the elements are not a number.

    >>> import tinygrad_lstm as tg
    >>> tg.isnan(tg.asarray([1.0, tg.nan, -tg.inf]))
    Tensor([False,  True, False])
    """
    return _isnan(x)


def isinf(x: Tensor | Array, /) -> Tensor:
    """Return whether the elements are infinite.

    >>> import tinygrad_lstm as tg
    >>> tg.isinf(tg.asarray([1.0, tg.nan, -tg.inf]))
    Tensor([False, False,  True])
    """
    return _isinf(x)


def isfinite(x: Tensor | Array, /) -> Tensor:
    """Return whether the elements are neither infinite nor not a number.

    >>> import tinygrad_lstm as tg
    >>> tg.isfinite(tg.asarray([1.0, tg.nan, -tg.inf]))
    Tensor([ True, False, False])
    """
    return _isfinite(x)


def _check_bits(op: str, *operands: Any, kinds: str = "iub") -> None:
    """Refuse operands that have no bits to work on."""
    dtype = common_dtype(op, operands)
    if dtype.kind not in kinds:
        got = " and ".join(str(x.dtype) if hasattr(x, "dtype") else repr(x) for x in operands)
        raise TypeError(f"{op}: got {got}, wanted integers{' or bools' if 'b' in kinds else ''} of a common type.")


@method("__and__", reflected="__rand__")
def bitwise_and(x1: Operand, x2: Operand, /) -> Tensor:
    """Return the bits that are set in both integers, or whether both bools are true.

    Raises
    ------
    TypeError
        Like the other functions of bits, if the two are no integers or bools, or have no common type, as uint64 and
        int64 have none.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.asarray([0b0110, 0b0101]) & 0b0011
    Tensor([2, 1])
    """
    _check_bits("bitwise_and", x1, x2)
    return _bitwise_and(x1, x2)


@method("__or__", reflected="__ror__")
def bitwise_or(x1: Operand, x2: Operand, /) -> Tensor:
    """Return the bits that are set in either integer, or whether either bool is true.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([0b0110, 0b0101]) | 0b0011
    Tensor([7, 7])
    """
    _check_bits("bitwise_or", x1, x2)
    return _bitwise_or(x1, x2)


@method("__xor__", reflected="__rxor__")
def bitwise_xor(x1: Operand, x2: Operand, /) -> Tensor:
    """Return the bits that are set in exactly one integer, or whether exactly one bool is true.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([0b0110, 0b0101]) ^ 0b0011
    Tensor([5, 6])
    """
    _check_bits("bitwise_xor", x1, x2)
    return _bitwise_xor(x1, x2)


@method("__invert__")
def bitwise_invert(x: Tensor | Array, /) -> Tensor:
    """Return integers with every bit inverted, or bools with their opposite.

    >>> import tinygrad_lstm as tg
    >>> ~tg.asarray([0, 1]), ~tg.asarray([True, False])
    (Tensor([-1, -2]), Tensor([False,  True]))
    """
    _check_bits("bitwise_invert", x)
    return _bitwise_invert(x)


@method("__lshift__", reflected="__rlshift__")
def bitwise_left_shift(x1: Operand, x2: Operand, /) -> Tensor:
    """Return the bits of integers moved up by as many places as the second says, from 0 to below their number.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([1, 3]) << 2
    Tensor([ 4, 12])
    """
    _check_bits("bitwise_left_shift", x1, x2, kinds="iu")
    return _left_shift(x1, x2)


@method("__rshift__", reflected="__rrshift__")
def bitwise_right_shift(x1: Operand, x2: Operand, /) -> Tensor:
    """Return the bits of integers moved down by as many places as the second says; the sign stays as it is.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([12, -3]) >> 1
    Tensor([ 6, -2])
    """
    _check_bits("bitwise_right_shift", x1, x2, kinds="iu")
    return _right_shift(x1, x2)
