"""A recurrence as on a blackboard: a box for each step, time from left to right, one state straight on top.

Rows, from the bottom: what makes the inputs, the inputs, the bus of h, the gates, ops, the belt; a further layer stands
above them; at the top, what is computed at every step. Of two directions the second one stands below the inputs, turned
upside down, and runs from right to left.

Where the marks of a step stand, and which way its lines take, is planned on a grid (`planning`), measured and drawn for
each step (`Layer`). So Graphviz has nothing to lay out: every node and every line is written with its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from ..looks import marks
from ..looks.dot import Writer
from ..looks.marks import Show
from ..structure.ir import Graph, Mark
from ..structure.recurrence import Step, Unrolled
from ..structure.rolling import Loop
from ..view import View
from .canvas import Canvas, Point, Size
from .layer import BRANCH, BUS_LINE, ROWS, SPACE, STEPS, THIN_LINE, WIRE, Layer
from .planning import Plan, plan
from .scoped import scoped

__all__ = ["lanes"]

RISERS, LOOPED = 16.0, 38.0
"""Between the boxes of two layers, and if states go back between them."""


def lanes(graph: Graph, found: Unrolled, title: str, view: View, loops: Sequence[Loop]) -> Writer:
    """Return the picture of a recurrence as DOT; if its steps cannot be drawn in lanes, that of any graph.

    ``loops`` are the ways back of the states, if one step stands for all.
    """
    plans = [plan(layer.pattern) for layer in (*found.layers, *found.turned)]
    placed = [plan for plan in plans if plan is not None]
    if len(placed) < len(plans) or (found.turned and any(len(plan.inputs) != 1 for plan in placed)):
        return scoped(graph, title, view, loops)
    return _Picture(graph, found, placed, view, loops).written(title)


class _Picture:
    """Layers, one above the other, and what comes before and after them."""

    def __init__(self, graph: Graph, found: Unrolled, plans: Sequence[Plan], view: View, loops: Sequence[Loop]) -> None:
        self.graph, self.found, self.loops = graph, found, loops
        self.canvas = Canvas(graph, view)
        last = found.layers[-1].output(found.layers[-1].steps[-1])
        self.ends_beside = found.outputs in ((), (last,)) and not found.beside.chains and not found.turned
        rises = len(found.layers) > 1 or not self.ends_beside
        self.layers = [
            Layer(self.canvas, layer, plan, number, rises, reads=number == 0 and not found.turned)
            for number, (layer, plan) in enumerate(zip(found.layers, plans, strict=False))
        ]
        self.turned = [
            Layer(self.canvas, layer, plans[-1], 0, rises, reads=False, turned=True) for layer in found.turned
        ]
        self._arrange()

    def _arrange(self) -> None:
        """Give the boxes one width, the steps their slots, and the layers their heights."""
        everything = [*self.layers, *self.turned]
        self.width = max(layer.width for layer in everything)
        self.slots: dict[int, float] = {}
        self.right = -STEPS
        for step in _in_time(self.layers[0]):
            self.slots[step.number] = self.right + STEPS + max(layer.room(step.number) for layer in everything)
            self.right = self.slots[step.number] + self.width
        for layer in everything:
            layer.widen(self.width)
            layer.slots = self.slots
        base = 0.0
        for layer in self.turned:
            base = max(layer.input(step)[2][1] for step in self.layers[0].found.steps) / 2 + RISERS
            layer.base = -base
        for layer in self.layers:
            layer.base = base
            base += layer.top + (LOOPED if self.loops else RISERS)
        self.top = base

    def written(self, title: str) -> Writer:
        """Return the picture as DOT."""
        below = self._inputs_between() if self.turned else {}
        named = len(self.layers) + len(self.turned) > 1
        for layer in (*self.layers, *self.turned):
            layer.below = below
            layer.draw(named)
            below = below if self.turned else layer.risen
        for layer in (*self.layers, *self.turned):
            layer.loop(self.loops)
        self._source()
        if self.turned:
            self._joined()
        elif self.found.beside.chains:
            self._beside()
        elif self.found.tail and self.ends_beside:
            layer, step = self.layers[-1], self.layers[-1].found.steps[-1]
            node = layer.risen[step.number]
            self._tail(node, self.found.outputs, self.canvas.nodes[node].y, layer.line_of_state(BUS_LINE))
        elif self.found.tail:
            node, carried = self._rail(self.layers[-1], self.found.outputs, self.top)
            self._tail(node, carried, self.top, self.layers[-1].line_of_state(BUS_LINE))
        return self.canvas.written(title)

    # What comes before

    def _inputs_between(self) -> dict[int, str]:
        """Add the inputs that both directions read, and return their nodes by the step's number."""
        nodes = {}
        for step in self.found.layers[0].steps:
            name, look, size = self.layers[0].input(step)
            x = self.slots[step.number] + self.width / 2
            nodes[step.number] = self.canvas.put(name, look, x, 0.0, size)
        return nodes

    def _source(self) -> None:
        """Add what makes the inputs, below them, and what picks each of them."""
        steps = [step for step in _in_time(self.layers[0]) if None not in step.reads]
        low = min(node.y - node.height / 2 for node in self.canvas.nodes.values())
        for step in steps:
            for id in step.reads:
                picked = None if id is None else marks.indices(self.graph[id])
                if id is not None and picked is not None:
                    look, size = self.canvas.dressed(partial(_indices, picked))
                    x = self.canvas.nodes[f"n{id}"].x
                    self.canvas.kinds.add("input")
                    node = self.canvas.put(f"i{id}", look, x, low - ROWS - size[1] / 2, size)
                    self.canvas.line(node, f"n{id}", WIRE, [], [], end=id)
        if self.found.source:
            self._sequence([step.reads[0] for step in steps], low - 2 * ROWS)

    def _sequence(self, inputs: Sequence[int | None], y: float) -> None:
        """Add the chain that makes a sequence, and a line along which each step takes its part."""
        parts = [id for id in inputs if id is not None]
        x = self.canvas.nodes[f"n{parts[0]}"].x - 2 * SPACE
        source = self.found.source
        nodes: dict[int, str] = {}
        for id in reversed(source):
            width = self._size(id)[0]
            nodes[id] = self._put(self.graph[id], (x - width / 2, y), below=True)
            x -= width + SPACE
        for before, after in pairwise(source):
            self.canvas.line(nodes[before], nodes[after], WIRE, [before], [after], end=after)
        tail, carried = nodes[source[-1]], source[-1:]
        for place, id in enumerate(parts):
            x, node = self.canvas.nodes[f"n{id}"].x, f"n{id}"
            if place + 1 < len(parts):
                point = self.canvas.point(f"s{id}", x, y, BRANCH, marks.LINE)
                self.canvas.line(tail, point, WIRE, carried, parts[place:])
                self.canvas.line(point, node, WIRE, carried, [id], end=id)
                tail = point
            else:
                self.canvas.line(tail, node, WIRE, carried, [id], [(x, y)], end=id)

    # What comes after

    def _rail(self, layer: Layer, ids: Sequence[int], y: float) -> tuple[str, list[int]]:
        """Add a line that gathers outputs; return the node from which it goes on, and what it carries."""
        look = layer.line_of_state(BUS_LINE)
        after = {*self.found.tail, *(id for id in self.found.gathers if id is not None)}
        tail, carried = "", list[int]()
        for step in _in_time(layer):
            output = layer.found.output(step)
            if output not in ids:
                continue
            start = layer.risen[step.number]
            users = [user.id for user in self.graph.uses[output] if user.id in after]
            if tail:
                point = self.canvas.point(f"w{output}", self.canvas.nodes[start].x, y, BRANCH, look["color"])
                self.canvas.line(tail, point, look, carried, users, self._corners(tail, y))
                self.canvas.line(start, point, look, [output], users)
            tail = point if tail else start
            carried.append(output)
        return tail, carried

    def _corners(self, node: str, y: float) -> list[Point]:
        """Return where a line from a node turns to run level at some height, if it has to."""
        start = self.canvas.nodes[node]
        return [] if abs(start.y - y) < 1 else [(start.x, y)]

    def _tail(self, node: str, carried: Iterable[int], y: float, look: dict[str, Any], x: float | None = None) -> str:
        """Add the chain of what is computed in the end, to the right, and return the first of its nodes."""
        x = self.right + 2 * SPACE if x is None else x
        first = ""
        for id in self.found.tail:
            width = self._size(id)[0]
            head = self._put(self.graph[id], (x + width / 2, y))
            if node:
                self.canvas.line(node, head, look, carried, [id], self._corners(node, y), end=id)
            first, node, carried, look, x = first or head, head, [id], WIRE, x + width + SPACE
        return first

    def _joined(self) -> None:
        """Add the lines that gather the outputs of both directions, and the tail that joins them."""
        found, (turned,) = self.found, self.turned
        x = max(node.x + node.width / 2 for node in self.canvas.nodes.values()) + 2 * SPACE
        ends = []
        for layer, ids, gather, y in (
            (self.layers[0], found.outputs, found.gathers[0], self.top),
            (turned, found.reverse_outputs, found.gathers[1], turned.base - turned.top - RISERS),
        ):
            node, carried = self._rail(layer, ids, y) if ids else ("", [])
            if gather is not None:
                head = self._put(self.graph[gather], (x - SPACE, y))
                look = layer.line_of_state(BUS_LINE)
                self.canvas.line(node, head, look, carried, [gather], self._corners(node, y), end=gather)
                node, carried = head, [gather]
            ends.append((layer, node, carried, y))
        first = self._tail("", [], 0.0, WIRE, x)
        for layer, node, carried, y in ends:
            if node and first:
                corners = [*self._corners(node, y), (self.canvas.nodes[first].x, y)]
                look = layer.line_of_state(BUS_LINE)
                self.canvas.line(node, first, look, carried, found.tail[:1], corners, end=found.tail[0])

    def _beside(self) -> None:
        """Add what is computed at every step above it, the line along which it adds up, and the tail."""
        layer, beside = self.layers[-1], self.found.beside
        heights, y = self._heights(beside.chains)
        total, carried = "", list[int]()
        for step, ids, added in zip(_in_time(layer), beside.chains, beside.sums, strict=True):
            if not ids:
                continue
            node, before, look = layer.risen[step.number], layer.found.output(step), layer.line_of_state(THIN_LINE)
            x = self.canvas.nodes[node].x
            for id, height in zip(ids, heights, strict=True):
                head = self._put(self.graph[id], (x, height), beside=True)
                self.canvas.line(node, head, look, [before], [id], end=id)
                node, before, look = head, id, WIRE
            total, carried = self._added(total, carried, node, before, added, y)
        if self.found.tail:
            self._tail(total, carried, y, WIRE)

    def _heights(self, chains: Iterable[Sequence[int]]) -> tuple[list[float], float]:
        """Return the rows of what is computed at every step, and that of the sum above them."""
        heights = []
        y = self.top
        for row in zip(*filter(None, chains), strict=True):
            height = max(self._size(id)[1] for id in row)
            heights.append(y + height / 2)
            y += height + ROWS
        sums = [self._size(id)[1] for id in self.found.beside.sums if id is not None]
        return heights, y + max(sums, default=0.0) / 2

    def _added(
        self, total: str, carried: list[int], node: str, end: int, added: int | None, y: float
    ) -> tuple[str, list[int]]:
        """Add what one step gives to a sum, or to what gathers it; return where that goes on, and what it carries."""
        x = self.canvas.nodes[node].x
        if added is not None:
            head = self._put(self.graph[added], (x, y), beside=True)
            self.canvas.line(node, head, WIRE, [end], [added], end=added)
            if total:
                self.canvas.line(total, head, WIRE, carried, [added], self._corners(total, y), end=added)
            return head, [added]
        if not total or not self.found.tail:
            return node, [end]
        point = self.canvas.point(f"w{end}", x, y, BRANCH, marks.LINE)
        self.canvas.line(total, point, WIRE, carried, self.found.tail[:1], self._corners(total, y))
        self.canvas.line(node, point, WIRE, [end], self.found.tail[:1])
        return point, [*carried, end]

    # Marks outside of the steps

    def _look(self, mark: Mark, show: Show) -> dict[str, Any]:
        """Return the look of a computed mark; a stack is only the end of the line that gathers."""
        if mark.op == "stack" and not mark.label:
            return marks.bar()
        self.canvas.kinds.add(marks.kind(self.graph, mark))
        return marks.look(self.graph, mark, show)

    def _size(self, id: int) -> Size:
        """Return the size of a computed mark."""
        return self.canvas.dressed(partial(self._look, self.graph[id]))[1]

    def _put(self, mark: Mark, place: Point, below: bool = False, beside: bool = False) -> str:
        """Add a computed mark, and what it reads that is stored: above it, below it, or at its left."""
        (x, y), name = place, f"n{mark.id}"
        look, (width, height) = self.canvas.dressed(partial(self._look, mark))
        text = marks.name(self.graph, mark) or mark.op
        self.canvas.put(name, {**look, **marks.identity(mark, text, name, self.canvas.show)}, x, y, (width, height))
        read = list(self._stored(mark))
        across = sum(size[0] + SPACE for *_, size in read) - SPACE
        left = x - (width / 2 + SPACE + across if beside else across / 2)
        for id, other, look, size in read:
            away = 0.0 if beside else height / 2 + ROWS + size[1] / 2
            middle = left + size[0] / 2
            self.canvas.put(other, look, middle, y - away if below else y + away, size)
            corners = [] if beside or abs(middle - x) < 1 else [(middle, y)]
            self.canvas.line(other, name, WIRE, [] if id is None else [id], [mark.id], corners, mark.id)
            left += size[0] + SPACE
        return name

    def _stored(self, mark: Mark) -> Iterable[tuple[int | None, str, dict[str, Any], Size]]:
        """Give what a mark reads that is stored, and the indices by which it picks: ids, names, looks and sizes."""
        for id in dict.fromkeys(mark.sources):
            other = self.graph[id]
            if other.stored and not other.is_number:
                kind, text = marks.kind(self.graph, other), marks.stored_text(self.graph, other)
                self.canvas.kinds.add(kind)
                self.canvas.notes.add(marks.origin(self.graph, other))
                name = f"n{id}" if f"n{id}" not in self.canvas.nodes else f"n{id}at{mark.id}"
                look, size = self.canvas.dressed(partial(marks.stored, kind, text, other))
                yield id, name, {**look, **marks.identity(other, text, name, self.canvas.show)}, size
        picked = marks.indices(mark)
        if picked is not None:
            self.canvas.kinds.add("input")
            yield None, f"i{mark.id}", *self.canvas.dressed(partial(_indices, picked))


def _indices(text: str, show: Show) -> dict[str, Any]:
    """Return the look of the indices by which something is picked, which tell nothing more."""
    return marks.stored("input", text)


def _in_time(layer: Layer) -> list[Step]:
    """Return the steps of a layer from left to right."""
    return sorted(layer.found.steps, key=lambda step: step.number)
