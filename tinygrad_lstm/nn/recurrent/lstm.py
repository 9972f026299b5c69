"""The long short-term memory, with the options of its literature: each one a flag, none a class of its own."""

from __future__ import annotations

from typing import Any, Unpack

from ... import kernels
from ...ops import clip, concat, layer_norm, linear, split
from ...tensor import Tensor
from .base import (
    Activation,
    Noise,
    Options,
    Recurrent,
    Seen,
    State,
    Weights,
    activation,
    check_parts,
    share,
    zoned_out,
)
from .cell import Cell
from .layers import Layers, Lengths

__all__ = ["LSTM", "LSTMCell", "LSTMOptions"]


class LSTMOptions(Options, total=False):
    """The options of an LSTM, besides those of `Options`.

    Attributes
    ----------
    proj_size
        P: show ``W_hr h`` of this length instead of ``h``; 0 for no projection. H. Sak, A. Senior and F. Beaufays,
        "Long short-term memory recurrent neural network architectures for large scale acoustic modeling", Interspeech
        2014.
    forget_bias
        What the forget gate's bias starts from, 1 being a good beginning; None to draw it. R. Jozefowicz, W. Zaremba
        and I. Sutskever, "An empirical exploration of recurrent network architectures", ICML 2015.
    peephole
        The gates see the cell state, each element its own: F. A. Gers, N. N. Schraudolph and J. Schmidhuber, "Learning
        precise timing with LSTM recurrent networks", JMLR 3, 2002. The input and the forget gate see the one before the
        step, the output gate the new one.
    coupled
        Forget what is written over, ``f = 1 - i``: K. Greff et al., "LSTM: a search space odyssey", 2017.
    input_gate, forget_gate, output_gate
        False leaves a gate out, which then stands open.
    gate_recurrence
        The gates see the gates of the step before, which become a part of the state: the full gate recurrence of Greff
        et al., after Hochreiter and Schmidhuber, 1997.
    gate_activation, candidate_activation, output_activation
        The activations of the gates, ``"sigmoid"``, of the candidate, ``"tanh"``, and of the cell state where it is
        shown, ``"tanh"``: names, or functions of a tensor.
    cell_clip
        Clip the cell state to within this distance from 0; None to let it grow. Sak, Senior and Beaufays, as above.
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
    candidate_activation: Activation
    output_activation: Activation
    cell_clip: float | None


class _LSTM(Recurrent):
    """The step of a long short-term memory.

    Attributes
    ----------
    gates
        The letters of the gates that have weights, in their order.
    """

    letters: tuple[str, ...] = ("h", "c")
    kernel = kernels.LSTM
    kernel_weights = ("weight_ih", "weight_hh", "b_x", "weight_hr")

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
        candidate_activation: Activation = "tanh",
        output_activation: Activation = "tanh",
        cell_clip: float | None = None,
        **options: Any,
    ) -> None:
        super()._configure(**options)
        op, H = type(self).__name__, self.hidden_size
        if coupled and not (input_gate and forget_gate):
            raise ValueError(f"{op}: got coupled=True without an input or a forget gate, wanted both to couple.")
        if not 0 <= proj_size < H:
            raise ValueError(f"{op}: got proj_size = {proj_size}, wanted less than hidden_size = {H}, or 0 for none.")
        if cell_clip is not None and not cell_clip > 0:
            raise ValueError(f"{op}: got cell_clip = {cell_clip}, wanted a number above 0, or None.")
        if forget_bias is not None and (coupled or not forget_gate or not self.bias):
            raise ValueError(f"{op}: got forget_bias = {forget_bias}, but there is no bias of a forget gate.")
        has = {"i": input_gate, "f": forget_gate and not coupled, "g": True, "o": output_gate}
        self.blocks = "".join(letter for letter, present in has.items() if present)
        self.gates = self.blocks.replace("g", "")
        self.is_plain = len(self.blocks) == 4 and not gate_recurrence
        if gate_recurrence and not self.gates:
            raise ValueError(f"{op}: got gate_recurrence=True, but there is no gate.")
        self.proj_size, self.forget_bias, self.cell_clip = proj_size, forget_bias, cell_clip
        self.peephole, self.coupled, self.gate_recurrence = peephole, coupled, gate_recurrence
        self.gate_activation = activation(op, "gate_activation", gate_activation)
        self.candidate_activation = activation(op, "candidate_activation", candidate_activation)
        self.output_activation = activation(op, "output_activation", output_activation)
        self.output_size = proj_size or H
        self.state_sizes = (self.output_size, H)
        if gate_recurrence:
            self.letters, self.state_sizes = ("h", "c", "gates"), (*self.state_sizes, len(self.gates) * H)
        activations = (gate_activation, candidate_activation, output_activation)
        self._is_beyond_the_kernel(
            {
                "peephole": peephole, "coupled": coupled, "a gate left out": len(self.blocks) < 4,
                "gate_recurrence": gate_recurrence, "cell_clip": cell_clip,
                "another activation": activations != ("sigmoid", "tanh", "tanh"),
            }
        )  # fmt: skip

    def weight_shapes(self, columns: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights of a layer that reads so many columns, by name."""
        shapes, H = super().weight_shapes(columns), self.hidden_size
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, H)
        if self.peephole:
            shapes |= {f"weight_c{letter}": (H,) for letter in self.gates}
        if self.gate_recurrence:
            shapes["weight_gates"] = (len(self.gates) * H, len(self.gates) * H)
        if self.layer_norm:
            rows = len(self.blocks) * H
            shapes |= {"gain_ih": (rows,), "gain_hh": (rows,), "gain_c": (H,)}
            if self.bias:
                shapes["shift_c"] = (H,)
        return shapes

    def _make_weights(self, columns: int, suffix: str = "") -> None:
        super()._make_weights(columns, suffix)
        if self.forget_bias is not None:
            start = self.blocks.index("f") * self.hidden_size
            for name, value in (("bias_ih", self.forget_bias), ("bias_hh", 0.0)):
                bias = getattr(self, name + suffix)
                values = bias.tolist()
                values[start : start + self.hidden_size] = [value] * self.hidden_size
                bias.assign_(values)

    def step(self, a: Tensor, state: State, w: Weights, noise: Noise, seen: Seen | None) -> State:
        """Return the state after a step; ``a`` is the input's share of the preactivations, (B, 4 H) with all gates."""
        h, c = state[:2]
        s = share(h if noise.h is None else h * noise.h, w.weight_hh, a, w.gains_h)
        i: Any  # and None, as f and o, where there is no such gate
        i, f, g, o = split(s, 4, axis=-1) if self.is_plain else self._preactivations(s, state, w)
        gate = self.gate_activation
        if self.peephole:
            i, f = _seeing(i, c, w.weight_ci), _seeing(f, c, w.weight_cf)
        i = i if i is None else gate(i).named("i")
        f = (1 - i).named("f") if self.coupled else f if f is None else gate(f).named("f")
        g = self.candidate_activation(g).named("g")
        new = (c if f is None else f * c) + (g if i is None else i * g)
        if self.cell_clip is not None:
            new = clip(new, -self.cell_clip, self.cell_clip)
        p_h, p_c = self.zoneout
        c_t = (zoned_out(new, c, p_c, self.training) if p_c else new).named("c")
        if self.peephole:
            o = _seeing(o, new, w.weight_co)
        o = o if o is None else gate(o).named("o")
        shown = self.output_activation(new if w.gain_c is None else layer_norm(new, c.shape[-1], w.gain_c, w.shift_c))
        h_t = shown if o is None else o * shown
        if w.weight_hr is not None:
            h_t = linear(h_t, w.weight_hr)
        h_t = (zoned_out(h_t, h, p_h, self.training) if p_h else h_t).named("h")
        if seen is not None:
            made = {"i": i, "f": f, "g": g, "o": o, "c": c_t, "h": h_t}
            seen.update({letter: part for letter, part in made.items() if part is not None})
        if not self.gate_recurrence:
            return h_t, c_t
        gates = {"i": i, "f": f, "o": o}
        return h_t, c_t, concat([gates[letter] for letter in self.gates], axis=-1).named("gates")

    def _preactivations(self, s: Tensor, state: State, w: Weights) -> tuple[Any, ...]:
        """Return those of i, f, g and o, None for a gate that there is not."""
        parts = dict(zip(self.blocks, split(s, len(self.blocks), axis=-1), strict=True))
        if self.gate_recurrence:
            back = split(linear(state[2], w.weight_gates), len(self.gates), axis=-1)
            for letter, fed_back in zip(self.gates, back, strict=True):
                parts[letter] = parts[letter] + fed_back
        return parts.get("i"), parts.get("f"), parts["g"], parts.get("o")


