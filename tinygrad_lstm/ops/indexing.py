"""Indexing: parts of a tensor, and the scatter that is their derivative.

The cotangent of a part is mostly zeros, so it is not made dense: `Scatter` holds the part and its index, and the sweep
writes all the parts of one tensor into one buffer. Taking ``xs[t]`` for every ``t`` costs what the sequence holds.

An array of indices is checked on NumPy only: CuPy does not make the host wait for it, and wraps what is out of range.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

from .. import backend
from ..backend import Array, ndarray, xp
from ..primitive import unary, variadic
from ..sweep import Deferred
from ..tensor import Tensor, asarray, float16, float32, method
from .shape import along, counted, joined, lengths_of, shape_of

__all__ = ["split", "take", "take_along_axis", "unstack"]


class Scatter(Deferred):
    """The cotangent ``g`` of ``x[index]``: zero in the rest of ``shape``."""

    __slots__ = ("g", "index", "shape")

    def __init__(self, g: Any, index: Any, shape: tuple[int, ...]) -> None:
        self.g = g
        self.index = index
        self.shape = shape

    @classmethod
    def settle(cls, contributions: list[Scatter]) -> Any:
        """Return zeros with every part added in its place."""
        indices = tuple(part.index for part in contributions)
        return _scatter([part.g for part in contributions], indices, contributions[0].shape)


class Slab(Scatter):
    """The cotangent of a slab ``x[..., start:stop]``: everything along the axes before the last of its index."""

    __slots__ = ()

    @classmethod
    def settle(cls, contributions: list[Scatter]) -> Any:
        """Return the slabs joined if they fill an axis, as those of a `split` do, else zeros with each one added.

        A sweep brings them newest first, that is from the last to the first.
        """
        slabs = contributions[::-1]
        depth, edge = len(slabs[0].index), 0
        for slab in slabs:
            cut = slab.index[-1]
            if cut.start != edge or len(slab.index) != depth:
                return super().settle(contributions)
            edge = cut.stop
        if edge != slabs[0].shape[depth - 1]:
            return super().settle(contributions)
        return joined([slab.g for slab in slabs], depth - 1, [slab.g.shape[depth - 1] for slab in slabs])


def _scattered(gs: list[Array], indices: tuple[Any, ...], shape: tuple[int, ...]) -> Array:
    """Return zeros of a shape with each part added at its index, float16 in float32 as in every sum."""
    if gs[0].dtype == float16:
        return _scattered([g.astype(float32) for g in gs], indices, shape).astype(float16)
    buffer = xp.zeros(shape, dtype=gs[0].dtype)
    for g, index in zip(gs, indices, strict=True):
        if _is_basic(index):
            buffer[index] += g
        else:
            backend.scatter_add(buffer, index, g)
    return buffer


# fmt: off
_getitem = unary("getitem", lambda x, index: x[index],
                 lambda g, index, shape: Scatter(g, index, shape), params=("index",))
_row     = unary("getitem", lambda x, index: x[index],
                 lambda g, index, shape: Slab(g[None], (slice(index, index + 1),), shape), params=("index",))
_slab    = unary("split",   lambda x, index: x[index],
                 lambda g, index, shape: Slab(g, index, shape), params=("index",))
_scatter = variadic("scatter", _scattered, lambda g, indices: [g[index] for index in indices],
                    params=("indices", "shape"))
# fmt: on

BASIC = frozenset((int, slice, type(None), type(Ellipsis)))
"""The types of parts of an index that are taken as they are; each of them names a place at most once."""


def _is_basic(index: Any) -> bool:
    """Tell whether an index names each place at most once for sure: ints, slices, new axes, an ellipsis."""
    return BASIC.issuperset(map(type, index if type(index) is tuple else (index,)))


def _plain(op: str, index: Any) -> Any:
    """Return an index without tensors, lists, bools and the host's arrays in it, which become arrays of the backend."""
    if type(index) is tuple:
        return tuple([part if type(part) in BASIC else _plain_part(op, part) for part in index])
    return index if type(index) in BASIC else _plain_part(op, index)


def _plain_part(op: str, part: Any) -> Any:
    """Return one part of an index as an int or an array of the backend."""
    if type(part) is Tensor:
        part = part.data
    elif type(part) is not ndarray:
        if hasattr(part, "__index__") and not isinstance(part, bool) and not hasattr(part, "__len__"):
            return int(part)
        part = _array_of(op, part)
    dtype = part.dtype
    if dtype.kind not in "iub":
        raise IndexError(f"{op}: got an index of {dtype}, wanted integers or bools.")
    if dtype.itemsize < 4 and dtype.kind != "b":  # too narrow for the lengths that negative indices are added to
        return part.astype("int64")
    return part


