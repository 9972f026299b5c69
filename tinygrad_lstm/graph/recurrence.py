"""Where a recurrence stands in a graph: its steps, its gates, the ops between them, and a row and a column for each.

All of it is read off the edges. A step is a scope ``t=1``, ``t=2``, …; the results named ``c`` and ``h`` in it are its
states, its learned layers are the gates. From the state before, ops lead along the *belt* to the new one; other ops
*rise* from the gates to the belt, or *fall* from the belt to ``h``. A graph that is not made like that, in which an op
reads what it does not there, cannot be laid out in lanes, and `unrolled` says None.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

from .ir import Graph, Mark

__all__ = ["Recurrence", "Step", "Unrolled", "step_of", "unrolled", "with_steps"]

STEP = re.compile(r"t=(\d+)", re.ASCII)


@dataclass(frozen=True)
class Step:
    """One step of a recurrence, as ids of marks.

    Attributes
    ----------
    name
        Its scope, as ``"t=1"``.
    reads, h_before, c_before
        The input (None if there is none) and the states before.
    h, c
        The states that it makes.
    gates
        The learned layers, in the order of their columns.
    belt, rise, fall
        The ops from ``c_before`` to ``c``, from the gates to the belt, and from ``c`` to ``h``, in their order.
    column
        For each op the mark at the foot of its column: a gate, or the op itself.
    height
        For each gate and rising op how many ops are below it.
    rows
        How many rows of ops are needed between the gates and the belt.
    """

    name: str
    reads: int | None
    h_before: int
    c_before: int
    h: int
    c: int
    gates: tuple[int, ...]
    belt: tuple[int, ...]
    rise: tuple[int, ...]
    fall: tuple[int, ...]
    column: dict[int, int]
    height: dict[int, int]
    rows: int


@dataclass(frozen=True)
class Recurrence:
    """The steps of one layer, and the scope around them."""

    scope: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def rows(self) -> int:
        """How many rows of ops all steps have between their gates and their belt."""
        return max(step.rows for step in self.steps)


@dataclass(frozen=True)
class Unrolled:
    """A stack of recurrent layers, each reading the ``h`` of the one below, and the chains before and after it.

    Attributes
    ----------
    layers
        The recurrences, the lowest first.
    source
        The chain of marks that makes the sequence of which each step takes its part; empty if steps have inputs of
        their own.
    tail
        The chain of marks that is computed from the states; its first one reads ``outputs``.
    outputs
        The states of the highest layer that the tail reads, in their order.
    """

    layers: tuple[Recurrence, ...]
    source: tuple[int, ...]
    tail: tuple[int, ...]
    outputs: tuple[int, ...]


class _Irregular(Exception):
    """The graph is not a recurrence that can be laid out in lanes."""


def _expect(condition: object) -> None:
    if not condition:
        raise _Irregular


def step_of(scope: Sequence[str]) -> int | None:
    """Return the number of the step that a scope is in.

    >>> step_of(("LSTM", "l0", "t=3"))
    3
    """
    return next((int(match[1]) for name in scope if (match := STEP.fullmatch(name))), None)


def with_steps(graph: Graph) -> Graph:
    """Return the graph with scopes ``t=1``, ``t=2``, … for a cell that was called in a loop: each ``h`` ends a step."""
    if any(step_of(mark.scope) is not None for mark in graph):
        return graph
    states: dict[tuple[str, ...], list[int]] = {}
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


def _is_cell(graph: Graph, scope: tuple[str, ...], ends: Sequence[int]) -> bool:
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


def unrolled(graph: Graph) -> Unrolled | None:
    """Return the recurrence that a graph is, its learned layers folded; None if it is none or not a regular one."""
    try:
        layers = _layers(graph)
        stepwise = {id for layer in layers for step in layer.steps for id in _members(step)}
        source = _source(graph, layers)
        rest = [mark for mark in graph if not mark.stored and mark.id not in stepwise and mark.id not in source]
        outputs = _tail_reads(graph, layers, rest)
    except _Irregular:
        return None
    return Unrolled(layers, source, tuple(mark.id for mark in rest), outputs)


def _members(step: Step) -> set[int]:
    """Return the ids of what a step computes, its part of the sequence included."""
    return {id for id in (step.reads, *step.gates, *step.belt, *step.rise, *step.fall) if id is not None}


def _layers(graph: Graph) -> tuple[Recurrence, ...]:
    """Return the recurrences of a graph, the lowest first."""
    layers = []
    for scope, marks in _by_step(graph).items():
        numbers = sorted(marks)
        _expect(numbers == list(range(1, len(numbers) + 1)))
        layers.append(_recurrence(graph, scope, [marks[number] for number in numbers]))
    _expect(layers)
    for lower, upper in itertools.pairwise(layers):
        _expect([step.h for step in lower.steps] == [step.reads for step in upper.steps])
    return tuple(layers)


def _by_step(graph: Graph) -> dict[tuple[str, ...], dict[int, list[Mark]]]:
    """Return the computed marks of the steps, by the scope around the steps and by the step's number."""
    steps: dict[tuple[str, ...], dict[int, list[Mark]]] = {}
    for mark in graph:
        places = [place for place, name in enumerate(mark.scope) if STEP.fullmatch(name)]
        _expect(len(places) <= 1)
        number = step_of(mark.scope)
        if number is not None and not mark.stored and not _is_part(graph, mark):
            steps.setdefault(mark.scope[: places[0]], {}).setdefault(number, []).append(mark)
    return steps


