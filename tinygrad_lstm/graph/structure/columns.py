"""What stands beside the cells of a chain: in the column of a step what it alone reads, below, and what is made of it.

What is made of a step stands above it if the other steps have the same, as a loss at each of them; what is made of the
last one alone, or of all of them, is the end of the picture.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .chains import Cell, Chain, is_row
from .folding import Group, Groups, Path, fold
from .ir import Graph, Mark
from .simplify import weights

__all__ = ["Columns", "gathered"]


@dataclass(frozen=True)
class Columns:
    """What stands beside cells, as ids of marks.

    Attributes
    ----------
    below
        For each mark that stands below a cell that cell; several if it stands below one in each of several chains.
    above
        For each that stands above a cell that cell.
    """

    below: dict[int, tuple[int, ...]]
    above: dict[int, int]


def gathered(graph: Graph, found: Sequence[Chain], rows: bool = True) -> tuple[Graph, Columns]:
    """Return a boxed graph with what is beside a cell of several steps as one mark below it and one above.

    ``rows`` says whether rows of one sequence are one row then, not a scope.
    """
    taken = {id for chain in found for cell in chain.cells for id in (cell.id, *cell.members)}
    below = _below(graph, found, taken)
    taken |= below.keys()
    above = {id: cell for chain in found for id, cell in _above(graph, chain, taken).items()}
    groups: Groups = {}
    names: dict[Group, str] = {}
    for chain in found:
        for cell in chain.cells:
            if cell.times == 1:
                continue
            span = f"t={cell.first}…{cell.last}"
            groups[cell.id] = Group((*chain.path, span), (cell.id,), cell.times)
            under = [mark for mark in graph if below.get(mark.id, (0,))[0] == cell.id and not mark.stored]
            over = [mark for mark in graph if above.get(mark.id) == cell.id]
            for place, marks in enumerate((under, over)):
                group = Group((*_around(marks), _name(marks) or span), (-cell.id, place), cell.times)
                groups |= {mark.id: group for mark in marks}
                if rows and marks and all(map(is_row, marks)):
                    names[group] = _name(marks)
    inner = weights(graph) - _initial(graph, found)
    folded = _with_rows(
        fold(graph, groups, inner), {id: names[group] for id, group in groups.items() if group in names}
    )
    return folded, Columns(_in(folded, below), _in(folded, above))


def _with_rows(graph: Graph, names: Mapping[int, str]) -> Graph:
    """Return the graph with rows of one sequence that were folded as rows again."""
    marks = [
        replace(mark, op="getitem", folded=None, note="", label=names[mark.id] or None)
        if mark.folded is not None and mark.id in names
        else mark
        for mark in graph
    ]
    return Graph(tuple(marks))


def _in(graph: Graph, side: Mapping[int, Hashable]) -> dict[int, Any]:
    """Return in what columns the marks of a folded graph stand."""
    cells = {mark.id: [side[part] for part in mark.parts or (mark.id,) if part in side] for mark in graph}
    return {id: found[0] for id, found in cells.items() if found}


def _around(marks: Sequence[Mark]) -> Path:
    """Return the scopes that are around all of some marks, but for the innermost of one."""
    scopes = sorted({mark.scope for mark in marks}) or [()]
    pairs = itertools.takewhile(lambda names: names[0] == names[1], zip(scopes[0], scopes[-1], strict=False))
    common = tuple(name for name, _ in pairs)
    return common[: len(common) - (len(scopes) == 1)]


def _name(marks: Sequence[Mark]) -> str:
    """Return what marks are called if all have one name, or else the scope in which all of them are."""
    labels, scopes = {mark.label or "" for mark in marks}, {mark.scope[-1:] for mark in marks}
    label = labels.pop() if len(labels) == 1 else ""
    return label or ("".join(*scopes) if len(scopes) == 1 else "")


def _below(graph: Graph, found: Sequence[Chain], taken: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Return what only one cell reads, or one in each of several chains, itself or by way of what stands below it."""
    cells = {cell.id: (place, cell) for place, chain in enumerate(found) for cell in chain.cells}
    initial = _initial(graph, found)
    made = [_made_of(graph, [cell.id for cell in chain.cells]) for chain in found]
    below: dict[int, tuple[int, ...]] = {}
    for mark in reversed(graph.marks):
        owners: dict[int, None] = {}
        for user in graph.uses[mark.id]:
            owners |= dict.fromkeys((user.id,) if user.id in cells else below.get(user.id, (-1,)))
        chains = {cells[owner][0] for owner in owners if owner in cells}
        known = mark.is_number or mark.id in initial or mark.id in taken or any(mark.id in made[i] for i in chains)
        alone = len(owners) == 1 or (len(chains) == len(owners) and (mark.stored or is_row(mark)))
        if owners and -1 not in owners and alone and not known:
            below[mark.id] = tuple(owners)
    lone = {chain.cells[0].id: chain.steps for chain in found if len(chain.cells) == 1}
    return _for_each_step(graph, below, lone)


