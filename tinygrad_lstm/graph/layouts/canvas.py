"""Pictures whose nodes and lines are placed here, in points, so that Graphviz has only to draw them.

Every line runs level or upright from corner to corner, from node to node or to a point where it branches. It is drawn
as values go, as gradients come back, or both ways side by side.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from ..looks import marks
from ..looks.backward import STILL, Backward, returning
from ..looks.dot import Html, Writer
from ..looks.marks import Show
from ..looks.measures import INCH, extent, text_width
from ..structure.ir import Graph
from ..view import View

__all__ = ["Canvas", "Point", "Size"]

Point: TypeAlias = "tuple[float, float]"
Size: TypeAlias = "tuple[float, float]"
Corners: TypeAlias = "tuple[float, float, float, float]"
"""The left, lower, right and upper edge of a box."""

ARROW = 6.0
"""The length of an arrow's head."""

APART = 3.0
"""How far the two lines of both directions stand from the middle."""

LABEL = 13.0
"""How far from the edge of a box its label is."""


class Node(NamedTuple):
    """A node: its look, where its middle is, and its size."""

    look: dict[str, Any]
    x: float
    y: float
    width: float = 0.0
    height: float = 0.0

    def edge(self, towards: Point) -> Point:
        """Return where a line meets it that leads to a point above, below or beside it."""
        x, y = towards
        if abs(x - self.x) < abs(y - self.y):
            return self.x, self.y + math.copysign(self.height / 2, y - self.y)
        return self.x + math.copysign(self.width / 2, x - self.x), self.y


class Box(NamedTuple):
    """A box around nodes, with a label in its upper left corner, or in its lower right one."""

    name: str
    label: str
    corners: Corners
    nodes: Sequence[str]
    turned: bool


class Line(NamedTuple):
    """A line from node to node.

    Attributes
    ----------
    points
        Where it begins, turns and ends.
    look
        That of a line on which values go.
    sources, users
        The marks whose values it carries, and those to which it leads.
    end
        The mark at its end, if it ends at one.
    part
        What it is a part of: ``"belt"``, ``"hbus"`` or nothing.
    """

    tail: str
    head: str
    points: Sequence[Point]
    look: dict[str, Any]
    sources: tuple[int, ...]
    users: tuple[int, ...]
    end: int | None
    part: str


