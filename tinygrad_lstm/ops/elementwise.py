"""Element by element: arithmetic, powers, exponentials, choices.

The tables read as mathematics: the forward function, then the derivative in each argument.
"""

from __future__ import annotations

import math
from typing import Any

from ..backend import Array, Scalar, ndarray, xp
from ..primitive import binary, unary
from ..tensor import Operand, Tensor, asarray, float32, method
from .comparisons import isfinite, isinf
from .creation import zeros_like
from .dtypes import astype, common_dtype, in_floating

__all__ = [
    "abs", "add", "clip", "divide", "exp", "expm1", "lerp", "log", "log1p", "log2", "log10", "logaddexp", "maximum",
    "minimum", "multiply", "negative", "positive", "pow", "reciprocal", "sign", "sqrt", "square", "subtract", "where",
]  # fmt: skip

# fmt: off
_positive   = unary("positive",   xp.positive,   lambda g: g)
_negative   = unary("negative",   xp.negative,   lambda g: -g)
_abs        = unary("abs",        xp.abs,        lambda g, x: g * sign(x))
_sign       = unary("sign",       xp.sign,       lambda g: zeros_like(g))
_square     = unary("square",     xp.square,     lambda g, x: g * (2 * x))
_reciprocal = unary("reciprocal", xp.reciprocal, lambda g, y: -g * y * y,              floating=True)
_sqrt       = unary("sqrt",       xp.sqrt,       lambda g, y: g / (2 * y),             floating=True)
_exp        = unary("exp",        xp.exp,        lambda g, y: g * y,                   floating=True)
_expm1      = unary("expm1",      xp.expm1,      lambda g, y: g * (y + 1),             floating=True)
_log        = unary("log",        xp.log,        lambda g, x: g / x,                   floating=True)
_log1p      = unary("log1p",      xp.log1p,      lambda g, x: g / (1 + x),             floating=True)
_log2       = unary("log2",       xp.log2,       lambda g, x: g / (x * math.log(2)),   floating=True)
_log10      = unary("log10",      xp.log10,      lambda g, x: g / (x * math.log(10)),  floating=True)

_add      = binary("add",      xp.add,      lambda g: g,          lambda g: g,               broadcasts=True)
_subtract = binary("subtract", xp.subtract, lambda g: g,          lambda g: -g,              broadcasts=True)
_multiply = binary("multiply", xp.multiply, lambda g, x2: g * x2, lambda g, x1: g * x1,      broadcasts=True)
_divide   = binary("divide",   xp.divide,   lambda g, x2: g / x2, lambda g, x2, y: -g * y / x2,
                   broadcasts=True, floating=True)
_maximum  = binary("maximum",  xp.maximum,  lambda g, x1, x2: _winner(g, x1, x2), lambda g, x1, x2: _winner(g, x2, x1),
                   broadcasts=True)
_minimum  = binary("minimum",  xp.minimum,  lambda g, x1, x2: _winner(g, x2, x1), lambda g, x1, x2: _winner(g, x1, x2),
                   broadcasts=True)
_raised   = binary("clip",     xp.maximum,  lambda g, x1, x2: where(x1 >= x2, g, 0),
                   lambda g, x1, x2: where(x1 < x2, g, 0), broadcasts=True)
_lowered  = binary("clip",     xp.minimum,  lambda g, x1, x2: where(x1 <= x2, g, 0),
                   lambda g, x1, x2: where(x1 > x2, g, 0), broadcasts=True)
_power    = binary("pow",      xp.power,    lambda g, x1, x2: _slope_in_base(g, x1, x2),
                   lambda g, x1, x2, y: _slope_in_exponent(g, x1, x2, y), broadcasts=True)
_logaddexp = binary("logaddexp", xp.logaddexp, lambda g, x1, x2: _share(g, x1, x2), lambda g, x1, x2: _share(g, x2, x1),
                    broadcasts=True, floating=True)
_where    = binary("where",    lambda x1, x2, condition: xp.where(condition, x1, x2),
                   lambda g, condition: where(condition, g, 0), lambda g, condition: where(condition, 0, g),
                   params=("condition",), broadcasts=True)

_fixed_power = unary("pow",  lambda x, n: x ** n, lambda g, x, n: g * (n * x ** (n - 1)) if n else zeros_like(g),
                     params=("n",))
_clip        = unary("clip", lambda x, low, high: xp.clip(x, low, high), lambda g, x, y: where(x == y, g, 0),
                     params=("low", "high"))
