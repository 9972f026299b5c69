"""Activations: the functions between a layer's products, and the normalised exponentials at a model's end.

Names, settings and slopes at kinks are those of ``torch.nn.functional``. Integers and bools are taken as float32, but
by `relu`, which leaves integers what they are.
"""

from __future__ import annotations

import math
from typing import Any

from .. import backend
from ..backend import Array, xp
from ..primitive import binary, in_float32, unary
from ..tensor import Tensor, float32
from .elementwise import abs, exp, square, where
from .indexing import split
from .reductions import sum
from .shape import counted, reshape, shape_of
from .special import erfc
from .trigonometry import tanh

__all__ = [
    "celu", "dropout", "elu", "gelu", "glu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_softmax",
    "logsigmoid", "mish", "prelu", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign",
]  # fmt: skip

LIMITS = {char: (xp.full((), limit, char), xp.ones((), char)) for char, limit in (("f", 88), ("d", 709))}
"""By element type: how far above 0 exp(x) does not overflow, where the logistic has long been 1; and 1.

They are arrays because NumPy takes twice as long over Python's numbers on small arrays.
"""


def _logistic(x: Array) -> Array:
    """Return ``exp(x) / (1 + exp(x))``, which below 0 loses no digit, down to the smallest number there is."""
    if x.dtype.char == "e":
        return _logistic(x.astype("f")).astype("e")
    highest, one = LIMITS[x.dtype.char]
    e = xp.exp(xp.minimum(x, highest))
    e /= one + e
    return e


HALF = {char: xp.full((), 0.5, char) for char in "efd"}


def _logistic_by_tanh(x: Array) -> Array:
    half = HALF[x.dtype.char]
    y = xp.tanh(half * x)
    y *= half
    y += half
    return y


def _exponential_unit(x: Array, alpha: float, scale: float, inner: float) -> Array:
    return scale * xp.where(x > 0, x, alpha * xp.expm1(inner * xp.minimum(x, 0)))


def _exponential_unit_slope(g: Any, x: Any, alpha: float, scale: float, inner: float) -> Any:
    return g * where(x > 0, scale, scale * alpha * inner * exp(inner * where(x < 0, x, 0)))


