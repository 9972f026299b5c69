"""The model: characters as vectors, an LSTM over them, and a score for each character that may follow."""

from __future__ import annotations

from typing import TypeAlias

from ..nn import LSTM, Embedding, Linear, Module
from ..ops import cross_entropy
from ..tape import Tape
from ..tensor import Tensor

__all__ = ["CharLM", "State", "unrolled"]

State: TypeAlias = "tuple[Tensor, Tensor]"
"""What the model remembers, ``(h, c)``, each of shape (1, B, hidden)."""


class CharLM(Module):
    """Embedding, LSTM, Linear: from each character of a text, and what came before, the scores of the next one.

    Parameters
    ----------
    vocabulary_size
        V, how many characters there are.
    embedding
        The length of a character's vector.
    hidden
        The length of the LSTM's state.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> model = CharLM(vocabulary_size=10, embedding=4, hidden=8)
    >>> scores, state = model(tg.asarray([[1, 2], [3, 4], [5, 6]]))
    >>> scores.shape
    (3, 2, 10)
    """

    def __init__(self, vocabulary_size: int, embedding: int = 64, hidden: int = 256) -> None:
        self.embedding = Embedding(vocabulary_size, embedding)
        self.lstm = LSTM(embedding, hidden)
        self.output = Linear(hidden, vocabulary_size)

    def forward(self, characters: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the scores (T, B, V) and the state after the last step, for characters (T, B) and the state before."""
        outputs, state = self.lstm(self.embedding(characters), state)
        return self.output(outputs), state

    def loss(
        self, characters: Tensor, targets: Tensor, state: State | None = None, reduction: str = "mean"
    ) -> tuple[Tensor, State]:
        """Return the cross entropy of the targets (T, B), in nats, and the state after the last step."""
        scores, state = self(characters, state)
        size = targets.size
        return cross_entropy(scores.reshape(size, -1), targets.reshape(size), reduction=reduction), state


def unrolled(model: CharLM, characters: Tensor) -> Tape:
    """Return the tape of the model over a short text, one step a character: what `draw` makes a picture of.

    Parameters
    ----------
    model
        The model.
    characters
        The characters' numbers, shape (T,).

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tape = unrolled(CharLM(10, embedding=4, hidden=8), tg.asarray([3, 1, 4]))
    >>> tape.entries[0].node.name
    'getitem'
    """
    with Tape() as tape:
        model(characters[:, None].named("characters"))
    return tape
