"""Tensors from nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lstm as tg

from .core import SHAPES, Host, Row, Sample, Samples, Shape, constant, fixed, one, several, shapes, torch

FILLINGS = Samples(
    [Sample((), (shape, dtype)) for shape in (3, (), (2, 0), (2, 3)) for dtype in ("float32", "float64", "int64")]
)
GRIDS = Samples(
    [several((3,)), several((2,), (3,)), several((1,), (0,), (2,)), several((2,), (1,), (3,), (2,))],
    shapes(min_dims=1).map(lambda lengths: several(*[(n,) for n in lengths])),
)
LIKES = Samples([one(shape, dtype) for shape in SHAPES for dtype in (None, "float64", "bool")])


def _like(name: str, reference: Any, call: Any) -> Row:
    """Return the row of an op that takes no more than the shape and type of an array."""
    return Row(name, LIKES, reference, call=call, kinds="fi", differentiable=False)


def _classes(rng: np.random.Generator, shape: Shape) -> Host:
    """Return numbers that make classes from 0 to 3."""
    return rng.uniform(0, 1, shape)


ROWS = [
    constant("zeros", FILLINGS, np.zeros, lambda shape, dtype: tg.zeros(shape, dtype=dtype)),
    constant("ones", FILLINGS, np.ones, lambda shape, dtype: tg.ones(shape, dtype=dtype)),
    constant("full", FILLINGS, lambda shape, dtype: np.full(shape, 3, dtype),
             lambda shape, dtype: tg.full(shape, 3, dtype=dtype)),
    constant("empty", FILLINGS, np.zeros, lambda shape, dtype: tg.zeros_like(tg.empty(shape, dtype=dtype))),
    _like("zeros_like", np.zeros_like, lambda x, dtype: tg.zeros_like(x, dtype=dtype)),
    _like("ones_like", np.ones_like, lambda x, dtype: tg.ones_like(x, dtype=dtype)),
    _like("empty_like", np.zeros_like, lambda x, dtype: tg.zeros_like(tg.empty_like(x, dtype=dtype))),
    _like("full_like", lambda x, dtype: np.full_like(x, 2, dtype), lambda x, dtype: tg.full_like(x, 2, dtype=dtype)),
    constant("arange", fixed((5,), (0,), (2, 7), (7, 2, -2)), np.arange, tg.arange),
    constant("arange", fixed((2.0,), (0, 1, 0.25)), lambda *bounds: np.arange(*bounds, dtype="float32"), tg.arange),
    constant("linspace", fixed((0, 1, 5), (1.5, -1.5, 4), (0, 1, 0)),
             lambda *bounds: np.linspace(*bounds, dtype="float32"), tg.linspace),
    constant("eye", fixed((3,), (2, 3), (0,)), lambda *sides: np.eye(*sides, dtype="float32"), tg.eye),
    Row("meshgrid", GRIDS, np.meshgrid, lambda *xs: torch.meshgrid(*xs, indexing="xy")),
    Row("meshgrid", Samples(GRIDS.corners), lambda *xs: np.meshgrid(*xs, indexing="ij"),
        lambda *xs: torch.meshgrid(*xs, indexing="ij"), lambda *xs: tg.meshgrid(*xs, indexing="ij")),
    Row("one_hot", Samples([one((), 4), one((3,), 4), one((2, 0), 5), one((2, 3), 7)]),
        lambda x, n: np.eye(n, dtype="int64")[x], call=lambda x, n: tg.one_hot(x, n), kinds="i", domain=_classes,
        differentiable=False),
    Row("from_dlpack", Samples([one(()), one((0,)), one((2, 3))]), np.asarray,
        call=lambda x: tg.from_dlpack(x.detach()), differentiable=False, closed=False),
]  # fmt: skip
