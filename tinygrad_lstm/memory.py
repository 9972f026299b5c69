"""What holds memory: the arrays of tensors, of the tape and of optimisers, by op and scope.

Nothing is noted while a program runs: the answer is looked for when it is asked for. The error of a GPU that has run
out of memory ends with it.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from .backend import explain_exhaustion, memory_of, ndarray, used_memory
from .optim import Optimizer
from .structures import flat
from .tape import Leaf, Node, scope_path
from .tensor import Tensor

__all__ = ["Holding", "held", "report"]

SHOWN = 12
"""How many lines a report has at most."""


class Holding(NamedTuple):
    """Arrays that one op has made in one scope, or that are of one kind otherwise.

    Attributes
    ----------
    what
        The op; or what else it is, as ``leaf 'weight'``.
    scope
        Where on the tape, numbers as ``*``; empty outside of scopes.
    arrays
        How many there are, views not counted.
    bytes
        How much memory they take together.
    """

    what: str
    scope: str
    arrays: int
    bytes: int


def held() -> list[Holding]:
    """Return what holds memory, the largest first.

    An array counts once, for the op that made it, however many nodes keep it for their derivatives.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.zeros((256, 1024), requires_grad=True).named("x")
    >>> with tg.scope("model"):
    ...     y = tg.exp(x).sum()
    >>> for holding in held()[:2]:
    ...     print(holding.what, holding.scope, holding.bytes)
    exp model 1048576
    leaf 'x'  1048576
    """
    claims: dict[tuple[int, int], tuple[str, str]] = {}
    for find in (_of_tensors, _of_leaves, _of_nodes, _of_optimizers):
        for array, what, scope in find():
            claims.setdefault(memory_of(array), (what, scope))
    groups: dict[tuple[str, str], list[int]] = {}
    for (_, size), claim in claims.items():
        groups.setdefault(claim, []).append(size)
    holdings = [Holding(*claim, len(sizes), sum(sizes)) for claim, sizes in groups.items() if sum(sizes)]
    return sorted(holdings, key=lambda holding: (-holding.bytes, holding.what, holding.scope))


def report() -> str:
    """Return what holds memory as a table.

    >>> import tinygrad_lstm as tg
    >>> x = tg.zeros((256, 1024))
    >>> print(report())
    What holds the memory:
    ... MiB ... a tensor on no tape...
    """
    holdings = held()
    lines = [_line(h.bytes, h.arrays, f"{h.what} in {h.scope}" if h.scope else h.what) for h in holdings[:SHOWN]]
    rest = holdings[SHOWN:]
    if rest:
        lines.append(_line(sum(h.bytes for h in rest), sum(h.arrays for h in rest), "of other ops and scopes"))
    used = used_memory()
    if used is not None:
        lines.append(
            _line(
                used - sum(h.bytes for h in holdings), "", "elsewhere: gradients on their way, and arrays of no tensor"
            )
        )
    return "\n".join(["What holds the memory:", *lines])


def _line(size: int, count: int | str, what: str) -> str:
    """Return a line of a report."""
    return f"{size / 2**20:10,.1f} MiB {count:>5}  {what}"


Claim = tuple[Any, str, str]
"""An array, what it is, and its scope."""


def _of_tensors() -> Iterator[Claim]:
    """Give the arrays of all tensors, as results of their ops or as leaves."""
    made = [tensor for tensor in _all(Tensor) if hasattr(tensor, "node")]  # it may be one being made that lacks room
    for tensor in sorted(made, key=_age):
        yield (tensor.data, *_named(tensor.node, "a tensor on no tape"))


def _of_leaves() -> Iterator[Claim]:
    """Give the gradients that leaves have."""
    for leaf in _all(Leaf):
        for array in _arrays(leaf.grad):
            yield array, f"gradient of {_name(leaf)}", _scope(leaf)


def _of_nodes() -> Iterator[Claim]:
    """Give what nodes keep for their derivatives: their results, their arguments, and what else there is."""
    for node in sorted(_all(Node), key=lambda node: node.seq):
        kept = node.saved or ()
        makers = (*node.parents, node)
        for value, maker in zip(kept, makers, strict=False):
            for array in _arrays(value):
                yield (array, *_named(maker, f"an argument of {node.name}"))
        for array in _arrays((kept[len(makers) :], node.params)):
            yield array, f"kept for {node.name}", _scope(node)


def _of_optimizers() -> Iterator[Claim]:
    """Give what optimisers remember, and what they compute in."""
    for optimizer in _all(Optimizer):
        for memory in optimizer.state.values():
            for name, value in memory.items():
                for array in _arrays(value):
                    yield array, f"{name} of {type(optimizer).__name__}", ""
        for array in _arrays(optimizer._rooms):
            yield array, f"room of {type(optimizer).__name__}", ""


def _all(kind: type) -> list[Any]:
    """Return all objects of a class that are alive."""
    # not isinstance, which asks objects for their class: some of other packages warn whoever looks at them
    return [thing for thing in gc.get_objects() if issubclass(type(thing), kind)]


def _age(tensor: Tensor) -> tuple[int, int]:
    """Return what puts the tensors first that made the memory of others: leaves, then results by their age."""
    node = tensor.node
    return (0, 0) if isinstance(node, Leaf) else (1, node.seq) if node is not None else (2, 0)


def _arrays(value: Any) -> Iterator[Any]:
    """Give the arrays within a structure."""
    for part in flat(value):
        if isinstance(part, (ndarray, Tensor)):
            yield part.data if isinstance(part, Tensor) else part


def _named(node: Node | Leaf | None, otherwise: str) -> tuple[str, str]:
    """Return what a node has made, and where; or what it is otherwise that no node has made."""
    return (otherwise, "") if node is None else (_name(node), _scope(node))


def _name(node: Node | Leaf) -> str:
    """Return the name of a node's op; a leaf's own."""
    return f"{node.name} '{node.label}'" if isinstance(node, Leaf) and node.label else node.name


def _scope(node: Node | Leaf) -> str:
    """Return a scope with its numbers left open, so that the steps of a sequence are one."""
    return re.sub(r"\d+", "*", "/".join(scope_path(node.scope)))


explain_exhaustion(report)
