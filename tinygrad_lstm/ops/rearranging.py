"""Rearranging: elements in another order, repeated, padded, or left out by a pattern."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from .. import backend
from ..backend import Array, xp
from ..primitive import total, unary, variadic
from ..tensor import Axis, Tensor, asarray, method
from .indexing import integers, take
from .shape import counted, counted_axes, lengths_of, reshape, shape_of, whole

__all__ = ["flip", "pad", "repeat", "roll", "tile", "tril", "triu"]

Widths: TypeAlias = "int | tuple[int, int] | Sequence[tuple[int, int]]"
"""How much to put before and after: one number for both, a pair for every axis, or a pair for each axis."""

# fmt: off
_flip   = unary("flip",   lambda x, axes: _reversed(x, axes), lambda g, axes: flip(g, axis=axes), params=("axes",))
_roll   = unary("roll",   lambda x, shifts, axes: xp.roll(x, shifts, axes),
                lambda g, shifts, axes: roll(g, tuple(-n for n in shifts), axis=axes), params=("shifts", "axes"))
_repeat = unary("repeat", lambda x, times, axis: _repeated(x, times, axis),
                lambda g, shape, times, axis: total(g.reshape(_with_axis(shape, times, axis)), axis + 1),
                params=("times", "axis"))
_tile   = unary("tile",   lambda x, times: xp.tile(x, times),
                lambda g, shape, times: _sum_of_tiles(g, shape, times), params=("times",))
_pad    = unary("pad",    lambda x, widths, value: _framed(x, widths, value),
                lambda g, shape, widths: g[_inside(shape, widths)], params=("widths", "value"))
beside  = variadic("pad_sequence", lambda xs, axis, value, lengths: _laid_beside(xs, axis, value, lengths),
                   lambda g, axis, lengths: [g[_place(i, n, axis)] for i, n in enumerate(lengths)],
                   params=("axis", "value", "lengths"))
_tril   = unary("tril",   lambda x, k: xp.tril(x, k), lambda g, k: tril(g, k=k), params=("k",))
_triu   = unary("triu",   lambda x, k: xp.triu(x, k), lambda g, k: triu(g, k=k), params=("k",))
# fmt: on


def _reversed(x: Array, axes: tuple[int, ...]) -> Array:
    """Return a view of an array, backwards along axes; CuPy's flip takes nothing without axes."""
    return x[tuple(slice(None, None, -1 if i in axes else 1) for i in range(x.ndim))]


def _repeated(x: Array, times: int, axis: int) -> Array:
    """Return every element several times in a row; along an axis of its own, where CuPy needs no loop for it."""
    shape = (*x.shape[:axis], x.shape[axis] * times, *x.shape[axis + 1 :])
    return xp.repeat(xp.expand_dims(x, axis + 1), times, axis + 1).reshape(shape)


def _with_axis(shape: tuple[int, ...], length: int, axis: int) -> tuple[int, ...]:
    """Return a shape with another axis behind one."""
    return (*shape[: axis + 1], length, *shape[axis + 1 :])


def _sum_of_tiles(g: Any, shape: tuple[int, ...], times: tuple[int, ...]) -> Any:
    """Return the tiles of an array, so many along each axis, added up."""
    lengths = (1,) * (len(times) - len(shape)) + shape
    tiles = tuple(n for pair in zip(times, lengths, strict=True) for n in pair)
    return total(g.reshape(tiles), tuple(range(0, len(tiles), 2))).reshape(shape)


def _inside(shape: tuple[int, ...], widths: tuple[tuple[int, int], ...]) -> tuple[slice, ...]:
    """Return the index of an array in the same array padded."""
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, widths, strict=True))


def _framed(x: Array, widths: tuple[tuple[int, int], ...], value: float) -> Array:
    """Return an array with a number around it."""
    shape = tuple(before + n + after for n, (before, after) in zip(x.shape, widths, strict=True))
    framed = xp.full(shape, value, dtype=x.dtype)
    framed[_inside(x.shape, widths)] = x
    return framed


def _laid_beside(xs: list[Array], axis: int, value: float, lengths: Sequence[int]) -> Array:
    """Return arrays side by side along a new axis, 0 or 1, each filled up at its end with a number."""
    sides = [max(lengths), len(xs)] if axis else [len(xs), max(lengths)]
    laid = xp.full((*sides, *xs[0].shape[1:]), value, dtype=xs[0].dtype)
    for i, (x, n) in enumerate(zip(xs, lengths, strict=True)):
        laid[_place(i, n, axis)] = x
    return laid


def _place(number: int, length: int, axis: int) -> tuple[Any, Any]:
    """Return the index of one of arrays that are side by side along an axis, 0 or 1."""
    return (slice(length), number) if axis else (number, slice(length))


