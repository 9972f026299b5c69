"""The steps of a recurrence laid side by side, mark by mark: what takes which place, and what it reads there.

The fullest of the steps is the model of the others. In each place all of them have the same op, under the same name and
of the same shape, and read the same: marks of their own step by their places, marks of the step before, which are the
states, or what comes from outside. The first step may lack marks, for what is computed from constants is on no tape.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeAlias

from .ir import Graph, Mark
from .recurrence import Operand, Pattern, Recurrence, Scope, Step, expect, step_of

__all__ = ["aligned"]

LETTERS = ("c", "h")
"""The names of states, that of the belt first."""

Ids: TypeAlias = "tuple[int | None, ...]"
"""What takes one place in all steps; None in the first, if it lacks the mark."""


Use: TypeAlias = "tuple[int, int]"
"""The place of a mark and the number of an argument."""


class Slot(NamedTuple):
    """What a mark reads: like `Operand`, but with ids of what comes from outside of the step."""

    kind: Literal["here", "before", "number", "outside"]
    number: int


def aligned(graph: Graph) -> list[Recurrence]:
    """Return the recurrences of a graph by the scopes around their steps, in the order of the tape.

    Raises
    ------
    Irregular
        If the steps of one are not alike.
    """
    steps: dict[Scope, list[tuple[int, list[Mark]]]] = {}
    for mark in graph:
        places = [place for place, name in enumerate(mark.scope) if step_of([name]) is not None]
        expect(len(places) <= 1)
        number = step_of(mark.scope)
        if number is not None and not mark.stored and not _is_input(graph, mark):
            run = steps.setdefault(mark.scope[: places[0]], [])
            if not run or run[-1][0] != number:
                run.append((number, []))
            run[-1][1].append(mark)
    return [_Alignment(graph, run).recurrence(scope) for scope, run in steps.items()]


def _is_input(graph: Graph, mark: Mark) -> bool:
    """Tell whether this is made before the step that reads it: a part of a sequence, or what is looked up."""
    if all(graph[id].is_number for id in mark.sources):
        return bool(graph.uses[mark.id])
    return mark.op == "getitem" and step_of(graph[mark.sources[0]].scope) is None


class _Alignment:
    """Steps of one scope.

    Attributes
    ----------
    places
        For each step the ids of its marks by place.
    model
        For each place what is read there.
    befores
        For each step what it reads of the step before, by place, where it is not a mark of that step.
    outside
        What all steps read from outside, by the place and the number of the argument.
    """

    def __init__(self, graph: Graph, run: Sequence[tuple[int, list[Mark]]]) -> None:
        self.graph = graph
        self.numbers = [number for number, _ in run]
        ascending = list(range(1, len(run) + 1))
        expect(self.numbers in (ascending, ascending[::-1]))
        steps = [marks for _, marks in run]
        chosen = _fullest(steps)
        self.places = [_placed(step, steps[chosen]) for step in steps]
        expect(all(None not in ids for ids in self.places[1:]))
        slots = [self._slots(k) for k in range(len(steps))]
        self.model = [list(read or ()) for read in slots[chosen]]
        self.befores: list[dict[int, int]] = [{} for _ in steps]
        self.outside: dict[Use, Ids] = {}
        for place, reads in enumerate(zip(*slots, strict=True)):
            expect(all(read is None or len(read) == len(self.model[place]) for read in reads))
            for number in range(len(self.model[place])):
                self._agree(place, number, [None if read is None else read[number] for read in reads])

    def _slots(self, k: int) -> list[list[Slot] | None]:
        """Return what each mark of a step reads; None for a mark that it lacks."""
        here = {id: place for place, id in enumerate(self.places[k])}
        before = {id: place for place, id in enumerate(self.places[k - 1])} if k > 0 else {}
        return [
            None if mark is None else [self._slot(id, here, before) for id in self.graph[mark].sources]
            for mark in self.places[k]
        ]

    def _slot(self, id: int, here: Mapping[int | None, int], before: Mapping[int | None, int]) -> Slot:
        """Return what something that is read is to a step."""
        if id in here:
            return Slot("here", here[id])
        if id in before:
            return Slot("before", before[id])
        return Slot("number", 0) if self.graph[id].is_number else Slot("outside", id)

    def _agree(self, place: int, number: int, slots: Sequence[Slot | None]) -> None:
        """Compare what all steps read as one argument, and take note of what comes from outside."""
        wanted = self.model[place][number]
        ids = tuple(slot.number if slot is not None and slot.kind == "outside" else None for slot in slots)
        if wanted.kind == "outside":
            expect(all(slot is None or slot.kind == "outside" for slot in slots))
            self.outside[place, number] = ids
            return
        for k, (slot, id) in enumerate(zip(slots, ids, strict=True)):
            if id is None:
                expect(slot is None or slot == wanted)
            elif wanted.kind == "before":
                expect(self.befores[k].setdefault(wanted.number, id) == id)
            else:  # a constant, in place of what the first step did not have to compute
                expect(wanted.kind == "here" and k == 0 and self.graph[id].stored)
                expect(self.places[0][wanted.number] in (None, id))
                self.places[0][wanted.number] = id

    # What the steps have in common

    def recurrence(self, scope: Scope) -> Recurrence:
        """Return the steps with their pattern: places from which no state is computed are left out."""
        if len(self.numbers) == 1:
            self._begin()
        carried = sorted({slot.number for read in self.model for slot in read if slot.kind == "before"})
        expect(carried)
        core = self._behind(carried)
        shared, own = self._from_outside(core)
        inputs = list(own)
        rank = {place: number for number, place in enumerate([*shared, *core])}  # what is read comes first

        def operand(place: int, number: int, slot: Slot) -> Operand:
            if slot.kind == "before":
                return Operand("state", carried.index(slot.number))
            if slot.kind == "outside" and (place, number) not in shared:
                return Operand("read", inputs.index(_later(self.outside[place, number])))
            return Operand("here", rank[slot.number if slot.kind == "here" else (place, number)])

        read = [
            [operand(place, number, slot) for number, slot in enumerate(self.model[place]) if slot.kind != "number"]
            for place in core
        ]
        pattern = Pattern(
            (*((),) * len(shared), *(tuple(dict.fromkeys(operands)) for operands in read)),
            frozenset(rank[place] for place in core if self._mark(place).parts),
            frozenset(range(len(shared))),
            tuple(rank[place] for place in carried),
            tuple(self._mark(place).label or "h" for place in carried),
        )
        order, belt = _belt(pattern)
        steps = [
            Step(
                number,
                (*(self._use(k, *use) for use in shared), *(self.places[k][place] for place in core)),
                tuple(ids[k] for ids in own.values()),
                tuple(self._before(k, carried[state]) for state in order),
            )
            for k, number in enumerate(self.numbers)
        ]
        return Recurrence(scope, _ordered(pattern, order, belt), tuple(steps))

    def _use(self, k: int, place: int, number: int) -> int | None:
        """Return what a step reads of what all share, unless it lacks the mark that does."""
        return None if self.places[k][place] is None else self.outside[place, number][k]

    def _mark(self, place: int) -> Mark:
        """Return the mark in a place of the last step, which lacks none."""
        id = self.places[-1][place]
        expect(id is not None)
        return self.graph[id]  # type: ignore[index]

    def _before(self, k: int, place: int) -> int | None:
        """Return a state before a step; None if the step does not read it, and there was none."""
        return self.befores[k].get(place, self.places[k - 1][place] if k > 0 else None)

    def _behind(self, places: Iterable[int]) -> list[int]:
        """Return the places from which some are computed, and those themselves."""
        found: dict[int, None] = {}
        waiting = list(places)
        for place in waiting:  # which grows
            if place not in found:
                found[place] = None
                waiting += [slot.number for slot in self.model[place] if slot.kind == "here"]
        return sorted(found)

    def _from_outside(self, core: Iterable[int]) -> tuple[list[Use], dict[Ids, Ids]]:
        """Return the uses of what all steps share, which are parameters and no data, and what is a step's own.

        What the first step lacks in one place it may have in another: a step's own is known by what all others read.
        """
        used = {use: ids for use, ids in self.outside.items() if use[0] in set(core)}
        data = {ids for (place, _), ids in used.items() if self._mark(place).parts}
        shared: list[Use] = []
        own: dict[Ids, Ids] = {}
        for use, ids in used.items():
            known = [id for id in ids if id is not None]
            if len(set(known)) == 1 and self.graph[known[0]].is_parameter and ids not in data:
                shared.append(use)
            else:
                found = own.get(_later(ids), ids)
                expect(None in (found[0], ids[0]) or found == ids)
                own[_later(ids)] = ids if found[0] is None else found
        return shared, own

    # One step alone

    def _begin(self) -> None:
        """Find the states of the only step: what it makes under their names, and what it reads like that."""
        (ids,) = self.places
        labels = [None if id is None else self.graph[id].label for id in ids]
        made = {letter: labels.index(letter) for letter in LETTERS if labels.count(letter) == 1}
        expect(made)
        for letter, place in made.items():
            before = self._state_before(letter, place)
            if before is not None:
                self.befores[0][place] = before
                for (user, number), read in list(self.outside.items()):
                    if read == (before,):
                        self.model[user][number] = Slot("before", place)
                        del self.outside[user, number]

    def _state_before(self, letter: str, place: int) -> int | None:
        """Return what is most like a state, of the same shape; its name says so, or else who reads it."""
        alike = []
        for (user, _), (id,) in self.outside.items():
            mark = self.graph[id or 0]
            taken = mark.is_parameter or mark.id in self.befores[0].values()
            if not taken and mark.shape == self._mark(place).shape and mark.label in (None, letter):
                seen = bool(self._mark(user).parts) == (letter == "h")
                alike.append((mark.stored, mark.label == letter, seen, -user, mark.id))
        return max(alike)[-1] if alike else None


def _later(ids: Ids) -> Ids:
    """Return what takes a place in all steps but the first, if there are more."""
    return ids[1:] or ids


def _fullest(steps: Sequence[Sequence[Mark]]) -> int:
    """Return which step is the model: not the first; it has most marks, and reads most of the step before."""
    links = [0]
    for before, after in itertools.pairwise(steps):
        ids = {mark.id for mark in before}
        links.append(sum(id in ids for mark in after for id in mark.sources))
    return max(range(len(steps)), key=lambda k: (k > 0, len(steps[k]), links[k], -k))


def _signature(mark: Mark) -> tuple[Any, ...]:
    """Return what marks in the same place have in common."""
    return mark.op, mark.label, mark.shape, bool(mark.parts)


def _placed(step: Sequence[Mark], model: Sequence[Mark]) -> list[int | None]:
    """Return the ids of a step's marks by place, found from the last to the first; None for what it lacks."""
    ids: list[int | None] = [None] * len(model)
    left = list(step)
    for place in range(len(model) - 1, -1, -1):
        if left and _signature(left[-1]) == _signature(model[place]):
            ids[place] = left.pop().id
    expect(not left)
    return ids