# fmt: on


def _winner(g: Any, x: Any, other: Any) -> Any:
    """Return ``g`` where ``x`` is the greater, half of it where both are equal, else 0.

    Both get the whole where one of them is NaN: all of this is as in PyTorch.
    """
    return where(x == other, g / 2, where(x < other, 0, g))


def _slope_in_base(g: Any, x1: Any, x2: Any) -> Any:
    """Return ``g * x2 * x1 ** (x2 - 1)``: to the power 0 that is 0, even of 0 and NaN, as in PyTorch."""
    lost = (x2 == 0) & ~isfinite(1 / x1)
    return where(lost, 0, g * x2 * x1 ** where(lost, 1, x2 - 1))


def _slope_in_exponent(g: Any, x1: Any, x2: Any, y: Any) -> Any:
    """Return ``g * y * log(x1)``: of the base 0 that is 0, unless the power is infinite, as in PyTorch."""
    flat = (x1 == 0) & (x2 >= 0)
    return where(flat, 0, g * y * log(where(flat, 1, x1)))


def _share(g: Any, x: Any, other: Any) -> Any:
    """Return ``g * exp(x) / (exp(x) + exp(other))``; of two equal infinities neither gets anything.

    In this form nothing overflows and no digits cancel, at any order of derivative.
    """
    lost = isinf(x) & (x == other)
    return where(lost, 0, g * exp(-logaddexp(0, where(lost, 0, other - x))))