def _log_of_one_plus_exp(x: Array) -> Array:
    """Return ``log(1 + exp(x))``, which does not overflow above 0 and loses nothing below."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def _softplus_forward(x: Array, beta: float, threshold: float) -> Array:
    return xp.where(beta * x > threshold, x, _log_of_one_plus_exp(beta * x) / beta)


def _silu_slope(x: Any) -> Any:
    s = sigmoid(x)
    return s + s * x * (1 - s)


def _mish_slope(x: Any) -> Any:
    t = tanh(softplus(x))
    return t + x * sigmoid(x) * (1 - t * t)


def _normal(x: Any) -> Any:
    """Return the distribution function of the normal distribution."""
    return 0.5 * erfc(-math.sqrt(0.5) * x)


def _gelu_slope(x: Any) -> Any:
    density = exp(-0.5 * square(x)) / math.sqrt(2 * math.pi)
    return _normal(x) + x * density


GELU_SCALE, GELU_CUBIC = 2 * math.sqrt(2 / math.pi), 0.044715


def _nearly_normal(x: Any) -> Any:
    """Return the same to three digits: ``(1 + tanh(k)) / 2 = sigmoid(2 * k)`` for the ``k`` of `gelu`."""
    return sigmoid(GELU_SCALE * (x + GELU_CUBIC * x * x * x))


def _gelu_by_tanh_slope(x: Any) -> Any:
    p = _nearly_normal(x)
    return p + x * (p * (1 - p)) * (GELU_SCALE * (1 + 3 * GELU_CUBIC * x * x))


def _softmax_forward(x: Array, axis: int) -> Array:
    if not x.size:
        return x
    e = xp.exp(x - x.max(axis=axis, keepdims=True))
    e /= e.sum(axis=axis, keepdims=True)
    return e


def _log_softmax_forward(x: Array, axis: int) -> Array:
    if not x.size:
        return x
    shifted = x - x.max(axis=axis, keepdims=True)
    shifted -= xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))
    return shifted


# fmt: off
_sigmoid     = unary("sigmoid",     _logistic,                  lambda g, y: g * (y - y * y),           floating=True)
_gate        = unary("sigmoid",     _logistic_by_tanh,          lambda g, y: g * (y - y * y),           floating=True)
_logsigmoid  = unary("logsigmoid",  lambda x: xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.abs(x))),
                     lambda g, x: g * sigmoid(-x),                                                      floating=True)
_softplus    = unary("softplus",    _softplus_forward,
                     lambda g, x, beta, threshold: g * where(beta * x > threshold, 1, sigmoid(beta * x)),
                     params=("beta", "threshold"), floating=True)
_silu        = unary("silu",        lambda x: x * _logistic(x), lambda g, x: g * _silu_slope(x),        floating=True)
_mish        = unary("mish",        lambda x: x * xp.tanh(_log_of_one_plus_exp(x)),
                     lambda g, x: g * _mish_slope(x),                                                   floating=True)
_gelu        = unary("gelu",        lambda x: x * _normal(x),   lambda g, x: g * _gelu_slope(x),        floating=True)
_gelu_tanh   = unary("gelu",        lambda x: x * _nearly_normal(x),
                     lambda g, x: g * _gelu_by_tanh_slope(x),                                           floating=True)
_softsign    = unary("softsign",    lambda x: x / (1 + xp.abs(x)), lambda g, x: g / square(1 + abs(x)), floating=True)

_relu        = unary("relu",        lambda x: xp.maximum(x, 0), lambda g, y: where(y > 0, g, 0))
_relu6       = unary("relu6",       lambda x: xp.clip(x, 0, 6),
                     lambda g, x: where((x > 0) & (x < 6), g, 0),                                       floating=True)
_hardtanh    = unary("hardtanh",    lambda x, low, high: xp.clip(x, low, high),
                     lambda g, x, low, high: where((x > low) & (x < high), g, 0),
                     params=("low", "high"), floating=True)
_hardsigmoid = unary("hardsigmoid", lambda x: xp.clip(x + 3, 0, 6) / 6,
                     lambda g, x: where((x > -3) & (x < 3), g / 6, 0),                                  floating=True)
_hardswish   = unary("hardswish",   lambda x: x * (xp.clip(x + 3, 0, 6) / 6),
                     lambda g, x: where(x <= -3, 0, where(x < 3, g * (x / 3 + 0.5), g)),                floating=True)
_leaky_relu  = unary("leaky_relu",  lambda x, slope: xp.where(x > 0, x, slope * x),
                     lambda g, x, slope: where(x > 0, g, slope * g), params=("slope",),                 floating=True)
_prelu       = binary("prelu",      lambda x1, x2: xp.where(x1 > 0, x1, x2 * x1),
                      lambda g, x1, x2: where(x1 > 0, g, g * x2), lambda g, x1: where(x1 > 0, 0, g * x1),
                      broadcasts=True, floating=True)
_elu, _celu, _selu = (unary(name, _exponential_unit, _exponential_unit_slope, params=("alpha", "scale", "inner"),
                            floating=True) for name in ("elu", "celu", "selu"))

_softmax     = in_float32(unary(
    "softmax",     _softmax_forward,     lambda g, y, axis: y * (g - sum(g * y, axis=axis, keepdims=True)),
    params=("axis",), floating=True))
_log_softmax = in_float32(unary(
    "log_softmax", _log_softmax_forward, lambda g, y, axis: g - exp(y) * sum(g, axis=axis, keepdims=True),
    params=("axis",), floating=True))
_dropout     = unary("dropout",     lambda x, mask: x * mask,   lambda g, mask: g * mask,
                     params=("mask",), floating=True)
# fmt: on


def sigmoid(x: Tensor | Array, /) -> Tensor:
    """Return the logistic function ``1 / (1 + exp(-x))``, to the last digit however close to 0.

    >>> import tinygrad_lstm as tg
    >>> tg.sigmoid(tg.asarray([-1000.0, 0.0, 1000.0]))
    Tensor([0. , 0.5, 1. ])
    """
    return _sigmoid(x)


def gate(x: Tensor | Array, /) -> Tensor:
    """Return the logistic function as a recurrent layer's gate needs it: ``(1 + tanh(x / 2)) / 2``, in half the time.

    It is right to the rounding of 1, where `sigmoid` is right to its own last digit, however close to 0.
    """
    return _gate(x)


def logsigmoid(x: Tensor | Array, /) -> Tensor:
    """Return the logarithm of `sigmoid`, exact where that would be 0.

    >>> import tinygrad_lstm as tg
    >>> tg.logsigmoid(tg.asarray([-1000.0, 0.0, 1000.0])).numpy().round(4)
    array([-1.000e+03, -6.931e-01,  0.000e+00], dtype=float32)
    """
    return _logsigmoid(x)


def softplus(x: Tensor | Array, /, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return ``log(1 + exp(beta * x)) / beta``, and ``x`` itself where ``beta * x`` is above the threshold.

    Parameters
    ----------
    x
        Any shape.
    beta
        How sharp the bend at 0 is.
    threshold
        From where on the difference to ``x`` is taken as 0.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.softplus(tg.asarray([-1000.0, 0.0, 1000.0])).numpy().round(4)
    array([0.000e+00, 6.931e-01, 1.000e+03], dtype=float32)
    """
    return _softplus(x, beta, threshold)


