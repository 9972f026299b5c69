"""Recurrent networks, composed of primitives: nothing in a step is hidden.

``_RNN``, ``_LSTM`` and ``_GRU`` are the mathematics of a step, letter by letter. A cell is one step; a layer runs it
over a sequence, with the input's share of several steps computed at once where that is faster. While a `Tape` records,
each step computes its own share, as it is taught.

Shapes: T steps, B sequences, L layers, I = ``input_size``, H = ``hidden_size``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from ..ops import linear, permute_dims, relu, split, stack, tanh, unstack, zeros
from ..ops.activations import gate
from ..tape import scope, state
from ..tensor import Tensor
from .init import uniform
from .module import Module

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"]

State: TypeAlias = "tuple[Tensor, ...]"
"""What is carried from step to step: ``(h,)``, or ``(h, c)`` for an LSTM, each of shape (B, H)."""

CACHED = 1 << 16
"""How many preactivations are computed at once: in float32, what fits the second cache of a core beside the weights."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": tanh, "relu": relu}


class _RNN:
    """The step of a plain recurrent network."""

    gates: ClassVar[int] = 1
    letters: ClassVar[tuple[str, ...]] = ("h",)
    activation: Callable[[Tensor], Tensor]

    def biases(self, b_ih: Tensor, b_hh: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the bias of the input's share and that of the state's: here both go into the first."""
        return b_ih + b_hh, None

    def step(self, a: Tensor, state: State, W_hh: Tensor, b_hh: Tensor | None) -> State:
        """Return the state after a step; ``a`` is the input's share of the preactivation, (B, H)."""
        (h,) = state
        h = self.activation(linear(h, W_hh, a)).named("h")
        return (h,)


class _LSTM:
    """The step of a long short-term memory."""

    gates: ClassVar[int] = 4
    letters: ClassVar[tuple[str, ...]] = ("h", "c")

    def biases(self, b_ih: Tensor, b_hh: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the bias of the input's share and that of the state's: here both go into the first."""
        return b_ih + b_hh, None

    def step(self, a: Tensor, state: State, W_hh: Tensor, b_hh: Tensor | None) -> State:
        """Return the state after a step; ``a`` is the input's share of the preactivations, (B, 4 H)."""
        h, c = state
        i, f, g, o = split(linear(h, W_hh, a), 4, axis=-1)
        i = gate(i).named("i")
        f = gate(f).named("f")
        g = tanh(g).named("g")
        o = gate(o).named("o")
        c = (f * c + i * g).named("c")
        h = (o * tanh(c)).named("h")
        return h, c


class _GRU:
    """The step of a gated recurrent unit."""

    gates: ClassVar[int] = 3
    letters: ClassVar[tuple[str, ...]] = ("h",)

    def biases(self, b_ih: Tensor, b_hh: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the bias of the input's share and that of the state's, which the reset gate multiplies."""
        return b_ih, b_hh

    def step(self, a: Tensor, state: State, W_hh: Tensor, b_hh: Tensor | None) -> State:
        """Return the state after a step; ``a`` is the input's share of the preactivations, (B, 3 H)."""
        (h,) = state
        a_r, a_z, a_n = split(a, 3, axis=-1)
        b_r, b_z, b_n = split(linear(h, W_hh, b_hh), 3, axis=-1)
        r = gate(a_r + b_r).named("r")
        z = gate(a_z + b_z).named("z")
        n = tanh(a_n + r * b_n).named("n")
        h = ((1 - z) * n + z * h).named("h")
        return (h,)


def _check(op: str, what: str, x: Tensor, wanted: tuple[int | str, ...]) -> None:
    """Refuse a tensor whose shape is not the one wanted; a letter stands for any length."""
    shape = x.shape
    if shape == wanted:
        return
    if len(shape) != len(wanted) or any(isinstance(n, int) and n != m for n, m in zip(wanted, shape, strict=True)):
        raise ValueError(f"{op}: got {what} of shape {shape}, wanted ({', '.join(map(str, wanted))}).")


def _activation(op: str, name: str) -> Callable[[Tensor], Tensor]:
    """Return the activation of a plain network by its name."""
    if name not in ACTIVATIONS:
        raise ValueError(f"{op}: got nonlinearity={name!r}, wanted one of {', '.join(map(repr, ACTIVATIONS))}.")
    return ACTIVATIONS[name]


class _Recurrent(Module):
    """What cells and layers share: weights named and laid out as in `torch.nn`, gates stacked along the first axis."""

    gates: ClassVar[int]
    letters: ClassVar[tuple[str, ...]]
    input_size: int
    hidden_size: int

    if TYPE_CHECKING:

        def biases(self, b_ih: Tensor, b_hh: Tensor) -> tuple[Tensor, Tensor | None]: ...
        def step(self, a: Tensor, state: State, W_hh: Tensor, b_hh: Tensor | None) -> State: ...

    def _make_weights(self, columns: int, bias: bool, suffix: str = "") -> None:
        """Draw the weights of one layer from U(-k, k), k = 1 / sqrt(H), as PyTorch does, and set them as attributes."""
        rows, bound = self.gates * self.hidden_size, 1 / math.sqrt(self.hidden_size)
        setattr(self, f"weight_ih{suffix}", uniform(rows, columns, bound=bound))
        setattr(self, f"weight_hh{suffix}", uniform(rows, self.hidden_size, bound=bound))
        if bias:
            setattr(self, f"bias_ih{suffix}", uniform(rows, bound=bound))
            setattr(self, f"bias_hh{suffix}", uniform(rows, bound=bound))

    def _weights(self, suffix: str = "") -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Return the weights of the input and of the state, and the bias of each one's share, of one layer."""
        b_ih, b_hh = getattr(self, f"bias_ih{suffix}", None), getattr(self, f"bias_hh{suffix}", None)
        if b_ih is not None and b_hh is not None:
            b_ih, b_hh = self.biases(b_ih, b_hh)
        return getattr(self, f"weight_ih{suffix}"), getattr(self, f"weight_hh{suffix}"), b_ih, b_hh


class _Cell(_Recurrent):
    """One step over a batch."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self._make_weights(input_size, bias)

    def _stepped(self, x: Tensor, state: tuple[Tensor | None, ...]) -> State:
        """Return the state after a step from ``x`` of shape (B, I), a state that is None being zeros."""
        op = type(self).__name__
        _check(op, "input", x, ("B", self.input_size))
        shape = (x.shape[0], self.hidden_size)
        start = tuple(zeros(shape, dtype=x.dtype) if s is None else s for s in state)
        for s in start:
            _check(op, "state", s, shape)
        W_ih, W_hh, b_x, b_h = self._weights()
        return self.step(linear(x, W_ih, b_x), start, W_hh, b_h)


class _Layers(_Recurrent):
    """A stack of layers over a sequence."""

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False
    ) -> None:
        if num_layers < 1:
            raise ValueError(f"{type(self).__name__}: got num_layers = {num_layers}, wanted at least 1.")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.batch_first = batch_first
        for layer in range(num_layers):
            self._make_weights(input_size if layer == 0 else hidden_size, bias, f"_l{layer}")

    def _run(self, x: Tensor, initial: State | None) -> tuple[Tensor, State]:
        """Return the outputs of the last layer and the last state of every one, arranged as the input is."""
        batched = x.ndim != 2
        x, initial = self._arranged(x, initial, batched)
        finals = []
        for layer in range(self.num_layers):
            with scope(f"l{layer}"):
                x, final = self._run_layer(x, layer, tuple(s[layer] for s in initial))
            finals.append(final)
        last = tuple(stack(states) for states in zip(*finals, strict=True))
        if not batched:
            return x[:, 0], tuple(states[:, 0] for states in last)
        return (permute_dims(x, (1, 0, 2)) if self.batch_first else x), last

    def _arranged(self, x: Tensor, initial: State | None, batched: bool) -> tuple[Tensor, State]:
        """Return the input as (T, B, I) and the initial state, each part (L, B, H), with all shapes checked."""
        op = type(self).__name__
        axes = ("B", "T", self.input_size) if self.batch_first else ("T", "B", self.input_size)
        _check(op, "input", x, axes if batched else ("T", self.input_size))
        if not batched:
            x = x[:, None]
        elif self.batch_first:
            x = permute_dims(x, (1, 0, 2))
        if x.shape[0] == 0:
            raise ValueError(f"{op}: got a sequence of no steps, wanted at least one.")
        shape = (self.num_layers, x.shape[1], self.hidden_size)
        if initial is None:
            return x, tuple(zeros(shape, dtype=x.dtype) for _ in self.letters)
        for part in initial:
            _check(op, "initial state", part, shape if batched else (self.num_layers, self.hidden_size))
        return x, initial if batched else tuple(part[:, None] for part in initial)

    def _run_layer(self, x: Tensor, layer: int, carried: State) -> tuple[Tensor, State]:
        """Return one layer's outputs, (T, B, H), and its state after the last step."""
        W_ih, W_hh, b_x, b_h = self._weights(f"_l{layer}")
        for part, letter in zip(carried, self.letters, strict=True):
            part.named(letter)
        shares = self._shares(x, W_ih, b_x)
        outputs = []
        for t in range(x.shape[0]):
            with scope(f"t={t + 1}"):
                carried = self.step(next(shares), carried, W_hh, b_h)
            outputs.append(carried[0])
        return stack(outputs), carried

    def _shares(self, x: Tensor, W_ih: Tensor, b_x: Tensor | None) -> Iterator[Tensor]:
        """Give the input's share of each step: as many steps in one product as the cache holds, one while taping."""
        together = 1 if state.watchers else max(1, CACHED // (x.shape[1] * W_ih.shape[0]))
        if together == 1:
            for t in range(x.shape[0]):  # each taken when its step asks for it, in that step's scope
                yield linear(x[t].named("x"), W_ih, b_x)
        else:
            for start in range(0, x.shape[0], together):
                yield from unstack(linear(x[start : start + together], W_ih, b_x))


class RNNCell(_RNN, _Cell):
    """One step of a plain recurrent network.

    ::

        h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

    Parameters
    ----------
    input_size, hidden_size
        I and H.
    bias
        Whether there are biases.
    nonlinearity
        ``"tanh"`` or ``"relu"``.

    Attributes
    ----------
    weight_ih, weight_hh
        Shapes (H, I) and (H, H), drawn from U(-k, k) with k = 1 / sqrt(H), as in PyTorch.
    bias_ih, bias_hh
        Shape (H,) each, drawn likewise.

    References
    ----------
    J. L. Elman, "Finding structure in time", Cognitive Science 14, 1990.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> cell = tg.nn.RNNCell(3, 5)
    >>> cell(tg.ones((2, 3))).shape
    (2, 5)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh") -> None:
        super().__init__(input_size, hidden_size, bias)
        self.activation = _activation("RNNCell", nonlinearity)

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        """Return ``h_t`` of shape (B, H) for ``x`` of shape (B, I) and the state before, zeros if None."""
        return self._stepped(x, (h,))[0]


class LSTMCell(_LSTM, _Cell):
    """One step of a long short-term memory: a stateless function ``(x, (h, c)) -> (h, c)``.

    ::

        i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)      what to write
        f_t = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf)      what to keep
        g_t = tanh   (W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)      the candidate
        o_t = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho)      what to show
        c_t = f_t * c_{t-1} + i_t * g_t
        h_t = o_t * tanh(c_t)

    Parameters
    ----------
    input_size, hidden_size
        I and H.
    bias
        Whether there are biases.

    Attributes
    ----------
    weight_ih
        ``[W_ii; W_if; W_ig; W_io]``, shape (4 H, I), drawn from U(-k, k) with k = 1 / sqrt(H), as in PyTorch.
    weight_hh
        ``[W_hi; W_hf; W_hg; W_ho]``, shape (4 H, H), drawn likewise.
    bias_ih, bias_hh
        Shape (4 H,) each, drawn likewise.

    References
    ----------
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997; with the forget gate of
    F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget", Neural Computation 12(10), 2000.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> cell = tg.nn.LSTMCell(3, 5)
    >>> h, c = cell(tg.ones((2, 3)))
    >>> h, c = cell(tg.ones((2, 3)), (h, c))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    """

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return ``(h_t, c_t)``, each (B, H), for ``x`` of shape (B, I) and the state before, zeros if None."""
        h, c = self._stepped(x, (None, None) if state is None else state)
        return h, c


class GRUCell(_GRU, _Cell):
    """One step of a gated recurrent unit.

    ::

        r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)      reset
        z_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)      update
        n_t = tanh(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))  the candidate
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    The reset gate stands behind the product with ``W_hn``, as in PyTorch and cuDNN.

    Parameters
    ----------
    input_size, hidden_size
        I and H.
    bias
        Whether there are biases.

    Attributes
    ----------
    weight_ih, weight_hh
        Shapes (3 H, I) and (3 H, H), gates in the order r, z, n, drawn from U(-k, k) with k = 1 / sqrt(H).
    bias_ih, bias_hh
        Shape (3 H,) each, drawn likewise.

    References
    ----------
    K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
    EMNLP 2014.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.nn.GRUCell(3, 5)(tg.ones((2, 3))).shape
    (2, 5)
    """

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        """Return ``h_t`` of shape (B, H) for ``x`` of shape (B, I) and the state before, zeros if None."""
        return self._stepped(x, (h,))[0]


class RNN(_RNN, _Layers):
    """Layers of `RNNCell` over a sequence.

    Parameters
    ----------
    input_size, hidden_size
        I and H.
    num_layers
        L; each layer reads the outputs of the one before.
    nonlinearity
        ``"tanh"`` or ``"relu"``.
    bias
        Whether there are biases.
    batch_first
        Whether sequences are (B, T, ...) instead of (T, B, ...); states are (L, B, H) all the same, as in PyTorch.

    Attributes
    ----------
    weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]
        The weights of layer k, as those of `RNNCell`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> output, h_n = tg.nn.RNN(3, 5)(tg.ones((7, 2, 3)))
    >>> output.shape, h_n.shape
    ((7, 2, 5), (1, 2, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first)
        self.activation = _activation("RNN", nonlinearity)

    def forward(self, x: Tensor, h_0: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the outputs (T, B, H) and the last states (L, B, H) for ``x`` of shape (T, B, I), or (T, I).

        The initial states (L, B, H) are zeros if None.
        """
        output, (h_n,) = self._run(x, None if h_0 is None else (h_0,))
        return output, h_n


class LSTM(_LSTM, _Layers):
    """Layers of `LSTMCell` over a sequence.

    Parameters
    ----------
    input_size, hidden_size
        I and H.
    num_layers
        L; each layer reads the outputs of the one before.
    bias
        Whether there are biases.
    batch_first
        Whether sequences are (B, T, ...) instead of (T, B, ...); states are (L, B, H) all the same, as in PyTorch.

    Attributes
    ----------
    weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]
        The weights of layer k, as those of `LSTMCell`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> output, (h_n, c_n) = tg.nn.LSTM(3, 5, num_layers=2)(tg.ones((7, 2, 3)))
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 2, 5), (2, 2, 5), (2, 2, 5))
    """

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the outputs (T, B, H) and the last ``(h_n, c_n)``, (L, B, H) each, for ``x`` (T, B, I), or (T, I).

        The initial ``(h_0, c_0)``, (L, B, H) each, are zeros if None.
        """
        output, (h_n, c_n) = self._run(x, state)
        return output, (h_n, c_n)


class GRU(_GRU, _Layers):
    """Layers of `GRUCell` over a sequence.

    Parameters
    ----------
    input_size, hidden_size
        I and H.
    num_layers
        L; each layer reads the outputs of the one before.
    bias
        Whether there are biases.
    batch_first
        Whether sequences are (B, T, ...) instead of (T, B, ...); states are (L, B, H) all the same, as in PyTorch.

    Attributes
    ----------
    weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]
        The weights of layer k, as those of `GRUCell`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> output, h_n = tg.nn.GRU(3, 5)(tg.ones((7, 2, 3)))
    >>> output.shape, h_n.shape
    ((7, 2, 5), (1, 2, 5))
    """

    def forward(self, x: Tensor, h_0: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the outputs (T, B, H) and the last states (L, B, H) for ``x`` of shape (T, B, I), or (T, I).

        The initial states (L, B, H) are zeros if None.
        """
        output, (h_n,) = self._run(x, None if h_0 is None else (h_0,))
        return output, h_n
