"""The tape: what was computed, in order, and the sweep that differentiates it.

A `Node` is one application of a primitive, a `Leaf` is where gradients arrive. `sweep` walks nodes from the newest to
the oldest and sums cotangents on the way. Nothing here knows what a tensor or an array is: a cotangent is anything that
can be added, or a `Deferred` that becomes such a thing later.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

__all__ = ["Constant", "Deferred", "Entry", "Leaf", "Node", "Tape", "no_grad", "scope", "scope_path", "state", "sweep"]

Scope: TypeAlias = "tuple[Scope, str] | None"
"""A path of names as a linked tuple, innermost first: ``((None, "lstm"), "t=3")``."""

F = TypeVar("F", bound=Callable[..., Any])

tick: Callable[[], int] = itertools.count(1).__next__
"""The clock: one counter for all threads, so that a node's place on the tape is unique and after its parents'."""


class _State(threading.local):
    """What belongs to one thread: whether it records, in which scope, and onto which tape."""

    recording: bool = True
    scope: Scope = None
    tape: Tape | None = None


state = _State()


class Leaf:
    """A tensor that gradients are asked for: they add up in ``grad``."""

    __slots__ = ("__weakref__", "dtype", "grad", "label", "seq", "shape")

    parents: tuple[()] = ()
    scope: Scope = None
    name = "leaf"

    def __init__(self, shape: tuple[int, ...], dtype: Any, label: str | None = None) -> None:
        self.seq = tick()
        self.shape = shape
        self.dtype = dtype
        self.label = label
        self.grad: Any = None

    def accumulate(self, cotangent: Any) -> None:
        """Add a cotangent to ``grad``; two threads may do so at once."""
        with _leaf_lock:
            self.grad = cotangent if self.grad is None else self.grad + cotangent

    def restamp(self) -> None:
        """Move to the end of the tape: the value has changed, and graphs made from the old one are void."""
        self.seq = tick()


_leaf_lock = threading.Lock()


class Node:
    """One application of a primitive.

    ``parents`` stands in line with the arguments, None for an argument that needs no gradient. ``saved`` is what the
    derivative reads: arguments, output, or None in the place of what it does not need; None altogether once swept.
    """

    __slots__ = ("__weakref__", "dtype", "label", "params", "parents", "primitive", "saved", "scope", "seq", "shape")

    def __init__(
        self,
        primitive: Any,
        parents: tuple[Node | Leaf | None, ...],
        saved: tuple[Any, ...],
        params: tuple[Any, ...],
        value: Any,
    ) -> None:
        self.seq = tick()
        self.primitive = primitive
        self.parents = parents
        self.saved: tuple[Any, ...] | None = saved
        self.params = params
        self.shape = value.shape
        self.dtype = value.dtype
        self.scope = state.scope
        self.label: str | None = None

    @property
    def name(self) -> str:
        """The primitive's name."""
        return self.primitive.name


class Deferred:
    """A cotangent that is cheaper to sum with its like than to make dense at once.

    A slice's cotangent is one: mostly zeros. A shared weight's is another: a product that waits for its sisters.
    """

    __slots__ = ()

    @classmethod
    def settle(cls, contributions: list[Any]) -> Any:
        """Return the dense sum of contributions of this class, all of them to one node."""
        raise NotImplementedError(f"{cls.__name__} does not say how its contributions add up.")

    def permuted(self, axes: tuple[int, ...]) -> Deferred | None:
        """Return the cotangent with its axes in another order, still deferred; None if it cannot be."""
        return None


class _Sum(Deferred):
    """Several cotangents of one node: the dense ones added up, the deferred ones put aside."""

    __slots__ = ("deferred", "dense", "owned")

    def __init__(self, *cotangents: Any) -> None:
        self.dense: Any = None
        self.owned = False
        self.deferred: list[Deferred] = []
        for cotangent in cotangents:
            self.add(cotangent)

    def add(self, cotangent: Any) -> None:
        """Add a cotangent: the first dense one is borrowed, the second allocates, later ones add in place."""
        if isinstance(cotangent, Deferred):
            self.deferred.append(cotangent)
        elif self.dense is None:
            self.dense = cotangent
        elif self.owned:
            self.dense += cotangent
        else:
            self.dense = self.dense + cotangent
            self.owned = True

    def total(self) -> Any:
        """Return the dense sum, deferred cotangents settled class by class."""
        total = self.dense
        kinds: dict[type[Deferred], None] = dict.fromkeys(map(type, self.deferred))
        for kind in kinds:
            settled = kind.settle([cotangent for cotangent in self.deferred if type(cotangent) is kind])
            total = settled if total is None else total + settled
        return total