def _array_of(op: str, part: Any) -> Array:
    """Return a bool, a sequence or the host's array as an array of the backend."""
    if not isinstance(part, (bool, list, range, tuple)) and not hasattr(part, "dtype"):
        kind = f"{type(part).__module__}.{type(part).__name__}"
        raise IndexError(f"{op}: got an index of {kind}, wanted ints, slices, None, ..., and arrays of ints or bools.")
    try:
        array = backend.to_device(part)
    except ValueError:
        raise IndexError(f"{op}: got an index {part!r}, wanted integers or bools.") from None
    return array.astype("int64") if array.size == 0 and not hasattr(part, "dtype") else array


@method("__getitem__")
def _take_part(x: Tensor, index: Any) -> Tensor:
    """Return a part of a tensor, by ints, slices, None, ``...``, and tensors of integers or bools."""
    if type(index) is int and x.data.ndim > 0:
        length = x.data.shape[0]
        if -length <= index < length:
            return _row(x, index % length)
    return _at("getitem", x, _plain("getitem", index))


def _at(op: str, x: Any, index: Any) -> Any:
    """Return a part of a tensor or an array, or say why the index does not fit."""
    try:
        return _getitem(x, index)
    except IndexError as error:
        why = _misfit(index if type(index) is tuple else (index,), x.shape) or str(error).rstrip(".")
        raise IndexError(f"{op}: got an index that does not fit shape {x.shape}: {why}.") from None


def _misfit(parts: tuple[Any, ...], shape: tuple[int, ...]) -> str | None:
    """Return what is wrong with an index, if it is the index of a shape that is wrong."""
    taken = sum(map(_axes_taken, parts))
    if taken > len(shape):
        return f"too many indices, for {taken} axes"
    if sum(part is Ellipsis for part in parts) > 1:
        return "more than one ellipsis"
    axis = 0
    for part in parts:
        width = len(shape) - taken if part is Ellipsis else _axes_taken(part)
        why = _misfit_of_part(part, axis, shape[axis : axis + width])
        if why is not None:
            return why
        axis += width
    arrays = [part for part in parts if isinstance(part, ndarray)]
    sides = ", ".join(str(a.shape if a.dtype != bool else (int(a.sum()),)) for a in arrays)
    return f"its arrays have shapes {sides}, which do not broadcast" if arrays else None


def _misfit_of_part(part: Any, axis: int, lengths: tuple[int, ...]) -> str | None:
    """Return what is wrong with one part of an index, of axes from one on that have these lengths."""
    if isinstance(part, ndarray) and part.dtype == bool:
        return (
            None if part.shape == lengths else f"a mask has shape {part.shape}, and the axes from {axis} on {lengths}"
        )
    if isinstance(part, (int, ndarray)):
        (n,), indices = lengths, xp.asarray(part).reshape(-1)
        wrong = indices[(indices < -n) | (indices >= n)]
        return f"index {int(wrong[0])} is out of bounds for axis {axis}, of length {n}" if wrong.size > 0 else None
    return None


