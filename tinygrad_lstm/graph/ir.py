"""The tape as plain data: a `Mark` for each thing on it, named by its rank, so that a picture is the same on every run.

Everything else in this package works on a `Graph` and never sees a node, a tensor or the array module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeAlias

from ..backend import ndarray, to_host
from ..tape import Constant, Entry, Leaf, Node, Tape, scope_path

__all__ = ["Drawable", "Edge", "Graph", "Mark", "read"]


class Recorded(Protocol):
    """What a tensor is to a picture: an array and its place on the tape."""

    @property
    def node(self) -> Node | Leaf | None: ...
    @property
    def data(self) -> Any: ...


Drawable: TypeAlias = "Tape | Recorded"
"""A tape, or a tensor with a history."""


@dataclass(frozen=True)
class Mark:
    """One thing on the tape, or several folded into one.

    Attributes
    ----------
    id
        The rank on the tape; arguments come before what is computed from them.
    op
        The name of the primitive. Of what was not computed here: ``"leaf"``, ``"constant"``, ``"number"``, or
        ``"earlier"`` for a result from before the tape.
    stored
        Whether it was not computed here.
    label
        The name that `Tensor.named` gave.
    scope
        The names of the scopes around it, outermost first.
    inputs
        The ids of the arguments, in their order; None for one that is unknown or left out.
    params
        The static parameters of the primitive, arrays among them on the host.
    value
        The value on the host, if the tape kept it.
    parts
        The ids of what was folded into this mark, its own among them; empty if nothing was.
    line
        The line of the user's program that made it, if the tape kept it.
    """

    id: int
    op: str
    stored: bool = False
    label: str | None = None
    scope: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = ""
    inputs: tuple[int | None, ...] = ()
    params: tuple[Any, ...] = field(default=(), compare=False)
    value: Any = field(default=None, compare=False, repr=False)
    parts: tuple[int, ...] = ()
    line: str | None = field(default=None, compare=False)

    @property
    def sources(self) -> tuple[int, ...]:
        """The ids of the arguments that are known; one used twice stands twice."""
        return tuple(i for i in self.inputs if i is not None)

    @property
    def is_parameter(self) -> bool:
        """Whether this is a leaf, at which a gradient arrives."""
        return self.stored and self.op == "leaf"

    @property
    def is_number(self) -> bool:
        """Whether this is a Python number."""
        return self.stored and self.op == "number"


class Edge(NamedTuple):
    """The use of one mark as an argument of another."""

    source: int
    target: int


@dataclass(frozen=True)
class Graph:
    """Marks in an order in which they can be computed."""

    marks: tuple[Mark, ...]

    def __iter__(self) -> Iterator[Mark]:
        return iter(self.marks)

    def __len__(self) -> int:
        return len(self.marks)

    def __getitem__(self, id: int) -> Mark:
        return self._by_id[id]

    @cached_property
    def _by_id(self) -> dict[int, Mark]:
        return {mark.id: mark for mark in self.marks}

    @property
    def edges(self) -> Iterator[Edge]:
        """Every use of a mark by another, in the order of the users and their arguments; ``x * x`` has two."""
        return (Edge(source, mark.id) for mark in self.marks for source in mark.sources)

    @cached_property
    def folded(self) -> bool:
        """Whether marks stand for several."""
        return any(mark.parts for mark in self.marks)

    @cached_property
    def uses(self) -> dict[int, tuple[Mark, ...]]:
        """Who uses a mark: once for each argument."""
        uses: dict[int, list[Mark]] = {mark.id: [] for mark in self.marks}
        for edge in self.edges:
            uses[edge.source].append(self[edge.target])
        return {id: tuple(users) for id, users in uses.items()}


def read(thing: Drawable) -> Graph:
    """Return what a tape recorded, or what a tensor was computed from, as a graph.

    A tensor's history holds only what needs a gradient: numbers and constants are not known to it.

    Raises
    ------
    ValueError
        If nothing was recorded.
    TypeError
        If this is neither a tape nor a tensor.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, 2.0], requires_grad=True).named("x")
    >>> with tg.Tape() as tape:
    ...     y = (x * 0.5).sum().named("y")
    >>> [(mark.id, mark.op, mark.label, mark.inputs) for mark in read(tape)]
    [(0, 'leaf', 'x', ()), (1, 'number', '0.5', ()), (2, 'multiply', None, (0, 1)), (3, 'sum', 'y', (2,))]
    """
    if isinstance(thing, Tape):
        entries = thing.entries
    elif hasattr(thing, "node"):
        entries = _history(thing)
    else:
        raise TypeError(f"draw: got {type(thing).__name__}, wanted a Tape or a Tensor.")
    if not entries:
        raise ValueError(f"draw: got a {type(thing).__name__} on which nothing was recorded, wanted something to draw.")
    return Graph(tuple(_marks(entries)))


def _history(tensor: Recorded) -> list[Entry]:
    """Return the nodes that a tensor was computed from, oldest first, as entries of a tape."""
    root = tensor.node
    seen: dict[int, Any] = {}
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Node) and node.seq not in seen:
            seen[node.seq] = node
            waiting.extend(node.parents)
    return [Entry(node, node.parents, tensor.data if node is root else None) for _, node in sorted(seen.items())]


def _marks(entries: Iterable[Entry]) -> Iterator[Mark]:
    """Give the marks of the entries, each argument just before its first use."""
    ids: dict[int, int] = {}  # by identity: a leaf's place on the tape changes when its value does
    count = 0
    for node, inputs, value, line in entries:
        places: list[int | None] = []
        for argument in inputs:
            place = ids.get(id(argument))
            if place is None and argument is not None:
                place, count = count, count + 1
                if isinstance(argument, (Node, Leaf, Constant)):
                    ids[id(argument)] = place
                yield _argument(place, argument)
            places.append(place)
        ids[id(node)] = count
        yield _computed(count, node, tuple(places), value, line)
        count += 1


def _argument(rank: int, argument: Any) -> Mark:
    """Return the mark of what was not computed on the tape: a leaf, a constant, a number, or an older node."""
    if not isinstance(argument, (Node, Leaf, Constant)):
        return Mark(rank, "number", True, str(argument), dtype=type(argument).__name__, value=argument)
    earlier = isinstance(argument, Node)
    op = "earlier" if earlier else argument.name
    label = argument.label or (argument.name if earlier else None)
    value = _on_host(argument.value) if isinstance(argument, Constant) else None
    return Mark(rank, op, True, label, shape=argument.shape, dtype=str(argument.dtype), value=value)


def _computed(rank: int, node: Node, inputs: tuple[int | None, ...], value: Any, line: str | None) -> Mark:
    """Return the mark of a node."""
    params = tuple(map(_on_host, node.params))
    path = scope_path(node.scope)
    shape, dtype = node.shape, str(node.dtype)
    return Mark(rank, node.name, False, node.label, path, shape, dtype, inputs, params, _on_host(value), line=line)


def _on_host(value: Any) -> Any:
    """Return a parameter or a value with its arrays on the host."""
    if isinstance(value, tuple):
        return tuple(map(_on_host, value))
    return to_host(value) if isinstance(value, ndarray) else value