def _belt(pattern: Pattern) -> tuple[list[int], tuple[int, ...]]:
    """Return the states with that of the belt first, and the way along the belt.

    The belt leads through ops on elements: of two states that can have one, it is that which no learned layer reads. A
    state alone may be led through learned layers too.
    """
    states = range(len(pattern.states))
    starts = [Operand("state", state) for state in states]
    ways = [pattern.way([start], pattern.states[start.number], lambda p: p not in pattern.learned) for start in starts]
    if len(states) == 1 and not ways[0]:
        return [0], pattern.way(starts, pattern.states[0], lambda place: True)
    seen = [bool(pattern.learned.intersection(pattern.users[start])) for start in starts]
    choices = [state for state in states if ways[state]]
    expect(choices and len(states) <= 2)
    first = max(choices, key=lambda s: (not seen[s], pattern.letters[s] == LETTERS[0], len(ways[s]), -s))
    return [first, *(state for state in states if state != first)], ways[first]


def _ordered(pattern: Pattern, order: Sequence[int], belt: tuple[int, ...]) -> Pattern:
    """Return a pattern with its belt, and its states in an order."""
    rank = {state: place for place, state in enumerate(order)}
    operands = tuple(
        tuple(operand._replace(number=rank[operand.number]) if operand.kind == "state" else operand for operand in read)
        for read in pattern.operands
    )
    states = tuple(pattern.states[state] for state in order)
    letters = tuple(pattern.letters[state] for state in order)
    return replace(pattern, operands=operands, states=states, letters=letters, belt=belt)
