"""Training: truncated backpropagation through time, with Adam, a falling learning rate and clipped gradients."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from ..data import TextError, windows
from ..ops import get_rng_state, set_rng_state
from ..optim import Adam, CosineAnnealingLR, clip_grad_norm_
from ..tensor import Tensor, asarray
from .evaluation import bits_per_char
from .model import CharLM, State

__all__ = ["Best", "Configuration", "Training", "Update", "split", "train"]

MAX_NORM = 1.0
"""Where the norm of all gradients together is clipped."""

SELDOM = 10
"""How many updates there are at least from one look at the held-out text to the next, for each takes time."""


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

    Raises
    ------
    ValueError
        If a length or a number of things is not a whole number of at least 1.
    """

    embedding: int = 64
    hidden: int = 256
    batch: int = 32
    steps: int = 64
    updates: int = 600
    lr: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("embedding", "hidden", "batch", "steps", "updates"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= 1):
                raise ValueError(f"Configuration: got {name} = {value!r}, wanted a whole number of at least 1.")


class Update(NamedTuple):
    """What one update was.

    Attributes
    ----------
    loss
        The mean loss of its characters, a scalar in nats.
    characters
        How many characters it predicted.
    """

    loss: Tensor
    characters: int


class Best(NamedTuple):
    """The weights that did best on a held-out text so far.

    Attributes
    ----------
    bits
        What a character of it costs with them. It has chosen them, so one of another text is likely to cost more.
    updates
        After how many updates the model had them.
    weights
        The weights by name, a copy.
    """

    bits: float
    updates: int
    weights: Mapping[str, Tensor]


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


class Training:
    """A training under way: everything that it changes. A new one is at its beginning.

    Parameters
    ----------
    model
        The model, which training changes.
    configuration
        What is said there of training; the sizes are the model's own.

    Attributes
    ----------
    optimizer
        Adam.
    schedule
        Half a cosine from the first learning rate down to 0, a step an update.
    memory
        The model's state ``(h, c)`` behind the last window of the text; None at the text's beginning.
    text
        A digest of the text, so that no other is taken for it; None until it is read.
    best
        The `Best` weights so far; None where there is no held-out text, or it was not looked at yet.

    Examples
    --------
    >>> training = Training(CharLM(5, 2, 3), Configuration(lr=0.5))
    >>> training.updates, training.schedule.get_last_lr()
    (0, [0.5])
    """

    def __init__(self, model: CharLM, configuration: Configuration) -> None:
        self.model = model
        self.configuration = configuration
        self.optimizer = Adam(model.parameters(), configuration.lr)
        self.schedule = CosineAnnealingLR(self.optimizer, configuration.updates)
        self.memory: State | None = None
        self.text: str | None = None
        self.best: Best | None = None

    @property
    def updates(self) -> int:
        """How many updates were done."""
        return self.schedule.last_epoch

    def look(self, heldout: Tensor) -> None:
        """Keep a copy of the model's weights if they do better on a held-out text than any so far.

        Parameters
        ----------
        heldout
            The characters' numbers, shape (N,); the first is only what the others follow.
        """
        bits = bits_per_char(self.model, heldout)
        if self.best is None or bits < self.best.bits:
            weights = {name: asarray(weight, copy=True) for name, weight in self.model.state_dict().items()}
            self.best = Best(bits, self.updates, weights)

    def state_dict(self) -> dict[str, Any]:
        """Return all that has to be kept, besides the model's weights, for training to go on later as if never left.

        The random generators are part of it; its tensors share their memory with the training.
        """
        return {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "memory": self.memory,
            "text": self.text,
            "best": self.best and self.best._asdict(),
            "random": get_rng_state(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where a training of the same model, with the same configuration, was; its weights are loaded apart.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the state does not fit.
        """
        memory = state_dict["memory"]
        shape = (1, self.configuration.batch, self.configuration.hidden)
        if memory is not None and [part.shape for part in memory] != [shape, shape]:
            raise ValueError(f"the memory has shapes {[part.shape for part in memory]}, wanted {shape} twice.")
        best = state_dict.get("best")  # a state of before the best weights were kept has none
        if best is not None and _shapes(best["weights"]) != _shapes(self.model.state_dict()):
            raise ValueError("the best weights are not those of this model.")
        self.optimizer.load_state_dict(state_dict["optimizer"])
        self.schedule.load_state_dict(state_dict["schedule"])
        self.memory = memory and (memory[0], memory[1])
        self.text = state_dict["text"]
        self.best = best and Best(float(best["bits"]), int(best["updates"]), best["weights"])
        set_rng_state(state_dict["random"])


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of weights by name."""
    return {name: weight.shape for name, weight in weights.items()}


def train(training: Training, numbers: Tensor, heldout: Tensor | None = None) -> Iterator[Update]:
    """Train on a text from where the training is to its end, and give each update when it is done.

    The text is read in parallel streams, over and over; the state is carried through it, and gradients are not. A model
    that reads a short text often gets to know it by heart, and does worse on every other. So with a held-out text, the
    weights that do best on it are kept: it is looked at each time when the text was read, and at the end.

    Parameters
    ----------
    training
        A training, new or gone on with, which is changed together with its model.
    numbers
        The characters' numbers, shape (N,).
    heldout
        Those of a text that is not trained on, for `Training.look`; if it is given, `Training.best` is what to use in
        the end.

    Raises
    ------
    TextError
        If the text has no more characters than the batch has sequences, or is another than before.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> training = Training(CharLM(5, 2, 3), Configuration(batch=2, steps=4, updates=3))
    >>> [update.characters for update in train(training, tg.arange(5))]
    [4, 4, 4]
    """
    text = hashlib.sha256(numbers.numpy().tobytes()).hexdigest()
    if training.text not in (None, text):
        raise TextError("the text is not the one on which this training was begun.")
    training.text = text
    last, between = training.configuration.updates, _between_looks(numbers, training.configuration)
    parts = _over_and_over(numbers, training.configuration)
    for beginning, inputs, targets in islice(parts, training.updates, last):
        loss = _update(training, inputs, targets, None if beginning else training.memory)
        if heldout is not None and (training.updates % between == 0 or training.updates == last):
            training.look(heldout)
        yield Update(loss, targets.size)


def _between_looks(numbers: Tensor, configuration: Configuration) -> int:
    """Return how many updates there are from one look at the held-out text to the next: those that read the text once.

    Before it is read again there is nothing to know by heart.
    """
    length = (len(numbers) - 1) // configuration.batch
    return max(SELDOM, math.ceil(length / configuration.steps))


def _over_and_over(numbers: Tensor, configuration: Configuration) -> Iterator[tuple[bool, Tensor, Tensor]]:
    """Give the windows of a text again and again, and whether each is the first."""
    while True:
        for index, (inputs, targets) in enumerate(windows(numbers, configuration.batch, configuration.steps)):
            yield index == 0, inputs, targets


def _update(training: Training, inputs: Tensor, targets: Tensor, memory: State | None) -> Tensor:
    """Change the weights once; return the loss, cut off from the tape as the state is."""
    loss, (h, c) = training.model.loss(inputs, targets, memory)
    training.optimizer.zero_grad()
    loss.backward()
    clip_grad_norm_(training.model.parameters(), MAX_NORM)
    training.optimizer.step()
    training.schedule.step()
    training.memory = h.detach(), c.detach()
    return loss.detach()
