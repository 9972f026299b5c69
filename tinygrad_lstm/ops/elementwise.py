"""Element by element: arithmetic, exponentials, comparisons, choices.

The tables read as mathematics: the forward function, then the derivative in each argument.
"""

from __future__ import annotations

from typing import Any

from ..backend import Array, Scalar, xp
from ..primitive import binary, unary
from ..tensor import DType, Operand, Tensor, asarray, float32, method

__all__ = [
    "abs", "add", "astype", "clip", "cos", "divide", "equal", "exp", "expm1", "floor", "greater", "greater_equal",
    "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log1p", "logical_and", "logical_not", "logical_or",
    "logical_xor", "maximum", "minimum", "multiply", "negative", "not_equal", "positive", "pow", "reciprocal", "sign",
    "sin", "sqrt", "square", "subtract", "tanh", "where",
]  # fmt: skip

# fmt: off
_positive   = unary("positive",   xp.positive,   lambda g: g)
_negative   = unary("negative",   xp.negative,   lambda g: -g)
_abs        = unary("abs",        xp.abs,        lambda g, x: g * sign(x))
_sign       = unary("sign",       xp.sign,       lambda g: g * 0)
_floor      = unary("floor",      xp.floor,      lambda g: g * 0)
_square     = unary("square",     xp.square,     lambda g, x: g * (2 * x))
_reciprocal = unary("reciprocal", xp.reciprocal, lambda g, y: -g * y * y,       floating=True)
_sqrt       = unary("sqrt",       xp.sqrt,       lambda g, y: g / (2 * y),      floating=True)
_exp        = unary("exp",        xp.exp,        lambda g, y: g * y,            floating=True)
_expm1      = unary("expm1",      xp.expm1,      lambda g, y: g * (y + 1),      floating=True)
_log        = unary("log",        xp.log,        lambda g, x: g / x,            floating=True)
_log1p      = unary("log1p",      xp.log1p,      lambda g, x: g / (1 + x),      floating=True)
_sin        = unary("sin",        xp.sin,        lambda g, x: g * cos(x),       floating=True)
_cos        = unary("cos",        xp.cos,        lambda g, x: -g * sin(x),      floating=True)
_tanh       = unary("tanh",       xp.tanh,       lambda g, y: g - g * y * y,    floating=True)

_add      = binary("add",      xp.add,      lambda g: g,          lambda g: g,               broadcasts=True)
_subtract = binary("subtract", xp.subtract, lambda g: g,          lambda g: -g,              broadcasts=True)
_multiply = binary("multiply", xp.multiply, lambda g, x2: g * x2, lambda g, x1: g * x1,      broadcasts=True)
_divide   = binary("divide",   xp.divide,   lambda g, x2: g / x2, lambda g, x2, y: -g * y / x2,
                   broadcasts=True, floating=True)
_maximum  = binary("maximum",  xp.maximum,  lambda g, x1, x2: _winner(g, x1, x2), lambda g, x1, x2: _winner(g, x2, x1),
                   broadcasts=True)
_minimum  = binary("minimum",  xp.minimum,  lambda g, x1, x2: _winner(g, x2, x1), lambda g, x1, x2: _winner(g, x1, x2),
                   broadcasts=True)
_power    = binary("pow",      xp.power,
                   lambda g, x1, x2: g * x2 * x1 ** where(x2 == 0, 1, x2 - 1),
                   lambda g, x1, y: g * y * log(where(x1 == 0, 1, x1)),
                   broadcasts=True)
_where    = binary("where",    lambda x1, x2, condition: xp.where(condition, x1, x2),
                   lambda g, condition: where(condition, g, 0), lambda g, condition: where(condition, 0, g),
                   params=("condition",), broadcasts=True)

_integer_power = unary("pow",    lambda x, n: x ** n, lambda g, x, n: g * (n * x ** (n - 1) if n else 0), params=("n",))
_clip          = unary("clip",   lambda x, low, high: xp.clip(x, low, high),
                       lambda g, x, y: where(x == y, g, 0), params=("low", "high"))
