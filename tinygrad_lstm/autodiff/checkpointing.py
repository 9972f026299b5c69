"""Recompute instead of keep: trade time for memory in long or deep computations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import backend
from ..ops import positive
from ..primitive import Primitive, tell
from ..tape import Leaf, Node, Tape, enable_grad, thread, tick
from ..tensor import Tensor, asarray, wrap
from .joint import flattened, parts_of, pulled_through, unflattened

__all__ = ["checkpoint"]


def checkpoint(function: Callable[..., Any], *inputs: Any, **options: Any) -> Any:
    """Compute a function, keep its inputs alone, and compute it again when its derivative is wanted.

    Parameters
    ----------
    function
        Any function of tensors, a `Module` for one: it may use other tensors too, whose gradients arrive all the same.
        It returns a tensor, or several within tuples, lists, dictionaries and dataclasses. It is run again as it was,
        random numbers included; whatever else it does, it does twice.
    inputs, options
        What it is called with; gradients go through the tensors among ``inputs``.

    Returns
    -------
    Any
        What the function returns.

    References
    ----------
    T. Chen et al., "Training deep nets with sublinear memory cost", 2016.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, 2.0], requires_grad=True)
    >>> y = tg.checkpoint(lambda x: tg.tanh(x * x), x)
    >>> y.sum().backward()
    >>> x.grad
    Tensor([0.83994865, 0.00536346])
    """
    if not thread.state.recording:
        return function(*inputs, **options)
    run = _Run(function, inputs, options)
    entered, start = run.leaves(), tick()
    outputs = run.repeat(entered)
    places = [i for i, x in enumerate(run.tensors) if x.node is not None]
    parents = [run.tensors[i].node for i in places]
    parents += _used_from_outside(outputs, start, {entered[i].node for i in places})
    if not parents or not outputs:
        return run.packed([y.detach() for y in outputs])
    node = Node(_checkpoint, tuple(parents), (run, places), (), outputs[0])
    if thread.state.watchers:
        tell("checkpoint", node, run.tensors, outputs[0].data)
    if len(outputs) == 1:
        return run.packed([wrap(outputs[0].data, node)])
    parts = zip(parts_of(node, outputs), outputs, strict=True)
    return run.packed([part if y.node is not None else y for part, y in parts])


class _Run:
    """A call of a function, to be repeated."""

    def __init__(self, function: Callable[..., Any], inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.function, self.inputs, self.options = function, inputs, options
        self.tensors = [x for x in inputs if type(x) is Tensor]
        self.seed = int(backend.rng.integers(1 << 62))

    def leaves(self) -> list[Tensor]:
        """Return the tensors among the inputs as fresh leaves, where they are on the tape."""
        return [x if x.node is None else asarray(x.detach(), requires_grad=True) for x in self.tensors]

    def repeat(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Call the function with tensors in the place of those among the inputs, and return its own."""
        given, watchers = iter(tensors), thread.state.watchers
        thread.state.watchers = tuple(watcher for watcher in watchers if not isinstance(watcher, Tape))
        try:
            with enable_grad(), backend.seeded(self.seed):
                result = self.function(*[next(given) if type(x) is Tensor else x for x in self.inputs], **self.options)
        finally:
            thread.state.watchers = watchers
        outputs: list[Tensor] = []
        self.structure = flattened(result, outputs)
        return outputs

    def packed(self, tensors: list[Tensor]) -> Any:
        """Return tensors in the structure of the function's result."""
        return unflattened(self.structure, iter(tensors))


def _used_from_outside(outputs: list[Tensor], start: int, entered: set[Any]) -> list[Node | Leaf]:
    """Return what the outputs were computed from that was there before the start, except what was entered."""
    found: dict[Node | Leaf, None] = {}
    waiting, seen = [y.node for y in outputs], set(entered)
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.seq < start:
            found[node] = None
        else:
            waiting.extend(node.parents)
    return list(found)


def _pull(node: Node, cotangent: Any) -> list[Any]:
    """Compute the function again, and return the cotangents of its arguments and of what it used from outside."""
    assert node.saved is not None
    run, places = node.saved
    gs = cotangent if isinstance(cotangent, dict) else {0: cotangent}
    recorded = any(type(g) is Tensor for g in gs.values())
    entered = [x if x.node is None else positive(x) for x in run.tensors] if recorded else run.leaves()
    wanted = [*(entered[i].node for i in places), *node.parents[len(places) :]]
    return pulled_through(run.repeat(entered), gs, wanted, recorded)


_checkpoint = Primitive("checkpoint", _pull)
