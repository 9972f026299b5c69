"""Where the marks of a step stand, and which way the lines between them take: on a grid, before anything has a size.

Rows, from below: the inputs, the *bus* from which gates read, the gates, ops on their way up, the belt. An op stands
over one of its operands, and the others come to it from the side; so marks fall into columns. Their order is that which
makes the fewest crossings, and lines then find their way by themselves (`routing`). All of it follows from a `Pattern`:
there is no template for an LSTM here, nor for anything else.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..structure.recurrence import Operand, Pattern
from .routing import DOWN, LEFT, RIGHT, UP, Blocked, Cell, Grid

__all__ = ["BUS", "DROP", "INPUTS", "Net", "Plan", "plan"]

PITCH = 4
"""Cells from a column or row of marks to the next; those between are for lines."""

INPUTS, BUS, GATES = PITCH, 2 * PITCH, 3 * PITCH
"""Rows."""

DROP = PITCH // 2
"""The column in which the belt's state comes down to the bus, if there is no other."""

CHOICES, TRIES = 16, 4
"""So many ways to stand ops over their operands are looked at; so many of the best are tried."""

OUT = -1
"""The column of the states."""

CROSSED, HIT, SAME_SIDE, OFF_BUS, FORBIDDEN = 10.0, 30.0, 20.0, 8.0, 1000.0
"""What it costs at a glance if a line crosses another or hits a mark, if two come from one side, if a gate cannot read
from the bus, and if the order along the belt is lost. A column further costs `FAR`."""

FAR = 0.5

Net: TypeAlias = "tuple[Operand, ...]"
"""What a line carries: one thing, or several that have joined on the bus."""


@dataclass(frozen=True)
class Plan:
    """A plan of a step.

    Attributes
    ----------
    places
        The cell of the mark in each place of the pattern.
    inputs, after
        The cells of inputs, and of the states that the step makes.
    nets
        The lines: for each net its cells, each with those that it leads on to. It begins with the first one: a state
        before the step does at the left edge.
    joins
        Cells in which nets end and another begins, that carries them all.
    belt, out
        The row of the belt, and the column of the states.
    crossings
        How often lines cross.
    """

    places: dict[int, Cell]
    inputs: dict[int, Cell]
    after: tuple[Cell, ...]
    nets: dict[Net, dict[Cell, list[Cell]]]
    joins: frozenset[Cell]
    belt: int
    out: int
    crossings: int


@functools.lru_cache(maxsize=64)
def plan(pattern: Pattern) -> Plan | None:
    """Return where the marks of a step stand, or None if there is no way to draw it."""
    plans = []
    for _, draft, order in sorted(_candidates(pattern), key=lambda candidate: candidate[0])[:TRIES]:
        try:
            plans.append(_Drawing(draft, order).plan())
        except Blocked:
            continue
    return min(plans, key=lambda plan: plan.crossings, default=None)


def _candidates(pattern: Pattern) -> Iterator[tuple[float, _Draft, list[int]]]:
    """Give drafts with orders of their columns, and what these cost at a glance."""
    several = [place for place in range(len(pattern.operands)) if len(pattern.inner(place)) > 1]
    choices = itertools.product(*(pattern.inner(place)[::-1] for place in several))
    for chosen in itertools.islice(choices, CHOICES):
        try:
            draft = _Draft(pattern, dict(zip(several, chosen, strict=True)))
        except Blocked:
            continue
        order = draft.first_order()
        cost = draft.cost(order)
        while (better := min(((draft.cost(other), other) for other in _moved(order)), default=(cost, order)))[0] < cost:
            cost, order = better
        yield cost, draft, order


def _moved(order: Sequence[int]) -> Iterator[list[int]]:
    """Give an order with each column in each other place."""
    for place, column in enumerate(order):
        rest = [*order[:place], *order[place + 1 :]]
        for other in range(len(order)):
            if other != place:
                yield [*rest[:other], column, *rest[other:]]