_astype        = unary("astype", lambda x, to: x.astype(to), lambda g, dtype: g.astype(dtype), params=("to",))

_equal, _not_equal      = binary("equal", xp.equal), binary("not_equal", xp.not_equal)
_less, _less_equal      = binary("less", xp.less), binary("less_equal", xp.less_equal)
_greater                = binary("greater", xp.greater)
_greater_equal          = binary("greater_equal", xp.greater_equal)
_and, _or               = binary("logical_and", xp.logical_and), binary("logical_or", xp.logical_or)
_xor, _not              = binary("logical_xor", xp.logical_xor), unary("logical_not", xp.logical_not)
_isnan, _isinf          = unary("isnan", xp.isnan), unary("isinf", xp.isinf)
_isfinite               = unary("isfinite", xp.isfinite)
# fmt: on


def _winner(g: Any, x: Any, other: Any) -> Any:
    """Return ``g`` where ``x`` is the greater, half of it where both are equal (as PyTorch shares it), else 0."""
    return where(x == other, g / 2, where(x > other, g, 0))


@method("__add__", reflected="__radd__")
def add(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 + x2``."""
    return _add(x1, x2)


@method("__sub__", reflected="__rsub__")
def subtract(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 - x2``."""
    return _subtract(x1, x2)


@method("__mul__", reflected="__rmul__")
def multiply(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 * x2``."""
    return _multiply(x1, x2)


@method("__truediv__", reflected="__rtruediv__")
def divide(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 / x2``; integers are divided as float32."""
    return _divide(x1, x2)


@method("__pow__", reflected="__rpow__")
def pow(x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1 ** x2``.

    The slope in ``x1`` is 0 where the exponent is 0, and the slope in ``x2`` is 0 where the base is 0, as in PyTorch.
    """
    if isinstance(x2, Scalar):
        x2 = x2.item()
    if isinstance(x2, (int, float)):
        return _integer_power(_floating_beside(x1, x2), x2)
    if type(x2) is Tensor and isinstance(x1, (int, float, Scalar)):
        base = x1.item() if isinstance(x1, Scalar) else x1
        x1 = asarray(base, dtype=_floating_beside(x2, base).dtype)
    return _power(x1, x2)


def _floating_beside(x: Any, *numbers: Any) -> Any:
    """Return a tensor of integers or bools as float32 if one of the numbers is a float; anything else as it is."""
    is_whole = type(x) is Tensor and x.dtype.kind != "f"
    return astype(x, float32) if is_whole and any(isinstance(n, float) for n in numbers) else x


def maximum(x1: Operand, x2: Operand, /) -> Tensor:
    """Return the greater of the two, element by element; equal ones share the gradient evenly, as in PyTorch."""
    return _maximum(x1, x2)


def minimum(x1: Operand, x2: Operand, /) -> Tensor:
    """Return the smaller of the two, element by element; equal ones share the gradient evenly, as in PyTorch."""
    return _minimum(x1, x2)


def where(condition: Tensor | Array, x1: Operand, x2: Operand, /) -> Tensor:
    """Return ``x1`` where the condition holds and ``x2`` elsewhere.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([-1.0, 2.0])
    >>> tg.where(x > 0, x, 0.0)
    Tensor([0., 2.])
    """
    if type(condition) is Tensor:
        condition = condition.data
        if type(x1) is not Tensor and type(x2) is not Tensor:
            x1 = asarray(x1)
    return _where(x1, x2, condition)


def clip(x: Tensor | Array, /, min: float | None = None, max: float | None = None) -> Tensor:
    """Return ``x`` with everything below ``min`` or above ``max`` set to that bound.

    The gradient passes where ``x`` is within the bounds, the bounds included, as in PyTorch.
    """
    return _clip(_floating_beside(x, min, max), min, max)


@method("astype")
def astype(x: Tensor | Array, dtype: DType, /) -> Tensor:
    """Return ``x`` with elements of another type; between floating types the gradient is cast back."""
    if x.dtype == dtype:
        return x
    to = xp.dtype(dtype)
    return _astype(x if to.kind == "f" or type(x) is not Tensor else x.detach(), to)


@method("__pos__")
def positive(x: Tensor | Array, /) -> Tensor:
    """Return ``+x``."""
    return _positive(x)


@method("__neg__")
def negative(x: Tensor | Array, /) -> Tensor:
    """Return ``-x``."""
    return _negative(x)


@method("__abs__")
def abs(x: Tensor | Array, /) -> Tensor:
    """Return the absolute value; its derivative at 0 is 0."""
    return _abs(x)


def sign(x: Tensor | Array, /) -> Tensor:
    """Return -1, 0 or 1 by the sign; the derivative is 0."""
    return _sign(x)


def floor(x: Tensor | Array, /) -> Tensor:
    """Return the greatest whole number that is not above ``x``; the derivative is 0."""
    return _floor(x)


def square(x: Tensor | Array, /) -> Tensor:
    """Return ``x * x``."""
    return _square(x)


def reciprocal(x: Tensor | Array, /) -> Tensor:
    """Return ``1 / x``."""
    return _reciprocal(x)


def sqrt(x: Tensor | Array, /) -> Tensor:
    """Return the square root; its derivative at 0 is infinite."""
    return _sqrt(x)


def exp(x: Tensor | Array, /) -> Tensor:
    """Return e to the power ``x``."""
    return _exp(x)


def expm1(x: Tensor | Array, /) -> Tensor:
    """Return ``exp(x) - 1``, exact near 0."""
    return _expm1(x)


def log(x: Tensor | Array, /) -> Tensor:
    """Return the natural logarithm."""
    return _log(x)


def log1p(x: Tensor | Array, /) -> Tensor:
    """Return ``log(1 + x)``, exact near 0."""
    return _log1p(x)


def sin(x: Tensor | Array, /) -> Tensor:
    """Return the sine of an angle in radians."""
    return _sin(x)


def cos(x: Tensor | Array, /) -> Tensor:
    """Return the cosine of an angle in radians."""
    return _cos(x)


def tanh(x: Tensor | Array, /) -> Tensor:
    """Return the hyperbolic tangent.

    >>> import tinygrad_lstm as tg
    >>> tg.tanh(tg.asarray([0.0, 1.0]))
    Tensor([0.       , 0.7615942])
    """
    return _tanh(x)


@method("__eq__")
def equal(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the elements are equal."""
    return _equal(x1, x2)


@method("__ne__")
def not_equal(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the elements differ."""
    return _not_equal(x1, x2)


@method("__lt__")
def less(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the first is smaller."""
    return _less(x1, x2)


@method("__le__")
def less_equal(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the first is smaller or equal."""
    return _less_equal(x1, x2)


@method("__gt__")
def greater(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the first is greater."""
    return _greater(x1, x2)


@method("__ge__")
def greater_equal(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether the first is greater or equal."""
    return _greater_equal(x1, x2)


@method("__and__", reflected="__rand__")
def logical_and(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether both are true."""
    return _and(x1, x2)


@method("__or__", reflected="__ror__")
def logical_or(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether either is true."""
    return _or(x1, x2)


@method("__xor__", reflected="__rxor__")
def logical_xor(x1: Operand, x2: Operand, /) -> Tensor:
    """Return whether exactly one is true."""
    return _xor(x1, x2)


@method("__invert__")
def logical_not(x: Tensor | Array, /) -> Tensor:
    """Return whether the elements are false."""
    return _not(x)


def isnan(x: Tensor | Array, /) -> Tensor:
    """Return whether the elements are not a number."""
    return _isnan(x)


def isinf(x: Tensor | Array, /) -> Tensor:
    """Return whether the elements are infinite."""
    return _isinf(x)


def isfinite(x: Tensor | Array, /) -> Tensor:
    """Return whether the elements are neither infinite nor not a number."""
    return _isfinite(x)