@method("__add__", reflected="__radd__")
def add(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 + x2``.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([[1.0], [2.0]]) + tg.asarray([10.0, 20.0])
    Tensor([[11., 21.],
            [12., 22.]])
    """
    return _add(x1, x2)


@method("__sub__", reflected="__rsub__")
def subtract(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 - x2``.

    >>> import tinygrad_lstm as tg
    >>> 1 - tg.asarray([0.25, 0.5])
    Tensor([0.75, 0.5 ])
    """
    return _subtract(x1, x2)


@method("__mul__", reflected="__rmul__")
def multiply(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 * x2``.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([1, 3]) * 0.5
    Tensor([0.5, 1.5])
    """
    return _multiply(x1, x2)


@method("__truediv__", reflected="__rtruediv__")
def divide(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 / x2``; integers are divided as float32.

    >>> import tinygrad_lstm as tg
    >>> tg.asarray([1, 3]) / 2
    Tensor([0.5, 1.5])
    """
    return _divide(x1, x2)


@method("__pow__", reflected="__rpow__")
def pow(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 ** x2``.

    The slope in ``x1`` is 0 where the exponent is 0, and the slope in ``x2`` is 0 where the base is 0 and the exponent
    is not negative, as in PyTorch. So are the second derivatives there, where PyTorch has NaN; in ``x1`` they are right
    at 0 for every exponent.

    Raises
    ------
    ValueError
        If integers are raised to a negative whole number.
    OverflowError
        If an int does not fit the integers that it is raised to, or that are raised to it.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([0.0, 3.0], requires_grad=True)
    >>> tg.grad((x**2).sum(), [x])
    (Tensor([0., 6.]),)
    """
    if isinstance(x2, Scalar):
        x2 = x2.item()
    if isinstance(x2, (int, float)):
        x1 = _floating_beside(x1, x2)
        if isinstance(x2, int) and x2 < 0 and hasattr(x1, "dtype") and x1.dtype.kind != "f":
            raise ValueError(f"pow: got {x1.dtype} to the power {x2}, wanted floating point for a negative power.")
        return _fixed_power(x1, x2)
    if type(x2) is Tensor and isinstance(x1, (int, float, Scalar)):
        x1 = x1.item() if isinstance(x1, Scalar) else x1
        dtype = common_dtype("pow", (x1, x2))
        x1 = asarray(x1, dtype=dtype) if dtype.kind == "f" else x1  # for the derivative, which integers do not have
    return _power(x1, x2)


def _floating_beside(x: Any, *numbers: Any) -> Any:
    """Return a tensor of integers or bools as float32 if one of the numbers is a float; anything else as it is."""
    is_whole = type(x) is Tensor and x.dtype.kind != "f"
    return astype(x, float32) if is_whole and any(isinstance(n, float) for n in numbers) else x


def maximum(x1: Operand, x2: Operand, /) -> Tensor:
    """Return the greater of the two, element by element, and NaN if either is NaN.

    Equal ones share the gradient evenly, as in PyTorch.

    >>> import tinygrad_lstm as tg
    >>> tg.maximum(tg.asarray([1.0, 4.0]), tg.asarray([3.0, 2.0]))
    Tensor([3., 4.])
    """
    return _maximum(x1, x2)


def minimum(x1: Operand, x2: Operand, /) -> Tensor:
    """Return the smaller of the two, element by element, and NaN if either is NaN.

    Equal ones share the gradient evenly, as in PyTorch.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, 4.0, 2.0], requires_grad=True)
    >>> tg.grad(tg.minimum(x, 2.0).sum(), x)
    Tensor([1. , 0. , 0.5])
    """
    return _minimum(x1, x2)


@method("clip")
def clip(x: Tensor | Array, /, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """Return ``x`` with everything below ``min`` or above ``max`` set to that bound.

    Parameters
    ----------
    x
        A tensor or an array.
    min, max
        The bounds: numbers, or tensors and arrays that broadcast against ``x``; None for no bound. Where ``min`` is the
        greater, the result is ``max``.

    Returns
    -------
    Tensor
        ``x`` gets the gradient where it is within the bounds, the bounds included; elsewhere the bound gets it that is
        the result. That is as in PyTorch, which however gives nothing to ``min`` where both bounds are equal.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([-2.0, 0.5, 3.0])
    >>> tg.clip(x, 0, 1), x.clip(max=tg.asarray([0.0, 1.0, 2.0]))
    (Tensor([0. , 0.5, 1. ]), Tensor([-2. ,  0.5,  2. ]))
    """
    min, max = (bound.item() if isinstance(bound, Scalar) else bound for bound in (min, max))
    if min is None and max is None:
        return x
    if all(bound is None or isinstance(bound, (int, float)) for bound in (min, max)):
        return _clip(_floating_beside(x, min, max), min, max)
    raised = x if min is None else _raised(x, min)
    return raised if max is None else _lowered(raised, max)


def where(condition: Tensor | Array | bool, x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1`` where the condition holds and ``x2`` elsewhere.

    Parameters
    ----------
    condition
        A bool, or a tensor or an array of bools, which broadcasts.
    x1, x2
        Tensors, arrays or numbers.

    Returns
    -------
    Tensor
        The gradient of what was not chosen is 0, whatever stands there.

    Raises
    ------
    TypeError
        If the condition is of another type.

    Notes
    -----
    As in PyTorch and JAX, that 0 does not help where the derivative further back is infinite or NaN: 0 times infinity
    is NaN. ``where(x > 0, log(x), 0)`` has the gradient 0/0 at 0. The remedy is to choose twice, so that the function
    never sees what is not meant for it: ``where(x > 0, log(where(x > 0, x, 1)), 0)``.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([-1.0, 2.0])
    >>> tg.where(x > 0, x, 0.0)
    Tensor([0., 2.])
    """
    if type(condition) is Tensor:
        condition = condition.data
        if type(x1) is not Tensor and type(x2) is not Tensor:
            x1 = asarray(x1)
    elif isinstance(condition, (bool, Scalar)):
        condition = xp.asarray(condition)
    if type(condition) is not ndarray or condition.dtype.kind != "b":
        got = condition.dtype if hasattr(condition, "dtype") else f"{condition!r} as condition"
        raise TypeError(f"where: got {got}, wanted a bool, or a tensor or an array of bools.")
    return _where(x1, x2, condition)


def lerp(start: Operand, end: Operand, weight: Operand) -> Tensor:
    """Return ``start + weight * (end - start)``, the way from one to the other: at 0 and 1 they are met exactly.

    Parameters
    ----------
    start, end
        Where the way begins, and where it ends: tensors, arrays or numbers.
    weight
        How much of the way to go; it may be below 0 or above 1. All three broadcast, and integers are taken as float32.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.lerp(tg.asarray([0.0, 10.0]), tg.asarray([1.0, 20.0]), 0.25)
    Tensor([ 0.25, 12.5 ])
    """
    start, end, weight = in_floating(start, end, weight)
    way = subtract(end, start)
    if isinstance(weight, (int, float)):
        return add(start, multiply(weight, way)) if weight < 0.5 else subtract(end, multiply(1 - weight, way))
    return where(weight < 0.5, start + weight * way, end - (1 - weight) * way)


@method("__pos__")
def positive(x: Tensor | Array, /) -> Tensor:
    """Return ``+x``.

    >>> import tinygrad_lstm as tg
    >>> +tg.asarray([-1, 2])
    Tensor([-1,  2])
    """
    return _positive(x)


@method("__neg__")
def negative(x: Tensor | Array, /) -> Tensor:
    """Return ``-x``.

    >>> import tinygrad_lstm as tg
    >>> -tg.asarray([-1, 2])
    Tensor([ 1, -2])
    """
    return _negative(x)


@method("__abs__")
def abs(x: Tensor | Array, /) -> Tensor:
    """Return the absolute value; its derivative at 0 is 0.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([-2.0, 0.0, 3.0], requires_grad=True)
    >>> tg.grad(abs(x).sum(), x)
    Tensor([-1.,  0.,  1.])
    """
    return _abs(x)


def sign(x: Tensor | Array, /) -> Tensor:
    """Return -1, 0 or 1 by the sign; the derivative is 0.

    >>> import tinygrad_lstm as tg
    >>> tg.sign(tg.asarray([-2.5, 0.0, 3.0]))
    Tensor([-1.,  0.,  1.])
    """
    return _sign(x)


def square(x: Tensor | Array, /) -> Tensor:
    """Return ``x * x``.

    >>> import tinygrad_lstm as tg
    >>> tg.square(tg.asarray([-3, 4]))
    Tensor([ 9, 16])
    """
    return _square(x)


def reciprocal(x: Tensor | Array, /) -> Tensor:
    """Return ``1 / x``; integers are taken as float32.

    >>> import tinygrad_lstm as tg
    >>> tg.reciprocal(tg.asarray([2, 4]))
    Tensor([0.5 , 0.25])
    """
    return _reciprocal(x)


def sqrt(x: Tensor | Array, /) -> Tensor:
    """Return the square root; its derivative at 0 is infinite.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([0.0, 4.0], requires_grad=True)
    >>> tg.grad(tg.sqrt(x).sum(), x)
    Tensor([ inf, 0.25])
    """
    return _sqrt(x)


def exp(x: Tensor | Array, /) -> Tensor:
    """Return e to the power ``x``.

    >>> import tinygrad_lstm as tg
    >>> tg.exp(tg.asarray([0.0, 1.0])).numpy().round(4)
    array([1.    , 2.7183], dtype=float32)
    """
    return _exp(x)


def expm1(x: Tensor | Array, /) -> Tensor:
    """Return ``exp(x) - 1``, exact near 0.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray(1e-10)
    >>> tg.expm1(x), tg.exp(x) - 1
    (Tensor(1.e-10), Tensor(0.))
    """
    return _expm1(x)


def log(x: Tensor | Array, /) -> Tensor:
    """Return the natural logarithm.

    >>> import tinygrad_lstm as tg
    >>> tg.log(tg.asarray([1.0, tg.e])).numpy().round(4)
    array([0., 1.], dtype=float32)
    """
    return _log(x)


def log1p(x: Tensor | Array, /) -> Tensor:
    """Return ``log(1 + x)``, exact near 0.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray(1e-10)
    >>> tg.log1p(x), tg.log(1 + x)
    (Tensor(1.e-10), Tensor(0.))
    """
    return _log1p(x)


def log2(x: Tensor | Array, /) -> Tensor:
    """Return the logarithm to the base 2.

    >>> import tinygrad_lstm as tg
    >>> tg.log2(tg.asarray([0.25, 8.0])).numpy().round(4)
    array([-2.,  3.], dtype=float32)
    """
    return _log2(x)


def log10(x: Tensor | Array, /) -> Tensor:
    """Return the logarithm to the base 10.

    >>> import tinygrad_lstm as tg
    >>> tg.log10(tg.asarray([0.01, 1000.0])).numpy().round(4)
    array([-2.,  3.], dtype=float32)
    """
    return _log10(x)


def logaddexp(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``log(exp(x1) + exp(x2))``, computed so that nothing overflows.

    Where both are -inf, or both inf, the derivatives of every order are 0; PyTorch has NaN there.

    >>> import tinygrad_lstm as tg
    >>> tg.logaddexp(tg.asarray([1000.0, -tg.inf]), tg.asarray([1000.0, -tg.inf]))
    Tensor([1000.6932,      -inf])
    """
    return _logaddexp(x1, x2)
