"""Truncated backpropagation through time: a long sequence in stretches, the state carried on and cut off the tape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ...tensor import Tensor

__all__ = ["detach", "truncated_bptt"]


def detach(state: Any) -> Any:
    """Return a state, or nested tuples and lists of tensors, with every tensor cut off the tape.

    >>> import tinygrad_lstm as tg
    >>> lstm = tg.nn.LSTM(3, 5)
    >>> output, state = lstm(tg.ones((7, 2, 3)))
    >>> output, state = lstm(tg.ones((7, 2, 3)), tg.nn.detach(state))
    """
    if isinstance(state, Tensor):
        return state.detach()
    return type(state)([detach(part) for part in state]) if isinstance(state, (tuple, list)) else state


def truncated_bptt(
    model: Callable[..., tuple[Any, Any]], stream: Iterable[tuple[Any, ...]], state: Any = None
) -> Iterator[tuple[Any, ...]]:
    """Run a model over stretches of a long sequence, the state carried from each to the next and detached in between.

    Parameters
    ----------
    model
        Takes a stretch and a state, and returns its output and the state after it, as `LSTM` does.
    stream
        Gives tuples: a stretch of the input, and whatever belongs to it, such as the target.
    state
        The state before the first stretch.

    Yields
    ------
    tuple
        The output, in the place of the input; then the rest of the stream's tuple. Gradients of it end where the stretch
        begins.

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
    for x, *rest in stream:
        output, state = model(x, state)
        state = detach(state)
        yield output, *rest
