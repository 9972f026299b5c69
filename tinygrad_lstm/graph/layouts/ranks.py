"""Nodes in columns that are held in their order, and lines between them on which values go and gradients come back.

A column is a rank of Graphviz's, ranks run from left to right. Lines that lead to the left, or upwards within a column,
are declared the other way round, so that only time and the order from top to bottom decide the layout.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from ..looks.backward import STILL, Backward
from ..looks.dot import Writer
from ..looks.marks import LINE, Show, begin
from ..structure.ir import Graph
from ..view import View

__all__ = ["NOWHERE", "Column", "Port", "Ranks", "carries"]


class Port(NamedTuple):
    """Where lines meet a node: that of a value, and that of its gradient."""

    value: str = ""
    gradient: str = ""


NOWHERE = Port()
"""Nowhere in particular."""

Column: TypeAlias = "tuple[int, int]"
"""A block of columns, and the place of a column in it."""


class Ranks:
    """A picture in the making.

    Attributes
    ----------
    kinds, notes
        What the legend tells of: rows of `marks.COLOURS` and `marks.SIGNS`.
    drawn
        The uses that have a line, as pairs of ids.
    nodes, stands
        The looks of the nodes, and for those in a column which it is and how high they stand there.
    """

    def __init__(self, graph: Graph, view: View) -> None:
        self.graph = graph
        self.view = view
        self.show = Show.of(graph, view, backward=view.direction == "backward")
        self.gradients = Backward(graph) if view.direction != "forward" else None
        self.kinds: set[str] = set()
        self.notes: set[str] = set()
        self.drawn: set[tuple[int, int]] = set()
        self.nodes: dict[str, dict[str, Any]] = {}
        self.stands: dict[str, tuple[Column, int]] = {}
        self._points: set[str] = set()
        self._edges: list[tuple[str, str, dict[str, Any]]] = []

    def put(self, node: str, column: Column | None = None, level: int = 0, **look: Any) -> str:
        """Add a node, in a column if it stands in one, and return its name."""
        self.nodes[node] = look
        if column is not None:
            self.stands[node] = column, level
        return node

    def point(self, node: str, column: Column, level: int, colour: str, width: float = 0.05) -> str:
        """Add a point of a line."""
        self._points.add(node)
        return self.put(node, column, level, shape="point", width=width, color=colour)

    def edge(self, tail: str, head: str, turned: bool = False, gradient: bool = False, **look: Any) -> None:
        """Add a line from one node to another, or back from the other if it is a gradient's.

        ``turned`` declares it from its head to its tail; what ``look`` says of these is as before that.
        """
        if turned:
            tail, head = head, tail
            look = {_OTHER_END.get(key, key): value for key, value in look.items()}
        look = {key: value for key, value in look.items() if value != ""}
        forward = turned == gradient
        if (head if forward else tail) in self._points:
            look["arrowhead" if forward else "arrowtail"] = "none"
        self._edges.append((tail, head, look if forward else {**look, "dir": "back"}))

    def use(
        self, sources: Sequence[int], target: int, tail: str, head: str, turned: bool = False, via: str = "",
        ports: tuple[Port, Port] = (NOWHERE, NOWHERE), back: tuple[str, str] | None = None, **look: Any,
    ) -> None:  # fmt: skip
        """Add the line of a use: on which a value goes, on which its gradient comes back, or both, as the direction is.

        Parameters
        ----------
        sources, target
            The marks between which they go; several sources are steps that are drawn as one.
        tail, head, turned
            The nodes between which they lead, and whether they are declared the other way round.
        via
            A point on the way of the value.
        ports
            Where they leave the tail and reach the head.
        back
            The nodes between which the gradient leads, if it has others.
        look
            What the value's looks like.
        """
        self.drawn |= {(source, target) for source in sources}
        stops = [(tail, ports[0].value), *([(via, "")] if via else []), (head, ports[1].value)]
        if self._goes(sources, [target]):
            still = STILL if self.view.direction == "backward" else {}
            for (a, start), (b, end) in itertools.pairwise(stops):
                classes = carries(sources) + (f" to-n{target}" if b == head else "")
                self.edge(a, b, turned, tailport=start, headport=end, **{**look, **still, "class_": classes})
        self.come_back(sources, [target], back or (tail, head), turned, ports, **look)

    def part(self, sources: Sequence[int], users: Sequence[int], tail: str, head: str, turned: bool = False,
             ports: tuple[Port, Port] = (NOWHERE, NOWHERE), back: tuple[str, str] | None = None,
             **look: Any) -> None:  # fmt: skip
        """Add a part of a line that leads to several users."""
        if self._goes(sources, users):
            still = STILL if self.view.direction == "backward" else {}
            line = {**look, **still, "tailport": ports[0].value, "headport": ports[1].value, "class_": carries(sources)}
            self.edge(tail, head, turned, **line)
        self.come_back(sources, users, back or (tail, head), turned, ports, **look)

    def _goes(self, sources: Sequence[int], users: Sequence[int]) -> bool:
        """Tell whether the line of a value is drawn; where gradients are shown alone, only in place of one."""
        return self.view.direction != "backward" or not self._comes(sources, users)

    def _comes(self, sources: Sequence[int], users: Sequence[int]) -> list[int]:
        """Return the sources to which a gradient comes back."""
        lines = self.gradients
        return [] if lines is None else [s for s in sources if any(lines.goes(s, user) for user in users)]

    def come_back(
        self,
        sources: Sequence[int],
        users: Sequence[int],
        ends: tuple[str, str],
        turned: bool = False,
        ports: tuple[Port, Port] = (NOWHERE, NOWHERE),
        **look: Any,
    ) -> None:
        """Add the line on which a gradient comes back, if one does."""
        for source in self._comes(sources, users)[:1]:
            assert self.gradients is not None
            self.notes.add("widths")
            line = {"arrowsize": 0.6, "weight": look.get("weight", 1), **self.gradients.line(source, *users)}
            line |= {end: look[end] for end in ("tailclip", "headclip") if end in look}
            line |= {"tailport": ports[0].gradient, "headport": ports[1].gradient}
            self.edge(*ends, turned, gradient=True, **line)

    def written(self, title: str) -> Writer:
        """Return the picture as DOT."""
        dot = Writer()
        begin(dot, title, self.kinds, self.show, self.notes, rankdir="LR", newrank="true", nodesep=0.3, ranksep=0.5,
              splines="spline")  # fmt: skip
        for node, look in self.nodes.items():
            dot.node(node, **look)
        for tail, head, look in self._edges:
            dot.edge(tail, head, **{"color": LINE, **look})
        joined = {(tail, head) for tail, head, _ in self._edges}
        columns: dict[Column, list[str]] = {}
        for node, (column, _) in sorted(self.stands.items(), key=lambda item: -item[1][1]):
            columns.setdefault(column, []).append(node)
        for column in sorted(columns):
            if len(columns[column]) > 1:
                dot.same_rank(columns[column])
            for upper, lower in itertools.pairwise(columns[column]):
                if (upper, lower) not in joined:
                    dot.edge(upper, lower, style="invis", weight=1)
        return dot


_OTHER_END = {"tailport": "headport", "headport": "tailport", "tailclip": "headclip", "headclip": "tailclip"}


def carries(sources: Sequence[int]) -> str:
    """Return the classes of a line by what it carries."""
    return " ".join(["fwd", *(f"from-n{source}" for source in sources)])
