"""A recurrence as on a blackboard: a box for each step, time from left to right, the cell state straight on top.

Rows, from the bottom: what makes the inputs, the inputs, the bus of h, the gates, ops, the belt of c; a further layer
repeats them above; at the top, what is computed from the states. Belt and bus are edges within a row, so no row depends
on time. Two habits of Graphviz shape the code: all that a step makes stands within its box; and an edge that leads down
a row, or within a row from one box into the next, is declared the other way round and drawn backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import marks
from .dot import Writer
from .ir import Graph, Mark
from .recurrence import Step, Unrolled

__all__ = ["lanes"]

BELT = {"weight": 50, "penwidth": 4.5, "color": marks.COLOURS["c"][1]}
BUS = {"weight": 20, "penwidth": 2.6, "color": marks.COLOURS["h"][1]}
RISER = {**BUS, "weight": 10}
LOOSE = {**BUS, "weight": 1}
WIRE = {"weight": 10}

BRANCH, JOINT, TURN, THIN = 0.05, 0.09, 0.03, 0.01
"""Widths of points: where a line branches, where the belt does, where a thick line turns, where a thin one does."""

SOURCE, INPUTS, FIRST_BUS = -1, 0, 1
"""Rows; the row beside the source is below it."""


def lanes(graph: Graph, found: Unrolled, title: str) -> str:
    """Return the picture of a recurrence as DOT."""
    canvas = _Canvas(graph)
    kinds = _kinds(graph, found)
    marks.begin(canvas.dot, title, kinds, rankdir="BT", newrank="true", nodesep=0.3, ranksep=0.34, splines="spline")
    bus = FIRST_BUS
    for number, layer in enumerate(found.layers):
        _Layer(canvas, found, number, bus).draw()
        if number > 0:
            _risers(canvas, found.layers[number - 1].steps, layer.steps, bus - 1)
        bus += layer.rows + 4
    _inputs(canvas, found)
    _outputs(canvas, found, bus - 1)
    return canvas.finish()


def _kinds(graph: Graph, found: Unrolled) -> set[str]:
    """Return the kinds of marks in the picture."""
    chains = [graph[id] for id in (*found.source, *found.tail)]
    beside = {marks.kind(graph, graph[id]) for mark in chains for id in mark.sources if graph[id].stored}
    inputs = {"input"} if found.layers[0].steps[0].reads is not None or any(map(marks.indices, chains)) else set()
    shown = {marks.kind(graph, mark) for mark in chains if not _gathers(mark)}
    return {"c", "h", "layer", "pointwise"} | shown | beside | inputs


def _gathers(mark: Mark) -> bool:
    """Tell whether this is only the end of the rail that gathers the states."""
    return mark.op == "stack" and not mark.label


def _carries(*sources: int, to: int | None = None, line: str = "") -> str:
    """Return the classes of a line: which marks' values it carries, and to which mark if it ends there."""
    classes = ["fwd", line, *(f"from-n{id}" for id in sources), "" if to is None else f"to-n{to}"]
    return " ".join(filter(None, classes))


