"""Where chains of cells stand: in which block of columns, how far to the right, and how high."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..structure.chains import Cell, Chain
from ..structure.ir import Graph

__all__ = ["AFTER", "BEFORE", "JUNCTION", "Track", "tracks"]

BEFORE, AFTER, JUNCTION = -2, 1, 2
"""Columns, counted from that of a cell in the direction of time; the next cell stands three further."""

PERIOD = 3

LAYER = 10_000
"""How much higher the next chain of a block stands."""


class Track:
    """A chain with its place.

    Attributes
    ----------
    chain
        The recurrence.
    cells
        Its cells from left to right.
    first
        The states before the first one, as ids by name.
    name, layer
        What the module is called, and which layer of it this is, if it is one of several.
    block, shift, lane
        Which columns it stands in, how many further to the right than others there, and how high over them.
    """

    def __init__(self, graph: Graph, chain: Chain) -> None:
        self.chain = chain
        self.cells = sorted(chain.cells, key=lambda cell: cell.first)
        inputs = graph[chain.cells[0].id].inputs
        given = [name for name in chain.states if name in chain.cells[0].before]
        self.first = {name: id for name, id in zip(given, inputs, strict=False) if id is not None}
        self.layer = chain.path[-1] if len(chain.path) > 1 and re.fullmatch(r"l\d+(_reverse)?", chain.path[-1]) else ""
        names = chain.path[:-1] if self.layer else chain.path
        self.name = names[-1] if names else "step"
        self.block = self.shift = self.lane = 0

    def column(self, cell: Cell, offset: int = 0) -> tuple[int, int]:
        """Return the column of a cell, or one beside it in the direction of time."""
        place = PERIOD * self.cells.index(cell) + self.shift
        return self.block, place - offset if self.chain.reverse else place + offset

    def height(self, part: int) -> int:
        """Return how high a part of this chain stands."""
        return self.lane * LAYER + part

    def before(self, cell: Cell) -> dict[str, int]:
        """Return the states that a cell reads, as ids by name."""
        place = self.chain.cells.index(cell)
        return dict(self.chain.cells[place - 1].after) if place else self.first

    def after(self, cell: Cell) -> Cell | None:
        """Return the cell that reads the states of another."""
        place = self.chain.cells.index(cell) + 1
        return self.chain.cells[place] if place < len(self.chain.cells) else None


def tracks(graph: Graph, found: Sequence[Chain], rolled: bool = False) -> list[Track]:
    """Return chains with their places in a boxed graph; rolled ones have loops around them, and stand side by side.

    A chain whose cells read each what another's makes in the same step stands over that one; a chain that reads it all
    at once stands behind it; one that does neither stands over it too, in the same columns.
    """
    placed = [Track(graph, chain) for chain in found]
    behind = _behind(graph, placed)
    lanes: dict[int, int] = {}
    for place, track in enumerate(placed):
        others = [] if rolled else reversed(placed[:place])
        below = next((other for other in others if _stands_over(graph, track, other)), None)
        if below is not None:
            track.block, track.shift = below.block, below.shift + JUNCTION
        else:
            track.block = max((placed[other].block + 1 for other in behind[place]), default=0)
        track.lane = lanes.get(track.block, 0)
        lanes[track.block] = track.lane + 1
    return placed


def _behind(graph: Graph, placed: Sequence[Track]) -> list[set[int]]:
    """Return for each chain which others it depends on."""
    owner = {cell.id: place for place, track in enumerate(placed) for cell in track.cells}
    made: dict[int, frozenset[int]] = {}
    behind: list[set[int]] = [set() for _ in placed]
    for mark in graph:
        made[mark.id] = frozenset().union(*(made[i] for i in set(mark.sources)))
        if mark.id in owner:
            behind[owner[mark.id]] |= made[mark.id] - {owner[mark.id]}
            made[mark.id] |= {owner[mark.id]}
    return behind


def _stands_over(graph: Graph, track: Track, other: Track) -> bool:
    """Tell whether each cell of a chain reads what another's makes in the same step."""
    pairs = list(zip(track.chain.cells, other.chain.cells, strict=False))
    same = len(track.cells) == len(other.cells) and all(a.first == b.first for a, b in pairs)
    read = (set(graph[a.id].inputs) - set(track.first.values()) for a, _ in pairs)
    return same and all(not inputs.isdisjoint(b.after.values()) for inputs, (_, b) in zip(read, pairs, strict=True))
