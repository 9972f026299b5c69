"""From a mark for each primitive to a mark for each thing that is taught: learned layers, and the ops between them.

A layer is what its weights make of its inputs: a linear map, or an activation of one. The products, sums and slices
behind it, and the parameters, are folded into it; what it reads follows from them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from .ir import Graph, Mark

__all__ = ["gate_level", "row_taken", "seen_through", "weights", "without_unused"]

ACTIVATIONS = frozenset({"sigmoid", "tanh", "relu"})
RESHAPES = frozenset({"reshape", "expand_dims", "squeeze"})
ARRANGEMENTS = RESHAPES | {"stack", "concat", "getitem", "split", "permute_dims"}

CONVOLUTIONS = frozenset({"conv", "conv_transpose"})
WITH_BIAS = CONVOLUTIONS | {"linear"}
PRODUCTS = WITH_BIAS | {"matmul"}
"""Ops whose second argument, if it is learned, makes a layer of them; those which add a third one to the result."""

NORMS = frozenset({"layer_norm"})
"""Ops that are a layer with the gain and the shift behind them, or a part of the layer that they normalise."""

Affine: TypeAlias = "Mapping[int, tuple[tuple[int, ...], tuple[int, ...]]]"
"""For each mark that is a learned affine map: the data it reads, and the affine maps that it continues or adds."""


def gate_level(graph: Graph) -> Graph:
    """Return the graph with learned layers folded, without what only rearranges.

    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.graph.structure.ir import read
    >>> layer = tg.nn.Linear(3, 2)
    >>> with tg.Tape() as tape:
    ...     y = tg.tanh(layer(tg.ones((1, 3)).named("x")))
    >>> [(mark.op, mark.inputs, mark.parts) for mark in gate_level(read(tape))]
    [('constant', (), ()), ('tanh', (0,), (1, 2, 3, 4))]
    """
    return _without_dead_ends(_folded(seen_through(graph)))


def seen_through(graph: Graph) -> Graph:
    """Return the graph without unnamed reshapes; a row of a stack is what was stacked, one of a stored mark stored."""
    kept: dict[int, Mark] = {}
    stand_ins: dict[int, int] = {}
    rows: dict[tuple[int, int, str | None], int] = {}
    for mark in graph:
        if not stand_ins.keys().isdisjoint(mark.inputs):
            mark = replace(mark, inputs=tuple(stand_ins.get(i, i) if i is not None else None for i in mark.inputs))
        same = _same_as(mark, kept)
        if same is None and (row := row_taken(mark)) is not None:  # one taken twice is one
            same = rows.setdefault((mark.sources[0], row, mark.label), mark.id)
            if same != mark.id:
                kept[same] = replace(kept[same], twins=(*kept[same].twins, mark.id))
        if same is not None and same != mark.id:
            stand_ins[mark.id] = same
        else:
            kept[mark.id] = _as_stored(mark, kept)
    return Graph(tuple(kept.values()))


def _same_as(mark: Mark, marks: Mapping[int, Mark]) -> int | None:
    """Return the mark that this one only passes on, or None."""
    if len(mark.sources) != 1:
        return None
    source = marks[mark.sources[0]]
    if mark.label is None and (mark.op in RESHAPES or (_is_cut(mark) and mark.shape == source.shape)):
        return source.id
    row = row_taken(mark)
    if row is not None:
        match source.op, source.params:
            case "stack", (int() as axis,) if axis == 0 and -len(source.inputs) <= row < len(source.inputs):
                return source.inputs[row]
    return None


def _is_cut(mark: Mark) -> bool:
    """Tell whether this is what lies between two rows of its argument."""
    match mark.op, mark.params:
        case "getitem", (slice(step=None),):
            return True
    return False


def row_taken(mark: Mark) -> int | None:
    """Return which row of its argument this is, as the input of a step is one of a sequence; None if it is none."""
    match mark.op, mark.sources, mark.params:
        case "getitem", (_,), (int() as row,):
            return row
    return None


def _as_stored(mark: Mark, marks: Mapping[int, Mark]) -> Mark:
    """Return a row of a stored mark as a stored mark of its own."""
    if row_taken(mark) is not None and (source := marks[mark.sources[0]]).stored:
        return replace(mark, op=source.op, stored=True, label=mark.label or source.label, inputs=(), params=())
    return mark


def _folded(graph: Graph) -> Graph:
    """Return the graph with every learned layer as one mark."""
    learned = weights(graph)
    affine, inner = _affine(graph, learned)
    marks = []
    for mark in graph:
        if mark.id in inner:
            continue
        if mark.folded is not None:
            mark = replace(mark, inputs=tuple(i for i in mark.inputs if i not in learned))
        elif mark.id in affine:
            mark = _layer(graph, replace(mark, op=_product(mark, graph, affine)), affine, learned)
        elif mark.op in ACTIVATIONS and mark.sources and mark.sources[0] in inner:
            mark = _layer(graph, mark, affine, learned)
        elif _looks_up(mark, graph):
            mark = replace(mark, op="lookup", inputs=(), parts=(*mark.sources, mark.id))
        marks.append(mark)
    return without_unused(marks, {id for id in learned if graph.uses[id]})


def weights(graph: Graph) -> set[int]:
    """Return the parameters, the numbers, and what depends on them alone; a leaf that is multiplied by one is data."""
    given = {mark.id for mark in graph if mark.is_parameter or mark.is_number}
    products = [mark.inputs for mark in graph if mark.op in PRODUCTS]
    learned = given - {inputs[0] for inputs in products if given.intersection(inputs[1:2])}
    for mark in graph:
        is_data = mark.folded is not None or _looks_up(mark, graph)
        if mark.sources and not is_data and learned.issuperset(mark.sources):
            learned.add(mark.id)
    return learned


def _affine(graph: Graph, learned: set[int]) -> tuple[Affine, set[int]]:
    """Return the marks that are learned affine maps, and which of them become parts of layers.

    An affine map that is read elsewhere too is a mark of its own; what adds to it is an op.
    """
    apart: set[int] = set()
    while True:
        affine = _affine_if(graph, learned, apart)
        inner = {id for id in affine if graph.uses[id] and all(_absorbs(u, id, affine, graph) for u in graph.uses[id])}
        outside = {id for _, within in affine.values() for id in within} - inner
        if not outside:
            return affine, inner
        apart |= outside


def _affine_if(graph: Graph, learned: set[int], apart: set[int]) -> Affine:
    """Return the learned affine maps if some of them are not continued."""
    affine: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for mark in graph:
        operands = mark.sources
        within = tuple(i for i in operands if i in affine and i not in apart)
        if mark.op in WITH_BIAS and learned.intersection(mark.inputs[1:2]):
            data = tuple(i for i in mark.inputs[:1] if i is not None)
            bias = tuple(i for i in mark.inputs[2:] if i is not None)
            if all(i in within or i in learned for i in bias):
                affine[mark.id] = data, tuple(i for i in bias if i in within)
        elif mark.op == "matmul" and learned.intersection(operands):
            weight = operands[-1] if operands[-1] in learned else operands[0]
            affine[mark.id] = tuple(i for i in operands if i != weight), ()
        elif mark.op in NORMS and _is_scaled(mark, graph, learned):
            together = within == operands and graph[operands[0]].scope == mark.scope
            affine[mark.id] = ((), within) if together else (operands, ())
        elif mark.op == "add" and within:
            seen = {i: _seen_through_weight(graph[i], mark, graph, learned) for i in operands if i not in within}
            if all(data or i in learned for i, data in seen.items()):
                affine |= {i: (data, ()) for i, data in seen.items() if data}
                affine[mark.id] = (), tuple(i for i in operands if i in within or seen[i])
        elif within and _continues(mark, within, graph, learned):
            affine[mark.id] = (), within
    return affine


def _continues(mark: Mark, within: tuple[int, ...], graph: Graph, learned: set[int]) -> bool:
    """Tell whether a mark arranges affine maps, or scales one that is normalised."""
    if mark.op in ARRANGEMENTS and within == mark.sources and all(graph[i].label is None for i in within):
        return len(within) == 1 or (mark.op == "concat" and {graph[i].scope for i in within} == {mark.scope})
    is_scaled = mark.op == "multiply" and graph[within[0]].op in NORMS
    return is_scaled and all(i in learned for i in mark.sources if i not in within)


def _is_scaled(mark: Mark, graph: Graph, learned: set[int]) -> bool:
    """Tell whether all that uses a mark is its product with a weight."""
    gains = [i for user in graph.uses[mark.id] for i in user.sources if user.op == "multiply" and i != mark.id]
    return len(gains) == len(graph.uses[mark.id]) > 0 and learned.issuperset(gains)


def _seen_through_weight(mark: Mark, user: Mark, graph: Graph, learned: set[int]) -> tuple[int, ...]:
    """Return the data of which each element is multiplied by a weight of its own, as a gate sees a cell; else ()."""
    factors = [i for i in mark.sources if i in learned and not graph[i].is_number]
    data = tuple(i for i in mark.sources if i not in learned)
    alone = graph.uses[mark.id] == (user,) and mark.scope == user.scope
    return data if alone and mark.op == "multiply" and len(factors) == len(data) == 1 else ()


def _absorbs(user: Mark, id: int, affine: Affine, graph: Graph) -> bool:
    """Tell whether a mark that uses an affine map can have it folded in."""
    if user.id in affine:
        data, within = affine[user.id]
        return id in within and id not in data
    return user.op in ACTIVATIONS and _product(graph[id], graph, affine) not in NORMS


def _layer(graph: Graph, root: Mark, affine: Affine, learned: set[int]) -> Mark:
    """Return the layer that ends in a mark: its inputs are the data of all the affine maps behind it."""
    inputs: dict[int, None] = {}  # a set that keeps its order
    parts: set[int] = set()
    waiting = [root.id]
    while waiting:
        id = waiting.pop()
        if id in parts:
            continue
        parts.add(id)
        data, within = affine.get(id, ((), graph[id].sources))
        inputs.update(dict.fromkeys(data))
        waiting.extend(within[::-1])
        waiting.extend(i for i in graph[id].sources if i in learned and i not in data)
    return replace(root, inputs=tuple(inputs), params=(), parts=tuple(sorted(parts)))


def _product(mark: Mark, graph: Graph, affine: Affine) -> str:
    """Return the name of what is behind an affine map: the first product of data and a weight there is."""
    while affine[mark.id][1]:
        mark = graph[affine[mark.id][1][0]]
    return mark.op if mark.op in CONVOLUTIONS | NORMS else "linear"


def _looks_up(mark: Mark, graph: Graph) -> bool:
    """Tell whether this takes rows of a parameter by an array of indices, as an embedding does."""
    match mark.op, mark.sources, mark.params:
        case "getitem", (source,), (index,):
            return graph[source].is_parameter and hasattr(index, "shape")
    return False


def without_unused(marks: Sequence[Mark], candidates: Collection[int]) -> Graph:
    """Return the marks as a graph, less the candidates that no other mark needs."""
    kept: list[Mark] = []
    needed: set[int] = set()
    for mark in reversed(marks):
        if mark.id not in candidates or mark.id in needed:
            kept.append(mark)
            needed.update(mark.sources)
    return Graph(tuple(reversed(kept)))


def _without_dead_ends(graph: Graph) -> Graph:
    """Return the graph without unnamed arrangements that nothing is computed from, if anything else is left then."""
    candidates = {mark.id for mark in graph if mark.stored or (mark.op in ARRANGEMENTS and not mark.label)}
    lean = without_unused(list(graph), candidates)
    return lean if any(not mark.stored for mark in lean) else graph