class _Inbox:
    """The cotangents that wait at the nodes which a sweep has reached and not yet passed."""

    __slots__ = ("heap", "nodes", "waiting")

    def __init__(self) -> None:
        self.heap: list[int] = []
        self.nodes: dict[int, Any] = {}
        self.waiting: dict[int, Any] = {}

    def deliver(self, node: Any, cotangent: Any) -> None:
        """Add a cotangent to those of a node."""
        seq, waiting = node.seq, self.waiting
        if seq not in waiting:
            waiting[seq] = cotangent
            self.nodes[seq] = node
            heappush(self.heap, -seq)
        elif type(waiting[seq]) is _Sum:
            waiting[seq].add(cotangent)
        else:
            waiting[seq] = _Sum(waiting[seq], cotangent)

    def newest(self) -> tuple[Any, Any]:
        """Take out the newest node with its cotangent: whatever uses the node has been passed."""
        seq = -heappop(self.heap)
        return self.nodes.pop(seq), self.waiting.pop(seq)


def sweep(
    roots: Iterable[tuple[Node | Leaf, Any]],
    arrive: Callable[[Any, Any, bool], None],
    wrt: Iterable[Node | Leaf] | None = None,
    retain_graph: bool = False,
) -> None:
    """Carry cotangents from the roots to the leaves, the newest node first.

    Parameters
    ----------
    roots
        Pairs of a node and its cotangent.
    arrive
        Called once with each leaf (or each of ``wrt``) that is reached, its whole cotangent, and whether that is the
        receiver's own; if not, others may hold it too.
    wrt
        The nodes whose cotangents are wanted; None for every leaf. Nothing older than they are is visited.
    retain_graph
        Keep what the nodes saved, so that they can be swept again.

    Raises
    ------
    RuntimeError
        If a node was swept before, or if a leaf was changed after its use.
    """
    targets = None if wrt is None else frozenset(wrt)
    oldest = 0 if targets is None else min((node.seq for node in targets), default=0)
    inbox = _Inbox()
    deliver = inbox.deliver
    for root, cotangent in roots:
        deliver(root, cotangent)
    while inbox.heap:
        node, cotangent = inbox.newest()
        is_leaf = type(node) is Leaf
        wanted = is_leaf if targets is None else node in targets
        owned = isinstance(cotangent, Deferred)
        passed = _passed_on(node, cotangent) if owned and not (is_leaf or wanted) else None
        if owned and passed is None:
            cotangent = (cotangent if type(cotangent) is _Sum else _Sum(cotangent)).total()
        if wanted:
            arrive(node, cotangent, owned)
        if is_leaf:
            continue
        if node.saved is None:
            raise RuntimeError(_swept_before(node))
        for parent, contribution in passed or zip(node.parents, node.primitive.pull(node, cotangent)):  # noqa: B905
            if parent is not None and parent.seq >= oldest:
                if parent.seq > node.seq:
                    raise RuntimeError(_changed_since(parent, node))
                deliver(parent, contribution)
        if not retain_graph:
            node.saved = None


def _passed_on(node: Node, cotangent: Any) -> list[tuple[Any, Deferred]] | None:
    """Return deferred cotangents of a node as its only parent gets them, or None if they have to be made dense."""
    deferred = [cotangent]
    if type(cotangent) is _Sum:
        if cotangent.dense is not None:
            return None
        deferred = cotangent.deferred
    passed = node.primitive.pass_on(node, deferred)
    return None if passed is None else [(node.parents[0], contribution) for contribution in passed]


def _swept_before(node: Node) -> str:
    return (
        f"backward: the node {describe(node)} was differentiated before and its values are gone; "
        "say retain_graph=True the first time, or compute it anew."
    )


def _changed_since(leaf: Node | Leaf, node: Node) -> str:
    return (
        f"backward: the {describe(leaf)} was changed after {describe(node)} had used it; "
        "run the forward pass again after each optimiser step or assign_."
    )


