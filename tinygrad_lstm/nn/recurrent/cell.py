"""One step over a batch, for every kind of recurrent network."""

from __future__ import annotations

from typing import Any

from ...ops import zeros
from ...tensor import Tensor
from .base import Noise, Recurrent, Seen, State, check

__all__ = ["Cell"]


class Cell(Recurrent):
    """One step over a batch: a function of the input and the state before."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> None:
        super().__init__(input_size, hidden_size, bias, **options)
        self._make_weights(input_size)

    def noise(self, batch_size: int) -> Noise:
        """Draw the noise of a whole sequence, to be given to each step of it.

        >>> import tinygrad_lstm as tg
        >>> cell = tg.nn.LSTMCell(3, 5, recurrent_dropout=0.5)
        >>> noise, state = cell.noise(batch_size=2), None
        >>> for x in tg.ones((4, 2, 3)):
        ...     state = cell(x, state, noise=noise)
        """
        return self._noise(batch_size)

    def _stepped(
        self, x: Tensor, state: tuple[Tensor | None, ...], noise: Noise | None, record: bool
    ) -> tuple[State, Seen]:
        """Return the state after a step from ``x`` of shape (B, I), and what was seen on the way; None is zeros."""
        op = type(self).__name__
        check(op, "input", x, ("B", self.input_size))
        shapes = [(x.shape[0], size) for size in self.state_sizes()]
        if len(state) != len(shapes):
            raise ValueError(f"{op}: got a state of {len(state)} parts, wanted {', '.join(self.letters)}.")
        start = tuple(zeros(n, dtype=x.dtype) if s is None else s for s, n in zip(state, shapes, strict=True))
        for part, shape in zip(start, shapes, strict=True):
            check(op, "state", part, shape)
        noise = self._noise(x.shape[0]) if noise is None else noise
        w = self._weights("", noise)
        seen: Seen = {}
        return self.step(self._share_of_input(x, w), start, w, noise, seen if record else None), seen
