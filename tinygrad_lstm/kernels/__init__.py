"""Recurrences in one piece: a whole sequence forward, and backward by a derivative that was worked out by hand.

A kernel is three functions of arrays. They compute what the composed steps of `nn.recurrent` compute, which define
them; no large array is made within the loop over time.

::

    outputs, last, kept = kernel.forward(x, state, weights, times, within)
    d_x, d_state, d_weights = kernel.backward(kept, d_outputs, d_last, needs_x)
    gates_and_states = kernel.seen(kept)

``x`` is (T, B, I), ``state`` a tuple of (B, ·), ``weights`` one with None for what there is not. ``times`` is the range
of steps in the order in which they are taken. ``within`` tells by (T, B, 1) which sequences have which steps, None if
all have all: a sequence keeps its state through the steps that it does not have, and shows 0.

These are in plain NumPy. ``compiled/`` has the same for whoever has Numba, and besides products of matrices, and a step
of Adam in one pass; `fastest`, `matmul` and `adam` choose.

Letters: T steps, B sequences, I, H, O lengths of input, state and output; z preactivations, d_ derivatives.
"""

from .choice import adam, fastest, in_use, matmul
from .gru import GRU
from .lstm import LSTM
from .rnn import RNN
from .shared import Kernel

__all__ = ["GRU", "LSTM", "RNN", "Kernel", "adam", "fastest", "in_use", "matmul"]
