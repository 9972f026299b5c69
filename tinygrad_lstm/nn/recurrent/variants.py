"""The LSTMs of the literature, as options of `LSTM` and `LSTMCell`.

>>> import tinygrad_lstm as tg
>>> lstm = tg.nn.LSTM(3, 5, **tg.nn.variants.PEEPHOLE_2002)
"""

from __future__ import annotations

from .lstm import LSTMOptions

__all__ = [
    "CIFG", "FGR", "FORGET_GATE_2000", "GREFF", "NFG", "NIAF", "NIG", "NOAF", "NOG", "NO_FORGET_GATE_1997", "NP",
    "PEEPHOLE_2002", "VANILLA",
]  # fmt: skip

NO_FORGET_GATE_1997: LSTMOptions = {"forget_gate": False}
"""The first LSTM, whose cell only ever adds: S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural
Computation 9(8), 1997. Where they have logistic functions of the ranges -2 to 2 and -1 to 1, here is tanh."""

FORGET_GATE_2000: LSTMOptions = {}
"""With a forget gate, as everybody means it today: F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget:
continual prediction with LSTM", Neural Computation 12(10), 2000. Of its activations holds the same."""

PEEPHOLE_2002: LSTMOptions = {"peephole": True, "output_activation": "identity"}
"""With gates that see the cell, which is shown as it is: F. A. Gers, N. N. Schraudolph and J. Schmidhuber, "Learning
precise timing with LSTM recurrent networks", JMLR 3, 2002."""

VANILLA: LSTMOptions = {"peephole": True}
"""The LSTM of A. Graves and J. Schmidhuber, "Framewise phoneme classification with bidirectional LSTM and other neural
network architectures", Neural Networks 18, 2005. From it K. Greff et al., "LSTM: a search space odyssey", IEEE
Transactions on Neural Networks and Learning Systems 28(10), 2017, take one thing away at a time, or put one in; what
follows are their eight."""

NIG: LSTMOptions = {"peephole": True, "input_gate": False}
"""No input gate."""

NFG: LSTMOptions = {"peephole": True, "forget_gate": False}
"""No forget gate."""

NOG: LSTMOptions = {"peephole": True, "output_gate": False}
"""No output gate."""

NIAF: LSTMOptions = {"peephole": True, "candidate_activation": "identity"}
"""No input activation function."""

NOAF: LSTMOptions = {"peephole": True, "output_activation": "identity"}
"""No output activation function."""

NP: LSTMOptions = {}
"""No peepholes."""

CIFG: LSTMOptions = {"peephole": True, "coupled": True}
"""Coupled input and forget gate."""

FGR: LSTMOptions = {"peephole": True, "gate_recurrence": True}
"""Full gate recurrence."""

GREFF: dict[str, LSTMOptions] = {
    "NIG": NIG, "NFG": NFG, "NOG": NOG, "NIAF": NIAF, "NOAF": NOAF, "CIFG": CIFG, "NP": NP, "FGR": FGR,
}  # fmt: skip
"""The eight by the names that the paper gives them."""
