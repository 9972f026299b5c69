"""Stacks of layers over sequences, in one direction or both, for every kind of recurrent network.

The input's share of several steps is computed at once where that is faster. While a `Tape` records, each step computes
its own share, as it is taught.

Shapes: T steps, B sequences, L layers, D directions, I = ``input_size``, H = ``hidden_size``, O of what is shown of the
state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from ...ops import concat, dropout, permute_dims, stack, unstack, where, zeros
from ...tape import scope
from ...tape import state as thread
from ...tensor import Tensor, asarray, wrap
from .base import Recurrent, Seen, State, Weights, check

__all__ = ["Layers", "Lengths"]

Lengths: TypeAlias = "Tensor | Sequence[int] | None"
"""How many steps each sequence of a batch has, the rest being padding; None if all are full."""

CACHED = 1 << 16
"""How many preactivations are computed at once: in float32, what fits the second cache of a core beside the weights."""


class Layers(Recurrent):
    """A stack of layers over a sequence."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, **options)
        if num_layers < 1:
            raise ValueError(f"{type(self).__name__}: got num_layers = {num_layers}, wanted at least 1.")
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.dropout = self.probability("dropout", dropout)
        self.bidirectional = bidirectional
        for layer in range(num_layers):
            for reverse in self._directions:
                self._make_weights(input_size if layer == 0 else self._width, _suffix(layer, reverse))

    @property
    def _directions(self) -> tuple[bool, ...]:
        """Whether each direction is the reverse one."""
        return (False, True) if self.bidirectional else (False,)

    @property
    def _width(self) -> int:
        """The length of an output: D O."""
        return len(self._directions) * self.output_size

    def last(self, output: Tensor, lengths: Lengths = None) -> Tensor:
        """Return the last layer's output once it has seen the whole of each sequence, of shape (B, D O).

        That is not ``output[-1]``: a shorter sequence ends earlier, and the reverse direction ends at the first step.

        Parameters
        ----------
        output
            What `forward` returned.
        lengths
            What `forward` was given.

        Examples
        --------
        >>> import tinygrad_lstm as tg
        >>> lstm = tg.nn.LSTM(3, 5, bidirectional=True)
        >>> output, (h_n, c_n) = lstm(tg.ones((7, 2, 3)), lengths=[7, 4])
        >>> last = lstm.last(output, lengths=[7, 4])
        >>> bool(tg.all(last == tg.concat(list(h_n), axis=-1)))
        True
        """
        if output.ndim == 2:
            return self.last(output[:, None])[0]
        if self.batch_first:
            output = permute_dims(output, (1, 0, 2))
        steps, batch, _ = output.shape
        counts = self._counts(lengths, steps, batch)
        ends = output[-1] if counts is None else output[asarray(counts) - 1, asarray(list(range(batch)))]
        if not self.bidirectional:
            return ends
        return concat([ends[:, : self.output_size], output[0][:, self.output_size :]], axis=-1)

    def _run(
        self, x: Tensor, initial: State | None, lengths: Lengths, record: bool
    ) -> tuple[Tensor, State, dict[str, Tensor]]:
        """Return the outputs of the last layer, the last states of all, and what was seen, as the input is arranged."""
        batched = x.ndim != 2
        x, initial = self._arranged(x, initial, batched)
        if lengths is not None and not batched:
            raise ValueError(
                f"{type(self).__name__}: got lengths for a sequence of shape (T, I), wanted a batch of them."
            )
        within = self._within(self._counts(lengths, x.shape[0], x.shape[1]), x.shape[0])
        if within is not None:
            x = where(stack(within), x, 0)  # so that padding, whatever it holds, reaches no gradient
        finals, seen = [], []
        for layer in range(self.num_layers):
            outputs = []
            for reverse in self._directions:
                suffix, place = _suffix(layer, reverse), len(finals)
                with scope(suffix[1:]):
                    start = tuple(part[place] for part in initial)
                    output, final, seen_here = self._run_one(x, suffix, reverse, start, within, record)
                outputs.append(output)
                finals.append(final)
                seen.append(seen_here)
            x = outputs[0] if len(outputs) == 1 else concat(outputs, axis=-1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = dropout(x, self.dropout)
        last = tuple(stack(parts) for parts in zip(*finals, strict=True))
        record_of_all = {letter: stack([one[letter] for one in seen]) for letter in seen[0]}
        if not batched:
            return x[:, 0], tuple(part[:, 0] for part in last), {k: v[:, :, 0] for k, v in record_of_all.items()}
        return (permute_dims(x, (1, 0, 2)) if self.batch_first else x), last, record_of_all

    def _arranged(self, x: Tensor, initial: State | None, batched: bool) -> tuple[Tensor, State]:
        """Return the input as (T, B, I) and the parts of the initial state as (L D, B, .), with all shapes checked."""
        op = type(self).__name__
        axes = ("B", "T", self.input_size) if self.batch_first else ("T", "B", self.input_size)
        check(op, "input", x, axes if batched else ("T", self.input_size))
        if not batched:
            x = x[:, None]
        elif self.batch_first:
            x = permute_dims(x, (1, 0, 2))
        if x.shape[0] == 0:
            raise ValueError(f"{op}: got a sequence of no steps, wanted at least one.")
        count = self.num_layers * len(self._directions)
        sizes = self.state_sizes()
        if initial is None:
            return x, tuple(zeros((count, x.shape[1], size), dtype=x.dtype) for size in sizes)
        if len(initial) != len(sizes):
            raise ValueError(f"{op}: got an initial state of {len(initial)} parts, wanted {', '.join(self.letters)}.")
        for part, size in zip(initial, sizes, strict=True):
            check(op, "initial state", part, (count, x.shape[1], size) if batched else (count, size))
        return x, initial if batched else tuple(part[:, None] for part in initial)

    def _counts(self, lengths: Lengths, steps: int, batch: int) -> list[int] | None:
        """Return how many steps each sequence has, with everything checked."""
        if lengths is None:
            return None
        op, counts = type(self).__name__, asarray(lengths)
        if counts.shape != (batch,) or counts.dtype.kind not in "iu":
            raise ValueError(f"{op}: got lengths of shape {counts.shape} and {counts.dtype}, wanted {batch} integers.")
        listed: list[int] = counts.tolist()
        if any(not 0 <= n <= steps for n in listed):
            raise ValueError(f"{op}: got lengths {listed}, wanted them between 0 and {steps}, the steps of the input.")
        return listed

    def _within(self, counts: list[int] | None, steps: int) -> list[Tensor] | None:
        """Return for each step which sequences have it, shape (B, 1); None if all have all."""
        if counts is None or all(n == steps for n in counts):
            return None
        device = asarray(counts).data[:, None]
        return [wrap(device > t, None) for t in range(steps)]

    def _run_one(
        self, x: Tensor, suffix: str, reverse: bool, carried: State, within: list[Tensor] | None, record: bool
    ) -> tuple[Tensor, State, Seen]:
        """Return one layer's outputs in one direction, (T, B, O), its last state, and what was seen at each step."""
        noise = self._noise(x.shape[1], suffix)
        w = self._weights(suffix, noise)
        for part, letter in zip(carried, self.letters, strict=True):
            part.named(letter)
        times = range(x.shape[0] - 1, -1, -1) if reverse else range(x.shape[0])
        shares = self._shares(x, w, times)
        outputs, seen = {}, {}
        for t in times:
            seen[t] = {} if record else None
            with scope(f"t={t + 1}"):
                new = self.step(next(shares), carried, w, noise, seen[t])
                outputs[t] = new[0]
                if within is not None:
                    outputs[t] = where(within[t], new[0], 0)
                    new = tuple(where(within[t], ours, old) for ours, old in zip(new, carried, strict=True))
            carried = new
        steps = range(x.shape[0])
        told = {letter: stack([seen[t][letter] for t in steps]) for letter in seen[0] or {}}
        return stack([outputs[t] for t in steps]), carried, told

    def _shares(self, x: Tensor, w: Weights, times: range) -> Iterator[Tensor]:
        """Give the input's share of each step: as many steps in one product as the cache holds, one while taping."""
        together = 1 if thread.watchers else max(1, CACHED // max(1, x.shape[1] * w.weight_ih.shape[0]))
        for start in range(0, len(times), together):
            block = times[start : start + together]
            if together == 1:  # taken when its step asks for it, in that step's scope
                yield self._share_of_input(x[block[0]].named("x"), w)
            else:
                shares = unstack(self._share_of_input(x[min(block) : max(block) + 1], w))
                yield from shares if block.step > 0 else reversed(shares)


def _suffix(layer: int, reverse: bool) -> str:
    """Return what stands behind the names of a layer's weights, as in PyTorch."""
    return f"_l{layer}" + ("_reverse" if reverse else "")
