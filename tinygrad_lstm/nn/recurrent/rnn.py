"""The plain recurrent network: one layer of tanh (or another activation) that sees its own last output."""

from __future__ import annotations

from typing import Any, Unpack

from ... import kernels
from ...ops import layer_norm, linear
from ...tensor import Tensor
from .base import Activation, Noise, Options, Recurrent, Seen, State, Weights, activation, zoned_out
from .cell import Cell
from .layers import Layers, Lengths

__all__ = ["RNN", "RNNCell"]


class _RNN(Recurrent):
    """The step of a plain recurrent network."""

    blocks = "h"
    kernel_weights = ("weight_ih", "weight_hh", "b_x")

    def _configure(self, *, nonlinearity: Activation = "tanh", **options: Any) -> None:
        super()._configure(**options)
        self.activation = activation(type(self).__name__, "nonlinearity", nonlinearity)
        self.kernel = kernels.RNN.get(str(nonlinearity), kernels.RNN["tanh"])
        self._is_beyond_the_kernel({"another activation": nonlinearity not in kernels.RNN})

    def weight_shapes(self, columns: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights of a layer that reads so many columns, by name."""
        shapes = super().weight_shapes(columns)
        return {**shapes, "gain": (self.hidden_size,)} if self.layer_norm else shapes

    def prepare(self, w: Weights) -> None:
        """Keep the bias for behind the normalisation, if there is one."""
        super().prepare(w)
        if w.gain is not None:
            w.b_x, w.b_h = None, w.b_x

    def step(self, a: Tensor, state: State, w: Weights, noise: Noise, seen: Seen | None) -> State:
        """Return the state after a step; ``a`` is the input's share of the preactivation, (B, H)."""
        (h,) = state
        s = linear(h if noise.h is None else h * noise.h, w.weight_hh, a)
        if w.gain is not None:
            s = layer_norm(s, self.hidden_size, w.gain, w.b_h)
        h_t = self.activation(s)
        (p,) = self.zoneout
        h_t = (zoned_out(h_t, h, p, self.training) if p else h_t).named("h")
        if seen is not None:
            seen["h"] = h_t
        return (h_t,)


class RNNCell(_RNN, Cell):
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
        ``"tanh"``, ``"relu"``, another activation's name, or a function of a tensor.
    options
        Those of `Options`.

    Attributes
    ----------
    weight_ih, weight_hh
        Shapes (H, I) and (H, H), drawn from U(-k, k) with k = 1 / sqrt(H), as in PyTorch.
    bias_ih, bias_hh
        Shape (H,) each, drawn likewise.
    gain
        Shape (H,), ones, with ``layer_norm``.

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

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: Activation = "tanh",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(input_size, hidden_size, bias, nonlinearity=nonlinearity, **options)

    def forward(self, x: Tensor, h: Tensor | None = None, *, noise: Noise | None = None, record: bool = False) -> Any:
        """Return ``h_t`` of shape (B, H) for ``x`` of shape (B, I) and the state before, zeros if None; or without B.

        See `LSTMCell.forward` for ``noise`` and ``record``.
        """
        (h_t,), seen = self._stepped(x, (h,), noise, record)
        return (h_t, seen) if record else h_t


class RNN(_RNN, Layers):
    """Layers of `RNNCell` over a sequence.

    Parameters
    ----------
    input_size, hidden_size
        I and H.
    num_layers
        L; each layer reads the outputs of the one before.
    nonlinearity
        As for `RNNCell`.
    bias, batch_first, dropout, bidirectional
        As for `LSTM`.
    options
        Those of `Options`.

    Attributes
    ----------
    weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k]
        The weights of layer k, as those of `RNNCell`; with ``_reverse`` behind them, those of the other direction.

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
        nonlinearity: Activation = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, nonlinearity=nonlinearity,
            **options,
        )  # fmt: skip

    def forward(
        self, x: Tensor, h_0: Tensor | None = None, *, lengths: Lengths = None, record: bool = False
    ) -> tuple[Any, ...]:
        """Return the outputs (T, B, D O) and the last states (L D, B, H) for ``x`` of shape (T, B, I), or (T, I).

        The initial states (L D, B, H) are zeros if None. See `LSTM.forward` for ``lengths`` and ``record``.
        """
        output, (h_n,), seen = self._run(x, None if h_0 is None else (h_0,), lengths, record)
        return (output, h_n, seen) if record else (output, h_n)
