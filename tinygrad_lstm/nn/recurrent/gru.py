"""The gated recurrent unit."""

from __future__ import annotations

from typing import Any, Unpack

from ... import kernels
from ...ops import split
from ...tensor import Tensor
from .base import Activation, Noise, Options, Recurrent, Seen, State, Weights, activation, share, zoned_out
from .cell import Cell
from .layers import Layers, Lengths

__all__ = ["GRU", "GRUCell", "GRUOptions"]


class GRUOptions(Options, total=False):
    """The options of a GRU, besides those of `Options`.

    Attributes
    ----------
    reset_after
        Whether the reset gate stands behind the product with ``W_hn``, as in PyTorch and cuDNN and by default, or
        before it, as in the paper.
    gate_activation, candidate_activation
        The activations of the gates, ``"sigmoid"``, and of the candidate, ``"tanh"``: names, or functions of a tensor.
    """

    reset_after: bool
    gate_activation: Activation
    candidate_activation: Activation


class _GRU(Recurrent):
    """The step of a gated recurrent unit."""

    blocks = "rzn"
    kernel = kernels.GRU
    kernel_weights = ("weight_ih", "weight_hh", "b_x", "b_h")

    def _configure(
        self,
        *,
        reset_after: bool = True,
        gate_activation: Activation = "sigmoid",
        candidate_activation: Activation = "tanh",
        **options: Any,
    ) -> None:
        super()._configure(**options)
        op = type(self).__name__
        self.reset_after = reset_after
        self.gate_activation = activation(op, "gate_activation", gate_activation)
        self.candidate_activation = activation(op, "candidate_activation", candidate_activation)
        is_another = (gate_activation, candidate_activation) != ("sigmoid", "tanh")
        self._is_beyond_the_kernel({"reset_after=False": not reset_after, "another activation": is_another})

    def weight_shapes(self, columns: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights of a layer that reads so many columns, by name."""
        shapes, rows = super().weight_shapes(columns), 3 * self.hidden_size
        return {**shapes, "gain_ih": (rows,), "gain_hh": (rows,)} if self.layer_norm else shapes

    def prepare(self, w: Weights) -> None:
        """Leave the state's bias where the reset gate multiplies it; in the other form, part the weights instead."""
        parts = [2 * self.hidden_size, self.hidden_size]
        if w.gain_ih is not None:
            w.gains_x, w.gains_h = split(w.gain_ih, parts), split(w.gain_hh, parts)
        if self.reset_after:
            w.b_x, w.b_h = w.bias_ih, w.bias_hh
        else:
            w.b_x = None if w.bias_ih is None else w.bias_ih + w.bias_hh
            w.of_gates, w.of_candidate = split(w.weight_hh, parts)

    def step(self, a: Tensor, state: State, w: Weights, noise: Noise, seen: Seen | None) -> State:
        """Return the state after a step; ``a`` is the input's share of the preactivations, (B, 3 H)."""
        (h,) = state
        h_seen = h if noise.h is None else h * noise.h
        r, z, n = self._after(a, h_seen, w) if self.reset_after else self._before(a, h_seen, w)
        h_t = (1 - z) * n + z * h
        (p,) = self.zoneout
        h_t = (zoned_out(h_t, h, p, self.training) if p else h_t).named("h")
        if seen is not None:
            seen.update(r=r, z=z, n=n, h=h_t)
        return (h_t,)

    def _after(self, a: Tensor, h: Tensor, w: Weights) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gates and the candidate, the reset gate standing behind the product."""
        a_r, a_z, a_n = split(a, 3, axis=-1)
        b_r, b_z, b_n = split(share(h, w.weight_hh, w.b_h, w.gains_h), 3, axis=-1)
        r = self.gate_activation(a_r + b_r).named("r")
        z = self.gate_activation(a_z + b_z).named("z")
        n = self.candidate_activation(a_n + r * b_n).named("n")
        return r, z, n

    def _before(self, a: Tensor, h: Tensor, w: Weights) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gates and the candidate, the reset gate standing before the product."""
        a_rz, a_n = split(a, [2 * self.hidden_size, self.hidden_size], axis=-1)
        of_gates, of_candidate = (None, None) if w.gains_h is None else ([gain] for gain in w.gains_h)
        r, z = split(share(h, w.of_gates, a_rz, of_gates), 2, axis=-1)
        r, z = self.gate_activation(r).named("r"), self.gate_activation(z).named("z")
        n = self.candidate_activation(share(r * h, w.of_candidate, a_n, of_candidate)).named("n")
        return r, z, n


class GRUCell(_GRU, Cell):
    """One step of a gated recurrent unit.

    ::

        r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)      reset
        z_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)      update
        n_t = tanh(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))  the candidate
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    The reset gate stands behind the product with ``W_hn``, as in PyTorch and cuDNN; with ``reset_after=False`` before
    it, ``W_hn (r_t * h_{t-1})``, as in the paper.

    Parameters
    ----------
    input_size, hidden_size
        I and H.
    bias
        Whether there are biases.
    options
        Those of `GRUOptions`.

    Attributes
    ----------
    weight_ih, weight_hh
        Shapes (3 H, I) and (3 H, H), gates in the order r, z, n, drawn from U(-k, k) with k = 1 / sqrt(H).
    bias_ih, bias_hh
        Shape (3 H,) each, drawn likewise.
    gain_ih, gain_hh
        Shape (3 H,) each, ones, with ``layer_norm``.

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

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, **options: Unpack[GRUOptions]) -> None:
        super().__init__(input_size, hidden_size, bias, **options)

    def forward(self, x: Tensor, h: Tensor | None = None, *, noise: Noise | None = None, record: bool = False) -> Any:
        """Return ``h_t`` of shape (B, H) for ``x`` of shape (B, I) and the state before, zeros if None; or without B.

        See `LSTMCell.forward` for ``noise`` and ``record``.
        """
        (h_t,), seen = self._stepped(x, (h,), noise, record)
        return (h_t, seen) if record else h_t


class GRU(_GRU, Layers):
    """Layers of `GRUCell` over a sequence.

    Parameters
    ----------
    input_size, hidden_size
        I and H.
    num_layers
        L; each layer reads the outputs of the one before.
    bias, batch_first, dropout, bidirectional
        As for `LSTM`.
    options
        Those of `GRUOptions`.

    Attributes
    ----------
    weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]
        The weights of layer k, as those of `GRUCell`; with ``_reverse`` behind them, those of the other direction.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> output, h_n = tg.nn.GRU(3, 5)(tg.ones((7, 2, 3)))
    >>> output.shape, h_n.shape
    ((7, 2, 5), (1, 2, 5))
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
        **options: Unpack[GRUOptions],
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, **options)

    def forward(
        self, x: Tensor, h_0: Tensor | None = None, *, lengths: Lengths = None, record: bool = False
    ) -> tuple[Any, ...]:
        """Return the outputs (T, B, D H) and the last states (L D, B, H) for ``x`` of shape (T, B, I), or (T, I).

        The initial states (L D, B, H) are zeros if None. See `LSTM.forward` for ``lengths`` and ``record``.
        """
        output, (h_n,), seen = self._run(x, None if h_0 is None else (h_0,), lengths, record)
        return (output, h_n, seen) if record else (output, h_n)
