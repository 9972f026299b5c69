"""The tape: what is computed, in order.

A `Node` is one application of a primitive, a `Leaf` is where gradients arrive; `thread.state` says whether, and where,
a thread records. A `Watcher` is told of everything that is recorded and swept: a `Tape` is one that keeps it. Nothing
here knows what a tensor or an array is.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import itertools
import linecache
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar, cast

__all__ = [
    "Argument",
    "Constant",
    "Entry",
    "Leaf",
    "Node",
    "Pull",
    "Tape",
    "Watcher",
    "describe",
    "enable_grad",
    "is_grad_enabled",
    "no_grad",
    "scope",
    "scope_path",
    "set_grad_enabled",
    "thread",
    "users_line",
]  # fmt: skip

Scope: TypeAlias = "tuple[Scope, str] | None"
"""A path of names as a linked tuple, innermost first: ``((None, "lstm"), "t=3")``."""

F = TypeVar("F", bound=Callable[..., Any])

tick: Callable[[], int] = itertools.count(1).__next__
"""The clock: one counter for all threads, so that a node's place on the tape is unique and after its parents'."""


class State:
    """What belongs to one thread: whether it records, in which scope, how many sweeps are on, and who watches."""

    __slots__ = ("recording", "scope", "sweeps", "watchers")

    def __init__(self) -> None:
        self.recording = True
        self.sweeps = 0
        self.scope: Scope = None
        self.watchers: tuple[Watcher, ...] = ()


class _Thread(threading.local):
    """Where every thread finds its own state: to look it up takes longer than to read it, so hot paths do so once."""

    def __init__(self) -> None:
        self.state = State()


thread = _Thread()


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


def _unlock() -> None:
    """Take a lock of its own for a child process: the thread that held its parent's is not there."""
    global _leaf_lock
    _leaf_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


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
        self.scope = thread.state.scope
        self.label: str | None = None

    @property
    def name(self) -> str:
        """The primitive's name."""
        return self.primitive.name


def describe(node: Node | Leaf) -> str:
    """Return a node in words: its operation, name, shape and scope.

    >>> describe(Leaf((2, 3), "float32", "weight"))
    "leaf 'weight' of shape (2, 3)"
    """
    label = f" '{node.label}'" if node.label else ""
    path = scope_path(node.scope)
    return f"{node.name}{label} of shape {node.shape}" + (f" in {'/'.join(path)}" if path else "")


PACKAGE = os.path.dirname(__file__)


def users_line() -> str:
    """Return the line of the program outside this package that is being run, behind its file and number."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(PACKAGE) and frame.f_back is not None:
        frame = frame.f_back
    file, number = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(file, number).strip()
    return f"{file}:{number}" + (f": {text}" if text else "")


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
    ...     print(scope_path(thread.state.scope))
    ('lstm', 't=1')
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.outer = thread.state.scope
        thread.state.scope = (self.outer, self.name)

    def __exit__(self, *exception: object) -> None:
        thread.state.scope = self.outer


def scope_path(linked: Scope) -> tuple[str, ...]:
    """Return a node's scope as a tuple of names, outermost first."""
    names = []
    while linked is not None:
        linked, name = linked
        names.append(name)
    return tuple(reversed(names))


class set_grad_enabled(_Context):
    """Record from here on, or do not: as a call for good, as a context until its end.

    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    """

    __slots__ = ("mode",)

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.outer = thread.state.recording
        thread.state.recording = mode

    def __call__(self, function: F) -> F:
        """Decorate a function: it is called in this mode."""
        thread.state.recording = self.outer  # to decorate a function is no call for good
        return (enable_grad() if self.mode else no_grad())(function)

    def __enter__(self) -> None:
        thread.state.recording = self.mode

    def __exit__(self, *exception: object) -> None:
        thread.state.recording = self.outer


class _Recording(_Context):
    """A context in which ``mode`` says whether to record."""

    __slots__ = ()

    mode: bool

    def __enter__(self) -> None:
        self.outer = thread.state.recording
        thread.state.recording = self.mode

    def __exit__(self, *exception: object) -> None:
        thread.state.recording = self.outer


class no_grad(_Recording):
    """Record nothing inside: what is computed there is a constant to every derivative.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray(2.0, requires_grad=True)
    >>> with tg.no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """

    __slots__ = ()
    mode = False


class enable_grad(_Recording):
    """Record inside, even within `no_grad`.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray(2.0, requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     y = x * x
    >>> y.requires_grad
    True
    """

    __slots__ = ()
    mode = True


