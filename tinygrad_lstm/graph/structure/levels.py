"""What of a tape is shown: at the level that is asked for or that suits it, folded until it is legible, and why."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from ..view import Level, View
from .chains import Cell, Chain, apart, boxed, chains, differing, repeated, whole
from .columns import Columns, gathered
from .folding import FIRST, Path, chosen, fold, fresh, matching, once, opened, visible, within
from .ir import Graph
from .recurrence import step_of
from .rolling import Loop, hindrance, rolled
from .simplify import gate_level, seen_through, weights

__all__ = ["Shown", "shown"]

FEW = 25
"""So many ops are shown one by one."""

GATES, CELLS = 5, 8
"""So many steps are shown with their gates, and so many as cells one by one."""


@dataclass(frozen=True)
class Shown:
    """What a picture shows.

    Attributes
    ----------
    graph
        Its marks.
    level
        What one of them is.
    note
        What was folded or could not be done, in words.
    chains, places
        At the level of cells the recurrences that it is made of, and what stands beside their cells.
    loops
        Of recurrences of which one step is shown, the ways back to its beginning.
    """

    graph: Graph
    level: Level
    note: str = ""
    chains: tuple[Chain, ...] = ()
    places: Columns | None = None
    loops: tuple[Loop, ...] = ()


class _Steps(NamedTuple):
    """The scopes of the steps of recurrences, which of them are to be folded and which not, and what else is to be."""

    every: frozenset[Path]
    folded: frozenset[Path]
    opened: frozenset[Path]
    rest: tuple[str, ...]

    @classmethod
    def of(cls, graph: Graph, found: Sequence[Chain], view: View, level: Level) -> Self:
        """Return what a view asks for; at the level of modules no step is seen."""
        every = frozenset(_path(chain, cell) for chain in found for cell in chain.cells)
        rest = tuple(end for end in view.fold if not matching(graph, "fold", [end]) <= every)
        folded = every & matching(graph, "fold", view.fold if level != "module" else ())
        return cls(every, folded, every & opened(graph, view.unfold), rest)

    def closed(self) -> Self:
        """Return the same with all other steps folded than those that are not to be."""
        return self._replace(folded=self.every - self.opened)


def shown(graph: Graph, view: View) -> Shown:
    """Return what of a graph a view shows."""
    if visible(graph) > view.limit:
        graph = repeated(graph)
    found = chains(graph)
    level = view.level or _fitting(graph, found)
    if view.rolled and not found:
        raise ValueError("draw: got rolled=True and no steps that are all alike, wanted a recurrence.")
    odd: list[str] = []
    steps = _Steps.of(graph, found, view, level)
    if found and not steps.rest and not steps.opened:
        if level == "cell":
            return _cells(graph, found, view)
        if level == "gate" and view.rolled:
            odd = _not_rolled(graph, found, level)
            if not odd:
                return _rolled(graph, found, view)
    plans = _plans(graph, found, steps.opened)
    if found and level == "cell":
        level, steps = "gate", steps.closed()
        plans = itertools.islice(plans, int(_are_many(found, view)), None)
    for plan in plans:
        drawn = _levelled(_shortened(graph, plan, level, steps.folded), level, steps.rest, view.unfold)
        notes = _told(plan)
        if visible(drawn) <= view.limit:
            break
    drawn, more = within(drawn, view.limit, view.unfold)
    return Shown(once(drawn), level, "; ".join(filter(None, [*odd, *notes, more])))


def _plans(graph: Graph, found: tuple[Chain, ...], opened: Collection[Path] = ()) -> Iterator[tuple[Chain, ...]]:
    """Give recurrences with all their steps, then with those in the middle as one, fewer and fewer at the ends.

    If some steps are ``opened`` all that are between these are one.
    """
    yield found
    if opened:
        numbers = [{cell.first for cell in chain.cells if _path(chain, cell) in opened} for chain in found]
        yield tuple(apart(graph, chain, shown) for chain, shown in zip(found, numbers, strict=True))
        return
    for first in range(FIRST, 0, -1):
        if any(chain.steps > 2 * first + 1 for chain in found):
            yield tuple(whole(graph, chain, first) for chain in found)


def _fitting(graph: Graph, found: Sequence[Chain]) -> Level:
    """Return the level at which a graph is legible."""
    if max((chain.steps for chain in found), default=0) > GATES:
        return "cell"
    computed = [mark for mark in graph if not mark.stored]
    return "op" if len(computed) <= FEW and not any(step_of(mark.scope) for mark in computed) else "gate"


def _levelled(graph: Graph, level: Level, folded: Sequence[str], unfolded: Sequence[str]) -> Graph:
    """Return a graph at a level, with the scopes folded that are asked for."""
    inner = weights(graph) | (fresh(graph) if level == "module" else set())
    graph = fold(graph, chosen(graph, level, folded, unfolded), inner)
    return graph if level == "op" else gate_level(graph)


def _shortened(graph: Graph, found: Sequence[Chain], level: Level, folded: Collection[Path]) -> Graph:
    """Return the graph with those cells boxed that are several steps, or a step that is to be folded."""
    cells = [(chain, cell) for chain in found for cell in chain.cells]
    small = [replace(chain, cells=(cell,)) for chain, cell in cells if cell.times > 1 or _path(chain, cell) in folded]
    if not small:
        return graph
    short = boxed(graph, small)
    middle = [chain for chain in small if chain.steps > 1]
    return gathered(short if level == "op" else seen_through(short), middle, rows=False)[0]


def _path(chain: Chain, cell: Cell) -> Path:
    """Return the scope of a step."""
    return (*chain.path, f"t={cell.first}")


def _told(found: Sequence[Chain]) -> list[str]:
    """Return which steps are drawn as one, in words."""
    spans = [
        f"{'/'.join((*chain.path, f't={cell.first}…{cell.last}'))}"
        for chain in found
        for cell in chain.cells
        if cell.times > 1
    ]
    return [f"folded: {', '.join(spans)}"] if spans else []


def _not_rolled(graph: Graph, found: Sequence[Chain], level: Level) -> list[str]:
    """Return what keeps recurrences from being rolled, in words."""
    odd = [steps for chain in found if (steps := differing(graph, chain))]
    if odd:
        return [f"not rolled, for these steps differ: {', '.join(map(str, steps))}" for steps in odd]
    return list(filter(None, [hindrance(graph, found, level)]))


def _rolled(graph: Graph, found: tuple[Chain, ...], view: View) -> Shown:
    """Return a graph with each recurrence as one of its steps with its gates."""
    bare = seen_through(graph)
    inner = chains(bare)
    numbers = view.values or view.grads or view.direction != "forward"
    drawn, loops = rolled(bare, inner, numbers) if inner else rolled(graph, found, numbers)
    return Shown(once(drawn), "gate", "the first step stands for all", loops=loops)


def _are_many(found: Sequence[Chain], view: View) -> bool:
    """Tell whether there are more cells than are shown one by one unless that is asked for."""
    return view.level is None and max(len(chain.cells) for chain in found) > CELLS


def _cells(graph: Graph, found: tuple[Chain, ...], view: View) -> Shown:
    """Return a graph as chains of cells: all of them, or the first and the last, or with all steps rolled into one."""
    notes = _not_rolled(graph, found, "cell") if view.rolled else []
    if view.rolled and not hindrance(graph, found, "cell"):
        found = tuple(chain if differing(graph, chain) else whole(graph, chain, 0) for chain in found)
    for plan in itertools.islice(_plans(graph, found), int(_are_many(found, view)), None):
        drawn, places = gathered(gate_level(boxed(graph, plan)), plan)
        if visible(drawn) <= view.limit:
            break
    if not view.rolled or notes:
        notes += _told(plan)
    return Shown(once(drawn), "cell", "; ".join(notes), plan, places)
