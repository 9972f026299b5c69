"""A recurrence as one of its steps, with a line for each state from where it leaves back to where it enters.

All steps are alike (`chains.differing` tells), so the first one stands for them, with what it reads itself, and with
what a program makes of it for the next one to read. What is made of all steps is read off the first one. What is made
of one alone, as of the last, has other numbers: where these are shown, a mark for what that step has made stands
between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..view import Level
from .chains import Chain, boxed, whole
from .columns import gathered
from .folding import in_order
from .ir import Graph, Mark
from .simplify import gate_level, weights, without_unused

__all__ = ["Loop", "hindrance", "rolled"]


FEW = 5
"""What reads fewer steps of a recurrence than these, and not all, reads each of them if numbers are shown."""


class Loop(NamedTuple):
    """The way of a state back to the beginning of a step.

    Attributes
    ----------
    start, end
        The state after the step, and the one before it.
    name
        What the state is called; empty for what a program makes of a step for the next one to read.
    steps
        How many there are.
    """

    start: int
    end: int
    name: str
    steps: int


def hindrance(graph: Graph, found: Sequence[Chain], level: Level) -> str:
    """Return why recurrences cannot be rolled though all steps of each are alike, in words; empty if they can."""
    for chain in found:
        others = {id for other in found if other is not chain for cell in other.cells for id in cell.members}
        steps = _steps(graph, chain)
        name = "/".join(chain.path)
        if any(not others.isdisjoint(step) for step in steps):
            return f"not rolled, for a step of {name} reads what another recurrence has made of the one before"
        if len({tuple(graph[id].op for id in step) for step in steps[:-1]}) > 1:
            return f"not rolled, for it differs what is made of a step of {name} for the next one"
        if level == "cell" and len(steps[0]) > len(chain.cells[0].members):
            made = graph[steps[0][-1]].op
            return f"not rolled, for a step of {name} reads the {made} of the one before: level='gate' shows its loop"
    return ""


def rolled(graph: Graph, found: Sequence[Chain], numbers: bool = False) -> tuple[Graph, tuple[Loop, ...]]:
    """Return the graph at the level of gates with each recurrence as its first step, and the loops left out of it.

    Parameters
    ----------
    graph, found
        The graph, and the recurrences in it that have no `hindrance`.
    numbers
        Whether values or gradients are to be shown, which are not the same for all steps.
    """
    rolling = _Rolling(graph, found, numbers)
    marks = rolling.marks()
    loops = tuple(loop for place, chain in enumerate(found) if chain.steps > 1 for loop in rolling.loops(place))
    return gate_level(marks), loops


def _steps(graph: Graph, chain: Chain) -> list[list[int]]:
    """Return what each step of a recurrence computes, and after it what is made of that for the next one to read."""
    steps = [list(cell.members) for cell in chain.cells]
    step_of = {id: number for number, step in enumerate(steps) for id in step}
    (one,) = whole(graph, chain, 0).cells
    for id in one.members:
        if id not in step_of:
            step_of[id] = max(step_of[i] for i in graph[id].sources if i in step_of)
            steps[step_of[id]].append(id)
    return steps


class _Rolling:
    """Recurrences in the making: which marks are in which step, and what stands for each of them."""

    def __init__(self, graph: Graph, found: Sequence[Chain], numbers: bool) -> None:
        self.graph, self.found, self.numbers = graph, found, numbers
        self.steps = [_steps(graph, chain) for chain in found]
        self.place = {
            id: (chain, number)
            for chain, steps in enumerate(self.steps)
            for number, step in enumerate(steps)
            for id in step
        }
        self.kept = {id for steps in self.steps for id in steps[0]}
        self.mates = {
            id: mate
            for steps in self.steps
            for step in steps
            for id, mate in zip(step, steps[0], strict=False)  # nothing is made of the last one for a next one
        }
        self.begin = {id for chain in found for id in chain.cells[0].before.values()}
        self.left: dict[int, Mark] = {}
        self.stands_for: dict[int, int] = {}

    def marks(self) -> Graph:
        """Return the first steps with what they read, and what else there is."""
        short = [whole(self.graph, chain, 0) for chain in self.found]
        self.boxes = {one.cells[0].id: place for place, one in enumerate(short)}
        around, _ = gathered(gate_level(boxed(self.graph, short)), short)
        away = self._away(around)
        outer = [mark for mark in around if mark.id not in away]
        learned = weights(self.graph)
        inner = self.kept | (learned - {mark.id for mark in outer})
        inner |= self._own(learned) - {part for mark in outer for part in (mark.id, *mark.parts)}
        self.stands_for = {part: mark.id for mark in outer for part in mark.parts if part not in inner}
        marks = [self._reading(mark) for mark in outer]
        marks += [self._reading(mark) for mark in self.graph if mark.id in inner]
        marks += self.left.values()
        spare = {mark.id for mark in marks if mark.stored} | learned
        return without_unused(list(in_order(marks)), spare)

    def loops(self, place: int) -> Iterator[Loop]:
        """Give the ways back to the beginning of a first step: those of states, then of what is made of them."""
        chain = self.found[place]
        first, second = chain.cells[0], chain.cells[1]
        for name in chain.states:
            if name in first.before:
                yield Loop(first.after[name], self._end(first.before[name]), name, chain.steps)
        made = set(self.steps[place][0]).difference(first.members)
        pairs = (
            (start, end)
            for one, other in zip(first.members, second.members, strict=True)
            for end, start in zip(self.graph[one].inputs, self.graph[other].inputs, strict=True)
        )
        for start, end in dict.fromkeys(pairs):
            if start is not None and start in made and end is not None:
                yield Loop(start, self._end(end), "", chain.steps)

    def _end(self, id: int) -> int:
        """Return the mark in the picture for what a first step reads where others read what a step has made."""
        return id if id in self.left else self.mates.get(id, self.stands_for.get(id, id))

    def _away(self, around: Graph) -> set[int]:
        """Return the boxes, what they make, and what is read by nothing else and stands for one thing in each step."""
        away = {*self.boxes, *self.place}
        for mark in reversed(around.marks):
            if mark.times and around.uses[mark.id] and all(user.id in away for user in around.uses[mark.id]):
                away.add(mark.id)
        return away

    def _own(self, learned: Collection[int]) -> set[int]:
        """Return what first steps read, and what that is made of, as far as it is neither learned nor in a step."""
        needed = {i for id in self.kept for i in self.graph[id].sources}
        for mark in reversed(self.graph.marks):
            if mark.id in needed and mark.id not in self.place and mark.id not in learned:
                needed.update(mark.sources)
        return needed.difference(self.place, learned)

    def _reading(self, mark: Mark) -> Mark:
        """Return a mark that reads what stands for its arguments; one that stands for several only once."""
        arguments = [i for id in mark.inputs for i in (self._within(mark, id) if id in self.boxes else [id])]
        steps = {self.place[i] for i in arguments if i in self.place}
        counts = Counter(chain for chain, _ in steps)
        few = {chain for chain, count in counts.items() if count < min(FEW, self.found[chain].steps)}
        read: list[int | None] = []
        for i in arguments:
            image = None if i is None else self._image(i, i in self.place and self.place[i][0] in few)
            if image is None or image not in read or mark.inputs.count(i) > 1:
                read.append(image)
        return replace(mark, inputs=tuple(read))

    def _within(self, mark: Mark, box: int) -> Iterable[int]:
        """Return what a mark reads of a recurrence."""
        read = (i for part in mark.parts or (mark.id,) for i in self.graph[part].sources if i in self.place)
        return dict.fromkeys(i for i in read if self.place[i][0] == self.boxes[box])

    def _image(self, id: int, alone: bool) -> int:
        """Return what stands for a mark where that is read, ``alone`` if not much of other steps is read there."""
        if id in self.kept:
            return id
        if id in self.mates and alone and (self.numbers or id in self.begin):
            self.left[id] = self._left(id)
        return self._end(id)

    def _left(self, id: int) -> Mark:
        """Return what a later step than the first one makes, as it is read from outside: made by all steps until it."""
        place, number = self.place[id]
        chain, mark = self.found[place], self.graph[id]
        cells = chain.cells[1 : number + 1]
        state = id in cells[-1].after.values()
        span = f"{cells[0].first}…{cells[-1].first}" if len(cells) > 1 else str(cells[-1].first)
        return replace(
            mark, op="steps", label=mark.label or ("h" if state else None), scope=chain.path, calls=(), line=None,
            inputs=(self.mates[id],), params=(cells[-1].first,), note=f"step{'s' if len(cells) > 1 else ''} {span}",
            parts=tuple(i for step in self.steps[place][1 : number + 1] for i in step),
        )  # fmt: skip
