"""Gradients of chosen tensors, at any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import backend
from ..sweep import growth, sweep
from ..tape import Leaf, Node
from ..tensor import Tensor, own, wrap

__all__ = ["grad"]


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Any:
    """Return the gradients of the outputs, added up, with respect to the inputs; ``.grad`` is left alone.

    Parameters
    ----------
    outputs
        A scalar, or tensors of any shape with ``grad_outputs``.
    inputs
        A tensor or several: leaves, or results on the way to the outputs.
    grad_outputs
        The cotangent of each output; 1 for a scalar.
    retain_graph
        Keep the graph, so that it can be differentiated again; by default as ``create_graph``.
    create_graph
        Record the derivative itself, so that it can be differentiated in its turn.
    allow_unused
        Return None for an input on which no output depends, instead of raising.

    Returns
    -------
    Tensor or tuple of Tensor
        One gradient for one input, a tuple for a sequence of them.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray(3.0, requires_grad=True)
    >>> slope = tg.grad(x * x * x, x, create_graph=True)
    >>> slope.item(), tg.grad(slope, x).item()
    (27.0, 18.0)
    """
    targets = _sequence(inputs)
    nodes = [_place_of(x) for x in targets]
    roots = [
        (output.recorded("grad"), output.cotangent(g, create_graph, "grad"))
        for output, g in zip(_sequence(outputs), _cotangents(outputs, grad_outputs), strict=True)
    ]
    keep = create_graph if retain_graph is None else retain_graph
    found = cotangents_at(nodes, roots, keep, note_growth=keep and not create_graph)
    gradients = [_gradient(found.get(node), x, allow_unused) for node, x in zip(nodes, targets, strict=True)]
    return gradients[0] if type(inputs) is Tensor else tuple(gradients)


def _place_of(x: Tensor) -> Node | Leaf:
    """Return the node of an input, or say that it has none."""
    if x.node is None:
        raise RuntimeError(f"grad: got an input of shape {x.shape} that is not on the tape, wanted requires_grad.")
    return x.node


def cotangents_at(
    nodes: Sequence[Node | Leaf],
    roots: Iterable[tuple[Node | Leaf, Any]],
    retain_graph: bool,
    *,
    note_growth: bool = False,
    beyond: bool = True,
) -> dict[Node | Leaf, Any]:
    """Return what a sweep brings to nodes, arrays or tensors as the roots' are; what it does not reach is missing."""
    found: dict[Node | Leaf, Any] = {}

    def arrive(node: Any, cotangent: Any, owned: bool) -> None:
        found[node] = own(cotangent, owned)

    with backend.quiet():
        reach = sweep(roots, arrive, nodes, retain_graph, beyond)
    if note_growth:
        growth.note(reach, stacklevel=3)
    return found


def _sequence(tensors: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    """Return one tensor as a sequence of one."""
    return (tensors,) if type(tensors) is Tensor else tensors  # type: ignore[return-value]


def _cotangents(outputs: Any, given: Any) -> Sequence[Tensor | None]:
    """Return a cotangent, or None, for each output."""
    count = len(_sequence(outputs))
    cotangents = [None] * count if given is None else _sequence(given)
    if len(cotangents) != count:
        raise ValueError(f"grad: got {len(cotangents)} grad_outputs for {count} outputs, wanted one for each.")
    return cotangents


def _gradient(found: Any, x: Tensor, allow_unused: bool) -> Tensor | None:
    """Return what a sweep found for an input as a tensor."""
    if found is not None:
        return found if type(found) is Tensor else wrap(found, None)
    if allow_unused:
        return None
    name = f" {x.name!r}" if x.name else ""
    raise RuntimeError(
        f"grad: no output depends on the input{name} of shape {x.shape}; allow_unused=True gives None for it."
    )