class Canvas:
    """The nodes, lines and boxes so far, and what the legend has to explain."""

    def __init__(self, graph: Graph, view: View) -> None:
        self.graph = graph
        self.direction = view.direction
        self.show = Show.of(graph, view, backward=view.direction == "backward")
        self.shows = (self.show, *_twin(graph, view))
        self.nodes: dict[str, Node] = {}
        self.points: set[str] = set()
        self.lines: list[Line] = []
        self.boxes: list[Box] = []
        self.kinds: set[str] = set()
        self.notes: set[str] = set()

    def put(self, name: str, look: dict[str, Any], x: float, y: float, size: Size) -> str:
        """Add a node, and return its name; what is round keeps its own size."""
        width, height = extent(look) if look.get("shape") in ("circle", "ellipse") else size
        if look.get("shape") == "plain":  # a table is as large as it must be, its rows are as wide as the widest
            table = look["label"].replace('<TABLE BORDER="1"', f'<TABLE HEIGHT="{round(height)}" BORDER="1"', 1)
            look = {**look, "label": Html(table.replace("<TD>", f'<TD WIDTH="{round(width) - 2}">', 1))}
        self.nodes[name] = Node(look, x, y, width, height)
        return name

    def dressed(self, make: Callable[[Show], dict[str, Any]]) -> tuple[dict[str, Any], Size]:
        """Return a look, and the size that it has here and in the twin of this picture, whichever is larger."""
        looks = [make(show) for show in self.shows]
        widths, heights = zip(*map(extent, looks), strict=True)
        return looks[0], (max(widths), max(heights))

    def point(self, name: str, x: float, y: float, width: float, colour: str) -> str:
        """Add a point where lines meet, unless it is there, and return its name."""
        if name not in self.nodes:
            self.points.add(name)
            self.nodes[name] = Node({"shape": "point", "width": width / INCH, "color": colour}, x, y)
        return name

    def line(
        self,
        tail: str,
        head: str,
        look: dict[str, Any],
        sources: Iterable[int],
        users: Iterable[int],
        corners: Sequence[Point] = (),
        end: int | None = None,
        part: str = "",
    ) -> None:
        """Add a line from node to node by way of some corners, at each of which it turns."""
        first, last = self.nodes[tail], self.nodes[head]
        start = first.edge(corners[0] if corners else (last.x, last.y))
        finish = last.edge(corners[-1] if corners else (first.x, first.y))
        ids = tuple(dict.fromkeys(sources)), tuple(dict.fromkeys(users))
        self.lines.append(Line(tail, head, (start, *corners, finish), look, *ids, end, part))

    def box(self, name: str, label: str, corners: Corners, nodes: Sequence[str], turned: bool = False) -> None:
        """Add a box around nodes."""
        self.boxes.append(Box(name, label, corners, nodes, turned))

    # How it is written

    def written(self, title: str) -> Writer:
        """Return the picture as DOT."""
        dot = Writer()
        ways = self._ways()
        marks.begin(dot, title, self.kinds, self.show, self.notes, layout="nop2", outputorder="edgesfirst")
        for box in self.boxes:
            self._write_box(dot, box)
        inside = {node for box in self.boxes for node in box.nodes}
        for node in self.nodes:
            if node not in inside:
                self._write(dot, node)
        for line, look, way in ways:
            dot.edge(line.tail, line.head, **look, pos=way)
        return dot

    def _write_box(self, dot: Writer, box: Box) -> None:
        """Write a box and what is in it."""
        left, low, right, high = box.corners
        half = 8 + text_width(box.label, 12) / 2
        x, y = (right - half, low + LABEL) if box.turned else (left + half, high - LABEL)
        corners = ",".join(f"{corner:.2f}" for corner in box.corners)
        look = marks.box(box.label, "b" if box.turned else "t")
        with dot.box(box.name, **look, bb=corners, lp=_place((x, y))):
            for node in box.nodes:
                self._write(dot, node)

    def _write(self, dot: Writer, name: str) -> None:
        """Write a node with its place."""
        node = self.nodes[name]
        size = {"width": round(node.width / INCH, 3), "height": round(node.height / INCH, 3)}
        dot.node(name, **{**node.look, **({} if name in self.points else size)}, pos=_place((node.x, node.y)))

    def _ways(self) -> list[tuple[Line, dict[str, Any], str]]:
        """Return the lines as they are to be drawn, with their looks and their ways."""
        if self.direction == "forward":
            return [self._forth(line, line.points, line.look) for line in self.lines]
        flows = [self._flow(line) for line in self.lines]
        largest = max((flow for flow in flows if flow is not None and math.isfinite(flow)), default=0.0)
        apart = APART if self.direction == "both" else 0.0
        trunks = self._trunks(apart)
        ways = []
        for line, flow in zip(self.lines, flows, strict=True):
            if apart:
                ways.append(self._forth(line, self._aside(line, trunks, apart), line.look))
            elif flow is None:
                ways.append(self._forth(line, line.points, STILL))
            if flow is not None:
                self.notes.add("widths")
                ways.append(self._back(line, self._aside(line, trunks, -apart), flow, largest))
        return ways

    def _forth(self, line: Line, points: Sequence[Point], look: dict[str, Any]) -> tuple[Line, dict[str, Any], str]:
        """Return a line on which values go."""
        to = "" if line.end is None else f"to-n{line.end}"
        classes = " ".join(filter(None, ["fwd", line.part, *(f"from-n{id}" for id in line.sources), to]))
        look = {**look, "class_": look.get("class_", classes)}
        if line.head in self.points or look.get("arrowhead") == "none":
            return line, {**look, "arrowhead": "none"}, _curve(points)
        way = _shortened(points)
        if look.get("dir") == "both":
            return line, look, f"s,{_place(points[0])} e,{_place(points[-1])} {_curve(_shortened(way[::-1])[::-1])}"
        return line, look, f"e,{_place(points[-1])} {_curve(way)}"

    def _back(
        self, line: Line, points: Sequence[Point], flow: float, largest: float
    ) -> tuple[Line, dict[str, Any], str]:
        """Return a line on which gradients come back: it is declared as it is for values, and drawn backwards."""
        ends = [*(f"from-n{id}" for id in line.sources), *(f"to-n{id}" for id in line.users)]
        classes = " ".join(filter(None, ["bwd", line.part, *ends]))
        look = {**returning(flow, largest), "dir": "back", "class_": classes}
        if line.tail in self.points:
            return line, {**look, "arrowtail": "none"}, _curve(points)
        return line, look, f"s,{_place(points[0])} {_curve(_shortened(points[::-1])[::-1])}"

    @cached_property
    def _gradients(self) -> Backward:
        return Backward(self.graph)

    def _flow(self, line: Line) -> float | None:
        """Return the norm of the gradient that comes back on a line; None if none does."""
        flows = []
        for source in line.sources:
            users = [user.id for user in self.graph.uses[source] if user.id in line.users]
            if any(self._gradients.goes(source, user) for user in users):
                flows.append(self._gradients.flow(source, *users))
        return math.hypot(*flows) if flows else None

    # Two lines side by side

    def _trunks(self, apart: float) -> dict[str, Point]:
        """Return how far the line that leads to each point is moved to its left; the points move along."""
        trunks: dict[str, Point] = {}
        for line in self.lines:
            if line.head in self.points:
                trunks.setdefault(line.head, _left(line.points[-2], line.points[-1], apart))
        for line in self.lines:
            (x, y), moved = trunks.get(line.tail, (0.0, 0.0)), _left(line.points[0], line.points[1], apart)
            if line.tail in self.points and moved != (x, y):
                (x_start, y_start), (x_branch, y_branch) = line.points[0], moved
                self.nodes[line.tail] = self.nodes[line.tail]._replace(
                    x=x_start + x + x_branch, y=y_start + y + y_branch
                )
        return trunks

    def _aside(self, line: Line, trunks: dict[str, Point], apart: float) -> list[Point]:
        """Return the way of a line moved to its left; where it leaves another or ends at one, it meets that."""
        ways = [_left(start, end, apart) for start, end in itertools.pairwise(line.points)]
        points = [
            (x + sum(dx for dx, _ in {before, after}), y + sum(dy for _, dy in {before, after}))
            for (x, y), before, after in zip(line.points, [ways[0], *ways], [*ways, ways[-1]], strict=True)
        ]
        for name, end, way in ((line.tail, 0, ways[0]), (line.head, -1, ways[-1])):
            if name in self.points:
                dx, dy = trunks.get(name, (0.0, 0.0))
                sign = math.copysign(1.0, apart)
                x, y = points[end]
                points[end] = (x + sign * dx, y) if way[0] == 0 else (x, y + sign * dy)
        return points


