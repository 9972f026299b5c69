"""Batches ahead of time: the next one is on its way to the device while this one is computed with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Any, Generic, TypeVar

from .. import backend
from ..structures import mapped
from ..tensor import HELD, wrap

__all__ = ["Prefetch"]

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Go through batches with their host arrays as tensors, one batch ahead.

    An array is copied when its batch is taken from the iterable, one batch before it is given; the iterable may use it
    again. On a GPU the copy goes by pinned memory and in a stream of its own: the host does not wait for it, and what
    the GPU computes only where the batch is used before all of it is there.

    Parameters
    ----------
    batches
        Tuples, lists, dictionaries or dataclasses of NumPy arrays of real numbers or bools, within each other as you
        like, or plain arrays. Whatever else is in them is given as it is.

    Raises
    ------
    TypeError
        From ``len``, if ``batches`` have no length.

    Examples
    --------
    >>> import numpy as np
    >>> batches = [(np.full((2, 2), number), f"batch {number}") for number in range(2)]
    >>> for x, name in Prefetch(batches):
    ...     print(name, x.tolist())
    batch 0 [[0, 0], [0, 0]]
    batch 1 [[1, 1], [1, 1]]
    """

    def __init__(self, batches: Iterable[T]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        if not isinstance(self.batches, Sized):
            raise TypeError(f"Prefetch: got {type(self.batches).__name__}, which has no length.")
        return len(self.batches)

    def __iter__(self) -> Iterator[T]:
        coming: list[Any] = []
        failure = None
        batches = iter(self.batches)
        while failure is None:
            try:
                coming.append(mapped(_started, next(batches)))
            except Exception as error:  # what came before it is given first
                failure = error
            if coming and (len(coming) == 2 or failure is not None):
                yield mapped(_arrived, coming.pop(0))
        if not isinstance(failure, StopIteration):
            raise failure


def _started(x: Any) -> Any:
    """Return an array's copy that is under way, or as it is what is none of numbers or bools of the host's."""
    held = HELD.get(x.dtype) if backend.is_host_array(x) else None
    return x if held is None else backend.Upload(x.astype(held, copy=False))


def _arrived(x: Any) -> Any:
    """Return the tensor of a copy."""
    return wrap(x.array(), None) if isinstance(x, backend.Upload) else x