def describe(node: Node | Leaf) -> str:
    """Return a node in words: its operation, name, shape and scope.

    >>> describe(Leaf((2, 3), "float32", "weight"))
    "leaf 'weight' of shape (2, 3)"
    """
    label = f" '{node.label}'" if node.label else ""
    path = scope_path(node.scope)
    return f"{node.name}{label} of shape {node.shape}" + (f" in {'/'.join(path)}" if path else "")


class _Context(contextlib.AbstractContextManager[None]):
    """A context that decorates functions too; every call has a context of its own, a call within a call as well."""

    __slots__ = ("outer",)

    def __call__(self, function: F) -> F:
        @functools.wraps(function)
        def inside(*arguments: Any, **options: Any) -> Any:
            with copy.copy(self):
                return function(*arguments, **options)

        return cast(F, inside)


class scope(_Context):
    """Name what is computed inside: nodes made there carry the path of the scopes around them.

    >>> with scope("lstm"), scope("t=1"):
    ...     print(scope_path(state.scope))
    ('lstm', 't=1')
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.outer = state.scope
        state.scope = (self.outer, self.name)

    def __exit__(self, *exception: object) -> None:
        state.scope = self.outer


def scope_path(linked: Scope) -> tuple[str, ...]:
    """Return a node's scope as a tuple of names, outermost first."""
    names = []
    while linked is not None:
        linked, name = linked
        names.append(name)
    return tuple(reversed(names))


class no_grad(_Context):
    """Record nothing inside: what is computed there is a constant to every derivative."""

    __slots__ = ()

    def __enter__(self) -> None:
        self.outer = state.recording
        state.recording = False

    def __exit__(self, *exception: object) -> None:
        state.recording = self.outer


class Constant:
    """A value on a `Tape` that needs no gradient: an input, a target, an initial state."""

    __slots__ = ("dtype", "label", "seq", "shape", "value")

    parents: tuple[()] = ()
    scope: Scope = None
    name = "constant"

    def __init__(self, value: Any, label: str | None) -> None:
        self.seq = tick()
        self.value = value
        self.shape = value.shape
        self.dtype = value.dtype
        self.label = label


class Entry(NamedTuple):
    """One line of a `Tape`: a node, what its primitive was applied to (a number stands for itself), and its value."""

    node: Node
    inputs: tuple[Any, ...]
    value: Any


class Tape:
    """Keep every node that is made inside, in order, with its arguments and its value.

    ``print(tape)`` is the Wengert list as a table; `tinygrad_lstm.draw` makes its picture. Without a tape nothing but
    the results keeps nodes alive.

    Attributes
    ----------
    entries
        One `Entry` a node, in the order in which they were made.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, 2.0], requires_grad=True).named("x")
    >>> with tg.Tape() as tape, tg.scope("square"):
    ...     y = (x * x * 0.5).sum().named("y")
    >>> print(tape)
    node  op        inputs   shape  scope
    %1    multiply  x, x     (2,)   square
    %2    multiply  %1, 0.5  (2,)   square
    y     sum       %2       ()     square
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._constants: dict[int, Constant] = {}

    def __enter__(self) -> Tape:
        self._outer = state.tape
        state.tape = self
        return self

    def __exit__(self, *exception: object) -> None:
        state.tape = self._outer

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def constant(self, array: Any, label: str | None = None) -> Constant:
        """Return the constant that stands for an array; the same array gives the same constant."""
        constant = self._constants.get(id(array))
        if constant is None:
            constant = self._constants[id(array)] = Constant(array, label)
        return constant

    def __str__(self) -> str:
        names: dict[int, str] = {}
        rows = [("node", "op", "inputs", "shape", "scope")]
        for number, (node, inputs, _) in enumerate(self.entries, start=1):
            names[node.seq] = node.label or f"%{number}"
            arguments = ", ".join(_argument(value, names) for value in inputs)
            rows.append((names[node.seq], node.name, arguments, str(node.shape), "/".join(scope_path(node.scope))))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def draw(self, *arguments: Any, **options: Any) -> Any:
        """Draw the tape: `tinygrad_lstm.draw`, of which this is the method form."""
        from .graph import draw  # upwards, and only when called: a tape needs no picture to be a tape

        return draw(self, *arguments, **options)


def _argument(value: Any, names: dict[int, str]) -> str:
    """Return an input of an entry as the table shows it."""
    if isinstance(value, (Node, Leaf, Constant)):
        return value.label or names.get(value.seq) or value.name
    return str(value)