def _is_part(graph: Graph, mark: Mark) -> bool:
    """Tell whether this is what a step reads of a sequence: wherever it was taken, it belongs to its readers."""
    return mark.op == "getitem" and all(user.parts for user in graph.uses[mark.id])


def _recurrence(graph: Graph, scope: tuple[str, ...], marks: list[list[Mark]]) -> Recurrence:
    """Return one recurrence from the computed marks of each of its steps."""
    steps: list[Step] = []
    for number in range(len(marks)):
        steps.append(_step(graph, marks[number], _states_before(graph, marks, number), f"t={number + 1}"))
    for step, after in itertools.pairwise(steps):
        _expect((after.h_before, after.c_before) == (step.h, step.c))
    _expect(graph[steps[0].h_before].stored and graph[steps[0].c_before].stored)
    readers = {user.id for step in steps for user in graph.uses[step.c]}
    _expect(readers <= {id for step in steps for id in (*step.belt, *step.fall)})
    return Recurrence(scope, tuple(steps))


def _named(marks: Iterable[Mark], label: str) -> Mark:
    """Return the only mark of a name."""
    found = [mark for mark in marks if mark.label == label]
    _expect(len(found) == 1)
    return found[0]


def _gates(marks: Iterable[Mark]) -> list[Mark]:
    """Return the learned layers among marks."""
    return [mark for mark in marks if mark.parts and not mark.stored]


def _states_before(graph: Graph, marks: list[list[Mark]], number: int) -> tuple[int, int | None]:
    """Return ``h`` and ``c`` before a step.

    Before the first, ``h`` stands where it does in the second, or has its shape; ``c`` is not known yet.
    """
    if number > 0:
        return _named(marks[number - 1], "h").id, _named(marks[number - 1], "c").id
    gates = _gates(marks[0])
    _expect(gates)
    h = _named(marks[0], "h").id
    if len(marks) == 1:
        alike = [id for id in gates[0].sources if graph[id].shape == graph[h].shape]
        _expect(alike)
        return next((id for id in alike if graph[id].label == "h"), alike[0]), None
    later = _gates(marks[1])
    _expect(later and h in later[0].sources and len(later[0].sources) == len(gates[0].sources))
    return gates[0].sources[later[0].sources.index(h)], None


def _step(graph: Graph, marks: list[Mark], before: tuple[int, int | None], name: str) -> Step:
    """Return a step from its computed marks and the states before it."""
    h_before, c_before = before
    h, c = _named(marks, "h"), _named(marks, "c")
    learned = _gates(marks)
    reads = _read_by_all(learned, h_before)
    ops = [mark for mark in marks if not mark.parts]
    made_here = {mark.id for mark in (*learned, *ops)}
    outside = {i for op in ops for i in op.sources if i not in made_here and not graph[i].is_number}
    _expect(len(outside) == 1 and c_before in (None, *outside))
    (c_before,) = outside
    _expect(h in ops and c in ops)
    _expect(all(len(graph.uses[id]) == 1 and graph.uses[id][0].id in made_here for id in made_here - {h.id, c.id}))
    belt = _path(graph, c_before, c.id, made_here)
    fall = _path(graph, c.id, h.id, made_here)
    rise = tuple(op.id for op in ops if op.id not in belt and op.id not in fall)
    gates, column, height, rows = _places(graph, {c_before, *belt, *fall}, belt, fall)
    return Step(name, reads, h_before, c_before, h.id, c.id, gates, belt, rise, fall, column, height, rows)