class _Draft:
    """Which op stands over which mark, and in which row.

    Attributes
    ----------
    mouth
        An op at the beginning of the bus, if gates read what it makes of the state: it may drop some, or put the state
        and an input together.
    base
        What goes along the bus: the state, or what the op makes of it.
    fall
        The way from the belt down to the other state, the ``h`` of an LSTM.
    rising
        All other places that are not on the belt.
    foot
        Which op of the fall stands over a mark; what comes after it stands in the column of the states.
    above, under
        What stands over a mark, its line leading straight up to it; and the other way round.
    column
        The column of each place, by the place at its foot.
    rows, height
        The row of each place, counted from that of the gates, and that of the belt.
    """

    def __init__(self, pattern: Pattern, choice: Mapping[int, int]) -> None:
        self.pattern = pattern
        places = range(len(pattern.operands))
        state = Operand("state", len(pattern.states) - 1)
        self.mouth = next((place for place in pattern.users.get(state, ()) if self._opens(place)), None)
        self.base = state if self.mouth is None else Operand("here", self.mouth)
        self.fall = self._fall()
        self.rising = [p for p in places if p not in pattern.belt and p not in self.fall and p != self.mouth]
        self.foot = next((k for k in range(len(self.fall) - 1, -1, -1) if self.risen(self.fall[k])), None)
        self.above: dict[int, int] = {}
        for op in (*pattern.belt, *([] if self.foot is None else [self.fall[self.foot]]), *self.rising):
            free = [place for place in self.risen(op) if place not in self.above and self._may_stand(op, place)]
            if free:
                self.above[choice[op] if choice.get(op) in free else free[-1]] = op
        self.under = {op: place for place, op in self.above.items()}
        self.column = self._columns()
        self.rows, self.height = self._rows()

    def _opens(self, place: int) -> bool:
        """Tell whether this is an op that only layers read, and that reads nothing of the step."""
        outside = all(operand.kind != "here" for operand in self.pattern.operands[place])
        return outside and place not in self.pattern.learned and self.pattern.learned.issuperset(self._users(place))

    def _fall(self) -> tuple[int, ...]:
        """Return the way down from the belt: by ops, and by layers that read nothing else."""
        pattern = self.pattern
        if len(pattern.states) == 1:
            return ()
        starts = [Operand("here", place) for place in pattern.belt]
        return pattern.way(
            starts,
            pattern.states[1],
            lambda place: (
                place not in pattern.belt and (place not in pattern.learned or len(pattern.operands[place]) == 1)
            ),
        )

    def risen(self, place: int) -> list[int]:
        """Return the marks from which lines rise, or come from the side, to a mark."""
        elsewhere = {*self.pattern.belt, *self.fall, self.mouth}
        return [other for other in self.pattern.inner(place) if other not in elsewhere]

    def _may_stand(self, op: int, place: int) -> bool:
        """Tell whether an op may stand over a mark: not if something else that reads the mark comes after the op."""
        later = {op}
        for other in range(op + 1, len(self.pattern.operands)):
            if not later.isdisjoint(self.pattern.inner(other)):
                later.add(other)
        return later.isdisjoint(user for user in self._users(place) if user != op)

    def _columns(self) -> dict[int, int]:
        """Return the column of each place."""
        column: dict[int, int] = {}
        for place in (*self.rising, *self.pattern.belt):
            foot = place
            while foot in self.under:
                foot = self.under[foot]
            column[place] = foot
        for k, place in enumerate(self.fall):
            if self.foot is None:
                column[place] = self.fall[0]
            else:
                column[place] = OUT if k > self.foot else column[self.under[self.fall[self.foot]]]
        return column

    def _users(self, place: int) -> tuple[int, ...]:
        return self.pattern.users.get(Operand("here", place), ())

    def _floats(self, place: int) -> bool:
        """Tell whether a mark stands in the line to the side of the only one that reads it, or just below that."""
        if len(self._users(place)) != 1 or place in self.pattern.learned or place in self.under:
            return False
        return place in self.pattern.shared or (place not in self.above and len(self.pattern.operands[place]) == 1)

    def _rows(self) -> tuple[dict[int, int], int]:
        """Return the row of each place, and that of the belt, by lifting what is too low until nothing is."""
        rows, height = dict.fromkeys(range(len(self.pattern.operands)), 0), 0
        for _ in range(len(rows) ** 2 + 1):
            before = dict(rows), height
            for place in self.rising:
                rows[place] = max(rows[place], self._floor(place, rows))
            height = max([height, *(rows[place] + 1 for place in self.rising)])
            for k, place in enumerate(self.fall):
                height = max([height, k + 1, *(rows[other] + 2 + k for other in self.risen(place))])
            rows |= {place: height - 1 - k for k, place in enumerate(self.fall)}
            rows |= dict.fromkeys(self.pattern.belt, height)
            if (rows, height) == before:
                return rows, height
        raise Blocked

    def _floor(self, place: int, rows: Mapping[int, int]) -> int:
        """Return the lowest row in which a mark can stand."""
        beside = [other for other in self.risen(place) if self._floats(other) and other not in self.above]
        floors = [rows[other] + (other not in beside) for other in self.risen(place)]
        if place in self.under:  # branches of the line on which it stands leave that below it
            branches = [user for user in self._users(self.under[place]) if user != place and user in self.rising]
            floors += [rows[user] + 1 for user in branches]
        if self._floats(place):
            (user,) = self._users(place)
            floors.append(rows[user] - (self.above.get(place) == user))
        return max(floors, default=0)

    # The order of the columns

    def first_order(self) -> list[int]:
        """Return the columns in the order in which their marks are met along the belt, and on the way down from it."""
        order: list[int] = []
        for place in (*self.pattern.belt, *self.fall, *self.rising):
            self._meet(place, order)
        return order

    def _meet(self, place: int, order: list[int]) -> None:
        """Add the column of a mark, and before it those of what comes to it from the side."""
        column = self.column[place]
        if column in order or column == OUT:
            return
        mark: int | None = column
        while mark is not None:
            for operand in self.risen(mark):
                if self.column[operand] != column:
                    self._meet(operand, order)
            mark = self.above.get(mark)
        if column not in order:
            order.append(column)

    def cost(self, order: Sequence[int]) -> float:
        """Return what an order costs at a glance."""
        x = {column: place for place, column in enumerate(order)} | {OUT: len(order)}
        cost = self._cost_of_bus(order)
        cost += sum(FORBIDDEN for a, b in itertools.pairwise(self._along_belt()) if x[a] >= x[b])
        level: list[tuple[int, int, int, int]] = []
        upright: list[tuple[int, int, int, int]] = []
        for place, column in self.column.items():
            end, row, lefts = x[column], self.rows[place], []
            for operand in self.risen(place):
                start = x[self.column[operand]]
                upright.append((operand, start, self.rows[operand], row))
                if start != end:
                    level.append((operand, row, min(start, end), max(start, end)))
                    lefts.append(start < end)
                cost += FAR * abs(start - end)
            cost += SAME_SIDE * sum(count > 1 for count in (sum(lefts), len(lefts) - sum(lefts)))
            states = [operand for operand in self.pattern.operands[place] if operand.kind == "state"]
            cost += sum(end for state in states if place in self.rising and not self.on_bus(place, state))
        belt = self.pattern.belt
        marks = [(x[column], self.rows[place]) for place, column in self.column.items() if place not in belt]
        for net, row, left, right in level:
            cost += HIT * sum(left < column < right and height == row for column, height in marks)
            for other, column, low, high in upright:
                cost += CROSSED * (other != net and left < column < right and low < row <= high)
        return cost

    def _along_belt(self) -> list[int]:
        """Return the columns that have to stand in their order: along the belt, with the way down from it."""
        columns = []
        for place in self.pattern.belt:
            columns.append(self.column[place])
            if self.fall and Operand("here", place) in self.pattern.operands[self.fall[0]]:
                columns.append(self.column[self.fall[0]])
        return columns

    def _cost_of_bus(self, order: Sequence[int]) -> float:
        """Return what it costs that gates cannot read from the bus what they are to read."""
        cost = 0.0
        joined: set[Operand] = set()
        last = max((place for place, column in enumerate(order) if self.is_gate(column)), default=-1)
        for place, column in enumerate(order):
            reads = {operand for operand in self.pattern.operands[column] if self.joins(operand)}
            if self.is_gate(column):
                cost += 0 if joined <= reads else OFF_BUS
                joined |= reads if joined <= reads else set()
            elif place < last and any(operand.kind == "read" for operand in reads):
                cost += OFF_BUS
        return cost

    def joins(self, operand: Operand) -> bool:
        """Tell whether this is what gates read from the bus: an input, or what goes along it."""
        return operand.kind == "read" or operand == self.base

    def is_gate(self, place: int) -> bool:
        """Tell whether this is a learned layer that can read from the bus, whatever else it sees."""
        is_first = place in self.rising and place in self.pattern.learned and not self.risen(place)
        return is_first and self.base in self.pattern.operands[place]

    def on_bus(self, place: int, operand: Operand) -> bool:
        """Tell whether a mark can read something from the bus."""
        return self.joins(operand) and self.is_gate(place)


