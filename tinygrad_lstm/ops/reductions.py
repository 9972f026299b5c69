"""Reductions: sums, means and extremes along axes.

``axis`` is an int, a tuple of ints, or None for all axes; ``keepdims`` leaves the reduced axes with length 1.
"""

from __future__ import annotations

import math
from typing import Any

from ..backend import Array, xp
from ..primitive import unary
from ..tensor import Axis, Tensor, method
from .elementwise import exp, where
from .shape import broadcast_to

__all__ = ["all", "any", "argmax", "argmin", "logsumexp", "max", "mean", "min", "sum"]

WHERE = ("axis", "keepdims")

# fmt: off
_sum  = unary("sum",  lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
              lambda g, shape, axis: spread(g, shape, axis), params=WHERE)
_mean = unary("mean", lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
              lambda g, shape, axis: spread(g / _count(shape, axis), shape, axis), params=WHERE, floating=True)
_max  = unary("max",  lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims),
              lambda g, x, y, axis: _among_equals(g, x, y, axis), params=WHERE)
_min  = unary("min",  lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims),
              lambda g, x, y, axis: _among_equals(g, x, y, axis), params=WHERE)
_logsumexp = unary("logsumexp", lambda x, axis, keepdims: _stable_logsumexp(x, axis, keepdims),
                   lambda g, x, y, axis: spread(g, x.shape, axis) * exp(x - spread(y, x.shape, axis)),
                   params=WHERE, floating=True)

_all    = unary("all",    lambda x, axis, keepdims: x.all(axis=axis, keepdims=keepdims), params=WHERE)
_any    = unary("any",    lambda x, axis, keepdims: x.any(axis=axis, keepdims=keepdims), params=WHERE)
_argmax = unary("argmax", lambda x, axis, keepdims: _best(x.argmax, x, axis, keepdims), params=WHERE)
_argmin = unary("argmin", lambda x, axis, keepdims: _best(x.argmin, x, axis, keepdims), params=WHERE)
# fmt: on


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes as a tuple of numbers from 0 up.

    >>> axes_of(-1, 3), axes_of(None, 2)
    ((2,), (0, 1))
    """
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


def spread(g: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    """Return a reduced array broadcast back along the axes over which it was reduced."""
    axes = axes_of(axis, len(shape))
    return broadcast_to(g.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape))), shape)


def _count(shape: tuple[int, ...], axis: Axis) -> int:
    """Return how many elements go into one."""
    return math.prod(shape[i] for i in axes_of(axis, len(shape)))


def _among_equals(g: Any, x: Any, y: Any, axis: Axis) -> Any:
    """Return ``g`` divided evenly among the elements that are equal to the extreme, as in PyTorch's ``amax``."""
    is_extreme = where(x == spread(y, x.shape, axis), spread(g, x.shape, axis) * 0 + 1, 0)
    return spread(g, x.shape, axis) * is_extreme / spread(sum(is_extreme, axis=axis), x.shape, axis)


def _stable_logsumexp(x: Array, axis: Axis, keepdims: bool) -> Array:
    """Return log(sum(exp(x))) with the greatest element taken out, so that nothing overflows."""
    highest = x.max(axis=axis, keepdims=True)
    highest = xp.where(xp.isfinite(highest), highest, 0)
    total = xp.log(xp.exp(x - highest).sum(axis=axis, keepdims=True)) + highest
    return total if keepdims else total.squeeze(axis=axis)


def _best(search: Any, x: Array, axis: int | None, keepdims: bool) -> Array:
    """Return the places of an extreme, with the reduced axis kept if asked for."""
    places = search(axis=axis)
    if not keepdims:
        return places
    return places.reshape((1,) * x.ndim) if axis is None else xp.expand_dims(places, axis)


@method("sum")
def sum(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the sum of the elements.

    >>> import tinygrad_lstm as tg
    >>> tg.sum(tg.ones((2, 3)), axis=0)
    Tensor([2., 2., 2.])
    """
    return _sum(x, axis, keepdims)


@method("mean")
def mean(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the arithmetic mean; that of integers is float32."""
    return _mean(x, axis, keepdims)


@method("max")
def max(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the greatest element; equal ones share the gradient evenly, as in PyTorch's ``amax``."""
    return _max(x, axis, keepdims)


@method("min")
def min(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the smallest element; equal ones share the gradient evenly, as in PyTorch's ``amin``."""
    return _min(x, axis, keepdims)


def logsumexp(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the logarithm of the sum of the exponentials, computed so that nothing overflows."""
    return _logsumexp(x, axis, keepdims)


@method("all")
def all(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether all elements are true."""
    return _all(x, axis, keepdims)


@method("any")
def any(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether any element is true."""
    return _any(x, axis, keepdims)


@method("argmax")
def argmax(x: Tensor | Array, /, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return where the greatest element stands, the first one of equals; over all axes, in the flattened tensor."""
    return _argmax(x, axis, keepdims)


@method("argmin")
def argmin(x: Tensor | Array, /, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return where the smallest element stands, the first one of equals; over all axes, in the flattened tensor."""
    return _argmin(x, axis, keepdims)
