"""Recurrent networks, composed of primitives: nothing in a step is hidden.

`rnn`, `lstm` and `gru` are the mathematics of a step, letter by letter, and the cells and layers made of it; `base`,
`cell` and `layers` are what these share. `variants` are the LSTMs of the literature.
"""

from . import variants
from .base import Noise, Options
from .carrying import detach, truncated_bptt
from .fused import stepwise
from .gru import GRU, GRUCell, GRUOptions
from .lstm import LSTM, LSTMCell, LSTMOptions
from .rnn import RNN, RNNCell

__all__ = [
    "GRU", "LSTM", "RNN", "GRUCell", "GRUOptions", "LSTMCell", "LSTMOptions", "Noise", "Options", "RNNCell", "detach",
    "stepwise", "truncated_bptt", "variants",
]  # fmt: skip