class _Canvas:
    """The statements so far, and which nodes stand in which row."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.dot = Writer()
        self.rows: dict[int, list[str]] = {}
        self.points: dict[str, float] = {}

    def put(self, row: int, node: str, **attributes: Any) -> str:
        """Write a node into a row, and return its name."""
        self.rows.setdefault(row, []).append(node)
        self.dot.node(node, **attributes)
        return node

    def mark(self, row: int, mark: Mark, look: dict[str, Any], title: str, group: str = "", suffix: str = "") -> str:
        """Write a mark into a row; ``group`` is the column in which it stands."""
        node = f"n{mark.id}{suffix}"
        column = {"group": group} if group else {}
        return self.put(row, node, **look, **column, **marks.identity(mark, title, node))

    def point(self, row: int, node: str, line: dict[str, Any], group: str, width: float) -> str:
        """Write a point of a line into a row."""
        self.points[node] = width
        return self.put(row, node, shape="point", width=width, color=line.get("color", marks.LINE), group=group)

    def wire(self, tail: str, head: str, line: dict[str, Any], classes: str, back: bool = False) -> None:
        """Write a piece of a line; ``back`` declares it from its head to its tail."""
        attributes = {**line}
        ends = {"tail": head, "head": tail} if back else {"tail": tail, "head": head}
        if back:
            attributes["dir"] = "back"
        if head in self.points:
            attributes["arrowtail" if back else "arrowhead"] = "none"
        for end, node in ends.items():
            if self.points.get(node, BRANCH) < BRANCH:
                attributes[f"{end}clip"] = "false"
        self.dot.edge(ends["tail"], ends["head"], **attributes, class_=classes)

    def hidden(self, tail: str, head: str, weight: int) -> None:
        """Hold two nodes in their order, and the nearer together the greater the weight."""
        self.dot.edge(tail, head, style="invis", weight=weight)

    def finish(self) -> str:
        """Hold the nodes of each row together, and return the whole text."""
        for row in sorted(self.rows):
            self.dot.same_rank(self.rows[row])
        return self.dot.text()


class _Layer:
    """One layer of the recurrence, its bus in a given row."""

    def __init__(self, canvas: _Canvas, found: Unrolled, number: int, bus: int) -> None:
        self.canvas = canvas
        self.graph = canvas.graph
        self.layer = found.layers[number]
        self.name = "  ".join(self.layer.scope[-1:]) if len(found.layers) > 1 else ""
        self.box = number
        upper = found.layers[number + 1].steps if number + 1 < len(found.layers) else ()
        self.read_above = {step.reads for step in upper} or set(found.outputs)
        self.bus, self.gates, self.belt = bus, bus + 1, bus + 2 + self.layer.rows
        self.c = self.h = ""  # the nodes from which the states go on to the next step

    def draw(self) -> None:
        """Write all steps, and before them the first states in a box of their own, which is not seen."""
        first = self.layer.steps[0]
        with self.canvas.dot.box(f"{self.box}_0", style="invis", label="", margin=4):
            self.c = self._state("c", self.belt, first.c_before, 0, first.h_before)
            self.h = self._state("h", self.bus, first.h_before, 0, first.h_before)
        for number, step in enumerate(self.layer.steps, start=1):
            label = f"{self.name}  {step.name}" if self.name else step.name
            with self.canvas.dot.box(f"{self.box}_{number}", **marks.box(label, "b")):
                self._nodes(step, number)
            self._belt(step)
            self._bus(step)
            self._rise(step)
            self._fall(step)
            self.c, self.h = f"n{step.c}", f"n{step.h}"
            if step.h in self.read_above:
                self._upwards(step)

    # The nodes of a step

    def _nodes(self, step: Step, number: int) -> None:
        """Write the nodes of a step."""
        canvas = self.canvas
        for id in step.gates:
            gate = self.graph[id]
            look = marks.layer(marks.glyph(self.graph, gate), marks.word(self.graph, gate))
            canvas.mark(self.gates, gate, look, marks.name(self.graph, gate) or gate.op, f"k{id}")
            canvas.point(self.bus, f"j{id}", BUS, f"k{id}", BRANCH)
        for id in step.rise:
            self._op(id, self.gates + step.height[id], step)
        for id in step.belt:
            self._op(id, self.belt, step)
        for place, id in enumerate(step.fall, start=1):
            self._op(id, self.belt - place, step)
        canvas.point(self.belt, f"b{step.c}", BELT, f"k{step.column[step.h]}", JOINT)
        self._state("c", self.belt, step.c, number, step.h)
        self._state("h", self.bus, step.h, number, step.h)
        canvas.point(self.belt - len(step.fall), f"p{step.h}", BUS, f"out{step.h}", TURN)
        if step.h in self.read_above:
            last = step is self.layer.steps[-1]
            canvas.point(self.bus, f"u{step.h}", BUS, f"up{step.h}", TURN if last else BRANCH)
            canvas.point(self.belt, f"v{step.h}", BUS if last else BELT, f"up{step.h}", TURN if last else THIN)

    def _state(self, letter: str, row: int, id: int, number: int, h: int) -> str:
        """Write a state, in the column at the end of the step that makes ``h``."""
        text = marks.subscripted(letter, number)
        return self.canvas.mark(row, self.graph[id], marks.state(letter, text), text, f"out{h}")

    def _op(self, id: int, row: int, step: Step) -> None:
        """Write an op, and the corners at which operands from other columns turn towards it."""
        mark = self.graph[id]
        sign = marks.glyph(self.graph, mark)
        suffix = "op" if id in (step.c, step.h) else ""
        self.canvas.mark(row, mark, marks.op(sign), mark.op, f"k{step.column[id]}", suffix)
        for operand in self._risen(id, step):
            if step.column[operand] != step.column[id]:
                self.canvas.point(row, f"p{operand}", WIRE, f"k{step.column[operand]}", THIN)

    def _risen(self, id: int, step: Step) -> list[int]:
        """Return the operands of an op that come up from the gates."""
        return [operand for operand in self.graph[id].sources if operand in step.height]

    # The lines of a step

    def _node(self, id: int, step: Step) -> str:
        """Return the node of an op; that of the op which makes a state is not the state's own."""
        return f"n{id}op" if id in (step.c, step.h) else f"n{id}"

    def _belt(self, step: Step) -> None:
        """Write the belt, from the cell state before to the new one."""
        source, tail = step.c_before, self.c
        for id in step.belt:
            head = self._node(id, step)
            self.canvas.wire(tail, head, BELT, _carries(source, to=id, line="belt"), back=tail == self.c)
            source, tail = id, head
        for head in (f"b{step.c}", f"n{step.c}"):
            self.canvas.wire(tail, head, BELT, _carries(step.c, line="belt"))
            tail = head

    def _bus(self, step: Step) -> None:
        """Write the bus: h from the step before meets the input and goes to every gate."""
        canvas, tail = self.canvas, self.h
        read = [step.h_before] if step.reads is None else [step.h_before, step.reads]
        for id in step.gates:
            first = tail == self.h
            canvas.wire(tail, f"j{id}", BUS, _carries(*(read[:1] if first else read), line="hbus"), back=first)
            canvas.wire(f"j{id}", f"n{id}", WIRE, _carries(*read, to=id))
            tail = f"j{id}"
        canvas.hidden(tail, f"n{step.h}", 1)

    def _rise(self, step: Step) -> None:
        """Write the lines that come up to the ops."""
        for id in (*step.rise, *step.belt, *step.fall):
            for operand in self._risen(id, step):
                tail = f"n{operand}"
                if step.column[operand] != step.column[id]:
                    self.canvas.wire(tail, f"p{operand}", WIRE, _carries(operand))
                    tail = f"p{operand}"
                self.canvas.wire(tail, self._node(id, step), WIRE, _carries(operand, to=id))

    def _fall(self, step: Step) -> None:
        """Write the way from the belt down to the new h."""
        canvas, tail, source = self.canvas, f"b{step.c}", step.c
        for id in step.fall:
            head = self._node(id, step)
            canvas.wire(tail, head, WIRE, _carries(source, to=id), back=True)
            tail, source = head, id
        canvas.wire(tail, f"p{step.h}", LOOSE, _carries(step.h, line="hbus"))
        canvas.wire(f"p{step.h}", f"n{step.h}", BUS, _carries(step.h, line="hbus"), back=True)
        canvas.hidden(f"p{step.h}", f"n{step.c}", 10)

    def _upwards(self, step: Step) -> None:
        """Write the line that takes h up past the belt; the states go on from beyond it."""
        h, up, past = f"n{step.h}", f"u{step.h}", f"v{step.h}"
        self.canvas.wire(h, up, BUS, _carries(step.h, line="hbus"))
        self.canvas.wire(up, past, RISER, _carries(step.h))
        self.h = up
        if step is self.layer.steps[-1]:
            self.canvas.hidden(f"n{step.c}", past, 1)
        else:
            self.canvas.wire(f"n{step.c}", past, BELT, _carries(step.c, line="belt"))
            self.c = past


