"""The sweep: cotangents are carried from the newest node to the oldest, and added up on the way.

A cotangent is anything that can be added, or a `Deferred` that becomes such a thing later. Nothing here knows what a
tensor or an array is.
"""

from __future__ import annotations

import math
import threading
import warnings
from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary

from .tape import Leaf, Node, describe, thread

__all__ = ["Deferred", "Reach", "growth", "hooks", "retained", "sweep"]

hooks: WeakKeyDictionary[Node | Leaf, Any] = WeakKeyDictionary()
"""What is done to a node's whole cotangent before it goes on: a function that returns it, or another."""

retained: WeakKeyDictionary[Node, Any] = WeakKeyDictionary()
"""The nodes that keep their gradient as leaves do, with what they have got so far."""


class Deferred:
    """A cotangent that is cheaper to sum with its like than to make dense at once.

    A slice's cotangent is one: mostly zeros. A shared weight's is another: a product that waits for its sisters.
    """

    __slots__ = ()

    together: ClassVar[float] = math.inf
    """So many contributions to a node are settled without waiting for more, and what they hold is let go."""

    @classmethod
    def settle(cls, contributions: list[Any]) -> Any:
        """Return the dense sum of contributions of this class, all of them to one node."""
        raise NotImplementedError(f"{cls.__name__} does not say how its contributions add up.")

    def permuted(self, axes: tuple[int, ...]) -> Deferred | None:
        """Return the cotangent with its axes in another order, still deferred; None if it cannot be."""
        return None


class _Pile(Deferred):
    """Several cotangents of one node, some of them deferred: these are put aside, the dense ones added up."""

    __slots__ = ("deferred", "dense", "owned")

    def __init__(self, first: Any, second: Any, owned: bool) -> None:
        self.dense: Any = None
        self.owned = False
        self.deferred: list[Deferred] = []
        self.add(first)
        self.owned = owned
        self.add(second)

    def add(self, cotangent: Any) -> None:
        """Add a cotangent."""
        if isinstance(cotangent, Deferred):
            deferred = self.deferred
            deferred.append(cotangent)
            if len(deferred) >= cotangent.together:
                self.dense, self.owned = self.total(), True
                self.deferred = []
        elif self.dense is None:
            self.dense = cotangent
        elif self.owned:
            self.dense += cotangent
        else:
            self.dense, self.owned = self.dense + cotangent, True

    def total(self) -> Any:
        """Return the dense sum, deferred cotangents settled class by class."""
        total = self.dense
        kinds: dict[type[Deferred], None] = dict.fromkeys(map(type, self.deferred))
        for kind in kinds:
            alike = self.deferred if len(kinds) == 1 else [one for one in self.deferred if type(one) is kind]
            settled = kind.settle(alike)
            total = settled if total is None else total + settled
        return total


class _Inbox:
    """The cotangents that wait at the nodes which a sweep has reached and not yet passed, by the nodes' ``seq``.

    The first one is borrowed, the second allocates, later ones add in place. The numbers are kept in order, the newest
    last: a node's parents are seldom far from the end.
    """

    __slots__ = ("nodes", "order", "owned", "waiting")

    def __init__(self) -> None:
        self.order: list[int] = []
        self.nodes: dict[int, Any] = {}
        self.waiting: dict[int, Any] = {}
        self.owned: set[int] = set()

    def deliver(self, node: Any, cotangent: Any) -> None:
        """Take in a cotangent of a node."""
        seq = node.seq
        if seq in self.waiting:
            self.add(seq, cotangent)
        else:
            self.waiting[seq], self.nodes[seq] = cotangent, node
            insort(self.order, seq)

    def add(self, seq: int, cotangent: Any) -> None:
        """Add a cotangent to what waits at a node already."""
        waiting, owned = self.waiting, self.owned
        before = waiting[seq]
        if type(before) is _Pile:
            before.add(cotangent)
        elif isinstance(before, Deferred) or isinstance(cotangent, Deferred):
            waiting[seq] = _Pile(before, cotangent, seq in owned)
        elif seq in owned:
            before += cotangent
            waiting[seq] = before
        else:
            waiting[seq] = before + cotangent
            owned.add(seq)


class Reach(NamedTuple):
    """How far a sweep went: the oldest node on its way, and how many there were."""

    oldest: Node | None
    length: int


def sweep(
    roots: Iterable[tuple[Node | Leaf, Any]],
    arrive: Callable[[Any, Any, bool], None],
    wrt: Iterable[Node | Leaf] | None = None,
    retain_graph: bool = False,
    beyond: bool = True,
) -> Reach:
    """Carry cotangents from the roots to the leaves, the newest node first.

    Parameters
    ----------
    roots
        Pairs of a node and its cotangent.
    arrive
        Called once with each leaf (or each of ``wrt``) that is reached, its whole cotangent, and whether that is the
        receiver's own; if not, others may hold it too.
    wrt
        The nodes whose cotangents are wanted; None for every leaf and whatever else is in `retained`. Only what leads
        to them is visited.
    retain_graph
        Keep what the nodes saved, so that they can be swept again.
    beyond
        Whether the nodes wanted lead to each other: without, they are taken as independent.

    Raises
    ------
    RuntimeError
        If a node was swept before, or if a leaf was changed after its use.
    """
    thread.state.sweeps += 1
    try:
        if wrt is None:
            return _carry(roots, arrive, None, set(), retain_graph)
        roots, targets = list(roots), frozenset(wrt)
        return _carry(roots, arrive, targets, _leading([node for node, _ in roots], targets, beyond), retain_graph)
    finally:
        thread.state.sweeps -= 1


