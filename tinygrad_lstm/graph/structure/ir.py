"""The tape as plain data: a `Mark` for each thing on it, named by its rank, so that a picture is the same on every run.

Everything else in this package works on a `Graph` and never sees a node, a tensor or the array module.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, NamedTuple, Protocol, TypeAlias

from ...backend import ndarray, to_host
from ...tape import Constant, Entry, Leaf, Node, Pull, Scope, Tape, no_grad

__all__ = ["SWEPT", "Drawable", "Edge", "Graph", "Mark", "Record", "norm", "read"]


SWEPT = "backward"
"""The scope of what a sweep has computed that was itself recorded, so that it can be differentiated."""


class Recorded(Protocol):
    """What a tensor is to a picture: an array and its place on the tape."""

    @property
    def node(self) -> Node | Leaf | None: ...
    @property
    def data(self) -> Any: ...


Drawable: TypeAlias = "Tape | Recorded"
"""A tape, or a tensor with a history."""

Path: TypeAlias = "tuple[tuple[str, ...], tuple[int, ...]]"
"""The names of scopes, outermost first, and their numbers."""


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
    twins
        The ids of other marks that are the same, a row of a sequence that was taken more than once.
    line
        The line of the user's program that made it, if the tape kept it.
    cut
        Of a constant: the id of the mark whose value it is. Someone has detached it, and no gradient goes on there.
    calls
        Which of the scopes on the tape each of ``scope`` is, counted as they were entered: a module that is called
        twice has one name and two numbers.
    folded
        Of a scope that is shown as one mark: its name.
    times
        Of how many things alike this is all; 0 if it is not said.
    note
        What is told about all that is folded into this mark.
    equation
        What it computes, and what the letters in that stand for, each on a line, where someone has found it out.
    record
        All that was read from the tape, whatever has been folded or left out since.
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
    twins: tuple[int, ...] = ()
    line: str | None = field(default=None, compare=False)
    cut: int | None = None
    calls: tuple[int, ...] = field(default=(), compare=False)
    folded: str | None = None
    times: int = 0
    note: str = ""
    equation: str | None = field(default=None, compare=False)
    record: Record | None = field(default=None, compare=False, repr=False)

    @property
    def grad(self) -> Any:
        """The gradient on the host, or None: what the last sweep on the tape brought, all uses together."""
        if self.record is None:
            return None
        grads = [grad for id in (self.id, *self.twins) if (grad := self.record.gradient(id)) is not None]
        return sum(grads[1:], grads[0]) if grads else None

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

    @property
    def is_swept(self) -> bool:
        """Whether a recorded sweep has made this."""
        return self.scope[:1] == (SWEPT,)


class Edge(NamedTuple):
    """The use of one mark as an argument of another."""

    source: int
    target: int


class Record:
    """The marks as they were read, and what the last sweep brought to them: made dense and moved when asked for.

    Attributes
    ----------
    marks
        The marks by their ids, nothing folded.
    root
        The mark that was differentiated, if a sweep was seen.
    """

    def __init__(self, marks: Iterable[Mark]) -> None:
        self.marks = {mark.id: mark for mark in marks}
        self.root: int | None = None
        self._cotangents: dict[int, Any] = {}
        self._contributions: dict[int, dict[int, list[Any]]] = {}  # by the user, then by what it used
        self._dense: dict[int, Any] = {}

    def note(self, pull: Pull, places: Mapping[int, int]) -> None:
        """Take note of what came to a node, and of what it made of that for its arguments."""
        target = places[id(pull.node)]
        if self.root is None:
            self.root = target
        self._cotangents[target] = pull.cotangent
        for parent, contribution in zip(pull.node.parents, pull.contributions, strict=False):
            source = places.get(id(parent))
            if source is not None and contribution is not None:
                self._contributions.setdefault(target, {}).setdefault(source, []).append(contribution)

    def settle(self, leaves: Mapping[int, Any]) -> None:
        """Add up what came to the marks that make nothing of it; other ``leaves`` keep what they have."""
        arrived: dict[int, list[Any]] = {}
        for by_source in self._contributions.values():
            for source, contributions in by_source.items():
                arrived.setdefault(source, []).extend(contributions)
        for source, contributions in arrived.items():
            if source not in self._cotangents:
                self._cotangents[source] = _Several(contributions)
        if self.root is None:
            self._cotangents.update(leaves)

    def gradient(self, id: int) -> Any:
        """Return the gradient of a mark on the host, or None."""
        if id not in self._dense:
            cotangent = self._cotangents.get(id)
            several = cotangent if isinstance(cotangent, _Several) else _Several([cotangent])
            self._dense[id] = several.total()
        return self._dense[id]

    def contribution(self, source: int, target: int) -> Any:
        """Return what one mark on the tape sent to another for all its uses of it, on the host, or None."""
        contributions = self._contributions.get(target, {}).get(source)
        return None if contributions is None else _Several(contributions).total()

    def each(self, source: int, target: int) -> list[Any]:
        """Return what one mark on the tape sent to another for each of its uses of it, on the host."""
        contributions = self._contributions.get(target, {}).get(source, [])
        return [_Several([contribution]).total() for contribution in contributions]

    def sent(self, target: int) -> Iterable[int]:
        """Return the marks on the tape to which one has sent something."""
        return self._contributions.get(target, ())


class _Several(list[Any]):
    """Contributions that are not yet added up."""

    def total(self) -> Any:
        """Return the dense sum on the host, or None if there is none that a picture could show."""
        total: Any = None
        kinds: dict[type, list[Any]] = {}
        for contribution in self:
            kinds.setdefault(type(contribution), []).append(contribution)
        for kind, alike in kinds.items():
            with no_grad():  # of a sweep that was recorded these are tensors, and a picture is no part of it
                parts = [kind.settle(alike)] if hasattr(kind, "settle") else alike
            for part in parts:
                array = _on_host(part.data if hasattr(part, "node") else part)
                if not hasattr(array, "shape"):
                    return None  # several results at once
                total = array if total is None else total + array
        return total


def norm(array: Any) -> float:
    """Return the Euclidean norm of an array on the host; of what is no number only if there is nothing else."""
    largest = float(abs(array).max()) if array.size else 0.0
    if not largest or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(float(((array.astype("float64") / largest) ** 2).sum()))


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
    def record(self) -> Record | None:
        """What was read from the tape, if this graph comes from one."""
        return next((mark.record for mark in self.marks if mark.record is not None), None)

    def contributions(self, source: int, target: int) -> list[Any]:
        """Return what a mark sent back to an argument of it: an array for each tensor between them, on the host.

        Without anything folded that is one array, and none if no sweep came that way.
        """
        if self.record is None:
            return []
        arrays = [self.record.contribution(used, user) for used, user in self._between(source, target)]
        return [array for array in arrays if array is not None]

    def flow(self, source: int, target: int) -> float:
        """Return the norm of what a mark sent back to an argument of it; 0 if nothing.

        Several marks may have a part in common, as the gates that are computed by one product. What that sends back is
        divided among them as what they have sent into it.
        """
        norms = []
        for used, user in self._between(source, target):
            array = None if self.record is None else self.record.contribution(used, user)
            norms.append(0.0 if array is None else norm(array) * self._share(user, target))
        return math.hypot(*norms)

    def _between(self, source: int, target: int) -> Iterator[Edge]:
        """Give the uses on the tape that an edge stands for."""
        own, inner = self._members(source), self._members(target)
        for user in inner:
            for used in self.record.sent(user) if self.record is not None else ():
                if used not in inner and (used in own or source in self._behind(used)):
                    yield Edge(used, user)

    def _members(self, id: int) -> dict[int, None]:
        """Return the marks on the tape that a mark stands for, in their order."""
        if id not in self._known:
            self._known[id] = dict.fromkeys(sorted({id, *self[id].parts, *self[id].twins}))
        return self._known[id]

    @cached_property
    def _known(self) -> dict[int, dict[int, None]]:
        return {}

    def _share(self, part: int, owner: int) -> float:
        """Return how much of what came to a part has come from one of the marks into which it was folded."""
        owners = self._owners.get(part, (owner,))
        if len(owners) == 1 or self.record is None:
            return 1.0
        sent = dict.fromkeys(owners, 0.0)
        for id in owners:
            private = [user for user in (id, *self[id].parts) if self._owners.get(user, (id,)) == (id,)]
            for user in set(private):
                into = [used for used in self.record.sent(user) if len(self._owners.get(used, ())) > 1]
                arrays = [self.record.contribution(used, user) for used in into if self.record.marks[used].sources]
                sent[id] += math.hypot(*(norm(array) for array in arrays if array is not None))
        total = sum(sent.values())
        return sent[owner] / total if total else 1 / len(owners)

    @cached_property
    def _owners(self) -> dict[int, tuple[int, ...]]:
        """The marks into which each mark on the tape was folded."""
        owners: dict[int, tuple[int, ...]] = {}
        for mark in self.marks:
            for part in mark.parts:
                owners[part] = (*owners.get(part, ()), mark.id)
        return owners

    @cached_property
    def _drawn(self) -> set[int]:
        return {id for mark in self.marks for id in (mark.id, *mark.parts, *mark.twins)}

    def _behind(self, id: int) -> set[int]:
        """Return the marks whose value one that is not in this graph has passed on."""
        found: set[int] = set()
        seen: set[int] = set()
        waiting = [id] if id not in self._drawn else []
        while waiting:
            id = waiting.pop()
            if id in self._drawn:
                found.add(id)
            elif id not in seen:
                seen.add(id)
                waiting.extend(self.record.marks[id].sources if self.record is not None else ())
        return found

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
        reader = _Reader(thing.given)
        marks = list(reader.marks(thing.entries))
        pulls = thing.pulls
    elif hasattr(thing, "node"):
        history = _history(thing)
        reader = _Reader(_saved(history))
        marks = list(reader.marks(history))
        pulls = []
    else:
        raise TypeError(f"draw: got {type(thing).__name__}, wanted a Tape or a Tensor.")
    if not marks:
        raise ValueError(f"draw: got a {type(thing).__name__} on which nothing was recorded, wanted something to draw.")
    record = reader.record(marks, pulls)
    return Graph(tuple(replace(mark, record=record) for mark in marks))


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


def _saved(history: Iterable[Entry]) -> dict[Node | Leaf, Any]:
    """Return the values that the derivatives along a history have kept, by what has them."""
    values: dict[Node | Leaf, Any] = {}
    for node, parents, value, *_ in history:
        if value is not None:
            values[node] = value
        owners = (*parents, node)
        for owner, kept in zip(owners, node.saved or (), strict=False):
            if isinstance(kept, ndarray) and owner is not None and kept.shape == owner.shape:
                values.setdefault(owner, kept)
    return values


class _Reader:
    """Turns what is on a tape into marks; ``values`` are those of what the entries do not give one of."""

    def __init__(self, values: Mapping[Node | Leaf, Any]) -> None:
        self.values = values
        self.places: dict[int, int] = {}  # by identity: a leaf's place on the tape changes when its value does
        self.leaves: dict[int, Leaf] = {}
        self.made: dict[int, Mark] = {}  # by the identity of their values: what was computed
        self.scopes: dict[int, Path] = {id(None): ((), ())}  # by identity: each call of a module has a scope of its own

    def marks(self, entries: Iterable[Entry]) -> Iterator[Mark]:
        """Give the marks of the entries, each argument just before its first use."""
        count = 0
        for node, inputs, value, line, swept in entries:
            places: list[int | None] = []
            for argument in inputs:
                place = self.places.get(id(argument))
                if place is None and argument is not None:
                    place, count = count, count + 1
                    if isinstance(argument, (Node, Leaf, Constant)):
                        self.places[id(argument)] = place
                    yield self._argument(place, argument)
                places.append(place)
            self.places[id(node)] = count
            known = self.values.get(node) if value is None else value
            mark = self._computed(count, node, tuple(places), known, line)
            if swept:
                mark = replace(mark, scope=(SWEPT, *mark.scope), calls=(-1, *mark.calls))
            self.made.setdefault(id(value), mark)
            yield mark
            count += 1

    def _argument(self, rank: int, argument: Any) -> Mark:
        """Return the mark of what was not computed on the tape: a leaf, a constant, a number, or an older node."""
        match argument:
            case Constant():
                value, detached = argument.value, self.made.get(id(argument.value))
                label = argument.label or (None if detached is None else detached.label)
                cut = None if detached is None else detached.id
            case Leaf():
                label, value, cut = argument.label, self.values.get(argument), None
                self.leaves[rank] = argument
            case Node():
                label, value, cut = argument.label or argument.name, self.values.get(argument), None
            case _:
                return Mark(rank, "number", True, str(argument), dtype=type(argument).__name__, value=argument)
        op = "earlier" if isinstance(argument, Node) else argument.name
        shape, dtype = argument.shape, _name_of(argument.dtype)
        return Mark(rank, op, True, label, shape=shape, dtype=dtype, value=_on_host(value), cut=cut)

    def _computed(self, rank: int, node: Node, inputs: tuple[int | None, ...], value: Any, line: str | None) -> Mark:
        """Return the mark of a node."""
        params = tuple(map(_on_host, node.params))
        path, calls = self._path(node.scope)
        shape, dtype, value = node.shape, _name_of(node.dtype), _on_host(value)
        return Mark(
            rank, node.name, False, node.label, path, shape, dtype, inputs, params, value, line=line, calls=calls
        )

    def _path(self, scope: Scope) -> Path:
        """Return the names of a scope and of those around it, and which they are on this tape."""
        unknown: list[tuple[Scope, str]] = []
        while id(scope) not in self.scopes:
            assert scope is not None
            unknown.append(scope)
            scope, _ = scope
        names, calls = self.scopes[id(scope)]
        for linked in reversed(unknown):
            names, calls = (*names, linked[1]), (*calls, len(self.scopes))
            self.scopes[id(linked)] = names, calls
        return names, calls

    def record(self, marks: Iterable[Mark], pulls: Sequence[Pull]) -> Record:
        """Return the marks with what the last sweep brought; without any, what leaves have from one unseen."""
        record = Record(marks)
        for pull in _last(pull for pull in pulls if id(pull.node) in self.places):
            record.note(pull, self.places)
        record.settle({place: leaf.grad for place, leaf in self.leaves.items() if leaf.grad is not None})
        return record


def _last(pulls: Iterable[Pull]) -> list[Pull]:
    """Return the pulls of the last of several sweeps: each goes from new nodes to old ones."""
    last: list[Pull] = []
    for pull in pulls:
        if last and pull.node.seq >= last[-1].node.seq:
            last = []
        last.append(pull)
    return last


_name_of = cache(str)
"""The name of a dtype, which takes NumPy longer to find out than anything else here."""


def _on_host(value: Any) -> Any:
    """Return a parameter or a value with its arrays on the host."""
    if isinstance(value, tuple):
        return tuple(map(_on_host, value))
    return to_host(value) if isinstance(value, ndarray) else value
