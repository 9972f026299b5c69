"""Connectionist temporal classification: the loss of a sequence of labels of which nobody knows when each was said.

A network says at every step how likely each class is, or "blank", that nothing new is said. All the ways to say the
labels in order, each one for some steps, with blanks between them, count as right: the loss is minus the logarithm of
the sum of their probabilities. The sum goes from step to step over the places that can have been reached.
"""

from __future__ import annotations

import itertools
import operator
from typing import Any

from .. import backend
from ..backend import Array, xp
from ..primitive import unary
from ..tensor import Tensor, asarray
from .elementwise import maximum, where
from .indexing import take, unstack
from .losses import check_reduction
from .rearranging import roll
from .reductions import logsumexp, mean, sum
from .shape import expand_dims, permute_dims, reshape, stack

__all__ = ["ctc_loss"]

NEVER = -1e30
"""The logarithm of the probability of what cannot be: 0 by its exponential, but finite, so that no slope is NaN."""


# The three ways to each place: to stay there, to come from one before, to come from two before. Walls keep out what
# comes round from the far end.
_ways = unary("ways", lambda x, walls: xp.stack([x, xp.roll(x, 1, axis=1), xp.roll(x, 2, axis=1)]) + walls,
              lambda g: g[0] + roll(g[1], -1, axis=1) + roll(g[2], -2, axis=1), params=("walls",))  # fmt: skip


