"""Sorting and searching.

NaN counts as greater than every number, as in NumPy and PyTorch: it comes last in ascending order and first in
descending order. Sorted elements pass their gradient on to where they came from.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..backend import Array, xp
from ..primitive import binary, unary
from ..tensor import Operand, Tensor, method
from .dtypes import int64
from .indexing import integers, take, take_along_axis, unstack
from .shape import along, counted, shape_of, whole

__all__ = ["argsort", "nonzero", "searchsorted", "sort", "topk"]

# fmt: off
_sort    = unary("sort",    lambda x, axis, descending: _sorted(x, axis, descending),
                 lambda g, x, axis, descending: take_along_axis(g, _ranks(x, axis, descending), axis=axis),
                 params=("axis", "descending"))
_argsort = unary("argsort", lambda x, axis, descending, stable: _order(x, axis, descending, stable),
                 params=("axis", "descending", "stable"))
_nonzero = unary("nonzero", lambda x: xp.stack(xp.nonzero(x)))
_searchsorted = binary("searchsorted", lambda x1, x2, side: xp.searchsorted(x1, x2, side), params=("side",))
# fmt: on


def _sorted(x: Array, axis: int, descending: bool) -> Array:
    """Return the elements in order along an axis."""
    if x.size == 0:  # CuPy does not sort along an axis without length
        return x
    y = xp.sort(x, axis=axis)
    return y[along(axis, slice(None, None, -1))] if descending else y


def _order(x: Array, axis: int, descending: bool, stable: bool) -> Array:
    """Return the indices that sort; in descending order too, equal elements stay as they were if it is to be stable."""
    if x.size == 0:
        return xp.zeros(x.shape, dtype=int64)
    kind = "stable" if stable else None
    if not descending:
        return xp.argsort(x, axis=axis, kind=kind)
    backwards = along(axis, slice(None, None, -1))
    return x.shape[axis] - 1 - xp.argsort(x[backwards], axis=axis, kind=kind)[backwards]


def _ranks(x: Any, axis: int, descending: bool) -> Any:
    """Return for each element its place among the sorted ones."""
    return argsort(argsort(x, axis=axis, descending=descending), axis=axis)


def sort(x: Tensor | Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Return the elements in order along an axis.

    Parameters
    ----------
    x
        A tensor or an array of at least one axis.
    axis
        The axis along which to sort.
    descending
        The greatest first.
    stable
        Leave equal elements in the order in which they were. They look alike, so that here it is always so, for their
        gradients too.

    Raises
    ------
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.sort(tg.asarray([3, 1, 2]), descending=True)
    Tensor([3, 2, 1])
    """
    return _sort(x, counted("sort", axis, len(shape_of("sort", x))), descending)


@method("argsort")
def argsort(x: Tensor | Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Return the indices that sort the elements along an axis.

    Parameters
    ----------
    x
        A tensor or an array of at least one axis.
    axis
        The axis along which to sort.
    descending
        The greatest first.
    stable
        Leave equal elements in the order in which they are, in descending order too.

    Raises
    ------
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.argsort(tg.asarray([3, 1, 2, 1]))
    Tensor([1, 3, 2, 0])
    >>> tg.argsort(tg.asarray([3, 1, 2, 1]), descending=True)
    Tensor([0, 2, 1, 3])
    """
    return _argsort(x, counted("argsort", axis, len(shape_of("argsort", x))), descending, stable)


class TopK(NamedTuple):
    """What `topk` returns."""

    values: Tensor
    indices: Tensor


def topk(x: Tensor | Array, k: int, /, *, axis: int = -1, largest: bool = True) -> TopK:
    """Return the ``k`` greatest elements along an axis, in order, and their indices.

    Parameters
    ----------
    x
        A tensor or an array of at least one axis.
    k
        How many, from 0 to the length of the axis.
    axis
        The axis along which to look.
    largest
        False for the smallest ones, in ascending order.

    Returns
    -------
    tuple
        ``values`` and ``indices``. Of equal elements, the first ones are taken; PyTorch leaves open which.

    Raises
    ------
    ValueError
        If there are fewer elements, or no such axis.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.topk(tg.asarray([1.0, 5.0, 3.0]), 2)
    TopK(values=Tensor([5., 3.]), indices=Tensor([1, 2]))
    """
    shape = shape_of("topk", x)
    axis = counted("topk", axis, len(shape))
    if not 0 <= whole("topk", "k", k) <= shape[axis]:
        raise ValueError(f"topk: got k = {k} for shape {shape}, wanted 0 to {shape[axis]}, the length of axis {axis}.")
    indices = argsort(x, axis=axis, descending=largest)[along(axis, slice(k))]
    return TopK(take_along_axis(x, indices, axis=axis), indices)


@method("searchsorted")
def searchsorted(
    x1: Tensor | Array, x2: Operand, /, *, side: str = "left", sorter: Tensor | Array | None = None
) -> Tensor:
    """Return the indices at which elements would be put into a sorted tensor to keep it sorted.

    Parameters
    ----------
    x1
        One axis, in ascending order.
    x2
        What to look for, of any shape, or a number.
    side
        ``"left"`` for the place before elements that are equal, ``"right"`` for that behind them.
    sorter
        The indices that sort ``x1``, if it is not in order.

    Raises
    ------
    ValueError
        If ``x1`` has not one axis, ``sorter`` is not of the same length, or there is no such side.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.searchsorted(tg.asarray([1, 3, 3, 7]), tg.asarray([[0, 3], [5, 9]]))
    Tensor([[0, 1],
            [3, 4]])
    """
    shape = shape_of("searchsorted", x1)
    if len(shape) != 1:
        raise ValueError(f"searchsorted: got x1 of shape {shape}, wanted one axis.")
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: got side={side!r}, wanted 'left' or 'right'.")
    if sorter is not None:
        if integers("searchsorted", sorter).shape != shape:
            raise ValueError(f"searchsorted: got x1 of shape {shape} and sorter of {sorter.shape}, wanted one shape.")
        x1 = take(x1, sorter)
    if isinstance(x2, (int, float)):
        x2 = xp.asarray(x2, dtype=x1.dtype if x1.dtype.kind == "f" else None)
    return _searchsorted(x1, x2, side)


@method("nonzero")
def nonzero(x: Tensor | Array, /) -> tuple[Tensor, ...]:
    """Return the indices of the elements that are not 0, row by row: for each axis those along it.

    Raises
    ------
    ValueError
        If ``x`` has no axis.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.nonzero(tg.asarray([[0, 1], [2, 3]]))
    (Tensor([0, 1, 1]), Tensor([1, 0, 1]))
    """
    if not shape_of("nonzero", x):
        raise ValueError("nonzero: got shape (), wanted at least one axis.")
    return unstack(_nonzero(x))
