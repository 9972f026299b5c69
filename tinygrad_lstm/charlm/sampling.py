"""Sampling: from the scores that a model gives to what may come next, to what does.

The functions know nothing of characters or models: scores are a tensor or an array whose last axis is the choice, any
real numbers of which `softmax` makes likelihoods. Random numbers are arguments, so that a seed decides everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from .. import backend
from ..backend import Array
from ..ops import arange, argsort, cumulative_sum, isfinite, log_softmax, softmax, take_along_axis, where
from ..structures import mapped
from ..tape import no_grad
from ..tensor import Tensor, asarray

__all__ = ["Hypothesis", "beam_search", "greedy", "likelihoods", "sample"]

S = TypeVar("S")


def greedy(scores: Tensor | Array) -> Tensor:
    """Return the choices with the highest scores, the first of several.

    >>> greedy(asarray([[0.5, 2.0, 2.0], [1.0, 0.0, -1.0]]))
    Tensor([1, 0])
    """
    return _finite("greedy", scores).argmax(axis=-1)


def likelihoods(
    scores: Tensor | Array, *, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """Return how likely `sample` is to draw each choice.

    Parameters
    ----------
    scores
        Shape (..., V).
    temperature
        What scores are divided by: below 1 likely choices become likelier, above 1 the others do.
    top_k
        Draw from the k likeliest alone, the first of equals; None draws from all.
    top_p
        Draw from the nucleus alone: as few as have this much of the likelihood between them, the likeliest first. It
        is taken of what ``top_k`` has left; None and 1 draw from all.

    Returns
    -------
    Tensor
        Shape (..., V), float64; 0 for what is never drawn.

    Raises
    ------
    ValueError
        If a setting is out of range, or scores are NaN or infinite; ``-inf`` means never, and is allowed.

    References
    ----------
    D. Ackley, G. Hinton and T. Sejnowski, "A learning algorithm for Boltzmann machines", Cognitive Science 9, 1985, for
    the temperature. A. Fan, M. Lewis and Y. Dauphin, "Hierarchical neural story generation", ACL 2018, for top-k.
    A. Holtzman et al., "The curious case of neural text degeneration", ICLR 2020, for the nucleus.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> scores = tg.log(tg.asarray([0.1, 0.5, 0.3, 0.1]))
    >>> tg.round(likelihoods(scores, top_k=2) * 1000) / 1000
    Tensor([0.   , 0.625, 0.375, 0.   ], dtype=float64)
    >>> tg.round(likelihoods(scores, top_p=0.85) * 1000) / 1000
    Tensor([0.111, 0.556, 0.333, 0.   ], dtype=float64)
    """
    ranking, ranked = _ranked("likelihoods", scores, temperature, top_k, top_p)
    return take_along_axis(ranked, argsort(ranking), axis=-1)


def sample(
    scores: Tensor | Array,
    draws: Tensor | Array | float,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """Return choices drawn by their `likelihoods`; the settings are those of `likelihoods`.

    Parameters
    ----------
    scores
        Shape (..., V).
    draws
        A random number from 0 up to but not including 1 for each choice to make, shape (...): the choice is the one
        on which it falls where all lie side by side from 0 to 1, each as wide as it is likely, the likeliest first.

    Returns
    -------
    Tensor
        Integers, shape (...).

    Raises
    ------
    ValueError
        As `likelihoods` does, and if draws are out of range or not as many as there are choices to make.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> scores = tg.log(tg.asarray([0.1, 0.6, 0.3]))
    >>> [sample(scores, draw).item() for draw in (0.0, 0.59, 0.61, 0.89, 0.91)]
    [1, 1, 2, 2, 0]
    """
    ranking, ranked = _ranked("sample", scores, temperature, top_k, top_p)
    draws = asarray(draws, dtype="float64").detach()
    if draws.shape != ranked.shape[:-1]:
        raise ValueError(f"sample: got scores of shape {ranked.shape} and draws of {draws.shape}, wanted one a choice.")
    if not ((draws >= 0) & (draws < 1)).all():
        raise ValueError("sample: got draws out of range, wanted numbers from 0 up to but not including 1.")
    borders = cumulative_sum(ranked, axis=-1)
    place = (borders[..., :-1] <= draws[..., None] * borders[..., -1:]).sum(axis=-1)
    return take_along_axis(ranking, place[..., None], axis=-1)[..., 0]


def check_sampling(op: str, temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Refuse settings that are out of range, in the name of an op."""
    if not 0 < temperature < float("inf"):
        raise ValueError(f"{op}: got temperature = {temperature}, wanted a finite number above 0.")
    if top_k is not None and top_k < 1:
        raise ValueError(f"{op}: got top_k = {top_k}, wanted at least 1.")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"{op}: got top_p = {top_p}, wanted a number above 0 and at most 1.")


def _finite(op: str, scores: Any) -> Tensor:
    """Return scores in float64, or refuse them where there is nothing to choose or no telling which."""
    scores = asarray(scores, dtype="float64").detach()
    if scores.ndim == 0 or scores.shape[-1] == 0:
        raise ValueError(f"{op}: got scores of shape {scores.shape}, wanted at least one choice along the last axis.")
    if not isfinite(scores.max(axis=-1)).all():
        raise ValueError(f"{op}: got scores that are NaN or infinite, wanted real numbers, or -inf for some of them.")
    return scores


