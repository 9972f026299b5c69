"""Stacks of layers over sequences, in one direction or both, for every kind of recurrent network.

The input's share of several steps is computed at once where that is faster. While a `Tape` records, each step computes
its own share, as it is taught.

Shapes: T steps, B sequences, L layers, D directions, I = ``input_size``, H = ``hidden_size``, O of what is shown of the
state.
"""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from ...backend import host_array
from ...ops import arange, concat, dropout, permute_dims, stack, unstack, where, zeros
from ...ops.activations import probability
from ...ops.shape import at_least
from ...tape import scope, thread
from ...tensor import Tensor, asarray
from .base import Noise, Recurrent, Seen, State, Weights, check, check_parts, share
from .carrying import note_carried
from .fused import fused, is_fusible

__all__ = ["Layers", "Lengths"]

Lengths: TypeAlias = "Tensor | Sequence[int] | None"
"""How many steps each sequence of a batch has, the rest being padding; None if all are full."""

CACHED = 1 << 16
"""How many preactivations are computed at once: in float32, what fits the second cache of a core beside the weights."""

MANY = 1_000
"""Steps from which on Python's collector would take a good part of their time, once it goes on."""


class Padding(NamedTuple):
    """What of a batch lies behind the ends of its sequences.

    Attributes
    ----------
    within
        Whether a step is a sequence's own, shape (T, B, 1); None if all are.
    begin
        The first step at which a sequence has ended.
    """

    within: Tensor | None
    begin: int

    def cleared(self, x: Tensor) -> Tensor:
        """Return something of shape (T, B, ...) with 0 where there is padding."""
        return x if self.within is None else where(self.within, x, 0)

    def kept(self, new: State, old: State, t: int) -> State:
        """Return the state after a step: the old one for the sequences that do not have it."""
        assert self.within is not None
        here = self.within[t]
        return tuple(where(here, ours, theirs) for ours, theirs in zip(new, old, strict=True))


