"""Recurrences, products and Adam, compiled by Numba in single and double precision: the extra ``fast``.

A sequence is one call of compiled code, forward and back. A thread has some of the sequences and goes through all steps
with them, or some of the units and waits for the others after each; the weights are packed once, the gates are computed
of what a product has just left in the nearest cache, and the derivatives of weights are added up while what they are
made of is in it. Of libraries nothing is called.

From below: `keeping` and `caching` let later processes find what was compiled; `lanes` are vectors, as long as
`machine` says, `gates` formulas of them, `tile` and `products` matrix products; `team` divides work among threads, of
which `workers` has some; `spare` has large memory again; `sequences` and, for the way back, `stretches` are what
recurrences share, and `lstm`, `gru` and `rnn` are those; `matmul` and `adam` are for all others.
"""

from .adam import adam
from .gru import GRU
from .keeping import KEPT
from .lstm import LSTM
from .matmul import matmul
from .rnn import RNN

__all__ = ["GRU", "KEPT", "LSTM", "RNN", "adam", "matmul"]
