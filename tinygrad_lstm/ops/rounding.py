"""Rounding, remainders, signs and neighbours: the functions that jump, whose derivatives are mostly 0.

What is whole already stays as it is when it is rounded, integers of every type and bools.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import Array, xp
from ..primitive import binary, unary
from ..tensor import Operand, Tensor, method
from .creation import zeros_like
from .elementwise import sign

__all__ = [
    "ceil", "copysign", "floor", "floor_divide", "nextafter", "remainder", "round", "signbit", "trunc",
]  # fmt: skip


def _to_whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a rounding function that leaves integers and bools as they are, where CuPy's would make them floats."""

    def round_floats(x: Any) -> Any:
        is_floating = x.dtype.kind == "f" if hasattr(x, "dtype") else isinstance(x, float)
        return function(x) if is_floating else x

    return round_floats


# fmt: off
_ceil  = unary("ceil",  _to_whole(xp.ceil),  lambda g: zeros_like(g))
_floor = unary("floor", _to_whole(xp.floor), lambda g: zeros_like(g))
_round = unary("round", _to_whole(xp.rint),  lambda g: zeros_like(g))
_trunc = unary("trunc", _to_whole(xp.trunc), lambda g: zeros_like(g))

_floor_divide = binary("floor_divide", xp.floor_divide, lambda g: zeros_like(g), lambda g: zeros_like(g),
                       broadcasts=True)
_remainder    = binary("remainder", xp.remainder, lambda g: g, lambda g, x1, x2: -g * _floor_divide(x1, x2),
                       broadcasts=True)
_copysign     = binary("copysign", xp.copysign, lambda g, x1, y: g * (sign(x1) * sign(y)), lambda g: zeros_like(g),
                       broadcasts=True, floating=True)

_signbit   = unary("signbit", xp.signbit, floating=True)
_nextafter = binary("nextafter", xp.nextafter, floating=True)
# fmt: on


def ceil(x: Tensor | Array, /) -> Tensor:
    """Return the smallest whole number that is not below ``x``; the derivative is 0.

    >>> import tinygrad_lstm as tg
    >>> tg.ceil(tg.asarray([-1.5, 1.5]))
    Tensor([-1.,  2.])
    """
    return _ceil(x)


def floor(x: Tensor | Array, /) -> Tensor:
    """Return the greatest whole number that is not above ``x``; the derivative is 0.

    >>> import tinygrad_lstm as tg
    >>> tg.floor(tg.asarray([-1.5, 1.5]))
    Tensor([-2.,  1.])
    """
    return _floor(x)


def trunc(x: Tensor | Array, /) -> Tensor:
    """Return the whole number next to ``x`` on the way to 0; the derivative is 0.

    >>> import tinygrad_lstm as tg
    >>> tg.trunc(tg.asarray([-1.5, 1.5]))
    Tensor([-1.,  1.])
    """
    return _trunc(x)


@method("round")
def round(x: Tensor | Array, /) -> Tensor:
    """Return the whole number closest to ``x``, the even one of two; the derivative is 0.

    >>> import tinygrad_lstm as tg
    >>> tg.round(tg.asarray([0.5, 1.5, 2.4]))
    Tensor([0., 2., 2.])
    """
    return _round(x)


@method("__floordiv__", reflected="__rfloordiv__")
def floor_divide(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 // x2``: the quotient, rounded down as in Python; its derivatives are 0.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([7, -7]) // 2
    Tensor([ 3, -4])
    """
    return _floor_divide(x1, x2)


@method("__mod__", reflected="__rmod__")
def remainder(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 % x2``: what `floor_divide` leaves, of the sign of ``x2`` as in Python.

    The derivative in ``x1`` is 1 and that in ``x2`` is ``-(x1 // x2)``, at the jumps too, as in PyTorch.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([7, -7]) % 3
    Tensor([1, 2])
    """
    return _remainder(x1, x2)


def signbit(x: Tensor | Array, /) -> Tensor:
    """Return whether the sign is a minus, which -0.0 has too.

    >>> import tinygrad_lstm as tg
    >>> tg.signbit(tg.asarray([-1.0, -0.0, 0.0]))
    Tensor([ True,  True, False])
    """
    return _signbit(x)


def copysign(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1`` with the sign of ``x2``, also of -0.0.

    The derivative in ``x1`` is 1 or -1 by whether the sign was kept, and 0 at 0; that in ``x2`` is 0; as in PyTorch.

    >>> import tinygrad_lstm as tg
    >>> tg.copysign(tg.asarray([1.0, -2.0]), -0.0)
    Tensor([-1., -2.])
    """
    return _copysign(x1, x2)


def nextafter(x1: Operand, x2: Operand, /) -> Tensor:
    """Return the number next to ``x1`` on the way to ``x2``; it is a constant.

    >>> import tinygrad_lstm as tg
    >>> (tg.nextafter(tg.asarray(1.0), 2) - 1).item() == tg.finfo("float32").eps
    True
    """
    return _nextafter(x1, x2)
