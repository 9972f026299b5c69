"""Sums, means, extremes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .core import Host, Row, Samples, dims, draw_reduction, one

REDUCTION = [
    one((), None, False), one((), None, True), one((2, 3), None, False), one((2, 3), 1, True),
    one((2, 3, 4), (0, -1), False), one((2, 3, 4), -2, False), one((0, 3), 1, False),
]  # fmt: skip
SUMS = Samples([*REDUCTION, one((0,), None, False), one((2, 0), 1, True)], draw_reduction(filled=False, several=True))
EXTREMES = Samples(REDUCTION, draw_reduction(filled=True, several=True))
PLACES = Samples(
    [sample for sample in REDUCTION if not isinstance(sample.settings[0], tuple)],
    draw_reduction(filled=True, several=False),
)


def extreme_torch(name: str) -> Callable[..., Any]:
    """Return PyTorch's ``amax`` or ``amin``, which share the gradient among equals."""
    return lambda x, axis, keepdims: getattr(x, name)(dims(x, axis), keepdims)


def logsumexp(x: Host, axis: Any, keepdims: bool) -> Host:
    """Return log(sum(exp(x))), for small x."""
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


ROWS = [
    Row("sum", SUMS, lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
        lambda x, axis, keepdims: x.sum(dims(x, axis), keepdims) if x.ndim else x * 1),
    Row("mean", EXTREMES, lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
        lambda x, axis, keepdims: x.mean(dims(x, axis), keepdims) if x.ndim else x * 1,
        floating=True),
    Row("max", EXTREMES, lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims), extreme_torch("amax")),
    Row("min", EXTREMES, lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims), extreme_torch("amin")),
    Row("logsumexp", EXTREMES, logsumexp, lambda x, axis, keepdims: x.logsumexp(dims(x, axis), keepdims),
        floating=True),
    Row("all", SUMS, lambda x, axis, keepdims: x.all(axis=axis, keepdims=keepdims), differentiable=False),
    Row("any", SUMS, lambda x, axis, keepdims: x.any(axis=axis, keepdims=keepdims), differentiable=False),
    Row("argmax", PLACES, lambda x, axis, keepdims: np.argmax(x, axis, keepdims=keepdims), differentiable=False),
    Row("argmin", PLACES, lambda x, axis, keepdims: np.argmin(x, axis, keepdims=keepdims), differentiable=False),
]  # fmt: skip
