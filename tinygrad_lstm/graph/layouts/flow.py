"""A small expression as a card for each number: what it is, its value, its gradient; from left to right.

The longest way to the result is straight; what else is used stands above. Values go along one track of the cards, and
gradients come back along another, each line with the local derivative.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ..looks import marks
from ..looks.backward import STILL, Backward
from ..looks.dot import Writer
from ..looks.marks import Show
from ..structure.ir import Edge, Graph, Mark
from ..view import View

__all__ = ["flow", "suits"]

FEW = 25
"""Of more ops the picture would be too long."""

TRACK = 1.5
"""The width of a line."""


def flow(graph: Graph, title: str, view: View) -> Writer:
    """Return the picture of an expression as DOT."""
    return _Flow(graph, view).written(title)


def suits(graph: Graph, view: View) -> bool:
    """Tell whether a graph is an expression: few ops, none of them in a scope of its own.

    Cards are for what they tell. Without it they suit numbers, whose size needs no word.
    """
    computed = [mark for mark in graph if not mark.stored]
    told = view.values or view.grads or view.direction != "forward"
    small = len(computed) <= FEW and len({mark.scope for mark in computed}) == 1 and not graph.folded
    return small and view.level in (None, "op") and (told or all(mark.shape == () for mark in graph))


class _Flow:
    """One picture in the making."""

    def __init__(self, graph: Graph, view: View) -> None:
        self.graph = graph
        self.show = Show.of(graph, view, backward=view.direction == "backward")
        self.forward = view.direction != "backward"
        self.lines = Backward(graph)
        self.spine = _spine(graph)
        self.ids = {mark.id for mark in graph}
        self.dot = Writer()
        self.factors = self._factors() if view.direction != "forward" else {}

    def _factors(self) -> dict[Edge, str | None]:
        """Return the local derivatives of all uses on which a gradient comes back."""
        uses = dict.fromkeys(self.graph.edges)
        return {edge: self.lines.derivative(*edge) for edge in uses if self.lines.goes(*edge)}

    def written(self, title: str) -> Writer:
        """Return the picture as DOT."""
        drawn = [mark for mark in self.graph if not mark.is_number]
        kinds = {marks.kind(self.graph, mark) for mark in drawn}
        notes = {marks.origin(self.graph, mark) for mark in drawn}
        if self.factors:
            notes.add("widths" if None in self.factors.values() else "back")
        marks.begin(self.dot, title, kinds, self.show, notes, rankdir="LR", nodesep=0.3, ranksep=0.7)
        for mark in drawn:
            group = {"group": "spine"} if mark.id in self.spine else {}
            name = marks.name(self.graph, mark) or mark.op
            self.dot.node(f"n{mark.id}", **self._look(mark), **marks.identity(mark, name, show=self.show), **group)
        for edge in dict.fromkeys(self.graph.edges):
            if not self.graph[edge.source].is_number:
                self._lines(edge)
        self._above()
        for mark in drawn:
            if mark.cut is not None and mark.cut in self.ids:
                self.dot.edge(f"n{mark.cut}", f"n{mark.id}", **marks.CUT)
        return self.dot

    def _look(self, mark: Mark) -> dict[str, Any]:
        """Return the look of a card."""
        kind = marks.kind(self.graph, mark)
        if mark.stored:
            title = marks.heading(marks.stored_text(self.graph, mark), "", mark, self.show, role=kind)
        else:
            name = marks.name(self.graph, mark) or ""
            title = marks.heading(marks.glyph(self.graph, mark), name, mark, self.show)
        return marks.card(kind, title, mark, self.show)

    def _lines(self, edge: Edge) -> None:
        """Write the lines from a mark to one of its users, and back."""
        source, target = edge
        uses = self.graph[target].sources.count(source)
        straight = self.spine.get(target) == source
        if self.forward:
            look: dict[str, Any] = {"weight": 20 if straight else 2, "penwidth": TRACK}
            ports = self._ports("v", source, target) if straight else {}
            if (ports or edge in self.factors) and uses > 1:
                if self.factors.get(edge) is None:  # a derivative says it too
                    look["label"] = " twice " if uses == 2 else f" {uses} times "
                uses = 1
            for _ in range(uses):
                self.dot.edge(f"n{source}", f"n{target}", **look, **ports, class_=f"fwd from-n{source} to-n{target}")
        elif edge not in self.factors:
            self.dot.edge(f"n{source}", f"n{target}", **STILL, class_=f"fwd from-n{source} to-n{target}")
        if edge in self.factors:
            look = {"dir": "back", "weight": 10 if straight else 1, **self.lines.line(source, target)}
            if self.factors[edge] is not None:
                look |= {"label": f" {self.factors[edge]} ", "penwidth": 1.1}
            ports = self._ports("g", source, target) if straight else {}
            self.dot.edge(f"n{source}", f"n{target}", **look, **ports)

    def _ports(self, port: str, source: int, target: int) -> dict[str, str]:
        """Return the ends of a line at the tracks of two cards, if both have them."""
        if not all(self._has(port, self.graph[id]) for id in (source, target)):
            return {}
        return {"tailport": f"{port}:e", "headport": f"{port}:w"}

    def _has(self, port: str, mark: Mark) -> bool:
        if port == "v":
            return self.show.values and mark.value is not None
        return self.show.grads and mark.grad is not None

    def _above(self) -> None:
        """Put what an op on the spine, the first to do so, reads beside it above what it reads on the spine."""
        placed = set(self.spine)
        for target, before in self.spine.items():
            beside = [id for id in dict.fromkeys(self.graph[target].sources) if self.graph[id].stored and id != before]
            beside = [id for id in beside if not self.graph[id].is_number and self.graph.uses[id][0].id == target]
            column = [id for id in beside if id not in placed]
            if before is not None and column:
                placed.update(column)
                nodes = [f"n{id}" for id in (*column, before)]
                self.dot.same_rank(nodes)
                for upper, lower in pairwise(nodes):
                    self.dot.edge(upper, lower, style="invis", weight=1)


def _spine(graph: Graph) -> dict[int, int | None]:
    """Return the longest way to the result: for each mark on it, the one before."""
    length: dict[int, int] = {}
    before: dict[int, int | None] = {}
    for mark in graph:
        known = [id for id in mark.sources if not graph[id].is_number]
        before[mark.id] = max(known, key=lambda id: length[id], default=None)
        length[mark.id] = 0 if not known else 1 + max(length[id] for id in known)
    record = graph.record
    end: int | None = max(length, key=lambda id: (record is not None and id == record.root, length[id], id))
    spine: dict[int, int | None] = {}
    while end is not None:
        spine[end] = before[end]
        end = before[end]
    return dict(reversed(spine.items()))
