"""What recurrent cells and layers of every kind share: weights, noise, and the input's and the state's share of a step.

A kind of network says which weights it has and what a step computes. State is explicit: it goes in and comes out, and
nothing remembers it in between.

Shapes: B sequences, I = ``input_size``, H = ``hidden_size``, O of what is shown of the state, H or ``proj_size``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple, TypeAlias, TypedDict

from ... import backend, ops
from ...ops.activations import gate
from ...tensor import Tensor
from ..init import uniform
from ..module import Module, Parameter

__all__ = [
    "Activation",
    "Noise",
    "Options",
    "Recurrent",
    "Seen",
    "State",
    "Weights",
    "activation",
    "check",
    "zoned_out",
]

State: TypeAlias = "tuple[Tensor, ...]"
"""What is carried from step to step: ``(h,)``, or ``(h, c)`` for an LSTM, each of shape (B, H)."""

Seen: TypeAlias = "dict[str, Tensor]"
"""Where a step writes its gates and its state, by letter."""

Activation: TypeAlias = "str | Callable[[Tensor], Tensor]"
"""An activation by its name, or any function of a tensor."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": ops.elu, "hardsigmoid": ops.hardsigmoid, "identity": lambda x: x, "relu": ops.relu, "sigmoid": gate,
    "softsign": ops.softsign, "tanh": ops.tanh,
}  # fmt: skip
"""The names of activations; ``sigmoid`` goes by way of tanh, which is as exact as a gate can tell."""


class Options(TypedDict, total=False):
    """The options of every kind of recurrent network.

    Attributes
    ----------
    layer_norm
        Normalise the input's and the state's share of the preactivations, each as a whole, with a gain for each: J. L.
        Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", 2016.
    recurrent_dropout
        The probability with which an element of the state is dropped before a step, the same ones at every step of a
        sequence: Y. Gal and Z. Ghahramani, "A theoretically grounded application of dropout in recurrent neural
        networks", NIPS 2016.
    weight_drop
        The probability with which a weight of ``weight_hh`` is dropped, for a whole sequence: S. Merity, N. S. Keskar
        and R. Socher, "Regularizing and optimizing LSTM language models", ICLR 2018.
    zoneout
        The probability with which an element of the state keeps its old value over a step, or one for each part of the
        state: D. Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations", ICLR 2017.
    """

    layer_norm: bool
    recurrent_dropout: float
    weight_drop: float
    zoneout: float | tuple[float, ...]


class Weights(SimpleNamespace):
    """The weights of one layer and direction by their names, None for one that it does not have."""

    weight_hr = weight_ci = weight_cf = weight_co = weight_gg = gain_c = shift_c = None
    of_gates: Weights
    of_candidate: Weights


class Noise(NamedTuple):
    """What is drawn once for a whole sequence: masks of the state before a step, and of the recurrent weights."""

    h: Tensor | None = None
    weight_hh: Tensor | None = None


QUIET = Noise()

FIXED = {"gain": ops.ones, "shift": ops.zeros}
"""What weights start from whose names begin so; all others are drawn."""


def activation(op: str, option: str, chosen: Activation) -> Callable[[Tensor], Tensor]:
    """Return an activation that was asked for by an option."""
    if callable(chosen):
        return chosen
    if chosen not in ACTIVATIONS:
        names = ", ".join(map(repr, ACTIVATIONS))
        raise ValueError(f"{op}: got {option}={chosen!r}, wanted one of {names}, or a function of a tensor.")
    return ACTIVATIONS[chosen]


def check(op: str, what: str, x: Tensor, wanted: tuple[int | str, ...]) -> None:
    """Refuse a tensor whose shape is not the one wanted; a letter stands for any length."""
    shape = x.shape
    if shape == wanted:
        return
    if len(shape) != len(wanted) or any(isinstance(n, int) and n != m for n, m in zip(wanted, shape, strict=True)):
        raise ValueError(f"{op}: got {what} of shape {shape}, wanted ({', '.join(map(str, wanted))}).")


def zoned_out(new: Tensor, old: Tensor, p: float, training: bool) -> Tensor:
    """Return a new state with each element kept at its old value with probability ``p``; in evaluation, the mean."""
    if p == 0:
        return new
    if training:
        return ops.where(backend.device_rng.random(new.shape, dtype=backend.xp.float32) < p, old, new)
    return p * old + (1 - p) * new


