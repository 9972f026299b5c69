"""Streams: a long text as batches for truncated backpropagation, the state carried from one batch to the next."""

from __future__ import annotations

from collections.abc import Iterator

from ..ops.shape import at_least
from ..tensor import Tensor
from .text import TextError

__all__ = ["windows"]


def windows(numbers: Tensor, batch: int, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Give a text as streams that run side by side, some steps at a time.

    The text is cut into equal parts, the streams. Each window goes on where the one before ended, in every stream, so
    the state that a network has after one window is the state before the next. What does not fill the streams, fewer
    than ``batch`` characters at the text's end, is left over.

    Parameters
    ----------
    numbers
        The characters' numbers, shape (N,).
    batch
        B, how many streams there are.
    steps
        T, how many characters of each are in a window; the last window may have fewer.

    Returns
    -------
    iterator of (Tensor, Tensor)
        Inputs and targets, shapes (T, B): the target of a character is the one that follows it.

    Raises
    ------
    TextError
        If the text has no more characters than there are streams.
    ValueError
        If there would be no streams, or no steps.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> for inputs, targets in windows(tg.arange(9), batch=2, steps=3):
    ...     print(inputs.T.tolist(), targets.T.tolist())
    [[0, 1, 2], [4, 5, 6]] [[1, 2, 3], [5, 6, 7]]
    [[3], [7]] [[4], [8]]
    """
    batch, steps = at_least(1, "windows", "batch", batch), at_least(1, "windows", "steps", steps)
    length = (len(numbers) - 1) // batch
    if length < 1:
        raise TextError(
            f"a text of {len(numbers):,} characters is too short for a batch of {batch}: it needs {batch + 1} or more."
        )
    used = batch * length
    inputs, targets = (numbers[first : first + used].reshape(batch, length).T for first in (0, 1))
    return ((inputs[t : t + steps], targets[t : t + steps]) for t in range(0, length, steps))