def _twin(graph: Graph, view: View) -> list[Show]:
    """Return what the picture shows that goes the other way, values in the one and gradients in the other.

    Both have the same measures, so that a page can turn from one to the other.
    """
    if view.direction == "backward" and not view.values:
        return [Show.of(graph, replace(view, values=True, grads=False))]
    if view.direction == "forward" and view.values and not view.grads:
        return [Show.of(graph, replace(view, values=False), backward=True)]
    return []


def _place(point: Point) -> str:
    return f"{point[0]:.2f},{point[1]:.2f}"


def _curve(points: Sequence[Point]) -> str:
    """Return straight lines from point to point as Graphviz writes curves."""
    places = [_place(points[0])]
    for (x, y), (x_end, y_end) in itertools.pairwise(points):
        places += [_place((x + (x_end - x) * part, y + (y_end - y) * part)) for part in (1 / 3, 2 / 3, 1)]
    return " ".join(places)


def _shortened(points: Sequence[Point]) -> list[Point]:
    """Return a line less the length of an arrow's head at its end."""
    *rest, (x, y), (x_end, y_end) = points
    part = max(0.05, 1 - ARROW / (math.hypot(x_end - x, y_end - y) or ARROW))
    return [*rest, (x, y), (x + (x_end - x) * part, y + (y_end - y) * part)]


def _left(start: Point, end: Point, apart: float) -> Point:
    """Return the way to the left of a line."""
    level = abs(end[0] - start[0]) > abs(end[1] - start[1])
    if level:
        return 0.0, math.copysign(apart, apart * (end[0] - start[0]))
    return math.copysign(apart, -apart * (end[1] - start[1])), 0.0
