"""Reductions: sums, products, means, extremes and norms along axes.

``axis`` is an int, a tuple of ints, or None for all axes; ``keepdims`` leaves the reduced axes with length 1.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

from .. import backend
from ..backend import Array, xp
from ..primitive import in_float32, total, unary
from ..tensor import Axis, DType, Tensor, float32, method
from .cumulative import cumulative_prod, in_total
from .dtypes import astype, int64
from .elementwise import abs, exp, sign, where
from .rearranging import flip
from .shape import broadcast_to, counted, counted_axes, permute_dims, reshape, shape_of

__all__ = [
    "all", "any", "argmax", "argmin", "count_nonzero", "logsumexp", "max", "mean", "min", "norm", "prod", "std", "sum",
    "var",
]  # fmt: skip

WHERE = ("axis", "keepdims")

# fmt: off
_sum  = unary("sum",  total,
              lambda g, shape, axis: spread(g, shape, axis), params=(*WHERE, "to"))
_prod = in_float32(unary(
    "prod", lambda x, axis, keepdims, to: x.prod(axis=axis, dtype=to, keepdims=keepdims),
    lambda g, x, axis: spread(g, x.shape, axis) * _product_of_others(x, axis), params=(*WHERE, "to")))
_mean = unary("mean", lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
              lambda g, shape, axis: spread(g * _part(shape, axis), shape, axis), params=WHERE, floating=True)
_var  = in_float32(unary(
    "var", lambda x, axis, keepdims, correction: x.var(axis=axis, ddof=correction, keepdims=keepdims),
    lambda g, x, axis, correction: 2 * _from_mean(g, x, axis, correction),
    params=(*WHERE, "correction"), floating=True))
_std  = in_float32(unary(
    "std", lambda x, axis, keepdims, correction: x.std(axis=axis, ddof=correction, keepdims=keepdims),
    lambda g, x, y, axis, correction: _from_mean(_over(g, y), x, axis, correction),
    params=(*WHERE, "correction"), floating=True))
_max  = unary("max",  lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims),
              lambda g, x, y, axis: spread(g, x.shape, axis) * _shares(x, y, axis), params=WHERE)
_min  = unary("min",  lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims),
              lambda g, x, y, axis: spread(g, x.shape, axis) * _shares(x, y, axis), params=WHERE)
_norm = in_float32(unary(
    "norm", lambda x, axis, keepdims, ord: _norm_forward(x, axis, keepdims, ord),
    lambda g, x, y, axis, ord: _norm_slope(g, x, y, axis, ord), params=(*WHERE, "ord"), floating=True))
_logsumexp = in_float32(unary(
    "logsumexp", lambda x, axis, keepdims: _stable_logsumexp(x, axis, keepdims),
    lambda g, x, y, axis: spread(g, x.shape, axis) * exp(x - spread(y, x.shape, axis)),
    params=WHERE, floating=True))

_all    = unary("all",    lambda x, axis, keepdims: x.all(axis=axis, keepdims=keepdims), params=WHERE)
_any    = unary("any",    lambda x, axis, keepdims: x.any(axis=axis, keepdims=keepdims), params=WHERE)
_argmax = unary("argmax", lambda x, axis, keepdims: x.argmax(axis=axis, keepdims=keepdims), params=WHERE)
_argmin = unary("argmin", lambda x, axis, keepdims: x.argmin(axis=axis, keepdims=keepdims), params=WHERE)
_count_nonzero = unary("count_nonzero",
                       lambda x, axis, keepdims: (x != 0).sum(axis=axis, dtype=int64, keepdims=keepdims), params=WHERE)
# fmt: on


def _axes(op: str, x: Any, axis: Axis) -> tuple[int, ...] | None:
    """Return the axes of an array that are to be reduced, counted from 0; None for all."""
    shape = shape_of(op, x)
    return None if axis is None else counted_axes(op, axis, len(shape))


def _filled_axes(op: str, x: Any, axis: Axis) -> tuple[int, ...] | None:
    """Return the axes to be reduced, which must not be empty."""
    axes = _axes(op, x, axis)
    _check_filled(op, x.shape, axes)
    return axes


def _check_filled(op: str, shape: tuple[int, ...], axes: tuple[int, ...] | None) -> None:
    """Refuse to reduce no elements, in the name of an op."""
    if 0 in shape and _count(shape, axes) == 0:
        raise ValueError(f"{op}: got shape {shape}, without elements along the axes reduced, wanted at least one.")


def _number(op: str, name: str, value: Any) -> float:
    """Return a setting that has to be a number, or infinite."""
    if not isinstance(value, numbers.Real) or math.isnan(value):
        raise ValueError(f"{op}: got {name}={value!r}, wanted a number.")
    return float(value)


def _count(shape: tuple[int, ...], axes: tuple[int, ...] | None) -> int:
    """Return how many elements go into one."""
    return math.prod(shape if axes is None else [shape[i] for i in axes])


def _part(shape: tuple[int, ...], axes: tuple[int, ...] | None) -> float:
    """Return one over the count, a float: the count itself may be more than float16 can hold."""
    return 1 / (_count(shape, axes) or 1)


def spread(g: Any, shape: tuple[int, ...], axes: tuple[int, ...] | None) -> Any:
    """Return a reduced array broadcast back along the axes over which it was reduced; None stands for all."""
    if axes is not None:
        g = g.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape)))
    return broadcast_to(g, shape)


def _product_of_others(x: Any, axes: tuple[int, ...] | None) -> Any:
    """Return for each element the product of all those that it is multiplied with, before it and after it.

    Nothing is divided by the element, so it may be 0.
    """
    reduced = tuple(range(x.ndim)) if axes is None else axes
    order = (*(i for i in range(x.ndim) if i not in reduced), *reduced)
    moved = permute_dims(x, order)
    n = _count(x.shape, reduced)
    row = reshape(moved, (*moved.shape[: x.ndim - len(reduced)], n))
    before = cumulative_prod(row, axis=-1, include_initial=True)[..., :n]
    after = flip(cumulative_prod(flip(row, axis=-1), axis=-1, include_initial=True)[..., :n], axis=-1)
    return permute_dims(reshape(before * after, moved.shape), tuple(map(order.index, range(x.ndim))))


def _from_mean(g: Any, x: Any, axes: tuple[int, ...] | None, correction: float) -> Any:
    """Return ``g`` times how far the elements are from their mean, over the degrees of freedom."""
    freedom = _count(x.shape, axes) - correction
    return spread(g * (1 / freedom if freedom > 0 else math.inf), x.shape, axes) * (x - mean(x, axes, keepdims=True))


def _over(g: Any, y: Any) -> Any:
    """Return ``g / y``, and 0 where ``y`` is 0."""
    return where(y == 0, 0, g / where(y == 0, 1, y))


@in_float32
def _shares(x: Any, y: Any, axes: tuple[int, ...] | None) -> Any:
    """Return how much of an extreme each element is: those that are equal to it share it evenly."""
    is_extreme = astype(x == spread(y, x.shape, axes), x.dtype)
    return is_extreme / sum(is_extreme, axes, keepdims=True)


def _norm_forward(x: Array, axes: tuple[int, ...] | None, keepdims: bool, ord: float) -> Array:
    """Return the norm of an order that is neither 0 nor infinite."""
    if ord == 2:
        return xp.sqrt(xp.square(x).sum(axis=axes, keepdims=keepdims))
    return (xp.abs(x) ** ord).sum(axis=axes, keepdims=keepdims) ** (1 / ord)


def _norm_slope(g: Any, x: Any, y: Any, axes: tuple[int, ...] | None, ord: float) -> Any:
    """Return ``g * (x / y) ** (ord - 1)`` with the sign of ``x``, and 0 where ``y`` is 0 or the power has no end."""
    g, ratio = spread(where(y == 0, 0, g), x.shape, axes), x / spread(where(y == 0, 1, y), x.shape, axes)
    if ord > 0 and ord % 2 == 0:
        return g * ratio ** (int(ord) - 1)
    return g * where(x == 0, 0, sign(x) * where(x == 0, 1, abs(ratio)) ** (ord - 1))


def _stable_logsumexp(x: Array, axes: tuple[int, ...] | None, keepdims: bool) -> Array:
    """Return log(sum(exp(x))) with the greatest element taken out, so that nothing overflows."""
    with backend.quiet():  # the logarithm of 0 is what it should be
        if x.size == 0:
            return xp.log(xp.exp(x).sum(axis=axes, keepdims=keepdims))
        highest = x.max(axis=axes, keepdims=True)
        highest = xp.where(xp.isfinite(highest), highest, 0)
        y = xp.log(xp.exp(x - highest).sum(axis=axes, keepdims=True)) + highest
    return y if keepdims else y.squeeze(axis=axes)


@method("sum")
def sum(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False, *, dtype: DType = None) -> Tensor:
    """Return the sum of the elements, 0 if there are none.

    Parameters
    ----------
    x
        Any shape.
    axis
        The axes to be reduced; all by default.
    keepdims
        Keep the reduced axes, with length 1.
    dtype
        The element type in which to add; by default that of ``x``, for integers and bools at least 64 bits.

    Raises
    ------
    ValueError
        If there is no such axis, or it is named twice. This is so for all reductions.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.sum(tg.ones((2, 3)), axis=0)
    Tensor([2., 2., 2.])
    """
    axes = _axes("sum", x, axis)
    x, to = in_total("sum", x, dtype)
    return _sum(x, axes, keepdims, to)


@method("prod")
def prod(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False, *, dtype: DType = None) -> Tensor:
    """Return the product of the elements, 1 if there are none; the parameters are those of `sum`.

    The derivative is the product of the others, where elements are 0 too, and at every order.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([2.0, 0.0, 3.0], requires_grad=True)
    >>> tg.prod(x).backward()
    >>> x.grad
    Tensor([0., 6., 0.])
    """
    axes = _axes("prod", x, axis)
    x, to = in_total("prod", x, dtype)
    return _prod(x, axes, keepdims, to)


@method("mean")
def mean(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the arithmetic mean, NaN if there are no elements.

    Parameters
    ----------
    x
        Any shape; integers are taken as float32.
    axis
        The axes to be reduced; all by default.
    keepdims
        Keep the reduced axes, with length 1.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.mean(tg.asarray([[1, 2], [3, 6]]), axis=0)
    Tensor([2., 4.])
    """
    return _mean(x, _axes("mean", x, axis), keepdims)