def _carry(
    roots: Iterable[tuple[Node | Leaf, Any]],
    arrive: Callable[[Any, Any, bool], None],
    targets: frozenset[Node | Leaf] | None,
    leading: set[int],
    retain_graph: bool,
) -> Reach:
    """Carry cotangents as `sweep` says, by the nodes that lead to the targets; without targets, to the leaves."""
    inbox = _Inbox()
    order, nodes, waiting, owned, add = inbox.order, inbox.nodes, inbox.waiting, inbox.owned, inbox.add
    relevant = None if targets is None else leading.union(node.seq for node in targets)
    watchers, length, last = thread.state.watchers, 0, None
    hooked, keeping = hooks if len(hooks) else None, len(retained) > 0  # asked once: these answer slowly
    asked = targets is not None or hooked is not None or keeping or bool(watchers)
    for root, cotangent in roots:
        inbox.deliver(root, cotangent)
    while order:
        seq = order.pop()
        node, cotangent, passed = nodes.pop(seq), waiting.pop(seq), None
        if asked or type(node) is Leaf or isinstance(cotangent, Deferred):
            is_leaf = type(node) is Leaf
            wanted = node in targets if targets is not None else is_leaf or (keeping and node in retained)
            hook = hooked.get(node) if hooked is not None else None
            if isinstance(cotangent, Deferred):
                passed = _passed_on(node, cotangent) if not (is_leaf or wanted or hook or watchers) else None
                if passed is None:
                    cotangent = _settled(cotangent)
                    owned.add(seq)
            if hook is not None:
                cotangent = hook(cotangent)
                owned.discard(seq)
            if wanted:
                arrive(node, cotangent, seq in owned)
            if is_leaf or (targets is not None and seq not in leading):
                continue
        if node.saved is None:
            raise RuntimeError(_swept_before(node))
        length += 1
        pull = _watched_pull if watchers else node.primitive.pull
        for parent, contribution in passed or zip(node.parents, pull(node, cotangent)):  # noqa: B905
            if parent is None:
                continue
            at = parent.seq
            if relevant is not None and at not in relevant:
                continue
            if at in waiting:
                add(at, contribution)
            else:
                if at > seq:
                    raise RuntimeError(_changed_since(parent, node))
                waiting[at], nodes[at] = contribution, parent
                insort(order, at)
        if not retain_graph:
            node.saved = None
        last = node
    return Reach(last, length)


def _leading(roots: Sequence[Node | Leaf], targets: frozenset[Node | Leaf], beyond: bool) -> set[int]:
    """Return the places on the tape of the nodes that lead from the roots to targets."""
    changing = any(type(node) is Leaf for node in targets)  # which moves them to the end of the tape
    oldest = 0 if changing else min((node.seq for node in targets), default=0)
    ends = {node.seq for node in targets}
    found: dict[int, Node | Leaf] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        seq = node.seq
        if seq > oldest and seq not in found and (beyond or seq not in ends):
            found[seq] = node
            waiting += filter(None, node.parents)
    leading: set[int] = set()
    for seq in sorted(found):  # a node's parents before it
        for parent in found[seq].parents:
            if parent is not None and (parent.seq in leading or parent.seq in ends):
                leading.add(seq)
                break
    return leading


def _settled(cotangent: Deferred) -> Any:
    """Return a deferred cotangent, or a pile of them, as a dense one."""
    return cotangent.total() if type(cotangent) is _Pile else type(cotangent).settle([cotangent])


def _watched_pull(node: Node, cotangent: Any) -> Sequence[Any]:
    """Return the cotangents of a node's arguments, and tell whoever watches."""
    try:
        contributions = node.primitive.pull(node, cotangent)
    except Exception as error:
        for watcher in thread.state.watchers:
            watcher.failed(node, error)
        raise
    for watcher in thread.state.watchers:
        watcher.pulled(node, cotangent, contributions)
    return contributions


def _passed_on(node: Node, cotangent: Any) -> list[tuple[Any, Deferred]] | None:
    """Return deferred cotangents of a node as its only parent gets them, or None if they have to be made dense."""
    deferred = [cotangent]
    if type(cotangent) is _Pile:
        if cotangent.dense is not None:
            return None
        deferred = cotangent.deferred
    passed = node.primitive.pass_on(node, deferred)
    return None if passed is None else [(node.parents[0], contribution) for contribution in passed]


def _swept_before(node: Node) -> str:
    return (
        f"backward: the node {describe(node)} was differentiated before and its values are gone; "
        "say retain_graph=True the first time, compute it anew, or detach() a state that was carried over from it."
    )


def _changed_since(leaf: Node | Leaf, node: Node) -> str:
    return (
        f"backward: the {describe(leaf)} was changed after {describe(node)} had used it; "
        "run the forward pass again after each optimiser step or assign_."
    )


class _Growth(threading.local):
    """Notices the sweeps of a loop that reach back to the same node again and again, each longer than the last."""

    LOOKS_LIKE_A_HABIT = 5

    def __init__(self) -> None:
        self.oldest, self.lengths = 0, [0]

    def note(self, reach: Reach, stacklevel: int) -> None:
        """Take note of a sweep that has kept its graph; once that has become a habit, warn at a level of the stack."""
        if reach.oldest is None:
            return
        if reach.oldest.seq != self.oldest or reach.length <= self.lengths[-1]:
            self.oldest, self.lengths = reach.oldest.seq, []
        self.lengths.append(reach.length)
        if len(self.lengths) == self.LOOKS_LIKE_A_HABIT:
            warnings.warn(
                f"backward: {len(self.lengths)} sweeps in a row went back to the same {describe(reach.oldest)}, over "
                f"{', '.join(map(str, self.lengths))} nodes: the graph grows from step to step, most likely through a "
                "state that is carried on; carry state.detach() instead, and leave out retain_graph=True.",
                stacklevel=stacklevel + 1,
            )


growth = _Growth()
