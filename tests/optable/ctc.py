"""Connectionist temporal classification."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_lstm as tg

from .core import Host, Row, Sample, Samples, one, reduced, softmax, torch


def said(path: Sequence[int], blank: int) -> list[int]:
    """Return the labels that a class for every step says: those that are not the one before, without blanks."""
    return [c for c, before in zip(path, (None, *path), strict=False) if c not in (before, blank)]


def cost(log_p: Host, labels: list[int], blank: int) -> float:
    """Return minus the logarithm of the probability of labels: of all ways to say them, by trying all."""
    steps, classes = log_p.shape
    ways = [path for path in itertools.product(range(classes), repeat=steps) if said(path, blank) == labels]
    return -float(np.log(np.sum(np.exp([log_p[np.arange(steps), list(path)].sum() for path in ways]))))


def ctc_loss(x: Host, targets: Any, times: Any, lengths: Any, how: str, blank: int, zero_infinity: bool) -> Any:
    """Return the losses of unnormalised scores, sequence by sequence."""
    log_p = np.log(softmax(x, -1)).reshape(len(x), -1, x.shape[-1])
    rows = targets if np.ndim(targets) == 2 else np.split(targets, np.cumsum(np.atleast_1d(lengths))[:-1])
    sequences = zip(np.moveaxis(log_p, 1, 0), rows, np.atleast_1d(times), np.atleast_1d(lengths), strict=True)
    each = np.asarray([cost(p[:steps], row[:n].tolist(), blank) for p, row, steps, n in sequences])
    if zero_infinity:
        each = np.where(np.isinf(each), 0, each)
    if how == "mean":
        each = each / np.maximum(lengths, 1)
    return np.asarray(reduced(each.reshape(x.shape[1:-1]), how)).astype(x.dtype)


def ours(x: Any, targets: Host, times: Any, lengths: Any, how: str, blank: int, zero_infinity: bool) -> Any:
    """Return our losses of the same."""
    return tg.ctc_loss(tg.log_softmax(x), tg.asarray(targets), times, lengths,
                       reduction=how, blank=blank, zero_infinity=zero_infinity)  # fmt: skip


def torchs(x: Any, targets: Host, times: Any, lengths: Any, how: str, blank: int, zero_infinity: bool) -> Any:
    """Return PyTorch's."""
    times, lengths = torch.as_tensor(times), torch.as_tensor(lengths)
    return torch.nn.functional.ctc_loss(x.log_softmax(-1), torch.as_tensor(targets), times, lengths,
                                        reduction=how, blank=blank, zero_infinity=zero_infinity)  # fmt: skip


@st.composite
def _sequences(draw: Any) -> Sample:
    """Draw scores of a few steps of a few sequences, labels, padded or not, and settings."""
    steps, count, classes = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(2, 3))
    blank = draw(st.integers(0, classes - 1))
    labels = st.sampled_from([c for c in range(classes) if c != blank])
    rows = draw(st.lists(st.lists(labels, max_size=3), min_size=count, max_size=count))
    lengths = list(map(len, rows))
    times = draw(st.lists(st.integers(0, steps), min_size=count, max_size=count))
    if draw(st.booleans()):
        targets = np.asarray([label for row in rows for label in row], "int64")
    else:
        targets = np.asarray([row + [blank] * (max(lengths) - len(row)) for row in rows], "int64")
    how = draw(st.sampled_from(["mean", "sum", "none"]))
    return one((steps, count, classes), targets, times, lengths, how, blank, True)


PADDED = np.asarray([[1, 1, 2], [2, -1, 9]])
SEQUENCES = Samples(
    [
        one((5, 2, 3), PADDED, [5, 3], [3, 1], "mean", 0, False),
        one((4, 2, 3), PADDED, [4, 4], [3, 0], "none", 0, False),  # just long enough for a label twice; nothing said
        one((4, 2, 3), PADDED, [3, 0], [3, 0], "none", 0, True),  # too short; nothing heard
        one((4, 3, 3), np.asarray([0, 1, 1, 1]), [4, 2, 4], [2, 0, 2], "sum", 2, False),
        one((4, 3), np.asarray([2, 1]), 4, 2, "none", 0, False),
        one((3, 3), np.asarray([2, 1]), [2], [2], "mean", 0, False),
        one((3, 1, 2), np.zeros((1, 0), "int64"), [3], [0], "mean", 0, False),
    ],
    _sequences(),
)

ROWS = [Row("ctc_loss", SEQUENCES, ctc_loss, torchs, ours, kinds="f", closed=False)]
