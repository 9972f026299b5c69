"""Training: truncated backpropagation through time, with Adam, a falling learning rate and clipped gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..data import TextError, windows
from ..optim import Adam, clip_grad_norm_
from ..tensor import Tensor
from .model import CharLM, State

__all__ = ["Configuration", "Update", "learning_rate", "split", "train"]

MAX_NORM = 1.0
"""Where the norm of all gradients together is clipped."""


@dataclass(frozen=True)
class Configuration:
    """How large a model is and how it is trained.

    Attributes
    ----------
    embedding, hidden
        The lengths of a character's vector and of the LSTM's state.
    batch
        B, how many parts of the text are read side by side.
    steps
        T, over how many characters gradients go back.
    updates
        How many times the weights are changed.
    lr
        The learning rate of the first update.
    seed
        Where random numbers start: the same seed gives the same model on the same backend.
    """

    embedding: int = 64
    hidden: int = 256
    batch: int = 32
    steps: int = 64
    updates: int = 600
    lr: float = 0.01
    seed: int = 0


class Update(NamedTuple):
    """What one update was: its loss, a scalar in nats, and how many characters it predicted."""

    loss: Tensor
    characters: int


def split(text: str) -> tuple[str, str]:
    """Return the text but for its last tenth, to train on, and its last tenth, held out.

    Raises
    ------
    TextError
        If there is no character to hold out.

    Examples
    --------
    >>> split("0123456789")
    ('012345678', '9')
    """
    if len(text) < 10:
        raise TextError(f"the text has {len(text)} characters: too few to hold out a tenth of them.")
    border = len(text) - len(text) // 10
    return text[:border], text[border:]


def learning_rate(done: int, updates: int, first: float) -> float:
    """Return the rate of the next update after ``done`` of them: half a cosine, from the first rate down to 0.

    >>> [round(learning_rate(done, updates=4, first=0.1), 4) for done in range(4)]
    [0.1, 0.0854, 0.05, 0.0146]
    """
    return first * (1 + math.cos(math.pi * done / updates)) / 2


def train(model: CharLM, numbers: Tensor, configuration: Configuration) -> Iterator[Update]:
    """Train a model on a text, and give each update when it is done.

    The text is read in parallel streams, over and over; the state is carried through it, and gradients are not.

    Parameters
    ----------
    model
        The model, which is changed.
    numbers
        The characters' numbers, shape (N,).
    configuration
        What is said there of training; the sizes are the model's own.

    Raises
    ------
    TextError
        If the text has no more characters than the batch has sequences.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> configuration = Configuration(batch=2, steps=4, updates=3)
    >>> [update.characters for update in train(CharLM(5, 2, 3), tg.arange(5), configuration)]
    [4, 4, 4]
    """
    optimizer = Adam(model.parameters(), configuration.lr)
    while True:
        state = None
        for inputs, targets in windows(numbers, configuration.batch, configuration.steps):
            if optimizer.steps == configuration.updates:
                return
            optimizer.lr = learning_rate(optimizer.steps, configuration.updates, configuration.lr)
            loss, state = _update(model, optimizer, inputs, targets, state)
            yield Update(loss, targets.size)


def _update(
    model: CharLM, optimizer: Adam, inputs: Tensor, targets: Tensor, state: State | None
) -> tuple[Tensor, State]:
    """Change the weights once; return the loss and the state, both cut off from the tape."""
    loss, (h, c) = model.loss(inputs, targets, state)
    optimizer.zero_grad()
    loss.backward()
    clip_grad_norm_(optimizer.params, MAX_NORM)
    optimizer.step()
    return loss.detach(), (h.detach(), c.detach())
