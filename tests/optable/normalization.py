"""Normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_lstm as tg

from .core import Host, Row, Sample, Samples, Shape, shapes, torch


def normalised(shape: Shape, axes: int, parts: int, eps: float = 1e-5) -> Sample:
    """Return a sample of an array to be normalised over its last axes, with so many of weight and bias."""
    last = shape[len(shape) - axes :]
    return Sample((shape, *[last] * parts), (last, eps))


@st.composite
def _normalised(draw: Any) -> Sample:
    """Draw a shape, axes of it, and whether there are a weight and a bias."""
    shape = draw(shapes(min_dims=1, min_side=2))
    return normalised(shape, draw(st.integers(1, len(shape))), draw(st.integers(0, 2)), 0.1)


NORMALISED = Samples(
    [
        normalised((4,), 1, 0), normalised((2, 3), 1, 2), normalised((2, 3, 4), 2, 1), normalised((2, 3), 2, 2, 0.5),
        normalised((3, 1), 1, 2, 0.5), normalised((0, 3), 1, 2), normalised((2, 0), 1, 2),
    ],
    _normalised(),
)  # fmt: skip


def layer_norm(x: Host, *rest: Any) -> Host:
    """Return x with mean 0 and variance 1 over its last axes, times the weight, plus the bias."""
    *parts, last, eps = rest
    axes = tuple(range(-len(last), 0))
    y = (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    for part, combine in zip(parts, (np.multiply, np.add), strict=False):
        y = combine(y, part)
    return y


def keyworded(call: Any) -> Any:
    """Return a library's function as one of arrays and settings."""
    return lambda x, *rest: call(x, rest[-2], *rest[:-2], eps=rest[-1])


ROWS = [
    Row("layer_norm", NORMALISED, layer_norm, keyworded(lambda *a, **b: torch.nn.functional.layer_norm(*a, **b)),
        keyworded(lambda *a, **b: tg.layer_norm(*a, **b)), floating=True),
]  # fmt: skip
