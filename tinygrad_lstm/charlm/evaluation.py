"""Evaluation: how many bits a model, or something simpler, needs for each character of a text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from ..data import windows
from ..nn import evaluating
from ..tensor import Tensor
from .model import CharLM, State

__all__ = ["bigram_bits", "bits_per_char", "uniform_bits"]


def bits_per_char(model: CharLM, numbers: Tensor, batch: int | None = None, steps: int = 128) -> float:
    """Return the mean of ``-log2 p`` over a text, each character but the first predicted once.

    Parameters
    ----------
    model
        The model.
    numbers
        The characters' numbers, shape (N,), N at least 2.
    batch
        How many parts of the text are read side by side, each from a state of zeros, which costs some bits; by default
        up to 32 of at least 500 characters.
    steps
        How many characters of each are read at once; it changes memory and speed, and nothing else.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> model = CharLM(4, embedding=2, hidden=3)
    >>> for weight in model.parameters():
    ...     _ = weight.assign_(tg.zeros_like(weight))
    >>> round(bits_per_char(model, tg.asarray([0, 1, 2, 3, 0])), 6)
    2.0
    """
    predicted = len(numbers) - 1
    batch = min(batch, predicted) if batch else min(32, 1 + predicted // 500)
    with evaluating(model):
        nats, (h, c) = _nats(model, windows(numbers, batch, steps), None)
        left_over = predicted % batch
        if left_over:  # the last stream goes on alone
            rest = windows(numbers[-left_over - 1 :], 1, steps)
            nats += _nats(model, rest, (h[:, -1:], c[:, -1:]))[0]
    return nats / math.log(2) / predicted


def _nats(model: CharLM, parts: Iterable[tuple[Tensor, Tensor]], state: State | None) -> tuple[float, State]:
    """Return the sum of ``-log p`` over windows that follow each other, and the state after them."""
    total = 0.0
    for inputs, targets in parts:
        loss, state = model.loss(inputs, targets, state, reduction="sum")
        total += loss.item()
    assert state is not None
    return total, state


def uniform_bits(vocabulary_size: int) -> float:
    """Return the bits a character costs where all are as likely.

    >>> uniform_bits(8)
    3.0
    """
    return math.log2(vocabulary_size)


def bigram_bits(training: str, heldout: str, vocabulary_size: int, smoothing: float = 0.1) -> float:
    """Return the bits per character of a held-out text where each depends on the one before, as counted in training.

    ::

        p(b | a) = (count(ab) + smoothing) / (count(a) + smoothing * vocabulary_size)

    Parameters
    ----------
    training
        The text to count in; the held-out text is taken to follow it.
    heldout
        The text to predict, all of it.
    vocabulary_size
        How many characters there are.
    smoothing
        What is added to every count, so that no pair is impossible.

    Examples
    --------
    >>> round(bigram_bits("abab", "a", vocabulary_size=2, smoothing=1.0), 4)
    0.585
    """
    pairs = Counter(pairwise(training))
    firsts = Counter(training[:-1])
    whole = smoothing * vocabulary_size
    bits = (-math.log2((pairs[a, b] + smoothing) / (firsts[a] + whole)) for a, b in pairwise(training[-1] + heldout))
    return math.fsum(bits) / len(heldout)