def ctc_loss(
    log_probs: Tensor | Array,
    targets: Tensor | Array,
    input_lengths: Any,
    target_lengths: Any,
    *,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return minus the logarithm of the probability of sequences of labels, whatever their timing.

    Parameters
    ----------
    log_probs
        Logarithms of the probabilities of C classes, the blank among them, as from `log_softmax`: shape (T, N, C), or
        (T, C) for one sequence.
    targets
        The labels, classes other than the blank: shape (N, S), of which only the first ``target_lengths`` of each row
        are looked at; or all in one row, one behind the other.
    input_lengths, target_lengths
        How many steps and how many labels each sequence has: N integers, or one for one sequence. They are needed on
        the host.
    blank
        The class that stands for nothing.
    reduction
        ``"mean"`` divides each loss by the number of labels (1 if there are none) and takes the mean over sequences,
        ``"sum"`` adds them up, ``"none"`` gives N losses.
    zero_infinity
        Whether to take a sequence as 0 that cannot be said in so few steps. By itself its loss is infinite. Its
        gradient is 0 in either case; PyTorch has NaN if the loss is infinite.

    Raises
    ------
    ValueError, TypeError, IndexError
        If shapes or lengths do not fit, the elements are of the wrong kind, or a label is no class or the blank. On a
        GPU, which nobody should have to wait for, such a label makes the loss of its sequence NaN instead.

    Notes
    -----
    The gradient is that of this function. PyTorch adds ``exp(log_probs)`` to it, which `log_softmax` takes away again:
    before it, both are the same.

    References
    ----------
    Graves, Fernández, Gomez and Schmidhuber, "Connectionist Temporal Classification", 2006.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> log_probs = tg.log(tg.asarray([[0.5, 0.5], [0.5, 0.5]]))  # of a blank and one class, at two steps
    >>> round(tg.exp(-tg.ctc_loss(log_probs, tg.asarray([1]), 2, 1)).item(), 4)  # 01, 10 and 11
    0.75
    """
    check_reduction("ctc_loss", reduction)
    log_probs, targets = asarray(log_probs), asarray(targets)
    _check(log_probs, blank)
    is_batch = log_probs.ndim == 3
    if not is_batch:
        log_probs = expand_dims(log_probs, 1)
    steps, count, classes = log_probs.shape
    times = _lengths("input_lengths", input_lengths, count, steps)
    lengths = _lengths("target_lengths", target_lengths, count, None)
    labels, strange = _labels(targets.data, lengths, classes, blank)
    total = _log_likelihood(log_probs, labels, times, lengths, blank)
    loss = where(total < 0.5 * NEVER, 0.0 if zero_infinity else float("inf"), -total)
    if strange is not None:
        loss = where(strange, float("nan"), loss)
    if reduction == "mean":
        return mean(loss / xp.asarray([max(n, 1) for n in lengths], dtype=loss.dtype))
    return sum(loss) if reduction == "sum" else loss if is_batch else reshape(loss, ())


def _check(log_probs: Tensor, blank: int) -> None:
    """Refuse what holds no logarithms of probabilities, and a blank that is no class."""
    if log_probs.dtype.char not in "fd":
        raise TypeError(f"ctc_loss: got log_probs of {log_probs.dtype}, wanted float32 or float64.")
    if log_probs.ndim not in (2, 3):
        raise ValueError(f"ctc_loss: got log_probs of shape {log_probs.shape}, wanted (T, N, C) or (T, C).")
    if not 0 <= blank < log_probs.shape[-1]:
        raise ValueError(f"ctc_loss: got blank = {blank}, wanted a class from 0 to {log_probs.shape[-1] - 1}.")


def _lengths(name: str, lengths: Any, count: int, longest: int | None) -> list[int]:
    """Return the lengths of so many sequences as numbers on the host."""
    given = lengths.tolist() if hasattr(lengths, "tolist") else lengths
    numbers = [given] if isinstance(given, int) else list(given)
    if len(numbers) != count or not all(hasattr(n, "__index__") for n in numbers):
        raise ValueError(f"ctc_loss: got {name} {given}, wanted an integer for each of {count} sequences.")
    numbers = list(map(operator.index, numbers))
    if any(n < 0 or (longest is not None and n > longest) for n in numbers):
        bound = "up" if longest is None else f"to {longest}"
        raise ValueError(f"ctc_loss: got {name} {given}, wanted numbers from 0 {bound}.")
    return numbers


def _labels(targets: Array, lengths: list[int], classes: int, blank: int) -> tuple[Array, Array | None]:
    """Return the labels, a row for each sequence, filled up with blanks; on a GPU also which rows held no labels."""
    if targets.dtype.kind not in "iu" and targets.size:
        raise TypeError(f"ctc_loss: got targets of {targets.dtype}, wanted integers.")
    targets = targets.astype("int64", copy=False)
    starts, longest = [0, *itertools.accumulate(lengths)], max(lengths, default=0)
    places = xp.arange(longest)
    if targets.ndim == 2 and targets.shape[0] == len(lengths) and targets.shape[1] >= longest:
        labels = targets[:, :longest]
    elif targets.ndim == 1 and targets.size == starts[-1]:
        labels = targets[xp.minimum(_column(starts[:-1]) + places, max(targets.size - 1, 0))]
    else:
        raise ValueError(
            f"ctc_loss: got targets of shape {targets.shape} and target_lengths {lengths}, wanted (N, S) with no "
            "length above S, or as many in one row as the lengths add up to."
        )
    inside = places < _column(lengths)
    strange = inside & ((labels < 0) | (labels >= classes) | (labels == blank))
    if backend.name != "numpy":
        return xp.where(inside & ~strange, labels, blank), strange.any(axis=1)
    if strange.any():
        raise IndexError(
            f"ctc_loss: got a target {labels[strange][0]}, wanted classes from 0 to {classes - 1} but for {blank}, "
            "the blank."
        )
    return xp.where(inside, labels, blank), None


def _column(numbers: list[int]) -> Array:
    """Return numbers of the host, one below the other, as an array of the backend."""
    return xp.asarray(numbers, dtype="int64")[:, None]


def _log_likelihood(log_probs: Tensor, labels: Array, times: list[int], lengths: list[int], blank: int) -> Tensor:
    """Return the logarithm of the probability of each sequence, far below 0 if it has none.

    The places of a sequence are its labels with blanks around and between them. ``reached`` holds, for each place, the
    logarithm of the probability to stand there after so many steps, with all before it said.
    """
    around = xp.full((len(labels), 2 * labels.shape[1] + 1), blank)
    around[:, 1::2] = labels
    walls = _walls(labels, log_probs.dtype)
    start = xp.full(around.shape, NEVER, dtype=log_probs.dtype)
    start[:, 0] = 0
    reached, ends, shortest = asarray(start), _column(times), min(times, default=0)
    for t, said in enumerate(_said(log_probs, around)[: max(times, default=0) or 1]):
        moved = logsumexp(_ways(reached, walls), axis=0) + said
        reached = moved if t < shortest else where(t < ends, moved, reached)
    rows, last = xp.arange(len(labels)), 2 * _column(lengths)[:, 0]
    at_end = stack([reached[rows, last], where(last > 0, reached[rows, xp.maximum(last - 1, 0)], NEVER)])
    return logsumexp(at_end, axis=0)


def _walls(labels: Array, dtype: Any) -> Array:
    """Return what keeps a sequence from a place: 0, or `NEVER`, for staying there, coming from one and from two before.

    From two before, a label is reached over the blank between, if they differ. A blank is not.
    """
    walls = xp.zeros((3, len(labels), 2 * labels.shape[1] + 1), dtype=dtype)
    walls[1, :, :1] = NEVER
    walls[2, :, :3] = walls[2, :, ::2] = NEVER
    walls[2, :, 3::2] = xp.where(labels[:, 1:] != labels[:, :-1], 0, NEVER)
    return walls


def _said(log_probs: Tensor, around: Array) -> tuple[Tensor, ...]:
    """Return for each step the logarithms of the probabilities of the classes that stand at each place."""
    steps, count, classes = log_probs.shape
    by_class = reshape(permute_dims(log_probs, (1, 2, 0)), (count * classes, steps))
    rows = take(by_class, (around + classes * xp.arange(count)[:, None]).reshape(-1), axis=0)
    return unstack(maximum(permute_dims(reshape(rows, (*around.shape, steps)), (2, 0, 1)), NEVER))
