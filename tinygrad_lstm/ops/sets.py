"""Sets: the different elements of a tensor, where they stand, and how often.

As the standard has it, each NaN is an element of its own, and 0 and -0 are the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..backend import Array, xp
from ..primitive import unary
from ..tensor import Tensor
from .cumulative import cumulative_sum, diff
from .indexing import take
from .shape import reshape, shape_of
from .sorting import argsort, nonzero

__all__ = ["unique_all", "unique_counts", "unique_inverse", "unique_values"]

_is_new = unary("is_new", lambda x: _differs_from_before(x))


def _differs_from_before(x: Array) -> Array:
    """Return for each element whether it differs from the one before it, as the first one does."""
    new = xp.ones(x.shape, dtype=bool)
    new[1:] = x[1:] != x[:-1]
    return new


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: Tensor
    inverse_indices: Tensor


class _Groups:
    """The elements of a tensor in groups of equal ones, in ascending order; NaN is equal to nothing, not even NaN."""

    def __init__(self, op: str, x: Any) -> None:
        self.shape = shape_of(op, x)
        self.flat = reshape(x, -1)
        self.order = argsort(self.flat)
        self.is_new = _is_new(take(self.flat, self.order))
        (self.starts,) = nonzero(self.is_new)

    def indices(self) -> Any:
        """Return where the first element of each group stands."""
        return take(self.order, self.starts)

    def values(self) -> Any:
        """Return the first element of each group, which gets the gradient of all."""
        return take(self.flat, self.indices())

    def inverse_indices(self) -> Any:
        """Return the number of each element's group."""
        return reshape(take(cumulative_sum(self.is_new) - 1, argsort(self.order)), self.shape)

    def counts(self) -> Any:
        """Return how many elements each group has."""
        return diff(self.starts, append=xp.asarray(self.order.shape))


def unique_all(x: Tensor | Array, /) -> UniqueAll:
    """Return the different elements in ascending order, where they stand, which one each element is, and how often.

    Returns
    -------
    tuple
        ``values``; ``indices``, of the first one of each in the flattened tensor; ``inverse_indices``, of the shape of
        ``x``, of which ``values[inverse_indices]`` is ``x``; and ``counts``. The gradient of ``values`` goes to the
        elements at ``indices``.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> values, indices, inverse_indices, counts = tg.unique_all(tg.asarray([3, 1, 3]))
    >>> values, indices, inverse_indices, counts
    (Tensor([1, 3]), Tensor([1, 0]), Tensor([1, 0, 1]), Tensor([1, 2]))
    """
    groups = _Groups("unique_all", x)
    return UniqueAll(groups.values(), groups.indices(), groups.inverse_indices(), groups.counts())


def unique_counts(x: Tensor | Array, /) -> UniqueCounts:
    """Return the different elements in ascending order, and how often each one is there; see `unique_all`.

    >>> import tinygrad_lstm as tg
    >>> tg.unique_counts(tg.asarray([3, 1, 3]))
    UniqueCounts(values=Tensor([1, 3]), counts=Tensor([1, 2]))
    """
    groups = _Groups("unique_counts", x)
    return UniqueCounts(groups.values(), groups.counts())


def unique_inverse(x: Tensor | Array, /) -> UniqueInverse:
    """Return the different elements in ascending order, and which of them each element is; see `unique_all`.

    >>> import tinygrad_lstm as tg
    >>> tg.unique_inverse(tg.asarray([3, 1, 3]))
    UniqueInverse(values=Tensor([1, 3]), inverse_indices=Tensor([1, 0, 1]))
    """
    groups = _Groups("unique_inverse", x)
    return UniqueInverse(groups.values(), groups.inverse_indices())


def unique_values(x: Tensor | Array, /) -> Tensor:
    """Return the different elements in ascending order; see `unique_all`.

    >>> import tinygrad_lstm as tg
    >>> tg.unique_values(tg.asarray([[3, 1], [1, 2]]))
    Tensor([1, 2, 3])
    """
    return _Groups("unique_values", x).values()