def _risers(canvas: _Canvas, lower: Sequence[Step], upper: Sequence[Step], row: int) -> None:
    """Write the lines that take each h of a layer up to the same step of the layer above."""
    canvas.hidden(f"n{lower[0].c_before}", f"n{upper[0].h_before}", 100)
    for below, step in zip(lower, upper, strict=True):
        right = canvas.point(row, f"w{below.h}", BUS, f"up{below.h}", TURN)
        left = canvas.point(row, f"y{below.h}", BUS, f"k{step.gates[0]}", TURN)
        canvas.hidden(f"n{below.c}", f"n{step.h}", 100)
        canvas.wire(f"v{below.h}", right, RISER, _carries(below.h))
        canvas.wire(right, left, LOOSE, _carries(below.h), back=True)
        canvas.wire(left, f"j{step.gates[0]}", RISER, _carries(below.h))


def _inputs(canvas: _Canvas, found: Unrolled) -> None:
    """Write the inputs of the lowest layer's steps, and below them what makes them."""
    tail = _chain(canvas, found.source, SOURCE, beside=SOURCE - 1) if found.source else ""
    steps = found.layers[0].steps
    for number, step in enumerate(steps, start=1):
        if step.reads is None:
            continue
        mark, column = canvas.graph[step.reads], f"k{step.gates[0]}"
        text = marks.subscripted(mark.label or "x", number)
        node = canvas.mark(INPUTS, mark, marks.stored("input", text), text, column)
        canvas.wire(node, f"j{step.gates[0]}", WIRE, _carries(mark.id))
        if tail:
            point = canvas.point(SOURCE, f"s{mark.id}", WIRE, column, THIN if step is steps[-1] else BRANCH)
            canvas.wire(tail, point, WIRE, _carries(found.source[-1]))
            canvas.wire(point, node, WIRE, _carries(found.source[-1], to=mark.id))
            tail = point