class Layers(Recurrent):
    """A stack of layers over a sequence."""

    weight_ih_l0: Tensor

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
        self.num_layers = num_layers = at_least(1, type(self).__name__, "num_layers", num_layers)
        self.batch_first = batch_first
        self.dropout = probability(type(self).__name__, "dropout", dropout)
        self.bidirectional = bidirectional
        if dropout and num_layers == 1:
            warnings.warn(
                f"{type(self).__name__}: got dropout = {dropout}, which is between layers, and one layer: nothing is "
                "dropped.",
                stacklevel=3,
            )
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
        It is the last layer's part of the last ``h``, but 0 for a sequence of no steps.

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
        output, batched = self._in_time("output", output, self._width)
        steps, batch, _ = output.shape
        counts = self._counts(lengths, batched, steps, batch)
        ends = output[-1] if counts is None else output[asarray(counts) - 1, arange(batch)]
        if self.bidirectional:
            ends = concat([ends[:, : self.output_size], output[0, :, self.output_size :]], axis=-1)
        if counts is not None and 0 in counts:
            ends = where(asarray(counts)[:, None] > 0, ends, 0)
        return ends if batched else ends[0]

    def _run(
        self, x: Tensor, initial: State | None, lengths: Lengths, record: bool
    ) -> tuple[Tensor, State, dict[str, Tensor]]:
        """Return the outputs of the last layer, the last states of all, and what was seen, as the input is arranged."""
        x, batched = self._in_time("input", asarray(x), self.input_size)
        if x.shape[0] == 0:
            raise ValueError(f"{type(self).__name__}: got a sequence of no steps, wanted at least one.")
        starts = self._starts(initial, x.shape[1], batched)
        padding = _padding(self._counts(lengths, batched, *x.shape[:2]), x.shape[0])
        x = padding.cleared(x)  # so that what it holds reaches no gradient
        finals: list[State] = []
        seen: list[Seen] = []
        for layer in range(self.num_layers):
            outputs = []
            for reverse in self._directions:
                suffix, place = _suffix(layer, reverse), len(finals)
                with scope(suffix[1:]):
                    output, final, seen_here = self._run_one(x, suffix, reverse, starts[place], padding, record)
                outputs.append(output)
                finals.append(final)
                seen.append(seen_here)
            x = outputs[0] if len(outputs) == 1 else concat(outputs, axis=-1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = dropout(x, self.dropout)
        last = tuple(stack(parts) if len(parts) > 1 else parts[0][None] for parts in zip(*finals, strict=True))
        record_of_all = {letter: stack([one[letter] for one in seen]) for letter in seen[0]}
        if not batched:
            x, last = x[:, 0], tuple(part[:, 0] for part in last)
            record_of_all = {letter: part[:, :, 0] for letter, part in record_of_all.items()}
        elif self.batch_first:
            x = permute_dims(x, (1, 0, 2))
        if initial is not None:
            note_carried(type(self).__name__, initial[0], last[0])
        return x, last, record_of_all

    def _in_time(self, what: str, x: Tensor, columns: int) -> tuple[Tensor, bool]:
        """Return sequences as (T, B, columns), and whether they are a batch; one alone becomes a batch of one."""
        if x.ndim == 2:
            check(type(self).__name__, what, x, ("T", columns))
            return x[:, None], False
        check(type(self).__name__, what, x, ("B", "T", columns) if self.batch_first else ("T", "B", columns))
        return permute_dims(x, (1, 0, 2)) if self.batch_first else x, True

    def _starts(self, initial: State | None, batch: int, batched: bool) -> list[State]:
        """Return the initial state of each layer and direction, of which each part is (B, .)."""
        op, count = type(self).__name__, self.num_layers * len(self._directions)
        if initial is None:
            dtype = self.weight_ih_l0.dtype
            return [tuple(zeros((batch, n), dtype=dtype) for n in self.state_sizes) for _ in range(count)]
        check_parts(op, "initial state", initial, self.letters)
        for part, size in zip(initial, self.state_sizes, strict=True):
            check(op, "initial state", part, (count, batch, size) if batched else (count, size))
        parts = [asarray(part) if batched else asarray(part)[:, None] for part in initial]
        return [tuple(part[place] for part in parts) for place in range(count)]

    def _counts(self, lengths: Lengths, batched: bool, steps: int, batch: int) -> list[int] | None:
        """Return how many steps each sequence has, with everything checked; None if all have all."""
        if lengths is None:
            return None
        op = type(self).__name__
        if not batched:
            raise ValueError(f"{op}: got lengths for one sequence of shape (T, I), wanted a batch of them.")
        on_host = isinstance(lengths, (list, tuple)) and all(type(n) is int for n in lengths)
        counts = host_array(lengths) if on_host else asarray(lengths)  # no way there and back for what is here
        if counts.shape != (batch,) or (counts.dtype.kind not in "iu" and batch > 0):
            raise ValueError(f"{op}: got lengths of shape {counts.shape} and {counts.dtype}, wanted {batch} integers.")
        listed: list[int] = counts.tolist()
        if any(not 0 <= n <= steps for n in listed):
            raise ValueError(f"{op}: got lengths {listed}, wanted them between 0 and {steps}, the steps of the input.")
        return None if all(n == steps for n in listed) else listed

    def _run_one(
        self, x: Tensor, suffix: str, reverse: bool, carried: State, padding: Padding, record: bool
    ) -> tuple[Tensor, State, Seen]:
        """Return one layer's outputs in one direction, (T, B, O), its last state, and what was seen at each step."""
        noise = self._noise(x.shape[1:2], suffix)
        w = self._weights(suffix, noise)
        for part, letter in zip(carried, self.letters, strict=True):
            part.named(letter)
        times = range(x.shape[0] - 1, -1, -1) if reverse else range(x.shape[0])
        weights = [getattr(w, name) for name in self.kernel_weights]
        present = [x, *carried, *[weight for weight in weights if weight is not None]]
        if not is_fusible(type(self).__name__, self.without_kernel, present):
            return self._steps(x, w, carried, noise, times, padding, record)

        def steps(tensors: Sequence[Any]) -> Sequence[Tensor]:
            for name, weight in zip(self.kernel_weights, tensors[1 + len(carried) :], strict=True):
                setattr(w, name, weight)
            start = tuple(tensors[1 : 1 + len(carried)])
            outputs, last, told = self._steps(tensors[0], w, start, noise, times, padding, record)
            return [outputs, *last, *told.values()]

        results, told = fused(self.kernel, [x, *carried, *weights], len(carried), times, padding, steps, record)
        return results[0], tuple(results[1 : 1 + len(carried)]), told

    def _steps(
        self, x: Tensor, w: Weights, carried: State, noise: Noise, times: range, padding: Padding, record: bool
    ) -> tuple[Tensor, State, Seen]:
        """Return the same as `_run_one`, computed step by step."""
        shares = self._shares(x, w, times)
        outputs: list[Tensor] = []
        seen: list[Seen] = []
        with _without_collector(len(times)):
            for t in times:
                here: Seen | None = {} if record else None
                with scope(f"t={t + 1}"):
                    new = self.step(next(shares), carried, w, noise, here)
                    outputs.append(new[0])
                    carried = new if t < padding.begin else padding.kept(new, carried, t)
                if here is not None:
                    seen.append(here)
        if times.step < 0:
            outputs.reverse()
            seen.reverse()
        told = {letter: padding.cleared(stack([here[letter] for here in seen])) for letter in (seen[0] if seen else ())}
        return padding.cleared(stack(outputs)), carried, told

    def _shares(self, x: Tensor, w: Weights, times: range) -> Iterator[Tensor]:
        """Give the input's share of each step: as many steps in one product as the cache holds, one while taping."""
        together = 1 if thread.state.watchers else max(1, CACHED // max(1, x.shape[1] * w.weight_ih.shape[0]))
        for start in range(0, len(times), together):
            block = times[start : start + together]
            if together == 1:  # taken when its step asks for it, in that step's scope
                yield share(x[block[0]].named("x"), w.weight_ih, w.b_x, w.gains_x)
            else:
                steps = x[min(block) : max(block) + 1]
                shares = unstack(share(steps, w.weight_ih, w.b_x, w.gains_x))
                yield from shares if block.step > 0 else reversed(shares)


@contextlib.contextmanager
def _without_collector(steps: int) -> Iterator[None]:
    """Have Python's collector of cycles wait: a tape has none, and it looks at all nodes over and over.

    What many steps have made counts as old from then on; while it is young, the collector goes through it twice more.
    """
    was_enabled = gc.isenabled()
    are_many = was_enabled and steps >= MANY and not gc.get_freeze_count()
    if are_many:
        gc.collect(1)  # nothing else is young then
    gc.disable()
    try:
        yield
    finally:
        if are_many:
            gc.freeze()
            gc.unfreeze()  # which puts all that was frozen among the old
        if was_enabled:
            gc.enable()


def _padding(counts: list[int] | None, steps: int) -> Padding:
    """Return what lies behind the ends of sequences of so many steps, of which a batch has ``steps`` places."""
    if not counts:
        return Padding(None, steps)
    return Padding(asarray(counts)[None, :, None] > arange(steps)[:, None, None], min(counts))


def _suffix(layer: int, reverse: bool) -> str:
    """Return what stands behind the names of a layer's weights, as in PyTorch."""
    return f"_l{layer}" + ("_reverse" if reverse else "")
