"""A recurrence as a chain of cells: a box for each step, time from left to right, its states on straight tracks.

Below each cell stands what it reads, above it what is made of its output, and the weights that all of them share: on a
rail over them, or at each. A layer that reads another's states stands over it, each of its cells over the state that it
reads; one that begins with the last step runs from right to left. A rolled recurrence is one cell with a loop for each
state.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..looks import marks
from ..looks.dot import Html, Tooltip, Writer, clipped, escaped
from ..looks.marks import COLOURS, SECONDARY, TEXT
from ..looks.strips import ROWS, TALL, THIN
from ..looks.theme import LINES, SURFACES
from ..structure.chains import Cell, Chain, is_row
from ..structure.columns import Columns
from ..structure.ir import Graph, Mark, Record
from ..view import View
from .ranks import NOWHERE, Column, Port, Ranks, carries
from .tracks import AFTER, BEFORE, JUNCTION, Track, tracks

__all__ = ["cells"]

WIDTHS = {"c": 4.5, "h": 2.6}
"""Of the lines of states."""

GRADIENT = LINES["gradient"][0]
WEIGHT = COLOURS["parameter"][1]
RAIL: dict[str, Any] = {"weight": 50, "penwidth": 2.0, "color": WEIGHT, "class_": "rail"}
DROP: dict[str, Any] = {"penwidth": 1.2, "color": WEIGHT, "class_": "rail"}

BRANCH, JOINT, TURN, CROSSING = 0.05, 0.07, 0.03, 0.01
"""Widths of points: where a line branches, where a rail does, where one turns, where one crosses another."""

RAILS = 46
"""How far apart rails of values and of gradients are, as Graphviz places them."""

LOOP, SEQUENCE, INPUT, LOWER, BOX, UPPER, WEIGHTS, UPPER_LOOP, GATHERED, RISEN = range(0, 10_000, 1000)
"""How high things stand in a column, from its bottom: LOWER is the lowest state, UPPER the others."""


def cells(graph: Graph, found: Sequence[Chain], places: Columns, title: str, view: View) -> Writer:
    """Return the picture of a boxed graph as DOT."""
    picture = _Cells(graph, found, places, view)
    picture.add_cells()
    picture.add_beside()
    picture.add_lines()
    return picture.written(title)


def _kind(name: str) -> str:
    """Return the kind of a state, a row of `COLOURS`."""
    return "c" if name == "c" else "h"


def _line(name: str) -> dict[str, Any]:
    """Return the look of the line of a state."""
    return {"weight": 50, "penwidth": WIDTHS[_kind(name)], "color": COLOURS[_kind(name)][1]}


def _numbered(name: str, number: int | None) -> str:
    """Return a name with the number of its step below it; of all steps if there is none."""
    return name + "ₜ" if number is None else marks.subscripted(name, number)


class _Rail(NamedTuple):
    """Where a rail has come to: the points of values and of gradients, and the marks that it carries."""

    value: str
    back: str
    carried: list[int]


class _Cells(Ranks):
    """One picture in the making."""

    def __init__(self, graph: Graph, found: Sequence[Chain], places: Columns, view: View) -> None:
        super().__init__(graph, view)
        self.places = places if not view.rolled else Columns(places.below, {})
        self.tracks = tracks(graph, found, view.rolled)
        self.boxes = {cell.id: (track, cell) for track in self.tracks for cell in track.cells}
        self.states = {id for track, cell in self.boxes.values() for id in cell.after.values()}
        self.states |= {id for track in self.tracks for id in track.first.values() if graph[id].stored}
        self.rows = self.show.values or self.show.grads or self.gradients is not None
        self.readers = {id: self._readers(track, cell) for id, (track, cell) in self.boxes.items()}
        self.railed = {user for track in self.tracks for user in self._railed(track)}
        self.kinds.add("cell")

    def is_loop(self, track: Track) -> bool:
        """Tell whether a chain is drawn as one cell with loops."""
        return self.view.rolled and len(track.cells) == 1 and track.chain.steps > 1

    # Cells and what they share

    def add_cells(self) -> None:
        """Add the cells, with the states before, between and after them, and their weights."""
        for track in self.tracks:
            chain, loops = track.chain, self.is_loop(track)
            heights = self._heights([self.graph[id] for cell in chain.cells for id in cell.after.values()])
            begin = chain.cells[0].first + (1 if chain.reverse else -1)
            for name, id in track.first.items():
                if self.graph[id].stored:
                    self._add_state(track, name, id, track.column(chain.cells[0], BEFORE - loops), begin, heights)
            for cell in track.cells:
                self.put(f"n{cell.id}", track.column(cell), track.height(BOX), **self._box(track, cell, heights))
                for name, id in cell.after.items():
                    self._add_state(track, name, id, track.column(cell, AFTER), None if loops else cell.last, heights)
            self._add_weights(track)
        for track in self.tracks:
            self._hold(track)

    def _hold(self, track: Track) -> None:
        """Hold the beginning of a chain behind the ends of those that stand before it."""
        first = [f"n{id}" for id in track.first.values() if f"n{id}" in self.nodes and self.graph[id].stored]
        for other in self.tracks:
            if other.block == track.block - 1 and not other.chain.reverse:
                ends = [f"n{id}" for id in other.chain.cells[-1].after.values()]
                for start in first[:1] or [f"n{track.cells[0].id}"]:
                    self.edge(ends[-1], start, style="invis", weight=0, minlen=JUNCTION)

    def _level(self, track: Track, name: str) -> int:
        """Return how high a state's track is."""
        place = track.chain.states.index(name)
        return track.height(LOWER if place == len(track.chain.states) - 1 else UPPER - 10 * place)

    def _add_state(
        self, track: Track, name: str, id: int, column: Column, number: int | None, heights: tuple[int, int]
    ) -> None:
        """Add a state as a circle or a card on its track."""
        mark, kind = self.graph[id], _kind(name)
        label = mark.label or ("s" if name.startswith("#") else name)
        text = label if mark.stored and label not in ("s", name) else _numbered(label, number)
        look = self._card(kind, text, mark, heights) | marks.identity(mark, text, show=self.show)
        self.put(f"n{id}", column, self._level(track, name), **look, group=f"{name}{track.lane}")
        self.kinds.add(kind)

    def _heights(self, states: Sequence[Mark]) -> tuple[int, int]:
        """Return the heights of the rows of a card in which its value and its gradient are."""
        rows = max((min(ROWS, math.prod(mark.shape[:-1])) for mark in states if mark.shape), default=1)
        return (TALL * rows + 9, THIN * rows + 16) if self.show.tinted else (24, 14)

    def _card(self, kind: str, text: str, mark: Mark, heights: tuple[int, int]) -> dict[str, Any]:
        """Return the look of a state: a circle, or a card with a row for its value and one for its gradient."""
        told = self.show.tells(mark) or (self.gradients is not None and mark.grad is not None)
        if not self.rows or not told:
            return marks.state(kind, text)
        look = marks.card(kind, marks.heading(text, "", mark, self.show), mark, self.show)
        label = str(look["label"])
        if 'PORT="v"' not in label:
            label = label.replace("<TR><TD>", '<TR><TD PORT="v" WIDTH="36">', 1)
        if 'PORT="g"' not in label:
            label = label.removesuffix("</TABLE>") + '<TR><TD PORT="g"></TD></TR></TABLE>'
        for port, height in zip("vg", heights, strict=True):
            label = label.replace(f'PORT="{port}"', f'PORT="{port}" HEIGHT="{height}"')
        return {**look, "label": Html(label)}

    def _box(self, track: Track, cell: Cell, heights: tuple[int, int]) -> dict[str, Any]:
        """Return the look of a cell: a table with two rows for each state, on the tracks of its value and gradient."""
        fill, line, _ = COLOURS["cell"]
        mark, several, loops = self.graph[cell.id], cell.times > 1, self.is_loop(track)
        steps = f"steps {cell.first}…{cell.last}" if several else f"step {cell.first}"
        layer = f"{track.layer}, " if track.layer and len(self.tracks) > 1 else ""
        name = escaped(clipped(track.name)) + (f" ×{cell.times}" if several and not loops else "")
        words = [f'<FONT POINT-SIZE="11" COLOR="{SECONDARY}">{escaped(layer + steps)}</FONT>']
        words += [f'<FONT POINT-SIZE="9" COLOR="{SECONDARY}">{escaped(mark.note)}</FONT>'] * several
        middle = (
            f'<TR><TD HEIGHT="62" WIDTH="86" CELLPADDING="6"><FONT COLOR="{TEXT}"><FONT POINT-SIZE="16"><B>{name}</B>'
            f"</FONT><BR/>{'<BR/>'.join(words)}</FONT></TD></TR>"
        )
        rows = [
            f'<TR><TD PORT="v{place}" HEIGHT="{heights[0]}"></TD></TR>'
            f'<TR><TD PORT="g{place}" HEIGHT="{heights[1] if self.rows else 2}"></TD></TR>'
            for place in range(len(track.chain.states))
        ]
        pad = '<TR><TD HEIGHT="8"></TD></TR>'
        border, dashed = (3, ",DASHED") if several and not loops else (1, "")
        table = (
            f'<TABLE BORDER="{border}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" STYLE="ROUNDED{dashed}" '
            f'COLOR="{line}" BGCOLOR="{fill}">{pad}{"".join(rows[:-1])}{middle}{rows[-1]}{pad}</TABLE>'
        )
        return {"shape": "plain", "label": Html(table), **marks.identity(mark, track.name, show=self.show)}

    def _add_weights(self, track: Track) -> None:
        """Add the weights of a chain: on a rail over its cells, or over each of them, as over a single one."""
        if not track.chain.weights or self.graph.record is None:
            return
        look, height = self._weights(track, self.graph.record), track.height(WEIGHTS)
        name = f"w{self.tracks.index(track)}"
        self.kinds.add("parameter")
        if self.view.weights == "step" or len(track.cells) == 1:
            for cell in track.cells:
                node = f"{name}at{cell.id}"
                self.put(node, track.column(cell), height, **look, id=node)
                self.edge(node, f"n{cell.id}", **DROP)
        else:
            column = track.column(track.cells[0], JUNCTION + 1 if track.chain.reverse else BEFORE)
            self.put(name, column, height, **look, id=name)
            self._add_rail(track, name, height)

    def _weights(self, track: Track, record: Record) -> dict[str, Any]:
        """Return the look of all weights of a chain, as one mark."""
        leaves = [record.marks[leaf] for leaf in track.chain.weights]
        size = sum(math.prod(leaf.shape) for leaf in leaves)
        shared = "shared weights" if track.chain.steps > 1 else "weights"
        text = f"{len(leaves)} tensor{'s' * (len(leaves) > 1)} · {size:,} number{'s' * (size > 1)}"
        label = f'<B>W</B> <FONT POINT-SIZE="10">{shared}</FONT><BR/><FONT POINT-SIZE="10">{text}</FONT>'
        tip = Tooltip("\n".join(f"{leaf.label or 'leaf'} {marks.size(leaf.shape)}" for leaf in leaves))
        return marks.stored("parameter", "") | {"label": Html(label), "tooltip": tip, "class_": "role-parameter"}

    def _add_rail(self, track: Track, node: str, height: int) -> None:
        """Add the rail from the weights over all cells of a chain, with a line down to each of them."""
        stops = [node]
        for cell in track.cells:
            drop = self.point(f"{node}p{cell.id}", track.column(cell), height, WEIGHT, JOINT)
            crossing = f"x{cell.id}"
            passes = self._leaves(cell) and (track.chain.reverse or cell is not track.cells[-1])
            if passes:
                self.point(crossing, track.column(cell, JUNCTION), height, WEIGHT, CROSSING)
            between = [crossing] * passes
            stops += [*between, drop] if track.chain.reverse else [drop, *between]
            self.edge(drop, f"n{cell.id}", **DROP)
        for before, after in itertools.pairwise(stops):
            self.edge(before, after, **RAIL)

    # What stands beside them, and elsewhere

    def add_beside(self) -> None:
        """Add what stands below and above the cells, and all that stands elsewhere."""
        levels = dict.fromkeys(self.boxes, 0)
        for mark in reversed(self.graph.marks):
            for owner in self.places.below.get(mark.id, ()):
                levels[owner] -= 10
                self._add(mark, self._column(owner, 0), self._height(owner, LOWER + levels[owner]), owner)
        levels = dict.fromkeys(self.boxes, 0)
        for mark in self.graph:
            if mark.id in self.places.above:
                cell = self.places.above[mark.id]
                levels[cell] += 10
                level = self._height(cell, RISEN + levels[cell])
                self._add(mark, self._column(cell, JUNCTION), level)
                for source in self._only_for(mark):
                    self._add(source, self._column(cell, AFTER), level)
        for track in self.tracks:
            for before, after in itertools.pairwise(track.chain.cells):
                self._align(before, after)
            if self.is_loop(track):
                self._add_behind(track)
        for mark in self.graph:
            if self._is_shared(mark):
                for user in dict.fromkeys(user.id for user in self.graph.uses[mark.id]):
                    self._add_chip(mark, user)
            elif f"n{mark.id}" not in self.nodes and not mark.is_number:
                self._add(mark)

    def _align(self, before: Cell, after: Cell) -> None:
        """Hold what stands above two cells at one height, as far as it is alike."""
        marks_of = [[m for m in self.graph if self.places.above.get(m.id) == cell.id] for cell in (before, after)]
        for one, other in zip(*marks_of, strict=False):
            if one.op == other.op and one.id not in other.sources:
                self.edge(f"n{one.id}", f"n{other.id}", style="invis", weight=5)

    def _add_behind(self, track: Track) -> None:
        """Add what a lone cell reads a part of at each step, left of its loops."""
        cell = track.cells[0]
        read = (mark for mark in self.graph if cell.id in self.places.below.get(mark.id, ()))
        for place, id in enumerate(dict.fromkeys(i for mark in read for i in mark.sources)):
            if f"n{id}" not in self.nodes and not self.graph[id].is_number:
                self._add(self.graph[id], track.column(cell, BEFORE - 1), track.height(INPUT - 10 * place))

    def _column(self, owner: int, offset: int) -> Column:
        """Return the column of a cell, or one beside it."""
        track, cell = self.boxes[owner]
        return track.column(cell, offset)

    def _height(self, owner: int, part: int) -> int:
        """Return how high a part of a cell's chain stands."""
        return self.boxes[owner][0].height(part)

    def _only_for(self, mark: Mark) -> list[Mark]:
        """Return what is stored and read by one mark alone."""
        stored = (self.graph[i] for i in dict.fromkeys(mark.sources) if self.graph[i].stored)
        return [source for source in stored if not source.is_number and len(self.graph.uses[source.id]) == 1]

    def _is_shared(self, mark: Mark) -> bool:
        """Tell whether several cells read a stored mark itself: it is a chip at each of them."""
        users = {user.id for user in self.graph.uses[mark.id]}
        known = mark.is_number or mark.id in self.states or mark.id in self.places.below
        return mark.stored and not known and len(users & self.boxes.keys()) > 1

    def _add_chip(self, mark: Mark, user: int) -> None:
        """Add a chip that stands for a mark at one of its uses."""
        node, kind = f"n{mark.id}at{user}", marks.kind(self.graph, mark)
        text = marks.stored_text(self.graph, mark)
        look = marks.chip(kind, text, mark.shape) | marks.identity(mark, text, node, self.show)
        self.kinds.add(kind)
        if user in self.boxes:
            track, cell = self.boxes[user]
            self.put(node, track.column(cell), track.height(INPUT), **look)
        else:
            self.put(node, **look)
        self.use([mark.id], user, node, f"n{user}", turned=user in self.boxes, color=COLOURS[kind][1])

    def _add(self, mark: Mark, column: Column | None = None, level: int = 0, owner: int | None = None) -> None:
        """Add a mark; what a cell reads has the number of its step, and stands at each cell that reads it."""
        node, kind = f"n{mark.id}", marks.kind(self.graph, mark)
        if node in self.nodes:
            node += f"at{owner}"
        show = marks.NOTHING if mark.times else self.show
        is_read = mark.stored or (owner is not None and is_row(mark)) or (mark.times > 0 and mark.op == "getitem")
        name = marks.name(self.graph, mark)
        if is_read:
            kind, text = kind if mark.stored else "input", marks.stored_text(self.graph, mark)
            if owner is not None and mark.label is not None:
                text = self._of_steps(mark.label, self.boxes[owner][1])
            look = marks.stored(kind, text, mark, show)
            self.notes.add(marks.origin(self.graph, mark))
        elif column is None and mark.op == "stack" and not mark.label:
            kind, text, look = "", "stack", self._bar()
        else:
            text, look = name or mark.op, marks.look(self.graph, mark, show)
        self.kinds.add(kind)
        self.put(node, column, level, **look, **marks.identity(mark, text, node, show))
        picked = marks.indices(mark)
        if picked is not None:
            self.kinds.add("input")
            index = self.put(f"i{node[1:]}", column, level - 5, **marks.stored("input", picked))
            self.edge(index, node, turned=column is not None, class_="fwd")

    def _bar(self) -> dict[str, Any]:
        """Return the look of a stack: the end of a rail, or of both where gradients come back beside values."""
        if self.view.direction != "both":
            return marks.bar()
        rows = "".join(f'<TR><TD PORT="{port}" WIDTH="4" HEIGHT="{RAILS}"></TD></TR>' for port in "vg")
        table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'
        return {"shape": "plain", "label": Html(f'{table} BGCOLOR="{COLOURS["h"][1]}">{rows}</TABLE>')}

    def _of_steps(self, label: str, cell: Cell) -> str:
        """Return a name with the numbers of the steps that it is of."""
        if self.is_loop(self.boxes[cell.id][0]):
            return _numbered(label, None)
        first, last = _numbered(label, cell.first), _numbered(label, cell.last)
        return first if cell.times == 1 else f"{first} … {last}"

    # Lines

    def add_lines(self) -> None:
        """Add what leads where."""
        for track in self.tracks:
            self._gather(track)
        for track in self.tracks:
            for cell in track.chain.cells:
                self._add_states(track, cell)
            self._add_sequences(track)
        for mark in self.graph:
            for user in dict.fromkeys(user.id for user in self.graph.uses[mark.id]):
                if not mark.is_number and (mark.id, user) not in self.drawn:
                    self._add_use(mark, user)

    def _add_states(self, track: Track, cell: Cell) -> None:
        """Add the lines of the states into a cell and out of it."""
        names, leftward, before = track.chain.states, track.chain.reverse, track.before(cell)
        entry, out = ("e", "w") if leftward else ("w", "e")
        for place, name in enumerate(names):
            line = _line(name)
            back = self._add_loop(track, cell, name) if self.is_loop(track) else ""
            into, outof = (Port(f"v{place}:{side}", f"g{place}:{side}") for side in (entry, out))
            if name in before:
                id = before[name]
                stop = next((point for point in (f"j{id}", f"x{id}") if point in self.nodes), "")
                tail = stop if stop and cell is track.chain.cells[0] else f"n{id}"
                via = back or (stop if tail != stop else "")
                ends = (self._at(id, out) if tail != stop else NOWHERE), into
                self.use([id], cell.id, tail, f"n{cell.id}", leftward, via, ends, **line)
            elif back:
                self.edge(back, f"n{cell.id}", headport=into.value, **line)
            id = cell.after[name]
            self.use([cell.id], id, f"n{cell.id}", f"n{id}", leftward, "", (outof, self._at(id, entry)), **line)

    def _at(self, id: int, side: str) -> Port:
        """Return where lines meet a mark on one side of it: at the rows of its card, if it has them."""
        label = str(self.nodes[f"n{id}"]["label"])
        return Port(*(f"{port}:{side}" if f'PORT="{port}"' in label else "" for port in "vg"))

    def _add_loop(self, track: Track, cell: Cell, name: str) -> str:
        """Add the line on which a state goes back to the only cell, and return the point where it arrives."""
        place, id, line = track.chain.states.index(name), cell.after[name], _line(name)
        node, level, colour = f"l{self.tracks.index(track)}s{place}", self._level(track, name), line["color"]
        below = name == track.chain.states[-1]
        height = track.height(LOOP if below else UPPER_LOOP - 10 * place)
        away, back = track.column(cell, JUNCTION), track.column(cell, -1)
        start, end = f"j{id}", self.point(f"{node}end", back, level, colour, TURN)
        if start not in self.nodes:
            self.point(start, away, level, colour, TURN)
        first, last = (
            self.point(f"{node}{name}", column, height, colour, TURN) for name, column in (("a", away), ("b", back))
        )
        words = self.put(
            f"{node}times", track.column(cell), height, shape="box", style="filled", fillcolor=SURFACES["page"][0],
            penwidth=0, margin="0.04,0.02", width=0.1, height=0.1, fontsize=12, fontcolor=colour,
            label=f"{track.chain.steps} steps",
        )  # fmt: skip
        for point in (first, words, last):
            self.nodes[point]["group"] = node
        for point in (start, end):
            self.nodes[point]["group"] = f"{name}{track.lane}"
        line |= {"class_": f"{carries([id])} to-n{cell.id} loop"}
        corner: dict[str, Any] = {"headclip": "false", "tailclip": "false"}
        leftward = track.chain.reverse
        if track.chain.states[-1] != name or not self._leaves(cell):
            port = self._at(id, "w" if leftward else "e").value
            self.edge(f"n{id}", start, turned=leftward, tailport=port, headclip="false", **line)
        upright = line | corner | {"weight": 0}
        self.edge(start, first, turned=not below, **upright)
        self.edge(first, words, turned=not leftward, **line, tailclip="false")
        self.edge(words, last, turned=not leftward, **line, headclip="false")
        self.edge(last, end, turned=below, **upright)
        return end

    def _readers(self, track: Track, cell: Cell) -> dict[int, list[int]]:
        """Return who reads the lowest state of a cell, or the states within it if it is several steps, and which."""
        found: dict[int, list[int]] = {}
        after = track.after(cell)
        for source in (cell.after[track.chain.states[-1]], *([cell.id] if cell.times > 1 else [])):
            for user in dict.fromkeys(user.id for user in self.graph.uses[source]):
                is_state = user in cell.after.values() or (after is not None and user == after.id)
                stands = user not in self.boxes or self._is_over(track, user)
                if not is_state and stands:
                    found.setdefault(user, []).append(source)
        return found

    def _railed(self, track: Track) -> set[int]:
        """Return who reads several of the lowest states, or one that is not the last, and is not above a cell."""
        cells: dict[int, list[Cell]] = {}
        for cell in track.chain.cells:
            for user in self.readers[cell.id]:
                cells.setdefault(user, []).append(cell)
        return {
            user for user, read in cells.items() if not self._is_over(track, user) and read != [track.chain.cells[-1]]
        }

    def _is_over(self, track: Track, user: int) -> bool:
        """Tell whether a mark stands over the cell of a chain whose state it reads."""
        over = self.boxes[user][0] if user in self.boxes else None
        return user in self.places.above or (
            over is not None and over.block == track.block and over.shift > track.shift
        )

    def _leaves(self, cell: Cell) -> bool:
        """Tell whether a line rises from the lowest state after a cell."""
        track = self.boxes[cell.id][0]
        return any(
            self.is_loop(track) or self._is_over(track, user) or user in self.railed for user in self.readers[cell.id]
        )

    def _gather(self, track: Track) -> None:
        """Add what leaves the lowest state of each cell for other marks.

        To what stands over it a line rises; to what reads several of them, a rail leads over all cells.
        """
        name = track.chain.states[-1]
        line: dict[str, Any] = {"color": COLOURS[_kind(name)][1], "penwidth": 1.6}
        rail = _Rail("", "", [])
        for cell in track.cells:
            id, readers = cell.after[name], self.readers[cell.id]
            over = [user for user in readers if self._is_over(track, user)]
            over.sort(key=lambda user: self.stands[f"n{user}"][1])
            railed = [user for user in readers if user in self.railed]
            direct = [user for user in readers if user not in over and user not in railed]
            top = f"n{id}"
            if self._leaves(cell):
                self._branch(track, cell, [*over, *railed])
                top = self._risen(track, cell, [*over, *railed], line)
            if railed:
                rail = self._onto_rail(track, cell, (railed, over), top, rail, line)
                top = rail.value
            for user in over:
                self.use(readers[user], user, top, f"n{user}", turned=True, **line)
            for user in direct:
                tail = f"j{id}" if f"j{id}" in self.nodes else f"n{id}"
                ends = (self._at(id, "e") if tail == f"n{id}" else NOWHERE), self._at(user, "w")
                self.use(readers[user], user, tail, f"n{user}", ports=ends, **line, weight=30)
        for user in (user for user in self.railed if any(user in self.readers[cell.id] for cell in track.cells)):
            sources = [i for cell in track.cells for i in self.readers[cell.id].get(user, ())]
            ends = NOWHERE, self._at(user, "w") if rail.back != rail.value else NOWHERE
            self.use(sources, user, rail.value, f"n{user}", ports=ends, back=(rail.back, f"n{user}"), weight=30, **line)

    def _onto_rail(
        self, track: Track, cell: Cell, users: tuple[list[int], list[int]], top: str, rail: _Rail, line: dict[str, Any]
    ) -> _Rail:
        """Add the line to a rail over the cells and a piece of that, for users beside and above; return where it ends.

        Where values go and gradients come back, the rail is two, each with points of its own, and straight.
        """
        id, column = cell.after[track.chain.states[-1]], track.column(cell, JUNCTION)
        own = list(dict.fromkeys(i for user in users[0] for i in self.readers[cell.id][user]))
        stop = back = self.point(f"r{id}", column, track.height(GATHERED), line["color"])
        if self.view.direction == "both":
            back = self.point(f"b{id}", column, track.height(GATHERED) - 5, line["color"], CROSSING)
            self.part(own, users[1], back, stop, turned=True, tailclip="false", **line)
            for point in (stop, back):
                self.nodes[point]["group"] = f"{point[0]}{track.lane}"
        clip: dict[str, Any] = {} if back == stop else {"headclip": "false"}
        self.part(own, users[0], top, back, turned=True, **clip, **line)
        if rail.value:
            self.part(rail.carried, users[0], rail.value, stop, back=(rail.back, back), **line, weight=30)
        return _Rail(stop, back, [*rail.carried, *own])

    def _branch(self, track: Track, cell: Cell, users: Sequence[int]) -> None:
        """Add the point where lines leave a state's track; after the last cell the tracks lead just there."""
        name = track.chain.states[-1]
        id, leftward = cell.after[name], track.chain.reverse
        point = self.point(f"j{id}", track.column(cell, JUNCTION), self._level(track, name), _line(name)["color"])
        self.nodes[point]["group"] = f"{name}{track.lane}"
        if track.after(cell) is not None:
            return
        ends, back = (self._at(id, "w" if leftward else "e"), NOWHERE), point
        users = users or list(self.readers[cell.id])
        if ends[0].gradient and self.view.direction == "both":
            back = self.point(f"k{id}", track.column(cell, JUNCTION), self._level(track, name) - 5, GRADIENT, CROSSING)
            self.come_back([id], users, (back, point), turned=True, headclip="false", tailclip="false")
        self.part([id], users, f"n{id}", point, leftward, ends, (f"n{id}", back), **_line(name))

    def _risen(self, track: Track, cell: Cell, users: Sequence[int], line: dict[str, Any]) -> str:
        """Add the line from a state's track across the tracks and rails above it, and return where it ends."""
        id, column = cell.after[track.chain.states[-1]], track.column(cell, JUNCTION)
        for name in track.chain.states[:-1]:
            if track.after(cell) is not None:
                point = self.point(
                    f"x{cell.after[name]}", column, self._level(track, name), _line(name)["color"], CROSSING
                )
                self.nodes[point]["group"] = f"{name}{track.lane}"
        crossed = [f"x{cell.after[name]}" for name in reversed(track.chain.states[:-1])] + [f"x{cell.id}"]
        stops = [f"j{id}", *(point for point in crossed if point in self.nodes)] if users else [f"j{id}"]
        own = list(dict.fromkeys(i for user in users for i in self.readers[cell.id][user]))
        for lower, upper in itertools.pairwise(stops):
            self.part(own, users, lower, upper, turned=True, headclip="false", tailclip="false", **line)
        return stops[-1]

    def _add_sequences(self, track: Track) -> None:
        """Add a rail below the cells for each mark of which several of them read a part, or that they read itself."""
        level = track.height(SEQUENCE)
        for mark in self.graph:
            owners = {user.id: self._reads(track, mark, user.id) for user in self.graph.uses[mark.id]}
            cells = [cell for cell in track.cells if any(cell.id in of_user for of_user in owners.values())]
            if len(cells) < 2 and not (cells and mark.id in self.states and self.is_loop(track)):
                continue
            level -= 10
            before = f"j{mark.id}" if f"j{mark.id}" in self.nodes else f"n{mark.id}"
            for cell in cells:
                stop = self.point(f"q{mark.id}to{cell.id}", track.column(cell), level, marks.LINE)
                read = {user: self._with_steps(mark, user) for user in owners if cell.id in owners[user]}
                self.part([mark.id], list(read), before, stop, weight=20)
                for user, sources in read.items():
                    self.use(sources, user, stop, self._node(user, cell.id), turned=True)
                before = stop

    def _with_steps(self, mark: Mark, user: int) -> list[int]:
        """Return a mark and, if it is the state after several steps, the cell that they are, if that is read too."""
        steps = [i for i in mark.sources if i in self.boxes and mark.id in self.states and self.boxes[i][1].times > 1]
        return [mark.id, *(i for i in steps if any(reader.id == user for reader in self.graph.uses[i]))]

    def _reads(self, track: Track, mark: Mark, user: int) -> tuple[int, ...]:
        """Return at which cells of a chain a mark is read that stands elsewhere: by them, or by what is below them."""
        if mark.is_number or mark.id in self.places.below:
            return ()
        if user in self.boxes:
            if (mark.id, user) in self.drawn:
                return ()
            is_read = self.boxes[user][0] is track and mark.id not in track.first.values()
            return (user,) if is_read and not mark.stored and mark.id not in self.boxes else ()
        return tuple(owner for owner in self.places.below.get(user, ()) if self.boxes[owner][0] is track)

    def _node(self, id: int, owner: int) -> str:
        """Return the node of a mark that stands at a cell."""
        return f"n{id}at{owner}" if f"n{id}at{owner}" in self.nodes else f"n{id}"

    def _add_use(self, mark: Mark, user: int) -> None:
        """Add the line of any other use."""
        owners = self.places.below.get(user, ()) or ((user,) if user in self.boxes else ())
        tail, head = f"n{mark.id}", f"n{user}"
        if mark.id in self.places.below:
            for owner in owners:
                tail, head = self._node(mark.id, owner), self._node(user, owner)
                self.use([mark.id], user, tail, head, turned=True)
            return
        if f"j{mark.id}" in self.nodes:
            tail = f"j{mark.id}"
        here, there = self.stands.get(tail), self.stands.get(head)
        ends = (NOWHERE if tail != f"n{mark.id}" else self._at(mark.id, "e")), self._at(user, "w")
        if here is not None and there is not None and here[0] == there[0]:
            self.use([mark.id], user, tail, head, turned=here[1] < there[1])
        else:
            weight = 10 if user in self.places.above else 4
            self.use([mark.id], user, tail, head, ports=ends, weight=weight)
