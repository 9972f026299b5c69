"""Cumulative sums and products, and differences: what each element makes with those before it along an axis."""

from __future__ import annotations

from typing import Any

from ..backend import Array, xp
from ..primitive import binary, in_float32, unary
from ..tensor import DType, Tensor, real_dtype
from .dtypes import astype, int64, uint64
from .rearranging import flip
from .shape import along, at_least, concat, counted, shape_of

__all__ = ["cumulative_prod", "cumulative_sum", "diff"]

OF_INTEGERS = {"b": int64, "i": int64, "u": uint64}
"""The element types of sums and products of bools and integers, by kind, where none is asked for."""

SETTINGS = ("axis", "initial", "to")

# fmt: off
_cumulative_sum  = unary("cumulative_sum", in_float32(
                             lambda x, axis, initial, to: _after(0, xp.cumsum(x, axis=axis, dtype=to), axis, initial)),
                         lambda g, axis, initial: _summed_back(_without(g, axis, initial), axis),
                         params=SETTINGS)
_cumulative_prod = in_float32(unary(
    "cumulative_prod", lambda x, axis, initial, to: _after(1, xp.cumprod(x, axis=axis, dtype=to), axis, initial),
    lambda g, x, axis, initial: _product_slope(_without(g, axis, initial), x, axis), params=SETTINGS))
_recurrence      = binary("recurrence", lambda x1, x2, axis: _carried_on(x1, x2, axis),
                          lambda g, x1, y, axis: _carried_back(x1, g, axis)[_later(axis)] * y[_earlier(axis)],
                          lambda g, x1, axis: _carried_back(x1, g, axis), params=("axis",))
# fmt: on


def _after(start: int, y: Array, axis: int, initial: bool) -> Array:
    """Return cumulative results, behind that of no elements if it is to be there."""
    if not initial:
        return y
    head = xp.full((*y.shape[:axis], 1, *y.shape[axis + 1 :]), start, dtype=y.dtype)
    return xp.concatenate([head, y], axis=axis)


def _without(g: Any, axis: int, initial: bool) -> Any:
    """Return a cotangent of cumulative results without that of no elements."""
    return g[_later(axis)] if initial else g


def _earlier(axis: int) -> tuple[Any, ...]:
    """Return the index of all but the last along an axis."""
    return along(axis, slice(None, -1))


def _later(axis: int) -> tuple[Any, ...]:
    """Return the index of all but the first along an axis."""
    return along(axis, slice(1, None))


def _summed_back(g: Any, axis: int) -> Any:
    """Return for each element the sum of those from it to the end."""
    return flip(cumulative_sum(flip(g, axis=axis), axis=axis), axis=axis)


def _product_slope(g: Any, x: Any, axis: int) -> Any:
    """Return the cotangent of ``x`` from that of its cumulative products.

    The product up to ``x[k]`` is that before ``x[j]``, times ``x[j]``, times those from ``x[j+1]`` on. So the cotangent
    of ``x[j]`` is ``before[j] * (g[j] + x[j+1] * (g[j+1] + x[j+2] * ...))``: a recurrence from the end. Nothing is
    divided by ``x[j]``, so it may be 0.
    """
    before = cumulative_prod(x, axis=axis, include_initial=True)[_earlier(axis)]
    return before * _carried_back(x[_later(axis)], g, axis)


def _carried_back(links: Any, g: Any, axis: int) -> Any:
    """Return ``y[k] = g[k] + links[k] * y[k+1]``, computed from the end."""
    return flip(_recurrence(flip(links, axis=axis), flip(g, axis=axis), axis), axis=axis)


def _carried_on(links: Array, x: Array, axis: int) -> Array:
    """Return ``y[k] = x[k] + links[k-1] * y[k-1]``, in passes, each of which makes all sums reach back twice as far."""
    y, links = xp.array(x), xp.array(links)
    reach = 1
    while reach < x.shape[axis]:
        far, near = along(axis, slice(reach, None)), along(axis, slice(None, -reach))
        y[far] += links[along(axis, slice(reach - 1, None))] * y[near]
        links[far] = links[far] * links[near]
        reach *= 2
    return y


