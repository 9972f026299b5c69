"""Activations: the functions between a layer's products, and the normalised exponentials at a model's end."""

from __future__ import annotations

from typing import Any

from .. import backend
from ..backend import Array, xp
from ..primitive import unary
from ..tensor import Tensor
from .elementwise import exp, where
from .reductions import sum

__all__ = ["dropout", "log_softmax", "relu", "sigmoid", "softmax"]

LIMITS = {char: (xp.full((), -limit, char), xp.ones((), char)) for char, limit in (("f", 88), ("d", 709))}
"""By element type: how far below 0 exp(-x) does not overflow, where the logistic is below 1e-38; and 1.

They are arrays because NumPy takes twice as long over Python's numbers on small arrays.
"""


def _logistic(x: Array) -> Array:
    if x.dtype.char == "e":
        return _logistic(x.astype("f")).astype("e")
    lowest, one = LIMITS[x.dtype.char]
    return xp.reciprocal(one + xp.exp(-xp.maximum(x, lowest)))


HALF = {char: xp.full((), 0.5, char) for char in "efd"}


def _logistic_by_tanh(x: Array) -> Array:
    half = HALF[x.dtype.char]
    y = xp.tanh(half * x)
    y *= half
    y += half
    return y


def _softmax_forward(x: Array, axis: int) -> Array:
    e = xp.exp(x - x.max(axis=axis, keepdims=True))
    e /= e.sum(axis=axis, keepdims=True)
    return e


def _log_softmax_forward(x: Array, axis: int) -> Array:
    shifted = x - x.max(axis=axis, keepdims=True)
    shifted -= xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))
    return shifted


# fmt: off
_sigmoid     = unary("sigmoid",     _logistic,                  lambda g, y: g * (y - y * y),           floating=True)
_gate        = unary("sigmoid",     _logistic_by_tanh,          lambda g, y: g * (y - y * y),           floating=True)
_relu        = unary("relu",        lambda x: xp.maximum(x, 0), lambda g, y: where(y > 0, g, 0))
_softmax     = unary("softmax",     _softmax_forward,
                     lambda g, y, axis: y * (g - sum(g * y, axis=axis, keepdims=True)), params=("axis",), floating=True)
_log_softmax = unary("log_softmax", _log_softmax_forward,
                     lambda g, y, axis: g - exp(y) * sum(g, axis=axis, keepdims=True),  params=("axis",), floating=True)
_dropout     = unary("dropout",     lambda x, mask: x * mask,   lambda g, mask: g * mask, params=("mask",))
# fmt: on


def sigmoid(x: Tensor | Array, /) -> Tensor:
    """Return the logistic function ``1 / (1 + exp(-x))``.

    >>> import tinygrad_lstm as tg
    >>> tg.sigmoid(tg.asarray([-100.0, 0.0, 100.0])).numpy().round(6)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return _sigmoid(x)


def gate(x: Tensor | Array, /) -> Tensor:
    """Return the logistic function as a recurrent layer's gate needs it: ``(1 + tanh(x / 2)) / 2``, in half the time.

    It is right to the rounding of 1, where `sigmoid` is right to its own last digit, however close to 0.
    """
    return _gate(x)


def relu(x: Tensor | Array, /) -> Tensor:
    """Return ``max(x, 0)``; its derivative at 0 is 0, as in PyTorch."""
    return _relu(x)


def softmax(x: Tensor | Array, /, axis: int = -1) -> Tensor:
    """Return ``exp(x)`` divided by its sum along an axis."""
    return _softmax(x, axis)


def log_softmax(x: Tensor | Array, /, axis: int = -1) -> Tensor:
    """Return the logarithm of `softmax`, exact where that would be 0."""
    return _log_softmax(x, axis)


def dropout(x: Tensor | Array, /, p: float = 0.5) -> Tensor:
    """Return ``x`` with each element set to 0 with probability ``p`` and the rest divided by ``1 - p``.

    Raises
    ------
    ValueError
        If ``p`` is not within 0 and 1.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: got p = {p}, wanted a probability between 0 and 1.")
    kept: Any = backend.device_rng.random(x.shape, dtype=xp.float32) >= p
    return _dropout(x, kept.astype(x.dtype) * (1 / (1 - p) if p < 1 else 0))
