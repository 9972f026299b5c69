"""Statistics of runs: medians, quartiles, and ratios of what was timed in the same round."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Spread(NamedTuple):
    """A median between its quartiles."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Result:
    """What was measured of a program at one size.

    Attributes
    ----------
    benchmark, size, program
        What it was.
    milliseconds
        Of a step, the median of each of its turns, in the order of the rounds.
    peak, added
        The largest memory of its process in MiB, and by how much the steps exceeded what it had before the first;
        None where the system does not tell.
    others
        What part of the machine other work took meanwhile, in the worst turn.
    """

    benchmark: str
    size: tuple[Any, ...]
    program: str
    milliseconds: tuple[float, ...]
    peak: float | None = None
    added: float | None = None
    others: float = 0.0

    @property
    def median(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.milliseconds)


def spread(numbers: Sequence[float]) -> Spread:
    """Return the median and the quartiles.

    >>> spread([4.0, 1.0, 3.0, 2.0, 5.0])
    Spread(low=2.0, middle=3.0, high=4.0)
    >>> spread([7.0])
    Spread(low=7.0, middle=7.0, high=7.0)
    """
    if len(numbers) == 1:
        return Spread(numbers[0], numbers[0], numbers[0])
    return Spread(*statistics.quantiles(numbers, n=4, method="inclusive"))


def paired(ours: Result, theirs: Result) -> Spread:
    """Return the ratio of two programs' times, taken round by round.

    >>> fast, slow = (Result("sum", (9,), name, ms) for name, ms in {"a": (1.0, 2.0), "b": (2.0, 8.0)}.items())
    >>> paired(fast, slow).middle
    0.375
    """
    return spread([a / b for a, b in zip(ours.milliseconds, theirs.milliseconds, strict=True)])


def best(results: Iterable[Result]) -> Result:
    """Return the result with the lowest median."""
    return min(results, key=lambda result: result.median)


def exponent(sizes: Sequence[float], amounts: Sequence[float]) -> float:
    """Return the power of the size by which an amount grows: the slope of a line through their logarithms.

    >>> round(exponent([1, 10, 100], [3, 30, 300]), 6)
    1.0
    """
    slope, _ = statistics.linear_regression([math.log(x) for x in sizes], [math.log(y) for y in amounts])
    return slope