def in_total(op: str, x: Any, dtype: DType) -> tuple[Any, DType]:
    """Return what is to be added or multiplied up, in the element type asked for, and the type to do it in.

    Where none is asked for, that of integers is 64 bits wide. None stands for the type of floating point itself.
    """
    shape_of(op, x)
    if dtype is None:
        return x, OF_INTEGERS.get(x.dtype.kind)
    to = real_dtype(op, dtype)
    return astype(x, to, copy=False), None if to.kind == "f" else to


def _only_axis(op: str, axis: int | None, shape: tuple[int, ...]) -> int:
    """Return an axis counted from 0, which may be left out if there is only one."""
    if axis is None and len(shape) != 1:
        raise ValueError(f"{op}: got no axis for shape {shape}, wanted one; it may be left out if there is only one.")
    return counted(op, axis or 0, len(shape))


def cumulative_sum(
    x: Tensor | Array, /, *, axis: int | None = None, dtype: DType = None, include_initial: bool = False
) -> Tensor:
    """Return for each element the sum of those up to it.

    Parameters
    ----------
    x
        A tensor or an array of at least one axis.
    axis
        The axis along which to add; it may be left out if there is only one.
    dtype
        The element type in which to add; by default that of ``x``, for integers at least 64 bits.
    include_initial
        Put the sum of no elements, 0, in front, so that the axis is one longer.

    Raises
    ------
    ValueError
        If there is no such axis, or none is given and ``x`` has several.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.cumulative_sum(tg.asarray([1, 2, 3]), include_initial=True)
    Tensor([0, 1, 3, 6])
    """
    x, to = in_total("cumulative_sum", x, dtype)
    return _cumulative_sum(x, _only_axis("cumulative_sum", axis, x.shape), include_initial, to)


def cumulative_prod(
    x: Tensor | Array, /, *, axis: int | None = None, dtype: DType = None, include_initial: bool = False
) -> Tensor:
    """Return for each element the product of those up to it.

    The derivative is right where elements are 0 too, at every order, as in PyTorch at the first.

    Parameters
    ----------
    x
        A tensor or an array of at least one axis.
    axis
        The axis along which to multiply; it may be left out if there is only one.
    dtype
        The element type in which to multiply; by default that of ``x``, for integers at least 64 bits.
    include_initial
        Put the product of no elements, 1, in front, so that the axis is one longer.

    Raises
    ------
    ValueError
        If there is no such axis, or none is given and ``x`` has several.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.cumulative_prod(tg.asarray([[1, 2, 3], [4, 5, 6]]), axis=1)
    Tensor([[  1,   2,   6],
            [  4,  20, 120]])
    """
    x, to = in_total("cumulative_prod", x, dtype)
    return _cumulative_prod(x, _only_axis("cumulative_prod", axis, x.shape), include_initial, to)


def diff(
    x: Tensor | Array,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Tensor | Array | None = None,
    append: Tensor | Array | None = None,
) -> Tensor:
    """Return the difference of each element from the one before it.

    Parameters
    ----------
    x
        A tensor or an array of at least one axis.
    axis
        The axis along which to subtract, which gets one shorter.
    n
        How often to take the differences; with 0, ``x`` is returned as it is, as in NumPy and PyTorch.
    prepend, append
        What to put before and behind ``x`` first, of the same shape but for the axis.

    Raises
    ------
    TypeError
        If the elements are bools.
    ValueError
        If there is no such axis, ``n`` is negative, or the shapes do not fit.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.diff(tg.asarray([1, 4, 9, 16]))
    Tensor([3, 5, 7])
    >>> tg.diff(tg.asarray([1, 4, 9, 16]), n=2)
    Tensor([2, 2])
    """
    axis = counted("diff", axis, len(shape_of("diff", x)))
    n = at_least(0, "diff", "n", n)
    parts = [part for part in (prepend, x, append) if part is not None]
    if len({(*shape[:axis], *shape[axis + 1 :]) for shape in (shape_of("diff", part) for part in parts)}) != 1:
        shapes = ", ".join(str(part.shape) for part in parts)
        raise ValueError(f"diff: got prepend, x and append of shapes {shapes}, wanted them equal but for axis {axis}.")
    if len(parts) > 1 and n > 0:
        x = concat(parts, axis=axis)
    if x.dtype.kind == "b":
        raise TypeError("diff: got bools, wanted numbers.")
    for _ in range(n):
        x = x[_later(axis)] - x[_earlier(axis)]
    return x
