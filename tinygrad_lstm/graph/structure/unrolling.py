"""Finding a recurrence in a graph, and what there is around it; all of it is read off the edges.

The steps of each scope are laid side by side (`alignment`). Layers read the outputs of those below; before them a chain
makes the sequence; after them a chain reads outputs, or something is computed at every step. What is not made like that
is no recurrence that can be laid out in lanes, and `unrolled` says None.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .alignment import aligned
from .ir import Graph, Mark
from .recurrence import Beside, Irregular, Recurrence, Unrolled, expect

__all__ = ["unrolled", "unswept"]


def unrolled(graph: Graph) -> Unrolled | None:
    """Return the recurrence that a graph is, its learned layers folded; None if it is none or not a regular one."""
    try:
        return _Finder(graph).found()
    except Irregular:
        return None


def unswept(graph: Graph) -> Graph:
    """Return the graph without what sweeps have made, unless something else is computed from that."""
    needed: set[int] = set()
    for mark in reversed(graph.marks):
        made_by_sweep = mark.is_swept or (mark.stored and graph.uses[mark.id])
        if mark.id in needed or not made_by_sweep:
            needed.update((mark.id, *mark.sources))
    return graph if len(needed) == len(graph) else Graph(tuple(mark for mark in graph if mark.id in needed))


class _Finder:
    """One search."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def found(self) -> Unrolled:
        """Return what was found."""
        layers = aligned(self.graph)
        expect(layers)
        turned: list[Recurrence] = []
        if len(layers) == 2 and self._read_alike(*layers) and not layers[0].is_reverse:
            expect(len(layers[0].steps) == 1 or layers[1].is_reverse)
            turned = [layers.pop()]
        for lower, upper in itertools.pairwise(layers):
            shown = {step.number: (lower.output(step),) for step in lower.steps}
            expect(shown == _inputs(upper))
        source = self._source(layers[0])
        inside = {id for layer in (*layers, *turned) for step in layer.steps for id in step.marks}
        inside |= {id for layer in (layers[0], *turned) for step in layer.steps for id in step.reads}
        rest = [mark for mark in self.graph if not (mark.stored or mark.id in inside or mark.id in source)]
        self._expect_closed([*layers, *turned], {mark.id for mark in rest})
        outputs = _outputs(layers[-1])
        if turned:
            both = Unrolled(tuple(layers), tuple(turned), source)
            return self._joined(both, rest, outputs, _outputs(turned[0])) if rest else both
        beside, rest = self._beside(rest, outputs)
        reads = self._tail_reads(rest, _ends(beside, outputs))
        return Unrolled(tuple(layers), (), source, beside, tail=_ids(rest), outputs=reads)

    def _computed(self, mark: Mark) -> tuple[int, ...]:
        """Return what a mark reads that was computed, each once."""
        return tuple(dict.fromkeys(id for id in mark.sources if not self.graph[id].stored))

    # What comes before

    def _read_alike(self, first: Recurrence, second: Recurrence) -> bool:
        """Tell whether two layers read the same inputs: the same marks, or constants that cannot be told apart."""
        reads, others = _inputs(first), _inputs(second)
        if reads.keys() != others.keys():
            return False
        pairs = [pair for number in reads for pair in itertools.zip_longest(reads[number], others[number])]
        known = [(one, other) for one, other in pairs if one is not None and other is not None]
        return len(known) == len(pairs) and all(_is_alike(self.graph[one], self.graph[other]) for one, other in known)

    def _expect_closed(self, layers: Sequence[Recurrence], rest: Iterable[int]) -> None:
        """Refuse a recurrence of which something else is read than what each layer shows."""
        everything = {id for layer in layers for step in layer.steps for id in step.marks} | set(rest)
        for layer in layers:
            inside = {id for step in layer.steps for id in step.marks}
            for step in layer.steps:
                for id in step.marks:
                    readers = everything if id == layer.output(step) else inside
                    own = id is not None and not self.graph[id].stored
                    expect(not own or all(user.id in readers for user in self.graph.uses[id or 0]))

    def _source(self, layer: Recurrence) -> tuple[int, ...]:
        """Return the chain that makes the sequence of which each step takes its part, if there is one."""
        graph = self.graph
        made = [graph[id] for step in layer.steps for id in step.reads if id is not None and not graph[id].stored]
        if not any(part.sources for part in made):
            return ()
        sources = {part.sources for part in made}
        expect(len(made) == len(layer.steps) and len(sources) == 1 and all(part.op == "getitem" for part in made))
        chain: list[int] = []
        computed = self._computed(made[0])
        expect(computed)
        while computed:
            expect(len(computed) == 1)
            chain.append(computed[0])
            computed = self._computed(graph[computed[0]])
        for id, user in zip(chain[1:], chain, strict=False):
            expect({use.id for use in graph.uses[id]} == {user})
        expect({use.id for use in graph.uses[chain[0]]} == {part.id for part in made})
        return tuple(reversed(chain))

    # What comes after

    def _beside(self, rest: list[Mark], outputs: Sequence[int]) -> tuple[Beside, list[Mark]]:
        """Return what is computed from each output alone, with what adds it up, and the marks that are left."""
        of: dict[int, frozenset[int]] = {id: frozenset([place]) for place, id in enumerate(outputs)}
        for mark in rest:
            of[mark.id] = frozenset().union(*(of.get(id, ()) for id in self._computed(mark)))
        chains = [[mark for mark in rest if of[mark.id] == {place}] for place in range(len(outputs))]
        lengths = sorted(len(chain) for chain in chains if chain)
        if len(lengths) < 2:
            return Beside(), rest
        together = [mark for mark in rest if len(of[mark.id]) != 1]
        sums: list[int | None] = [None] * len(outputs)
        first = next(place for place, chain in enumerate(chains) if chain)
        if len(chains[first]) == lengths[0] + 1 and together and chains[first][-1].op == together[0].op == "add":
            sums[first] = chains[first].pop().id  # sum() begins with 0
        expect(len({tuple((mark.op, mark.shape) for mark in chain) for chain in chains if chain}) == 1)
        for output, chain in zip(outputs, chains, strict=True):
            for before, mark in zip([output, *_ids(chain)], chain, strict=False):
                expect(self._computed(mark) == (before,))
        return self._summed(Beside(tuple(map(_ids, chains)), tuple(sums)), together)

    def _summed(self, beside: Beside, together: list[Mark]) -> tuple[Beside, list[Mark]]:
        """Return what is beside with the marks that add up its ends one by one, and the marks that are left."""
        ends = [(place, chain[-1]) for place, chain in enumerate(beside.chains) if chain]
        if not together or len(self._computed(together[0])) != 2:
            return beside, together
        sums = list(beside.sums)
        expect(len(together) >= len(ends) - 1)
        first, end = ends[0]
        total = end if sums[first] is None else sums[first]
        for (place, end), mark in zip(ends[1:], together, strict=False):
            expect(mark.op == "add" and set(self._computed(mark)) == {total, end})
            sums[place] = total = mark.id
        return replace(beside, sums=tuple(sums)), together[len(ends) - 1 :]

    def _tail_reads(self, tail: Sequence[Mark], ends: Sequence[int]) -> tuple[int, ...]:
        """Return what the tail reads of what it may, after a check that it is a chain which reads nothing else."""
        if not tail:
            return ()
        computed = self._computed(tail[0])
        expect(computed and set(computed) <= set(ends))
        self._expect_chain(tail)
        return tuple(id for id in ends if id in computed)

    def _expect_chain(self, marks: Sequence[Mark]) -> None:
        for before, mark in itertools.pairwise(marks):
            expect(self._computed(mark) == (before.id,))

    def _joined(self, found: Unrolled, rest: list[Mark], outputs: Sequence[int], backwards: Sequence[int]) -> Unrolled:
        """Return what was found with what is computed from the outputs of both directions."""
        gathers: list[int | None] = [None, None]
        reads: list[tuple[int, ...]] = [(), ()]
        tail = list(rest)
        for side, ids in enumerate((outputs, backwards)):
            first = next((mark for mark in tail if set(self._computed(mark)) <= {*ids} and self._computed(mark)), None)
            if first is not None:
                gathers[side], reads[side] = first.id, tuple(id for id in ids if id in self._computed(first))
                tail.remove(first)
        expect(tail and {mark.id for mark in tail}.isdisjoint(gathers))
        computed = set(self._computed(tail[0]))
        for side, ids in enumerate((outputs, backwards)):
            reads[side] = reads[side] or tuple(id for id in ids if id in computed)
        wanted = [{gather} if gather is not None else set(ids) for gather, ids in zip(gathers, reads, strict=True)]
        expect(all(reads) and computed == set.union(*wanted))
        self._expect_chain(tail)
        return replace(
            found, gathers=(gathers[0], gathers[1]), tail=_ids(tail), outputs=reads[0], reverse_outputs=reads[1]
        )


def _ids(marks: Iterable[Mark]) -> tuple[int, ...]:
    return tuple(mark.id for mark in marks)


def _inputs(layer: Recurrence) -> dict[int, tuple[int | None, ...]]:
    """Return the inputs of each step by its number."""
    return {step.number: step.reads for step in layer.steps}


def _outputs(layer: Recurrence) -> list[int]:
    """Return the outputs of the steps by their numbers."""
    return [layer.output(step) for step in sorted(layer.steps, key=lambda step: step.number)]


def _is_alike(first: Mark, second: Mark) -> bool:
    """Tell whether two marks are one, or constants of one name and value: rows of one array, each time a new one."""
    if first.id == second.id:
        return True
    if first.op != "constant" or second.op != "constant" or first.label != second.label:
        return False
    return first.value is not None and first.shape == second.shape and bool((first.value == second.value).all())


def _ends(beside: Beside, outputs: Sequence[int]) -> list[int]:
    """Return what the tail may read."""
    if not beside.chains:
        return list(outputs)
    sums = [total for total in beside.sums if total is not None]
    return sums[-1:] or [chain[-1] for chain in beside.chains if chain]
