"""The long short-term memory, with the options of its literature: each one a flag, none a class of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from ...ops import clip, concat, layer_norm, linear, split
from ...tensor import Tensor
from .base import Activation, Noise, Options, Recurrent, Seen, State, Weights, activation, share_of_state, zoned_out
from .cell import Cell
from .layers import Layers, Lengths

__all__ = ["LSTM", "LSTMCell", "LSTMOptions"]


class LSTMOptions(Options, total=False):
    """The options of an LSTM, besides those of `Options`.

    Attributes
    ----------
    proj_size
        P: show ``W_hr h`` of this length instead of ``h``; 0 for no projection. H. Sak, A. Senior and F. Beaufays, "Long
        short-term memory recurrent neural network architectures for large scale acoustic modeling", Interspeech 2014.
    forget_bias
        What the forget gate's bias starts from, 1 being a good beginning; None to draw it. R. Jozefowicz, W. Zaremba
        and I. Sutskever, "An empirical exploration of recurrent network architectures", ICML 2015.
    peephole
        The gates see the cell state, each element its own: F. A. Gers, N. Schraudolph and J. Schmidhuber, "Learning
        precise timing with LSTM recurrent networks", JMLR 3, 2002.
    coupled
        Forget what is written over, ``f = 1 - i``: K. Greff et al., "LSTM: a search space odyssey", 2017.
    input_gate, forget_gate, output_gate
        False leaves a gate out, which then stands open.
    gate_recurrence
        The gates see the gates of the step before, which become a part of the state: the full gate recurrence of Greff
        et al., after Hochreiter and Schmidhuber, 1997.
    gate_activation, cell_activation, output_activation
        The activations of the gates, ``"sigmoid"``, of the candidate, ``"tanh"``, and of the cell state where it is shown,
        ``"tanh"``: names, or functions of a tensor.
    cell_clip
        Clip the cell state to within this distance from 0; None to let it grow.
    """

    proj_size: int
    forget_bias: float | None
    peephole: bool
    coupled: bool
    input_gate: bool
    forget_gate: bool
    output_gate: bool
    gate_recurrence: bool
    gate_activation: Activation
    cell_activation: Activation
    output_activation: Activation
    cell_clip: float | None


class _LSTM(Recurrent):
    """The step of a long short-term memory."""

    def _configure(
        self,
        *,
        proj_size: int = 0,
        forget_bias: float | None = None,
        peephole: bool = False,
        coupled: bool = False,
        input_gate: bool = True,
        forget_gate: bool = True,
        output_gate: bool = True,
        gate_recurrence: bool = False,
        gate_activation: Activation = "sigmoid",
        cell_activation: Activation = "tanh",
        output_activation: Activation = "tanh",
        cell_clip: float | None = None,
        **options: Any,
    ) -> None:
        op = type(self).__name__
        if coupled and not (input_gate and forget_gate):
            raise ValueError(f"{op}: got coupled=True without an input or a forget gate, wanted both to couple.")
        if not 0 <= proj_size < self.hidden_size:
            raise ValueError(f"{op}: got proj_size = {proj_size}, wanted less than hidden_size = {self.hidden_size}.")
        if cell_clip is not None and cell_clip <= 0:
            raise ValueError(f"{op}: got cell_clip = {cell_clip}, wanted a number above 0, or None.")
        if forget_bias is not None and (coupled or not forget_gate or not self.bias):
            raise ValueError(f"{op}: got forget_bias = {forget_bias}, but there is no bias of a forget gate.")
        self.proj_size, self.forget_bias, self.cell_clip = proj_size, forget_bias, cell_clip
        self.peephole, self.coupled, self.gate_recurrence = peephole, coupled, gate_recurrence
        self.has = {"i": input_gate, "f": forget_gate and not coupled, "g": True, "o": output_gate}
        self.gate_activation = activation(op, "gate_activation", gate_activation)
        self.cell_activation = activation(op, "cell_activation", cell_activation)
        self.output_activation = activation(op, "output_activation", output_activation)
        super()._configure(**options)

    @property
    def letters(self) -> tuple[str, ...]:  # type: ignore[override]
        """The parts of the state."""
        return ("h", "c", "gates") if self.gate_recurrence else ("h", "c")

    @property
    def blocks(self) -> str:
        """The letters of the gates and the candidate that there are."""
        return "".join(letter for letter, present in self.has.items() if present)

    @property
    def gate_letters(self) -> str:
        """The letters of the gates that there are."""
        return self.blocks.replace("g", "")

    @property
    def output_size(self) -> int:
        """O: how many elements of the state are shown."""
        return self.proj_size or self.hidden_size

    def state_sizes(self) -> tuple[int, ...]:
        """Return the length of each part of the state."""
        sizes = (self.output_size, self.hidden_size)
        return (*sizes, len(self.gate_letters) * self.hidden_size) if self.gate_recurrence else sizes

    def extra_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return the shapes of the weights that only this kind has, by name."""
        H, shapes = self.hidden_size, {}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, H)
        if self.peephole:
            shapes |= {f"weight_c{letter}": (H,) for letter in self.gate_letters}
        if self.gate_recurrence:
            rows = len(self.gate_letters) * H
            shapes["weight_gg"] = (rows, rows)
        if self.layer_norm:
            shapes |= {"gain_c": (H,), "shift_c": (H,)}
        return shapes

    def _make_weights(self, columns: int, suffix: str = "") -> None:
        super()._make_weights(columns, suffix)
        if self.forget_bias is not None:
            start = self.blocks.index("f") * self.hidden_size
            for name, value in (("bias_ih", self.forget_bias), ("bias_hh", 0.0)):
                bias = getattr(self, name + suffix)
                values = bias.detach().tolist()
                values[start : start + self.hidden_size] = [value] * self.hidden_size
                bias.assign_(values)

    def step(self, a: Tensor, state: State, w: Weights, noise: Noise, seen: Seen | None) -> State:
        """Return the state after a step; ``a`` is the input's share of the preactivations, (B, 4 H) with all gates."""
        h, c = state[:2]
        s = share_of_state(a, h if noise.h is None else h * noise.h, w)
        i, f, g, o = self._preactivations(s, state, w)
        if self.peephole:
            i, f = _peeped(i, c, w.weight_ci), _peeped(f, c, w.weight_cf)
        i = None if i is None else self.gate_activation(i).named("i")
        if self.coupled:
            f = (1 - i).named("f")
        elif f is not None:
            f = self.gate_activation(f).named("f")
        g = self.cell_activation(g).named("g")
        c_t = (c if f is None else f * c) + (g if i is None else i * g)
        if self.cell_clip is not None:
            c_t = clip(c_t, -self.cell_clip, self.cell_clip)
        c_t = zoned_out(c_t, c, self.zoneout[1], self.training).named("c")
        if o is not None:
            o = self.gate_activation(_peeped(o, c_t, w.weight_co) if self.peephole else o).named("o")
        shown = self.output_activation(
            c_t if w.gain_c is None else layer_norm(c_t, w.gain_c.shape, w.gain_c, w.shift_c)
        )
        h_t = shown if o is None else o * shown
        if w.weight_hr is not None:
            h_t = linear(h_t, w.weight_hr)
        h_t = zoned_out(h_t, h, self.zoneout[0], self.training).named("h")
        if seen is not None:
            parts = {"i": i, "f": f, "g": g, "o": o, "c": c_t, "h": h_t}
            seen.update({letter: part for letter, part in parts.items() if part is not None})
        if not self.gate_recurrence:
            return h_t, c_t
        return h_t, c_t, concat([gate for gate in (i, None if self.coupled else f, o) if gate is not None], axis=-1)

    def _preactivations(self, s: Tensor, state: State, w: Weights) -> tuple[Any, Any, Any, Any]:
        """Return those of i, f, g and o, None for a gate that there is not."""
        if len(self.blocks) == 4 and not self.gate_recurrence:
            i, f, g, o = split(s, 4, axis=-1)
            return i, f, g, o
        parts = dict(zip(self.blocks, split(s, len(self.blocks), axis=-1), strict=True))
        if self.gate_recurrence:
            back = split(linear(state[2], w.weight_gg), len(self.gate_letters), axis=-1)
            for letter, share in zip(self.gate_letters, back, strict=True):
                parts[letter] = parts[letter] + share
        return parts.get("i"), parts.get("f"), parts["g"], parts.get("o")