def is_grad_enabled() -> bool:
    """Return whether what is computed here and now is recorded.

    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """
    return thread.state.recording


class Argument(NamedTuple):
    """An argument of a primitive: its value, its place on the tape and its name, None where it has none."""

    value: Any
    node: Node | Leaf | None = None
    name: str | None = None


class Watcher:
    """Is told of everything that its thread computes and differentiates between its start and its end as a context.

    Watchers may stand within each other; each is told.
    """

    def __enter__(self) -> Self:
        thread.state.watchers = (*thread.state.watchers, self)
        return self

    def __exit__(self, *exception: object) -> None:
        thread.state.watchers = thread.state.watchers[:-1]

    def applied(self, name: str, node: Node | None, operands: Sequence[Argument], value: Any) -> None:
        """Hear of a primitive's application; there is no node where nothing needed a gradient."""

    def pulled(self, node: Node, cotangent: Any, contributions: Sequence[Any]) -> None:
        """Hear of what a sweep has brought to a node, and of what it made of that for each of the arguments."""

    def failed(self, node: Node, error: Exception) -> None:
        """Hear of an error in a node's derivative."""


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
    """One line of a `Tape`.

    A node, what its primitive was applied to (a number stands for itself), its value, the line of the user's program
    that made it, and whether a sweep did, one that was recorded.
    """

    node: Node
    inputs: tuple[Any, ...]
    value: Any
    line: str | None = None
    swept: bool = False


class Pull(NamedTuple):
    """What a sweep brought to a node, and its contributions to the gradients of the arguments: arrays or tensors."""

    node: Node
    cotangent: Any
    contributions: tuple[Any, ...]


class Tape(Watcher):
    """Keep every node that is made inside, in order, with its arguments and its value.

    ``print(tape)`` is the Wengert list as a table; `tinygrad_lstm.draw` makes its picture. Without a tape nothing but
    the results keeps nodes alive.

    Attributes
    ----------
    entries
        One `Entry` a node, in the order in which they were made.
    pulls
        One `Pull` for each node of each sweep that took place inside, newest node first.
    given
        The arrays of the leaves, and of the nodes from before, that are used inside. They are not copied: a leaf that
        has been changed since has its new value here.

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
        self.pulls: list[Pull] = []
        self.given: dict[Node | Leaf, Any] = {}
        self._constants: dict[int, Constant] = {}

    def applied(self, name: str, node: Node | None, operands: Sequence[Argument], value: Any) -> None:
        """Write a line: a node, its arguments as nodes, constants or numbers, and its value."""
        if node is not None:
            inputs = [
                x.node or (self.constant(x.value, x.name) if hasattr(x.value, "shape") else x.value) for x in operands
            ]
            start = self.entries[0].node.seq if self.entries else node.seq
            for x in operands:
                if x.node is not None and (type(x.node) is Leaf or x.node.seq < start):
                    self.given.setdefault(x.node, x.value)
            self.entries.append(Entry(node, tuple(inputs), value, users_line(), thread.state.sweeps > 0))

    def pulled(self, node: Node, cotangent: Any, contributions: Sequence[Any]) -> None:
        """Keep what a sweep has brought to a node and made of it."""
        self.pulls.append(Pull(node, cotangent, tuple(contributions)))

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
        for number, (node, inputs, *_) in enumerate(self.entries, start=1):
            names[node.seq] = node.label or f"%{number}"
            arguments = ", ".join(_argument(value, names) for value in inputs)
            rows.append((names[node.seq], node.name, arguments, str(node.shape), "/".join(scope_path(node.scope))))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def draw(self, *arguments: Any, **options: Any) -> Any:
        """Draw the tape: `tinygrad_lstm.draw`, of which this is the method form."""
        from .graph import draw  # upwards, and only when called: a tape needs no picture to be a tape

        return draw(self, *arguments, **options)

    def _repr_mimebundle_(self, **asked: Any) -> Any:
        """Return what a notebook shows: the picture, where there is something to draw with, and the table."""
        from .graph.output.notebook import bundle, some_lines

        return bundle(self, some_lines(str(self)), **asked)


def _argument(value: Any, names: dict[int, str]) -> str:
    """Return an input of an entry as the table shows it."""
    if isinstance(value, (Node, Leaf, Constant)):
        return value.label or names.get(value.seq) or value.name
    return str(value)
