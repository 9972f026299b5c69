"""Recurrences compiled by Numba, in single precision: the extra ``fast``. `kernels.choice` says when they are taken.

A thread has some of the sequences and goes through all steps with them, so that threads meet once a pass and not once a
step. The weights are packed once, the gates are one pass over memory that is still in the cache. Of libraries nothing
is called: the products are `tile`'s.
"""

from .gru import GRU
from .lstm import LSTM
from .rnn import RNN

__all__ = ["GRU", "LSTM", "RNN"]
