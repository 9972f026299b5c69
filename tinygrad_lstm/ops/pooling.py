"""Pooling: the greatest element, or the mean, of every window of an array.

The derivatives are maps back from the windows to the elements: `_drop` gives to those that were the greatest, `_spread`
to all that were summed. Theirs are the maps from the elements to the windows again: `_pick`, which takes what was the
greatest, and `_gather`, the sum.
"""

from __future__ import annotations

import math
from typing import Any

from ..backend import Array, xp
from ..primitive import Op, in_float32, unary
from ..tensor import Tensor
from .shape import reshape, shape_of
from .windows import LETTERS, Setting, Windows, batched, laid, per_axis

__all__ = ["avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d"]


def _max_forward(x: Array, windows: Windows) -> Array:
    """Return the greatest element of each window."""
    lowest = {"f": -math.inf, "b": False}.get(x.dtype.kind)
    if lowest is None:
        lowest = xp.iinfo(x.dtype).min
    y = xp.full((*x.shape[:2], *windows.counts), lowest, dtype=x.dtype)
    for _, seeing, seen in windows.elements():
        xp.maximum(y[seeing], x[seen], out=y[seeing])
    return y


def _chosen(x: Array, y: Array, windows: Windows) -> Array:
    """Return which element of its window each ``y`` is, the first one of equals, by its number in the kernel."""
    size = math.prod(windows.kernel)
    chosen = xp.zeros(y.shape, dtype=xp.uint8 if size < 256 else xp.int64)
    for number, seeing, seen in reversed([*windows.elements()]):
        element = x[seen]
        is_it = (element == y[seeing]) | (element != element)  # or NaN
        chosen[seeing] = xp.where(is_it, number, chosen[seeing])
    return chosen


def _pick_forward(x: Array, chosen: Array, windows: Windows) -> Array:
    """Return of each window the element that was chosen."""
    y = xp.zeros(chosen.shape, dtype=x.dtype)
    for number, seeing, seen in windows.elements():
        y[seeing] = xp.where(chosen[seeing] == number, x[seen], y[seeing])
    return y


@in_float32
def _drop_forward(g: Array, chosen: Array, windows: Windows) -> Array:
    """Return for each element the sum of what the windows that chose it have."""
    x = xp.zeros((*g.shape[:2], *windows.lengths), dtype=g.dtype)
    for number, seeing, seen in windows.elements():
        x[seen] += xp.where(chosen[seeing] == number, g[seeing], 0)
    return x


def _gather_forward(x: Array, windows: Windows) -> Array:
    """Return the sum of each window, in which padding is 0."""
    y = xp.zeros((*x.shape[:2], *windows.counts), dtype=x.dtype)
    for _, seeing, seen in windows.elements():
        y[seeing] += x[seen]
    return y


def _spread_forward(g: Array, windows: Windows) -> Array:
    """Return for each element the sum of what the windows that see it have."""
    x = xp.zeros((*g.shape[:2], *windows.lengths), dtype=g.dtype)
    for _, seeing, seen in windows.elements():
        x[seen] += g[seeing]
    return x


def _dropped(g: Any, x: Any, y: Any, windows: Windows) -> Any:
    """Return ``g`` given to the elements that are the greatest of their windows; which ones, has no derivative."""
    x, y = (array.data if type(array) is Tensor else array for array in (x, y))
    return _drop(g, _chosen(x, y, windows), windows)


# fmt: off
_max:    Op = unary("max_pool",      _max_forward,    lambda g, x, y, windows: _dropped(g, x, y, windows),
                    params=("windows",))
_drop:   Op = unary("max_unpool",    _drop_forward,   lambda g, chosen, windows: _pick(g, chosen, windows),
                    params=("chosen", "windows"))
_pick:   Op = unary("max_pick",      _pick_forward,   lambda g, chosen, windows: _drop(g, chosen, windows),
                    params=("chosen", "windows"))
_gather: Op = unary("window_sum",    _gather_forward, lambda g, windows: _spread(g, windows),
                    params=("windows",), floating=True)
_spread: Op = unary("window_spread", _spread_forward, lambda g, windows: _gather(g, windows),
                    params=("windows",))
# fmt: on


def _laid(op: str, axes: int, x: Any, kernel_size: Any, stride: Any, padding: Any) -> Windows:
    """Return the windows of a pooling op over the last axes of ``x``."""
    shape = shape_of(op, x)
    if len(shape) - axes not in (1, 2) or 0 in shape[-axes:]:
        letters, _ = LETTERS[axes]
        raise ValueError(f"{op}: got x of shape {shape}, wanted (N, C, {letters}) or (C, {letters}), not empty there.")
    kernel = per_axis(op, "kernel_size", kernel_size, axes, 1)
    stride = kernel if stride is None else per_axis(op, "stride", stride, axes, 1)
    padding = per_axis(op, "padding", padding, axes, 0)
    if any(2 * p > n for p, n in zip(padding, kernel, strict=True)):
        raise ValueError(f"{op}: got padding {padding} and a kernel of {kernel}, wanted half of it at most.")
    return laid(op, shape, kernel, stride, padding, padding, (1,) * axes)


