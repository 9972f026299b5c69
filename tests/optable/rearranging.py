"""Elements in another order, repeated, padded, or left out by a pattern."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_lstm as tg

from .core import SHAPES, Row, Sample, Samples, axes, dims, one, shapes


@st.composite
def _flips(draw: Any) -> Sample:
    """Draw a shape, and one of its axes, several or all."""
    shape = draw(shapes())
    choices = [st.none(), st.sets(st.integers(0, len(shape) - 1)).map(tuple) if shape else st.just(())]
    return one(shape, draw(st.one_of(*choices, *([axes(len(shape))] if shape else []))))


FLIPS = Samples([*(one(shape, None) for shape in SHAPES), one((2, 3), -1), one((2, 3, 4), (0, -1))], _flips())

ROWS = [
    Row("flip", FLIPS, np.flip, lambda x, axis: x.flip(dims(x, axis)), lambda x, axis: tg.flip(x, axis=axis)),
]  # fmt: skip
