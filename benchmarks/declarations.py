"""What a benchmark is: which work of which sizes, which programs do it, and what is to be reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distributions
from importlib.util import find_spec
from shutil import which
from typing import Any, NamedTuple, TypeAlias

from .targets import Target

Size: TypeAlias = tuple[Any, ...]
"""What distinguishes one case of a benchmark from another, usually numbers: (T, B, input, hidden)."""

Answers: TypeAlias = Mapping[str, Any]
"""Arrays by name: what a program has computed."""


class Step(NamedTuple):
    """What is timed, over and over, and what the first time left behind, if it can be compared."""

    run: Callable[[], Any]
    answers: Callable[[], Answers] | None = None


@dataclass(frozen=True)
class Program:
    """One way to do the work, in a process of its own.

    Attributes
    ----------
    make
        Makes the step from the work. It imports its libraries itself; only its own process does.
    needs
        Modules, distributions and commands without which it is left out.
    environment
        Variables of its process.
    sizes
        The sizes that it does; all if None.
    """

    make: Callable[[Any], Step]
    needs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    sizes: Sequence[Size] | None = None

    def installed(self) -> bool:
        """Tell whether what it needs is there."""
        return all(there(name) for name in self.needs)


def there(name: str) -> bool:
    """Tell whether there is a module, a distribution or a command of a name.

    >>> there("numpy"), there("no such thing")
    (True, False)
    """
    return bool(find_spec(name) or which(name) or next(distributions(name=name), None))


@dataclass(frozen=True)
class Benchmark:
    """Programs that do the same work, and are timed in turns.

    Attributes
    ----------
    name
        What is typed to choose it.
    about
        One line that says what a step is.
    axes
        The names of the parts of a size.
    sizes
        The cases.
    work
        Makes from a size what every program gets: the same for all, so random numbers start from a seed.
    programs
        By name; the answers of the others are held to those of the first that has any.
    baseline
        The program to whose time the others' is told as a ratio.
    quick
        The size of a smoke run.
    targets
        What is to be reached.
    unit, count
        What a step does many of, and how many, if speed is to be told per second.
    tolerance
        How far answers may be apart, in parts of the largest number of an array.
    least
        How many steps a turn has at least.
    """

    name: str
    about: str
    axes: tuple[str, ...]
    sizes: Sequence[Size]
    work: Callable[[Size], Any]
    programs: Mapping[str, Program]
    baseline: str
    quick: Size
    targets: tuple[Target, ...] = ()
    unit: str = ""
    count: Callable[[Size], int] | None = None
    tolerance: float = 1e-3
    least: int = 3