def _max_pooled(op: str, axes: int, x: Any, kernel_size: Any, stride: Any, padding: Any) -> Any:
    """Return the greatest element of each window over so many axes."""
    windows = _laid(op, axes, x, kernel_size, stride, padding)
    batch = batched(x, axes)
    y = _max(batch, windows)
    return y if batch is x else reshape(y, y.shape[1:])


@in_float32
def _means(batch: Any, windows: Windows, count_include_pad: bool) -> Any:
    """Return the mean of each window."""
    y = _gather(batch, windows)
    if count_include_pad or not any(windows.padding):
        return y / math.prod(windows.kernel)
    return y / _gather_forward(xp.ones((1, 1, *windows.lengths), dtype=y.dtype), windows)


def _avg_pooled(
    op: str, axes: int, x: Any, kernel_size: Any, stride: Any, padding: Any, count_include_pad: bool
) -> Any:
    """Return the mean of each window over so many axes."""
    windows = _laid(op, axes, x, kernel_size, stride, padding)
    batch = batched(x, axes)
    y = _means(batch, windows, count_include_pad)
    return y if batch is x else reshape(y, y.shape[1:])


def max_pool1d(x: Tensor | Array, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0) -> Tensor:
    """Return the greatest element of every window of ``x`` along its last axis; NaN where there is one.

    The derivative goes to it: to the first one of equals, as in PyTorch, and to the first NaN, where PyTorch takes the
    last.

    Parameters
    ----------
    x
        Shape (N, C, L), or (C, L) for one without a batch.
    kernel_size
        How many elements a window has.
    stride
        How far it is from window to window, by default ``kernel_size``; what is left over at the end is not seen.
    padding
        How far windows may begin before the first element and end behind the last one, half their length at most. What
        they see there is never the greatest.

    Returns
    -------
    Tensor
        Shape (N, C, M) or (C, M), M = (L + 2 padding - kernel_size) // stride + 1.

    Raises
    ------
    ValueError
        If ``x`` has other axes or is shorter than a window, or a setting is no such number.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([[1.0, 3.0, 2.0, 2.0, 5.0]], requires_grad=True)
    >>> tg.max_pool1d(x, 2).sum().backward()
    >>> x.grad
    Tensor([[0., 1., 1., 0., 0.]])
    """
    return _max_pooled("max_pool1d", 1, x, kernel_size, stride, padding)


def max_pool2d(x: Tensor | Array, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0) -> Tensor:
    """Return the greatest element of every window of ``x`` over its last two axes; NaN where there is one.

    The derivative goes to it, as in `max_pool1d`; the first one is found row by row.

    Parameters
    ----------
    x
        Shape (N, C, H, W), or (C, H, W) for one without a batch.
    kernel_size, stride, padding
        As for `max_pool1d`; one int for both axes, or a pair.

    Returns
    -------
    Tensor
        Shape (N, C, H', W') or (C, H', W'), each length as in `max_pool1d`.

    Raises
    ------
    ValueError
        As in `max_pool1d`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.max_pool2d(tg.reshape(tg.arange(16), (1, 4, 4)), 2)
    Tensor([[[ 5,  7],
             [13, 15]]])
    """
    return _max_pooled("max_pool2d", 2, x, kernel_size, stride, padding)


def avg_pool1d(
    x: Tensor | Array,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    *,
    count_include_pad: bool = True,
) -> Tensor:
    """Return the mean of every window of ``x`` along its last axis; that of integers is float32.

    Parameters
    ----------
    x
        Shape (N, C, L), or (C, L) for one without a batch.
    kernel_size, stride
        As for `max_pool1d`.
    padding
        How many zeros stand before and behind, half of ``kernel_size`` at most.
    count_include_pad
        Count these zeros as elements; without, the sum of a window is divided by how many others it has.

    Returns
    -------
    Tensor
        Shape (N, C, M) or (C, M), as in `max_pool1d`.

    Raises
    ------
    ValueError
        As in `max_pool1d`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.avg_pool1d(tg.asarray([[1.0, 3.0, 2.0, 4.0]]), 2)
    Tensor([[2., 3.]])
    """
    return _avg_pooled("avg_pool1d", 1, x, kernel_size, stride, padding, count_include_pad)


def avg_pool2d(
    x: Tensor | Array,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    *,
    count_include_pad: bool = True,
) -> Tensor:
    """Return the mean of every window of ``x`` over its last two axes; that of integers is float32.

    Parameters
    ----------
    x
        Shape (N, C, H, W), or (C, H, W) for one without a batch.
    kernel_size, stride, padding, count_include_pad
        As for `avg_pool1d`; the first three are one int for both axes, or a pair.

    Returns
    -------
    Tensor
        Shape (N, C, H', W') or (C, H', W'), each length as in `max_pool1d`.

    Raises
    ------
    ValueError
        As in `max_pool1d`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.avg_pool2d(tg.ones((3, 4, 4)), 2, padding=1)[0]
    Tensor([[0.25, 0.5 , 0.25],
            [0.5 , 1.  , 0.5 ],
            [0.25, 0.5 , 0.25]])
    """
    return _avg_pooled("avg_pool2d", 2, x, kernel_size, stride, padding, count_include_pad)
