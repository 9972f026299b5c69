"""Some marks lit, and the rest pale: those of some names, and the lines that lead from one of them to another.

A picture is written first and made pale afterwards, whichever layout wrote it. What is pale keeps a fifth of its
colours, and stands where it stood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..structure.ir import Graph, Mark
from ..structure.recurrence import step_of
from .dot import Html, Statement, Tooltip, Writer
from .marks import GATES, LINE, POINTWISE, SECONDARY, TEXT

__all__ = ["highlight"]

OPACITY = "33"
"""Of what is pale, from 00 to FF."""

KNOWN = 12
"""How many names an error tells."""

OF_MARK = re.compile(r"[ni](\d+)(op)?")
"""How the nodes of a mark are called; where a state is computed, the op stands apart from it."""


def highlight(dot: Writer, graph: Graph, names: Sequence[str]) -> None:
    """Make pale what is not of these names in a picture of a graph.

    Raises
    ------
    ValueError
        If a name is that of nothing in the picture.
    """
    lit = _with_joints(graph, _named(graph, names, _titles(dot)))
    ways = _Ways(dot, graph, lit)
    for statement in dot.statements:
        if statement.attributes.get("style") != "invis" and not ways.is_lit(statement):
            _make_pale(statement)


# Which marks are lit


def _titles(dot: Writer) -> dict[int, set[str]]:
    """Return what marks are called in a picture."""
    titles: dict[int, set[str]] = {}
    for statement in dot.statements:
        id, tip = _mark_of(statement.nodes[0]), statement.attributes.get("tooltip")
        if id is not None and len(statement.nodes) == 1 and isinstance(tip, Tooltip):
            titles.setdefault(id, set()).add(tip.split("\n")[0])
    return titles


def _named(graph: Graph, names: Sequence[str], titles: Mapping[int, set[str]]) -> set[int]:
    """Return the marks of some names: those called so, or else of an op called so, or else those that hold such."""
    found: set[int] = set()
    for name in names:
        called = (
            {mark.id for mark in graph if _is_called(mark, name, titles.get(mark.id, ()))}
            or {mark.id for mark in graph if mark.op == name and not mark.stored}
            or {mark.id for mark in graph if any(_is_called(part, name, [part.op]) for part in _parts(graph, mark))}
        )
        if not called:
            known = sorted({own for mark in graph for own in _own_names(mark, titles.get(mark.id, ()))})
            more = " and others" if len(known) > KNOWN else ""
            raise ValueError(
                f"draw: got highlight={name!r}, wanted the name of a mark, a scope or an op in this picture, such as "
                f"{', '.join(known[:KNOWN])}{more}."
            )
        found |= called
    return found


def _parts(graph: Graph, mark: Mark) -> Iterable[Mark]:
    """Return what was folded into a mark."""
    return [] if graph.record is None else [graph.record.marks[id] for id in mark.parts]


def _own_names(mark: Mark, titles: Iterable[str]) -> Iterator[str]:
    """Give what a mark itself is called: in the picture, by its label, and as a gate."""
    yield from titles
    if mark.label is not None:
        yield mark.label
        if step_of(mark.scope) is not None and mark.label in GATES:
            yield GATES[mark.label]
    if mark.folded is not None:
        yield mark.folded


def _is_called(mark: Mark, name: str, titles: Iterable[str]) -> bool:
    """Tell whether a name is that of a mark, or of a scope around it, or ends their path."""
    own, end = {*_own_names(mark, titles)}, tuple(name.split("/"))
    paths = [mark.scope[:depth] for depth in range(1, len(mark.scope) + 1)] + [(*mark.scope, called) for called in own]
    return name in own or any(path[-len(end) :] == end for path in paths)


def _with_joints(graph: Graph, lit: set[int]) -> set[int]:
    """Return marks with the ops without a name that join several of them, or stand between two of them."""
    lit = set(lit)
    for mark in graph:
        if mark.label is None and mark.op in POINTWISE and not mark.parts:
            sources = _sources(graph, mark)
            joins = len(sources) > 1 and sources <= lit
            stands_between = not sources.isdisjoint(lit) and any(user.id in lit for user in graph.uses[mark.id])
            if joins or stands_between:
                lit.add(mark.id)
    return lit


def _sources(graph: Graph, mark: Mark) -> set[int]:
    """Return what a mark is computed from, without numbers."""
    return {id for id in mark.sources if not graph[id].is_number}


# Which nodes and lines of the picture belong to them


class _Way(NamedTuple):
    """A line from node to node, as values go."""

    start: str
    end: str


class _Ways:
    """How lines lead between lit marks, by way of the points at which they branch and turn."""

    def __init__(self, dot: Writer, graph: Graph, lit: set[int]) -> None:
        self.graph = graph
        self.lit = lit
        ways = [_way(s) for s in dot.statements if len(s.nodes) == 2 and s.attributes.get("style") != "invis"]
        nodes = {node for way in ways for node in way}
        self.starts = _reached({node for node in nodes if self._gives(node)}, ways)
        self.ends = _reached({node for node in nodes if self._takes(node)}, [_Way(b, a) for a, b in ways])

    def _gives(self, node: str) -> bool:
        """Tell whether what leaves a node is a value of a lit mark."""
        return _mark_of(node) in self.lit

    def _takes(self, node: str) -> bool:
        """Tell whether a node is that of a lit mark; the op before a state is if anything that it reads is lit too."""
        found = OF_MARK.match(node)
        if found is None or int(found[1]) not in self.lit:
            return False
        return found[2] is None or not self.lit.isdisjoint(self.graph[int(found[1])].sources)

    def is_lit(self, statement: Statement) -> bool:
        """Tell whether a node or a line is lit."""
        if len(statement.nodes) == 2:
            start, end = _way(statement)
            return start in self.starts and end in self.ends
        (node,) = statement.nodes
        return self._takes(node) if _mark_of(node) is not None else node in self.starts and node in self.ends


def _mark_of(node: str) -> int | None:
    """Return the mark that a node shows, or None if it is only a point of lines, or their label."""
    found = OF_MARK.match(node)
    return None if found is None else int(found[1])


def _way(edge: Statement) -> _Way:
    """Return an edge as values go: one that is drawn backwards leads the other way, but for those of gradients."""
    tail, head = edge.nodes
    turned = (edge.attributes.get("dir") == "back") != ("bwd" in edge.attributes.get("class_", "").split())
    return _Way(head, tail) if turned else _Way(tail, head)


def _reached(nodes: set[str], ways: Sequence[_Way]) -> set[str]:
    """Return nodes, and what can be reached from them without passing another mark."""
    following: dict[str, list[str]] = {}
    for start, end in ways:
        following.setdefault(start, []).append(end)
    reached, waiting = set(nodes), [*nodes]
    while waiting:
        for node in following.get(waiting.pop(), ()):
            if node not in reached and _mark_of(node) is None:
                reached.add(node)
                waiting.append(node)
    return reached


# Pale


def _make_pale(statement: Statement) -> None:
    """Take most of the colour out of a node or a line."""
    attributes = statement.attributes
    attributes.setdefault("color", LINE if len(statement.nodes) == 2 else SECONDARY)
    attributes.setdefault("fontcolor", SECONDARY if len(statement.nodes) == 2 else TEXT)
    attributes["class_"] = f"{attributes.get('class_', '')} pale".lstrip()
    attributes.update({name: _pale(name, value) for name, value in attributes.items()})


def _pale(name: str, value: Any) -> Any:
    """Return an attribute made pale."""
    if isinstance(value, Html):
        return Html(re.sub(r'(?<=COLOR=")#[0-9A-F]{6}(?=")', rf"\g<0>{OPACITY}", value))
    return (
        f"{value}{OPACITY}" if name in ("color", "fillcolor", "fontcolor") and len(value) == len("#RRGGBB") else value
    )
