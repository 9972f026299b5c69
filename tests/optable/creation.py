"""Tensors from nothing."""

from __future__ import annotations

import numpy as np

import tinygrad_lstm as tg

from .core import SHAPES, Sample, Samples, constant, fixed, one

FILLINGS = Samples(
    [Sample((), (shape, dtype)) for shape in (3, (), (2, 0), (2, 3)) for dtype in ("float32", "float64", "int64")]
)
LIKES = Samples([one(shape, dtype) for shape in SHAPES for dtype in (None, "float64", "bool")])


ROWS = [
    constant("zeros", FILLINGS, np.zeros, lambda shape, dtype: tg.zeros(shape, dtype=dtype)),
    constant("ones", FILLINGS, np.ones, lambda shape, dtype: tg.ones(shape, dtype=dtype)),
    constant("full", FILLINGS, lambda shape, dtype: np.full(shape, 3, dtype),
             lambda shape, dtype: tg.full(shape, 3, dtype=dtype)),
    constant("zeros_like", LIKES, np.zeros_like, lambda x, dtype: tg.zeros_like(x, dtype=dtype)),
    constant("ones_like", LIKES, np.ones_like, lambda x, dtype: tg.ones_like(x, dtype=dtype)),
    constant("full_like", LIKES, lambda x, dtype: np.full_like(x, 2, dtype),
             lambda x, dtype: tg.full_like(x, 2, dtype=dtype)),
    constant("arange", fixed((5,), (0,), (2, 7), (7, 2, -2)), np.arange, tg.arange),
    constant("arange", fixed((2.0,), (0, 1, 0.25)), lambda *bounds: np.arange(*bounds, dtype="float32"), tg.arange),
    constant("linspace", fixed((0, 1, 5), (1.5, -1.5, 4), (0, 1, 0)),
             lambda *bounds: np.linspace(*bounds, dtype="float32"), tg.linspace),
    constant("eye", fixed((3,), (2, 3), (0,)), lambda *sides: np.eye(*sides, dtype="float32"), tg.eye),
]  # fmt: skip
