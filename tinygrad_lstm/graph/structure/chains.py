"""Recurrences as chains of cells: what each step reads and what it hands on, whatever it does inside.

A step is a scope ``t=1``, ``t=2``, …, or one of the calls of a module that hands something on to its next call. What a
step makes and the next one reads is a *state*; it is known by its name, or else by its place among what the step makes.
`boxed` turns steps into cells: one mark for all that a step does, or several alike do, and one for each state after it.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .folding import Path, counted, in_order, leaves
from .ir import Graph, Mark
from .recurrence import step_of
from .simplify import row_taken, weights, without_unused

__all__ = ["Cell", "Chain", "apart", "boxed", "chains", "differing", "is_row", "looped", "repeated", "whole"]

ORDER = ("c", "", "h")
"""The names of states from the top to the bottom; the empty one stands for all others."""


@dataclass(frozen=True)
class Cell:
    """Steps of a recurrence that are drawn as one, or a step alone.

    Attributes
    ----------
    id
        The mark that stands for them in the boxed graph.
    first, last
        The numbers of the steps.
    members
        What they compute, as ids of the tape.
    before, after
        The states that they read and make, as ids by name; one before the first step may be missing.
    """

    id: int
    first: int
    last: int
    members: tuple[int, ...]
    before: Mapping[str, int]
    after: Mapping[str, int]

    @property
    def times(self) -> int:
        """How many steps these are."""
        return abs(self.last - self.first) + 1


@dataclass(frozen=True)
class Chain:
    """A recurrence.

    Attributes
    ----------
    path
        The scope around the steps.
    cells
        In the order in which they were computed.
    states
        Their names, from the top of a picture to its bottom.
    weights
        The parameters that the steps share, as ids of the tape.
    """

    path: Path
    cells: tuple[Cell, ...]
    states: tuple[str, ...]
    weights: tuple[int, ...]

    @property
    def reverse(self) -> bool:
        """Whether it begins with the last step."""
        return self.cells[0].first > self.cells[-1].last

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return sum(cell.times for cell in self.cells)


# Steps that have no scope of their own


def looped(graph: Graph) -> Graph:
    """Return the graph with scopes ``t=1``, ``t=2``, … around the calls of modules that are cells.

    That is what is called several times in one place, does the same each time, and reads what its last call has made,
    and something else. All its calls then count as one, of which each is a step.
    """
    calls: dict[Hashable, dict[int, list[Mark]]] = {}
    for mark in graph:
        if not mark.stored and not mark.is_swept and step_of(mark.scope) is None:
            for depth in range(len(mark.calls)):
                place = mark.scope[: depth + 1], mark.calls[:depth]
                calls.setdefault(place, {}).setdefault(mark.calls[depth], []).append(mark)
    learned = weights(graph)
    cells = {place: list(steps) for place, steps in calls.items() if _is_loop(list(steps.values()), learned)}
    return Graph(tuple(_with_step(mark, cells) for mark in graph)) if cells else graph


def _is_loop(steps: Sequence[Sequence[Mark]], learned: Collection[int]) -> bool:
    """Tell whether calls are the steps of a recurrence."""
    made: set[int] = set()
    for place, step in enumerate(steps):
        ids = {mark.id for mark in step}
        read = {i for mark in step for i in mark.sources if i not in ids and i not in learned}
        if place > 0 and (not read & made or not read - made or [m.op for m in step] != [m.op for m in steps[1]]):
            return False
        made = ids
    return len(steps) > 1


def _with_step(mark: Mark, cells: Mapping[Hashable, list[int]]) -> Mark:
    """Return a mark with the step that it is in, if it is in a cell."""
    for depth in range(len(mark.calls)):
        steps = cells.get((mark.scope[: depth + 1], mark.calls[:depth]))
        if steps is not None and not mark.stored and step_of(mark.scope) is None:
            call, inner = mark.calls[depth], depth + 1
            scope = (*mark.scope[:inner], f"t={steps.index(call) + 1}", *mark.scope[inner:])
            return replace(mark, scope=scope, calls=(*mark.calls[:depth], steps[0], call, *mark.calls[inner:]))
    return mark


def repeated(graph: Graph) -> Graph:
    """Return a long graph without any scope with scopes ``t=1``, ``t=2``, … where it does the same again and again.

    Steps read each the one before; what is done side by side, as neurons are, are none.
    """
    marks = [mark for mark in graph if not mark.stored]
    if any(mark.scope for mark in marks):
        return graph
    kinds = [(mark.op, mark.shape, mark.label) for mark in marks]
    quarter = len(kinds) // 4
    period = _period(kinds[quarter : len(kinds) - quarter])
    if 3 * period > len(kinds) - 2 * quarter:
        return graph
    start, end = quarter, quarter
    while start > 0 and kinds[start - 1] == kinds[start - 1 + period]:
        start -= 1
    while end + period < len(kinds) and kinds[end] == kinds[end + period]:
        end += 1
    steps = (end + period - start) // period
    step_of_id = {mark.id: place // period + 1 for place, mark in enumerate(marks[start : start + steps * period])}
    going_on = {
        step
        for id, step in step_of_id.items()
        if any(step_of_id.get(source) == step - 1 for source in graph[id].sources)
    }
    if len(going_on) < steps - 1:
        return graph
    return Graph(
        tuple(
            replace(mark, scope=(f"t={step_of_id[mark.id]}",), calls=(step_of_id[mark.id],))
            if mark.id in step_of_id
            else mark
            for mark in graph
        )
    )


def _period(kinds: Sequence[Hashable]) -> int:
    """Return after how many places a sequence repeats itself, by the failure function of Knuth, Morris and Pratt."""
    failure = [0] * len(kinds)
    length = 0
    for place in range(1, len(kinds)):
        while length and kinds[place] != kinds[length]:
            length = failure[length - 1]
        length += kinds[place] == kinds[length]
        failure[place] = length
    return len(kinds) - (failure[-1] if failure else 0)


# What is handed on


def chains(graph: Graph) -> tuple[Chain, ...]:
    """Return the recurrences in a graph, a cell for each step; none of them if one is not regular."""
    learned = weights(graph)
    found = []
    for (path, _), steps in _by_step(graph).items():
        chain = _chain(graph, path, steps, learned)
        if chain is None:
            return ()
        found.append(chain)
    return tuple(found)


def _by_step(graph: Graph) -> dict[tuple[Path, tuple[int, ...]], dict[int, list[Mark]]]:
    """Return what is computed in steps: by the scope around them and by their number, in the order of the tape."""
    steps: dict[tuple[Path, tuple[int, ...]], dict[int, list[Mark]]] = {}
    for mark in graph:
        number = None if mark.stored or mark.is_swept else step_of(mark.scope)
        is_read = is_row(mark) and all(graph[i].scope != mark.scope for i in mark.sources)
        if number is not None and not is_read:
            depth = next(depth for depth, name in enumerate(mark.scope) if step_of([name]) is not None)
            around = mark.scope[:depth], mark.calls[: depth - (len(mark.calls) == depth)]
            steps.setdefault(around, {}).setdefault(number, []).append(mark)
    return steps


def is_row(mark: Mark) -> bool:
    """Tell whether this is a row of its argument, as what a step reads of a sequence is."""
    return row_taken(mark) is not None


def _chain(graph: Graph, path: Path, steps: Mapping[int, list[Mark]], learned: Collection[int]) -> Chain | None:
    """Return a recurrence from what its steps compute, or None if they do not hand on the same each time."""
    numbers, members = list(steps), list(steps.values())
    if any(abs(a - b) != 1 for a, b in itertools.pairwise(numbers)) or len(set(numbers)) < len(numbers):
        return None
    names = _names(graph, members, learned)
    if names is None:
        return None
    if not names or any(_state(step, name) is None for step in members for name in names):
        return None
    after = [{name: mark.id for name in names if (mark := _state(step, name)) is not None} for step in members]
    before = _initial(graph, members, after[0], learned)
    cells, beyond = [], max(mark.id for mark in graph) + 1
    for number, step, made in zip(numbers, members, after, strict=True):
        ids = tuple(mark.id for mark in step)
        cells.append(Cell(beyond + ids[0], number, number, ids, before, made))
        before = made
    used = tuple(sorted(leaves(graph, (mark.id for step in members for mark in step), learned)))
    states = tuple(sorted(names, key=lambda name: ORDER.index(name if name in ORDER else "")))
    return Chain(path, tuple(cells), states, used)


def _names(graph: Graph, members: Sequence[Sequence[Mark]], learned: Collection[int]) -> list[str] | None:
    """Return the names of what each step hands on to the next; None if it is not the same for all."""
    if len(members) == 1:
        named = [name for name in ("c", "h") if _state(members[0], name) is not None]
        return named or ["#1"]
    names: list[str] | None = None
    for step, after in itertools.pairwise(members):
        made = {mark.id: len(step) - place for place, mark in enumerate(step)}
        read = {i for mark in after for i in mark.sources if i in made and i not in learned}
        labels = [mark.label for mark in step]
        found: list[str] = []
        for id in sorted(read):
            label = graph[id].label
            found.append(label if label and labels.count(label) == 1 else f"#{made[id]}")
        if names is not None and found != names:
            return None
        names = found
    return names


def _state(step: Sequence[Mark], name: str) -> Mark | None:
    """Return what a step makes that has a name, or stands at a place, counted from its end."""
    if name.startswith("#"):
        place = len(step) - int(name[1:])
        return step[place] if place >= 0 else None
    found = [mark for mark in step if mark.label == name]
    return found[0] if len(found) == 1 else None


def _initial(
    graph: Graph, members: Sequence[Sequence[Mark]], after: Mapping[str, int], learned: Collection[int]
) -> dict[str, int]:
    """Return what the first step reads in place of each state: where the second one reads it, or under its name."""
    first, second = members[0], members[1] if len(members) > 1 else ()
    ids = {mark.id for mark in first}
    read = dict.fromkeys(i for mark in first for i in mark.sources if i not in ids and not graph[i].is_number)
    before: dict[str, int] = {}
    for name, id in after.items():
        places = [(len(second) - p, q) for p, mark in enumerate(second) for q, i in enumerate(mark.inputs) if i == id]
        there = [first[-p].inputs[q] for p, q in places if p <= len(first) and first[-p].op == second[-p].op]
        named = [i for i in read if graph[i].label == name]
        alike = [i for i in read if graph[i].shape == graph[id].shape and graph[i].label is None and i not in learned]
        for candidate in (*there, *named, *(alike if len(members) == 1 else ())):
            if candidate in read and candidate not in before.values():
                before[name] = candidate
                break
    return before


# Cells


def whole(graph: Graph, chain: Chain, first: int) -> Chain:
    """Return a recurrence with all its steps as one, but for so many at the beginning and at the end.

    What a program does between two of them to read from the one and to be read by the other belongs to them.
    """
    cells = chain.cells
    return apart(graph, chain, {cell.first for cell in (*cells[:first], *cells[len(cells) - first :])})


def apart(graph: Graph, chain: Chain, numbers: Collection[int]) -> Chain:
    """Return a recurrence with all its steps as one that stand before, between or behind those of some numbers."""
    cells: list[Cell] = []
    for alone, run in itertools.groupby(chain.cells, lambda cell: cell.first in numbers):
        together = list(run)
        cells += together if alone else [_as_one(graph, together)]
    return replace(chain, cells=tuple(cells))


def _as_one(graph: Graph, cells: Sequence[Cell]) -> Cell:
    """Return cells that follow one another as one."""
    if len(cells) == 1:
        return cells[0]
    members = _between(graph, {id for cell in cells for id in cell.members})
    return Cell(cells[0].id, cells[0].first, cells[-1].last, members, cells[0].before, cells[-1].after)


def _between(graph: Graph, ids: set[int]) -> tuple[int, ...]:
    """Return some marks, and what is computed from them and read by them."""
    made, read = set(ids), set(ids)
    for mark in graph:
        if not made.isdisjoint(mark.sources):
            made.add(mark.id)
    for mark in reversed(graph.marks):
        if mark.id in read:
            read.update(mark.sources)
    return tuple(mark.id for mark in graph if mark.id in made and mark.id in read)


def boxed(graph: Graph, found: Iterable[Chain]) -> Graph:
    """Return the graph with each cell as one mark, and what it makes for others as marks that read it.

    Of steps that are drawn as one that is the states after the last of them; others read the cell itself.
    """
    learned = weights(graph)
    tape = graph if graph.record is None else Graph(tuple(graph.record.marks.values()))
    learned_on_tape = weights(tape)
    cells = [(chain, cell) for chain in found for cell in chain.cells]
    inside = {id: cell.id for _, cell in cells for id in cell.members}
    shown = {id for _, cell in cells for id in cell.after.values()}
    for _, cell in cells:
        if cell.times == 1:
            users = ((i, user) for i in cell.members for user in graph.uses[i])
            shown |= {i for i, user in users if inside.get(user.id) != cell.id and not user.is_swept}
    image = {mark.id: mark.id if mark.id in shown else inside.get(mark.id, mark.id) for mark in graph}
    marks = []
    for chain, cell in cells:
        given = [cell.before[name] for name in chain.states if name in cell.before]
        read = [i for id in cell.members for i in graph[id].sources if inside.get(i) != cell.id and i not in learned]
        outer = graph[cell.after[chain.states[-1]]]
        span = f"t={cell.first}" + (f"…{cell.last}" if cell.times > 1 else "")
        note = counted(tape, cell.members, learned_on_tape)
        inputs = tuple(dict.fromkeys(image[i] for i in [*given, *read]))
        marks.append(
            replace(
                outer, id=cell.id, op="step", label=None, scope=chain.path, calls=(), params=(), value=None, line=None,
                inputs=inputs, parts=cell.members, folded=span, times=cell.times if cell.times > 1 else 0, note=note,
            )
        )  # fmt: skip
    for mark in graph:
        if mark.id in shown:
            marks.append(replace(mark, inputs=(inside[mark.id],), params=(), parts=()))
        elif mark.id not in inside:
            marks.append(replace(mark, inputs=tuple(None if i is None else image[i] for i in mark.inputs)))
    return without_unused(list(in_order(marks)), {id for id in learned if graph.uses[id]})


def differing(graph: Graph, chain: Chain) -> list[int]:
    """Return the numbers of the steps that do something else than the others."""
    learned = weights(graph)
    kinds = {cell.first: _kind(graph, cell, learned) for cell in chain.cells}
    counts: dict[Hashable, int] = {}
    for kind in kinds.values():
        counts[kind] = counts.get(kind, 0) + 1
    usual = max(counts, key=lambda kind: counts[kind])
    return [number for number, kind in kinds.items() if kind != usual]


def _kind(graph: Graph, cell: Cell, learned: Collection[int]) -> Hashable:
    """Return what a step does, in terms that are the same for all steps which do the same."""
    places: dict[int, Hashable] = {id: ("state", name) for name, id in cell.before.items()}
    kind = []
    for place, id in enumerate(cell.members):
        mark = graph[id]
        read = [
            places.get(i, ("weight", i) if i in learned and not graph[i].is_number else graph[i].shape)
            for i in mark.sources
        ]
        numbers = [graph[i].label for i in mark.sources if graph[i].is_number]
        kind.append((mark.op, mark.label, mark.shape, *read, *numbers))
        places[id] = place
    return tuple(kind)