def flip(x: Tensor | Array, /, *, axis: Axis = None) -> Tensor:
    """Return the elements in reverse order along axes.

    Parameters
    ----------
    x
        Any shape.
    axis
        The axes to reverse; all by default.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.flip(tg.arange(3))
    Tensor([2, 1, 0])
    """
    return _flip(x, counted_axes("flip", axis, len(shape_of("flip", x))))


def roll(x: Tensor | Array, /, shift: int | tuple[int, ...], *, axis: Axis = None) -> Tensor:
    """Return the elements moved along axes; those that go over the end come in again at the front.

    Parameters
    ----------
    x
        Any shape.
    shift
        By how many places, towards the end where positive; one number for all axes, or a tuple of one for each.
    axis
        The axes to move along; None moves along the flattened array and then restores the shape.

    Raises
    ------
    ValueError
        If there is no such axis, or there are not as many shifts as axes.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.roll(tg.arange(5), 2)
    Tensor([3, 4, 0, 1, 2])
    """
    shape = shape_of("roll", x)
    if axis is None:
        return reshape(_roll(reshape(x, -1), (whole("roll", "shift", shift),), (0,)), shape)
    axes = tuple(counted("roll", a, len(shape)) for a in (axis if isinstance(axis, tuple) else (axis,)))
    shifts = shift if isinstance(shift, tuple) else (shift,) * len(axes)
    if len(shifts) != len(axes):
        raise ValueError(f"roll: got shifts {shift} along axes {axis}, wanted as many.")
    if not axes:
        return reshape(x, shape)
    return _roll(x, tuple(whole("roll", "shift", n) for n in shifts), axes)


@method("repeat")
def repeat(x: Tensor | Array, repeats: int | Tensor | Array | Sequence[int], /, *, axis: int | None = None) -> Tensor:
    """Return every element several times in a row.

    Parameters
    ----------
    x
        Any shape.
    repeats
        How often: one number, or integers, one for each place along the axis. On a GPU the host has to wait for an
        array of them, because the shape of the result depends on it.
    axis
        The axis to repeat along; None flattens ``x`` first.

    Raises
    ------
    TypeError
        If the numbers are no integers.
    ValueError
        If there is no such axis, a number is negative, or there are not as many numbers as places.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([10, 20])
    >>> tg.repeat(x, 2), tg.repeat(x, tg.asarray([1, 3]))
    (Tensor([10, 10, 20, 20]), Tensor([10, 20, 20, 20]))
    """
    shape = shape_of("repeat", x)
    if axis is None:
        x, shape = reshape(x, -1), (math.prod(shape),)
    axis = counted("repeat", 0 if axis is None else axis, len(shape))
    if not hasattr(repeats, "__len__"):
        times = whole("repeat", "repeats", repeats)
        if times < 0:
            raise ValueError(f"repeat: got repeats {times}, wanted at least 0.")
        return _repeat(x, times, axis)
    counts = integers("repeat", repeats, "repeats")
    if counts.shape not in ((), (1,), (shape[axis],)):
        raise ValueError(
            f"repeat: got repeats of shape {counts.shape} for axis {axis} of shape {shape}, wanted as many."
        )
    return take(asarray(x) if type(repeats) is Tensor else x, _repeated_places(counts, shape[axis]), axis=axis)


def _repeated_places(counts: Array, length: int) -> Array:
    """Return the places of an axis, each as often as it is to be repeated."""
    counts = xp.broadcast_to(counts, (length,))
    if length and int(counts.min()) < 0:
        raise ValueError(f"repeat: got repeats {int(counts.min())}, wanted at least 0.")
    ends = xp.cumsum(counts)
    return xp.searchsorted(ends, xp.arange(int(ends[-1]) if length else 0), "right")


def tile(x: Tensor | Array, repetitions: int | tuple[int, ...], /) -> Tensor:
    """Return copies of the whole array laid next to one another.

    Parameters
    ----------
    x
        Any shape.
    repetitions
        How many copies along each axis. If there are fewer numbers than axes, they are those of the last axes; if there
        are more, the result has new axes in front.

    Raises
    ------
    ValueError
        If a number is negative.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.tile(tg.arange(2), (2, 2))
    Tensor([[0, 1, 0, 1],
            [0, 1, 0, 1]])
    """
    shape, times = shape_of("tile", x), lengths_of("tile", repetitions)
    if min(times, default=0) < 0:
        raise ValueError(f"tile: got repetitions {repetitions}, wanted at least 0 of each.")
    times = (1,) * (len(shape) - len(times)) + times
    return _tile(x, times) if times else reshape(x, shape)


