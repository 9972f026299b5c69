"""One recurrence as a row of boxes: the plan of a step gets measures, and is drawn once for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from ..looks import marks
from ..looks.dot import clipped, escaped
from ..looks.marks import Show
from ..structure.ir import Mark
from ..structure.recurrence import Operand, Recurrence, Step
from ..structure.rolling import Loop
from .canvas import Canvas, Point, Size
from .planning import BUS, DROP, INPUTS, Net, Plan
from .routing import Cell

__all__ = ["BRANCH", "BUS_LINE", "EDGE", "ROWS", "SPACE", "STEPS", "THIN_LINE", "WIRE", "Layer"]

BELT = {"penwidth": 4.5}
BUS_LINE = {"penwidth": 2.6}
THIN_LINE = {"penwidth": 1.4}
WIRE: dict[str, Any] = {}

BRANCH, JOINT = 3.6, 6.5
"""The widths of points where a line branches, and where the belt does."""

SPACE, ROWS, TRACK, EDGE = 22.0, 20.0, 11.0, 14.0
"""Between two columns, between two rows, between two lines, and between a line and a mark or the edge of a box."""

STEPS, HEAD = 9.0, 24.0
"""Between two boxes, and what the name of a step takes at the top of its box."""

LOOP, LABEL = 8.0, 8.0
"""From a box to the way of a state around it, and from that to its label."""

Key = tuple[int, Cell]
"""A cell in the step of a number."""


class Layer:
    """A recurrence on a canvas.

    Attributes
    ----------
    found, plan
        The recurrence, and the plan of its steps.
    xs, ys
        Where the columns and rows of the plan are, from the left edge of a box and from the middle of the inputs.
    up
        Where a line leads up from the output of a step.
    width, bottom, top, lowest
        The edges of a box, and that of the inputs below it.
    base
        Where the middle of the inputs is.
    slots
        Where the box of each step begins, by the step's number.
    below
        From which node the inputs come, by the step's number, if they are not nodes of this layer.
    risen
        From which node lines lead up from the output, by the step's number.
    """

    def __init__(
        self, canvas: Canvas, found: Recurrence, plan: Plan, number: int, rises: bool, reads: bool, turned: bool = False
    ) -> None:
        """Measure a recurrence.

        Parameters
        ----------
        canvas, found, plan
            What is drawn where.
        number
            Which layer it is, from below.
        rises
            Whether lines lead up from outputs.
        reads
            Whether its inputs are nodes of its own.
        turned
            Whether it is drawn upside down, from right to left.
        """
        self.canvas, self.graph = canvas, canvas.graph
        self.found, self.pattern, self.plan, self.number = found, found.pattern, plan, number
        self.rises, self.reads, self.turned = rises, reads, turned
        self.names: dict[Key, str] = {}
        self.looks: dict[Key, dict[str, Any]] = {}
        self.sizes: dict[Key, Size] = {}
        for step in found.steps:
            self._dress(step)
        self._even()
        self._measure()
        self.base = 0.0
        self.slots: dict[int, float] = {}
        self.below: dict[int, str] = {}
        self.risen: dict[int, str] = {}
        self.before: dict[int, str] = {}  # the node from which each state goes on

    # Looks

    def _dress(self, step: Step) -> None:
        """Choose the names, looks and sizes of the marks of a step."""
        for place, cell in self.plan.places.items():
            if (id := step.marks[place]) is not None:
                mark = self.graph[id]
                name = f"n{id}op" if place in self.pattern.states else f"n{id}"
                text = marks.name(self.graph, mark) or mark.op
                self._wear(step, cell, name, mark, text, partial(self._computed, place, mark))
        for state, cell in enumerate(self.plan.after):
            mark = self.graph[self.found.after(step)[state]]
            text = marks.subscripted(self.pattern.letters[state], step.number)
            self._wear(step, cell, f"n{mark.id}", mark, text, partial(self._state, mark, state, text))
        for read, cell in self.plan.inputs.items():
            if self.reads and (id := step.reads[read]) is not None:
                mark = self.graph[id]
                text = self._input_text(step, mark)
                self._wear(step, cell, f"n{id}", mark, text, partial(self._input, mark, text))

    def _wear(
        self, step: Step, cell: Cell, name: str, mark: Mark, text: str, make: Callable[[Show], dict[str, Any]]
    ) -> None:
        """Take note of the name, look and size of a mark; what stands in several places has a name for each."""
        if name in self.names.values():
            name += f"at{step.number}x{cell[0]}y{cell[1]}"
        key = step.number, cell
        look, self.sizes[key] = self.canvas.dressed(make)
        self.names[key], self.looks[key] = name, {**look, **marks.identity(mark, text, name, self.canvas.show)}

    def _computed(self, place: int, mark: Mark, show: Show) -> dict[str, Any]:
        """Return the look of a mark of a step."""
        if mark.stored:
            return self._stored(mark, show)
        learned, makes_state = place in self.pattern.learned, place in self.pattern.states
        sign, word = marks.glyph(self.graph, mark), "" if makes_state else self._word(place, mark)
        kind = "layer" if learned else "pointwise" if mark.op in marks.POINTWISE else "other"
        self.canvas.kinds.add(kind)
        if show.tells(mark) and not makes_state and (learned or word):
            return marks.card(kind, _heading(sign, word, mark, show), mark, show)
        look = marks.layer(sign, word) if learned or word else marks.op(sign)
        return {**look, **marks.colours(kind)}

    def _stored(self, mark: Mark, show: Show) -> dict[str, Any]:
        """Return the look of a parameter, or of a constant in place of what the first step did not compute."""
        kind, text = marks.kind(self.graph, mark), marks.stored_text(self.graph, mark)
        self.canvas.kinds.add(kind)
        return marks.stored(kind, text, mark, show)

    def _word(self, place: int, mark: Mark) -> str:
        """Return what stands under the sign of a mark; under one that reads less than others, what it reads."""
        if mark.label is None and place in self.pattern.learned:
            most = max(len(self.pattern.operands[other]) for other in self.pattern.learned)
            named = [label for id in mark.sources if (label := self.graph[id].label)]
            if len(self.pattern.operands[place]) < most and len(named) == len(mark.sources):
                return "of " + ", ".join(named)
        return marks.word(self.graph, mark)

    def kind(self, state: int) -> str:
        """Return the kind of a state: that of its letter, or else of the line on which it goes; one alone is hidden."""
        letter = self.pattern.letters[state]
        return letter if letter in marks.STATES else "c" if len(self.pattern.states) > 1 and state == 0 else "h"

    def _state(self, mark: Mark, state: int, text: str, show: Show) -> dict[str, Any]:
        """Return the look of a state."""
        kind = self.kind(state)
        self.canvas.kinds.add(kind)
        if show.tells(mark):
            return marks.card(kind, marks.heading(text, "", mark, show), mark, show)
        return marks.state(kind, text)

    def _input(self, mark: Mark, text: str, show: Show) -> dict[str, Any]:
        """Return the look of what a step reads: an input, though it may be a leaf."""
        if not mark.stored and mark.op != "getitem":
            self.canvas.kinds.add(marks.kind(self.graph, mark))
            return marks.look(self.graph, mark, show)
        self.canvas.kinds.add("input")
        return marks.stored("input", text, replace(mark, op="constant"), show)

    def _input_text(self, step: Step, mark: Mark) -> str:
        """Return what stands on an input: its name or, if it is the only one, x."""
        name = mark.label or ("x" if len(step.reads) == 1 else None)
        return marks.size(mark.shape) if name is None else marks.subscripted(name, step.number)

    def input(self, step: Step) -> tuple[str, dict[str, Any], Size]:
        """Return the name, look and size of the only input of a step, for one that is no node of this layer."""
        mark = self.graph[step.reads[0] or 0]
        text, name = self._input_text(step, mark), f"n{mark.id}"
        look, size = self.canvas.dressed(partial(self._input, mark, text))
        return name, {**look, **marks.identity(mark, text, name, self.canvas.show)}, size

    # Measures

    def _even(self) -> None:
        """Make cards of one kind equally large."""
        alike: dict[str, list[Key]] = {}
        for key, look in self.looks.items():
            if look["shape"] == "plain":
                _, cell = key
                kind = "state" if cell in self.plan.after else "input" if cell[1] == INPUTS else "mark"
                alike.setdefault(kind, []).append(key)
        for keys in alike.values():
            widths, heights = zip(*(self.sizes[key] for key in keys), strict=True)
            self.sizes |= dict.fromkeys(keys, (max(widths), max(heights)))

    def _measure(self) -> None:
        """Give the columns and rows of the plan their places."""
        columns: dict[int, float] = {}
        rows: dict[int, float] = {}
        for (_, (x, y)), (width, height) in self.sizes.items():
            columns[x] = max(columns.get(x, 0.0), width)
            rows[y] = max(rows.get(y, 0.0), height)
        upright, level = self._tracks()
        self.xs, end = _placed(columns, upright - {0}, 0.0, SPACE)
        self.xs[0] = 0.0
        self.up = end + EDGE
        self.width = (self.up if self.rises and len(self.plan.after) > 1 else end) + EDGE
        self.lowest = -rows.get(INPUTS, 0.0) / 2
        self.bottom = rows.pop(INPUTS, 0.0) / 2 + EDGE
        self.ys, end = _placed(rows, level - {INPUTS}, self.bottom, ROWS)
        self.ys[INPUTS] = 0.0
        self.top = end + HEAD

    def _tracks(self) -> tuple[set[int], set[int]]:
        """Return the columns in which a line runs upright, and the rows in which one runs level."""
        upright: set[int] = set()
        level: set[int] = set()
        for tree in self.plan.nets.values():
            for (x, y), after in tree.items():
                upright |= {x for x_after, _ in after if x_after == x}
                level |= {y for _, y_after in after if y_after == y}
        return upright, level

    def widen(self, width: float) -> None:
        """Make the boxes wider; the states stay at the right."""
        self.xs[self.plan.out] += width - self.width
        self.up += width - self.width
        self.width = width

    def room(self, number: int) -> float:
        """Return how much room a step needs before its box, for a state that does not come from the step before."""
        place = next(place for place, step in enumerate(self.found.steps) if step.number == number)
        if place == 0 or self.found.is_reverse:
            return 0.0
        befores, afters = self.found.steps[place].before, self.found.after(self.found.steps[place - 1])
        if all(before in (None, after) for before, after in zip(befores, afters, strict=True)):
            return 0.0
        return STEPS + SPACE + max(size[0] for (_, cell), size in self.sizes.items() if cell in self.plan.after)

    def at(self, step: Step, x: float, y: float) -> Point:
        """Return where something in a step is, given from the left edge of its box and the middle of the inputs."""
        if self.found.is_reverse or self.turned:
            x = self.width - x
        return self.slots[step.number] + x, self.base + (-y if self.turned else y)

    def _place(self, step: Step, cell: Cell) -> Point:
        """Return where a cell is."""
        return self.at(step, self.xs[cell[0]], self.ys[cell[1]])

    # Nodes

    def draw(self, named: bool) -> None:
        """Add the boxes, nodes and lines of all steps; ``named`` puts the layer's name beside the step's."""
        for place, step in enumerate(self.found.steps):
            before = set(self.canvas.nodes)
            for number, cell in self.names:
                if number == step.number:
                    key = number, cell
                    self.canvas.put(self.names[key], self.looks[key], *self._place(step, cell), self.sizes[key])
            inputs = {self.names.get((step.number, cell), "") for cell in self.plan.inputs.values()}
            firsts = self._begin(step, place)
            for net, tree in self.plan.nets.items():
                self._lead(step, net, tree)
            self.risen[step.number] = self._rise(step)
            inside = [node for node in self.canvas.nodes if node not in before | inputs | firsts]
            self._box(step, inside, named)

    def _box(self, step: Step, nodes: Sequence[str], named: bool) -> None:
        """Add the box of a step."""
        (left, low), (right, high) = self.at(step, 0, self.bottom), self.at(step, self.width, self.top)
        corners = min(left, right), min(low, high), max(left, right), max(low, high)
        label = "  ".join([*self.found.scope[-1:], step.name] if named else [step.name])
        self.canvas.box(f"{self.number}{'r' * self.turned}_{step.number}", label, corners, nodes, self.turned)

    def _begin(self, step: Step, place: int) -> set[str]:
        """Let the states go on from the step before, or from nodes of their own, which are returned."""
        firsts = set()
        before = self.found.steps[place - 1] if place > 0 else None
        for state, cell in enumerate(self.plan.after):
            if before is not None and step.before[state] in (None, self.found.after(before)[state]):
                self.before[state] = self._past(before, state)
            elif (id := step.before[state]) is not None:
                self.before[state] = first = self._first(step, state, self.graph[id])
                firsts.add(first)
                if before is not None:
                    self.canvas.line(self.names[before.number, cell], first, marks.CUT, [], [])
        return firsts

    def _first(self, step: Step, state: int, mark: Mark) -> str:
        """Add a state that comes from no step, and return its node."""
        letter, origin = self.pattern.letters[state], marks.origin(self.graph, mark)
        self.canvas.notes.add(origin)
        number = step.number + (1 if self.found.is_reverse or self.turned else -1)
        text = " ".join(filter(None, [marks.MARKED.get(origin, ""), marks.subscripted(letter, number)]))
        name = f"n{mark.id}"
        if name in self.canvas.nodes:
            name += f"at{self.number}{letter}{step.number}"
        look, size = self.canvas.dressed(partial(self._state, mark, state, text))
        if look["shape"] == "plain":
            size = max([size, *(other for (_, cell), other in self.sizes.items() if cell == self.plan.after[state])])
        look |= marks.identity(mark, text, name, self.canvas.show)
        y = self.ys[self.plan.after[state][1]]
        return self.canvas.put(name, look, *self.at(step, -STEPS - size[0] / 2, y), size)

    def _past(self, step: Step, state: int) -> str:
        """Return from which node a state of a step goes on: from where a branch leads up, if one does."""
        return self.risen[step.number] if state else self.names[step.number, self.plan.after[0]]

    def _rise(self, step: Step) -> str:
        """Return the node from which lines lead up from the output: beside it if the belt is above."""
        cell, output = self.plan.after[-1], self.found.output(step)
        state = self.names[step.number, cell]
        users = [user.id for user in self.graph.uses[output] if user.id not in step.marks]
        if not self.rises or len(self.plan.after) == 1 or self._own.issuperset(users):
            return state
        look = self.line_of_state(BUS_LINE)
        point = self.canvas.point(f"u{output}", *self.at(step, self.up, self.ys[cell[1]]), BRANCH, look["color"])
        self.canvas.line(state, point, look, [output], users, part="hbus")
        return point

    @cached_property
    def _own(self) -> set[int | None]:
        """What the steps compute."""
        return {id for step in self.found.steps for id in step.marks}

    def loop(self, loops: Iterable[Loop]) -> None:
        """Add the ways of states back to the beginning of the only step, around its box."""
        step = self.found.steps[0]
        for after, before, _, steps in loops:
            if after not in self.found.after(step) or f"n{before}" not in self.canvas.nodes:
                continue
            state = self.found.after(step).index(after)
            first, last = self.canvas.nodes[f"n{before}"], self.canvas.nodes[f"n{after}"]
            edge = self.top + LOOP if state == 0 else self.bottom - LOOP if self.number else self.lowest - LOOP
            _, y = self.at(step, 0.0, edge)
            label = self.at(step, self.width / 2, edge + (LABEL if state == 0 else -LABEL))
            look = {**self.line_of_state(BUS_LINE, state), "class_": f"fwd loop from-n{after} to-n{before}"}
            if state == 0 or self.number == 0:
                look |= {"label": f"{steps} steps", "fontsize": 11, "fontcolor": look["color"],
                         "lp": f"{label[0]:.2f},{label[1]:.2f}"}  # fmt: skip
            self.canvas.line(f"n{after}", f"n{before}", look, [], [], [(last.x, y), (first.x, y)])

    # Lines

    def line_of_state(self, look: dict[str, Any], state: int = -1) -> dict[str, Any]:
        """Return the look of a line that carries a state: the one that is shown, if nothing else is said."""
        return {**look, "color": marks.COLOURS[self.kind(state % len(self.plan.after))][1]}

    def _id(self, step: Step, operand: Operand) -> int | None:
        """Return what an operand is in a step."""
        of = {"here": step.marks, "state": step.before, "read": step.reads}
        return of[operand.kind][operand.number]

    def _lead(self, step: Step, net: Net, tree: dict[Cell, list[Cell]]) -> None:
        """Add the lines of a net."""
        sources = [id for operand in net if (id := self._id(step, operand)) is not None]
        if not sources:
            return
        used = {cell: [after for after in tree[cell] if self._users(step, net, after)] for cell in tree}
        root = next(iter(tree))
        waiting = [(root, after) for after in used[root]]
        for start, cell in waiting:  # which grows
            cells = [start, cell]
            while self._goes_on(used[cells[-1]], cells):
                cells += used[cells[-1]]
            self._draw(step, net, cells, sources, self._users(step, net, cells[-1]))
            waiting += [(cells[-1], after) for after in used[cells[-1]]]

    def _goes_on(self, after: Sequence[Cell], cells: Sequence[Cell]) -> bool:
        """Tell whether a line goes on as it is beyond its last cell: where one leaves the bus, another begins."""
        *_, before, cell = cells
        leaves_bus = before[1] == cell[1] == BUS and len(after) == 1 and after[0][1] > BUS
        return len(after) == 1 and cell not in self.plan.joins and not leaves_bus

    def _draw(self, step: Step, net: Net, cells: Sequence[Cell], sources: Sequence[int], users: Sequence[int]) -> None:
        """Add a line through some cells."""
        look, part = self._look(net, cells)
        corners = [
            self._place(step, cell)
            for before, cell, after in zip(cells, cells[1:], cells[2:], strict=False)
            if before[0] != after[0] and before[1] != after[1]
        ]
        start, end = cells[0], cells[-1]
        colour = look.get("color", marks.LINE)
        if start[0] == 0:
            tail = self.before[net[0].number]
        elif start in self.plan.inputs.values() and not self.reads:
            tail = self.below[step.number]
            x = self.canvas.nodes[tail].x
            x_read, y = self._place(step, start)
            corners[:0] = [(x, y), (x_read, y)] if x != x_read else []
        else:
            tail = self._node(step, start, colour)
        place = self._place_of.get(end)
        mark = None if place is None else step.marks[place]
        self.canvas.line(tail, self._node(step, end, colour), look, sources, users, corners, mark, part)

    @cached_property
    def _place_of(self) -> dict[Cell, int]:
        """The place of the mark in each cell that has one."""
        return {cell: place for place, cell in self.plan.places.items()}

    def _node(self, step: Step, cell: Cell, colour: str) -> str:
        """Return the node in a cell, or a point where lines part or join."""
        if (step.number, cell) in self.names:
            return self.names[step.number, cell]
        name = f"p{self.number}{'r' * self.turned}t{step.number}x{cell[0]}y{cell[1]}"
        width = JOINT if cell[1] == self.plan.belt else BRANCH
        return self.canvas.point(name, *self._place(step, cell), width, colour)

    def _look(self, net: Net, cells: Sequence[Cell]) -> tuple[dict[str, Any], str]:
        """Return the look of a line, and what it is a part of."""
        first, shown = net[0], len(self.plan.after) - 1
        if self._is_on_belt(first) and all(y == self.plan.belt for _, y in cells):
            return self.line_of_state(BELT, 0), "belt"
        drops = first == Operand("state", shown) and all(x == DROP or y == BUS for x, y in cells)
        if drops or (first.kind == "here" and all(y == BUS for _, y in cells)):
            return self.line_of_state(BUS_LINE), "hbus"
        if shown and first == Operand("here", self.pattern.states[shown]):
            return self.line_of_state(BUS_LINE), "hbus"
        if first.kind == "read" and self.number > 0:
            return self.line_of_state(BUS_LINE), ""
        if len(net) == 1 and first.kind == "state":
            return self.line_of_state(THIN_LINE, first.number), ""
        if first.kind == "here" and first.number in self.pattern.states:
            return self.line_of_state(THIN_LINE, self.pattern.states.index(first.number)), ""
        return WIRE, ""

    def _is_on_belt(self, operand: Operand) -> bool:
        return operand == Operand("state", 0) or (operand.kind == "here" and operand.number in self.pattern.belt)

    def _users(self, step: Step, net: Net, cell: Cell) -> list[int]:
        """Return the marks to which a line leads from a cell."""
        users: list[int] = []
        waiting = [(net, cell)]
        for net, cell in waiting:  # which grows
            if cell in self.plan.after:
                after = self.found.after(step)[self.plan.after.index(cell)]
                users += [user.id for user in self.graph.uses[after] if user.id not in step.marks] or [after]
            elif (place := self._place_of.get(cell)) is not None:
                id = step.marks[place]
                users += [] if id is None or self.graph[id].stored else [id]
            else:
                waiting += [(net, after) for after in self.plan.nets[net][cell]]
                if cell in self.plan.joins:
                    begun = [other for other, tree in self.plan.nets.items() if next(iter(tree)) == cell]
                    waiting += [(other, after) for other in begun for after in self.plan.nets[other][cell]]
        return users


def _heading(sign: str, word: str, mark: Mark, show: Show) -> str:
    """Return the title of a card; where there is little room, a word stands under its sign."""
    if show.numbers or not word:
        return marks.heading(sign, word, mark, show)
    return f'{marks.heading(sign, "", mark, show)}<BR/><FONT POINT-SIZE="9">{escaped(clipped(word))}</FONT>'


def _placed(
    extents: dict[int, float], tracks: Iterable[int], start: float, space: float
) -> tuple[dict[int, float], float]:
    """Return where marks of some extents and lines between them are along an axis, and where the last one ends."""
    places: dict[int, float] = {}
    end, before = start, "edge"
    for key in sorted({*extents, *tracks}):
        here = "mark" if key in extents else "line"
        gap = {("mark", "mark"): space, ("line", "line"): TRACK}.get((before, here), EDGE)
        half = extents.get(key, 0.0) / 2
        places[key] = end + gap + half
        end, before = places[key] + half, here
    return places, end