def _axes_taken(part: Any) -> int:
    """Return for how many axes one part of an index stands."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, ndarray) and part.dtype == bool else 1


@method("take")
def take(x: Tensor | Array, indices: Tensor | Array, /, *, axis: int | None = None) -> Tensor:
    """Return the parts of ``x`` at indices along an axis.

    Parameters
    ----------
    x
        The array to take from.
    indices
        Integers of any shape, where the standard wants one axis; its axes stand in the result in place of the one
        indexed. Negative ones count from the end.
    axis
        The axis that they index; it may be left out if ``x`` has only one.

    Raises
    ------
    IndexError
        If an index is out of range; CuPy wraps it instead.
    TypeError
        If the indices are no integers.
    ValueError
        If there is no such axis, or none is given and ``x`` has several.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.take(tg.asarray([10, 20, 30]), tg.asarray([2, 0]))
    Tensor([30, 10])
    """
    index = integers("take", indices)
    shape = shape_of("take", x)
    if axis is None and len(shape) != 1:
        raise ValueError(f"take: got no axis for shape {shape}, wanted one; it may be left out if there is only one.")
    axis = counted("take", axis or 0, len(shape))
    if type(indices) is Tensor and type(x) is not Tensor:
        x = asarray(x)
    return _at("take", x, index if axis == 0 else along(axis, index))


def take_along_axis(x: Tensor | Array, indices: Tensor | Array, /, *, axis: int = -1) -> Tensor:
    """Return elements of ``x``, where ``indices`` say for each place which one along the axis.

    ``take_along_axis(x, argsort(x, axis=1), axis=1)`` is ``x`` sorted.

    Parameters
    ----------
    x
        The array to take from.
    indices
        Integers, of as many axes as ``x``; the other axes broadcast against those of ``x``. Negative ones count from
        the end.
    axis
        The axis along which they count.

    Raises
    ------
    IndexError
        If an index is out of range; CuPy wraps it instead.
    TypeError
        If the indices are no integers.
    ValueError
        If the shapes do not fit, or there is no such axis.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.take_along_axis(tg.asarray([[10, 20], [30, 40]]), tg.asarray([[1], [0]]))
    Tensor([[20],
            [30]])
    """
    index = integers("take_along_axis", indices)
    shape = shape_of("take_along_axis", x)
    axis = counted("take_along_axis", axis, len(shape))
    pairs = [pair for i, pair in enumerate(zip(shape, index.shape, strict=False)) if i != axis]
    if index.ndim != len(shape) or any(n != m and 1 not in (n, m) for n, m in pairs):
        raise ValueError(
            f"take_along_axis: got indices of shape {index.shape} for shape {shape}, wanted as many axes, of the "
            f"same lengths, or 1, but for axis {axis}."
        )
    if type(indices) is Tensor:
        x = asarray(x)
    others = [xp.arange(n).reshape((n,) + (1,) * (len(shape) - 1 - i)) for i, n in enumerate(shape)]
    return _at("take_along_axis", x, (*others[:axis], index, *others[axis + 1 :]))


def integers(op: str, indices: Any, what: str = "indices") -> Array:
    """Return an array of integers, or a list of them, as an array of the backend."""
    try:
        index = _plain_part(op, indices)
    except IndexError:
        index = None
    if type(index) is int or index is None or index.dtype.kind == "b":
        told = f"of {indices.dtype}" if hasattr(indices, "dtype") else repr(indices)
        raise TypeError(f"{op}: got {what} {told}, wanted an array of integers.")
    return index


def split(x: Tensor | Array, sections: int | Sequence[int], /, *, axis: int = 0) -> list[Tensor]:
    """Return ``x`` cut along an axis.

    Parameters
    ----------
    x
        Any shape.
    sections
        How many equal parts to make; or the lengths of the parts, which add up to that of the axis.
    axis
        The axis, counted from either end.

    Raises
    ------
    ValueError
        If the parts do not make up the axis, or there is no such axis.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.split(tg.arange(6), 3), tg.split(tg.arange(3), [1, 2])
    ([Tensor([0, 1]), Tensor([2, 3]), Tensor([4, 5])], [Tensor([0]), Tensor([1, 2])])
    """
    shape = shape_of("split", x)
    axis = counted("split", axis, len(shape))
    lengths = sections if isinstance(sections, int) else lengths_of("split", sections)
    return [_slab(x, index) for index in _cuts(shape[axis], axis, lengths)]


@functools.lru_cache
def _cuts(length: int, axis: int, sections: int | tuple[int, ...]) -> list[tuple[Any, ...]]:
    """Return the indices that cut an axis of a length into parts."""
    lengths = sections
    if isinstance(lengths, int):
        lengths = (length // lengths,) * lengths if lengths > 0 else ()
    if sum(lengths) != length or min(lengths, default=0) < 0:
        raise ValueError(f"split: got parts {sections} of axis {axis}, wanted them to add up to its length, {length}.")
    stops = itertools.accumulate(lengths)
    return [along(axis, slice(stop - n, stop)) for n, stop in zip(lengths, stops, strict=True)]


def unstack(x: Tensor | Array, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Return the parts of ``x`` along an axis, without that axis.

    Parameters
    ----------
    x
        Any shape with at least one axis.
    axis
        The axis, counted from either end.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.unstack(tg.asarray([[1, 2], [3, 4]]), axis=1)
    (Tensor([1, 3]), Tensor([2, 4]))
    """
    shape = shape_of("unstack", x)
    axis = counted("unstack", axis, len(shape))
    if axis == 0:
        return tuple([_row(x, i) for i in range(shape[0])])
    return tuple([_getitem(x, along(axis, i)) for i in range(shape[axis])])
