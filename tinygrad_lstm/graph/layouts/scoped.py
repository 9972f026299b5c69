"""Any tape: a mark for each op, a box for each scope, from left to right.

What would make the picture a tangle is taken out of it: a parameter stands as a small chip at each of its uses, unless
one mark for all of them is asked for; a tensor that several ops in a box read enters it at one point; a step begins
where the step before it has ended.
Gradients go back on the same ways, on lines that are declared as those of values are, and drawn backwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from ..looks import marks
from ..looks.backward import STILL, Backward
from ..looks.dot import Writer
from ..looks.marks import Show
from ..structure.ir import Edge, Graph, Mark
from ..structure.recurrence import step_of
from ..structure.rolling import Loop
from ..view import View

__all__ = ["scoped"]

Path: TypeAlias = "tuple[str, ...]"

FEW = 4
"""What has more uses than this, or is used by an op of more arguments, becomes a chip at each use that is far."""

LEGIBLE = 60
"""Edges say their size in graphs of no more marks; labels are what takes Graphviz most of its time."""

STRAIGHT = {"c": {"penwidth": 4.0, "weight": 40}, "h": {"penwidth": 2.2, "weight": 12}}
"""The lines of states."""


def scoped(graph: Graph, title: str, view: View, loops: Sequence[Loop]) -> Writer:
    """Return the picture of any graph as DOT; with the ways back of the states that are in it, if it was rolled."""
    picture = _Scoped(graph, view)
    picture.add_nodes()
    picture.add_edges()
    picture.add_cuts()
    picture.add_loops(loops)
    picture.add_barriers()
    return picture.written(title)


class _Scoped:
    """One picture in the making: its nodes with the boxes that they are in, and its edges."""

    def __init__(self, graph: Graph, view: View) -> None:
        self.graph = graph
        self.direction = view.direction
        self.chips = view.weights != "once"
        self.show = Show.of(graph, view, backward=view.direction == "backward")
        self.lines = Backward(graph) if view.direction != "forward" else None
        self.carried = _carried(graph)
        self.around = len(_outside_steps(_common(mark.scope for mark in graph if not mark.stored)))
        self.homes: dict[str, Path] = {}
        self.looks: dict[str, dict[str, Any]] = {}
        self.edges: list[tuple[str, str, dict[str, Any]]] = []
        self.entries: dict[tuple[int, Path], str] = {}
        self.points: set[str] = set()
        self.columns: list[list[str]] = []
        self.kinds: set[str] = set()
        self.notes: set[str] = set()

    # What there is

    def add_nodes(self) -> None:
        """Add a node for each mark; numbers are part of the ops that use them."""
        for mark in self.graph:
            if not mark.stored:
                self._add_computed(mark)
            elif not mark.is_number:
                self._add_stored(mark)
        for mark in self.graph:
            for user in self.graph.uses[mark.id]:
                if not mark.stored and self._is_far(mark, user):
                    self._add_chip(mark, user, self._chip_text(mark, user))

    def _add(self, node: str, home: Path, **look: Any) -> str:
        self.homes[node] = home
        self.looks[node] = look
        return node

    def _home(self, mark: Mark) -> Path:
        """Return the boxes of a computed mark, without those that are around everything."""
        return mark.scope[self.around :]

    def _track(self, id: int) -> dict[str, str]:
        """Return the attribute that keeps a state, and what it is carried through, on one level."""
        return {"group": self.carried[id]} if id in self.carried else {}

    def _add_computed(self, mark: Mark) -> None:
        self.kinds.add(marks.kind(self.graph, mark))
        title = marks.name(self.graph, mark) or mark.op
        look = marks.look(self.graph, mark, self.show) | marks.identity(mark, title, show=self.show)
        look |= self._track(mark.id)
        node = self._add(f"n{mark.id}", self._home(mark), **look)
        picked = marks.indices(mark)
        if picked is not None:
            self.kinds.add("input")
            index = self._add(f"i{mark.id}", self._home(mark), **marks.stored("input", picked))
            self.edges.append((index, node, {"class_": "fwd"}))

    def _add_stored(self, mark: Mark) -> None:
        """Add an input or a parameter near its uses, a state before the first step outside of it."""
        kind = marks.kind(self.graph, mark)
        self.kinds.add(kind)
        users = self.graph.uses[mark.id]
        text = marks.stored_text(self.graph, mark)
        if self.chips and _in_chips(mark, users):
            for user in users:
                self._add_chip(mark, user, text)
            return
        home = _common(self._home(user) for user in users)
        if mark.id in self.carried:
            home = _outside_steps(home)
        look = marks.stored(kind, text, mark, self.show) | marks.identity(mark, text, show=self.show)
        self._add(f"n{mark.id}", home, **look, **self._track(mark.id))
        self.notes.add(marks.origin(self.graph, mark))

    def _add_chip(self, mark: Mark, user: Mark, text: str) -> None:
        """Add a chip that stands for a mark at one of its uses."""
        node, kind = f"n{mark.id}at{user.id}", marks.kind(self.graph, mark)
        chip = marks.chip(kind, text, mark.shape)
        if len(self.graph.uses[mark.id]) <= FEW:
            chip = marks.stored(kind, text, mark, self.show) if self.show.tells(mark) else chip
        self._add(node, self._home(user), **chip, **marks.identity(mark, text, node, self.show))

    def _chip_text(self, mark: Mark, user: Mark) -> str:
        """Return what stands on a chip: a name, or that of a scope with that of the tensor that is read of it."""
        record = self.graph.record
        if mark.folded is None or record is None:
            return mark.folded or marks.name(self.graph, mark) or marks.glyph(self.graph, mark)
        users = (record.marks[id] for id in (user.id, *user.parts) if id in record.marks)
        names = {marks.name(self.graph, record.marks[i]) for user in users for i in user.sources if i in mark.parts}
        return " · ".join([mark.folded, *filter(None, names)]) if len(names) == 1 else mark.folded

    def _is_far(self, mark: Mark, user: Mark) -> bool:
        """Tell whether a mark outside the steps has so many edges into them that only one of them is drawn."""
        uses = self.graph.uses[mark.id]
        if step_of(mark.scope) is None and step_of(user.scope) is not None:
            return len(uses) > FEW and user is not uses[0]
        if step_of(mark.scope) is not None and step_of(user.scope) is None:
            return len(user.sources) > FEW and mark.id != user.sources[-1]
        return False

    # What leads where

    def add_edges(self) -> None:
        """Add the edges; a tensor that enters a box several times does so at one point."""
        edges = [edge for edge in self.graph.edges if not self.graph[edge.source].is_number]
        crossings: dict[tuple[int, Path], list[Edge]] = {}
        for edge in edges:
            crossings.setdefault((edge.source, self._entered(edge)), []).append(edge)
        drawn: set[Edge] = set()
        for edge in edges:
            tail, look, box = self._tail(edge), self._line(edge), self._entered(edge)
            together = crossings[edge.source, box]
            if box and len(together) > 1:
                tail = self._entry(together, box, look)
                look.pop("label", None)
            self._add_lines(tail, f"n{edge.target}", look, [edge], again=edge in drawn)
            drawn.add(edge)

    def _add_lines(
        self, tail: str, head: str, look: dict[str, Any], edges: Sequence[Edge], again: bool = False
    ) -> None:
        """Add the line on which a value goes, and that on which a gradient comes back, as the direction is."""
        source, targets = edges[0].source, tuple(dict.fromkeys(edge.target for edge in edges))
        to = "" if head in self.points else f" to-n{edges[0].target}"
        look = look | {"class_": f"fwd from-n{source}{to}"}
        if self.lines is None:
            self.edges.append((tail, head, look))
            return
        ends = {"arrowtail": "none"} if tail in self.points else {}
        back = {"dir": "back", "arrowsize": 0.6, **self.lines.line(source, *targets), **ends}
        comes = any(self.lines.goes(source, target) for target in targets)
        look.pop("label", None)
        if self.direction == "both":
            self.edges.append((tail, head, look))
        elif not comes and not again:
            self.edges.append((tail, head, look | STILL))
        if comes and not again:
            self.notes.add("widths")
            weight = {"weight": look.get("weight", 1) if self.direction == "backward" else 1}
            self.edges.append((tail, head, back | weight))

    def add_cuts(self) -> None:
        """Add the lines from what was detached to what came of it."""
        for mark in self.graph:
            tail, head = f"n{mark.cut}", f"n{mark.id}"
            if mark.cut is not None and tail in self.homes and head in self.homes:
                self.edges.append((tail, head, dict(marks.CUT)))

    def add_loops(self, loops: Sequence[Loop]) -> None:
        """Add the ways of states back to the beginning of a step that stands for all."""
        for start, end, name, steps in loops:
            tail, head, letter = f"n{end}", f"n{start}", "c" if name == "c" else "h"
            if tail in self.homes and head in self.homes:
                colour, width = (marks.COLOURS[letter][1], STRAIGHT[letter]["penwidth"]) if name else (marks.LINE, 1.4)
                line = {"dir": "back", "color": colour, "fontcolor": colour, "penwidth": width, "weight": 0}
                words = {"label": f" {steps} steps ", "fontsize": 12, "class_": f"fwd loop from-n{start} to-n{end}"}
                self.edges.append((tail, head, line | words))

    def _tail(self, edge: Edge) -> str:
        """Return the node from which an edge starts."""
        near = f"n{edge.source}at{edge.target}"
        return near if near in self.homes else f"n{edge.source}"

    def _entered(self, edge: Edge) -> Path:
        """Return the step, or else the outermost box, that an edge enters; () if it enters none."""
        outside, inside = self.homes[self._tail(edge)], self.homes[f"n{edge.target}"]
        depths = range(len(_common([outside, inside])) + 1, len(inside) + 1)
        depth = next((depth for depth in depths if step_of(inside[depth - 1 : depth])), min(depths, default=0))
        return inside[:depth]

    def _entry(self, edges: Sequence[Edge], box: Path, look: dict[str, Any]) -> str:
        """Return the point at which a tensor enters a box for some uses, with the line that leads there."""
        source = edges[0].source
        if (source, box) not in self.entries:
            point = {"shape": "point", "width": 0.05, "color": look.get("color", marks.LINE), **self._track(source)}
            self.entries[source, box] = entry = self._add(f"e{len(self.entries)}", box, **point)
            self.points.add(entry)
            self._add_lines(f"n{source}", entry, look | {"arrowhead": "none"}, edges)
        return self.entries[source, box]

    def _line(self, edge: Edge) -> dict[str, Any]:
        """Return the look of an edge: a chip's is thin, a state's thick, both coloured; others say their size."""
        source = self.graph[edge.source]
        state = self.carried.get(source.id)
        if self._tail(edge) != f"n{edge.source}":
            return {"color": marks.COLOURS[marks.kind(self.graph, source)][1], "arrowsize": 0.5}
        look: dict[str, Any] = {"weight": 4}
        if source.is_parameter:
            look["color"] = marks.COLOURS["parameter"][1]
        if state is not None:
            self.kinds |= {state} if self.direction != "backward" else set()
            look = {"color": marks.COLOURS[state][1], **STRAIGHT[state]}
        if not self.graph.folded and source.shape and len(self.graph) <= LEGIBLE:
            look |= {"label": f" {marks.size(source.shape)} ", "fontsize": 8}
        return look

    def add_barriers(self) -> None:
        """Hold each step behind the one before: neighbouring boxes would share ranks, and stand in a staircase."""
        steps = [path for path in self._boxes() if step_of(path[-1:]) is not None]
        for before, after in zip([(), *steps], steps, strict=False):
            inside = self._inside(after)
            fed = {head for tail, head, _ in self.edges if tail in inside}
            starts = [node for node in inside if node not in fed]
            if before and before[:-1] == after[:-1]:
                bar = self._add(f"b{len(self.homes)}", before[:-1], shape="point", width=0.01, style="invis")
                self._hold(self._ends(before), [bar])
                self._hold([bar], starts)
            else:
                self._hold([tail for tail, head, _ in self.edges if head in inside and tail not in inside], starts)
            entries = [node for node in starts if node.startswith("e")]
            inputs = list(filter(_is_mark, starts))
            self.columns.append([*entries, *inputs[:1]])

    def _ends(self, box: Path) -> list[str]:
        """Return the marks within a box that nothing else there is computed from."""
        inside = self._inside(box)
        used = {tail for tail, head, _ in self.edges if head in inside}
        return [node for node in inside if _is_mark(node) and node not in used]

    def _hold(self, before: Sequence[str], after: Sequence[str]) -> None:
        """Hold nodes behind others, where no edge does."""
        joined = {(tail, head) for tail, head, _ in self.edges}
        pairs = [(tail, head) for tail in before for head in after if (tail, head) not in joined]
        self.edges += [(tail, head, {"style": "invis", "weight": 0}) for tail, head in pairs]

    def _inside(self, box: Path) -> dict[str, None]:
        """Return the nodes within a box and the boxes in it, those of marks last and in their order."""
        nodes = [node for node, home in self.homes.items() if home[: len(box)] == box]
        return dict.fromkeys(sorted(nodes, key=_is_mark))

    # How it is written

    def _boxes(self) -> dict[Path, list[str]]:
        """Return the boxes with the nodes that stand in each, outer boxes before inner ones."""
        boxes: dict[Path, list[str]] = {(): []}
        for node, home in self.homes.items():
            for depth in range(1, len(home) + 1):
                boxes.setdefault(home[:depth], [])
            boxes[home].append(node)
        return boxes

    def written(self, title: str) -> Writer:
        """Return the picture as DOT."""
        dot = Writer()
        spacing = {"nodesep": 0.2, "ranksep": 0.3, "splines": "spline"}
        marks.begin(dot, title, self.kinds, self.show, self.notes, rankdir="LR", newrank="true", **spacing)
        for number, (path, nodes) in enumerate(_nested(self._boxes())):
            dot.close(max(0, len(path) - 1))
            if path:
                dot.open(str(number), **marks.box(path[-1], "t"))
            for node in nodes:
                dot.node(node, **self.looks[node])
        dot.close(0)
        for tail, head, look in self.edges:
            dot.edge(tail, head, **look)
        for column in self.columns:
            dot.same_rank(column)
            for lower, upper in itertools.pairwise(column):
                dot.edge(lower, upper, style="invis", weight=1)
        return dot


def _outside_steps(path: Path) -> Path:
    """Return the boxes around a step, or the whole path if there is no step in it."""
    return tuple(itertools.takewhile(lambda name: step_of([name]) is None, path))


def _is_mark(node: str) -> bool:
    """Tell whether a node is a mark itself, not a chip, a point or an index."""
    return node.startswith("n") and "at" not in node


def _common(paths: Iterable[Path]) -> Path:
    """Return how paths begin alike."""
    paths = list(paths)
    first, last = min(paths), max(paths)
    return tuple(name for place, name in enumerate(first) if last[: place + 1] == first[: place + 1])


def _in_chips(mark: Mark, users: Sequence[Mark]) -> bool:
    """Tell whether a stored mark is shown at each of its uses: a weight is, and any parameter used widely."""
    weighs = any(user.op in ("linear", "matmul", "getitem") for user in users)
    return mark.is_parameter and (weighs or len(users) > FEW or len({user.scope for user in users}) > 1)


def _carried(graph: Graph) -> dict[int, str]:
    """Return the states, and the products and sums through which they pass from step to step, with their letters."""
    carried: dict[int, str] = {}
    for mark in graph:
        steps = {step_of(user.scope) for user in graph.uses[mark.id]} if mark.stored else {step_of(mark.scope)}
        if mark.label in marks.STATES and steps != {None}:
            carried[mark.id] = mark.label
        elif mark.op in ("multiply", "add", "subtract"):
            before = [carried[id] for id in mark.sources if id in carried and _is_earlier(graph[id], mark)]
            if before:
                carried[mark.id] = before[0]
    for mark in reversed(graph.marks):
        if mark.id in carried and mark.label is None and not any(user.id in carried for user in graph.uses[mark.id]):
            del carried[mark.id]
    return carried


def _is_earlier(source: Mark, mark: Mark) -> bool:
    """Tell whether a state comes from the step before, or is on its way through this one."""
    return source.label is None or step_of(source.scope) != step_of(mark.scope)


def _nested(boxes: dict[Path, list[str]]) -> Iterator[tuple[Path, list[str]]]:
    """Give the boxes, each followed by those within it."""
    children: dict[Path, list[Path]] = {path: [] for path in boxes}
    for path in boxes:
        if path:
            children[path[:-1]].append(path)
    waiting: list[Path] = [()]
    while waiting:
        path = waiting.pop()
        yield path, boxes[path]
        waiting.extend(reversed(children[path]))