def silu(x: Tensor | Array, /) -> Tensor:
    """Return ``x * sigmoid(x)``, also called swish.

    >>> import tinygrad_lstm as tg
    >>> tg.silu(tg.asarray([-1.0, 0.0, 1.0])).numpy().round(4)
    array([-0.2689,  0.    ,  0.7311], dtype=float32)
    """
    return _silu(x)


def mish(x: Tensor | Array, /) -> Tensor:
    """Return ``x * tanh(softplus(x))``.

    >>> import tinygrad_lstm as tg
    >>> tg.mish(tg.asarray([-1.0, 0.0, 1.0])).numpy().round(4)
    array([-0.3034,  0.    ,  0.8651], dtype=float32)
    """
    return _mish(x)


def gelu(x: Tensor | Array, /, *, approximate: str = "none") -> Tensor:
    """Return ``x`` times the distribution function of the normal distribution.

    Parameters
    ----------
    x
        Any shape.
    approximate
        ``"none"`` computes that function with `erfc`; ``"tanh"`` takes ``(1 + tanh(k)) / 2`` instead of it, with
        ``k = sqrt(2 / pi) * (x + 0.044715 * x**3)``, which is right to three digits.

    Raises
    ------
    ValueError
        If ``approximate`` is neither of them.

    References
    ----------
    Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.gelu(tg.asarray([-1.0, 0.0, 1.0])).numpy().round(4)
    array([-0.1587,  0.    ,  0.8413], dtype=float32)
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: got approximate={approximate!r}, wanted 'none' or 'tanh'.")
    return _gelu(x) if approximate == "none" else _gelu_tanh(x)


def softsign(x: Tensor | Array, /) -> Tensor:
    """Return ``x / (1 + abs(x))``.

    >>> import tinygrad_lstm as tg
    >>> tg.softsign(tg.asarray([-1.0, 0.0, 3.0]))
    Tensor([-0.5 ,  0.  ,  0.75])
    """
    return _softsign(x)


def relu(x: Tensor | Array, /) -> Tensor:
    """Return ``max(x, 0)``; its derivative at 0 is 0, as in PyTorch.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([-1.0, 0.0, 2.0], requires_grad=True)
    >>> tg.grad(tg.relu(x).sum(), x)
    Tensor([0., 0., 1.])
    """
    return _relu(x)


def relu6(x: Tensor | Array, /) -> Tensor:
    """Return ``min(max(x, 0), 6)``; its derivative at 0 and at 6 is 0, as in PyTorch.

    >>> import tinygrad_lstm as tg
    >>> tg.relu6(tg.asarray([-1.0, 2.0, 9.0]))
    Tensor([0., 2., 6.])
    """
    return _relu6(x)


def hardtanh(x: Tensor | Array, /, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Return ``x`` with everything outside two bounds set to the nearer one.

    At the bounds the derivative is 0, as in PyTorch, where that of `clip` is 1.

    Parameters
    ----------
    x
        Any shape.
    min_val, max_val
        The bounds: numbers.

    Raises
    ------
    ValueError
        If ``min_val`` is above ``max_val``.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.hardtanh(tg.asarray([-3.0, 0.5, 3.0]))
    Tensor([-1. ,  0.5,  1. ])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: got min_val = {min_val} and max_val = {max_val}, wanted the first not above.")
    return _hardtanh(x, min_val, max_val)


def hardsigmoid(x: Tensor | Array, /) -> Tensor:
    """Return ``relu6(x + 3) / 6``, a `sigmoid` of straight lines; its derivative at -3 and 3 is 0, as in PyTorch.

    >>> import tinygrad_lstm as tg
    >>> tg.hardsigmoid(tg.asarray([-4.0, 0.0, 1.5, 4.0]))
    Tensor([0.  , 0.5 , 0.75, 1.  ])
    """
    return _hardsigmoid(x)


def hardswish(x: Tensor | Array, /) -> Tensor:
    """Return ``x * hardsigmoid(x)``; its derivative at -3 is 0 and at 3 is 1, as in PyTorch.

    >>> import tinygrad_lstm as tg
    >>> tg.hardswish(tg.asarray([-4.0, -1.5, 0.0, 4.0]))
    Tensor([-0.   , -0.375,  0.   ,  4.   ])
    """
    return _hardswish(x)


def leaky_relu(x: Tensor | Array, /, negative_slope: float = 0.01) -> Tensor:
    """Return ``x`` above 0 and ``negative_slope * x`` elsewhere; the derivative at 0 is ``negative_slope``.

    Parameters
    ----------
    x
        Any shape.
    negative_slope
        The slope below 0, a number.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.leaky_relu(tg.asarray([-1.0, 2.0]))
    Tensor([-0.01,  2.  ])
    """
    return _leaky_relu(x, negative_slope)


def prelu(x: Tensor | Array, /, weight: Tensor | Array) -> Tensor:
    """Return ``x`` above 0 and ``weight * x`` elsewhere; the derivative at 0 is the weight.

    Parameters
    ----------
    x
        Shape (N, C, ...), or any if there is one weight.
    weight
        One weight for all, or one for each of the C channels: shape (), (1,) or (C,).

    Raises
    ------
    ValueError
        If the weights are as many as neither.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.prelu(tg.asarray([[-1.0, -1.0], [1.0, 2.0]]), tg.asarray([0.5, 0.25]))
    Tensor([[-0.5 , -0.25],
            [ 1.  ,  2.  ]])
    """
    shape, given = shape_of("prelu", x), shape_of("prelu", weight)
    channels = shape[1] if len(shape) > 1 else 1
    if given not in ((), (1,), (channels,)):
        raise ValueError(f"prelu: got shape {shape} and weights of shape {given}, wanted (1,) or ({channels},).")
    if given:
        weight = reshape(weight, () if given == (1,) else (channels,) + (1,) * (len(shape) - 2))
    return _prelu(x, weight)


def elu(x: Tensor | Array, /, alpha: float = 1.0) -> Tensor:
    """Return ``x`` above 0 and ``alpha * (exp(x) - 1)`` elsewhere; the derivative at 0 is ``alpha``, as in PyTorch.

    Parameters
    ----------
    x
        Any shape.
    alpha
        How far below 0 the result can get, a number.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.elu(tg.asarray([-1000.0, 0.0, 2.0]))
    Tensor([-1.,  0.,  2.])
    """
    return _elu(x, alpha, 1.0, 1.0)


def celu(x: Tensor | Array, /, alpha: float = 1.0) -> Tensor:
    """Return ``x`` above 0 and ``alpha * (exp(x / alpha) - 1)`` elsewhere, whose derivative at 0 is 1.

    The parameters are those of `elu`.

    Raises
    ------
    ValueError
        If ``alpha`` is 0.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.celu(tg.asarray([-1000.0, 0.0, 2.0]), alpha=0.5)
    Tensor([-0.5,  0. ,  2. ])
    """
    if alpha == 0:
        raise ValueError("celu: got alpha = 0, wanted another number.")
    return _celu(x, alpha, 1.0, 1 / alpha)


def selu(x: Tensor | Array, /) -> Tensor:
    """Return ``scale * elu(x, alpha)`` with the constants that keep a layer's outputs at mean 0 and variance 1.

    At 0 the derivative is ``scale * alpha``, as in PyTorch.

    References
    ----------
    Klambauer et al., "Self-Normalizing Neural Networks", 2017.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.selu(tg.asarray([-1000.0, 0.0, 1.0])).numpy().round(4)
    array([-1.7581,  0.    ,  1.0507], dtype=float32)
    """
    return _selu(x, 1.6732632423543772, 1.0507009873554805, 1.0)


def glu(x: Tensor | Array, /, axis: int = -1) -> Tensor:
    """Return the first half along an axis times the `sigmoid` of the second half.

    Parameters
    ----------
    x
        Any shape whose length along the axis is even.
    axis
        The axis to halve, counted from either end.

    Raises
    ------
    ValueError
        If there is no such axis, or its length is odd.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.glu(tg.asarray([1.0, 2.0, 0.0, 1000.0]))
    Tensor([0.5, 2. ])
    """
    shape = shape_of("glu", x)
    axis = counted("glu", axis, len(shape))
    if shape[axis] % 2:
        raise ValueError(f"glu: got shape {shape}, wanted an even length along axis {axis}.")
    value, opening = split(x, 2, axis=axis)
    return value * sigmoid(opening)


def softmax(x: Tensor | Array, /, axis: int = -1) -> Tensor:
    """Return ``exp(x)`` divided by its sum along an axis.

    Parameters
    ----------
    x
        Scores, any shape.
    axis
        The axis along which the results add up to 1.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.softmax(tg.asarray([0.0, 0.0, -1000.0]))
    Tensor([0.5, 0.5, 0. ])
    """
    return _softmax(x, axis)


def log_softmax(x: Tensor | Array, /, axis: int = -1) -> Tensor:
    """Return the logarithm of `softmax`, exact where that would be 0; the parameters are those of `softmax`.

    >>> import tinygrad_lstm as tg
    >>> tg.log_softmax(tg.asarray([0.0, 1000.0]))
    Tensor([-1000.,     0.])
    """
    return _log_softmax(x, axis)


def probability(op: str, what: str, p: float) -> float:
    """Return a probability, or refuse what is none."""
    if not 0 <= p <= 1:
        raise ValueError(f"{op}: got {what} = {p}, wanted a probability between 0 and 1.")
    return p


def dropout(x: Tensor | Array, /, p: float = 0.5) -> Tensor:
    """Return ``x`` with each element set to 0 with probability ``p`` and the rest divided by ``1 - p``.

    Parameters
    ----------
    x
        Any shape.
    p
        The probability, from 0 to 1; with 1 everything is 0.

    Raises
    ------
    ValueError
        If ``p`` is not within 0 and 1.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> y = tg.dropout(tg.ones((100,)), p=0.75)
    >>> tg.logical_or(y == 0, y == 4).all().item()
    True
    """
    kept: Any = backend.device_rng.random(x.shape, dtype=xp.float32) >= probability("dropout", "p", p)
    return _dropout(x, kept.astype(x.dtype if x.dtype.kind == "f" else float32) * (1 / (1 - p) if p < 1 else 0))
