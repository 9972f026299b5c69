"""Sampling: a text continued character by character, each fed back into the model with its state."""

from __future__ import annotations

from collections.abc import Iterator

from .. import backend
from ..data import TextError, Vocabulary
from ..ops import softmax
from ..tape import no_grad
from ..tensor import Tensor, asarray
from .model import CharLM, State

__all__ = ["generate"]


def generate(
    model: CharLM,
    vocabulary: Vocabulary,
    prompt: str,
    length: int = 400,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
) -> Iterator[str]:
    """Continue a text, and give the characters one by one.

    Parameters
    ----------
    model, vocabulary
        A model, and the characters that it knows.
    prompt
        The text to continue, at least one character.
    length
        How many characters to add.
    temperature
        What scores are divided by: below 1 likely characters become likelier, above 1 the others do.
    top_k
        Draw from the k likeliest characters only; 1 takes the likeliest every time, None draws from all.
    seed
        Where random numbers start: the same seed gives the same text.

    Raises
    ------
    TextError
        If the prompt is empty or has characters outside the vocabulary.
    ValueError
        If ``temperature`` is not above 0, or ``top_k`` is below 1.

    Examples
    --------
    >>> vocabulary = Vocabulary.of("ab")
    >>> text = generate(CharLM(2, embedding=2, hidden=3), vocabulary, "a", length=5)
    >>> len("".join(text))
    5
    """
    if not prompt:
        raise TextError("the prompt is empty: give at least one character to continue.")
    if not temperature > 0:
        raise ValueError(f"generate: got temperature = {temperature}, wanted a number above 0.")
    if top_k is not None and top_k < 1:
        raise ValueError(f"generate: got top_k = {top_k}, wanted at least 1.")
    draws = backend.generator(seed).random(length).tolist()
    return _continued(model, vocabulary, vocabulary.encode(prompt), draws, temperature, top_k)


def _continued(
    model: CharLM, vocabulary: Vocabulary, numbers: Tensor, draws: list[float], temperature: float, top_k: int | None
) -> Iterator[str]:
    """Give a character for each random draw."""
    state = None
    for draw in draws:
        scores, state = _advanced(model, numbers, state)
        number = _chosen(scores, temperature, top_k, draw)
        yield vocabulary.characters[number]
        numbers = asarray([number])


def _advanced(model: CharLM, numbers: Tensor, state: State | None) -> tuple[Tensor, State]:
    """Return the scores (V,) of what follows some characters, and the state behind them."""
    with no_grad():
        scores, state = model(numbers[:, None], state)
        return scores[-1, 0], state


def _chosen(scores: Tensor, temperature: float, top_k: int | None, draw: float) -> int:
    """Return the character on which a draw from [0, 1) falls, when the likeliest lie side by side from 0 to 1."""
    scores = scores.astype("float64")
    likelihoods = softmax((scores - scores.max()) / temperature).numpy()
    ranking = (-likelihoods).argsort(kind="stable")[:top_k]
    borders = likelihoods[ranking].cumsum()
    return int(ranking[(borders[:-1] <= draw * borders[-1]).sum()])