def _ranked(op: str, scores: Any, temperature: float, top_k: int | None, top_p: float | None) -> tuple[Tensor, Tensor]:
    """Return the choices, the likeliest first, and their likelihoods in this order."""
    check_sampling(op, temperature, top_k, top_p)
    scores = _finite(op, scores)
    ranking = argsort(scores, axis=-1, descending=True)
    ranked = take_along_axis(scores, ranking, axis=-1)
    with backend.quiet():  # at a low temperature the unlikely ones go to -inf, as they should
        ranked = softmax((ranked - ranked[..., :1]) / temperature, axis=-1)
    if top_k is not None:
        ranked = where(arange(ranked.shape[-1]) < top_k, ranked, 0.0)
        ranked = ranked / ranked.sum(axis=-1, keepdims=True)
    if top_p is not None and top_p < 1:
        before = cumulative_sum(ranked, axis=-1, include_initial=True)[..., :-1]
        ranked = where(before < top_p, ranked, 0.0)
        ranked = ranked / ranked.sum(axis=-1, keepdims=True)
    return ranking, ranked


class Hypothesis(NamedTuple):
    """A sequence that `beam_search` has found.

    Attributes
    ----------
    tokens
        The numbers of what it consists of, the end among them if it has come to one.
    log_prob
        The logarithm of its probability.
    score
        ``log_prob / len(tokens) ** length_penalty``, by which hypotheses are ranked.
    """

    tokens: tuple[int, ...]
    log_prob: float
    score: float


def _rows(state: Any, rows: list[int]) -> Any:
    """Return a state with the given sequences of its batch: tensors of shape (L, B, ...), alone or in a structure."""
    return mapped(lambda part: part[:, rows] if isinstance(part, Tensor) else part, state)


def beam_search(
    step: Callable[[Tensor, S], tuple[Tensor, S]],
    start: int,
    state: S,
    length: int,
    *,
    beams: int,
    end: int | None = None,
    length_penalty: float = 1.0,
    reorder: Callable[[S, list[int]], S] = _rows,
) -> list[Hypothesis]:
    """Return likely sequences, the best first: at each step the likeliest continuations of the likeliest so far.

    A hypothesis that has come to its end leaves the beam, which is then one narrower. Of equally likely continuations,
    the one of the better hypothesis comes first, then the lower number; so one beam takes the path of `greedy`.

    Parameters
    ----------
    step
        Takes the last token of each of B hypotheses, shape (B,), and the state before it; returns the scores (B, V) of
        what may follow, and the state behind it. Nothing is recorded.
    start
        The token to continue.
    state
        The state before it.
    length
        How many tokens a hypothesis may have.
    beams
        How many hypotheses to keep.
    end
        The token with which a sequence ends; without one, all have the full length.
    length_penalty
        The power of the length that a log-probability is divided by, when hypotheses are ranked in the end: 0 prefers
        short ones, 1 is the mean of each token's.
    reorder
        Takes a state and the numbers of the hypotheses that go on, some perhaps more than once; returns the state of
        those. The default is for what a recurrent layer returns: None, or tensors of shape (L, B, ...).

    Returns
    -------
    list of Hypothesis
        At most ``beams``; fewer if fewer are possible.

    Raises
    ------
    ValueError
        If ``beams`` is below 1, or scores are NaN or infinite.

    References
    ----------
    I. Sutskever, O. Vinyals and Q. Le, "Sequence to sequence learning with neural networks", NeurIPS 2014, for the beam
    that gets narrower. Y. Wu et al., "Google's neural machine translation system", 2016, for the power of the length.

    Examples
    --------
    After 0 comes mostly 1, but nothing is likely behind that:

    >>> import tinygrad_lstm as tg
    >>> follows = tg.log(tg.asarray([[0.1, 0.5, 0.4], [0.4, 0.3, 0.3], [0.9, 0.05, 0.05]]))
    >>> step = lambda tokens, state: (follows[tokens], state)
    >>> beam_search(step, 0, None, 2, beams=1)[0].tokens
    (1, 0)
    >>> beam_search(step, 0, None, 2, beams=2)[0].tokens
    (2, 0)
    """
    if beams < 1:
        raise ValueError(f"beam_search: got beams = {beams}, wanted at least 1.")

    def hypothesis(tokens: tuple[int, ...], log_prob: float) -> Hypothesis:
        return Hypothesis(tokens, log_prob, log_prob / len(tokens) ** length_penalty)

    live, last = [Hypothesis((), 0.0, 0.0)], [start]
    ended: list[Hypothesis] = []
    with no_grad():
        for _ in range(length):
            scores, state = step(asarray(last), state)
            continuations = _likeliest(live, scores, beams - len(ended))
            ended += [hypothesis(tokens, log_prob) for _, tokens, log_prob in continuations if tokens[-1] == end]
            continuations = [each for each in continuations if each[1][-1] != end]
            live = [hypothesis(tokens, log_prob) for _, tokens, log_prob in continuations]
            if not live:
                break
            state = reorder(state, [row for row, _, _ in continuations])
            last = [each.tokens[-1] for each in live]
    return sorted(ended + live, key=lambda each: (-each.score, each.tokens))


def _likeliest(live: Sequence[Hypothesis], scores: Tensor, count: int) -> list[tuple[int, tuple[int, ...], float]]:
    """Return the likeliest continuations: whose they are, their tokens and the logarithm of their probability."""
    before = asarray([each.log_prob for each in live], dtype="float64")
    totals = (log_softmax(_finite("beam_search", scores)) + before[:, None]).reshape(-1)
    choices = argsort(totals, descending=True)[:count]
    found = []
    for choice, log_prob in zip(choices.tolist(), totals[choices].tolist(), strict=True):
        row, token = divmod(choice, scores.shape[-1])
        if log_prob > -float("inf"):
            found.append((row, (*live[row].tokens, token), log_prob))
    return found
