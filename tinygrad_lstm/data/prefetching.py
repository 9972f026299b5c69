"""Batches ahead of time: the next one is on its way to the device while this one is computed with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, Generic, TypeVar

from .. import backend
from ..tensor import wrap

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
        Tuples, lists or dictionaries of NumPy arrays, within each other as you like, or plain arrays. Whatever else is
        in them is given as it is.

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
        for batch in self.batches:
            coming.append(_each(batch, _started))
            if len(coming) == 2:
                yield _each(coming.pop(0), _arrived)
        for last in coming:
            yield _each(last, _arrived)


def _started(x: Any) -> Any:
    """Return an array's copy that is under way, or what is no host array as it is."""
    return backend.Upload(x) if backend.is_host_array(x) else x


def _arrived(x: Any) -> Any:
    """Return the tensor of a copy."""
    return wrap(x.array(), None) if isinstance(x, backend.Upload) else x


def _each(batch: Any, change: Callable[[Any], Any]) -> Any:
    """Return tuples, lists and dictionaries with what is in them changed."""
    if isinstance(batch, dict):
        return {key: _each(part, change) for key, part in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_each(part, change) for part in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(_each(part, change) for part in batch)
    return change(batch)