def _read_by_all(gates: Sequence[Mark], h_before: int) -> int | None:
    """Return the one thing beside ``h`` that the gates read: all of them the same, or none of them anything."""
    _expect(gates and len({frozenset(gate.sources) for gate in gates}) == 1)
    others = [id for id in gates[0].sources if id != h_before]
    _expect(h_before in gates[0].sources and len(others) <= 1)
    return others[0] if others else None


def _path(graph: Graph, start: int, end: int, within: set[int]) -> tuple[int, ...]:
    """Return the ops from one state to another, the last one making it: each has one user, so there is one path."""
    path: list[int] = []
    while start != end:
        users = [user.id for user in graph.uses[start] if user.id in within]
        _expect(len(users) == 1)
        start = users[0]
        path.append(start)
    return tuple(path)


def _places(
    graph: Graph, path: Set[int], belt: Sequence[int], fall: Sequence[int]
) -> tuple[tuple[int, ...], dict[int, int], dict[int, int], int]:
    """Return a step's gates in order, the columns and heights of its marks, and the number of rows.

    Gates stand in the order in which they are met along the belt, then down from it. So no line crosses another: an op
    stands over its last operand, and the others come to it from the left.
    """
    column: dict[int, int] = {}
    height: dict[int, int] = {}
    gates: list[int] = []
    rows = len(fall)
    for op in (*belt, *fall):
        rising = [i for i in graph[op].sources if i not in path and not graph[i].is_number]
        _expect(len(rising) <= 1)
        for root in rising:
            gates += _raised(graph, root, column, height)
            rows = max(rows, height[root] + (fall.index(op) + 1 if op in fall else 0))
        column[op] = column[rising[0]] if rising else op
    foot = next((column[op] for op in reversed(fall) if column[op] != op), fall[-1])
    column |= dict.fromkeys(fall, foot)
    return tuple(gates), column, height, rows


def _raised(graph: Graph, root: int, column: dict[int, int], height: dict[int, int]) -> list[int]:
    """Place the tree of ops over some gates, and return those gates from left to right."""
    order: list[int] = []
    waiting = [root]
    while waiting:
        id = waiting.pop()
        order.append(id)
        if not graph[id].parts:
            waiting.extend(i for i in graph[id].sources if not graph[i].is_number)
    for id in reversed(order):
        operands = [i for i in graph[id].sources if i in height] if not graph[id].parts else []
        column[id] = column[operands[-1]] if operands else id
        height[id] = 1 + max((height[i] for i in operands), default=-1)
    return [id for id in reversed(order) if graph[id].parts]


def _source(graph: Graph, layers: Sequence[Recurrence]) -> tuple[int, ...]:
    """Return the chain that makes the sequence of which each step takes its part, if there is one."""
    parts = [graph[step.reads] for step in layers[0].steps if step.reads is not None]
    made = [part for part in parts if not part.stored]
    if not made:
        return ()
    sources = {part.sources for part in made}
    _expect(len(made) == len(layers[0].steps) and len(sources) == 1 and all(part.op == "getitem" for part in made))
    chain: list[int] = []
    computed = [id for id in made[0].sources if not graph[id].stored]
    _expect(computed)
    while computed:
        _expect(len(computed) == 1)
        chain.append(computed[0])
        computed = [id for id in graph[computed[0]].sources if not graph[id].stored]
    for id, user in zip(chain[1:], chain, strict=False):
        _expect({use.id for use in graph.uses[id]} == {user})
    _expect({use.id for use in graph.uses[chain[0]]} == {part.id for part in made})
    return tuple(reversed(chain))


def _tail_reads(graph: Graph, layers: Sequence[Recurrence], tail: Sequence[Mark]) -> tuple[int, ...]:
    """Return the states that the tail reads, after a check that it is a chain which reads nothing else of the steps."""
    states = [step.h for step in layers[-1].steps]
    reads: tuple[int, ...] = ()
    for place, mark in enumerate(tail):
        computed = tuple(id for id in mark.sources if not graph[id].stored)
        if place == 0:
            _expect(set(computed) <= set(states))
            reads = tuple(sorted(set(computed)))
            _expect(reads)
        else:
            _expect(set(computed) == {tail[place - 1].id})
    return reads
