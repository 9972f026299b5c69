"""Angles, circles and hyperbolas: the trigonometric and hyperbolic functions and their inverses.

Angles are in radians; integers and bools are taken as float32. Where a derivative has a pole, it is infinite.
"""

from __future__ import annotations

from typing import Any

from ..backend import Array, xp
from ..primitive import binary, unary
from ..tensor import Operand, Tensor
from .elementwise import sqrt, where

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "hypot", "sin", "sinh", "tan", "tanh",
]  # fmt: skip

# fmt: off
_sin   = unary("sin",   xp.sin,     lambda g, x: g * cos(x),              floating=True)
_cos   = unary("cos",   xp.cos,     lambda g, x: -g * sin(x),             floating=True)
_tan   = unary("tan",   xp.tan,     lambda g, y: g * (1 + y * y),         floating=True)
_asin  = unary("asin",  xp.arcsin,  lambda g, x: g / sqrt(1 - x * x),     floating=True)
_acos  = unary("acos",  xp.arccos,  lambda g, x: -g / sqrt(1 - x * x),    floating=True)
_atan  = unary("atan",  xp.arctan,  lambda g, x: g / (1 + x * x),         floating=True)
_sinh  = unary("sinh",  xp.sinh,    lambda g, x: g * cosh(x),             floating=True)
_cosh  = unary("cosh",  xp.cosh,    lambda g, x: g * sinh(x),             floating=True)
_tanh  = unary("tanh",  xp.tanh,    lambda g, y: g - g * y * y,           floating=True)
_asinh = unary("asinh", xp.arcsinh, lambda g, x: g / sqrt(x * x + 1),     floating=True)
_acosh = unary("acosh", xp.arccosh, lambda g, x: g / sqrt(x * x - 1),     floating=True)
_atanh = unary("atanh", xp.arctanh, lambda g, x: g / (1 - x * x),         floating=True)

_hypot = binary("hypot", xp.hypot,   lambda g, x1, y: g * _part(x1, y), lambda g, x2, y: g * _part(x2, y),
                broadcasts=True, floating=True)
_atan2 = binary("atan2", xp.arctan2, lambda g, x1, x2: g * _turn(x2, x1), lambda g, x1, x2: -g * _turn(x1, x2),
                broadcasts=True, floating=True)
# fmt: on


def _part(x: Any, whole: Any) -> Any:
    """Return ``x / whole``, and 0 where the whole is 0, with derivatives that are 0 there too."""
    nothing = whole == 0
    return where(nothing, 0, x / where(nothing, 1, whole))


def _turn(x: Any, other: Any) -> Any:
    """Return ``x / (x * x + other * other)``, without the squares, which would overflow; 0 where both are 0."""
    radius = hypot(x, other)
    return _part(_part(x, radius), radius)