class _Drawing:
    """A draft with its columns in an order, and the lines between its marks."""

    def __init__(self, draft: _Draft, order: Sequence[int]) -> None:
        self.draft, self.pattern = draft, draft.pattern
        first = 1 if draft.mouth is None else 2
        self.out = PITCH * (len(order) + first)
        x = {column: PITCH * (place + first) for place, column in enumerate(order)} | {OUT: self.out}
        self.belt = GATES + PITCH * draft.height
        self.grid = Grid(self.out, self.belt)
        self.places = {place: (x[column], GATES + PITCH * draft.rows[place]) for place, column in draft.column.items()}
        if draft.mouth is not None:
            self.places[draft.mouth] = PITCH, BUS
        self.states = [Operand("state", state) for state in range(len(self.pattern.states))]
        self.after = ((self.out, self.belt), (self.out, BUS))[: len(self.states)]
        self.inputs: dict[int, Cell] = {}
        self.nets: list[Net] = []
        self.joins: set[Cell] = set()
        self.done: set[tuple[Operand, int]] = set()

    def plan(self) -> Plan:
        """Return the plan, once every line has found its way."""
        for cell in (*self.places.values(), *self.after):
            self.grid.put(cell)
        for place, cell in self.places.items():
            self._start((Operand("here", place),), cell, EXITS[place in self.pattern.learned])
        self._lay_belt()
        self._lay_bus()
        self._lay_fall()
        for place, op in self.draft.above.items():
            self._lay((Operand("here", place),), self.places[place], self.places[op], ends=op)
        self._route_rest()
        nets = {net: self.grid.nets[net] for net in self.nets}
        crossings = self.grid.crossings - len(self.joins)
        return Plan(self.places, self.inputs, self.after, nets, frozenset(self.joins), self.belt, self.out, crossings)

    def _start(self, net: Net, cell: Cell, exits: Mapping[tuple[int, int], int] | None = None) -> None:
        self.nets.append(net)
        self.grid.start(net, cell, exits or {})

    def _lay(self, net: Net, *corners: Cell, ends: int | None = None) -> None:
        """Lay a net from corner to corner, up to the mark in a place if it ends there."""
        self.grid.lay(net, *corners)
        if ends is not None:
            self.done |= {(operand, ends) for operand in net}

    def _lay_belt(self) -> None:
        """Lay the belt from the state before to the state after."""
        net: Net = (self.states[0],)
        cell = (0, self.belt)
        self._start(net, cell)
        for place in self.pattern.belt:
            self._lay(net, cell, self.places[place], ends=place)
            net, cell = (Operand("here", place),), self.places[place]
        self._lay(net, cell, self.after[0])

    def _lay_bus(self) -> None:
        """Lay the bus: the state meets the input, and goes to every gate that reads no less."""
        gates = sorted((p for p in self.draft.rising if self.draft.is_gate(p)), key=lambda p: self.places[p])
        net: Net = (self.states[-1],)
        cell = (0, BUS)
        if len(self.states) == 2:
            self._start(net, cell)
        elif gates:
            cell = (DROP, BUS)
            self._lay(net, (DROP, self.belt), cell)
        if self.draft.mouth is not None:
            self._lay(net, cell, self.places[self.draft.mouth], ends=self.draft.mouth)
            net, cell = (self.draft.base,), self.places[self.draft.mouth]
        for gate in gates:
            x, y = self.places[gate]
            reads = [operand for operand in self.pattern.operands[gate] if self.draft.joins(operand)]
            if set(net) <= set(reads):
                self._lay(net, cell, (x, BUS))
                cell = (x, BUS)
                for operand in reads:
                    if operand not in net:
                        net = self._join(net, operand, cell)
                self._lay(net, cell, (x, y), ends=gate)

    def _join(self, net: Net, operand: Operand, cell: Cell) -> Net:
        """Let an input join the bus from below, and return what it carries from there."""
        if operand.number in self.inputs or cell in self.joins:
            raise Blocked
        self._put_input(operand, cell[0])
        self._lay((operand,), (cell[0], INPUTS), cell)
        self._start((*net, operand), cell)
        self.joins.add(cell)
        return (*net, operand)

    def _put_input(self, operand: Operand, x: int) -> None:
        """Let an input stand in a column, or in the next one in which none does."""
        while (x, INPUTS) in self.inputs.values():
            x += PITCH
        self.inputs[operand.number] = (x, INPUTS)
        self.grid.put((x, INPUTS))
        self._start((operand,), (x, INPUTS), {UP: 0})

    def _lay_fall(self) -> None:
        """Lay the way from the belt down to the state below."""
        fall = self.draft.fall
        if len(self.states) == 2 and not fall:
            self.grid.route((Operand("here", self.pattern.states[1]),), self.after[1], {UP: 0, LEFT: 2})
        if fall:
            above = [p for p in self.pattern.inner(fall[0]) if p in self.pattern.belt]
            if len(above) != 1:
                raise Blocked
            x, y = self.places[fall[0]]
            self._lay((Operand("here", above[0]),), (x, self.belt), (x, y), ends=fall[0])
            ends = [*(self.places[op] for op in fall[1:]), self.after[1]]
            for place, end, op in zip(fall, ends, [*fall[1:], None], strict=True):
                x, y = self.places[place]
                corner = [] if x == end[0] else [(end[0], y)]
                self._lay((Operand("here", place),), (x, y), *corner, end, ends=op)

    def _route_rest(self) -> None:
        """Let the other lines find their way, short ones first, and those from far away last."""
        left = [
            (self._distance(operand, place), place, operand)
            for place, operands in enumerate(self.pattern.operands)
            for operand in operands
            if (operand, place) not in self.done
        ]
        for _, place, operand in sorted(left):
            if operand.kind == "read" and operand.number not in self.inputs:
                self._put_input(operand, self.places[place][0])
            self.grid.route((operand,), self.places[place], ENTRIES[place in self.pattern.learned])

    def _distance(self, operand: Operand, place: int) -> int:
        """Return how far something is from a mark that reads it."""
        if operand.kind != "here":
            return self.out + self.belt
        (x, y), (x_end, y_end) = self.places[operand.number], self.places[place]
        return abs(x - x_end) + abs(y - y_end)


EXITS = ({UP: 0, RIGHT: 1, LEFT: 1, DOWN: 6}, {UP: 0, RIGHT: 4, LEFT: 4})
"""What it costs to leave an op, and a learned layer, by some of its sides."""

ENTRIES = ({DOWN: 0, LEFT: 0, RIGHT: 1, UP: 6}, {DOWN: 0, LEFT: 0, RIGHT: 1})
"""What it costs to enter them."""
