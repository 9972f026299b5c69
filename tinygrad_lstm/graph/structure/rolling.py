"""A recurrence as one of its steps, with a line for each state from where it leaves back to where it enters.

All steps are alike (`chains.differing` tells), so the first one stands for them; what each of them reads is one mark,
and so is what is made of each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from .chains import Chain, boxed, whole
from .columns import gathered
from .folding import in_order
from .ir import Graph, Mark
from .simplify import gate_level, weights, without_unused

__all__ = ["Loop", "rolled"]


class Loop(NamedTuple):
    """The way of a state back to the beginning of a step.

    Attributes
    ----------
    start, end
        The state after the step, and the one before it.
    name
        What the state is called.
    steps
        How many there are.
    """

    start: int
    end: int
    name: str
    steps: int


def rolled(graph: Graph, found: Sequence[Chain]) -> tuple[Graph, tuple[Loop, ...]]:
    """Return the graph at the level of gates with each recurrence as its first step, and the loops left out of it."""
    short = [whole(graph, chain, 0) for chain in found]
    around, _ = gathered(gate_level(boxed(graph, short)), short)
    steps = [chain.cells[0] for chain in found]
    boxes = {one.cells[0].id for one in short}
    stands_for = {part: mark.id for mark in around if mark.id not in boxes for part in mark.parts}
    for chain, one, step in zip(found, short, steps, strict=True):
        stands_for |= {one.cells[0].after[name]: step.after[name] for name in chain.states}
        stands_for |= {one.cells[0].id: step.after[chain.states[-1]]}
    inside = {id for step in steps for id in step.members}
    kept = {mark.id for mark in around} - boxes - {id for one in short for id in one.cells[0].after.values()}
    learned = weights(graph)
    marks = [_reading(mark, stands_for, inside) for mark in around if mark.id in kept]
    marks += [_reading(mark, stands_for, inside) for mark in graph if mark.id in inside or mark.id in learned - kept]
    loops = [
        Loop(step.after[name], step.before[name], name, chain.steps)
        for chain, step in zip(found, steps, strict=True)
        for name in chain.states
        if name in step.before
    ]
    spare = {mark.id for mark in marks if mark.stored} | learned
    return gate_level(without_unused(list(in_order(marks)), spare)), tuple(loops)


def _reading(mark: Mark, stands_for: Mapping[int, int], inside: set[int]) -> Mark:
    """Return a mark that reads what stands for its arguments; one that stands for several only once."""
    read: list[int | None] = []
    for i in mark.inputs:
        image = i if i is None or i in inside else stands_for.get(i, i)
        if image is None or image == i or image not in read:
            read.append(image)
    return replace(mark, inputs=tuple(read))
