"""Lines on a grid that run level or upright, cross others only at right angles, and never run along them.

A `Grid` has nodes in some of its cells. What a node sends out is a *net*: a tree of cells, grown from where it begins,
each branch by the cheapest way to one more node that reads it. Bends cost, and crossings cost more.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

__all__ = ["DOWN", "LEFT", "RIGHT", "UP", "Blocked", "Cell", "Grid", "Side"]

Cell: TypeAlias = "tuple[int, int]"
"""Column and row; rows are counted from below."""

Side: TypeAlias = "tuple[int, int]"
"""A side of a cell, or the way there."""

UP, RIGHT, DOWN, LEFT = SIDES = (0, 1), (1, 0), (0, -1), (-1, 0)

BEND, CROSSING, BRANCH = 3, 9, 1
"""What these cost, in cells."""


class Blocked(Exception):
    """There is no way."""


class _Way(NamedTuple):
    """A cell on the way, how it was entered, and from where."""

    cell: Cell
    side: Side
    before: _Way | None


class Grid:
    """Nodes in cells, and the nets between them; what finds its way stays within the edges.

    Attributes
    ----------
    nets
        For each net its cells, each with those that it leads on to.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.nets: dict[Hashable, dict[Cell, list[Cell]]] = {}
        self._nodes: dict[Cell, dict[Side, Hashable]] = {}  # by which side, which net
        self._lines: dict[Cell, dict[Hashable, set[Side]]] = {}  # which net, by which sides
        self._exits: dict[Hashable, Mapping[Side, int]] = {}

    def put(self, cell: Cell) -> None:
        """Let a node stand in a cell."""
        if cell in self._nodes or cell in self._lines:
            raise Blocked
        self._nodes[cell] = {}

    def start(self, net: Hashable, cell: Cell, exits: Mapping[Side, int]) -> None:
        """Let a net begin in a cell; ``exits`` is what it costs to leave it by some of its sides."""
        self.nets[net] = {cell: []}
        self._exits[net] = exits
        self._lines.setdefault(cell, {})[net] = set()

    def lay(self, net: Hashable, *corners: Cell) -> None:
        """Lead a net from one of its cells straight from corner to corner."""
        for start, end in itertools.pairwise(corners):
            side = _sign(end[0] - start[0]), _sign(end[1] - start[1])
            if side not in SIDES:
                raise Blocked
            cell = start
            while cell != end:
                after = _beyond(cell, side)
                if after != end and not self._is_free(after, side, side):
                    raise Blocked
                self._step(net, cell, side)
                cell = after

    def route(self, net: Hashable, target: Cell, sides: Mapping[Side, int]) -> None:
        """Lead a net to a node, which it may enter by some sides at a cost.

        Raises
        ------
        Blocked
            If there is no way.
        """
        count = itertools.count()  # of two ways that cost the same, the one found first
        waiting = [(cost, next(count), way) for cost, way in self._starts(net)]
        arrived: list[tuple[int, int, _Way]] = []
        seen: set[tuple[Cell, Side]] = set()
        heapq.heapify(waiting)
        while waiting and not (arrived and arrived[0][0] <= waiting[0][0]):
            cost, _, way = heapq.heappop(waiting)
            cell, side, _ = way
            if (cell, side) in seen:
                continue
            seen.add((cell, side))
            back = -side[0], -side[1]
            if cell == target:
                if back in sides and back not in self._nodes[cell]:
                    heapq.heappush(arrived, (cost + sides[back], next(count), way))
                continue
            for turn in SIDES:
                if turn != back and self._is_within(cell) and self._is_free(cell, side, turn):
                    more = 1 + BEND * (turn != side) + CROSSING * (cell in self._lines)
                    heapq.heappush(waiting, (cost + more, next(count), _Way(_beyond(cell, turn), turn, way)))
        if not arrived:
            raise Blocked
        self._take(net, arrived[0][2])

    def _starts(self, net: Hashable) -> Iterator[tuple[int, _Way]]:
        """Give the ways by which a branch can leave a net, with what they cost."""
        for number, (cell, after) in enumerate(self.nets[net].items()):
            lines = self._lines[cell]
            if cell in self._nodes:
                sides = [] if number > 0 or after else [side for side in SIDES if side not in self._nodes[cell]]
            else:
                sides = [side for side in SIDES if len(lines) == 1 and side not in lines[net]]
            for side in sides:
                cost = BRANCH if number > 0 else self._exits[net].get(side)
                if cost is not None:
                    yield cost, _Way(_beyond(cell, side), side, _Way(cell, side, None))

    def _is_within(self, cell: Cell) -> bool:
        return 0 < cell[0] < self.columns and 0 < cell[1] < self.rows

    def _is_free(self, cell: Cell, side: Side, turn: Side) -> bool:
        """Tell whether a line may enter a cell by one way and leave it by another."""
        if cell in self._nodes:
            return False
        others = self._lines.get(cell, {}).values()
        return not others or (turn == side and all(ways in ACROSS[side[0] == 0] for ways in others))

    def _take(self, net: Hashable, way: _Way) -> None:
        """Make a way part of a net."""
        ways = [way]
        while ways[-1].before is not None:
            ways.append(ways[-1].before)
        for before, after in itertools.pairwise(reversed(ways)):
            self._step(net, before.cell, after.side)

    def _step(self, net: Hashable, cell: Cell, side: Side) -> None:
        """Lead a net on from one of its cells to the next."""
        tree, after = self.nets[net], _beyond(cell, side)
        if after not in tree[cell]:
            if after in tree:
                raise Blocked
            tree[cell].append(after)
            tree[after] = []
        for place, way in ((cell, side), (after, (-side[0], -side[1]))):
            if place in self._nodes:
                self._nodes[place][way] = net
            self._lines.setdefault(place, {}).setdefault(net, set()).add(way)

    @property
    def crossings(self) -> int:
        """How often lines cross."""
        return sum(len(lines) > 1 for cell, lines in self._lines.items() if cell not in self._nodes)


ACROSS = ([{UP, DOWN}], [{LEFT, RIGHT}])
"""The ways of a line that may be crossed by one that runs level, and by one that runs upright."""


def _beyond(cell: Cell, side: Side) -> Cell:
    return cell[0] + side[0], cell[1] + side[1]


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