def pad(x: Tensor | Array, /, pad_width: Widths, mode: str = "constant", *, constant_values: float = 0) -> Tensor:
    """Return an array with more elements before and after its own, as NumPy's ``pad`` does.

    Parameters
    ----------
    x
        Any shape.
    pad_width
        How many elements: one number for all sides, a pair ``(before, after)`` for all axes, or one such pair for each.
    mode
        What the elements are: ``"constant"``, the number ``constant_values``; ``"edge"``, the outermost of ``x``
        (PyTorch's "replicate"); ``"reflect"``, those of ``x`` mirrored at its outermost; ``"wrap"``, those from the
        other end (PyTorch's "circular"). The last two go on as far as needed.
    constant_values
        The number; in an array of integers it has to be an integer.

    Raises
    ------
    TypeError
        If the number is not of the array's kind.
    ValueError
        If the widths are negative or not as many as the axes, or there is nothing along an axis to go on with.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.pad(tg.asarray([1, 2, 3]), (1, 2))
    Tensor([0, 1, 2, 3, 0, 0])
    >>> tg.pad(tg.asarray([1, 2, 3]), 2, "reflect")
    Tensor([3, 2, 1, 2, 3, 2, 1])
    """
    shape = shape_of("pad", x)
    widths = _widths(pad_width, shape)
    if mode == "constant":
        if not isinstance(constant_values, (int, float, backend.Scalar)):
            raise TypeError(f"pad: got constant_values={constant_values!r}, wanted a number.")
        if x.dtype.kind != "f" and xp.asarray(constant_values).dtype.kind == "f":
            raise TypeError(f"pad: got constant_values={constant_values} for elements of {x.dtype}, wanted an integer.")
        return _pad(x, widths, constant_values)
    if mode not in _PLACES:
        raise ValueError(f"pad: got mode={mode!r}, wanted 'constant', 'edge', 'reflect' or 'wrap'.")
    for axis, (n, (before, after)) in enumerate(zip(shape, widths, strict=True)):
        if before or after:
            if n == 0:
                raise ValueError(f"pad: got shape {shape} and mode={mode!r}, wanted elements along axis {axis}.")
            x = take(x, backend.to_device(_PLACES[mode](n, range(-before, n + after))), axis=axis)
    return x if x.shape != shape else reshape(x, shape)


_PLACES = {
    "edge": lambda n, places: [min(max(i, 0), n - 1) for i in places],
    "reflect": lambda n, places: [abs((i + n - 1) % max(2 * n - 2, 1) - n + 1) for i in places],
    "wrap": lambda n, places: [i % n for i in places],
}
"""The element of an axis of length n that stands in each place, counted from before its start to after its end."""


def _widths(pad_width: Any, shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the widths before and after each axis."""
    wanted = f"wanted whole numbers from 0 up: one, a pair, or a pair for each of {len(shape)} axes"
    try:
        pairs = pad_width if hasattr(pad_width, "__len__") else (pad_width, pad_width)
        if not any(hasattr(pair, "__len__") for pair in pairs):
            pairs = [pairs] * len(shape)
        widths = tuple((whole("pad", "width", before), whole("pad", "width", after)) for before, after in pairs)
    except (TypeError, ValueError):
        raise ValueError(f"pad: got pad_width={pad_width}, {wanted}.") from None
    if len(widths) != len(shape) or any(width < 0 for pair in widths for width in pair):
        raise ValueError(f"pad: got pad_width={pad_width}, {wanted}.")
    return widths


def tril(x: Tensor | Array, /, *, k: int = 0) -> Tensor:
    """Return matrices with zeros above a diagonal.

    Parameters
    ----------
    x
        Shape (..., rows, columns).
    k
        The diagonal: 0 is the main one, those above it are positive.

    Raises
    ------
    ValueError
        If ``x`` has fewer than two axes.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.tril(tg.ones((2, 3)))
    Tensor([[1., 0., 0.],
            [1., 1., 0.]])
    """
    return _tril(_matrices("tril", x), whole("tril", "k", k))


def triu(x: Tensor | Array, /, *, k: int = 0) -> Tensor:
    """Return matrices with zeros below a diagonal; the parameters are those of `tril`.

    >>> import tinygrad_lstm as tg
    >>> tg.triu(tg.ones((2, 3)), k=1)
    Tensor([[0., 1., 1.],
            [0., 0., 1.]])
    """
    return _triu(_matrices("triu", x), whole("triu", "k", k))


def _matrices(op: str, x: Any) -> Any:
    """Return what has the two axes of a matrix, at least."""
    if len(shape_of(op, x)) < 2:
        raise ValueError(f"{op}: got shape {x.shape}, wanted at least two axes.")
    return x