def _outputs(canvas: _Canvas, found: Unrolled, row: int) -> None:
    """Write what is computed from the states, at the end of a rail that gathers them."""
    tail = ""
    for place, h in enumerate(found.outputs):
        point = canvas.point(row, f"w{h}", BUS, f"up{h}", BRANCH if tail else TURN)
        canvas.wire(f"v{h}", point, RISER, _carries(h))
        if tail:
            canvas.wire(tail, point, BUS, _carries(*found.outputs[:place]))
        tail = point
    if found.tail:
        _chain(canvas, found.tail, row, beside=row + 1)
        canvas.wire(tail, f"n{found.tail[0]}", BUS, _carries(*found.outputs, to=found.tail[0]))


def _chain(canvas: _Canvas, ids: Sequence[int], row: int, beside: int) -> str:
    """Write marks that are computed one from another into a row, what else they read into the row beside it."""
    node = ""
    for place, id in enumerate(ids):
        mark, tail = canvas.graph[id], node
        look = marks.bar() if _gathers(mark) else marks.look(canvas.graph, mark)
        node = canvas.mark(row, mark, look, marks.name(canvas.graph, mark) or mark.op)
        if tail:
            canvas.wire(tail, node, WIRE, _carries(ids[place - 1], to=id))
        _beside(canvas, mark, node, beside, back=beside > row)
    return node


def _beside(canvas: _Canvas, mark: Mark, node: str, row: int, back: bool) -> None:
    """Write the stored marks that a mark reads into a row, and the indices by which it picks."""
    for id in dict.fromkeys(mark.sources):
        other = canvas.graph[id]
        if other.stored and not other.is_number:
            text = marks.stored_text(canvas.graph, other)
            canvas.mark(row, other, marks.stored(marks.kind(canvas.graph, other), text), text)
            canvas.wire(f"n{id}", node, WIRE, _carries(id, to=mark.id), back)
    picked = marks.indices(mark)
    if picked is not None:
        canvas.put(row, f"i{mark.id}", **marks.stored("input", picked))
        canvas.wire(f"i{mark.id}", node, WIRE, _carries(), back)
