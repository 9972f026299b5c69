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
from ..tensor import Tensor, method
from .shape import along, counted, joined

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
    """Return zeros of a shape with each part added at its index."""
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


def _is_basic(index: Any) -> bool:
    """Tell whether an index names each place at most once for sure: ints, slices, new axes, an ellipsis."""
    parts = index if type(index) is tuple else (index,)
    return all(part is None or part is Ellipsis or type(part) in (int, slice) for part in parts)


def _plain(index: Any) -> Any:
    """Return an index without tensors, lists and the host's arrays in it, which become arrays of the backend."""
    if type(index) is tuple:
        return tuple(map(_plain, index))
    if type(index) is Tensor:
        index = index.data
    elif isinstance(index, list):
        index = xp.asarray(index, dtype=None if index else int)
    elif hasattr(index, "__index__") and not isinstance(index, (bool, ndarray)):
        index = backend.to_device(index) if hasattr(index, "__len__") else int(index)
    if isinstance(index, ndarray) and index.dtype.kind not in "iub":
        raise IndexError(f"getitem: got an index of {index.dtype}, wanted integers or bools.")
    return index


@method("__getitem__")
def _take_part(x: Tensor, index: Any) -> Tensor:
    """Return a part of a tensor, by ints, slices, None, ``...``, and tensors of integers or bools."""
    if type(index) is int and x.data.ndim > 0:
        length = x.data.shape[0]
        if -length <= index < length:
            return _row(x, index % length)
    return _at("getitem", x, _plain(index))


def _at(op: str, x: Any, index: Any) -> Any:
    """Return a part of a tensor or an array, or say that the index does not fit."""
    try:
        return _getitem(x, index)
    except IndexError as error:
        text = str(error).rstrip(".")
        raise IndexError(f"{op}: got an index that does not fit shape {x.shape}: {text}.") from None


def take(x: Tensor | Array, indices: Tensor | Array, /, *, axis: int = 0) -> Tensor:
    """Return the parts of ``x`` at integer indices along an axis.

    >>> import tinygrad_lstm as tg
    >>> tg.take(tg.asarray([10, 20, 30]), tg.asarray([2, 0]))
    Tensor([30, 10])
    """
    index = _plain(indices)
    if not isinstance(index, ndarray) or index.dtype.kind not in "iu":
        raise TypeError(f"take: got indices {index!r}, wanted an array of integers.")
    axis = counted("take", axis, x.ndim)
    return _at("take", x, index if axis == 0 else along(axis, index))


def take_along_axis(x: Tensor | Array, indices: Tensor | Array, /, *, axis: int = -1) -> Tensor:
    """Return elements of ``x``, where ``indices`` say for each place which one along the axis.

    Undoes `argsort`, as it were: ``take_along_axis(x, argsort(x, axis=1), axis=1)`` is ``x`` sorted.

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
    index = _integers("take_along_axis", indices)
    axis = counted("take_along_axis", axis, x.ndim)
    pairs = [pair for i, pair in enumerate(zip(x.shape, index.shape, strict=False)) if i != axis]
    if index.ndim != x.ndim or any(n != m and 1 not in (n, m) for n, m in pairs):
        raise ValueError(
            f"take_along_axis: got indices of shape {index.shape} for shape {x.shape}, wanted as many axes, of the "
            f"same lengths, or 1, but for axis {axis}."
        )
    parts = [xp.arange(n).reshape((n,) + (1,) * (x.ndim - 1 - i)) for i, n in enumerate(x.shape)]
    return _at("take_along_axis", x, (*parts[:axis], index, *parts[axis + 1 :]))


def _integers(op: str, indices: Any) -> Array:
    """Return indices as an array of integers."""
    index = _plain(indices)
    if not isinstance(index, ndarray) or index.dtype.kind not in "iu":
        raise TypeError(f"{op}: got indices {indices!r}, wanted an array of integers.")
    return index


def split(x: Tensor | Array, sections: int | Sequence[int], /, *, axis: int = 0) -> list[Tensor]:
    """Return ``x`` cut along an axis: into so many equal parts, or into parts of the lengths given.

    >>> import tinygrad_lstm as tg
    >>> tg.split(tg.arange(6), 3)
    [Tensor([0, 1]), Tensor([2, 3]), Tensor([4, 5])]
    """
    axis = counted("split", axis, x.ndim)
    lengths = sections if isinstance(sections, int) else tuple(sections)
    return [_slab(x, index) for index in _cuts(x.shape[axis], axis, lengths)]


@functools.lru_cache
def _cuts(length: int, axis: int, sections: int | tuple[int, ...]) -> list[tuple[Any, ...]]:
    """Return the indices that cut an axis of a length into parts."""
    lengths = sections
    if isinstance(lengths, int):
        lengths = (length // lengths,) * lengths if lengths > 0 else ()
    if sum(lengths) != length:
        raise ValueError(f"split: got parts {sections} of axis {axis}, wanted them to add up to its length, {length}.")
    stops = itertools.accumulate(lengths)
    return [along(axis, slice(stop - n, stop)) for n, stop in zip(lengths, stops, strict=True)]


def unstack(x: Tensor | Array, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Return the parts of ``x`` along an axis, without that axis."""
    axis = counted("unstack", axis, x.ndim)
    if axis == 0:
        return tuple([_row(x, i) for i in range(x.shape[0])])
    return tuple([_getitem(x, along(axis, i)) for i in range(x.shape[axis])])