class Recurrent(Module):
    """A kind of recurrent network: weights named and laid out as in `torch.nn`, gates stacked along the first axis."""

    letters: ClassVar[tuple[str, ...]]
    """The parts of the state."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool, **options: Any) -> None:
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise ValueError(f"{type(self).__name__}: got {name} = {size}, wanted at least 1.")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self._configure(**options)

    # What a kind of network says of itself

    def _configure(
        self,
        *,
        layer_norm: bool = False,
        recurrent_dropout: float = 0.0,
        weight_drop: float = 0.0,
        zoneout: float | tuple[float, ...] = 0.0,
    ) -> None:
        """Take over the options; a kind of network has more of them."""
        zoneouts = zoneout if isinstance(zoneout, tuple) else (zoneout,) * len(self.letters)
        if len(zoneouts) != len(self.letters):
            parts = ", ".join(self.letters)
            raise ValueError(f"{type(self).__name__}: got zoneout = {zoneout}, wanted one for each of {parts}.")
        self.layer_norm = layer_norm
        self.recurrent_dropout = self.probability("recurrent_dropout", recurrent_dropout)
        self.weight_drop = self.probability("weight_drop", weight_drop)
        self.zoneout = tuple(self.probability("zoneout", p) for p in zoneouts)

    @property
    def blocks(self) -> str:
        """The letters of the blocks of H rows that the weights have, in their order."""
        raise NotImplementedError

    @property
    def output_size(self) -> int:
        """O: how many elements of the state are shown."""
        return self.hidden_size

    def state_sizes(self) -> tuple[int, ...]:
        """Return the length of each part of the state."""
        return (self.output_size,)

    def extra_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return the shapes of the weights that only this kind has, by name."""
        return {}

    def prepare(self, w: Weights) -> None:
        """Put the biases where a step wants them: ``b_x`` with the input's share, ``b_h`` with the state's."""
        w.b_x, w.b_h = (None, None) if w.bias_ih is None else (w.bias_ih + w.bias_hh, None)

    def step(self, a: Tensor, state: State, w: Weights, noise: Noise, seen: Seen | None) -> State:
        """Return the state after a step; ``a`` is the input's share of the preactivations."""
        raise NotImplementedError

    # What all share

    def probability(self, option: str, p: float) -> float:
        """Return a probability, or refuse it in the name of an option."""
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: got {option} = {p}, wanted a probability between 0 and 1.")
        return p

    def _make_weights(self, columns: int, suffix: str = "") -> None:
        """Draw the weights of one layer from U(-k, k), k = 1 / sqrt(H), as PyTorch does, and set them as attributes."""
        rows, bound = len(self.blocks) * self.hidden_size, 1 / math.sqrt(self.hidden_size)
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, columns), "weight_hh": (rows, self.output_size)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.layer_norm:
            shapes |= {"gain_ih": (rows,), "gain_hh": (rows,)}
        for name, shape in {**shapes, **self.extra_shapes()}.items():
            start = FIXED.get(name.split("_")[0])
            setattr(self, name + suffix, uniform(*shape, bound=bound) if start is None else Parameter(start(shape)))

    def _weights(self, suffix: str, noise: Noise) -> Weights:
        """Return the weights of one layer and direction, ready for its steps."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "gain_ih", "gain_hh", *self.extra_shapes())
        w = Weights(**{name: getattr(self, name + suffix, None) for name in names})
        if noise.weight_hh is not None:
            w.weight_hh = w.weight_hh * noise.weight_hh
        self.prepare(w)
        return w

    def _noise(self, batch_size: int, suffix: str = "") -> Noise:
        """Draw what is dropped throughout a sequence; nothing in evaluation."""
        if not self.training or not (self.recurrent_dropout or self.weight_drop):
            return QUIET
        weight = getattr(self, "weight_hh" + suffix)
        h = ops.ones((batch_size, self.output_size), dtype=weight.dtype)
        return Noise(
            ops.dropout(h, self.recurrent_dropout) if self.recurrent_dropout else None,
            ops.dropout(ops.ones_like(weight), self.weight_drop) if self.weight_drop else None,
        )

    def _share_of_input(self, x: Tensor, w: Weights) -> Tensor:
        """Return the input's share of the preactivations."""
        return _share(x, w.weight_ih, w.b_x, w.gain_ih)


def share_of_state(a: Tensor, h: Tensor, w: Weights) -> Tensor:
    """Return the preactivations: the state's share added to the input's."""
    return _share(h, w.weight_hh, a, w.gain_hh)


def _share(x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None) -> Tensor:
    """Return ``x @ weight.T``, normalised if there is a gain, and the bias added to it."""
    if gain is None:
        return ops.linear(x, weight, bias)
    share = ops.layer_norm(ops.linear(x, weight), gain.shape, gain)
    return share if bias is None else share + bias