def _seeing(a: Tensor | None, c: Tensor, peephole: Tensor | None) -> Any:
    """Return a gate's preactivation with what the gate sees of the cell; None for a gate that there is not."""
    return a if a is None or peephole is None else a + peephole * c


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
        ``[W_ii; W_if; W_ig; W_io]``, shape (4 H, I), drawn from U(-k, k) with k = 1 / sqrt(H), as in PyTorch; without
        the block of a gate that is left out.
    weight_hh
        ``[W_hi; W_hf; W_hg; W_ho]``, shape (4 H, O), drawn likewise.
    bias_ih, bias_hh
        Shape (4 H,) each, drawn likewise.
    weight_hr
        The projection, (P, H), with ``proj_size``.
    weight_ci, weight_cf, weight_co
        The peepholes, (H,) each, with ``peephole``.
    weight_gates
        What i, f and o see of themselves, (3 H, 3 H), with ``gate_recurrence``.
    gain_ih, gain_hh, gain_c, shift_c
        Shapes (4 H,), (4 H,), (H,) and (H,), ones and zeros, with ``layer_norm``.

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
            The input of one step; (I,) is that of one sequence alone, and nothing has a B then.
        state
            ``(h, c)``, or zeros if None; with ``gate_recurrence`` there is a third part, the gates.
        noise
            What `noise` has drawn for a sequence; if None, the step draws its own.
        record
            Also return a dict of every gate and state by its letter: ``(h, c), seen``.
        """
        if state is not None:
            check_parts(type(self).__name__, "state", state, self.letters)
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
            How many steps of each sequence are its own: integers, B of them. What stands behind them changes nothing:
            the outputs there are 0, the last state is that of the last step within, and the reverse direction begins
            there.
        record
            Also return, third, a dict of every gate and state at every step by its letter, (L D, T, B, ...) each, 0
            behind the lengths.
        """
        output, last, seen = self._run(x, state, lengths, record)
        return (output, last, seen) if record else (output, last)
