"""Examples in parts and in batches: drawn by a seed, and the same on every backend."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from .. import backend
from ..ops.shape import at_least

__all__ = ["Minibatches", "random_split"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

POOL = 50
"""How many batches' worth of examples are sorted by length together: few enough that batches differ from seed to seed,
many enough that the lengths within a batch hardly do."""


class Dataset(Protocol[T_co]):
    """Examples by number: a list, a range, a tensor's rows, or anything else that has these two."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> T_co: ...


class Minibatches(Generic[T]):
    """The examples of a dataset in batches, each example once: one pass, the same every time it is gone through.

    Parameters
    ----------
    dataset
        Examples by number: a list of anything, or what else has a length and takes an index.
    batch_size
        How many examples are in a batch; the last one may have fewer.
    seed
        Shuffle the examples, a number a pass: the epoch's own number will do. None keeps their order.
    length
        Put examples of similar length into a batch, so that little is padded: a function that returns the length of
        an example. Runs of 50 batches are sorted by it; shuffled batches then come in any order.
    drop_last
        Leave out the examples that do not fill a batch.

    Raises
    ------
    ValueError
        If a batch would have no examples.

    Examples
    --------
    >>> words = ["a", "be", "cat", "do", "e", "fig"]
    >>> for batch in Minibatches(words, 2, length=len):
    ...     print(batch)
    ['a', 'e']
    ['be', 'do']
    ['cat', 'fig']

    Of tensors, batches are rows by their numbers:

    >>> import tinygrad_lstm as tg
    >>> x = tg.arange(6) * 10
    >>> sorted(number for rows in Minibatches(range(6), 4, seed=0) for number in x[rows].tolist())
    [0, 10, 20, 30, 40, 50]
    """

    def __init__(
        self,
        dataset: Dataset[T],
        batch_size: int,
        *,
        seed: int | None = None,
        length: Callable[[T], int] | None = None,
        drop_last: bool = False,
    ) -> None:
        batch_size = at_least(1, "Minibatches", "batch_size", batch_size)
        generator = None if seed is None else backend.generator(seed)
        count = len(dataset)
        order = list(range(count)) if generator is None else generator.permutation(count).tolist()
        if drop_last:  # before they are sorted, or it would be the longest that are never seen
            del order[count - count % batch_size :]
        if length is not None:
            lengths = [length(dataset[i]) for i in range(count)]
            runs = _cut(order, POOL * batch_size)
            order = [i for run in runs for i in sorted(run, key=lengths.__getitem__)]
        batches = _cut(order, batch_size)
        if generator is not None and length is not None:
            batches = [batches[i] for i in generator.permutation(len(batches))]
        self._dataset, self._batches = dataset, batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[T]]:
        return ([self._dataset[i] for i in batch] for batch in self._batches)


def _cut(numbers: list[int], size: int) -> list[list[int]]:
    """Return numbers in parts of a size, the last of which may be smaller."""
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def random_split(dataset: Dataset[T], lengths: Sequence[float], *, seed: int) -> list[list[T]]:
    """Return a dataset's examples in parts drawn at random, each example in one of them.

    Parameters
    ----------
    dataset
        Examples by number, as for `Minibatches`.
    lengths
        How many examples are in each part: counts that add up to all of them, or fractions that add up to 1. What
        fractions leave over is given to the first parts, one each, as in PyTorch.
    seed
        Where random numbers start: the same seed gives the same parts.

    Raises
    ------
    ValueError
        If the lengths do not add up, or one is negative.

    Examples
    --------
    >>> training, validation, test = random_split("abcdefghij", [0.7, 0.2, 0.1], seed=0)
    >>> len(training), len(validation), len(test)
    (7, 2, 1)
    >>> "".join(sorted(training + validation + test))
    'abcdefghij'
    """
    count = len(dataset)
    counts = _counts(lengths, count)
    order = iter(backend.generator(seed).permutation(count).tolist())
    return [[dataset[next(order)] for _ in range(part)] for part in counts]


def _counts(lengths: Sequence[float], count: int) -> list[int]:
    """Return how many of ``count`` examples go into each part."""
    if any(length < 0 for length in lengths):
        raise ValueError(f"random_split: got lengths {list(lengths)}, wanted none below 0.")
    if not all(isinstance(length, numbers.Integral) for length in lengths):
        if not math.isclose(sum(lengths), 1):
            raise ValueError(f"random_split: got fractions {list(lengths)}, wanted ones that add up to 1.")
        counts = [math.floor(length * count + 1e-9) for length in lengths]  # 0.29 * 100 is a little less than 29
        for i in range(count - sum(counts)):
            counts[i % len(counts)] += 1
        return counts
    counts = [int(length) for length in lengths]
    if sum(counts) != count:
        raise ValueError(
            f"random_split: got counts {counts}, wanted ones that add up to {count}, or fractions that add up to 1."
        )
    return counts
