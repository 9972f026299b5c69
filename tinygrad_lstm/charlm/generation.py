"""Generation: a text continued character by character, each fed back into the model with its state."""

from __future__ import annotations

from collections.abc import Iterator

from .. import backend
from ..data import TextError, Vocabulary
from ..nn import evaluating
from ..tensor import Tensor
from .model import CharLM, State
from .sampling import beam_search, check_sampling, sample

__all__ = ["generate"]


def generate(
    model: CharLM,
    vocabulary: Vocabulary,
    prompt: str,
    length: int = 400,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    beams: int | None = None,
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
    temperature, top_k, top_p
        How to draw, as `likelihoods` says; ``top_k=1`` takes the likeliest character every time.
    beams
        Draw nothing, and look for the likeliest text as a whole, with so many candidates kept; see `beam_search`.
    seed
        Where random numbers start: the same seed gives the same text.

    Raises
    ------
    TextError
        If the prompt is empty or has characters outside the vocabulary.
    ValueError
        If a setting is out of range, or ``beams`` is given with settings of drawing.

    Examples
    --------
    >>> vocabulary = Vocabulary.of("ab")
    >>> text = generate(CharLM(2, embedding=2, hidden=3), vocabulary, "a", length=5)
    >>> len("".join(text))
    5
    """
    if not prompt:
        raise TextError("the prompt is empty: give at least one character to continue.")
    check_sampling("generate", temperature, top_k, top_p)
    numbers = vocabulary.encode(prompt)
    if beams is not None and beams < 1:
        raise ValueError(f"generate: got beams = {beams}, wanted at least 1.")
    if beams is None:
        draws = backend.generator(seed).random(length).tolist()
        chosen = _drawn(model, numbers, draws, temperature, top_k, top_p)
    elif (temperature, top_k, top_p) != (1.0, None, None):
        raise ValueError("generate: got beams and temperature, top_k or top_p, wanted one or the other.")
    else:
        chosen = _searched(model, numbers, length, beams)
    return (vocabulary.characters[number] for number in chosen)


def _drawn(
    model: CharLM, numbers: Tensor, draws: list[float], temperature: float, top_k: int | None, top_p: float | None
) -> Iterator[int]:
    """Give a character for each random draw."""
    state = None
    for draw in draws:
        scores, state = _advanced(model, numbers[:, None], state)
        numbers = sample(scores[0], draw, temperature=temperature, top_k=top_k, top_p=top_p)[None]
        yield numbers.item()


def _searched(model: CharLM, numbers: Tensor, length: int, beams: int) -> Iterator[int]:
    """Give the characters of the likeliest text that a search finds."""
    state = _advanced(model, numbers[:-1, None], None)[1] if len(numbers) > 1 else None
    best, *_ = beam_search(
        lambda last, before: _advanced(model, last[None], before), numbers[-1].item(), state, length, beams=beams
    )
    yield from best.tokens


def _advanced(model: CharLM, numbers: Tensor, state: State | None) -> tuple[Tensor, State]:
    """Return the scores (B, V) of what follows some characters (T, B), and the state behind them."""
    with evaluating(model):
        scores, state = model(numbers, state)
        return scores[-1], state
