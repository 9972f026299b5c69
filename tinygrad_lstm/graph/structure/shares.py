"""What each of several marks has sent back through a product that they have in common, as gates are one product.

A sweep goes back through the product once, for all of them. The share of one is what its own parts have sent into the
product, taken back once more: of the rows of the weight, those of a gate are met by what came from that gate alone.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from .ir import Graph, Mark, Record
from .simplify import RESHAPES

__all__ = ["Shares"]

CLOSE = 1e-3
"""What is taken back once more may differ by so much of its largest element from what the sweep brought."""


class Shares:
    """What marks have sent to what they read, each by itself.

    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.graph.structure.ir import read
    >>> from tinygrad_lstm.graph.structure.simplify import gate_level
    >>> h, layer = tg.ones((1, 2), requires_grad=True).named("h"), tg.nn.Linear(2, 2)
    >>> with tg.Tape() as tape:
    ...     product = layer(h)
    ...     (tg.tanh(product[:, :1]) + tg.sigmoid(product[:, 1:])).sum().backward()
    >>> graph = gate_level(read(tape))
    >>> source, tanh, sigmoid = (mark for mark in graph if mark.op in ("leaf", "tanh", "sigmoid"))
    >>> shares = Shares(graph)
    >>> whole = shares.of(source.id, tanh.id)[0] + shares.of(source.id, sigmoid.id)[0]
    >>> bool(abs(whole - source.grad).max() < 1e-6)
    True
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.record = graph.record or Record(())
        self.owners = Counter(part for mark in graph for part in mark.parts)
        self.drawn = {id for mark in graph for id in (mark.id, *mark.parts, *mark.twins)}
        self._known: dict[int, dict[int, list[Any]]] = {}

    def of(self, source: int, target: int) -> list[Any] | None:
        """Return what a mark has sent to one that it reads: an array for each tensor between them, on the host.

        None if that cannot be told apart from what others have sent.
        """
        if not any(map(self._is_shared, self.graph[target].parts)):
            return self.graph.contributions(source, target)
        mark = self.graph[source]
        own = {mark.id, *mark.parts, *mark.twins}
        sent = [_total(arrays) for used, arrays in self._sent(target).items() if own & self._behind(used)]
        return None if any(array is None for array in sent) else sent

    def _is_shared(self, id: int) -> bool:
        return self.owners[id] > 1

    def _behind(self, id: int) -> set[int]:
        """Return the mark on the tape itself, or those whose values it has passed on if it is nowhere in the graph."""
        seen, waiting = set[int](), [id]
        while waiting:
            id = waiting.pop()
            if id not in seen and id not in self.drawn:
                waiting.extend(self.record.marks[id].sources)
            seen.add(id)
        return seen & self.drawn

    def _sent(self, target: int) -> dict[int, list[Any]]:
        """Return what a mark has sent to each mark on the tape that is no part of it: None is what is not known."""
        if target not in self._known:
            self._known[target] = self._taken_back(target)
        return self._known[target]

    def _taken_back(self, target: int) -> dict[int, list[Any]]:
        """Go back through the parts of a mark, through those that it shares with what came from its own alone."""
        parts = {target, *self.graph[target].parts}
        arrived: dict[int, list[Any]] = {}
        for user in sorted(parts, reverse=True):
            for used in self.record.sent(user):
                if not self._is_shared(user):
                    arrived.setdefault(used, []).append(self.record.contribution(used, user))
                elif user in arrived:
                    arrived.setdefault(used, []).append(self._share(used, user, _total(arrived[user])))
                for part in parts & self._behind(used) - {used}:
                    arrived.setdefault(part, []).append(None)  # by way of a mark that is left out
        return {used: arrays for used, arrays in arrived.items() if used not in parts}

    def _share(self, used: int, user: int, cotangent: Any) -> Any:
        """Return what a cotangent of a shared part is to what that used, if all of it is what the sweep brought."""
        whole, gradient = self.record.contribution(used, user), self.record.gradient(user)
        if any(array is None or not math.isfinite(_largest(array)) for array in (whole, gradient, cotangent)):
            return None
        again = self._back(used, user, gradient)
        if again is None or _largest(again - whole) > CLOSE * _largest(whole):
            return None  # an op that is not known here, or a weight that has changed since
        return self._back(used, user, cotangent)

    def _back(self, used: int, user: int, cotangent: Any) -> Any:
        """Return what a linear op on the tape makes of a cotangent for what it used; None if that is not known."""
        marks, mark = self.record.marks, self.record.marks[user]
        operands = [None if id is None else marks[id] for id in mark.inputs]
        return _total([_back(mark, operands, place, cotangent) for place, id in enumerate(mark.inputs) if id == used])


def _back(mark: Mark, operands: list[Mark | None], place: int, cotangent: Any) -> Any:
    """Return what an op makes of a cotangent for the operand at a place."""
    operand, values = operands[place], [None if other is None else other.value for other in operands]
    back: Any = None
    match mark.op, place:
        case "linear", 0:
            back = None if values[1] is None else cotangent @ values[1]
        case "matmul", 0:
            back = None if values[1] is None or values[1].ndim != 2 else cotangent @ values[1].T
        case "matmul", 1:
            back = None if values[0] is None or values[0].ndim != 2 else values[0].T @ cotangent
        case ("add", _) | ("linear", 2):
            back = cotangent
        case op, 0 if op in RESHAPES and operand is not None:
            back = cotangent.reshape(operand.shape)
    return back if back is not None and operand is not None and back.shape == operand.shape else None


def _largest(array: Any) -> float:
    """Return the largest absolute value in an array, 0 if there is none."""
    return float(abs(array).max(initial=0.0))


def _total(arrays: list[Any]) -> Any:
    """Return the sum of arrays, None if one is not known, or none is."""
    known = [array for array in arrays if array is not None]
    return sum(known[1:], known[0]) if known and len(known) == len(arrays) else None
