"""One step over a batch, for every kind of recurrent network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ops import zeros
from ...tensor import Tensor, asarray
from .base import Noise, Recurrent, Seen, State, check, share

__all__ = ["Cell"]


class Cell(Recurrent):
    """One step over a batch: a function of the input and the state before."""

    weight_ih: Tensor

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> None:
        super().__init__(input_size, hidden_size, bias, **options)
        self._make_weights(input_size)

    def noise(self, batch_size: int | None = None) -> Noise:
        """Draw the noise of a whole sequence, or of a batch of them, to be given to each step.

        >>> import tinygrad_lstm as tg
        >>> cell = tg.nn.LSTMCell(3, 5, recurrent_dropout=0.5)
        >>> noise, state = cell.noise(batch_size=2), None
        >>> for x in tg.ones((4, 2, 3)):
        ...     state = cell(x, state, noise=noise)
        """
        return self._noise(() if batch_size is None else (batch_size,))

    def _stepped(
        self, x: Tensor, state: Sequence[Tensor | None], noise: Noise | None, record: bool
    ) -> tuple[State, Seen]:
        """Return the state after a step from ``x`` of shape (B, I) or (I,), and what was seen on the way."""
        op, x = type(self).__name__, asarray(x)
        batch = x.shape[:-1][:1]
        if x.shape != (*batch, self.input_size):
            check(op, "input", x, ("B", self.input_size) if batch else (self.input_size,))
        start = []
        for part, size in zip(state, self.state_sizes, strict=True):
            wanted = (*batch, size)
            if part is None:
                part = zeros(wanted, dtype=self.weight_ih.dtype)
            elif getattr(part, "shape", None) != wanted:
                check(op, "state", part, wanted)
            start.append(part)
        w = self._weights("", noise := self._noise(batch) if noise is None else noise)
        seen: Seen = {}
        a = share(x, w.weight_ih, w.b_x, w.gains_x)
        return self.step(a, tuple(start), w, noise, seen if record else None), seen
