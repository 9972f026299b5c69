"""What a recurrence is: steps that are alike, what they have in common, and what comes before and after them.

A step is a scope ``t=1``, ``t=2``, …; what one step makes and the next one reads is a *state*. The *belt* is the state
that ops on elements alone lead from step to step: the cell state of an LSTM, the hidden state of a GRU. `unrolled` in
``unrolling`` finds all of it.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

from .ir import Graph

__all__ = [
    "Beside", "Irregular", "Operand", "Pattern", "Recurrence", "Scope", "Step", "Unrolled", "expect", "step_before",
    "step_of", "with_steps",
]  # fmt: skip

STEP = re.compile(r"t=(\d+)", re.ASCII)

Scope: TypeAlias = "tuple[str, ...]"


# What a recurrence is


class Operand(NamedTuple):
    """What a mark of a step reads: a mark of the same step by its place, a state before it, or an input."""

    kind: Literal["here", "state", "read"]
    number: int


@dataclass(frozen=True)
class Pattern:
    """What the steps of a recurrence have in common.

    Attributes
    ----------
    operands
        For each place what the mark there reads, one used twice once; numbers are part of the ops that use them.
    learned
        The places of learned layers.
    shared
        The places of parameters that no layer has taken in, one for each use; they are the same in all steps.
    states
        The places of the marks that make the states; that of the belt is the first, what is shown is the last.
    letters
        The names of the states.
    belt
        The places along the way from the first state to the next one.
    """

    operands: tuple[tuple[Operand, ...], ...]
    learned: frozenset[int]
    shared: frozenset[int]
    states: tuple[int, ...]
    letters: tuple[str, ...]
    belt: tuple[int, ...] = ()

    @cached_property
    def users(self) -> dict[Operand, tuple[int, ...]]:
        """The places at which something is read."""
        users: dict[Operand, list[int]] = {}
        for place, operands in enumerate(self.operands):
            for operand in operands:
                users.setdefault(operand, []).append(place)
        return {operand: tuple(places) for operand, places in users.items()}

    def inner(self, place: int) -> list[int]:
        """Return the places of what a mark reads of its own step."""
        return [operand.number for operand in self.operands[place] if operand.kind == "here"]

    def way(self, start: Iterable[Operand], end: int, through: Callable[[int], bool]) -> tuple[int, ...]:
        """Return the longest way by some places from one of several things to a place; () if there is none."""
        ways: dict[Operand, tuple[int, ...]] = dict.fromkeys(start, ())
        for place, operands in enumerate(self.operands):
            before = [ways[operand] for operand in operands if operand in ways]
            here = Operand("here", place)
            if before and through(place) and here not in ways:
                ways[here] = (*max(before, key=len), place)
        return ways.get(Operand("here", end), ())


@dataclass(frozen=True)
class Step:
    """One step of a recurrence, as ids of marks.

    Attributes
    ----------
    number
        That of its scope, from 1.
    marks
        What stands in the places of the pattern. In the first step that may be stored: what is computed from constants
        alone is on no tape.
    reads
        Its inputs.
    before
        The states before it; None if it reads one nowhere, though other steps do.
    """

    number: int
    marks: tuple[int | None, ...]
    reads: tuple[int | None, ...]
    before: tuple[int | None, ...]

    @property
    def name(self) -> str:
        """The step's scope."""
        return f"t={self.number}"


@dataclass(frozen=True)
class Recurrence:
    """One layer over a sequence.

    Attributes
    ----------
    scope
        The scopes around the steps.
    pattern, steps
        What the steps have in common, and the steps in the order in which they were computed.
    """

    scope: Scope
    pattern: Pattern
    steps: tuple[Step, ...]

    @property
    def is_reverse(self) -> bool:
        """Whether the sequence is read from its end."""
        return len(self.steps) > 1 and self.steps[0].number > self.steps[1].number

    def after(self, step: Step) -> tuple[int, ...]:
        """Return the states that a step makes."""
        return tuple(id for place in self.pattern.states if (id := step.marks[place]) is not None)

    def output(self, step: Step) -> int:
        """Return what is shown of the state: ``h``, the last of the states."""
        return self.after(step)[-1]