@method("var")
def var(x: Tensor | Array, /, axis: Axis = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Return the variance: the sum of the squared distances from the mean, over ``n - correction``.

    Parameters
    ----------
    x
        Any shape; integers are taken as float32.
    axis
        The axes to be reduced; all by default.
    correction
        What is taken off the number of elements ``n``: 0 for that of all there are, 1 for a sample of them. If nothing
        is left of it, the variance is NaN or infinite.
    keepdims
        Keep the reduced axes, with length 1.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, 2.0, 6.0])
    >>> tg.var(x, correction=1)
    Tensor(7.)
    """
    return _var(x, _axes("var", x, axis), keepdims, _number("var", "correction", correction))


@method("std")
def std(x: Tensor | Array, /, axis: Axis = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Return the standard deviation, the square root of `var`; the parameters are those of `var`.

    The derivative is 0 where it is 0, as in PyTorch.

    >>> import tinygrad_lstm as tg
    >>> tg.std(tg.asarray([[1.0, 3.0], [5.0, 5.0]]), axis=1)
    Tensor([1., 0.])
    """
    return _std(x, _axes("std", x, axis), keepdims, _number("std", "correction", correction))


@method("max")
def max(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the greatest element; equal ones share the gradient evenly, as in PyTorch's ``amax``.

    Parameters
    ----------
    x
        Any shape with at least one element along the axes.
    axis
        The axes to be reduced; all by default.
    keepdims
        Keep the reduced axes, with length 1.

    Raises
    ------
    ValueError
        If there are no elements.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([2.0, 5.0, 5.0], requires_grad=True)
    >>> tg.grad(tg.max(x), x)
    Tensor([0. , 0.5, 0.5])
    """
    return _max(x, _filled_axes("max", x, axis), keepdims)


@method("min")
def min(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the smallest element; equal ones share the gradient evenly, as in PyTorch's ``amin``.

    The parameters are those of `max`.

    Raises
    ------
    ValueError
        If there are no elements.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.min(tg.asarray([[3, 1], [2, 4]]), axis=1, keepdims=True)
    Tensor([[1],
            [2]])
    """
    return _min(x, _filled_axes("min", x, axis), keepdims)


def norm(x: Tensor | Array, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """Return the norm of vectors: the root of order ``ord`` of the sum of the powers of the absolute values.

    This is what the standard calls ``linalg.vector_norm``.

    Parameters
    ----------
    x
        Any shape; integers are taken as float32.
    axis
        The axes that make up a vector; all by default.
    keepdims
        Keep the reduced axes, with length 1.
    ord
        Any number; with inf the greatest absolute value, with -inf the smallest, with 0 how many are not 0.

    Returns
    -------
    Tensor
        The derivative is as in PyTorch: 0 where the norm is 0, or where an element is 0 and ``ord`` below 1; with inf
        and -inf, equal elements share it evenly.

    Raises
    ------
    ValueError
        If ``ord`` is no number, or infinite or negative for no elements.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.norm(tg.asarray([3.0, 4.0])), tg.norm(tg.asarray([3.0, -4.0]), ord=float("inf"))
    (Tensor(5.), Tensor(4.))
    """
    axes, ord = _axes("norm", x, axis), _number("norm", "ord", ord)
    if ord < 0 or math.isinf(ord):
        _check_filled("norm", x.shape, axes)
    if ord not in (0, 1, math.inf, -math.inf):
        return _norm(x, axes, keepdims, ord)
    if x.dtype.kind != "f":
        x = astype(x, float32)
    if ord == 0:
        return sum(where(x == 0, sign(x), 1), axes, keepdims)
    if ord == 1:
        return sum(abs(x), axes, keepdims)
    return max(abs(x), axes, keepdims) if ord > 0 else min(abs(x), axes, keepdims)


def logsumexp(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the logarithm of the sum of the exponentials, computed so that nothing overflows.

    It is -inf of nothing and of elements that are all -inf. There, and at inf, the derivative is NaN, as in PyTorch.

    The parameters are those of `mean`.

    >>> import tinygrad_lstm as tg
    >>> tg.logsumexp(tg.asarray([1000.0, 0.0]))
    Tensor(1000.)
    """
    return _logsumexp(x, _axes("logsumexp", x, axis), keepdims)


@method("all")
def all(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether all elements are true, as they are if there are none.

    Parameters
    ----------
    x
        Any shape; of numbers, all but 0 are true.
    axis
        The axes to be reduced; all by default.
    keepdims
        Keep the reduced axes, with length 1.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.all(tg.asarray([[True, False], [True, True]]), axis=1)
    Tensor([False,  True])
    """
    return _all(x, _axes("all", x, axis), keepdims)


@method("any")
def any(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether any element is true; the parameters are those of `all`.

    >>> import tinygrad_lstm as tg
    >>> tg.any(tg.asarray([[0, 0], [0, 3]]), axis=1)
    Tensor([False,  True])
    """
    return _any(x, _axes("any", x, axis), keepdims)


def count_nonzero(x: Tensor | Array, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return how many elements are not 0; the parameters are those of `all`.

    >>> import tinygrad_lstm as tg
    >>> tg.count_nonzero(tg.asarray([[0, 1, 2], [0, 0, 3]]), axis=1)
    Tensor([2, 1])
    """
    return _count_nonzero(x, _axes("count_nonzero", x, axis), keepdims)


@method("argmax")
def argmax(x: Tensor | Array, /, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return where the greatest element stands, the first one of equals.

    Parameters
    ----------
    x
        Any shape with at least one element along the axis.
    axis
        The only axis to look along; None counts in the flattened tensor.
    keepdims
        Keep the reduced axis, or all of them, with length 1.

    Raises
    ------
    ValueError
        If there are no elements.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([[1, 7, 7], [9, 2, 3]])
    >>> tg.argmax(x, axis=1), tg.argmax(x)
    (Tensor([1, 0]), Tensor(3))
    """
    return _argmax(x, _place_axis("argmax", x, axis), keepdims)


@method("argmin")
def argmin(x: Tensor | Array, /, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return where the smallest element stands, the first one of equals; the parameters are those of `argmax`.

    Raises
    ------
    ValueError
        If there are no elements.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.argmin(tg.asarray([[4, 1], [2, 8]]), axis=0)
    Tensor([1, 0])
    """
    return _argmin(x, _place_axis("argmin", x, axis), keepdims)


def _place_axis(op: str, x: Any, axis: int | None) -> int | None:
    """Return the only axis along which places are looked for, or None for all."""
    shape = shape_of(op, x)
    only = None if axis is None else counted(op, axis, len(shape))
    _check_filled(op, shape, None if only is None else (only,))
    return only
