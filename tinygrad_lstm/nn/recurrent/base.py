"""What recurrent cells and layers of every kind share: weights, noise, and the input's and the state's share of a step.

A kind of network says which weights it has and what a step computes. State is explicit: it goes in and comes out, and
nothing remembers it in between.

Shapes: B sequences, I = ``input_size``, H = ``hidden_size``, O of what is shown of the state, H or ``proj_size``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple, TypeAlias, TypedDict

from ... import backend, ops
from ...kernels import Kernel
from ...ops.activations import gate, probability
from ...ops.shape import at_least
from ...tensor import Tensor
from ..init import uniform
from ..module import Module, Parameter

__all__ = [
    "Activation", "Noise", "Options", "Recurrent", "Seen", "State", "Weights", "activation", "check", "check_parts",
    "share", "zoned_out",
]  # fmt: skip

State: TypeAlias = "tuple[Tensor, ...]"
"""What is carried from step to step: ``(h,)``, or ``(h, c)`` for an LSTM, of shapes (B, O) and (B, H)."""

Seen: TypeAlias = "dict[str, Tensor]"
"""Where a step writes its gates and its state, by letter."""

Activation: TypeAlias = "str | Callable[[Tensor], Tensor]"
"""An activation by its name, or any function of a tensor."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": ops.elu, "hardsigmoid": ops.hardsigmoid, "identity": ops.positive, "relu": ops.relu, "sigmoid": gate,
    "softsign": ops.softsign, "tanh": ops.tanh,
}  # fmt: skip
"""The names of activations; ``sigmoid`` goes by way of tanh, which is as exact as a gate can tell."""


class Options(TypedDict, total=False):
    """The options of every kind of recurrent network.

    Attributes
    ----------
    layer_norm
        Normalise the preactivations, with a gain for each, before the biases are added: those of an `RNN` as a whole,
        the input's and the state's share of those of an `LSTM` each as a whole, and those of a `GRU` with the gates and
        the candidate apart. An LSTM's cell state is normalised where it is shown. J. L. Ba, J. R. Kiros and G. E.
        Hinton, "Layer normalization", 2016.
    recurrent_dropout
        The probability with which an element of ``h`` is dropped before a step, the same ones at every step of a
        sequence: Y. Gal and Z. Ghahramani, "A theoretically grounded application of dropout in recurrent neural
        networks", NIPS 2016.
    weight_drop
        The probability with which a weight of ``weight_hh`` is dropped, for a whole sequence: S. Merity, N. S. Keskar
        and R. Socher, "Regularizing and optimizing LSTM language models", ICLR 2018.
    zoneout
        The probability with which an element of the state keeps its old value over a step, or one for each of h and c;
        in evaluation the state is the mean. D. Krueger et al., "Zoneout: regularizing RNNs by randomly preserving
        hidden activations", ICLR 2017.
    """

    layer_norm: bool
    recurrent_dropout: float
    weight_drop: float
    zoneout: float | Sequence[float]


class Weights(SimpleNamespace):
    """The weights of one layer and direction, ready for its steps: by their names, None for one that there is not.

    Besides, ``b_x`` is added to the input's share of a step and ``b_h`` to the state's, and ``gains_x`` and ``gains_h``
    are the gains of what is normalised together in each.
    """

    bias_ih: Any = None
    bias_hh: Any = None
    weight_hr: Any = None
    weight_ci: Any = None
    weight_cf: Any = None
    weight_co: Any = None
    weight_gates: Any = None
    gain: Any = None
    gain_ih: Any = None
    gain_hh: Any = None
    gain_c: Any = None
    shift_c: Any = None
    b_x: Any = None
    b_h: Any = None
    gains_x: Any = None
    gains_h: Any = None


class Noise(NamedTuple):
    """What is drawn once for a whole sequence.

    Attributes
    ----------
    h
        A mask of the state before a step, shape (B, O); None where nothing of it is dropped.
    weight_hh
        A mask of the recurrent weights, of their shape; None where nothing of them is dropped.
    """

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


def check(op: str, what: str, x: Any, wanted: tuple[int | str, ...]) -> None:
    """Refuse what has not the shape that is wanted; a letter stands for any length."""
    shape = getattr(x, "shape", None)
    if shape == wanted:
        return
    if shape is None:
        raise TypeError(f"{op}: got {what} of type {type(x).__name__}, wanted a tensor of shape {_told(wanted)}.")
    if len(shape) != len(wanted) or any(isinstance(n, int) and n != m for n, m in zip(wanted, shape, strict=True)):
        raise ValueError(f"{op}: got {what} of shape {shape}, wanted {_told(wanted)}.")


def _told(shape: tuple[int | str, ...]) -> str:
    """Return a shape as Python writes it, with letters as they are."""
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


def check_parts(op: str, what: str, state: Any, letters: Sequence[str]) -> None:
    """Refuse a state that has not its parts."""
    if isinstance(state, Tensor):
        raise TypeError(f"{op}: got {what} as one tensor of shape {state.shape}, wanted ({', '.join(letters)}).")
    if len(state) != len(letters):
        raise ValueError(f"{op}: got {what} of {len(state)} parts, wanted ({', '.join(letters)}).")


def share(x: Tensor, weight: Tensor, bias: Tensor | None, gains: Sequence[Tensor] | None) -> Tensor:
    """Return ``x @ weight.T`` plus the bias; with gains, each group of rows is normalised before that."""
    if gains is None:
        return ops.linear(x, weight, bias)
    whole = ops.linear(x, weight)
    groups = [whole] if len(gains) == 1 else ops.split(whole, [len(gain) for gain in gains], axis=-1)
    normed = [ops.layer_norm(group, gain.shape, gain) for group, gain in zip(groups, gains, strict=True)]
    whole = normed[0] if len(normed) == 1 else ops.concat(normed, axis=-1)
    return whole if bias is None else whole + bias


