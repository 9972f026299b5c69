"""What a case is: something public, how it is made and called, and where its inputs lie."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from .. import ops

__all__ = [
    "Case", "Input", "above_one", "apart", "case", "each", "positive", "real", "sketch", "special", "truth", "unit",
    "whole", "within_one",
]  # fmt: skip

Input: TypeAlias = Callable[[Any], Any]
"""An array in host memory, as a function of the generator that draws it."""


@dataclass(frozen=True)
class Case:
    """Something public, computed in one way.

    Attributes
    ----------
    of
        The name of the op, module or optimiser.
    how
        In which way, in a few words; may be empty.
    make
        Returns what is called. The parameters of a module join the inputs.
    inputs
        What it is called with.
    call
        How it is called, as a function of what was made and of the inputs; plainly if None.
    """

    of: str
    how: str
    make: Callable[[], Callable[..., Any]]
    inputs: tuple[Input, ...]
    call: Callable[..., Any] | None = None

    @property
    def name(self) -> str:
        """The name by which it is reported.

        >>> case("sum", real(2, 3), axis=1).name
        'sum, axis=1'
        """
        return f"{self.of}, {self.how}" if self.how else self.of

    @property
    def seed(self) -> int:
        """Where its random numbers start: the same in every process."""
        return zlib.crc32(self.name.encode())


def case(name: str, *inputs: Input, how: str = "", call: Callable[..., Any] | None = None, **settings: Any) -> Case:
    """Return a case of an op: called with inputs and settings, or as ``call`` calls it with the inputs alone."""
    function = partial(getattr(ops, name), **settings) if call is None else call
    return Case(name, how or sketch(settings), lambda: function, inputs)


def each(names: str, *inputs: Input, **settings: Any) -> list[Case]:
    """Return a case of each op of a list of names."""
    return [case(name, *inputs, **settings) for name in names.split()]


def sketch(settings: dict[str, Any]) -> str:
    """Return settings as one writes them.

    >>> sketch({"axis": (0, 2), "nonlinearity": ops.sin})
    'axis=(0, 2), nonlinearity=sin'
    """
    return ", ".join(f"{name}={getattr(value, '__name__', value)}" for name, value in settings.items())


# Where numbers lie


def real(*shape: int) -> Input:
    """Numbers of both signs."""
    return lambda rng: rng.uniform(-2, 2, shape)


def positive(*shape: int) -> Input:
    """Numbers well above 0."""
    return lambda rng: rng.uniform(0.4, 2, shape)


def apart(*shape: int) -> Input:
    """Numbers of both signs, away from 0."""
    return lambda rng: rng.uniform(0.4, 2, shape) * rng.choice([-1, 1], shape)


def within_one(*shape: int) -> Input:
    """Numbers between -1 and 1, away from both."""
    return lambda rng: rng.uniform(-0.9, 0.9, shape)


def above_one(*shape: int) -> Input:
    """Numbers well above 1."""
    return lambda rng: rng.uniform(1.2, 4, shape)


def unit(*shape: int) -> Input:
    """Numbers between 0 and 1, away from both."""
    return lambda rng: rng.uniform(0.05, 0.95, shape)


def whole(below: int, *shape: int) -> Input:
    """Integers from 0."""
    return lambda rng: rng.integers(0, below, shape)


def truth(*shape: int) -> Input:
    """Truth values."""
    return lambda rng: rng.integers(0, 2, shape) == 1


def special(*shape: int) -> Input:
    """Numbers that have rules of their own: infinities, NaN, zeros of both signs; and numbers near and far."""
    choice = [math.inf, -math.inf, math.nan, 0.0, -0.0, 1.0, -1.5, 1e-30, 1e30, 100.0, -100.0]
    return lambda rng: rng.choice(choice, shape)
