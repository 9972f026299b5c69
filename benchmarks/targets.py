"""Targets as data: each finds its figure among the results, and knows whether it is reached."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from .figures import Result, best, exponent, paired


class Verdict(NamedTuple):
    """A target with its figure."""

    says: str
    figure: float
    goal: float

    @property
    def reached(self) -> bool:
        """Whether the figure is at most the goal, as it is printed."""
        return round(self.figure, 2) <= self.goal

    def __str__(self) -> str:
        verdict = "reached" if self.reached else "missed"
        return f"{self.says}: {self.figure:.2f}, goal {self.goal:.2f}: {verdict}"


class Target(Protocol):
    """What is to be reached."""

    def judge(self, results: Sequence[Result]) -> Verdict | None:
        """Return the verdict on a benchmark's results, None if they do not hold what it needs."""


MEANS: dict[str, Callable[[Sequence[float]], float]] = {
    "geometric mean": statistics.geometric_mean,
    "largest": max,
}


@dataclass(frozen=True)
class Ratio:
    """The time of a program over that of the best of others, the median over the rounds, across sizes.

    Attributes
    ----------
    ours
        The program.
    others
        The programs of which, at each size, the fastest counts.
    called
        What the others are called together.
    goal
        What the ratio is to be at most.
    across
        How the sizes come together: a key of `MEANS`.
    sizes
        The sizes that count; all if None.
    """

    ours: str
    others: tuple[str, ...]
    called: str
    goal: float
    across: str
    sizes: Sequence[tuple[Any, ...]] | None = None

    def judge(self, results: Sequence[Result]) -> Verdict | None:
        """Return the verdict."""
        ratios = []
        for size in dict.fromkeys(result.size for result in results):
            at = {result.program: result for result in results if result.size == size}
            others = [at[name] for name in self.others if name in at]
            if (self.sizes is None or size in self.sizes) and self.ours in at and others:
                ratios.append(paired(at[self.ours], best(others)).middle)
        if not ratios:
            return None
        where = f"{self.across} of {len(ratios)}"
        if self.sizes and len(self.sizes) == 1:
            where = f"at {', '.join(map(str, self.sizes[0]))}"
        return Verdict(f"{self.ours} / {self.called}, {where}", MEANS[self.across](ratios), self.goal)


@dataclass(frozen=True)
class Flat:
    """How many times as much the dearest size costs, per unit of the work, as the cheapest."""

    ours: str
    count: Callable[[tuple[Any, ...]], int]
    unit: str
    goal: float

    def judge(self, results: Sequence[Result]) -> Verdict | None:
        """Return the verdict."""
        costs = [result.median / self.count(result.size) for result in results if result.program == self.ours]
        if len(costs) < 2:
            return None
        return Verdict(f"{self.ours}: cost per {self.unit}, largest / smallest", max(costs) / min(costs), self.goal)


@dataclass(frozen=True)
class Memory:
    """The power of the size by which the memory that the steps add grows."""

    ours: str
    count: Callable[[tuple[Any, ...]], int]
    unit: str
    goal: float

    def judge(self, results: Sequence[Result]) -> Verdict | None:
        """Return the verdict."""
        found = [(self.count(r.size), r.added) for r in results if r.program == self.ours and r.added]
        if len(found) < 2:
            return None
        power = exponent([count for count, _ in found], [added for _, added in found])
        return Verdict(f"{self.ours}: memory grows as the {self.unit} to the power of", power, self.goal)


@dataclass(frozen=True)
class Extra:
    """By how many milliseconds a program takes longer than another."""

    ours: str
    other: str
    goal: float

    def judge(self, results: Sequence[Result]) -> Verdict | None:
        """Return the verdict."""
        at = {result.program: result for result in results}
        if self.ours not in at or self.other not in at:
            return None
        pairs = zip(at[self.ours].milliseconds, at[self.other].milliseconds, strict=True)
        return Verdict(f"{self.ours} over {self.other}, ms", statistics.median(a - b for a, b in pairs), self.goal)