def _peeped(preactivation: Tensor | None, c: Tensor, weight: Tensor | None) -> Tensor | None:
    """Return a gate's preactivation with what it sees of the cell."""
    return preactivation if preactivation is None else preactivation + weight * c


class LSTMCell(_LSTM, Cell):
    """One step of a long short-term memory: a function ``(x, (h, c)) -> (h, c)`` that keeps nothing.

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
    options
        Those of `LSTMOptions`; `tinygrad_lstm.nn.variants` has those of the literature.

    Attributes
    ----------
    weight_ih
        ``[W_ii; W_if; W_ig; W_io]``, shape (4 H, I), drawn from U(-k, k) with k = 1 / sqrt(H), as in PyTorch; without the
        block of a gate that is left out.
    weight_hh
        ``[W_hi; W_hf; W_hg; W_ho]``, shape (4 H, O), drawn likewise.
    bias_ih, bias_hh
        Shape (4 H,) each, drawn likewise.
    weight_hr
        The projection, (P, H), if there is one.
    weight_ci, weight_cf, weight_co
        The peepholes, (H,) each, if there are any.

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

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, **options: Unpack[LSTMOptions]) -> None:
        super().__init__(input_size, hidden_size, bias, **options)

    def forward(
        self, x: Tensor, state: State | None = None, *, noise: Noise | None = None, record: bool = False
    ) -> tuple[Any, ...]:
        """Return ``(h_t, c_t)``, of shapes (B, O) and (B, H), for ``x`` of shape (B, I) and the state before.

        Parameters
        ----------
        x
            The input of one step.
        state
            ``(h, c)``, or zeros if None; with ``gate_recurrence`` there is a third part, the gates.
        noise
            What `noise` has drawn for a sequence; if None, the step draws its own.
        record
            Also return a dict of every gate and state by its letter: ``(h, c), seen``.
        """
        new, seen = self._stepped(x, (None,) * len(self.letters) if state is None else state, noise, record)
        return (new, seen) if record else new


class LSTM(_LSTM, Layers):
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
        Whether sequences are (B, T, ...) instead of (T, B, ...); states are (L D, B, ...) all the same, as in PyTorch.
    dropout
        The probability with which an element is dropped between two layers, in training.
    bidirectional
        Whether there is a second stack that reads from the end; outputs stand side by side, and D is 2.
    options
        Those of `LSTMOptions`; `tinygrad_lstm.nn.variants` has those of the literature.

    Attributes
    ----------
    weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]
        The weights of layer k, as those of `LSTMCell`; with ``_reverse`` behind them, those of the other direction.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> output, (h_n, c_n) = tg.nn.LSTM(3, 5, num_layers=2)(tg.ones((7, 2, 3)))
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 2, 5), (2, 2, 5), (2, 2, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Unpack[LSTMOptions],
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, **options)

    def forward(
        self, x: Tensor, state: State | None = None, *, lengths: Lengths = None, record: bool = False
    ) -> tuple[Any, ...]:
        """Return the outputs (T, B, D O) and the last ``(h_n, c_n)``, (L D, B, ...) each, for ``x`` of shape (T, B, I).

        Parameters
        ----------
        x
            The sequences; (T, I) is one alone, and what is returned has no B then.
        state
            The initial ``(h_0, c_0)``, shaped as the last one; zeros if None.
        lengths
            How many steps of each sequence are its own: integers, B of them. What stands behind them changes nothing: the
            outputs there are 0, the last state is that of the last step within, and the reverse direction begins there.
        record
            Also return, third, a dict of every gate and state at every step by its letter, (L D, T, B, ...) each.
        """
        output, last, seen = self._run(x, state, lengths, record)
        return (output, last, seen) if record else (output, last)