@dataclass(frozen=True)
class Beside:
    """What is computed from each step's output alone, such as a loss at every step, and how it adds up.

    Attributes
    ----------
    chains
        For each step, marks that are computed one from another, the first one from the output.
    sums
        What adds up the ends of the chains, each but the first reading the one before; None for a step without it.
    """

    chains: tuple[tuple[int, ...], ...] = ()
    sums: tuple[int | None, ...] = ()


@dataclass(frozen=True)
class Unrolled:
    """A stack of recurrent layers, each reading the output of the one below, and what comes before and after it.

    Attributes
    ----------
    layers
        The recurrences, the lowest first.
    turned
        The one that reads the same inputs as the only layer from their end, if there is one.
    source
        The chain of marks that makes the sequence of which each step takes its part; empty if steps have inputs of
        their own.
    beside
        What is computed at every step.
    gathers
        What gathers the outputs of the one direction and those of the other, if there are two; None where the tail
        reads them itself.
    tail
        The chain of marks that is computed from the outputs, or from what is beside.
    outputs, reverse_outputs
        What the tail reads of both directions: outputs, or the ends of the chains beside them, in their order.
    """

    layers: tuple[Recurrence, ...]
    turned: tuple[Recurrence, ...] = ()
    source: tuple[int, ...] = ()
    beside: Beside = Beside()
    gathers: tuple[int | None, int | None] = (None, None)
    tail: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    reverse_outputs: tuple[int, ...] = ()


class Irregular(Exception):
    """The graph is no recurrence whose steps are alike."""


def expect(condition: object) -> None:
    """Raise `Irregular` unless something is as a recurrence has it."""
    if not condition:
        raise Irregular


# Steps


def step_of(scope: Sequence[str]) -> int | None:
    """Return the number of the step that a scope is in.

    >>> step_of(("LSTM", "l0", "t=3"))
    3
    """
    return next((int(match[1]) for name in scope if (match := STEP.fullmatch(name))), None)


def step_before(graph: Graph, scope: Scope) -> int | None:
    """Return the number of the step that was computed before the one that a scope is in, were there any.

    That is one less, or one more where the sequence is read from its end.
    """
    step = step_of(scope)
    if step is None:
        return None
    depth = next(depth for depth, name in enumerate(scope) if step_of([name]) is not None)
    marks = graph.marks if graph.record is None else graph.record.marks.values()
    numbers = (step_of(mark.scope[depth : depth + 1]) for mark in marks if mark.scope[:depth] == scope[:depth])
    runs = itertools.groupby(number for number in numbers if number is not None)
    order = [number for number, _ in itertools.islice(runs, 2)]
    return step + 1 if len(order) == 2 and order[1] < order[0] else step - 1


def with_steps(graph: Graph) -> Graph:
    """Return the graph with scopes ``t=1``, ``t=2``, … for a cell that was called in a loop: each ``h`` ends a step."""
    if any(step_of(mark.scope) is not None for mark in graph):
        return graph
    states: dict[Scope, list[int]] = {}
    for mark in graph:
        if mark.label == "h" and mark.scope:
            states.setdefault(mark.scope, []).append(mark.id)
    cells = {scope: ends for scope, ends in states.items() if _is_cell(graph, scope, ends)}
    marks = []
    for mark in graph:
        ends = cells.get(mark.scope, [])
        step = bisect.bisect_left(ends, mark.id) + 1
        marks.append(replace(mark, scope=(*mark.scope, f"t={step}")) if step <= len(ends) else mark)
    return Graph(tuple(marks))


def _is_cell(graph: Graph, scope: Scope, ends: Sequence[int]) -> bool:
    """Tell whether what is called ``h`` in a scope is a cell's state: each comes from the one before, or there is c."""
    has_c = any(mark.label == "c" and mark.scope == scope for mark in graph)
    return has_c or (len(ends) > 1 and all(_leads_to(graph, *pair) for pair in itertools.pairwise(ends)))


def _leads_to(graph: Graph, start: int, end: int) -> bool:
    """Tell whether one mark is computed from another, were it with a value that was detached on the way."""
    seen: set[int] = set()
    waiting = [end]
    while waiting:
        id = waiting.pop()
        if id > start and id not in seen:
            seen.add(id)
            cut = graph[id].cut
            waiting.extend(graph[id].sources if cut is None else (cut,))
        elif id == start:
            return True
    return False
