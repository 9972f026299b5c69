"""The fast path: a whole sequence as one node on the tape, by a kernel.

The composed steps are its definition: derivatives of a higher order go through them, and so does everything while a
`Tape` or another watcher looks on. `stepwise` asks for them in any case.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ... import backend
from ...autodiff.joint import made, parts_of, pulled_through
from ...backend import Array, xp
from ...kernels import Kernel, fastest
from ...kernels.shared import masked
from ...ops import positive
from ...primitive import Primitive
from ...tape import Node, _Context, enable_grad, thread
from ...tensor import Tensor, asarray, wrap

__all__ = ["fused", "is_fusible", "stepwise"]

Twin = Callable[[Sequence[Tensor | None]], Sequence[Tensor]]
"""The composed steps: from the input, the parts of the state and the weights to the outputs and the last state."""

AT_ONCE = 1 << 20
"""How many elements of the states of all steps are computed at once where no derivative will want them."""

_told: set[str] = set()


class _Local(threading.local):
    stepwise = False


_local = _Local()


class stepwise(_Context):
    """Inside, recurrent layers compute step by step, composed of primitives, as they do while a `Tape` records.

    >>> import tinygrad_lstm as tg
    >>> with tg.nn.stepwise():
    ...     output, state = tg.nn.LSTM(3, 5)(tg.ones((7, 2, 3)))
    """

    __slots__ = ()

    def __enter__(self) -> None:
        self.outer = _local.stepwise
        _local.stepwise = True

    def __exit__(self, *exception: object) -> None:
        _local.stepwise = self.outer


def is_fusible(op: str, option: str | None, tensors: Sequence[Tensor]) -> bool:
    """Tell whether a kernel may compute; an option that it does not have says so once.

    Parameters
    ----------
    op
        The name of the layer.
    option
        The option that there is no kernel for, if one was chosen.
    tensors
        The input, the state and the weights, which must be of one floating type.
    """
    if backend.name != "numpy" or _local.stepwise or thread.state.watchers:
        return False
    dtypes = {x.dtype.char for x in tensors}
    if len(dtypes) > 1 or not dtypes <= set("fd"):
        return False
    if option is not None and f"{op} {option}" not in _told:
        _told.add(f"{op} {option}")
        logging.getLogger("tinygrad_lstm").warning(
            "%s: %s is computed step by step; without it, a sequence is computed in one piece, and faster.", op, option
        )
    return option is None


def fused(
    kernel: Kernel, tensors: Sequence[Tensor | None], parts: int, times: range, padding: Any, twin: Twin, record: bool
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Return the outputs and the parts of the last state of a sequence, by a kernel; gates and states by letter.

    Parameters
    ----------
    kernel
        One of `kernels`, in whose place its compiled twin computes where there is one.
    tensors
        The input, the parts of the state, and the weights in the kernel's order, None for one that there is not.
    parts
        How many parts the state has.
    times, padding
        The steps in their order, and which sequences have them.
    twin
        The composed steps.
    record
        Whether the gates and states of every step are wanted.
    """
    arrays = [None if x is None else x.data for x in tensors]
    within = None if padding.within is None else padding.within.data
    x, state, weights = arrays[0], tuple(arrays[1 : 1 + parts]), arrays[1 + parts :]
    kernel = fastest(kernel, x, state, weights)
    parents = tuple(None if x is None else x.node for x in tensors)
    on_tape = thread.state.recording and any(parents)
    if not on_tape and not record:
        outputs, last = _in_stretches(kernel, x, state, weights, times, within)
        return [wrap(y, None) for y in (outputs, *last)], {}
    outputs, last, kept = kernel.forward(x, state, weights, times, within)
    seen = kernel.seen(kept) if record else {}
    shown = [masked(part, within) for part in seen.values()]
    results = [wrap(y, None) for y in (outputs, *last, *shown)]
    if on_tape:
        node = Node(_primitive(kernel.name), parents, (kernel, kept, tensors, twin), (), outputs)
        results = parts_of(node, results)
    return results[: 1 + parts], dict(zip(seen, results[1 + parts :], strict=True))


@cache
def _primitive(name: str) -> Primitive:
    """Return what the tape knows of a kernel of that name."""
    return Primitive(name, _pull)


def _in_stretches(
    kernel: Kernel, x: Array, state: tuple[Array, ...], weights: Sequence[Any], times: range, within: Array | None
) -> tuple[Array, tuple[Array, ...]]:
    """Return the outputs and the last state of a sequence whose gates nobody wants: not all are in memory at once."""
    steps = max(1, AT_ONCE // max(1, state[-1].size))
    outputs = None
    for start in range(0, len(times), steps):
        here = times[start : start + steps]
        part, order = slice(min(here), max(here) + 1), range(len(here))[:: times.step]
        y, state = kernel.forward(x[part], state, weights, order, None if within is None else within[part])[:2]
        if len(here) == len(times):
            return y, state
        if outputs is None:
            outputs = xp.empty((len(times), *y.shape[1:]), y.dtype)
        outputs[part] = y
    return outputs, state


def _pull(node: Node, cotangents: dict[int, Any]) -> list[Any]:
    """Return the cotangents of a sequence's input, state and weights.

    The kernel knows those of the outputs and of the last state. Where there are others, of recorded gates, or where the
    derivative is itself to be recorded, the steps are computed and differentiated.
    """
    assert node.saved is not None
    kernel, kept, tensors, twin = node.saved
    parts = len(kept.state)
    recorded = any(type(g) is Tensor for g in cotangents.values())
    if recorded or max(cotangents) > parts:
        return _pull_through(twin, tensors, cotangents, recorded)
    last = tuple(cotangents.get(1 + part) for part in range(parts))
    d_x, d_state, d_weights = kernel.backward(kept, cotangents.get(0), last, node.parents[0] is not None)
    found = (d_x, *d_state, *map(made, d_weights))
    return [None if parent is None else d for parent, d in zip(node.parents, found, strict=True)]


def _pull_through(
    twin: Twin, tensors: Sequence[Tensor | None], cotangents: dict[int, Any], recorded: bool
) -> list[Any]:
    """Return the same by way of the steps, recorded in their turn or not."""
    entered = [x if x is None or x.node is None else positive(x) if recorded else _leaf(x) for x in tensors]
    with enable_grad():
        results = twin(entered)
    on_tape = [x.node for x in entered if x is not None and x.node is not None]
    found = iter(pulled_through(results, cotangents, on_tape, recorded))
    return [None if x is None or x.node is None else next(found) for x in entered]


def _leaf(x: Tensor) -> Tensor:
    return asarray(x.detach(), requires_grad=True)
