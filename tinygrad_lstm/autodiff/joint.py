"""Several tensors through one node: for what gives several results, or sees several gradients, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..backend import Array
from ..hooks import given
from ..ops import zeros
from ..primitive import Primitive, tell
from ..structures import mapped
from ..sweep import Deferred
from ..tape import Leaf, Node, thread
from ..tensor import Tensor, wrap
from .gradients import cotangents_at

__all__ = ["flattened", "made", "nothing", "parts_of", "pulled_through", "seen_together", "unflattened"]

PLACE = object()
"""Stands in a structure where a tensor was."""


def flattened(structure: Any, tensors: list[Tensor]) -> Any:
    """Put the tensors within a structure into a list, and return the structure with places for them."""

    def take(part: Any) -> Any:
        if not isinstance(part, Tensor):
            return part
        tensors.append(part)
        return PLACE

    return mapped(take, structure)


def unflattened(structure: Any, tensors: Iterator[Tensor]) -> Any:
    """Return a structure with tensors in its places."""
    return mapped(lambda part: next(tensors) if part is PLACE else part, structure)


class _Part(Deferred):
    """The cotangent of one of several results: a node gets those of all of them as a dict, by their places."""

    __slots__ = ("g", "place")

    def __init__(self, g: Any, place: int) -> None:
        self.g, self.place = g, place

    @classmethod
    def settle(cls, contributions: list[Any]) -> dict[int, Any]:
        """Return the cotangents by the places of their results."""
        return {part.place: part.g for part in contributions}


_part = Primitive("part", lambda node, g: (_Part(g, *node.params),))


class _Made(Deferred):
    """A cotangent that was made for its receiver alone, who need not copy it: weights are large."""

    __slots__ = ("g",)

    def __init__(self, g: Array) -> None:
        self.g = g

    @classmethod
    def settle(cls, contributions: list[_Made]) -> Array:
        """Return the sum, in place of the first."""
        total, *others = (one.g for one in contributions)
        for g in others:
            total += g
        return total


def made(g: Array | None) -> Any:
    """Return a derivative of a kernel as made for its receiver, unless it is a part of something larger.

    Whoever watches is shown what stays as it is.
    """
    return g if g is None or g.base is not None or thread.state.watchers else _Made(g)


def parts_of(node: Node, results: Sequence[Tensor]) -> list[Tensor]:
    """Return the results of a node as tensors with a node each, whose cotangents reach it together."""
    return [_part_of(node, place, result) for place, result in enumerate(results)]


def _part_of(node: Node, place: int, result: Tensor) -> Tensor:
    part = Node(_part, (node,), (), (place,), result)
    if thread.state.watchers:
        tell("part", part, [wrap(result.data, node), place], result.data)
    return wrap(result.data, part)


def nothing(node: Node | Leaf, recorded: bool) -> Any:
    """Return a cotangent of zeros for a node, as a tensor or an array."""
    cotangent = zeros(node.shape, dtype=node.dtype)
    return cotangent if recorded else cotangent.data


def pulled_through(
    results: Sequence[Tensor], cotangents: dict[int, Any], nodes: Sequence[Node | Leaf], recorded: bool
) -> list[Any]:
    """Return what cotangents of results, known by their places, bring to nodes; zeros where they do not get."""
    roots = [(y.node, cotangents[i]) for i, y in enumerate(results) if i in cotangents and y.node is not None]
    found = cotangents_at(nodes, roots, retain_graph=recorded, beyond=False)
    return [found[node] if node in found else nothing(node, recorded) for node in nodes]


See = Callable[[tuple[Tensor | None, ...]], Sequence[Any] | None]
"""Takes a gradient for each tensor, None where there is none; returns others in their place, or None to leave them."""


def seen_together(tensors: Sequence[Tensor], see: See) -> list[Tensor]:
    """Return the same tensors; their gradients go through one node, where a function sees all of them.

    Tensors that are not on the tape come back as they are, and their gradient is None.
    """
    places = [i for i, x in enumerate(tensors) if x.node is not None]
    if not places or not thread.state.recording:
        return list(tensors)

    def pull(node: Node, cotangents: dict[int, Any]) -> list[Any]:
        recorded = any(type(g) is Tensor for g in cotangents.values())
        gs: list[Any] = [None] * len(tensors)
        for place, g in cotangents.items():
            gs[places[place]] = g if type(g) is Tensor else wrap(g, None)
        changed = see(tuple(gs))
        gs = gs if changed is None else _checked(changed, gs, tensors)
        found = [(gs[i], parent) for i, parent in zip(places, parents, strict=True)]
        return [nothing(parent, recorded) if g is None else g if recorded else g.data for g, parent in found]

    on_tape = [tensors[i] for i in places]
    parents = tuple(x.recorded("hook") for x in on_tape)
    node = Node(Primitive("seen", pull), parents, (), (), on_tape[0])
    if thread.state.watchers:
        tell("seen", node, on_tape, on_tape[0].data)
    result = list(tensors)
    for i, part in zip(places, parts_of(node, on_tape), strict=True):
        result[i] = part
    return result


def _checked(changed: Sequence[Any], gs: Sequence[Any], tensors: Sequence[Tensor]) -> list[Any]:
    """Return what stands in the place of gradients as tensors; refuse what is not shaped and typed as they are."""
    if len(changed) != len(gs):
        raise ValueError(f"register_full_backward_hook: a hook gave {len(changed)} gradients, wanted {len(gs)}.")
    return [
        new
        if new is None or new is old or x.node is None
        else given(new, "register_full_backward_hook: a hook", f" for input {place}", x.shape, x.dtype)
        for place, (new, old, x) in enumerate(zip(changed, gs, tensors, strict=True))
    ]
