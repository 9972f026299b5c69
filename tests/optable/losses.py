"""Losses."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lstm as tg

from .core import Host, Row, Sample, Samples, one, reduced, softmax, torch

HOWS = ("mean", "sum", "none")
LOSSES = Samples([Sample((shape, shape), (how,)) for shape in [(), (3,), (2, 3)] for how in HOWS])
CLASSES = Samples(
    [
        one(shape, np.asarray(target), how)
        for shape, target in [((3,), 2), ((2, 3), [0, 2]), ((2, 3, 2), [[0, 1], [2, 2]])]
        for how in HOWS
    ]
)


def cross_entropy(x: Host, target: Host, how: str) -> Any:
    """Return minus the logarithm of the target's probability."""
    axis = min(1, x.ndim - 1)
    log_p = np.log(softmax(x, axis))
    loss = -np.take_along_axis(log_p, np.expand_dims(target, axis), axis).squeeze(axis)
    return reduced(loss, how)


ROWS = [
    Row("mse_loss", LOSSES, lambda x, y, how: reduced((x - y) ** 2, how),
        lambda x, y, how: torch.nn.functional.mse_loss(x, y, reduction=how),
        lambda x, y, how: tg.mse_loss(x, y, reduction=how), kinds="f", closed=False),
    Row("cross_entropy", CLASSES, cross_entropy,
        lambda x, target, how: torch.nn.functional.cross_entropy(x, torch.as_tensor(target), reduction=how),
        lambda x, target, how: tg.cross_entropy(x, tg.asarray(target), reduction=how), kinds="f", closed=False),
]  # fmt: skip