def sin(x: Tensor | Array, /) -> Tensor:
    """Return the sine.

    >>> import tinygrad_lstm as tg
    >>> tg.sin(tg.asarray([0.0, tg.pi / 6, tg.pi / 2])).numpy().round(4)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return _sin(x)


def cos(x: Tensor | Array, /) -> Tensor:
    """Return the cosine.

    >>> import tinygrad_lstm as tg
    >>> tg.cos(tg.asarray([0.0, tg.pi / 3, tg.pi])).numpy().round(4)
    array([ 1. ,  0.5, -1. ], dtype=float32)
    """
    return _cos(x)


def tan(x: Tensor | Array, /) -> Tensor:
    """Return the tangent.

    >>> import tinygrad_lstm as tg
    >>> tg.tan(tg.asarray([0.0, tg.pi / 4])).numpy().round(4)
    array([0., 1.], dtype=float32)
    """
    return _tan(x)


def asin(x: Tensor | Array, /) -> Tensor:
    """Return the angle from -π/2 to π/2 whose sine is ``x``; NaN outside -1 and 1.

    >>> import tinygrad_lstm as tg
    >>> degrees = tg.asin(tg.asarray([-1.0, 0.5])) * (180 / tg.pi)
    >>> degrees.numpy().round(2)
    array([-90.,  30.], dtype=float32)
    """
    return _asin(x)


def acos(x: Tensor | Array, /) -> Tensor:
    """Return the angle from 0 to π whose cosine is ``x``; NaN outside -1 and 1.

    >>> import tinygrad_lstm as tg
    >>> degrees = tg.acos(tg.asarray([-1.0, 0.5])) * (180 / tg.pi)
    >>> degrees.numpy().round(2)
    array([180.,  60.], dtype=float32)
    """
    return _acos(x)


def atan(x: Tensor | Array, /) -> Tensor:
    """Return the angle from -π/2 to π/2 whose tangent is ``x``.

    >>> import tinygrad_lstm as tg
    >>> degrees = tg.atan(tg.asarray([-1.0, tg.inf])) * (180 / tg.pi)
    >>> degrees.numpy().round(2)
    array([-45.,  90.], dtype=float32)
    """
    return _atan(x)


def atan2(x1: Operand, x2: Operand, /) -> Tensor:
    """Return the angle from -π to π of the point with height ``x1`` and width ``x2``.

    The derivatives at (0, 0) are 0, as in PyTorch; so are the second ones, where PyTorch has NaN.

    >>> import tinygrad_lstm as tg
    >>> tg.atan2(tg.asarray([1.0, 0.0]), tg.asarray([0.0, -1.0])) / tg.pi
    Tensor([0.5, 1. ])
    """
    return _atan2(x1, x2)


def hypot(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``sqrt(x1 * x1 + x2 * x2)``, computed so that nothing overflows.

    The derivatives at (0, 0) are 0, and so are the second ones; PyTorch has NaN there.

    >>> import tinygrad_lstm as tg
    >>> tg.hypot(tg.asarray([3.0, 5e30]), tg.asarray([4.0, 12e30]))
    Tensor([5.0e+00, 1.3e+31])
    """
    return _hypot(x1, x2)


def sinh(x: Tensor | Array, /) -> Tensor:
    """Return the hyperbolic sine.

    >>> import tinygrad_lstm as tg
    >>> tg.sinh(tg.asarray([-1.0, 0.0, 1.0])).numpy().round(4)
    array([-1.1752,  0.    ,  1.1752], dtype=float32)
    """
    return _sinh(x)


def cosh(x: Tensor | Array, /) -> Tensor:
    """Return the hyperbolic cosine.

    >>> import tinygrad_lstm as tg
    >>> tg.cosh(tg.asarray([-1.0, 0.0, 1.0])).numpy().round(4)
    array([1.5431, 1.    , 1.5431], dtype=float32)
    """
    return _cosh(x)


def tanh(x: Tensor | Array, /) -> Tensor:
    """Return the hyperbolic tangent.

    >>> import tinygrad_lstm as tg
    >>> tg.tanh(tg.asarray([0.0, 1.0]))
    Tensor([0.       , 0.7615942])
    """
    return _tanh(x)


def asinh(x: Tensor | Array, /) -> Tensor:
    """Return the number whose hyperbolic sine is ``x``.

    >>> import tinygrad_lstm as tg
    >>> tg.asinh(tg.sinh(tg.asarray([-2.0, 0.5]))).numpy().round(4)
    array([-2. ,  0.5], dtype=float32)
    """
    return _asinh(x)


def acosh(x: Tensor | Array, /) -> Tensor:
    """Return the number from 0 up whose hyperbolic cosine is ``x``; NaN below 1.

    >>> import tinygrad_lstm as tg
    >>> tg.acosh(tg.cosh(tg.asarray([-2.0, 0.5]))).numpy().round(4)
    array([2. , 0.5], dtype=float32)
    """
    return _acosh(x)


def atanh(x: Tensor | Array, /) -> Tensor:
    """Return the number whose hyperbolic tangent is ``x``; infinite at -1 and 1, NaN beyond.

    >>> import tinygrad_lstm as tg
    >>> tg.atanh(tg.tanh(tg.asarray([-2.0, 0.5]))).numpy().round(4)
    array([-2. ,  0.5], dtype=float32)
    """
    return _atanh(x)