def zoned_out(new: Tensor, old: Tensor, p: float, training: bool) -> Tensor:
    """Return a new state with each element kept at its old value with probability ``p``; in evaluation, the mean."""
    if training:
        return ops.where(backend.device_rng.random(new.shape, dtype=backend.xp.float32) < p, old, new)
    return p * old + (1 - p) * new


class Recurrent(Module):
    """A kind of recurrent network: weights named and laid out as in `torch.nn`, gates stacked along the first axis.

    Attributes
    ----------
    blocks
        The letters of the blocks of H rows that the weights have, in their order.
    letters
        The parts of the state.
    state_sizes
        The length of each.
    output_size
        O: how many elements of the state are shown.
    kernel, kernel_weights
        What computes a sequence in one piece, and the names of the weights that it takes, in its order.
    without_kernel
        The option that keeps it from doing so, if one was chosen.
    """

    blocks: str
    letters: tuple[str, ...] = ("h",)
    kernel: Kernel
    kernel_weights: ClassVar[tuple[str, ...]]
    without_kernel: str | None = None

    def __init__(self, input_size: int, hidden_size: int, bias: bool, **options: Any) -> None:
        self.input_size = at_least(1, type(self).__name__, "input_size", input_size)
        self.hidden_size = at_least(1, type(self).__name__, "hidden_size", hidden_size)
        self.bias = bias
        self.output_size = hidden_size
        self.state_sizes: tuple[int, ...] = (hidden_size,)
        self._configure(**options)

    # What a kind of network says of itself

    def _configure(
        self,
        *,
        layer_norm: bool = False,
        recurrent_dropout: float = 0.0,
        weight_drop: float = 0.0,
        zoneout: float | Sequence[float] = 0.0,
        **unknown: Any,
    ) -> None:
        """Take over the options; a kind of network has more of them."""
        if unknown:
            raise TypeError(f"{type(self).__name__}: got {', '.join(unknown)}, but there is no such option.")
        zoneouts = tuple(zoneout) if isinstance(zoneout, Sequence) else (zoneout,) * len(self.letters)
        if len(zoneouts) != len(self.letters):
            parts = ", ".join(self.letters)
            raise ValueError(f"{type(self).__name__}: got zoneout = {zoneout}, wanted one for each of {parts}.")
        self.layer_norm = layer_norm
        self.recurrent_dropout = probability(type(self).__name__, "recurrent_dropout", recurrent_dropout)
        self.weight_drop = probability(type(self).__name__, "weight_drop", weight_drop)
        self.zoneout = tuple(probability(type(self).__name__, "zoneout", p) for p in zoneouts)
        self._is_beyond_the_kernel(
            {"layer_norm": layer_norm, "recurrent_dropout": recurrent_dropout, "zoneout": any(self.zoneout)}
        )

    def _is_beyond_the_kernel(self, chosen: dict[str, Any]) -> None:
        """Remember the first of these options that was chosen: the kernel does not have it."""
        self.without_kernel = self.without_kernel or next((name for name, value in chosen.items() if value), None)

    def weight_shapes(self, columns: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights of a layer that reads so many columns, by name."""
        rows = len(self.blocks) * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, columns), "weight_hh": (rows, self.output_size)}
        return {**shapes, "bias_ih": (rows,), "bias_hh": (rows,)} if self.bias else shapes

    def prepare(self, w: Weights) -> None:
        """Say which biases and gains belong to the input's share of a step, and which to the state's."""
        if w.bias_ih is not None:
            w.b_x = w.bias_ih + w.bias_hh
        if w.gain_ih is not None:
            w.gains_x, w.gains_h = (w.gain_ih,), (w.gain_hh,)

    def step(self, a: Tensor, state: State, w: Weights, noise: Noise, seen: Seen | None) -> State:
        """Return the state after a step; ``a`` is the input's share of the preactivations."""
        raise NotImplementedError

    # What all share

    def _make_weights(self, columns: int, suffix: str = "") -> None:
        """Draw the weights of one layer from U(-k, k), k = 1 / sqrt(H), as PyTorch does, and set them as attributes."""
        bound, shapes = 1 / math.sqrt(self.hidden_size), self.weight_shapes(columns)
        setattr(self, "_made" + suffix, tuple((name, name + suffix, shape) for name, shape in shapes.items()))
        for name, shape in shapes.items():
            start = FIXED.get(name.split("_")[0])
            setattr(self, name + suffix, uniform(*shape, bound=bound) if start is None else Parameter(start(shape)))

    def _weights(self, suffix: str, noise: Noise) -> Weights:
        """Return the weights of one layer and direction, ready for its steps."""
        weights = {}
        for name, attribute, shape in getattr(self, "_made" + suffix):
            weights[name] = weight = getattr(self, attribute)
            if weight is not None and weight.shape != shape:
                check(type(self).__name__, attribute, weight, shape)
        w = Weights(**weights)
        if noise.weight_hh is not None:
            w.weight_hh = w.weight_hh * noise.weight_hh
        self.prepare(w)
        return w

    def _noise(self, batch: tuple[int, ...], suffix: str = "") -> Noise:
        """Draw what is dropped throughout a sequence, for a batch of some shape; nothing in evaluation."""
        if not self.training or not (self.recurrent_dropout or self.weight_drop):
            return QUIET
        weight = getattr(self, "weight_hh" + suffix)
        h = ops.ones((*batch, self.output_size), dtype=weight.dtype)
        return Noise(
            ops.dropout(h, self.recurrent_dropout) if self.recurrent_dropout else None,
            ops.dropout(ops.ones_like(weight), self.weight_drop) if self.weight_drop else None,
        )
