"""Truncated backpropagation through time: a long sequence in stretches, the state carried on and cut off the tape."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from ...structures import mapped
from ...tape import Node
from ...tensor import Tensor

__all__ = ["detach", "truncated_bptt"]

LONG = 1000
"""After how many calls in a row a recorded state is taken for a forgotten one."""

_calls: WeakKeyDictionary[Node, int] = WeakKeyDictionary()
"""For the last states of layers that are on the tape, how many calls in a row have carried them on."""


def detach(state: Any) -> Any:
    """Return a state, or any tensors within tuples, lists, dicts and dataclasses, with all of them cut off the tape.

    >>> import tinygrad_lstm as tg
    >>> lstm = tg.nn.LSTM(3, 5)
    >>> output, state = lstm(tg.ones((7, 2, 3)))
    >>> output, state = lstm(tg.ones((7, 2, 3)), tg.nn.detach(state))
    """
    return mapped(lambda part: part.detach() if isinstance(part, Tensor) else part, state)


def truncated_bptt(model: Callable[..., tuple[Any, Any]], stream: Iterable[Any], state: Any = None) -> Iterator[Any]:
    """Run a model over stretches of a long sequence, the state carried from each to the next and detached in between.

    Parameters
    ----------
    model
        Takes a stretch and a state, and returns its output and the state after it, as `LSTM` does.
    stream
        Gives stretches of the input, or tuples of one and whatever belongs to it, such as the target.
    state
        The state before the first stretch.

    Yields
    ------
    Tensor or tuple
        The output; or, where the stream gives tuples, such a tuple with the output in the place of the input. Its
        gradient ends where the stretch begins.

    References
    ----------
    R. J. Williams and J. Peng, "An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories", Neural Computation 2, 1990.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> lstm = tg.nn.LSTM(1, 4)
    >>> stream = [(tg.ones((5, 2, 1)), tg.zeros((5, 2, 4))) for _ in range(3)]
    >>> for output, target in tg.nn.truncated_bptt(lstm, stream):
    ...     tg.mse_loss(output, target).backward()
    """
    for stretch in stream:
        x, *others = stretch if isinstance(stretch, (tuple, list)) else (stretch,)
        output, state = model(x, state)
        state = detach(state)
        yield (output, *others) if isinstance(stretch, (tuple, list)) else output


def note_carried(op: str, before: Any, after: Tensor) -> None:
    """Take note that a state was carried on by a call, and warn once it looks as if nobody had thought of the tape."""
    if not isinstance(before, Tensor) or type(before.node) is not Node or type(after.node) is not Node:
        return
    _calls[after.node] = calls = _calls.get(before.node, 0) + 1
    if calls == LONG:
        warnings.warn(
            f"{op}: got a state that {LONG:,} calls in a row have carried on and recorded, and all that they computed "
            "is kept for its derivative; cut it off between the calls with nn.detach or nn.truncated_bptt, or compute "
            "under no_grad what is not to be differentiated.",
            stacklevel=5,
        )