def _initial(graph: Graph, found: Sequence[Chain]) -> set[int]:
    """Return the states before the first cells."""
    first = (chain.cells[0] for chain in found)
    return {i for cell in first for i in graph[cell.id].inputs[: len(cell.before)] if i is not None}


def _for_each_step(
    graph: Graph, below: dict[int, tuple[int, ...]], lone: Mapping[int, int]
) -> dict[int, tuple[int, ...]]:
    """Return what stands below cells, less what one that is all of its chain has not for each of so many steps."""
    counts = Counter((_kind(mark), below[mark.id]) for mark in graph if mark.id in below)
    for mark in reversed(graph.marks):
        owners = below.get(mark.id, ())
        once = any(lone.get(owner) == 1 or counts[_kind(mark), owners] < lone.get(owner, 0) for owner in owners)
        left = (user.id in below or user.id in owners for user in graph.uses[mark.id])
        if owners and ((once and not mark.stored and not is_row(mark)) or not all(left)):
            del below[mark.id]
    return below


def _made_of(graph: Graph, ids: Iterable[int]) -> set[int]:
    """Return some marks, and what is computed from them."""
    made = set(ids)
    for mark in graph:
        if not made.isdisjoint(mark.sources):
            made.add(mark.id)
    return made


def _above(graph: Graph, chain: Chain, taken: Collection[int]) -> dict[int, int]:
    """Return what is made of each step alone, or of it and of what is above the step before, if all have the same.

    What is ``taken`` stands elsewhere, the cells themselves among it.
    """
    owner = {id: cell.id for cell in chain.cells for id in (cell.id, *cell.members)}
    place = {cell.id: number for number, cell in enumerate(chain.cells)}
    made = _made_of(graph, place)
    above: dict[int, int] = {}
    for mark in graph:
        if mark.stored or mark.id in taken:
            continue
        direct = {owner[i] for i in mark.sources if i in owner}
        others = {above.get(i, -1) for i in mark.sources if i in made and i not in owner}
        cells = direct | others
        if -1 in others or not cells or len(direct) > 1:
            continue
        last = max(cells, key=lambda id: place[id])
        if direct <= {last} and all(place[last] - place[id] <= 1 for id in cells):
            above[mark.id] = last
    return _regular(graph, chain, above)


def _regular(graph: Graph, chain: Chain, above: dict[int, int]) -> dict[int, int]:
    """Return what is above the steps less what only the last one has; nothing if they are not alike."""
    columns: dict[int, list[Mark]] = {cell.id: [] for cell in chain.cells}
    for mark in graph:
        if mark.id in above:
            columns[above[mark.id]].append(mark)
    counts = {id: Counter(map(_kind, marks)) for id, marks in columns.items()}
    model = chain.cells[-2:][0]
    early = _of_inner_steps(columns[model.id], model)
    usual = Counter({kind: -(-n // model.times) for kind, n in counts[model.id].items() if n >= model.times - 1})
    usual = Counter({kind: n for kind, n in usual.items() if kind in early})
    if chain.steps == 1 or (model.times == 2 and len(chain.cells) == 1):
        return {}
    for cell in chain.cells[:-1]:
        if cell.times == 1 and (counts[cell.id] - usual or (cell is not chain.cells[0] and counts[cell.id] != usual)):
            return {}
    last = chain.cells[-1]
    left = Counter({kind: n * last.times for kind, n in usual.items()})
    dropped: set[int] = set()
    for mark in columns[last.id]:
        if left[_kind(mark)] <= 0 or not dropped.isdisjoint(mark.sources):
            dropped.add(mark.id)
        left[_kind(mark)] -= 1
    return {id: cell for id, cell in above.items() if id not in dropped}


def _of_inner_steps(marks: Sequence[Mark], cell: Cell) -> set[Hashable]:
    """Return what is made of a step, or of one of several that is not the last of them: that one gives its states."""
    if cell.times == 1:
        return set(map(_kind, marks))
    early = {cell.id}
    for mark in marks:
        if not early.isdisjoint(mark.sources):
            early.add(mark.id)
    return {_kind(mark) for mark in marks if mark.id in early}


def _kind(mark: Mark) -> Hashable:
    return mark.op, mark.folded, mark.shape
